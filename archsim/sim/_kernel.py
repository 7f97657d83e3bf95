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

from archsim.jit import entry, helper, leading_zeros, trailing_zeros

Ints = NDArray[np.int64]

NEVER = np.iinfo(np.int64).max
NONE = -1

# The queue of times: level k has one slot for each value of the k-th group of six bits of a time.
DIGIT = 6
SLOTS = 1 << DIGIT
LEVELS = 11

# The header.  USED words are in use, of the SIZE up to the end of the pool; FULL says that more were wanted.  Records
# are kept of the window from SINCE to UNTIL, LEFT more of them; TOKENS says that some are of ends or hops.
STAGES_FROM, STAGES_TO, ARRIVALS, STACK, TOKENS, USED, SIZE, FULL, MAKESPAN, HOPS_FROM, HOP_TAPES = range(11)
LEVEL_MARKS = 11  # bit k: level k is not empty
SLOT_MARKS = 12  # one word a level, bit j: slot j is not empty
QUEUE_SLOTS = SLOT_MARKS + LEVELS
SINCE, UNTIL, LEFT, HEADER = range(QUEUE_SLOTS + LEVELS * SLOTS, QUEUE_SLOTS + LEVELS * SLOTS + 4)
POOL_FULL, TOO_MANY_RECORDS = 1, 2

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
# and WANTED the freed total that a firing waits for.  FREED comes at FREED_AT, FREED_BEFORE has come.  All that a
# delivery touches is in the first of its cache lines, the first ring of delivery times too.
STAGE, KNOWN, AWAITED, RING_MASK = range(4)
FIRST_RING, RING_SIZE = 4, 4
NEED, WAITED, END_TAPE = 8, 8 + CURSOR, 9 + CURSOR
FREE, FREED_BEFORE, FREED, FREED_AT = 16, 16 + CURSOR, 17 + CURSOR, 18 + CURSOR
WANTED, SOURCE, CAPACITY, PEAK, HELD = range(24, 29)
END_ROW = 32

# A hop, all in one cache line: most events are tokens that reach one of very many hops.  WHEN is the arrival of the
# next WAITING tokens; BEHIND says how many more arrivals are in its queue.  PRIVATE stands for a queue where the link
# is used by this hop alone.  A word of CHILDREN or HOP_ENDS holds where they begin and end, or one end alone.
BEHIND_WAITING, QUEUE, LINK, SERIALISATION, CHILDREN, HOP_ENDS = range(2, 8)
HOP_ROW = 8
PRIVATE = -1

# A queue of arrivals, made when a hop first needs one: pairs (arrival, tokens) in a ring.
QUEUE_FIRST, QUEUE_MASK, QUEUE_PAIRS = range(3)
FIRST_PAIRS = 4

# A link.  CROSSING is the time of a head.
BUSY_UNTIL, LINK_WAITED, CROSSING = range(3)
LINK_ROW = 4

# A tape: how many records came before the window, the last one of those, then those in the window.  A word in the row
# of a stage or end, or of HOP_TAPES for a row of hops, is the address of the last record written; NONE where none are
# wanted.  So many words each takes:
FIRING_RECORD = 4  # start, starved, blocked, the binding end
DELIVERY_RECORD = 1  # time
PASSAGE_RECORD = 2  # start, waited

# Two numbers of up to 31 bits in one word: addresses, masks, counts.
HALF = 32
LOW = (1 << HALF) - 1


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


@helper
def _record(m: Ints, tape: int, time: int, words: int) -> int:
    """The address for a record of what happens at ``time``, on the tape of the word ``tape``; NONE if none is kept.
    The times of a tape never fall."""
    record: int = m[tape]
    if record == NONE or time >= m[UNTIL]:
        return NONE
    if time < m[SINCE]:
        m[record - 1] += 1
        return record
    if m[LEFT] == 0:
        m[FULL] = TOO_MANY_RECORDS
        return NONE
    m[LEFT] -= 1
    m[tape] = record + words
    return record + words


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
        elif need >= m[e + KNOWN] - (m[e + RING_MASK] & LOW):  # else the ring has dropped it: it came before `now`
            time = m[_ring(m, e, need)]
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
    record = _record(m, s + STAGE_TAPE, start, FIRING_RECORD)
    if record != NONE:
        m[record] = start
        m[record + 1] = starved
        m[record + 2] = blocked
        m[record + 3] = bound


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
        for h in range(m[f + ROOT_FROM], m[f + ROOT_TO], HOP_ROW):
            if m[h + QUEUE] == PRIVATE:
                for _ in range(tokens):
                    _cross(m, now, h, time)
            else:
                _arrive(m, now, h, time, tokens)


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
        m[FULL] = POOL_FULL
        return NONE
    m[USED] = begin + words
    return begin


@helper
def _ring(m: Ints, e: int, token: int) -> int:
    """Where the delivery time of a token of end ``e`` stands."""
    ring_mask = m[e + RING_MASK]
    place: int = (ring_mask >> HALF) + (token & ring_mask & LOW)
    return place


@helper
def _widen_ring(m: Ints, e: int) -> None:
    """Twice the room for delivery times of end ``e`` that still lie in the future."""
    mask = m[e + RING_MASK] & LOW
    wide_mask = 2 * mask + 1
    wider = _reserve(m, wide_mask + 1)
    if wider != NONE:
        for token in range(m[e + KNOWN] - mask, m[e + KNOWN] + 1):
            m[wider + (token & wide_mask)] = m[_ring(m, e, token)]
        m[e + RING_MASK] = wider << HALF | wide_mask


@helper
def _deliver(m: Ints, now: int, e: int, time: int) -> None:
    """The next token of end ``e`` is delivered at ``time``."""
    token = m[e + KNOWN] + 1
    if m[_ring(m, e, token)] > now:
        _widen_ring(m, e)
    m[_ring(m, e, token)] = time
    m[e + KNOWN] = token
    if m[TOKENS]:
        record = _record(m, e + END_TAPE, time, DELIVERY_RECORD)
        if record != NONE:
            m[record] = time
    if token == m[e + AWAITED]:
        m[e + AWAITED] = NEVER
        _learn(m, now, m[e + STAGE], T_IN, e, time)


@helper
def _widen_queue(m: Ints, h: int, behind: int) -> None:
    """Room for twice the arrivals behind the first at hop ``h``, or for the first few."""
    queue = m[h + QUEUE]
    pairs = 2 * behind if behind > 0 else FIRST_PAIRS
    wider = _reserve(m, QUEUE_PAIRS + 2 * pairs)
    if wider != NONE:
        for pair in range(behind):
            place = _pair(m, queue, pair)
            m[wider + QUEUE_PAIRS + 2 * pair] = m[place]
            m[wider + QUEUE_PAIRS + 2 * pair + 1] = m[place + 1]
        m[wider + QUEUE_FIRST] = 0
        m[wider + QUEUE_MASK] = pairs - 1
        m[h + QUEUE] = wider


@helper
def _pair(m: Ints, queue: int, number: int) -> int:
    """Where a pair of a queue stands."""
    place: int = queue + QUEUE_PAIRS + 2 * ((m[queue + QUEUE_FIRST] + number) & m[queue + QUEUE_MASK])
    return place


@helper
def _arrive(m: Ints, now: int, h: int, time: int, tokens: int) -> None:
    """The heads of ``tokens`` tokens will reach the shared link of hop ``h`` at ``time``."""
    behind_waiting = m[h + BEHIND_WAITING]
    if behind_waiting == 0:
        m[h + BEHIND_WAITING] = tokens
        _insert(m, now, h, time)
        return
    behind = behind_waiting >> HALF
    if m[h + QUEUE] == 0 or behind > m[m[h + QUEUE] + QUEUE_MASK]:
        _widen_queue(m, h, behind)
        if m[FULL] != 0:  # there may be no queue to write to
            return
    place = _pair(m, m[h + QUEUE], behind)
    m[place] = time
    m[place + 1] = tokens
    m[h + BEHIND_WAITING] = behind_waiting + (1 << HALF)


@helper
def _next_arrival(m: Ints, h: int) -> int:
    """Take out the tokens that wait at hop ``h``, and let the next arrival wait; how many they were."""
    behind_waiting = m[h + BEHIND_WAITING]
    if behind_waiting > LOW:
        queue = m[h + QUEUE]
        place = _pair(m, queue, 0)
        m[h + WHEN] = m[place]
        m[h + BEHIND_WAITING] = ((behind_waiting >> HALF) - 1) << HALF | m[place + 1]
        m[queue + QUEUE_FIRST] = (m[queue + QUEUE_FIRST] + 1) & m[queue + QUEUE_MASK]
    else:
        m[h + BEHIND_WAITING] = 0
    tokens: int = behind_waiting & LOW
    return tokens


@helper
def _cross(m: Ints, now: int, h: int, time: int) -> None:
    """One token reaches hop ``h`` at ``time``; with it all private hops behind, without recursion."""
    stack = m[STACK]
    height = 0
    while height >= 0:
        link = m[h + LINK]
        service = m[h + SERIALISATION]
        start = max(time, m[link + BUSY_UNTIL])
        m[link + BUSY_UNTIL] = start + service
        m[link + LINK_WAITED] += start - time
        across = start + m[link + CROSSING]
        if m[TOKENS]:
            record = _record(m, m[HOP_TAPES] + (h - m[HOPS_FROM]) // HOP_ROW, start, PASSAGE_RECORD)
            if record != NONE:
                m[record] = start
                m[record + 1] = start - time
        ends = m[h + HOP_ENDS]
        if ends & LOW == 0:
            if ends != 0:
                _deliver(m, now, ends >> HALF, across + service)
        else:
            for j in range(ends >> HALF, ends & LOW):
                _deliver(m, now, m[j], across + service)
        children = m[h + CHILDREN]
        for child in range(children >> HALF, children & LOW, HOP_ROW):
            reaches = across + max(0, service - m[child + SERIALISATION])
            if m[child + QUEUE] == PRIVATE:
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
    while m[h + BEHIND_WAITING] != 0:
        if m[h + WHEN] > now:
            _insert(m, now, h, m[h + WHEN])
            break
        for _ in range(_next_arrival(m, h)):
            _cross(m, now, h, now)


@entry("the event loop", seconds=5)
def simulate(m: Ints) -> bool:
    """Run until nothing can happen; False when it was given up, FULL says why, and the state is of no use."""
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
