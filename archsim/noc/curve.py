"""Latency against load: synthetic traffic on a network, point by point, and the load at which it saturates.

A point is measured as in Dally and Towles (2004), chapter 23: the network is warmed up, packets created during the
measurement are tagged, and the run goes on under the same load until all of them have arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError
from archsim.noc.fabric import Fabric
from archsim.noc.flit import FlitEngine, simulate
from archsim.noc.packets import NEVER, FlitRun, Packets
from archsim.noc.traffic import bernoulli, pattern

__all__ = [
    "Curves",
    "Phases",
    "Point",
    "find_saturation",
    "ideal_throughput",
    "loads_up_to",
    "measure",
    "point_of",
    "sweep",
]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Phases:
    """Cycles of each phase of a point, the seed, and what counts as saturated.

    ``drain`` is how long tagged packets are waited for.  A point is saturated if some of them are left then; if their
    mean latency is above ``latency_limit`` cycles and four times that of an empty network; or if it is above twice that
    of an empty network and still rises: that of the last quarter of the measurement is above ``trend_limit`` times that
    of the first.
    """

    warmup: int = 5_000
    measure: int = 40_000
    drain: int = 20_000
    seed: int = 1
    latency_limit: float = 500.0
    trend_limit: float = 2.0


@dataclass(frozen=True)
class Point:
    """What was measured at one load (flits a terminal and cycle); latencies in cycles, None if nothing arrived.

    ``in_order_wait`` is the mean time that packets spend in the reorder buffers at their ends.  Where ``saturated``,
    latency grows with the length of the measurement.
    """

    load: float
    mean_latency: float | None
    p50_latency: float | None
    p99_latency: float | None
    accepted_load: float
    mean_hops: float | None
    in_order_wait: float | None
    saturated: bool
    cycles: int
    flit_hops: int
    counts: dict[str, int] = field(default_factory=dict)
    channel_use: Ints = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    """Flits put on each channel from the first cycle to the last."""

    @property
    def busiest(self) -> float:
        """The flits a cycle on the busiest channel."""
        return float(self.channel_use.max(initial=0) / self.cycles)

    def to_json(self) -> dict[str, Any]:
        """The fields of ``archsim noc --json``."""
        return {
            "load": self.load,
            "mean_latency_cycles": self.mean_latency,
            "p99_latency_cycles": self.p99_latency,
            "accepted_load": self.accepted_load,
            "mean_hops": self.mean_hops,
            "saturated": self.saturated,
        }


@dataclass(frozen=True)
class Curves:
    """The points of a curve, its saturation load where that was looked for, and the same loads at packet level.

    ``valid_use`` is the use of the busiest channel up to which packet level may stand for flit level; ``whole`` says
    that ``points`` themselves are at packet level.
    """

    points: list[Point]
    saturation: float | None
    packet_level: list[Point] | None
    valid_use: float
    whole: bool = False


def measure(
    fabric: Fabric,
    traffic: str,
    packet_flits: int,
    load: float,
    phases: Phases = Phases(),
    engine: FlitEngine | None = None,
) -> Point:
    """One point of the curve.  DeadlockError if the network comes to a stop with packets in it."""
    start, end = phases.warmup, phases.warmup + phases.measure
    horizon = end + phases.drain
    packets = bernoulli(
        fabric, pattern(traffic, fabric), load=load, packet_flits=packet_flits, cycles=horizon, seed=phases.seed
    )
    tagged = (packets.created >= start) & (packets.created < end)
    # where routes may wait for each other, the network is left to empty itself: a deadlock then shows
    until = horizon if fabric.check else None
    run = simulate(fabric, packets, until=until, window=(start, end), tagged=tagged, engine=engine)
    return point_of(fabric, packets, tagged, run, load, phases)


def point_of(
    fabric: Fabric, packets: Packets, tagged: NDArray[np.bool_], run: FlitRun, load: float, phases: Phases
) -> Point:
    """What a run says of its tagged packets."""
    arrived = tagged & (run.delivered < NEVER)
    latency = run.latency[arrived]
    hops = _hops(packets)[packets.route]
    zero_load = _zero_load(fabric, packets, arrived)
    mean = float(latency.mean()) if len(latency) else None
    left = bool((tagged & ~arrived).any())
    above = mean is not None and mean > max(phases.latency_limit, 4 * zero_load)
    rising = mean is not None and mean > 2 * zero_load and _trend(run, arrived, phases) > phases.trend_limit
    return Point(
        load=load,
        mean_latency=mean,
        p50_latency=float(np.percentile(latency, 50)) if len(latency) else None,
        p99_latency=float(np.percentile(latency, 99)) if len(latency) else None,
        accepted_load=float(run.ejected.sum() / len(run.ejected) / phases.measure),
        mean_hops=float(hops[arrived].mean()) if len(latency) else None,
        in_order_wait=_in_order_wait(packets, run, arrived),
        saturated=left or above or rising,
        cycles=run.cycle + 1,
        flit_hops=int(run.channel_flits.sum()),
        counts=run.counts,
        channel_use=run.channel_flits,
    )


def _trend(run: FlitRun, arrived: NDArray[np.bool_], phases: Phases) -> float:
    """The mean latency of the last quarter of the measurement over that of the first."""
    quarter = phases.measure // 4
    first = arrived & (run.created < phases.warmup + quarter)
    last = arrived & (run.created >= phases.warmup + phases.measure - quarter)
    if not first.any() or not last.any():
        return 1.0
    return float(run.latency[last].mean() / run.latency[first].mean())


def _hops(packets: Packets) -> Ints:
    """Channels between routers of each route; routes follow each other, from an injection to an ejection channel."""
    routes = packets.routes
    return np.diff(np.append(routes.first, len(routes.channel))) - 1 - routes.ends


def _zero_load(fabric: Fabric, packets: Packets, which: NDArray[np.bool_]) -> float:
    """The mean latency that these packets would have in an empty network, on channels all as fast as a flit a cycle."""
    if not which.any():
        return 0.0
    routes = packets.routes
    wires = np.add.reduceat(fabric.wire[routes.channel], routes.first)
    head = fabric.router.source_cycles + wires + (_hops(packets) + 1) * fabric.router.pipeline_cycles
    return float((head[packets.route] + packets.flits - 1)[which].mean())


def in_order(packets: Packets, run: FlitRun) -> Ints:
    """When each packet has left the reorder buffer of its flow: not before those that its source created earlier."""
    order = np.lexsort((np.arange(len(packets)), run.created, packets.route))
    flow, time = packets.route[order], run.delivered[order]
    starts = np.flatnonzero(np.append(True, flow[1:] != flow[:-1]))
    out = np.empty_like(time)
    for first, last in zip(starts, np.append(starts[1:], len(flow)), strict=True):
        out[order[first:last]] = np.maximum.accumulate(time[first:last])
    return out


def _in_order_wait(packets: Packets, run: FlitRun, arrived: NDArray[np.bool_]) -> float | None:
    """The mean time in the reorder buffers, of packets before which none of their flow is missing."""
    ordered = in_order(packets, run)
    released = arrived & (ordered < NEVER)
    return float((ordered - run.delivered)[released].mean()) if released.any() else None


def sweep(
    fabric: Fabric,
    traffic: str,
    packet_flits: int,
    loads: Iterable[float],
    phases: Phases = Phases(),
    engine: FlitEngine | None = None,
    report: Callable[[str], None] = lambda step: None,
) -> list[Point]:
    """The points of a curve, by load."""
    points = []
    for load in sorted(set(loads)):
        if not 0 < load <= packet_flits:
            raise ArchsimError(
                f"--load: expected flits a terminal and cycle above 0 and up to {packet_flits}, got {load:g}"
            )
        report(f"load {load:g}")
        points.append(measure(fabric, traffic, packet_flits, load, phases, engine))
    return points


def find_saturation(
    fabric: Fabric,
    traffic: str,
    packet_flits: int,
    phases: Phases = Phases(),
    engine: FlitEngine | None = None,
    report: Callable[[str], None] = lambda step: None,
    within: float = 0.01,
) -> tuple[float, list[Point]]:
    """The highest load that does not saturate, to a share ``within`` of it, and the points by which it was found.

    Bisection below a tenth more than the load at which the busiest channel would be busy all the time.
    """
    low, high = 0.0, min(1.0, round(1.1 * ideal_throughput(fabric, traffic, packet_flits, phases.seed), 4))
    points: list[Point] = []
    while high - low > within * high and high > 1e-4:
        load = round((low + high) / 2, 6)
        report(f"load {load:g}")
        points.append(measure(fabric, traffic, packet_flits, load, phases, engine))
        if points[-1].saturated:
            high = load
        else:
            low = load
    return low, sorted(points, key=lambda point: point.load)


def ideal_throughput(fabric: Fabric, traffic: str, packet_flits: int, seed: int) -> float:
    """The load at which the busiest channel would be busy all the time (Dally and Towles, section 3.2), by a sample."""
    cycles = max(1000, 200_000 // len(fabric.terminals))
    sample = bernoulli(fabric, pattern(traffic, fabric), load=1.0, packet_flits=1, cycles=cycles, seed=seed)
    routes, uses = sample.routes, np.bincount(sample.route)
    lengths = np.diff(np.append(routes.first, len(routes.channel)))
    flits = np.bincount(routes.channel, weights=np.repeat(uses, lengths), minlength=fabric.channels)
    return float(cycles / (flits * fabric.period).max())


def loads_up_to(saturation: float) -> list[float]:
    """Loads for a curve: a twentieth, then by tenths to nine tenths, and 95 % of saturation."""
    return [round(saturation * share, 6) for share in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)]
