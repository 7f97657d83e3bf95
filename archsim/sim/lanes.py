"""The physical lanes of a compiled network: what does one thing at a time, where it stands, and what records it needs.

A stage is a lane, and so is a link.  A lane stands in a tile, on a chip between its tiles, or at the host.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from archsim.compile.network import Compiled
from archsim.noc.board import HOST
from archsim.program import NO_NODE, Link, Program
from archsim.sim.outcome import Wanted

__all__ = ["Lane", "buffered_ends", "lanes_of", "records_for"]

IN_A_TILE = ("buffer", "bus", "unit", "inject", "eject")
"""Kinds of link that belong to the tile whose number is the second word of their name; with the others it is a chip."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A stage or a link of the Program, by number (the other is None).

    ``chip`` and ``tile`` say where it stands: HOST for what is on none; tiles count through all chips.
    """

    name: str
    kind: str
    chip: int
    tile: int
    stage: int | None = None
    link: int | None = None


def lanes_of(compiled: Compiled, tiles: frozenset[int] | None = None) -> list[Lane]:
    """All lanes that the network uses, or only those inside some ``tiles``: the host first, then chip by chip what
    stands between tiles, and tile by tile its stages, each part's together, and its links."""
    lanes = [*_stages(compiled), *_links(compiled)]
    return sorted(
        (lane for lane in lanes if tiles is None or lane.tile in tiles),
        key=lambda lane: (lane.chip, lane.tile, lane.link is not None),
    )


def _stages(compiled: Compiled) -> list[Lane]:
    board, stages = compiled.board, compiled.program.stages
    parts: dict[tuple[int, str], int] = {}
    first = [
        parts.setdefault((tile, stage.name.rpartition(" ")[0]), number)
        for number, (tile, stage) in enumerate(zip(compiled.stage_tile, stages, strict=True))
    ]
    order = sorted(range(len(stages)), key=lambda number: (first[number], number))
    return [
        Lane(
            name=stages[number].name,
            kind=stages[number].component,
            chip=HOST if compiled.stage_tile[number] == HOST else board.chip_of(compiled.stage_tile[number]),
            tile=compiled.stage_tile[number],
            stage=number,
        )
        for number in order
    ]


def _links(compiled: Compiled) -> list[Lane]:
    lanes = []
    for number, link in enumerate(compiled.program.links):
        place = _place(link)
        if link.kind in IN_A_TILE:
            lanes.append(Lane(link.name, link.kind, compiled.board.chip_of(place), place, link=number))
        else:
            lanes.append(Lane(link.name, link.kind, place, HOST, link=number))
    return sorted(lanes, key=lambda lane: (lane.kind, lane.link))


def _place(link: Link) -> int:
    return int(link.name.split(" ", 2)[1])


def buffered_ends(program: Program, tiles: Iterable[int]) -> dict[int, list[int]]:
    """For each of ``tiles`` the ends whose tokens its buffer holds: those that hang on the buffer's port."""
    a = program.arrays
    tile_of = {number: _place(link) for number, link in enumerate(program.links) if link.kind == "buffer"}
    ends: dict[int, list[int]] = {tile: [] for tile in tiles}
    for end in np.flatnonzero(a.end_node != NO_NODE).tolist():
        tile = tile_of.get(int(a.hop_link[a.end_node[end]]))
        if tile in ends:
            ends[tile].append(end)
    return ends


def records_for(program: Program, lanes: Iterable[Lane], since: int, until: int, most: int) -> Wanted:
    """The records that show what ``lanes`` do from ``since`` to ``until`` ps, and how full the buffers beside them
    are: what the sources of their tokens do, too."""
    a = program.arrays
    lanes = list(lanes)
    links = [lane.link for lane in lanes if lane.link is not None]
    buffers = {lane.tile for lane in lanes if lane.kind == "buffer"}
    ends = [end for held in buffered_ends(program, buffers).values() for end in held]
    stages = {lane.stage for lane in lanes if lane.stage is not None}
    stages |= {int(stage) for stage in (*a.flow_source[a.end_flow[ends]], *a.end_stage[ends])}
    hops = np.flatnonzero(np.isin(a.hop_link, links)).tolist()
    return Wanted(frozenset(stages), hops=frozenset(hops), since=since, until=until, most=most)
