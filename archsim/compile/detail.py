"""Component detail: the MVM stages of chosen layers become chains, a stage for each row of ``core.pipeline.steps``.

At core detail one ``mvm`` stage fires once an MVM, with the interval and latency of the whole pipeline.  At component
detail DACs, arrays, sample-and-hold, ADCs and shift-and-add are stages of their own that fire once an input step.
Only what they need for a step is written into them; how long an MVM takes, and how soon the next starts, come out of
the run:

* every row of a group has the group's duration as its interval, and the latencies of a group's rows add up to it;
* the operands are needed by the first step of an MVM and given back by the last, and the result leaves with the last;
* two tokens fit between two rows: one that is worked on and one that waits;
* without ``overlap`` the operands of the next MVM are fetched when this one has left the pipeline: a token goes back
  from the last row to the fetch stage.

All flows of the folded Program keep their numbers and capacities, so that shared links serve in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from archsim.errors import CompileError, nearest
from archsim.hardware.mvm import MvmTiming, mvm_timing, step_ps
from archsim.program import End, Flow, Program, Sequence, Stage
from archsim.spec.tile import Tile
from archsim.workload.graph import Graph

__all__ = ["latencies_ps", "require_layers", "with_components"]

BETWEEN = 2
"""Tokens that fit between two rows.  A token is held for at most the latency of the row that makes it and the interval
of the row that takes it, two intervals of the slowest group: with room for two no row waits for another's room."""

ONE_EACH = Sequence((1,), 1)
"""A running total of one token a firing."""


def require_layers(graph: Graph, names: Iterable[str]) -> None:
    """CompileError unless every one of ``names`` is a layer of ``graph`` with weights."""
    known = [layer.name for layer in graph.matrix_layers]
    for name in sorted(set(names) - set(known)):
        what = f"component detail: {graph.name} has no layer {name!r}{nearest(name, known)}"
        for layer in graph.layers:
            if layer.name == name:
                what = f"component detail: layer {name!r} ({layer.op}) has no weights, so no core works on it"
        raise CompileError(f"{what} (layers with weights: {', '.join(known)})")


def latencies_ps(tile: Tile, group: list[str], duration: int) -> list[int]:
    """The latencies in ps of the rows of a group: at least 1 each, together ``duration``.

    A row takes its own time for a step; rows whose time is not given share what is left evenly, and if all are given,
    the last one holds its output until the group's cycle ends.  If no time is left for some, they take 1 ps each,
    which the longest gives.  CompileError if ``duration`` has fewer ps than there are rows.
    """
    if duration < len(group):
        raise CompileError(
            f"tile {tile.name!r}: component detail needs at least 1 ps for each of {', '.join(group)}, "
            f"their cycle has {duration} ps"
        )
    own = [step_ps(tile.core, tile.row(name)) for name in group]
    out = [max(1, time) for time in own]
    while sum(out) > duration:
        longest = out.index(max(out))
        out[longest] -= min(sum(out) - duration, out[longest] - 1)
    sharing = [k for k, time in enumerate(own) if not time] or [len(group) - 1]
    each, more = divmod(duration - sum(out), len(sharing))
    for place, k in enumerate(sharing):
        out[k] += each + (place < more)
    return out


def with_components(program: Program, tile: Tile, layers: frozenset[str]) -> Program:
    """``program`` with the chain of rows in place of the MVM stage of every part of ``layers``.

    The first row of a chain has the number that the MVM stage had; its other stages follow after all others, and the
    flows between them after all flows.
    """
    chosen = [k for k, stage in enumerate(program.stages) if stage.component == "mvm" and stage.layer in layers]
    if chosen and "steps" in tile.core.encoding.accumulate:
        raise CompileError(
            f"tile {tile.name!r}: component detail has no chain for sums that are accumulated over input steps "
            f"(core.encoding.accumulate: {tile.core.encoding.accumulate}); simulate them at core detail"
        )
    return _Expansion(program, tile, chosen).program() if chosen else program


class _Expansion:
    def __init__(self, program: Program, tile: Tile, chosen: list[int]) -> None:
        self.folded = program
        self.chosen = chosen
        self.timing: MvmTiming = mvm_timing(tile)
        self.steps = self.timing.steps
        groups = zip(tile.core.pipeline.steps, self.timing.steps_ps, strict=True)
        self.rows = [
            (name, duration, latency)
            for group, duration in groups
            for name, latency in zip(group, latencies_ps(tile, group, duration), strict=True)
        ]
        self.stages = list(program.stages)
        self.flows: list[Flow] = []

    def program(self) -> Program:
        """The Program with a chain in place of each of the chosen stages."""
        chains = {mvm: self._chain(mvm) for mvm in self.chosen}
        fetches: dict[int, int] = {}
        outside = []
        for flow in self.folded.flows:
            fetches |= {end.stage: flow.source for end in flow.ends if end.stage in chains}
            ends = tuple(self._at_first(end) if end.stage in chains else end for end in flow.ends)
            if flow.source in chains:
                flow = replace(flow, source=chains[flow.source][-1], emit=self._at_last_step(flow.emit))  # noqa: PLW2901
            outside.append(replace(flow, ends=ends))
        if not self.timing.overlap:
            for mvm, chain in chains.items():
                self._give_way(chain[-1], fetches[mvm], self.folded.stages[mvm])
        return Program(tuple(self.stages), (*outside, *self.flows), self.folded.links)

    def _chain(self, mvm: int) -> list[int]:
        """Put the rows in place of stage ``mvm``; their stage numbers, and the flows from each to the next."""
        folded = self.folded.stages[mvm]
        numbers = [mvm, *range(len(self.stages), len(self.stages) + len(self.rows) - 1)]
        self.stages += [folded] * (len(self.rows) - 1)
        for number, (row, duration, latency) in zip(numbers, self.rows, strict=True):
            self.stages[number] = replace(
                folded,
                name=_name(folded, row),
                firings=folded.firings * self.steps,
                interval=Sequence.constant(duration),
                latency=Sequence.constant(latency),
                component=row,
            )
        for source, target in pairwise(numbers):
            end = End(target, ONE_EACH, ONE_EACH, BETWEEN)
            self.flows.append(Flow(f"{self.stages[source].name} steps", source, Sequence((1,)), (end,)))
        return numbers

    def _give_way(self, last: int, fetch: int, folded: Stage) -> None:
        """The next operands are fetched when the MVM has left the pipeline, groups after the steps included."""
        source, emit = last, self._at_last_step(Sequence((1,)))
        if after := sum(self.timing.after_ps):
            source = len(self.stages)
            one, held = Sequence.constant(1), Sequence.constant(after)
            name = _name(folded, "leaving")
            self.stages.append(replace(folded, name=name, interval=one, latency=held, component="leaving"))
            self.flows.append(Flow(f"{name} result", last, emit, (End(source, ONE_EACH, ONE_EACH, BETWEEN),)))
            emit = Sequence((1,))
        end = End(fetch, ONE_EACH, ONE_EACH, BETWEEN)
        self.flows.append(Flow(f"{_name(folded, 'pipeline')} free", source, emit, (end,), initial=1))

    def _at_last_step(self, emit: Sequence) -> Sequence:
        """What each MVM emits, by the last of its steps."""
        quiet = (-emit.offset,) * (self.steps - 1)
        return Sequence(tuple(tokens for each in emit.table for tokens in (*quiet, each)), 0, emit.offset)

    def _at_first(self, end: End) -> End:
        """An input of the MVM at its first row: needed from the first step on, given back with the last."""
        need, free = end.need, end.free
        needed = tuple(total for total in need.table for _ in range(self.steps))
        before = (free.table[-1] - free.increment, *free.table[:-1])
        freed = tuple(
            total
            for kept, total in zip(before, free.table, strict=True)
            for total in (*(kept,) * (self.steps - 1), total)
        )
        return replace(
            end,
            need=Sequence(needed, need.increment, need.offset),
            free=Sequence(freed, free.increment, free.offset),
        )


def _name(folded: Stage, row: str) -> str:
    return f"{folded.name.removesuffix(' mvm')} {row}"
