"""What a Program can do whatever the times are: the check before a run, and capacities that cannot deadlock."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from archsim import demand
from archsim.deadlock import deadlock
from archsim.errors import ProgramError
from archsim.program import Program, ProgramArrays

__all__ = ["check", "sufficient_capacities"]

Ints = NDArray[np.int64]


def check(program: Program) -> None:
    """The untimed check of rule 8, for each end of each flow, with times and order left out.

    The tokens that ever come must do for the largest need; those never freed must fit; so must a firing's
    window, from the first token not yet freed to the last one needed; and so must the initial tokens.

    Raises ProgramError with all violations, a line each.
    """
    bounds = _bounds(program.arrays)
    a = program.arrays
    initial = a.flow_initial[a.end_flow]
    short = bounds.supply < bounds.need
    full = np.maximum(np.maximum(bounds.supply - bounds.freed, bounds.window), initial) > a.end_capacity
    violations = [line for end in np.flatnonzero(short | full) for line in _violations(program, bounds, int(end))]
    if violations:
        raise ProgramError("\n".join(violations))


class _Bounds(NamedTuple):
    """Of each end: all tokens that come, the largest need, the last total freed, the largest window."""

    supply: Ints
    need: Ints
    freed: Ints
    window: Ints


def _bounds(a: ProgramArrays) -> _Bounds:
    """Equal sequences with equal numbers of firings are worked out once."""
    firings = a.stage_firings[a.end_stage]
    emitted = _once_each(lambda q, count: _total(a, q, count), a.flow_emit, a.stage_firings[a.flow_source])
    return _Bounds(
        supply=(a.flow_initial + emitted)[a.end_flow],
        need=_once_each(lambda q, count: _largest_need(a, q, count), a.end_need, firings),
        freed=_once_each(
            lambda q, count: int(_values(a, q, np.array([count - 1]))[0]) if count else 0, a.end_free, firings
        ),
        window=_once_each(lambda q, r, count: _largest_window(a, q, r, count)[0], a.end_need, a.end_free, firings),
    )


def _once_each(function: Callable[..., int], *columns: Ints) -> Ints:
    """``function`` of each row, called once for equal rows."""
    rows, which = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    results = np.fromiter((function(*row) for row in rows.tolist()), np.int64, len(rows))
    return results[which.reshape(-1)]


def _values(a: ProgramArrays, q: int, n: Ints) -> Ints:
    period = a.q_period[q]
    return cast("Ints", a.q_offset[q] + a.pool[a.q_start[q] + n % period] + a.q_increment[q] * (n // period))


def _total(a: ProgramArrays, q: int, count: int) -> int:
    """The sum of the first ``count`` values of a periodic sequence."""
    table = a.pool[a.q_start[q] : a.q_start[q] + a.q_period[q]] + a.q_offset[q]
    periods, rest = divmod(count, len(table))
    return int(periods * table.sum() + table[:rest].sum())


def _telling(count: int, period: int) -> Ints:
    """The firings among which a sequence of this period is extreme: it is linear in n at each place of the period.

    Firing 0 may differ from the rest (nothing is freed before it), hence one more than a period.
    """
    first = np.arange(min(count, period + 1))
    return np.union1d(first, np.arange(max(0, count - period), count))


def _largest_need(a: ProgramArrays, q: int, count: int) -> int:
    return int(_values(a, q, _telling(count, int(a.q_period[q]))).max()) if count else 0


def _largest_window(a: ProgramArrays, need: int, free: int, count: int) -> tuple[int, int]:
    """The largest need[n] - free[n-1], free[-1] = 0, and the first firing that has it."""
    if not count:
        return 0, 0
    n = _telling(count, math.lcm(int(a.q_period[need]), int(a.q_period[free])))
    before = np.where(n > 0, _values(a, free, np.maximum(n - 1, 0)), 0)
    windows = _values(a, need, n) - before
    worst = int(windows.argmax())
    return int(windows[worst]), int(n[worst])


def _violations(program: Program, bounds: _Bounds, end: int) -> Iterator[str]:
    a = program.arrays
    flow, stage = program.flows[a.end_flow[end]], program.stages[a.end_stage[end]]
    where = f"flow {flow.name!r}, stage {stage.name!r}: "
    supply, need, freed, window = (int(values[end]) for values in bounds)
    capacity = int(a.end_capacity[end])
    if supply < need:
        made = f"{flow.initial} initial, {supply - flow.initial} from {program.stages[flow.source].name!r}"
        yield f"{where}got {supply} tokens in all ({made}), expected at least {need}"
    if supply - freed > capacity:
        yield f"{where}got capacity {capacity}, expected at least {supply - freed} for tokens that are never freed"
    if window > capacity:
        firing = _largest_window(a, int(a.end_need[end]), int(a.end_free[end]), stage.firings)[1]
        yield f"{where}got capacity {capacity}, expected at least {window} for what firing {firing} needs"
    if flow.initial > capacity:
        yield f"{where}got capacity {capacity}, expected at least {flow.initial} for the initial tokens"


def sufficient_capacities(program: Program) -> Ints:
    """A capacity in tokens for each end, by global number, with which the Program cannot deadlock.

    These are the largest initial + emitted - freed of each end when the Program is run untimed and driven by
    demand (see ``archsim.demand``); the capacities that the Program gives are ignored.  In a timed run with
    these capacities the same firings are possible one by one, and rule 1 never withdraws a firing that has
    become possible: so it cannot get stuck.

    Raises DeadlockError when a stage needs tokens that can never come.
    """
    done = demand.run(program.arrays)
    if np.any(done.fired < program.arrays.stage_firings):
        delivered = done.emitted[program.arrays.end_flow]
        raise deadlock(program, fired=done.fired, delivered=delivered, freed=done.freed, emitted=done.emitted)
    return done.peak
