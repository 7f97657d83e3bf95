"""The inner loops of :mod:`archsim.compile.routes`, which Numba compiles where it is there; all in one file, of which
its cache notices the changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.jit import entry, helper

Ints = NDArray[np.int64]

NONE = -1
NEVER = np.iinfo(np.int64).max

# What the table of a board, ``t``, holds: tiles and ports of a chip, chips, and the routers and channels of a chip;
# then where these begin in it: the routers of tiles and of ports, and for each pair of routers where its channels begin
# and end, by their places in the table.
TILES, PORTS, CHIPS, ROUTERS, CHANNELS, OF_TILES, OF_PORTS, BEGINS, ENDS = range(9)
HEADER = 9

_compiled = entry("the search for routes", seconds=4)


@helper
def _chip(t: Ints, tile: int) -> int:
    """The chip of a tile; NONE of the host, which is below 0."""
    chip: int = tile // t[TILES] if tile >= 0 else NONE
    return chip


@helper
def _pair(t: Ints, tile: int, port: int, outward: bool) -> int:
    """The way between a tile and a port of its chip."""
    router, gate = t[t[OF_TILES] + tile % t[TILES]], t[t[OF_PORTS] + port]
    pair: int = router * t[ROUTERS] + gate if outward else gate * t[ROUTERS] + router
    return pair


@helper
def _along(
    t: Ints,
    loads: Ints,
    marks: Ints,
    port: int,
    outward: bool,
    tiles: Ints,
    first: int,
    past: int,
    bits: int,
    more: int,
) -> int:
    """The sum, over a port and all channels between it and those of ``tiles`` from ``first`` to ``past`` that are on
    the chip of the first one, of what each has to carry and ``bits``; and put ``more`` on each."""
    marks[0] += 1
    chip = _chip(t, tiles[first])
    base = chip * (t[CHANNELS] + 2 * t[PORTS])
    own = base + t[CHANNELS] + port + (0 if outward else t[PORTS])
    total: int = loads[own] + bits
    loads[own] += more
    for i in range(first, past):
        if _chip(t, tiles[i]) != chip:
            continue
        pair = _pair(t, tiles[i], port, outward)
        for k in range(t[t[BEGINS] + pair], t[t[ENDS] + pair]):
            channel = t[k]
            if marks[1 + channel] != marks[0]:
                marks[1 + channel] = marks[0]
                total += loads[base + channel] + bits
                loads[base + channel] += more
    return total


@helper
def _port(t: Ints, loads: Ints, marks: Ints, outward: bool, tiles: Ints, first: int, past: int, bits: int) -> int:
    """The port that is to be taken to or from those of ``tiles`` that are on the chip of the first one; the first of
    equals.

    On a board of one chip it is the nearest to the first of them; else that with the least on its ways.
    """
    best, least = 0, NEVER
    for port in range(t[PORTS]):
        if t[CHIPS] == 1:
            pair = _pair(t, tiles[first], port, True)
            cost = t[t[ENDS] + pair] - t[t[BEGINS] + pair]
        else:
            cost = _along(t, loads, marks, port, outward, tiles, first, past, bits, 0)
        if cost < least:
            best, least = port, cost
    if t[CHIPS] > 1:
        _along(t, loads, marks, best, outward, tiles, first, past, bits, bits)
    return best


@_compiled
def choose(
    t: Ints,
    loads: Ints,
    marks: Ints,
    source: Ints,
    edges: Ints,
    target: Ints,
    bits: Ints,
    leave: Ints,
    entries: Ints,
) -> None:
    """Write the port by which each flow leaves its chip, and that by which it enters the chip of each target, where
    there is one to pass; ``leave`` and ``entries`` are all NONE before.

    ``loads`` are those of the channels and ports of each chip; ``marks`` has a word for each channel and one more.
    """
    for b in range(len(source)):
        own = _chip(t, source[b])
        first, past = edges[b], edges[b + 1]
        away = False
        for i in range(first, past):
            away = away or _chip(t, target[i]) != own
        if away and own != NONE:
            leave[b] = _port(t, loads, marks, True, source, b, b + 1, bits[b])
        for i in range(first, past):
            chip = _chip(t, target[i])
            if entries[i] != NONE or chip in (own, NONE):
                continue
            port = _port(t, loads, marks, False, target, i, past, bits[b])
            for j in range(i, past):
                if _chip(t, target[j]) == chip:
                    entries[j] = port


@helper
def _follow(t: Ints, path: Ints, length: int, chip: int, pair: int) -> int:
    """Add the channels of a way on a chip to a path; how long that is then."""
    base = t[CHIPS] * (3 * t[TILES] + 2 * t[PORTS]) + chip * t[CHANNELS]
    for k in range(t[t[BEGINS] + pair], t[t[ENDS] + pair]):
        path[length] = base + t[k]
        length += 1
    return length


@helper
def _path(t: Ints, path: Ints, source: int, target: int, leave: int, entered: int) -> int:
    """Write the places of the links from one tile to another into ``path``; how many there are."""
    tiles, ports = t[TILES] * t[CHIPS], t[PORTS] * t[CHIPS]
    here, there = _chip(t, source), _chip(t, target)
    length = 0
    if source != target:
        if here != NONE:
            path[0] = source
            length = 1
        if here == there:
            pair = t[t[OF_TILES] + source % t[TILES]] * t[ROUTERS] + t[t[OF_TILES] + target % t[TILES]]
            length = _follow(t, path, length, here, pair)
        else:
            if here != NONE:
                length = _follow(t, path, length, here, _pair(t, source, leave, True))
                path[length] = 3 * tiles + here * t[PORTS] + leave
                length += 1
            if there != NONE:
                path[length] = 3 * tiles + ports + there * t[PORTS] + entered
                length = _follow(t, path, length + 1, there, _pair(t, target, entered, False))
        if there != NONE:
            path[length] = tiles + target
            length += 1
    if there != NONE:
        path[length] = 2 * tiles + target
        length += 1
    return length


@_compiled
def grow(
    t: Ints,
    source: Ints,
    edges: Ints,
    target: Ints,
    leave: Ints,
    entries: Ints,
    found: Ints,
    path: Ints,
    hop_edges: Ints,
    places: Ints,
    parents: Ints,
    hangs: Ints,
) -> None:
    """Merge the paths of each flow into a tree, see :func:`archsim.noc.topology.merged`.

    ``found`` has a word for each place, all below 0; ``path`` is long enough for any path, and ``places`` and
    ``parents`` for all of them.
    """
    hops = 0
    for b in range(len(source)):
        first = hops
        for i in range(edges[b], edges[b + 1]):
            length = _path(t, path, source[b], target[i], leave[b], entries[i])
            new = length
            while new > 0 and found[path[new - 1]] < first:  # from the end: most of a path is known from those before
                new -= 1
            parent = found[path[new - 1]] - first if new > 0 else NONE
            for k in range(new, length):
                places[hops] = path[k]
                parents[hops] = parent
                parent = hops - first
                found[path[k]] = hops
                hops += 1
            hangs[i] = parent
        hop_edges[b + 1] = hops
