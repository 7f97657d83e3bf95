"""Routes: by which links each flow goes from its source to all its targets, for many flows at once.

Between two chips a flow has as many ways as each has links.  It takes those with the least sum, over the channels and
links of its way on the chip, of the bits that flows before it have there and its own: the shortest while nothing is
loaded, another where many would meet, so that no corner of a chip carries it all.  Into one chip all its tokens go by
one link, as a tree.

Only what goes between chips is counted.  On a board of one chip that is the host's traffic alone, which takes the link
nearest to its first target.

A **place** is the number of a link among all that a board can have: of the tiles' inject, eject and buffer links, of
the links between chips, outward and inward, and of the channels of each chip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.compile import _routes
from archsim.noc.board import HOST, Board, LinkKey
from archsim.noc.ways import Ways
from archsim.sequences import ints, starts

__all__ = ["Forest", "Gates", "Requests", "forest", "gates", "keys_of", "make_ready", "number_of_buffers", "places"]

Ints = NDArray[np.int64]

AT_ONCE = 1 << 16
"""The targets whose paths are merged at once, about: each has room for the longest path."""

AROUND = 8
"""The links of a path beside the channels on one chip and the other, rounded up."""


class Requests(NamedTuple):
    """Flows from a tile ``source`` (HOST: the host) to those of ``target[edges[k] : edges[k + 1]]``, with all the
    ``bits`` that they carry."""

    source: Ints
    edges: Ints
    target: Ints
    bits: Ints


class Gates(NamedTuple):
    """The link by which each flow leaves its chip, and that by which it enters the chip of each target; -1: none."""

    leave: Ints
    entries: Ints


class Forest(NamedTuple):
    """The hops of flow k from ``edges[k]`` to ``edges[k + 1]``: the place of each, and its parent, counted from the
    first of the flow (-1: none).  ``hangs`` says in the same way on which hop each target hangs."""

    edges: Ints
    place: Ints
    parent: Ints
    hangs: Ints


def make_ready() -> None:
    """Compile the inner loops if that has still to be done."""
    none = ints([])
    _routes.choose(*[none] * 9)
    _routes.grow(*[none] * 12)


def gates(board: Board, flows: Requests) -> Gates:
    """Choose links between chips for one flow after the other."""
    found = Gates(np.full(len(flows.source), -1, np.int64), np.full(len(flows.target), -1, np.int64))
    ways = _found(board, flows)
    loads = np.zeros(board.chips * (ways.most_channels + 2 * len(board.ports)), np.int64)
    _routes.choose(_table(board), loads, np.zeros(ways.most_channels + 1, np.int64), *flows, *found)
    return found


def forest(board: Board, flows: Requests, chosen: Gates) -> Forest:
    """The route tree of each flow by its :func:`gates`, each target at the end of its path: the write into its tile's
    buffer."""
    ways, table = board.network.ways, _table(board)
    longest = 2 * int((ways.end - ways.begin).max(initial=0)) + AROUND
    path = np.empty(longest, np.int64)
    parts: list[Forest] = []
    for first, past in _portions(flows.edges):
        low, high = flows.edges[first], flows.edges[past]
        hops = longest * int(high - low)
        made = Forest(
            starts(np.zeros(past - first, np.int64)), *(np.empty(n, np.int64) for n in (hops, hops, high - low))
        )
        found = np.full(places(board), -1, np.int64)
        own = flows.source[first:past], flows.edges[first : past + 1] - low, flows.target[low:high]
        _routes.grow(table, *own, chosen.leave[first:past], chosen.entries[low:high], found, path, *made)
        used = made.edges[-1]
        parts.append(made._replace(place=made.place[:used].copy(), parent=made.parent[:used].copy()))
    place, parent, hangs = (np.concatenate([part[k] for part in parts]) for k in (1, 2, 3))
    return Forest(starts(np.concatenate([np.diff(part.edges) for part in parts])), place, parent, hangs)


def places(board: Board) -> int:
    """The links that a board can have."""
    return 3 * board.tiles + board.chips * (2 * len(board.ports) + board.network.ways.most_channels)


def number_of_buffers(board: Board) -> int:
    """The place of the buffer of the first tile, which those of the others follow."""
    return 2 * board.tiles


def keys_of(board: Board, numbers: Iterable[int]) -> Iterator[LinkKey]:
    """What the links at these places are known by."""
    names, channels, ports = board.network.ways.names, board.network.ways.most_channels, len(board.ports)
    for place in numbers:
        if place < 3 * board.tiles:
            kind, tile = divmod(place, board.tiles)
            yield ("inject", "eject", "buffer")[kind], tile
            continue
        kind, port = divmod(place - 3 * board.tiles, board.chips * ports)
        if kind < 2:
            yield ("chip-out", "chip-in")[kind], *divmod(port, ports)
        else:
            chip, channel = divmod(place - 3 * board.tiles - 2 * board.chips * ports, channels)
            yield "channel", chip, *names[channel]


def _table(board: Board) -> Ints:
    """The table of a board that the inner loops read."""
    ways = board.network.ways
    sizes = board.tiles_per_chip, len(board.ports), board.chips, ways.routers, ways.most_channels
    parts = ways.of_tile, ways.of_port, ways.begin, ways.end
    edges = _routes.HEADER + starts([len(part) for part in parts])
    begin, end = (np.where(ways.begin < 0, 0, of + edges[-1]) for of in (ways.begin, ways.end))
    return np.concatenate((ints(sizes), edges[:-1], ways.of_tile, ways.of_port, begin, end, ways.channels))


def _found(board: Board, flows: Requests) -> Ways:
    """The ways of a chip, with all that ``flows`` can take."""
    ways, tiles = board.network.ways, board.tiles_per_chip
    source = np.repeat(flows.source, np.diff(flows.edges))
    at_host = (source == HOST) | (flows.target == HOST)
    apart = at_host | (source // tiles != flows.target // tiles)
    start, end = (ways.of_tile[(of % tiles)[~apart]] for of in (source, flows.target))
    ways.find(start * ways.routers + end)
    ends = np.concatenate((source[apart], flows.target[apart]))
    near = np.unique(ways.of_tile[ends[ends != HOST] % tiles])[:, None]
    ways.find((near * ways.routers + ways.of_port).ravel())
    ways.find((ways.of_port * ways.routers + near).ravel())
    return ways


def _portions(edges: Ints) -> Iterator[tuple[int, int]]:
    """Runs of flows, from one to another, of about AT_ONCE targets; a single flow may have more."""
    first, flows = 0, len(edges) - 1
    while first < flows:
        past = max(first + 1, int(np.searchsorted(edges, edges[first] + AT_ONCE, side="right")) - 1)
        yield first, past
        first = past
