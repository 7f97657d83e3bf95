"""Synthetic traffic: patterns of targets, and Bernoulli injection by keyed counters.

The patterns are those of Dally and Towles (2004), section 3.2.  Every random word is a function of the seed, the
terminal and the cycle alone (Philox, Salmon et al., SC 2011), so that neither the load nor the length of a run changes
what else is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError, nearest
from archsim.noc.fabric import Fabric
from archsim.noc.packets import Packets

__all__ = ["PATTERNS", "bernoulli", "pattern"]

Ints = NDArray[np.int64]

Pattern = Callable[[Ints, NDArray[np.float64]], Ints]
"""The targets of packets by their sources, with a number in [0, 1) drawn for each."""


def _bits(count: int, name: str) -> int:
    bits = count.bit_length() - 1
    if count != 1 << bits or (name == "transpose" and bits % 2):
        needs = "an even power of two" if name == "transpose" else "a power of two"
        raise ArchsimError(f"--traffic {name} needs a number of terminals that is {needs}; got {count}")
    return bits


def uniform(count: int, shape: Sequence[int]) -> Pattern:
    """Every terminal alike, the source included."""
    return lambda sources, drawn: (drawn * count).astype(np.int64)


def transpose(count: int, shape: Sequence[int]) -> Pattern:
    """The upper and the lower half of the source's bits change places: (x, y) to (y, x) on a square mesh."""
    half = _bits(count, "transpose") // 2
    return lambda sources, drawn: (sources >> half) | ((sources & ((1 << half) - 1)) << half)


def bit_complement(count: int, shape: Sequence[int]) -> Pattern:
    """Each bit of the source inverted."""
    _bits(count, "bit-complement")
    return lambda sources, drawn: count - 1 - sources


def bit_reverse(count: int, shape: Sequence[int]) -> Pattern:
    """The bits of the source backwards."""
    bits = _bits(count, "bit-reverse")
    table = np.array([int(f"{source:0{bits}b}"[::-1], 2) if bits else 0 for source in range(count)], np.int64)
    return lambda sources, drawn: table[sources]


def _moved(count: int, shape: Sequence[int], by: Callable[[int], int]) -> Pattern:
    """Every coordinate of the source's router moved around its dimension; the place at the router stays."""
    routers = int(np.prod(shape))
    each = count // routers

    def targets(sources: Ints, drawn: NDArray[np.float64]) -> Ints:
        found = np.zeros_like(sources)
        left, below = sources // each, 1
        for extent in shape:
            found += (left % extent + by(extent)) % extent * below
            left, below = left // extent, below * extent
        return found * each + sources % each

    return targets


def tornado(count: int, shape: Sequence[int]) -> Pattern:
    """Just under half way around each dimension: by ⌈k/2⌉ - 1."""
    return _moved(count, shape, lambda extent: (extent + 1) // 2 - 1)


def neighbour(count: int, shape: Sequence[int]) -> Pattern:
    """The next one in each dimension, around its end."""
    return _moved(count, shape, lambda extent: 1 % extent)


HOT_SHARE = 0.2
"""The share of packets that goes to the hot spot, the terminal in the middle of the numbers; the rest is uniform."""


def hotspot(count: int, shape: Sequence[int]) -> Pattern:
    """HOT_SHARE of the packets to one terminal, the others uniform."""

    def targets(sources: Ints, drawn: NDArray[np.float64]) -> Ints:
        others = ((drawn - HOT_SHARE) / (1 - HOT_SHARE) * count).astype(np.int64)
        return np.where(drawn < HOT_SHARE, count // 2, np.minimum(others, count - 1))

    return targets


PATTERNS: dict[str, Callable[[int, Sequence[int]], Pattern]] = {
    "uniform": uniform,
    "transpose": transpose,
    "bit-complement": bit_complement,
    "bit-reverse": bit_reverse,
    "tornado": tornado,
    "neighbour": neighbour,
    "hotspot": hotspot,
}
"""The patterns by name, each made for a number of terminals and the shape of a mesh or torus."""


def pattern(name: str, fabric: Fabric) -> Pattern:
    """The pattern of that name; ArchsimError if there is none, or the number of terminals does not suit it.

    Where routers have no coordinates, tornado and neighbour take the terminals as a ring.
    """
    if name not in PATTERNS:
        known = ", ".join(PATTERNS)
        raise ArchsimError(f"--traffic: no pattern named {name!r:.100}{nearest(name, PATTERNS)}; there are {known}")
    count, graph = len(fabric.terminals), fabric.graph.graph
    grid = graph.get("kind") in ("mesh", "cmesh", "torus", "ring")
    return PATTERNS[name](count, graph["shape"] if grid else (count,))


def words(seed: int, terminal: int, cycles: int) -> NDArray[np.uint64]:
    """Two random words for each cycle of a terminal: the first decides on a packet, the second on its target."""
    drawn = np.random.Philox(key=[seed, terminal]).random_raw(2 * cycles)
    return np.asarray(drawn, np.uint64).reshape(-1, 2)


def bernoulli(fabric: Fabric, traffic: Pattern, *, load: float, packet_flits: int, cycles: int, seed: int) -> Packets:
    """In each of ``cycles`` cycles every terminal makes a packet with probability ``load`` / ``packet_flits``.

    ``load`` is in flits a terminal and cycle, from 0 to ``packet_flits``.
    """
    if not 0 <= load <= packet_flits:
        raise ArchsimError(f"--load: expected flits a terminal and cycle from 0 to {packet_flits}, got {load}")
    chance = load / packet_flits
    created, sources, targets = [], [], []
    for terminal in range(len(fabric.terminals)):
        drawn = (words(seed, terminal, cycles) >> np.uint64(11)) * 2.0**-53
        when = np.flatnonzero(drawn[:, 0] < chance)
        source = np.full(len(when), terminal, np.int64)
        created.append(when)
        sources.append(source)
        targets.append(traffic(source, drawn[when, 1]))
    time, source, target = (np.concatenate(column) for column in (created, sources, targets))
    order = np.argsort(time, kind="stable")
    return Packets.of(fabric, source[order], target[order], time[order], packet_flits)
