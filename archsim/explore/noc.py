"""The options of ``archsim noc``: from texts to a network, and from loads to a curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal, cast

import numpy as np

from archsim.errors import ArchsimError, Problem, SpecError, nearest
from archsim.noc.curve import Curves, Phases, Point, find_saturation, loads_up_to, point_of, sweep
from archsim.noc.drawn import read_network
from archsim.noc.fabric import Fabric
from archsim.noc.failures import around_failures, named_link, random_links, without_links
from archsim.noc.flit import FlitEngine
from archsim.noc.packet_level import delivered, program, valid_use
from archsim.noc.packets import FlitRun
from archsim.noc.routing import routing as routing_of
from archsim.noc.topology import split_into_chips, topology
from archsim.noc.traffic import bernoulli, pattern
from archsim.sim.engines import chosen
from archsim.sim.engines import engine as program_engine
from archsim.spec.flit import FlitRouter
from archsim.spec.loader import validate
from archsim.spec.tree import Mark, Node, parse

__all__ = [
    "curves",
    "extents",
    "flit_engine",
    "level_of_detail",
    "load_network",
    "loads_of",
    "measure_packet_level",
    "router_keys",
]

ENGINES = ("compiled", "reference")
DETAILS = ("flit", "packet", "both")
Detail = Literal["flit", "packet", "both"]

MOST_LOADS = 1000
"""The loads of a range."""


def extents(text: str, option: str) -> tuple[int, ...]:
    """``8x8`` as numbers."""
    parts = text.lower().split("x")
    if not all(part.isascii() and part.isdigit() and len(part) < 8 for part in parts) or len(parts) > 8:
        raise ArchsimError(f"{option}: expected numbers joined by x, such as 8x8; got {text!r:.100}")
    return tuple(int(part) for part in parts)


def router_keys(settings: Sequence[str]) -> FlitRouter:
    """A router with the keys ``key=value`` changed; SpecError lists what is wrong with them."""
    tree = Node({}, Mark("--set"))
    for setting in settings:
        key, equals, value = setting.partition("=")
        origin = f"--set {setting}"
        if not equals or not key.strip() or not value.strip():
            raise SpecError([Problem(origin, "expected key=value, such as virtual_channels=4")])
        tree.value[key.strip()] = parse(value, origin)
        tree.value[key.strip()].mark = tree.key_marks[key.strip()] = Mark(origin)
    return validate(tree, FlitRouter)


def flit_engine(name: str | None) -> FlitEngine | None:
    """The engine of that name; ArchsimError if there is none."""
    if name is not None and name not in ENGINES:
        raise ArchsimError(
            f"--engine: no engine named {name!r:.100}{nearest(name, ENGINES)}; there are compiled, reference"
        )
    return cast("FlitEngine | None", name)


def load_network(
    name: str,
    shape: str,
    concentration: int | None,
    routing: str | None,
    settings: Sequence[str],
    chips: str | None,
    chip_link: str,
    check: bool,
    failed_links: Sequence[str] = (),
    failed_share: float = 0.0,
    seed: int = 1,
) -> tuple[Fabric, str]:
    """The network that the options describe, and a title for it."""
    router = router_keys(settings)
    if Path(name).suffix.lower() in (".yaml", ".yml", ".graphml"):
        graph, usual = read_network(Path(name))
        title = graph.graph["name"]
    else:
        graph, usual = topology(name, extents(shape, "--shape"), concentration), None
        title = f"{name} {shape}"
    if chips is not None:
        parts = chip_link.split(",")
        if len(parts) != 2 or not all(part.isascii() and part.isdigit() and 0 < int(part) < 10**5 for part in parts):
            raise ArchsimError(f"--chip-link: expected CYCLES,PERIOD, such as 10,4; got {chip_link!r:.100}")
        split_into_chips(graph, extents(chips, "--chips"), cycles=int(parts[0]), period=int(parts[1]))
        title += f" on {chips} chips"
    rule = routing_of(graph, routing or usual)
    failed = [named_link(graph, link) for link in failed_links] + random_links(graph, failed_share, seed)
    if failed:
        graph = without_links(graph, failed)
        rule = around_failures(graph, rule)
        title += f", {len(failed)} links failed"
    return Fabric(graph, rule, router, check), title


def level_of_detail(name: str) -> Detail:
    """The level of detail of that name; ArchsimError if there is none."""
    if name not in DETAILS:
        known = ", ".join(DETAILS)
        raise ArchsimError(f"--detail: no level named {name!r:.100}{nearest(name, DETAILS)}; there are {known}")
    return cast("Detail", name)


def loads_of(texts: Sequence[str]) -> list[float]:
    """The loads that ``--load`` gives: each a number, or a range FROM:TO:STEP with both its ends.

    Ranges are counted in decimal, so that 0.1:0.3:0.1 has the same 0.3 as a load given alone.
    """
    return [float(load) for text in texts for load in _range(text)]


def _range(text: str) -> list[Decimal]:
    expected = "expected a load such as 0.3, or FROM:TO:STEP such as 0.05:0.4:0.05"
    try:
        numbers = [Decimal(part) for part in text.split(":")]
    except InvalidOperation:
        numbers = []
    if len(numbers) not in (1, 3) or not all(number.is_finite() for number in numbers):
        raise ArchsimError(f"--load: {expected}, got {text!r:.100}")
    if len(numbers) == 1:
        return numbers
    first, last, step = numbers
    few = float(step) > 0 and (float(last) - float(first)) / float(step) <= MOST_LOADS
    if not (few and 0 < first <= last):
        raise ArchsimError(f"--load: expected 0 < FROM <= TO, STEP > 0 and up to {MOST_LOADS} loads, got {text!r:.100}")
    return [first + number * step for number in range(int((last - first) / step) + 1)]


def curves(
    fabric: Fabric,
    traffic: str,
    packet_flits: int,
    loads: Sequence[float],
    saturation: bool,
    phases: Phases,
    engine: FlitEngine | None,
    detail: Detail,
    report: Callable[[str], None] = lambda step: None,
) -> Curves:
    """The points at ``loads``, and the saturation load if it is wanted or no loads are given; then the points by which
    it was found are part of the curve.
    """

    def at_packet_level(points: Sequence[float]) -> list[Point]:
        return [measure_packet_level(fabric, traffic, packet_flits, load, phases) for load in sorted(set(points))]

    limit = valid_use(packet_flits)
    if detail == "packet":
        if not loads or saturation:
            raise ArchsimError("--detail packet: give the loads; links with queues without end do not saturate")
        return Curves(at_packet_level(loads), None, None, limit, whole=True)
    if loads and not saturation:
        points, found = sweep(fabric, traffic, packet_flits, loads, phases, engine, report), None
    else:
        found, probes = find_saturation(fabric, traffic, packet_flits, phases, engine, report)
        points = sweep(fabric, traffic, packet_flits, loads or loads_up_to(found), phases, engine, report)
        known = {point.load: point for point in [*probes, *points]}
        points = [known[load] for load in sorted(known)]
    beside = None
    if detail == "both":
        beside = at_packet_level([point.load for point in points if not point.saturated])
    return Curves(points, found, beside, limit)


def measure_packet_level(fabric: Fabric, traffic: str, packet_flits: int, load: float, phases: Phases) -> Point:
    """The point of :func:`archsim.noc.curve.measure` at packet level, by the engine that runs compiled networks.

    Links have queues without end, so that nothing saturates but the latency; ``saturated`` says that the busiest
    channel has more to do than it can.
    """
    start, end = phases.warmup, phases.warmup + phases.measure
    packets = bernoulli(
        fabric, pattern(traffic, fabric), load=load, packet_flits=packet_flits, cycles=end, seed=phases.seed
    )
    outcome = program_engine(chosen())(program(fabric, packets), records="all")
    times = delivered(packets, outcome.records.deliveries)
    inside = (times >= start) & (times < end)
    targets = packets.targets[inside] - fabric.ejection(0)
    run = FlitRun(
        created=packets.created,
        sent=packets.created,
        delivered=times,
        channel_flits=outcome.link_tokens * packet_flits,
        ejected=np.bincount(targets, minlength=len(fabric.terminals)) * packet_flits,
        peak=np.zeros(0, np.int64),
        counts={},
        cycle=end - 1,
        stuck=np.zeros((0, 2), np.int64),
    )
    return point_of(fabric, packets, packets.created >= start, run, load, phases)
