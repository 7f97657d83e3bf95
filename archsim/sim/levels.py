"""How full the buffers were in the course of a run, from the records of the stages that fill and empty them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from archsim.program import Program
from archsim.sim.outcome import Records

__all__ = ["bits_held", "tokens_held"]

Ints = NDArray[np.int64]


def tokens_held(program: Program, records: Records, end: int, since: int = 0) -> tuple[Ints, Ints]:
    """The tokens for which room is taken at an end: times in ps, the first of them ``since``, and the number of tokens
    from each of them on.

    By the rules of ``docs/timing.md``: initial + emitted - freed.  Room is taken at the start of the firing that sends
    a token and given back at the end of the interval of the one that frees it; where more is freed than was sent,
    tokens will be dropped as they come, and none is held.  The records of the stages at both ends must reach back to
    ``since``.
    """
    a = program.arrays
    flow, consumer = int(a.end_flow[end]), int(a.end_stage[end])
    source = int(a.flow_source[flow])
    taken_at, sent = records.starts[source], records.first_firing[source]
    began, over = records.starts[consumer], records.first_firing[consumer]
    given_at = began + a.values(int(a.stage_interval[consumer]), over, over + len(began))
    taken = np.cumsum(a.values(int(a.flow_emit[flow]), 0, sent + len(taken_at)))
    given = a.values(int(a.end_free[end]), 0, over + len(began))
    times = np.unique(np.concatenate(([since], taken_at, given_at)))
    times = times[times >= since]
    firings = sent + np.searchsorted(taken_at, times, side="right")
    freeings = over + np.searchsorted(given_at, times, side="right")
    level = a.flow_initial[flow] + _after(taken, firings) - _after(given, freeings)
    return times, np.maximum(level, 0)


def _after(totals: Ints, count: Ints) -> Ints:
    """The total after so many times, 0 after none."""
    if not len(totals):
        return np.zeros(len(count), np.int64)
    return np.where(count > 0, totals[count - 1], 0)


def bits_held(program: Program, records: Records, ends: Iterable[int], since: int = 0) -> tuple[Ints, Ints]:
    """The bits for which room is taken at ``ends`` together: times in ps at which that changes, and the bits from each
    of them on."""
    changes: list[tuple[Ints, Ints]] = [(np.array([since]), np.array([0]))]
    for end in ends:
        bits = program.flows[int(program.arrays.end_flow[end])].bits
        times, level = tokens_held(program, records, end, since)
        changes.append((times, bits * np.diff(level, prepend=0)))
    all_times, place = np.unique(np.concatenate([times for times, _ in changes]), return_inverse=True)
    total = np.zeros(len(all_times), np.int64)
    np.add.at(total, place, np.concatenate([change for _, change in changes]))
    kept = total != 0
    kept[0] = True
    return all_times[kept], np.cumsum(total)[kept]
