"""Which part of a critical path explains the time between inferences.

The Program of several inferences repeats itself: firing n + F of a stage with F firings an inference stands in the same
relation to all others as firing n does in the inference before.  Where a path comes by the same place twice, p
inferences apart, what lies between is a loop: p inferences take as long as the durations in it add up to, and no server
or buffer outside it shortens that.  In a run that has become periodic its time over p is the interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.program import Program
from archsim.sim.critical import Path
from archsim.sim.outcome import Outcome

__all__ = ["Stretch", "longest_loop"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stretch:
    """From ``begin`` to ``finish`` (ps) of a path, in which ``inferences`` more come to where it began.

    ``place`` says what the path came by at both times; empty if the stretch is no loop.
    """

    begin: int
    finish: int
    inferences: int
    place: str = ""

    @property
    def each_ps(self) -> float:
        """The time of one inference in ps."""
        return (self.finish - self.begin) / self.inferences


def longest_loop(path: Path, program: Program, outcome: Outcome, images: int) -> Stretch | None:
    """The loop over most inferences, the last of them if there are several; None if the path nowhere comes by the same
    place again.  ``program`` is that of ``images`` inferences, ``outcome`` has all records."""
    visits = _visits(path, outcome, program, images)
    if not len(visits):
        return None
    key, inference, time = visits.T
    order = np.lexsort((time, key))
    key, inference, time = key[order], inference[order], time[order]
    first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    last = np.concatenate((first[1:], [len(key)])) - 1
    apart = inference[last] - inference[first]
    if not apart.any():
        return None
    best = int(np.lexsort((-key[first], time[last], apart))[-1])
    begin, finish = int(time[first[best]]), int(time[last[best]])
    return Stretch(begin, finish, int(apart[best]), _name(int(key[first[best]]), program, images))


def _periods(program: Program, images: int) -> tuple[Ints, Ints]:
    """Firings of each stage, and tokens over each hop, in one inference."""
    a = program.arrays
    return a.stage_firings // images, program.flow_tokens[a.hop_flow] // images


def _bases(stages: Ints, hops: Ints) -> Ints:
    """The key of the first firing of each stage and the first token of each hop: places are numbered through."""
    return np.concatenate(([0], np.cumsum(np.concatenate((stages, hops)))))


def _visits(path: Path, outcome: Outcome, program: Program, images: int) -> Ints:
    """Rows of place, inference and time: firings, and the tokens whose service at a busy link holds others up."""
    stages, hops = _periods(program, images)
    bases = _bases(stages, hops)
    rows: list[Ints] = []
    for piece in path.pieces:
        if piece.stage >= 0:
            first = piece.firing - piece.firings + 1
            upto = min(piece.firing + 1 + (piece.kind == "interval"), len(outcome.records.starts[piece.stage]))
            numbers = np.arange(first, upto)
            base, period = bases[piece.stage], stages[piece.stage]
            times = outcome.records.starts[piece.stage][first:upto]
        elif piece.kind == "queue":
            numbers, times = np.array([piece.token.number]), np.array([piece.begin])
            base, period = bases[len(stages) + piece.token.hop], hops[piece.token.hop]
        else:
            continue
        if period:
            rows.append(np.column_stack((base + numbers % period, numbers // period, times)))
    return np.concatenate(rows) if rows else np.empty((0, 3), np.int64)


def _name(key: int, program: Program, images: int) -> str:
    stages, hops = _periods(program, images)
    owner = int(np.searchsorted(_bases(stages, hops), key, side="right")) - 1
    if owner < len(stages):
        return program.stages[owner].name
    return program.links[int(program.arrays.hop_link[owner - len(stages)])].name
