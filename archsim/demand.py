"""The untimed run of a Program, driven by demand: which firings are possible in what little room.

A stage without consumers always wants to fire; another fires only for tokens that the coming firing of a stage
which wants to fire lacks.  Tokens are delivered at once, and what a firing frees is freed after it has reserved
its outputs.  A stage whose consumers have all finished fires the rest of its firings.

The state is one sequence of words, ``m``: of an array when Numba compiles the functions, for large Programs; of a
list when they run as plain Python, where compiling would take longer.  It holds rows of fields, and lists of addresses;
a row is named by its address, so ``m[e + PEAK]`` is a field of end ``e``.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim import jit
from archsim.program import ProgramArrays
from archsim.sequences import ints, starts

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
    m, at = _words(a, compiled)
    if compiled:
        _drive_compiled(m)
    else:
        words = m.tolist()
        _drive(words)
        m = np.array(words, np.int64)
    stages, flows, ends = (m[at[name] : at[name] + count * row] for name, count, row in _counts(a))
    return Totals(
        fired=stages[FIRED::STAGE_ROW].copy(),
        emitted=flows[EMITTED::FLOW_ROW].copy(),
        freed=ends[FREED::END_ROW].copy(),
        peak=ends[PEAK::END_ROW].copy(),
    )


# The header: how many stages there are, and where these begin: their rows, a list of them with consumers before their
# sources where no cycle forbids it, and room for a stack of stages.
STAGES, FIRST_STAGE, ORDER, STACK = range(4)
HEADER = 4

# A stage.  Words from INPUT to INPUTS_END are addresses of ends, those from OUTPUT to OUTPUTS_END of flows.  FOREIGN
# counts the ends at it of other stages' flows, OPEN the ends of its flows at other stages with firings left; ACTIVE is
# 1 while it wants to fire, and LACKING counts the inputs that its coming firing then lacks.
FIRINGS, FIRED, INPUT, INPUTS_END, OUTPUT, OUTPUTS_END, RANK, FOREIGN, OPEN, ACTIVE, LACKING = range(11)
STAGE_ROW = 11

# A flow.  Its ends are the rows from FLOW_END to FLOW_ENDS; WANTED is the largest total that a firing has asked for.
EMIT, FLOW_END, FLOW_ENDS, EMITTED, WANTED = range(5)
FLOW_ROW = 5

# An end.  AWAITED is the total that the coming firing lacks, 0 when it lacks nothing.
FLOW, SOURCE, CONSUMER, NEED, FREE, PEAK, FREED, AWAITED = range(8)
END_ROW = 8

# A sequence; TABLE is where its values begin.
TABLE, PERIOD, INCREMENT, OFFSET = range(4)
SEQUENCE_ROW = 4


def _counts(a: ProgramArrays) -> tuple[tuple[str, int, int], ...]:
    """The kinds of rows, how many there are, and the words of each."""
    stages, flows, ends = len(a.stage_firings), len(a.flow_source), len(a.end_flow)
    return ("stages", stages, STAGE_ROW), ("flows", flows, FLOW_ROW), ("ends", ends, END_ROW)


def _words(a: ProgramArrays, compiled: bool) -> tuple[Ints, dict[str, int]]:
    """The state before the first firing, and where its parts begin."""
    sizes = {name: count * row for name, count, row in _counts(a)}
    stages, ends = len(a.stage_firings), len(a.end_flow)
    sizes |= {"sequences": len(a.q_start) * SEQUENCE_ROW, "inputs": ends, "outputs": len(a.stage_out)}
    sizes |= {"order": stages, "stack": stages, "pool": len(a.pool)}
    begins = HEADER + starts(list(sizes.values()))
    at = dict(zip(sizes, begins[:-1].tolist(), strict=True))
    m = np.zeros(begins[-1], np.int64)
    order = _consumers_first(a, compiled)
    m[:HEADER] = stages, at["stages"], at["order"], at["stack"]
    m[at["inputs"] :][:ends] = at["ends"] + END_ROW * a.stage_in
    m[at["outputs"] :][: len(a.stage_out)] = at["flows"] + FLOW_ROW * a.stage_out
    m[at["order"] :][:stages] = at["stages"] + STAGE_ROW * order
    m[at["pool"] :] = a.pool
    source = a.flow_source[a.end_flow]
    foreign = source != a.end_stage
    rows = {name: m[at[name] :][: count * row].reshape(count, row) for name, count, row in _counts(a)}
    stage, flow, end = rows["stages"], rows["flows"], rows["ends"]
    stage[:, FIRINGS] = a.stage_firings
    stage[:, INPUT], stage[:, INPUTS_END] = at["inputs"] + a.stage_in_ptr[:-1], at["inputs"] + a.stage_in_ptr[1:]
    stage[:, OUTPUT], stage[:, OUTPUTS_END] = at["outputs"] + a.stage_out_ptr[:-1], at["outputs"] + a.stage_out_ptr[1:]
    stage[order, RANK] = np.arange(stages)
    stage[:, FOREIGN] = np.bincount(a.end_stage[foreign], minlength=stages)
    stage[:, OPEN] = np.bincount(source[foreign & (a.stage_firings[a.end_stage] > 0)], minlength=stages)
    flow[:, EMIT] = at["sequences"] + SEQUENCE_ROW * a.flow_emit
    flow[:, FLOW_END], flow[:, FLOW_ENDS] = (
        at["ends"] + END_ROW * of for of in (a.flow_end_ptr[:-1], a.flow_end_ptr[1:])
    )
    flow[:, EMITTED] = a.flow_initial
    end[:, FLOW] = at["flows"] + FLOW_ROW * a.end_flow
    end[:, SOURCE], end[:, CONSUMER] = (at["stages"] + STAGE_ROW * of for of in (source, a.end_stage))
    end[:, NEED], end[:, FREE] = (at["sequences"] + SEQUENCE_ROW * of for of in (a.end_need, a.end_free))
    end[:, PEAK] = a.flow_initial[a.end_flow]
    sequence = m[at["sequences"] :][: sizes["sequences"]].reshape(-1, SEQUENCE_ROW)
    sequence[:] = np.stack((at["pool"] + a.q_start, a.q_period, a.q_increment, a.q_offset), axis=1)
    return m, at


def _consumers_first(a: ProgramArrays, compiled: bool) -> Ints:
    """All stages in the order in which a depth-first walk along the flows leaves them."""
    stages = len(a.stage_firings)
    source, consumer = np.divmod(np.unique(a.flow_source[a.end_flow] * stages + a.end_stage), max(1, stages))
    following = starts(np.bincount(source, minlength=stages))
    columns = following[:-1].copy(), following[1:], consumer, np.zeros(stages, np.int64), np.full(stages, -1)
    if compiled:
        return np.asarray(_walk_compiled(*columns), np.int64)
    return ints(_walk(*(column.tolist() for column in columns)))


@jit.either
def _walk(following: Any, ends: Any, consumer: Any, order: Any, before: Any) -> Any:
    """Write into ``order`` which stages a depth-first walk leaves, one after the other.

    Those of ``consumer`` from ``following[s]`` to ``ends[s]`` are still to be looked at from stage s.  The walk came to
    it from stage ``before[s]``, from itself if it began there; below 0 it has not been there.
    """
    left = 0
    for first in range(len(order)):
        if before[first] >= 0:
            continue
        before[first] = s = first
        while True:
            if following[s] < ends[s]:
                other = consumer[following[s]]
                following[s] += 1
                if before[other] < 0:
                    before[other] = s
                    s = other
                continue
            order[left] = s
            left += 1
            if before[s] == s:
                break
            s = before[s]
    return order


@jit.either
def _value(m: Any, sequence: int, n: int) -> int:
    value: int = m[m[sequence + TABLE] + n % m[sequence + PERIOD]]
    return value + m[sequence + OFFSET] + m[sequence + INCREMENT] * (n // m[sequence + PERIOD])  # type: ignore[no-any-return]


@jit.either
def _turn(m: Any, s: int) -> int:
    """The place in the queue of firings that are possible and wanted: a number that modulo stages is the rank.

    A consumer goes before its sources, so that tokens are used before there are more.  Stages that need nobody's
    tokens come last, that which is least far first, so that none floods what another's tokens must complete.
    """
    rank: int = m[s + RANK]
    if m[s + FOREIGN] > 0:
        return rank
    return ((m[s + FIRED] << 32) // m[s + FIRINGS] + 1) * m[STAGES] + rank  # type: ignore[no-any-return]


@jit.either
def _activate(m: Any, ready: list[int], s: int) -> None:
    """The stage wants to fire, and so do those whose tokens it lacks, and so on."""
    m[s + ACTIVE] = 1
    stack = m[STACK]
    m[stack] = s
    height = 1
    while height > 0:
        height -= 1
        s = m[stack + height]
        lacking = 0
        for place in range(m[s + INPUT], m[s + INPUTS_END]):
            e = m[place]
            f = m[e + FLOW]
            need = _value(m, m[e + NEED], m[s + FIRED])
            if m[f + EMITTED] < need:
                lacking += 1
                m[e + AWAITED] = need
                m[f + WANTED] = max(m[f + WANTED], need)
                source = m[e + SOURCE]
                if m[source + ACTIVE] == 0 and m[source + FIRED] < m[source + FIRINGS]:
                    m[source + ACTIVE] = 1
                    m[stack + height] = source
                    height += 1
        m[s + LACKING] = lacking
        if lacking == 0:
            heappush(ready, _turn(m, s))


@jit.either
def _fire(m: Any, ready: list[int], s: int) -> None:
    """One firing, and what it makes possible."""
    n = m[s + FIRED]
    m[s + FIRED] = n + 1
    wanted = m[s + OPEN] <= 0
    for place in range(m[s + OUTPUT], m[s + OUTPUTS_END]):
        f = m[place]
        emitted = m[f + EMITTED] + _value(m, m[f + EMIT], n)
        m[f + EMITTED] = emitted
        wanted = wanted or emitted < m[f + WANTED]
        for e in range(m[f + FLOW_END], m[f + FLOW_ENDS], END_ROW):
            m[e + PEAK] = max(m[e + PEAK], emitted - m[e + FREED])
            if 0 < m[e + AWAITED] <= emitted:
                m[e + AWAITED] = 0
                consumer = m[e + CONSUMER]
                m[consumer + LACKING] -= 1
                if m[consumer + LACKING] == 0:
                    heappush(ready, _turn(m, consumer))
    for place in range(m[s + INPUT], m[s + INPUTS_END]):
        e = m[place]
        m[e + FREED] = _value(m, m[e + FREE], n)
    if n + 1 == m[s + FIRINGS]:
        _finish(m, ready, s)
    elif wanted:
        _activate(m, ready, s)
    else:
        m[s + ACTIVE] = 0


@jit.either
def _finish(m: Any, ready: list[int], s: int) -> None:
    """The sources of which this was the last consumer fire the rest of their firings for nobody."""
    for place in range(m[s + INPUT], m[s + INPUTS_END]):
        source = m[m[place] + SOURCE]
        if source != s:
            m[source + OPEN] -= 1
            if m[source + OPEN] == 0 and m[source + ACTIVE] == 0 and m[source + FIRED] < m[source + FIRINGS]:
                _activate(m, ready, source)


@jit.either
def _drive(m: Any) -> None:
    """Fire all that can fire."""
    first, stages = m[FIRST_STAGE], m[STAGES]
    ready = [stages]  # Numba learns the type of the list from this
    ready.pop()
    for s in range(first, first + stages * STAGE_ROW, STAGE_ROW):
        if m[s + OPEN] == 0 and m[s + FIRINGS] > 0:
            _activate(m, ready, s)
    entry = first + stages * STAGE_ROW
    while True:
        while len(ready) > 0:
            _fire(m, ready, m[m[ORDER] + heappop(ready) % stages])
        # What is left is a cycle of consumers, or is stuck.  Compilers number stages from the input on.
        entry -= STAGE_ROW
        if entry < first:
            return
        if m[entry + ACTIVE] == 0 and m[entry + FIRED] < m[entry + FIRINGS]:
            m[entry + OPEN] = 0
            _activate(m, ready, entry)


_compiled = jit.entry("the sizing of buffers", seconds=3)


@_compiled
def _walk_compiled(following: Ints, ends: Ints, consumer: Ints, order: Ints, before: Ints) -> Ints:
    return _walk(following, ends, consumer, order, before)  # type: ignore[no-any-return]


@_compiled
def _drive_compiled(state: Ints) -> None:
    _drive(jit.words_of(state))
