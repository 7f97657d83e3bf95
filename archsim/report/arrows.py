"""The ways of tokens as arrows between the slices of a timeline: from the firing that sends a token over the links that
it crosses to the firing that first needs it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from archsim.program import NO_NODE, Program
from archsim.sim.timeline import Spans, Timeline

__all__ = ["Arrow", "arrows_of"]

Ints = NDArray[np.int64]
Arrow = dict[int, tuple[list[int], list[int]]]
"""For slices of a lane by their number: the arrows that go on from it, and those that end at it."""

NOT_SHOWN = -1


def arrows_of(timeline: Timeline, spans: Mapping[int, Spans], layer: str) -> tuple[dict[int, Arrow], int]:
    """The arrows of all tokens that stages of ``layer`` send, for each lane by its place in the timeline, and how many
    there are.  ``spans`` are those of the lanes.  An arrow joins what is shown of a token's way, two slices or more."""
    program = timeline.program
    places = _places(timeline, spans)
    arrows: dict[int, Arrow] = defaultdict(lambda: defaultdict(lambda: ([], [])))
    count = 0
    for number, flow in enumerate(program.flows):
        if program.stages[flow.source].layer != layer:
            continue
        for end in range(int(program.end_offsets[number]), int(program.end_offsets[number + 1])):
            for way in _ways(program, number, end, places):
                count += 1
                for lane, row in way[:-1]:
                    arrows[lane][row][0].append(count)
                lane, row = way[-1]
                arrows[lane][row][1].append(count)
    return arrows, count


Place = tuple[int, int, Ints]
"""A lane, the first number of a firing or token there, and the slices of that one and all after it."""


def _places(timeline: Timeline, spans: Mapping[int, Spans]) -> dict[tuple[str, int], Place]:
    """Where the firings of each stage and the tokens of each hop are shown."""
    places: dict[tuple[str, int], Place] = {}
    for lane, record in enumerate(timeline.lanes):
        shown = spans[lane]
        if not len(shown.start):
            continue
        if record.stage is not None:
            places["stage", record.stage] = lane, int(shown.number[0]), np.arange(len(shown.start))
            continue
        for hop in np.unique(shown.hop).tolist():
            rows = np.flatnonzero(shown.hop == hop)
            places["hop", hop] = lane, int(shown.number[rows[0]]), rows
    return places


def _ways(
    program: Program, number: int, end: int, places: Mapping[tuple[str, int], Place]
) -> Iterator[list[tuple[int, int]]]:
    """For each token of a flow that is shown twice or more on its way to ``end``: the lanes and slices, in order."""
    flow = program.flows[number]
    sent = np.cumsum(flow.emit.values(program.stages[flow.source].firings))
    tokens = np.arange(int(sent[-1]) if len(sent) else 0)
    steps = [_step(places.get(("stage", flow.source)), np.searchsorted(sent, tokens, side="right"))]
    steps += [_step(places.get(("hop", hop)), tokens) for hop in _route(program, end)]
    consumer = int(program.arrays.end_stage[end])
    place = flow.ends[end - int(program.end_offsets[number])]
    needed = np.maximum.accumulate(place.need.values(program.stages[consumer].firings))
    steps.append(_step(places.get(("stage", consumer)), np.searchsorted(needed, flow.initial + tokens + 1)))
    rows = np.stack([row for _, row in steps], axis=1)
    for token in np.flatnonzero((rows != NOT_SHOWN).sum(axis=1) > 1).tolist():
        yield [(lane, row) for (lane, _), row in zip(steps, rows[token].tolist(), strict=True) if row != NOT_SHOWN]


def _step(place: Place | None, numbers: Ints) -> tuple[int, Ints]:
    """The lane, and the slices of these firings or tokens on it."""
    if place is None:
        return 0, np.full(len(numbers), NOT_SHOWN)
    lane, first, rows = place
    index = numbers - first
    shown = (index >= 0) & (index < len(rows))
    return lane, np.where(shown, rows[np.where(shown, index, 0)], NOT_SHOWN)


def _route(program: Program, end: int) -> list[int]:
    """The hops on the way to an end, in order."""
    a = program.arrays
    hops: list[int] = []
    hop = int(a.end_node[end])
    while hop != NO_NODE:
        hops.append(hop)
        hop = int(a.hop_parent[hop])
    return hops[::-1]
