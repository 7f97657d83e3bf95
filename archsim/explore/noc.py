"""The options of ``archsim noc``: from texts to a network, and from loads to a curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from archsim.errors import ArchsimError, Problem, SpecError, nearest
from archsim.noc.curve import Phases, Point, find_saturation, loads_up_to, sweep
from archsim.noc.drawn import read_network
from archsim.noc.fabric import Fabric
from archsim.noc.flit import FlitEngine
from archsim.noc.routing import routing as routing_of
from archsim.noc.topology import split_into_chips, topology
from archsim.spec.flit import FlitRouter
from archsim.spec.loader import validate
from archsim.spec.tree import Mark, Node, parse

__all__ = ["curve", "extents", "flit_engine", "load_network", "router_keys"]

ENGINES = ("compiled", "reference")


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
    return Fabric(graph, routing_of(graph, routing or usual), router, check), title


def curve(
    fabric: Fabric,
    traffic: str,
    packet_flits: int,
    loads: Sequence[float],
    saturation: bool,
    phases: Phases,
    engine: FlitEngine | None,
    report: Callable[[str], None],
) -> tuple[list[Point], float | None]:
    """The points at ``loads``, and the saturation load if it is wanted or no loads are given; then the points by which
    it was found are part of the curve.
    """
    if loads and not saturation:
        return sweep(fabric, traffic, packet_flits, loads, phases, engine, report), None
    found, probes = find_saturation(fabric, traffic, packet_flits, phases, engine, report)
    points = sweep(fabric, traffic, packet_flits, loads or loads_up_to(found), phases, engine, report)
    known = {point.load: point for point in [*points, *probes]}
    return [known[load] for load in sorted(known)], found
