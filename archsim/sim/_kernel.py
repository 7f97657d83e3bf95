"""The event loop of the compiled engine: the rules of a Program in Numba, over one array of words.

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

The whole state is one int64 array, ``m``: a header, rows of fields, lists of addresses, the tables of the
sequences, records, and behind them the pool in which rings and queues grow.  A row is named by its address,
so ``m[e + KNOWN]`` is a field of end ``e``.  (A tuple of tables for stages, ends and so on ran at a tenth of
the speed, since Numba counts references at each use of an array in a tuple, and took three times as long to
compile.)

Everything that Numba compiles stands in this one file, the places of the fields too: its cache on disk
notices a change of the file of the function only, and a stale kernel would read the wrong words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim._numba import entry, helper, leading_zeros, trailing_zeros

Ints = NDArray[np.int64]

NEVER = np.iinfo(np.int64).max
NONE = -1

# The queue of times: level k has one slot for each value of the k-th group of six bits of a time.
DIGIT = 6
SLOTS = 1 << DIGIT
LEVELS = 11

# The header.  USED words of the array's SIZE are in use; FULL says that more were wanted.
STAGES_FROM, STAGES_TO, ARRIVALS, STACK, KEEP_ALL, USED, SIZE, FULL, MAKESPAN = range(9)
LEVEL_MARKS = 9  # bit k: level k is not empty
SLOT_MARKS = 10  # one word a level, bit j: slot j is not empty
QUEUE_SLOTS = SLOT_MARKS + LEVELS
HEADER = QUEUE_SLOTS + LEVELS * SLOTS

# Rows of stages and hops begin with their place in the queue: the time, and the next row in the same slot.
WHEN, AFTER = 0, 1

# A cursor walks through a sequence: the address in its table, the table's first and one-past-last address,
# what is added to the value there, and by how much that grows at each wrap.
AT, TABLE, PAST, BASE, GROWTH = range(5)
CURSOR = 5

# A stage.  T_IN and T_OUT are when the last known input and output condition of the coming firing comes true,
# IN_END and OUT_END which end that is, MISSING how many conditions are not known yet.
FIRED, FIRINGS, READY, T_IN, IN_END, T_OUT, OUT_END, MISSING = range(2, 10)
IN_FROM, IN_TO, OUT_FROM, OUT_TO = range(10, 14)
INTERVAL, LATENCY = 14, 14 + CURSOR
FIRST, LAST, STARVED, BLOCKED, OWN, STAGE_TAPE = range(24, 30)
STAGE_ROW = 32

# A flow.  EMITTED includes the initial tokens, COMING is what the coming firing of the source will add; a root is
# a first hop, a direct end hangs on no hop.
EMITTED, COMING, LEFT_AT, END_FROM, END_TO, ROOT_FROM, ROOT_TO, DIRECT_FROM, DIRECT_TO = range(9)
EMIT = 9
FLOW_ROW = 16

# An end.  KNOWN counts the tokens, initial ones included, whose delivery time is known; AWAITED is the token
# and WANTED the freed total that a firing waits for.  FREED comes at FREED_AT, FREED_BEFORE has come.
STAGE, KNOWN, AWAITED, RING, MASK, LAST_DELIVERY, END_TAPE = range(7)
NEED, FREE = 7, 7 + CURSOR
FREED_BEFORE, FREED, FREED_AT, WANTED, SOURCE, CAPACITY, PEAK, WAITED, HELD = range(17, 26)
END_ROW = 32

# A hop.  DELAY is from the start at the parent's link to the head's arrival here, TO_END from the start here
# to delivery.  Its queue holds pairs (arrival, tokens); HEAD and TAIL count pairs and never wrap.
LINK, SERIALISATION, TO_END, DELAY, PRIVATE, CHILD_FROM, CHILD_TO, HOP_END_FROM, HOP_END_TO = range(2, 11)
QUEUE, QUEUE_MASK, HEAD, TAIL, HOP_TAPE = range(11, 16)
HOP_ROW = 16

# A link.
BUSY_UNTIL, LINK_WAITED = 0, 1
LINK_ROW = 2


@helper
def _take(m: Ints, cursor: int) -> int:
    """The value under a cursor; the cursor moves on."""
    place = m[cursor + AT]
    value: int = m[cursor + BASE] + m[place]
    place += 1
    if place == m[cursor + PAST]:
        place = m[cursor + TABLE]
        m[cursor + BASE] += m[cursor + GROWTH]
    m[cursor + AT] = place
    return value


# --- The queue of times -----------------------------------------------------------------------------------
# A radix heap in base 64 (the engine is half as fast again with it as with a binary heap).  A row stands at the
# level of the highest digit in which its time differs from the present, in the slot of that digit, so the
# lowest marked slot of the lowest marked level holds the earliest time, and a row moves down at most once a
# digit.  It needs `time >= now` and no tuning.  Each stage and hop waits at most once, so the lists through
# AFTER need no memory of their own.


@helper
def _insert(m: Ints, now: int, row: int, time: int) -> None:
    differs = time ^ now
    level = 0 if differs < SLOTS else (63 - leading_zeros(differs)) // DIGIT
    digit = (time >> (DIGIT * level)) & (SLOTS - 1)
    slot = QUEUE_SLOTS + level * SLOTS + digit
    m[row + WHEN] = time
    m[row + AFTER] = m[slot]
    m[slot] = row
    m[SLOT_MARKS + level] |= 1 << digit
    m[LEVEL_MARKS] |= 1 << level


@helper
def _remove_earliest(m: Ints) -> int:
    """Take out the list that holds the earliest time (and maybe later ones); NONE when all is empty."""
    levels = m[LEVEL_MARKS]
    if levels == 0:
        return NONE
    level = trailing_zeros(levels)
    marks = m[SLOT_MARKS + level]
    slot = QUEUE_SLOTS + level * SLOTS + trailing_zeros(marks)
    marks &= marks - 1
    m[SLOT_MARKS + level] = marks
    if marks == 0:
        m[LEVEL_MARKS] = levels & (levels - 1)
    row: int = m[slot]
    m[slot] = NONE
    return row


@helper
def _sort(m: Ints, begin: int, count: int) -> None:
    """Shell sort: short lists are the rule, long ones (all in step) must not cost the square."""
    gap = 1
    while gap < count // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(begin + gap, begin + count):
            row = m[i]
            j = i
            while j - gap >= begin and m[j - gap] > row:
                m[j] = m[j - gap]
                j -= gap
            m[j] = row
        gap //= 3


# --- Firings ----------------------------------------------------------------------------------------------


@helper
def _learn(m: Ints, now: int, s: int, latest: int, e: int, time: int) -> None:
    """A condition at end ``e`` that stage ``s`` waited for comes true at ``time``; ties go to the lowest end.

    ``latest`` is T_IN or T_OUT.
    """
    if time > m[s + latest] or (time == m[s + latest] and m[s + latest + 1] > e):
        m[s + latest] = time
        m[s + latest + 1] = e
    m[s + MISSING] -= 1
    if m[s + MISSING] == 0:
        _insert(m, now, s, max(m[s + T_IN], m[s + T_OUT]))


@helper
def _expect(m: Ints, now: int, s: int, ready: int) -> None:
    """Look up when each condition of the coming firing comes true, or ask to be told."""
    missing = 0
    t_in = ready
    in_end = NONE
    for i in range(m[s + IN_FROM], m[s + IN_TO]):
        e = m[i]
        need = _take(m, e + NEED)
        if need > m[e + KNOWN]:
            m[e + AWAITED] = need
            missing += 1
        elif need >= m[e + KNOWN] - m[e + MASK]:  # else the ring has dropped it, so it came before `now`
            time = m[m[e + RING] + (need & m[e + MASK])]
            if time > t_in:
                t_in = time
                in_end = e
    t_out = ready
    out_end = NONE
    for i in range(m[s + OUT_FROM], m[s + OUT_TO]):
        f = m[i]
        m[f + COMING] = _take(m, f + EMIT)
        emitted = m[f + EMITTED] + m[f + COMING]
        for e in range(m[f + END_FROM], m[f + END_TO], END_ROW):
            wanted = emitted - m[e + CAPACITY]
            if wanted > m[e + FREED]:
                m[e + WANTED] = wanted
                missing += 1
            elif wanted > m[e + FREED_BEFORE] and m[e + FREED_AT] > t_out:
                t_out = m[e + FREED_AT]
                out_end = e
    m[s + READY] = ready
    m[s + T_IN] = t_in
    m[s + IN_END] = in_end
    m[s + T_OUT] = t_out
    m[s + OUT_END] = out_end
    m[s + MISSING] = missing
    if missing == 0:
        _insert(m, now, s, max(t_in, t_out))


@helper
def _account(m: Ints, s: int, start: int) -> None:
    """The waiting of the firing that starts (rule 7)."""
    starved = m[s + T_IN] - m[s + READY]
    blocked = start - m[s + T_IN]
    bound = NONE
    if starved > 0:
        bound = m[s + IN_END]
        m[bound + WAITED] += starved
        m[s + STARVED] += starved
    if blocked > 0:
        bound = m[s + OUT_END]
        m[bound + HELD] += blocked
        m[s + BLOCKED] += blocked
    if m[s + FIRED] == 0:
        m[s + FIRST] = start
    m[s + LAST] = start
    tape = m[s + STAGE_TAPE]
    if tape != NONE:
        m[tape] = start
        m[s + STAGE_TAPE] = tape + 1
        if m[KEEP_ALL]:
            m[tape + m[s + FIRINGS]] = starved
            m[tape + m[s + FIRINGS] * 2] = blocked
            m[tape + m[s + FIRINGS] * 3] = bound


@helper
def _free(m: Ints, now: int, s: int, time: int) -> None:
    """Credits of the firing that starts return at ``time``."""
    for i in range(m[s + IN_FROM], m[s + IN_TO]):
        e = m[i]
        freed = _take(m, e + FREE)
        m[e + FREED_BEFORE] = m[e + FREED]
        m[e + FREED] = freed
        m[e + FREED_AT] = time
        if m[e + WANTED] <= freed:
            m[e + WANTED] = NEVER
            _learn(m, now, m[e + SOURCE], T_OUT, e, time)


@helper
def _emit(m: Ints, now: int, s: int, leave: int) -> None:
    """Reserve the room of the tokens of the firing that starts, and send them off at ``leave`` or later."""
    for i in range(m[s + OUT_FROM], m[s + OUT_TO]):
        f = m[i]
        tokens = m[f + COMING]
        if tokens == 0:
            continue
        emitted = m[f + EMITTED] + tokens
        m[f + EMITTED] = emitted
        for e in range(m[f + END_FROM], m[f + END_TO], END_ROW):
            freed = m[e + FREED] if m[e + FREED_AT] <= now else m[e + FREED_BEFORE]
            m[e + PEAK] = max(m[e + PEAK], emitted - freed)
        time = max(leave, m[f + LEFT_AT])
        m[f + LEFT_AT] = time
        for j in range(m[f + DIRECT_FROM], m[f + DIRECT_TO]):
            for _ in range(tokens):
                _deliver(m, now, m[j], time)
        for j in range(m[f + ROOT_FROM], m[f + ROOT_TO]):
            if m[m[j] + PRIVATE]:
                for _ in range(tokens):
                    _cross(m, now, m[j], time)
            else:
                _arrive(m, now, m[j], time, tokens)


@helper
def _fire(m: Ints, now: int, s: int) -> None:
    """Start the coming firing of stage ``s``."""
    _account(m, s, now)
    interval = _take(m, s + INTERVAL)
    output = now + _take(m, s + LATENCY)
    m[MAKESPAN] = max(m[MAKESPAN], output)
    m[s + OWN] += interval
    m[s + FIRED] += 1
    _free(m, now, s, now + interval)
    _emit(m, now, s, output)
    if m[s + FIRED] < m[s + FIRINGS]:
        _expect(m, now, s, now + interval)


# --- Tokens on their way ----------------------------------------------------------------------------------


@helper
def _reserve(m: Ints, words: int) -> int:
    """The address of ``words`` zeros in the pool.  NONE when there are too few: the run must be given up."""
    begin: int = m[USED]
    if begin + words > m[SIZE]:
        m[FULL] = 1
        return NONE
    m[USED] = begin + words
    return begin


@helper
def _widen_ring(m: Ints, e: int) -> None:
    """Twice the room for delivery times of end ``e`` that still lie in the future."""
    mask = m[e + MASK]
    ring = m[e + RING]
    wider = _reserve(m, 2 * (mask + 1))
    if wider != NONE:
        for token in range(m[e + KNOWN] - mask, m[e + KNOWN] + 1):
            m[wider + (token & (2 * mask + 1))] = m[ring + (token & mask)]
        m[e + RING] = wider
        m[e + MASK] = 2 * mask + 1


@helper
def _widen_queue(m: Ints, h: int) -> None:
    """Twice the room for tokens on their way to the link of hop ``h``."""
    mask = m[h + QUEUE_MASK]
    queue = m[h + QUEUE]
    wider = _reserve(m, 4 * (mask + 1))
    if wider != NONE:
        for pair in range(m[h + HEAD], m[h + TAIL]):
            m[wider + 2 * (pair & (2 * mask + 1))] = m[queue + 2 * (pair & mask)]
            m[wider + 2 * (pair & (2 * mask + 1)) + 1] = m[queue + 2 * (pair & mask) + 1]
        m[h + QUEUE] = wider
        m[h + QUEUE_MASK] = 2 * mask + 1


@helper
def _deliver(m: Ints, now: int, e: int, time: int) -> None:
    """The next token of end ``e`` is delivered at ``time``."""
    token = m[e + KNOWN] + 1
    if m[m[e + RING] + (token & m[e + MASK])] > now:
        _widen_ring(m, e)
    m[m[e + RING] + (token & m[e + MASK])] = time
    m[e + KNOWN] = token
    m[e + LAST_DELIVERY] = time
    if m[e + END_TAPE] != NONE:
        m[m[e + END_TAPE]] = time
        m[e + END_TAPE] += 1
    if token == m[e + AWAITED]:
        m[e + AWAITED] = NEVER
        _learn(m, now, m[e + STAGE], T_IN, e, time)


@helper
def _arrive(m: Ints, now: int, h: int, time: int, tokens: int) -> None:
    """The heads of ``tokens`` tokens will reach the shared link of hop ``h`` at ``time``."""
    tail = m[h + TAIL]
    if tail == m[h + HEAD]:
        _insert(m, now, h, time)
    elif tail - m[h + HEAD] > m[h + QUEUE_MASK]:
        _widen_queue(m, h)
    place = m[h + QUEUE] + 2 * (tail & m[h + QUEUE_MASK])
    m[place] = time
    m[place + 1] = tokens
    m[h + TAIL] = tail + 1


@helper
def _cross(m: Ints, now: int, h: int, time: int) -> None:
    """One token reaches hop ``h`` at ``time``; with it all private hops behind, without recursion."""
    stack = m[STACK]
    height = 0
    while height >= 0:
        link = m[h + LINK]
        start = max(time, m[link + BUSY_UNTIL])
        m[link + BUSY_UNTIL] = start + m[h + SERIALISATION]
        m[link + LINK_WAITED] += start - time
        if m[h + HOP_TAPE] != NONE:
            m[m[h + HOP_TAPE]] = start
            m[h + HOP_TAPE] += 1
        for j in range(m[h + HOP_END_FROM], m[h + HOP_END_TO]):
            _deliver(m, now, m[j], start + m[h + TO_END])
        for j in range(m[h + CHILD_FROM], m[h + CHILD_TO]):
            child = m[j]
            reaches = start + m[child + DELAY]
            if m[child + PRIVATE]:
                m[stack + height] = child
                m[stack + height + 1] = reaches
                height += 2
            else:
                _arrive(m, now, child, reaches, 1)
        height -= 2
        if height >= 0:
            h = m[stack + height]
            time = m[stack + height + 1]


@helper
def _serve(m: Ints, now: int, h: int) -> None:
    """All tokens whose heads reach the shared link of hop ``h`` now; then wait for the next one."""
    while m[h + HEAD] < m[h + TAIL]:
        place = m[h + QUEUE] + 2 * (m[h + HEAD] & m[h + QUEUE_MASK])
        if m[place] > now:
            _insert(m, now, h, m[place])
            break
        m[h + HEAD] += 1
        for _ in range(m[place + 1]):
            _cross(m, now, h, now)


@entry
def simulate(m: Ints) -> bool:
    """Run until nothing can happen; False when the pool was too small and the state is of no use."""
    now = 0
    for s in range(m[STAGES_FROM], m[STAGES_TO], STAGE_ROW):
        if m[s + FIRINGS] > 0:
            _expect(m, now, s, 0)
    while m[FULL] == 0:
        earliest = _remove_earliest(m)
        if earliest == NONE:
            return True
        now = m[earliest + WHEN]
        row = m[earliest + AFTER]
        while row != NONE:
            now = min(now, m[row + WHEN])
            row = m[row + AFTER]
        row = earliest
        arrivals = m[ARRIVALS]
        while row != NONE:
            after = m[row + AFTER]
            if m[row + WHEN] != now:
                _insert(m, now, row, m[row + WHEN])
            elif row < m[STAGES_FROM]:
                m[arrivals] = row
                arrivals += 1
            else:
                _fire(m, now, row)
            row = after
        count = arrivals - m[ARRIVALS]
        if count > 1:
            _sort(m, m[ARRIVALS], count)
        for i in range(m[ARRIVALS], arrivals):
            _serve(m, now, m[i])
    return False
