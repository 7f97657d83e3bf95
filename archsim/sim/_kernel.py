"""The event loop of the compiled engine: the rules of a Program over flat tables, in Numba.

Why it is fast: only what needs an order in time waits in the queue, namely starts of firings and heads of
tokens that reach a *shared* link.  The rest follows at once by arithmetic, because a link that serves first
in first out lets the start of a token be computed when its head arrives:

* a delivery is written into a ring of its end as soon as it is known, usually before its time has come;
  a firing reads there when its need is met, so no event is spent on it;
* a free is known when the firing starts; only the last one of an end can still lie in the future;
* a link that a single hop uses (a private link) needs no arbitration, so tokens cross it at once.

All that an event causes lies strictly later than the event (latency, interval, hop and serialisation are at
least 1 ps), so the phases of one time need no separate passes here: deliveries and frees are compared by
time, and the arrivals of one time are sorted by hop number, which is the order of flows at every link.

Everything that Numba compiles stands in this one file, the columns of the tables too: its cache on disk
notices a change of the file of the function only, and a stale kernel would read the wrong columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

import numpy as np
from numba import njit
from numba.cpython.unsafe.numbers import leading_zeros, trailing_zeros
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., object])

NEVER = np.iinfo(np.int64).max
NONE = -1

# A cursor is five columns that walk through a sequence: where it is, its first and its one-past-last place
# in `numbers`, what is added to the table's value, and by how much that grows at each wrap.
AT, FIRST_PLACE, PAST, BASE, GROWTH = range(5)
CURSOR = 5

# Columns of `stages`.  T_IN and T_OUT are when the last known input and output condition of the coming
# firing comes true, IN_END and OUT_END which end that is, MISSING how many conditions are not known yet.
FIRED, FIRINGS, READY, T_IN, IN_END, T_OUT, OUT_END, MISSING = range(8)
IN_FROM, IN_TO, OUT_FROM, OUT_TO = range(8, 12)
INTERVAL, LATENCY = 12, 12 + CURSOR
FIRST, LAST, STARVED, BLOCKED, OWN, STAGE_RECORD = range(22, 28)
STAGE_COLUMNS = 28

# Columns of `flows`.  COMING is what the coming firing of the source will emit; EMITTED leaves out the
# initial tokens; a root is a first hop, a direct end hangs on no hop.
EMITTED, COMING, LEFT_AT, END_FROM, END_TO, ROOT_FROM, ROOT_TO, DIRECT_FROM, DIRECT_TO = range(9)
EMIT = 9
FLOW_COLUMNS = 9 + CURSOR

# Columns of `ends`.  KNOWN counts the tokens, initial ones included, whose delivery time is known; AWAITED is
# the token and WANTED the freed total that a firing waits for.  FREED comes at FREED_AT, FREED_BEFORE has
# come.  LIMIT is capacity - initial.
STAGE, KNOWN, AWAITED, RING, MASK, NEED = 0, 1, 2, 3, 4, 5
FREE, FREED_BEFORE, FREED, FREED_AT, WANTED, SOURCE, LIMIT, PEAK = 10, 15, 16, 17, 18, 19, 20, 21
WAITED, HELD, LAST_DELIVERY, END_RECORD = 22, 23, 24, 25
END_COLUMNS = 26

# Columns of `hops`.  DELAY is from the start at the parent's link to the head's arrival here, TO_END from the
# start here to delivery.  The queue holds pairs (arrival, tokens); HEAD and TAIL count pairs and never wrap.
LINK, SERIALISATION, TO_END, DELAY, PRIVATE, CHILD_FROM, CHILD_TO, HOP_END_FROM, HOP_END_TO = range(9)
QUEUE, QUEUE_MASK, HEAD, TAIL, HOP_RECORD = range(9, 14)
HOP_COLUMNS = 14

# Columns of `links`.
BUSY_UNTIL, LINK_WAITED = 0, 1
LINK_COLUMNS = 2

# The queue of times: level k has one slot for each value of the k-th group of six bits.
DIGIT = 6
SLOTS = 1 << DIGIT
LEVELS = 11
WHEEL_MARKS = LEVELS + 1


class Tables(NamedTuple):
    """The state of a run.  Rows of the first five by number; the next six are members of rows.

    ``numbers`` holds the tables of all sequences.  ``first``, ``after``, ``when`` and ``marks`` are the queue
    of times, ``stack`` and ``arrivals`` scratch, ``used`` the words of the pool in use.
    """

    stages: Ints
    flows: Ints
    ends: Ints
    hops: Ints
    links: Ints
    stage_in: Ints
    stage_out: Ints
    flow_root: Ints
    flow_direct: Ints
    hop_child: Ints
    hop_end: Ints
    numbers: Ints
    first: Ints
    after: Ints
    when: Ints
    marks: Ints
    stack: Ints
    arrivals: Ints
    used: Ints


class Tape(NamedTuple):
    """Where records go: per firing, per token and end, per token and hop.  Empty when not wanted."""

    starts: Ints
    starved: Ints
    blocked: Ints
    bound: Ints
    deliveries: Ints
    link_starts: Ints


def compiled(function: Function) -> Function:
    """``numba.njit`` with a cache on disk, typed."""
    return cast(Function, njit(cache=True, nogil=True)(function))


@compiled
def _take(table: Ints, row: int, column: int, numbers: Ints) -> int:
    """The value under a cursor; the cursor moves on."""
    place = table[row, column]
    value = table[row, column + BASE] + numbers[place]
    place += 1
    if place == table[row, column + PAST]:
        place = table[row, column + FIRST_PLACE]
        table[row, column + BASE] += table[row, column + GROWTH]
    table[row, column] = place
    return value


# --- The queue of times -----------------------------------------------------------------------------------
# A radix heap in base 64.  An item stands at the level of the highest digit in which its time differs from
# the present, in the slot of that digit, so the lowest marked slot of the lowest marked level holds the
# earliest time, and an item moves down at most once a digit.  It needs `time >= now` and no tuning.
# Each stage and hop is an item at most once: lists through `after` need no allocation.


@compiled
def _insert(t: Tables, now: int, item: int, time: int) -> None:
    differs = time ^ now
    level = 0 if differs < SLOTS else (63 - leading_zeros(differs)) // DIGIT
    digit = (time >> (DIGIT * level)) & (SLOTS - 1)
    slot = level * SLOTS + digit
    t.when[item] = time
    t.after[item] = t.first[slot]
    t.first[slot] = item
    t.marks[level] |= 1 << digit
    t.marks[LEVELS] |= 1 << level


@compiled
def _remove_earliest(t: Tables) -> int:
    """Take out the list that holds the earliest time (and maybe later ones); NONE when all is empty."""
    levels = t.marks[LEVELS]
    if levels == 0:
        return NONE
    level = trailing_zeros(levels)
    marks = t.marks[level]
    slot = level * SLOTS + trailing_zeros(marks)
    marks &= marks - 1
    t.marks[level] = marks
    if marks == 0:
        t.marks[LEVELS] = levels & (levels - 1)
    item = t.first[slot]
    t.first[slot] = NONE
    return item


@compiled
def _sort(items: Ints, count: int) -> None:
    """Shell sort: short lists are the rule, long ones (all in step) must not cost the square."""
    gap = 1
    while gap < count // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, count):
            item = items[i]
            j = i
            while j >= gap and items[j - gap] > item:
                items[j] = items[j - gap]
                j -= gap
            items[j] = item
        gap //= 3


# --- Firings ----------------------------------------------------------------------------------------------


@compiled
def _set_start(t: Tables, now: int, s: int) -> None:
    """All conditions of the coming firing are known: put its start into the queue."""
    start = max(t.stages[s, T_IN], t.stages[s, T_OUT])
    _insert(t, now, t.hops.shape[0] + s, start)


@compiled
def _learn(t: Tables, now: int, s: int, column: int, e: int, time: int) -> None:
    """A condition that stage ``s`` waited for comes true at ``time``; ties go to the lowest end."""
    latest = t.stages[s, column]
    if time > latest or (time == latest and t.stages[s, column + 1] > e):
        t.stages[s, column] = time
        t.stages[s, column + 1] = e
    t.stages[s, MISSING] -= 1
    if t.stages[s, MISSING] == 0:
        _set_start(t, now, s)


@compiled
def _expect(t: Tables, pool: Ints, now: int, s: int, ready: int) -> None:
    """Look up when each condition of the coming firing comes true, or ask to be told."""
    missing = 0
    t_in = ready
    in_end = NONE
    for i in range(t.stages[s, IN_FROM], t.stages[s, IN_TO]):
        e = t.stage_in[i]
        need = _take(t.ends, e, NEED, t.numbers)
        known = t.ends[e, KNOWN]
        mask = t.ends[e, MASK]
        if need > known:
            t.ends[e, AWAITED] = need
            missing += 1
        elif need > known - mask - 1:  # else the ring has dropped it, so it came before `now`
            time = pool[t.ends[e, RING] + (need & mask)]
            if time > t_in:
                t_in = time
                in_end = e
    t_out = ready
    out_end = NONE
    for i in range(t.stages[s, OUT_FROM], t.stages[s, OUT_TO]):
        f = t.stage_out[i]
        coming = _take(t.flows, f, EMIT, t.numbers)
        t.flows[f, COMING] = coming
        emitted = t.flows[f, EMITTED] + coming
        for e in range(t.flows[f, END_FROM], t.flows[f, END_TO]):
            wanted = emitted - t.ends[e, LIMIT]
            if wanted > t.ends[e, FREED]:
                t.ends[e, WANTED] = wanted
                missing += 1
            elif wanted > t.ends[e, FREED_BEFORE] and t.ends[e, FREED_AT] > t_out:
                t_out = t.ends[e, FREED_AT]
                out_end = e
    t.stages[s, READY] = ready
    t.stages[s, T_IN] = t_in
    t.stages[s, IN_END] = in_end
    t.stages[s, T_OUT] = t_out
    t.stages[s, OUT_END] = out_end
    t.stages[s, MISSING] = missing
    if missing == 0:
        _set_start(t, now, s)


@compiled
def _account(t: Tables, tape: Tape, s: int, start: int) -> None:
    """The waiting of the firing that starts (rule 7)."""
    t_in = t.stages[s, T_IN]
    starved = t_in - t.stages[s, READY]
    blocked = start - t_in
    bound = NONE
    if starved > 0:
        bound = t.stages[s, IN_END]
        t.ends[bound, WAITED] += starved
        t.stages[s, STARVED] += starved
    if blocked > 0:
        bound = t.stages[s, OUT_END]
        t.ends[bound, HELD] += blocked
        t.stages[s, BLOCKED] += blocked
    n = t.stages[s, FIRED]
    if n == 0:
        t.stages[s, FIRST] = start
    t.stages[s, LAST] = start
    record = t.stages[s, STAGE_RECORD]
    if record != NONE:
        tape.starts[record + n] = start
        if tape.bound.shape[0] > 0:
            tape.starved[record + n] = starved
            tape.blocked[record + n] = blocked
            tape.bound[record + n] = bound


@compiled
def _free(t: Tables, now: int, s: int, time: int) -> None:
    """Credits of the firing that starts return at ``time``."""
    for i in range(t.stages[s, IN_FROM], t.stages[s, IN_TO]):
        e = t.stage_in[i]
        freed = _take(t.ends, e, FREE, t.numbers)
        t.ends[e, FREED_BEFORE] = t.ends[e, FREED]
        t.ends[e, FREED] = freed
        t.ends[e, FREED_AT] = time
        if t.ends[e, WANTED] <= freed:
            t.ends[e, WANTED] = NEVER
            _learn(t, now, t.ends[e, SOURCE], T_OUT, e, time)


@compiled
def _emit(t: Tables, tape: Tape, pool: Ints, now: int, s: int, leave: int) -> Ints:
    """Reserve the room of the tokens of the firing that starts, and send them off at ``leave`` or later."""
    for i in range(t.stages[s, OUT_FROM], t.stages[s, OUT_TO]):
        f = t.stage_out[i]
        tokens = t.flows[f, COMING]
        if tokens == 0:
            continue
        emitted = t.flows[f, EMITTED] + tokens
        t.flows[f, EMITTED] = emitted
        for e in range(t.flows[f, END_FROM], t.flows[f, END_TO]):
            freed = t.ends[e, FREED] if t.ends[e, FREED_AT] <= now else t.ends[e, FREED_BEFORE]
            t.ends[e, PEAK] = max(t.ends[e, PEAK], emitted - freed)
        time = max(leave, t.flows[f, LEFT_AT])
        t.flows[f, LEFT_AT] = time
        for j in range(t.flows[f, DIRECT_FROM], t.flows[f, DIRECT_TO]):
            for _ in range(tokens):
                pool = _deliver(t, tape, pool, now, t.flow_direct[j], time)
        for j in range(t.flows[f, ROOT_FROM], t.flows[f, ROOT_TO]):
            h = t.flow_root[j]
            if t.hops[h, PRIVATE]:
                for _ in range(tokens):
                    pool = _cross(t, tape, pool, now, h, time)
            else:
                pool = _arrive(t, pool, now, h, time, tokens)
    return pool


@compiled
def _fire(t: Tables, tape: Tape, pool: Ints, now: int, s: int) -> tuple[Ints, int]:
    """Start the coming firing of stage ``s`` at ``now``; also gives the time of its output."""
    _account(t, tape, s, now)
    interval = _take(t.stages, s, INTERVAL, t.numbers)
    output = now + _take(t.stages, s, LATENCY, t.numbers)
    t.stages[s, OWN] += interval
    t.stages[s, FIRED] += 1
    _free(t, now, s, now + interval)
    pool = _emit(t, tape, pool, now, s, output)
    if t.stages[s, FIRED] < t.stages[s, FIRINGS]:
        _expect(t, pool, now, s, now + interval)
    return pool, output


# --- Tokens on their way ----------------------------------------------------------------------------------


@compiled
def _reserve(t: Tables, pool: Ints, words: int) -> Ints:
    """Room for ``words`` more in the pool; they start at the old ``used``."""
    used = t.used[0]
    t.used[0] = used + words
    if t.used[0] <= pool.shape[0]:
        return pool
    larger = np.zeros(2 * t.used[0], np.int64)
    larger[:used] = pool[:used]
    return larger


@compiled
def _widen_ring(t: Tables, pool: Ints, e: int) -> Ints:
    """Twice the room for delivery times of end ``e`` that still lie in the future."""
    mask = t.ends[e, MASK]
    ring = t.ends[e, RING]
    wider = t.used[0]
    pool = _reserve(t, pool, 2 * (mask + 1))
    known = t.ends[e, KNOWN]
    for token in range(known - mask, known + 1):
        pool[wider + (token & (2 * mask + 1))] = pool[ring + (token & mask)]
    t.ends[e, RING] = wider
    t.ends[e, MASK] = 2 * mask + 1
    return pool


@compiled
def _deliver(t: Tables, tape: Tape, pool: Ints, now: int, e: int, time: int) -> Ints:
    """The next token of end ``e`` is delivered at ``time``."""
    token = t.ends[e, KNOWN] + 1
    if pool[t.ends[e, RING] + (token & t.ends[e, MASK])] > now:
        pool = _widen_ring(t, pool, e)
    pool[t.ends[e, RING] + (token & t.ends[e, MASK])] = time
    t.ends[e, KNOWN] = token
    t.ends[e, LAST_DELIVERY] = time
    record = t.ends[e, END_RECORD]
    if record != NONE:
        tape.deliveries[record] = time
        t.ends[e, END_RECORD] = record + 1
    if token == t.ends[e, AWAITED]:
        t.ends[e, AWAITED] = NEVER
        _learn(t, now, t.ends[e, STAGE], T_IN, e, time)
    return pool


@compiled
def _arrive(t: Tables, pool: Ints, now: int, h: int, time: int, tokens: int) -> Ints:
    """The heads of ``tokens`` tokens will reach the shared link of hop ``h`` at ``time``."""
    head = t.hops[h, HEAD]
    tail = t.hops[h, TAIL]
    mask = t.hops[h, QUEUE_MASK]
    if head == tail:
        _insert(t, now, h, time)
    elif tail - head > mask:
        wider = t.used[0]
        queue = t.hops[h, QUEUE]
        pool = _reserve(t, pool, 4 * (mask + 1))
        for k in range(head, tail):
            for word in range(2):
                pool[wider + 2 * (k & (2 * mask + 1)) + word] = pool[queue + 2 * (k & mask) + word]
        mask = 2 * mask + 1
        t.hops[h, QUEUE] = wider
        t.hops[h, QUEUE_MASK] = mask
    place = t.hops[h, QUEUE] + 2 * (tail & mask)
    pool[place] = time
    pool[place + 1] = tokens
    t.hops[h, TAIL] = tail + 1
    return pool


@compiled
def _cross(t: Tables, tape: Tape, pool: Ints, now: int, h: int, time: int) -> Ints:
    """One token reaches hop ``h`` at ``time``; with it all private hops behind, without recursion."""
    t.stack[0] = h
    t.stack[1] = time
    height = 2
    while height > 0:
        height -= 2
        h = t.stack[height]
        time = t.stack[height + 1]
        link = t.hops[h, LINK]
        start = max(time, t.links[link, BUSY_UNTIL])
        t.links[link, BUSY_UNTIL] = start + t.hops[h, SERIALISATION]
        t.links[link, LINK_WAITED] += start - time
        record = t.hops[h, HOP_RECORD]
        if record != NONE:
            tape.link_starts[record] = start
            t.hops[h, HOP_RECORD] = record + 1
        for j in range(t.hops[h, HOP_END_FROM], t.hops[h, HOP_END_TO]):
            pool = _deliver(t, tape, pool, now, t.hop_end[j], start + t.hops[h, TO_END])
        for j in range(t.hops[h, CHILD_FROM], t.hops[h, CHILD_TO]):
            child = t.hop_child[j]
            if t.hops[child, PRIVATE]:
                t.stack[height] = child
                t.stack[height + 1] = start + t.hops[child, DELAY]
                height += 2
            else:
                pool = _arrive(t, pool, now, child, start + t.hops[child, DELAY], 1)
    return pool


@compiled
def _serve(t: Tables, tape: Tape, pool: Ints, now: int, h: int) -> Ints:
    """All tokens whose heads reach the shared link of hop ``h`` now; then wait for the next one."""
    head = t.hops[h, HEAD]
    while head < t.hops[h, TAIL]:
        place = t.hops[h, QUEUE] + 2 * (head & t.hops[h, QUEUE_MASK])
        if pool[place] > now:
            _insert(t, now, h, pool[place])
            break
        tokens = pool[place + 1]
        head += 1
        for _ in range(tokens):
            pool = _cross(t, tape, pool, now, h, now)
    t.hops[h, HEAD] = head
    return pool


@compiled
def simulate(t: Tables, tape: Tape, pool: Ints) -> int:
    """Run until nothing can happen; gives the last output of a firing (ps).  The state stays in ``t``."""
    now = 0
    makespan = 0
    hops = t.hops.shape[0]
    for s in range(t.stages.shape[0]):
        if t.stages[s, FIRINGS] > 0:
            _expect(t, pool, now, s, 0)
    while True:
        earliest = _remove_earliest(t)
        if earliest == NONE:
            return makespan
        now = t.when[earliest]
        item = t.after[earliest]
        while item != NONE:
            now = min(now, t.when[item])
            item = t.after[item]
        item = earliest
        arrivals = 0
        while item != NONE:
            following = t.after[item]
            if t.when[item] != now:
                _insert(t, now, item, t.when[item])
            elif item < hops:
                t.arrivals[arrivals] = item
                arrivals += 1
            else:
                pool, output = _fire(t, tape, pool, now, item - hops)
                makespan = max(makespan, output)
            item = following
        if arrivals > 1:
            _sort(t.arrivals, arrivals)
        for i in range(arrivals):
            pool = _serve(t, tape, pool, now, t.arrivals[i])
