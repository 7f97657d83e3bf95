"""Two questions to a network on chip: what failed links cost, and what multicast and reduction on the way save."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from archsim.errors import ArchsimError, CompileError
from archsim.noc.collectives import flit_hops, multicast, reduction
from archsim.noc.curve import Phases, find_saturation
from archsim.noc.fabric import Fabric
from archsim.noc.failures import links
from archsim.noc.flit import FlitEngine, simulate
from archsim.noc.packets import Packets

__all__ = ["Collective", "Failures", "collectives", "with_failures"]

Report = Callable[[str], None]


@dataclass(frozen=True)
class Failures:
    """Networks with a share of their links failed, one a draw: the load at which each saturates, in flits a terminal
    and cycle; None where it is disconnected."""

    share: float
    links: int
    throughput: tuple[float | None, ...]

    @property
    def connected(self) -> list[float]:
        """The loads of those that hold together."""
        return [load for load in self.throughput if load is not None]


def with_failures(
    network: Callable[[float, int], Fabric],
    shares: Sequence[float],
    draws: int,
    traffic: str,
    packet_flits: int,
    phases: Phases,
    engine: FlitEngine | None = None,
    report: Report = lambda step: None,
) -> list[Failures]:
    """The throughput of ``network(share, seed)`` at each share of failed links, for ``draws`` seeds from 1 on.

    Without failures all draws are the same network, which is measured once.
    """
    out, of_all = [], len(links(network(0.0, 1).graph))
    for share in sorted(set(shares)):
        found: list[float | None] = []
        for seed in range(1, draws + 1 if share else 2):
            report(f"{share:.1%} of the links failed, draw {seed}")
            try:
                fabric = network(share, seed)
            except CompileError as error:
                if "disconnected" not in str(error):
                    raise
                found.append(None)
                continue
            found.append(find_saturation(fabric, traffic, packet_flits, phases, engine, within=0.02)[0])
        out.append(Failures(share, round(share * of_all), tuple(found)))
    return out


@dataclass(frozen=True)
class Collective:
    """A multicast to, or a reduction from, so many tiles: means over the draws of which tiles.

    ``alone`` is with a packet for each tile, ``shared`` on shared channels or with sums added on the way.
    """

    kind: str
    tiles: int
    hops_alone: float
    hops_shared: float
    cycles_alone: float
    cycles_shared: float


def collectives(
    fabric: Fabric,
    sizes: Sequence[int],
    flits: int,
    draws: int,
    seed: int,
    engine: FlitEngine | None = None,
    report: Report = lambda step: None,
) -> list[Collective]:
    """Multicasts and reductions of ``flits`` flits between one tile and ``sizes`` others, drawn by ``seed``."""
    count = len(fabric.terminals)
    out = []
    for kind in ("multicast", "reduction"):
        for size in sorted(set(sizes)):
            if not 1 <= size < count:
                raise ArchsimError(f"--tiles: expected 1 to {count - 1}, got {size}")
            report(f"{kind}, {size} tiles")
            rng = np.random.default_rng([seed, size])
            rows = []
            for _ in range(draws):
                one, *many = rng.choice(count, size + 1, replace=False).tolist()
                ways = [_packets(fabric, kind, one, many, flits, shared) for shared in (False, True)]
                times = [int(simulate(fabric, way, engine=engine).delivered.max()) for way in ways]
                rows.append([*(flit_hops(fabric, way) for way in ways), *times])
            out.append(Collective(kind, size, *np.mean(rows, axis=0).tolist()))
    return out


def _packets(fabric: Fabric, kind: str, one: int, many: list[int], flits: int, shared: bool) -> Packets:
    if kind == "multicast":
        return multicast(fabric, one, many, flits, copies=not shared)
    return reduction(fabric, many, one, flits, on_the_way=shared)
