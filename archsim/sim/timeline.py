"""A run as a timeline: what each lane was busy with, from the records of a window of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from archsim.compile.network import Compiled
from archsim.program import Program
from archsim.sim.engines import chosen, engine
from archsim.sim.lanes import Lane, lanes_of, records_for
from archsim.sim.outcome import FOREVER, Outcome

__all__ = ["Spans", "Timeline", "run_timeline"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Spans:
    """What one lane was busy with, in order of time: ``start`` and ``busy`` in ps; none overlaps the next.

    On the lane of a stage ``number`` counts its firings from 0, and ``hop`` is -1; on that of a link ``number`` counts
    the tokens of the flow that ``hop`` belongs to.  ``waited`` is how long it was ready before: a firing without its
    inputs or room for its outputs, a token in the link's queue.
    """

    start: Ints
    busy: Ints
    number: Ints
    hop: Ints
    waited: Ints

    def only(self, chosen: NDArray[np.generic]) -> Spans:
        """Those of a mask, or in the order of an index."""
        return Spans(*(getattr(self, column.name)[chosen] for column in fields(self)))


@dataclass(frozen=True)
class Timeline:
    """The lanes that are shown, and the run of ``images`` inferences with their records from ``since`` to ``until``."""

    compiled: Compiled
    program: Program
    images: int
    lanes: tuple[Lane, ...]
    outcome: Outcome
    since: int
    until: int

    def spans(self, lane: Lane) -> Spans:
        """What ``lane`` was busy with in the window, also with what began before it or ends after it."""
        spans = self._firings(lane.stage) if lane.stage is not None else self._passages(lane.link)
        return spans.only(spans.start + spans.busy > self.since)

    def _firings(self, stage: int) -> Spans:
        a, records = self.program.arrays, self.outcome.records
        start, first = records.starts[stage], records.first_firing[stage]
        number = first + np.arange(len(start))
        busy = a.values(int(a.stage_interval[stage]), first, first + len(start))
        waited = records.starved[stage] + records.blocked[stage]
        return Spans(start, busy, number, np.full(len(start), -1), waited)

    @cached_property
    def _hops_of(self) -> dict[int | None, list[int]]:
        hops: dict[int | None, list[int]] = defaultdict(list)
        for hop, link in enumerate(self.program.arrays.hop_link.tolist()):
            hops[link].append(hop)
        return hops

    def _passages(self, link: int | None) -> Spans:
        a, records = self.program.arrays, self.outcome.records
        hops = [hop for hop in self._hops_of[link] if len(records.link_starts[hop])]
        if not hops:
            return Spans(*(np.zeros(0, np.int64) for _ in fields(Spans)))
        hop = np.repeat(hops, [len(records.link_starts[hop]) for hop in hops])
        number = [records.first_passage[hop] + np.arange(len(records.link_starts[hop])) for hop in hops]
        start, waited = (
            np.concatenate([times[hop] for hop in hops]) for times in (records.link_starts, records.link_waits)
        )
        spans = Spans(start, a.hop_serialisation[hop], np.concatenate(number), hop, waited)
        return spans.only(np.argsort(start, kind="stable"))


def run_timeline(
    compiled: Compiled,
    *,
    images: int = 1,
    engine_name: str | None = None,
    tiles: frozenset[int] | None = None,
    since: int = 0,
    until: int = FOREVER,
    most: int = FOREVER,
    report: Callable[[str], None] = lambda step: None,
) -> Timeline:
    """Run ``images`` inferences, one after the other, and keep what the lanes do (those of ``tiles``, or all).

    RecordsError if more than ``most`` firings and tokens on links fall into the window.
    """
    program = compiled.for_images(images)
    lanes = lanes_of(compiled, tiles)
    run = engine(chosen(engine_name))
    report(f"{images} inference{'s' if images > 1 else ''}, recorded")
    outcome = run(program, records=records_for(program, lanes, since, until, most))
    return Timeline(compiled, program, images, tuple(lanes), outcome, since, until)
