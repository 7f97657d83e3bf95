"""``archsim trace``: a run on a timeline, as a file for Perfetto."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.compile.network import Compiled
from archsim.compile.planner import buffer_bits
from archsim.errors import ArchsimError
from archsim.noc.board import HOST
from archsim.report.arrows import Arrow, arrows_of
from archsim.report.files import written
from archsim.report.perfetto import Argument, TraceWriter
from archsim.sim.lanes import Lane, buffered_ends
from archsim.sim.levels import bits_held
from archsim.sim.outcome import BY_ITSELF, FOREVER
from archsim.sim.timeline import Spans, Timeline
from archsim.units import PICOSECONDS, format_si

__all__ = ["trace_lines", "write_trace"]

Ints = NDArray[np.int64]


def write_trace(timeline: Timeline, path: Path, arrows_from: str | None = None) -> dict[str, Any]:
    """Write the timeline to ``path``, with arrows for the tokens that the layer ``arrows_from`` sends; what is in it.

    ArchsimError if there is nothing to show, or the file cannot be written.
    """
    spans = {number: timeline.spans(lane) for number, lane in enumerate(timeline.lanes)}
    _require_something(timeline, spans.values())
    arrows, count = arrows_of(timeline, spans, arrows_from) if arrows_from is not None else ({}, 0)
    with written(path) as stream:
        writer = TraceWriter(stream)
        _Tracks(timeline, writer).write(spans, arrows)
    return {
        "file": str(path),
        "bytes": writer.bytes,
        "lanes": sum(len(shown.start) > 0 for shown in spans.values()),
        "slices": writer.slices,
        "counter_values": writer.values,
        "arrows": count,
        "from_ps": timeline.since,
        "to_ps": min(timeline.until, timeline.outcome.makespan),
        "makespan_ps": timeline.outcome.makespan,
    }


def trace_lines(summary: Mapping[str, Any]) -> str:
    """What ``archsim trace`` prints."""
    begin, end, makespan = (format_si(summary[key] / PICOSECONDS, "s") for key in ("from_ps", "to_ps", "makespan_ps"))
    return (
        f"{summary['file']}: {summary['slices']} slices on {summary['lanes']} lanes, {summary['counter_values']} "
        f"buffer levels, {summary['arrows']} arrows; {format_si(summary['bytes'], 'B')}\n"
        f"from {begin} to {end} of a run of {makespan}; open it at ui.perfetto.dev, where 1 ns stands for 1 ps"
    )


def _require_something(timeline: Timeline, spans: Iterable[Spans]) -> None:
    if not any(len(shown.start) for shown in spans):
        since, until, end = (
            format_si(time / PICOSECONDS, "s") for time in (timeline.since, timeline.until, timeline.outcome.makespan)
        )
        window = f"from {since} on" if timeline.until == FOREVER else f"from {since} to {until}"
        raise ArchsimError(f"there is nothing to trace: no lane is busy {window}, and the run ends at {end}")


class _Tracks:
    """The tracks of a timeline: the board, below it the host and the chips, below those the tiles, then the lanes that
    are busy at all."""

    def __init__(self, timeline: Timeline, writer: TraceWriter) -> None:
        self.timeline = timeline
        self.writer = writer
        self.groups: dict[tuple[int, str], int] = {}
        self.tokens: dict[int, int] = {}
        compiled = timeline.compiled
        tiles = {lane.tile for lane in timeline.lanes if lane.kind == "buffer"}
        self.held = buffered_ends(timeline.program, tiles)
        self.parts = _parts(compiled)
        name = f"{compiled.graph.name} on {compiled.board.chips} × {compiled.board.chip.name} (1 ns shown is 1 ps)"
        about = "The times of the simulated hardware, a thousand times as long: 1 ns shown is 1 ps, and 1 us is 1 ns."
        self.root = writer.track(name, description=about)

    def write(self, spans: Mapping[int, Spans], arrows: Mapping[int, Arrow]) -> None:
        """All lanes, and before those of a tile how full its buffer is."""
        for number, lane in enumerate(self.timeline.lanes):
            if not len(spans[number].start):
                continue
            track = self.writer.track(lane.name, self._place(lane), self.parts.get(lane.name.rpartition(" ")[0], ""))
            if lane.stage is not None:
                self._firings(track, lane.stage, spans[number], arrows.get(number, {}))
            else:
                self._passages(track, spans[number], arrows.get(number, {}))

    def _place(self, lane: Lane) -> int:
        """The track below which a lane stands."""
        if lane.chip == HOST:
            return self._group(self.root, "host")
        chip = self._group(self.root, f"chip {lane.chip}")
        if lane.tile == HOST:
            return self._group(chip, "network")
        each = self.timeline.compiled.board.tiles_per_chip
        name = f"tile {lane.tile}" + (f" ({lane.chip}:{lane.tile % each})" if lane.chip else "")
        new = (chip, name) not in self.groups
        tile = self._group(chip, name)
        if new and lane.tile in self.held:
            self._level(tile, lane.tile)
        return tile

    def _group(self, parent: int, name: str) -> int:
        if (parent, name) not in self.groups:
            self.groups[parent, name] = self.writer.track(name, parent)
        return self.groups[parent, name]

    def _level(self, group: int, tile: int) -> None:
        """How full the buffer of a tile is, in whole bytes."""
        timeline = self.timeline
        times, bits = bits_held(timeline.program, timeline.outcome.records, self.held[tile], timeline.since)
        capacity = buffer_bits(timeline.compiled.board.chip.tile) // 8
        about = (
            f"Bytes for which room is taken, of {capacity}: from the firing that sends them to the one that frees them."
        )
        track = self.writer.track("buffer level", group, about, counts_bytes=True)
        inside = times < timeline.until
        self.writer.add_values(track, times[inside], -(-bits[inside] // 8))

    def _firings(self, track: int, stage: int, spans: Spans, arrows: Arrow) -> None:
        timeline = self.timeline
        record, records = timeline.program.stages[stage], timeline.outcome.records
        at = spans.number - records.first_firing[stage]
        starved, blocked = records.starved[stage][at], records.blocked[stage][at]
        bound = records.bound[stage][at].astype(np.int64)
        reasons, reason = self._reasons(bound, blocked)
        arguments = (
            Argument("image", spans.number // max(1, record.firings // timeline.images)),
            Argument("firing", spans.number),
            Argument("start_ps", spans.start),
            Argument("starved_ps", starved, absent=0),
            Argument("blocked_ps", blocked, absent=0),
            Argument("waited_for", reason, reasons, absent=0),
        )
        names = np.zeros(len(spans.start), np.int64)
        self.writer.add_slices(track, spans.start, spans.busy, names, [record.layer], arguments, arrows)

    def _reasons(self, bound: Ints, blocked: Ints) -> tuple[list[str], Ints]:
        """What bound each firing, as texts and the number of each firing's text; the first stands for nothing."""
        program = self.timeline.program
        cases, reason = np.unique(2 * bound + (blocked > 0), return_inverse=True)
        texts = [""]
        for case in cases.tolist():
            end, by_room = divmod(case, 2)
            if end != BY_ITSELF:
                flow = program.flows[int(program.arrays.end_flow[end])]
                consumer = program.stages[int(program.arrays.end_stage[end])].name
                source = program.stages[flow.source].name
                texts.append(f"room in {consumer} ({flow.name})" if by_room else f"tokens from {source} ({flow.name})")
        return texts, reason.reshape(-1) + (0 if len(cases) and cases[0] < 0 else 1)

    def _passages(self, track: int, spans: Spans, arrows: Arrow) -> None:
        program = self.timeline.program
        hops, which = np.unique(spans.hop, return_inverse=True)
        numbers = program.arrays.hop_flow[hops].tolist()
        flows = [program.flows[number] for number in numbers]
        an_image = np.array([self._tokens_an_image(number) for number in numbers], np.int64)
        arguments = (
            Argument("image", spans.number // an_image[which]),
            Argument("token", spans.number),
            Argument("start_ps", spans.start),
            Argument("queued_ps", spans.waited, absent=0),
            Argument("flow", which, [f"{number}: {flow.name}" for number, flow in zip(numbers, flows, strict=True)]),
            Argument("from", which, [program.stages[flow.source].name for flow in flows]),
        )
        layers = [program.stages[flow.source].layer for flow in flows]
        self.writer.add_slices(track, spans.start, spans.busy, which, layers, arguments, arrows)

    def _tokens_an_image(self, number: int) -> int:
        if number not in self.tokens:
            a = self.timeline.program.arrays
            firings = int(a.stage_firings[a.flow_source[number]]) // self.timeline.images
            self.tokens[number] = max(1, int(a.values(int(a.flow_emit[number]), 0, firings).sum()))
        return self.tokens[number]


def _parts(compiled: Compiled) -> dict[str, str]:
    """What the cores behind a stage are, by the name that the stages of a part have in common."""
    texts = {}
    for placed in compiled.placements:
        mapped = compiled.mapped[placed.layer]
        slots = placed.copies * mapped.parts[placed.part].count
        arrays, cores = slots * mapped.slots.shape.arrays, -(-slots // mapped.slots.shape.per_core)
        text = f"{arrays} arrays in {cores} core{'s' if cores > 1 else ''}: copies {placed.first}"
        name = f"{placed.layer}[{placed.first}.{placed.part}]"
        texts[name] = text + f" to {placed.first + placed.copies - 1} of the layer, in step"
    return texts
