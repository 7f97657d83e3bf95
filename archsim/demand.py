"""The untimed run of a Program, driven by demand: which firings are possible in what little room.

A stage without consumers always wants to fire; another fires only for tokens that the coming firing of a stage
which wants to fire lacks.  Tokens are delivered at once, and what a firing frees is freed after it has reserved
its outputs.  A stage whose consumers have all finished fires the rest of its firings.

The functions work on tables of rows with named fields: arrays of records when Numba compiles them, for large
Programs; lists of objects when they run as plain Python, where compiling would take longer.
"""

from __future__ import annotations

from heapq import heappop, heappush
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim import jit
from archsim.program import ProgramArrays

__all__ = ["Totals", "run"]

Ints = NDArray[np.int64]

COMPILED_FROM = 100_000
"""Programs with this many firings are run compiled."""


class Totals(NamedTuple):
    """Firings of each stage, tokens emitted on each flow with the initial ones, and of each end the tokens freed
    and the largest emitted - freed.
    """

    fired: Ints
    emitted: Ints
    freed: Ints
    peak: Ints


def run(a: ProgramArrays, *, compiled: bool | None = None) -> Totals:
    """Fire all that can fire; a stage with firings left at the end can never go on.

    ``compiled`` chooses the way to run, by default from the size; the result is the same, as it is where Numba is
    not there to compile anything.
    """
    if compiled is None:
        compiled = int(a.stage_firings.sum()) >= COMPILED_FROM
    compiled = compiled and not jit.MISSING
    t = _tables(a, compiled)
    (_drive_compiled if compiled else _drive)(t)
    return Totals(
        fired=_column(t.stages, "fired"),
        emitted=_column(t.flows, "emitted"),
        freed=_column(t.ends, "freed"),
        peak=_column(t.ends, "peak"),
    )


class _Tables(NamedTuple):
    """The Program and the state of its untimed run.

    Stage: its inputs are ``inputs[row.input : row.inputs_end]``, end numbers, and likewise its outputs, flow
    numbers; ``open`` counts the ends of its flows at other stages with firings left; ``active`` is 1 while it
    wants to fire, and ``lacking`` counts the inputs that its coming firing then lacks.
    Flow: ``wanted`` is the largest total that a firing has asked for.
    End: ``awaited`` is the total that the coming firing lacks, 0 when it lacks nothing.
    """

    stages: Any
    flows: Any
    ends: Any
    sequences: Any
    inputs: Any
    outputs: Any
    order: Any  # stages, consumers before their sources where no cycle forbids it
    pool: Any
    stack: Any


def _tables(a: ProgramArrays, compiled: bool) -> _Tables:
    source = a.flow_source[a.end_flow]
    foreign = source != a.end_stage
    stages = len(a.stage_firings)
    order = _consumers_first(a)
    rows = (
        _rows(
            stages,
            firings=a.stage_firings,
            input=a.stage_in_ptr[:-1],
            inputs_end=a.stage_in_ptr[1:],
            output=a.stage_out_ptr[:-1],
            outputs_end=a.stage_out_ptr[1:],
            rank=np.argsort(order),
            foreign=np.bincount(a.end_stage[foreign], minlength=stages),
            open=np.bincount(source[foreign & (a.stage_firings[a.end_stage] > 0)], minlength=stages),
            fired=0,
            active=0,
            lacking=0,
        ),
        _rows(
            len(a.flow_source),
            emit=a.flow_emit,
            end=a.flow_end_ptr[:-1],
            ends_end=a.flow_end_ptr[1:],
            emitted=a.flow_initial,
            wanted=0,
        ),
        _rows(
            len(a.end_flow),
            flow=a.end_flow,
            source=source,
            consumer=a.end_stage,
            need=a.end_need,
            free=a.end_free,
            peak=a.flow_initial[a.end_flow],
            freed=0,
            awaited=0,
        ),
        _rows(len(a.q_start), start=a.q_start, period=a.q_period, increment=a.q_increment, offset=a.q_offset),
    )
    columns = (a.stage_in, a.stage_out, order, a.pool, np.zeros(stages, np.int64))
    if compiled:
        return _Tables(*rows, *columns)
    return _Tables(*(_objects(table) for table in rows), *(column.tolist() for column in columns))


def _rows(count: int, **fields: Any) -> Any:
    table = np.zeros(count, [(name, np.int64) for name in fields])
    for name, values in fields.items():
        table[name] = values
    return table


def _objects(table: Any) -> list[SimpleNamespace]:
    return [SimpleNamespace(**dict(zip(table.dtype.names, row, strict=True))) for row in table.tolist()]


def _column(table: Any, name: str) -> Ints:
    if isinstance(table, np.ndarray):
        return table[name].copy()
    return np.fromiter((getattr(row, name) for row in table), np.int64)


def _consumers_first(a: ProgramArrays) -> Ints:
    """All stages in the order in which a depth-first walk along the flows leaves them."""
    edges = np.unique(np.stack([a.flow_source[a.end_flow], a.end_stage], axis=1), axis=0)
    consumers: list[list[int]] = [[] for _ in a.stage_firings]
    for source, consumer in edges.tolist():
        consumers[source].append(consumer)
    order: list[int] = []
    seen = [False] * len(consumers)
    for first in range(len(consumers)):
        path = [] if seen[first] else [(first, iter(consumers[first]))]
        seen[first] = True
        while path:
            stage, rest = path[-1]
            following = next((consumer for consumer in rest if not seen[consumer]), None)
            if following is None:
                order.append(stage)
                path.pop()
            else:
                seen[following] = True
                path.append((following, iter(consumers[following])))
    return np.array(order, np.int64)


@jit.either
def _value(t: _Tables, number: int, n: int) -> int:
    sequence = t.sequences[number]
    place = sequence.start + n % sequence.period
    return t.pool[place] + sequence.offset + sequence.increment * (n // sequence.period)  # type: ignore[no-any-return]


@jit.either
def _turn(t: _Tables, number: int) -> int:
    """The place in the queue of firings that are possible and wanted: a number that modulo stages is the rank.

    A consumer goes before its sources, so that tokens are used before there are more.  Stages that need nobody's
    tokens come last, that which is least far first, so that none floods what another's tokens must complete.
    """
    stage = t.stages[number]
    if stage.foreign > 0:
        return stage.rank  # type: ignore[no-any-return]
    return ((stage.fired << 32) // stage.firings + 1) * len(t.stages) + stage.rank  # type: ignore[no-any-return]


@jit.either
def _activate(t: _Tables, ready: list[int], number: int) -> None:
    """The stage wants to fire, and so do those whose tokens it lacks, and so on."""
    t.stages[number].active = 1
    t.stack[0] = number
    height = 1
    while height > 0:
        height -= 1
        number = t.stack[height]
        stage = t.stages[number]
        stage.lacking = 0
        for place in range(stage.input, stage.inputs_end):
            end = t.ends[t.inputs[place]]
            flow = t.flows[end.flow]
            need = _value(t, end.need, stage.fired)
            if flow.emitted < need:
                stage.lacking += 1
                end.awaited = need
                flow.wanted = max(flow.wanted, need)
                source = t.stages[end.source]
                if source.active == 0 and source.fired < source.firings:
                    source.active = 1
                    t.stack[height] = end.source
                    height += 1
        if stage.lacking == 0:
            heappush(ready, _turn(t, number))


@jit.either
def _fire(t: _Tables, ready: list[int], number: int) -> None:
    """One firing, and what it makes possible."""
    stage = t.stages[number]
    n = stage.fired
    stage.fired = n + 1
    wanted = stage.open <= 0
    for place in range(stage.output, stage.outputs_end):
        flow = t.flows[t.outputs[place]]
        flow.emitted += _value(t, flow.emit, n)
        wanted = wanted or flow.emitted < flow.wanted
        for e in range(flow.end, flow.ends_end):
            end = t.ends[e]
            end.peak = max(end.peak, flow.emitted - end.freed)
            if 0 < end.awaited <= flow.emitted:
                end.awaited = 0
                t.stages[end.consumer].lacking -= 1
                if t.stages[end.consumer].lacking == 0:
                    heappush(ready, _turn(t, end.consumer))
    for place in range(stage.input, stage.inputs_end):
        end = t.ends[t.inputs[place]]
        end.freed = _value(t, end.free, n)
    if stage.fired == stage.firings:
        _finish(t, ready, number)
    elif wanted:
        _activate(t, ready, number)
    else:
        stage.active = 0


@jit.either
def _finish(t: _Tables, ready: list[int], number: int) -> None:
    """The sources of which this was the last consumer fire the rest of their firings for nobody."""
    stage = t.stages[number]
    for place in range(stage.input, stage.inputs_end):
        end = t.ends[t.inputs[place]]
        source = t.stages[end.source]
        if end.source != number:
            source.open -= 1
            if source.open == 0 and source.active == 0 and source.fired < source.firings:
                _activate(t, ready, end.source)


def _drive(t: _Tables) -> None:
    """Fire all that can fire."""
    entry = len(t.stages)
    ready = [entry]  # Numba learns the type of the list from this
    ready.pop()
    for number in range(len(t.stages)):
        if t.stages[number].open == 0 and t.stages[number].firings > 0:
            _activate(t, ready, number)
    while True:
        while ready:
            _fire(t, ready, t.order[heappop(ready) % len(t.stages)])
        # What is left is a cycle of consumers, or is stuck.  Compilers number stages from the input on.
        entry -= 1
        if entry < 0:
            return
        stage = t.stages[entry]
        if stage.active == 0 and stage.fired < stage.firings:
            stage.open = 0
            _activate(t, ready, entry)


_drive_compiled = jit.entry("the sizing of buffers", seconds=3)(_drive)
