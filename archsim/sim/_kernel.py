"""The event loop of the compiled engine: the rules of a Program in Numba, over one array of words.

Why it is fast: only what needs an order in time waits in the queue, namely starts of firings and heads of
tokens that reach a *shared* link.  The rest follows at once by arithmetic, because a link that serves first
in first out lets the start of a token be computed when its head arrives:

* a delivery is written into a ring of its end as soon as it is known, usually before its time has come;
  a firing reads there when its need is met, so no event is spent on it;
* a free is known when the firing starts; only the last one of an end can still lie in the future;
* a link needs no arbitration if all its tokens come from one other link or from one stage, which let them go one after
  the other, or if a single flow uses it.  Tokens cross such an orderly link at once.  Where they then can never wait
  there is no hop: what is behind is that much later (:mod:`archsim.sim._behind`).

All that an event causes lies strictly later than the event (latency, interval, hop and serialisation are at
least 1 ps), so the phases of one time need no separate passes here: deliveries and frees are compared by
time, and the events of one time are sorted by row: that of hops is the order of flows at every link.

On large boards the time goes to memory, so an event touches few lines of the cache, and what the coming events will
touch is asked for while others are worked on.

The whole state is one int64 array, ``m``: a header, rows of fields, lists of addresses, nodes of the queue, the tables
of the sequences, the pool in which rings and queues grow, and records.  A row is named by its address,
so ``m[e + KNOWN]`` is a field of end ``e``.  The helpers are given the words without the array, for Numba counts the
references to an array at each call, and to count the processor waits for all that is on its way from memory: that took
a third of the time.  (A tuple of tables for stages, ends and so on ran at a tenth of the speed, and took three times as
long to compile.)

Everything that Numba compiles stands in this one file, the places of the fields too: its cache on disk
notices a change of the file of the function only, and a stale kernel would read the wrong words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.jit import entry, helper, inlined, leading_zeros, prefetch, trailing_zeros, words_of

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEVER = np.iinfo(np.int64).max
NONE = -1

# Two numbers of up to 31 bits in one word: addresses, masks, counts.
HALF = 32
LOW = (1 << HALF) - 1

# The queue of times: level k has one slot for each value of the k-th group of twelve bits of a time, not counting the
# lowest BUCKET bits.  Slots are marked by a bit each, in words of 64, and words that are not zero by a bit each.
BUCKET = 8
DIGIT = 12
SLOTS = 1 << DIGIT
LEVELS = 5
WORD = 6
WORDS = SLOTS >> WORD

# The header.  USED words are in use, of the SIZE up to the end of the pool; FULL says that more were wanted.  Records
# are kept of the window from SINCE to UNTIL, LEFT more of them; TOKENS says that some are of ends or hops.
STAGES_FROM, STAGES_TO, KEYS_TO, STACK, TOKENS, USED, SIZE, FULL, MAKESPAN, HOPS_FROM, HOP_TAPES = range(11)
SINCE, UNTIL, LEFT = range(11, 14)
GIVEN_BACK, FRESH = 14, 15  # nodes: the first of those that were used before, the first of the others
LARGE = 16  # the state is larger than what the cache holds of it
FANS_FROM = 17  # hops stand before stages, those before ends, and those before fans
ENDS_FROM, END_TAPES, END_TALLIES = range(18, 21)
LEVEL_MARKS = 21  # bit k: level k is not empty
WORD_MARKS = 22
SLOT_MARKS = WORD_MARKS + LEVELS
QUEUE_SLOTS = SLOT_MARKS + LEVELS * WORDS
HEADER = QUEUE_SLOTS + LEVELS * SLOTS
POOL_FULL, TOO_MANY_RECORDS = 1, 2

# A node of the queue: a time, and in one word the row that waits for it and the next node in the same slot.
TIME, ROW_NEXT = 0, 1
NODE = 2

# A row of so many words begins where a line of the cache does; what is used together stands in one line.
#
# A stage.  T_IN and T_OUT are when the last known input and output condition of the coming firing comes true,
# IN_END and OUT_END which end that is, MISSING how many conditions are not known yet.  A word of INS holds where a list
# begins and ends, OUTS the first flow of the stage and a place in a table of emissions.  INTERVAL and LATENCY are
# places in tables.
TO_FIRE, READY, T_IN, IN_END, T_OUT, OUT_END, MISSING, STAGE_TAPE = range(8)
INS, OUTS, INTERVAL, LATENCY, FIRST, LAST, STARVED, BLOCKED = range(8, 16)
STAGE_ROW = 16

# A flow.  EMITTED includes the initial tokens.  Words of ENDS, ROOTS and DIRECT hold where they begin and end: a root
# is a first hop, a direct end hangs on no hop.
EMITTED, LEFT_AT, ENDS, ROOTS, DIRECT = range(5)
FLOW_ROW = 8

# An end.  All that a delivery touches is in the first line, the first ring of delivery times too: KNOWN counts the
# tokens, initial ones included, whose delivery time is known; AWAITED is the token that a firing waits for; the first
# word names the stage at the end, and the source of the flow.
# All that a firing touches is in the second, of the stage at the end as of the flow's source.  CHANGE is a place in a
# table of changes, NEED what the coming firing needs, and FREES the total that it frees.  Freed totals have the
# capacity in them, so they are what may be emitted; WANTED is what a firing waits for, FREED comes at FREED_AT,
# FREED_BEFORE has come.
STAGE_SOURCE, KNOWN, AWAITED, RING_MASK, FIRST_RING = range(5)
RING_SIZE = 4
CHANGE, NEED, FREES, FREED_BEFORE, FREED, FREED_AT, WANTED, PEAK = range(8, 16)
END_ROW = 16

# For how long firings waited for an end, in the order of ends.
WAITED, HELD = range(2)
TALLY_ROW = 2

# A hop.  WHEN is the arrival of the next WAITING tokens; BEHIND says how many more arrivals are in its queue.  At
# an orderly link there is no queue but ORDERLY, and the word is below 0.  ONWARD is what comes behind: a
# hop, an end, a fan or nothing; TIMES is where two times stand: for how long a token keeps the link busy, and how long
# after its start it reaches what is behind, unless that is a fan.  Half a line of the cache: the hops of a way follow
# each other, and most have one behind them.
WHEN, BEHIND_WAITING, QUEUE_LINK, ONWARD_TIMES = range(4)
SERVICE, DELAY = range(2)
HOP_ROW = 4
ORDERLY = -1

# A fan of several hops and ends behind a hop: a word with the last of them and where the fan ends, then one for each,
# with its address and the place of its delay.

# Tables.  Behind the values of a sequence stand WRAP and where they begin; so too behind the changes of need and freed
# total from each firing to the next, which share a word.  Of emissions each firing has how many
# flows get tokens, and a word for each of these, with its place among the stage's flows and the tokens; behind the last
# firing stand WRAP and where they begin.
WRAP = NEVER
PAST_VALUES = 2

# A queue of arrivals, made when a hop first needs one: pairs (arrival, tokens) in a ring.
QUEUE_FIRST, QUEUE_MASK, QUEUE_PAIRS = range(3)
FIRST_PAIRS = 4

# A link.
BUSY_UNTIL, LINK_WAITED = range(2)
LINK_ROW = 2

# A tape: how many records came before the window, the last one of those, then those in the window.  A word in the row
# of a stage, or of END_TAPES or HOP_TAPES, is the address of the last record written; NONE where none are wanted.  So
# many words each takes:
FIRING_RECORD = 4  # start, starved, blocked, the binding end
DELIVERY_RECORD = 1  # time
PASSAGE_RECORD = 2  # start, waited


_compiled = entry("the event loop", seconds=10)


@helper
def _take(m: Ints, cursor: int) -> int:
    """The value of a sequence at the place that the word ``cursor`` holds; the place moves on."""
    place = m[cursor]
    value: int = m[place]
    if value == WRAP:
        place = m[place + 1]
        value = m[place]
    m[cursor] = place + 1
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
# A radix heap in base 4096 over buckets of 256 ps.  A node stands at the level of the highest digit in which its time
# differs from the present, in the slot of that digit, so the lowest marked slot of the lowest marked level holds the
# earliest time, and a node moves down at most once a digit, most of them never.  What is in one bucket is sorted when
# its time has come: a few rows as a rule.  It needs `time >= now` and no tuning.  There are never more nodes than rows
# wait, and those that come free are used again, so they stay in the cache, which most rows do not: no row is touched
# until its time has come.


@helper
def _insert(m: Ints, now: int, row: int, time: int) -> None:
    """Let ``row`` wait for ``time``."""
    node = m[GIVEN_BACK]
    if node == 0:
        node = m[FRESH]
        m[FRESH] = node + NODE
    else:
        m[GIVEN_BACK] = m[node + ROW_NEXT]
    m[node + TIME] = time
    _file(m, now, node, time, row)


@helper
def _file(m: Ints, now: int, node: int, time: int, row: int) -> None:
    """Put a node where its time belongs."""
    level = (63 - leading_zeros((time ^ now) >> BUCKET | (SLOTS - 1))) // DIGIT
    digit = time >> (DIGIT * level + BUCKET) & (SLOTS - 1)
    slot = QUEUE_SLOTS + level * SLOTS + digit
    m[node + ROW_NEXT] = row << HALF | m[slot]
    m[slot] = node
    word = digit >> WORD
    m[SLOT_MARKS + level * WORDS + word] |= 1 << (digit & 63)
    m[WORD_MARKS + level] |= 1 << word
    m[LEVEL_MARKS] |= 1 << level


@helper
def _empty(m: Ints, level: int) -> int:
    """Take out the list of nodes in the first slot of a level that is not empty."""
    words = m[WORD_MARKS + level]
    word = trailing_zeros(words)
    marks = m[SLOT_MARKS + level * WORDS + word]
    slot = QUEUE_SLOTS + level * SLOTS + (word << WORD) + trailing_zeros(marks)
    marks &= marks - 1
    m[SLOT_MARKS + level * WORDS + word] = marks
    if marks == 0:
        words &= words - 1
        m[WORD_MARKS + level] = words
        if words == 0:
            m[LEVEL_MARKS] ^= 1 << level
    node: int = m[slot]
    m[slot] = 0
    return node


@helper
def _first_bucket(m: Ints) -> int:
    """Take out the list of nodes of the first bucket; 0 when all is empty."""
    while m[LEVEL_MARKS] != 0:
        level = trailing_zeros(m[LEVEL_MARKS])
        node = _empty(m, level)
        if level == 0:
            return node
        begin = m[node + TIME] >> (DIGIT * level + BUCKET) << (DIGIT * level + BUCKET)
        while node != 0:
            row = m[node + ROW_NEXT] >> HALF
            after = m[node + ROW_NEXT] & LOW
            _ask_for_row(m, row)
            _file(m, begin, node, m[node + TIME], row)
            node = after
    return 0


@helper
def _write_keys(m: Ints, node: int, key: int) -> int:
    """Write down the time in its bucket and the row of each node of a list, before the keys that begin at ``key``, and
    give the nodes back; where the keys begin now.  What has come last stands first in a list and is late as a rule, so
    that keys which are written backwards are almost in order."""
    while node != 0:
        row_next = m[node + ROW_NEXT]
        key -= 1
        m[key] = (m[node + TIME] & ((1 << BUCKET) - 1)) << HALF | row_next >> HALF
        m[node + ROW_NEXT] = m[GIVEN_BACK]
        m[GIVEN_BACK] = node
        node = row_next & LOW
    return key


@helper
def _sort(m: Ints, begin: int, past: int) -> None:
    """Shell sort: short lists are the rule, long ones (all in step) must not cost the square."""
    gap = 1
    while gap < (past - begin) // 8:
        gap = 3 * gap + 1
    while gap > 1:
        _sort_by(m, begin, past, gap)
        gap //= 3
    _sort_by(m, begin, past, 1)


@helper
def _sort_by(m: Ints, begin: int, past: int, gap: int) -> None:
    """Sort the keys that are ``gap`` places from each other."""
    for i in range(begin + gap, past):
        key = m[i]
        j = i
        while j - gap >= begin and m[j - gap] > key:
            m[j] = m[j - gap]
            j -= gap
        m[j] = key


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
    ins = m[s + INS]
    for i in range(ins >> HALF, ins & LOW):
        e = m[i]
        change = _take(m, e + CHANGE)
        need = m[e + NEED] + (change >> HALF)
        m[e + NEED] = need
        m[e + FREES] += change & LOW
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
    outs = m[s + OUTS]
    place = outs & LOW
    if m[place] == WRAP:
        m[s + OUTS] = outs - place + m[place + 1]
        place = m[place + 1]
    for i in range(place + 1, place + 1 + m[place]):
        f = (outs >> HALF) + (m[i] >> HALF)
        tokens = m[i] & LOW
        emitted = m[f + EMITTED] + tokens
        ends = m[f + ENDS]
        for e in range(ends >> HALF, ends & LOW, END_ROW):
            if emitted > m[e + FREED]:
                m[e + WANTED] = emitted
                missing += 1
            elif emitted > m[e + FREED_BEFORE] and m[e + FREED_AT] > t_out:
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
def _tally(m: Ints, e: int) -> int:
    """Where the waiting for end ``e`` is added up."""
    place: int = m[END_TALLIES] + (e - m[ENDS_FROM]) // END_ROW * TALLY_ROW
    return place


@helper
def _account(m: Ints, s: int, start: int) -> None:
    """The waiting of the firing that starts (rule 7)."""
    starved = m[s + T_IN] - m[s + READY]
    blocked = start - m[s + T_IN]
    bound = NONE
    if starved > 0:
        bound = m[s + IN_END]
        m[_tally(m, bound) + WAITED] += starved
        m[s + STARVED] += starved
    if blocked > 0:
        bound = m[s + OUT_END]
        m[_tally(m, bound) + HELD] += blocked
        m[s + BLOCKED] += blocked
    if m[s + FIRST] == NONE:
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
    ins = m[s + INS]
    for i in range(ins >> HALF, ins & LOW):
        e = m[i]
        freed = m[e + FREES]
        m[e + FREED_BEFORE] = m[e + FREED]
        m[e + FREED] = freed
        m[e + FREED_AT] = time
        if m[e + WANTED] <= freed:
            m[e + WANTED] = NEVER
            _learn(m, now, m[e + STAGE_SOURCE] & LOW, T_OUT, e, time)


@helper
def _emit(m: Ints, now: int, s: int, leave: int) -> None:
    """Reserve the room of the tokens of the firing that starts, and send them off at ``leave`` or later."""
    outs = m[s + OUTS]
    place = outs & LOW
    past = place + 1 + m[place]
    m[s + OUTS] = outs - place + past
    for i in range(place + 1, past):
        f = (outs >> HALF) + (m[i] >> HALF)
        tokens = m[i] & LOW
        if tokens == 0:
            continue
        emitted = m[f + EMITTED] + tokens
        m[f + EMITTED] = emitted
        ends = m[f + ENDS]
        for e in range(ends >> HALF, ends & LOW, END_ROW):
            freed = m[e + FREED] if m[e + FREED_AT] <= now else m[e + FREED_BEFORE]
            m[e + PEAK] = max(m[e + PEAK], emitted - freed)
        time = max(leave, m[f + LEFT_AT])
        m[f + LEFT_AT] = time
        direct = m[f + DIRECT]
        for j in range(direct >> HALF, direct & LOW):
            for _ in range(tokens):
                _deliver(m, now, m[j], time)
        roots = m[f + ROOTS]
        for h in range(roots >> HALF, roots & LOW, HOP_ROW):
            if m[h + QUEUE_LINK] < 0:
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
    m[s + TO_FIRE] -= 1
    _free(m, now, s, now + interval)
    _emit(m, now, s, output)
    if m[s + TO_FIRE] > 0:
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


@inlined
def _deliver(m: Ints, now: int, e: int, time: int) -> None:
    """The next token of end ``e`` is delivered at ``time``."""
    token = m[e + KNOWN] + 1
    if m[_ring(m, e, token)] > now:
        _widen_ring(m, e)
    m[_ring(m, e, token)] = time
    m[e + KNOWN] = token
    if m[TOKENS]:
        record = _record(m, m[END_TAPES] + (e - m[ENDS_FROM]) // END_ROW, time, DELIVERY_RECORD)
        if record != NONE:
            m[record] = time
    if token == m[e + AWAITED]:
        m[e + AWAITED] = NEVER
        _learn(m, now, m[e + STAGE_SOURCE] >> HALF, T_IN, e, time)


@helper
def _widen_queue(m: Ints, h: int, behind: int) -> None:
    """Room for twice the arrivals behind the first at hop ``h``, or for the first few."""
    queue = m[h + QUEUE_LINK] >> HALF
    pairs = 2 * behind if behind > 0 else FIRST_PAIRS
    wider = _reserve(m, QUEUE_PAIRS + 2 * pairs)
    if wider != NONE:
        for pair in range(behind):
            place = _pair(m, queue, pair)
            m[wider + QUEUE_PAIRS + 2 * pair] = m[place]
            m[wider + QUEUE_PAIRS + 2 * pair + 1] = m[place + 1]
        m[wider + QUEUE_FIRST] = 0
        m[wider + QUEUE_MASK] = pairs - 1
        m[h + QUEUE_LINK] = wider << HALF | m[h + QUEUE_LINK] & LOW


@helper
def _pair(m: Ints, queue: int, number: int) -> int:
    """Where a pair of a queue stands."""
    place: int = queue + QUEUE_PAIRS + 2 * ((m[queue + QUEUE_FIRST] + number) & m[queue + QUEUE_MASK])
    return place


@inlined
def _arrive(m: Ints, now: int, h: int, time: int, tokens: int) -> None:
    """The heads of ``tokens`` tokens will reach the shared link of hop ``h`` at ``time``."""
    behind_waiting = m[h + BEHIND_WAITING]
    if behind_waiting == 0:
        m[h + BEHIND_WAITING] = tokens
        m[h + WHEN] = time
        _insert(m, now, h, time)
        return
    behind = behind_waiting >> HALF
    queue = m[h + QUEUE_LINK] >> HALF
    if queue == 0 or behind > m[queue + QUEUE_MASK]:
        _widen_queue(m, h, behind)
        if m[FULL] != 0:  # there may be no queue to write to
            return
        queue = m[h + QUEUE_LINK] >> HALF
    place = _pair(m, queue, behind)
    m[place] = time
    m[place + 1] = tokens
    m[h + BEHIND_WAITING] = behind_waiting + (1 << HALF)


@helper
def _next_arrival(m: Ints, h: int) -> int:
    """Take out the tokens that wait at hop ``h``, and let the next arrival wait; how many they were."""
    behind_waiting = m[h + BEHIND_WAITING]
    if behind_waiting > LOW:
        queue = m[h + QUEUE_LINK] >> HALF
        place = _pair(m, queue, 0)
        m[h + WHEN] = m[place]
        m[h + BEHIND_WAITING] = ((behind_waiting >> HALF) - 1) << HALF | m[place + 1]
        m[queue + QUEUE_FIRST] = (m[queue + QUEUE_FIRST] + 1) & m[queue + QUEUE_MASK]
    else:
        m[h + BEHIND_WAITING] = 0
    tokens: int = behind_waiting & LOW
    return tokens


@inlined
def _reach(m: Ints, now: int, place: int, time: int, past: int) -> int:
    """One token reaches a hop or an end at ``time``; a hop at an orderly link is put on the stack, which then ends at
    ``past``."""
    if place >= m[STAGES_FROM]:
        _deliver(m, now, place, time)
    elif m[place + QUEUE_LINK] < 0:
        m[past] = place
        m[past + 1] = time
        return past + 2
    else:
        _arrive(m, now, place, time, 1)
    return past


@inlined
def _cross(m: Ints, now: int, h: int, time: int) -> None:
    """One token reaches hop ``h`` at ``time``; with it all hops at orderly links behind, without recursion."""
    stack = past = m[STACK]
    while True:
        link = m[h + QUEUE_LINK] & LOW
        times = m[h + ONWARD_TIMES] & LOW
        start = max(time, m[link + BUSY_UNTIL])
        m[link + BUSY_UNTIL] = start + m[times + SERVICE]
        m[link + LINK_WAITED] += start - time
        if m[TOKENS]:
            record = _record(m, m[HOP_TAPES] + (h - m[HOPS_FROM]) // HOP_ROW, start, PASSAGE_RECORD)
            if record != NONE:
                m[record] = start
                m[record + 1] = start - time
        onward = m[h + ONWARD_TIMES] >> HALF
        if onward >= m[FANS_FROM]:
            for j in range(onward + 1, m[onward] & LOW):
                past = _reach(m, now, m[j] >> HALF, start + m[m[j] & LOW], past)
        elif onward != 0:
            past = _reach(m, now, onward, start + m[times + DELAY], past)
        if past == stack:
            return
        past -= 2
        h = m[past]
        time = m[past + 1]


@helper
def _serve(m: Ints, now: int, h: int) -> None:
    """All tokens whose heads reach the shared link of hop ``h`` now; then wait for the next one."""
    while m[h + BEHIND_WAITING] != 0:
        if m[h + WHEN] > now:
            _insert(m, now, h, m[h + WHEN])
            break
        for _ in range(_next_arrival(m, h)):
            _cross(m, now, h, now)


# On a large board all that an event touches must come from memory.  It is asked for in three steps, each of which finds
# there what the one before has asked for: the rows of the bucket after the next, what those of the next one point to,
# and what stands behind that.


@helper
def _look_ahead(m: Ints) -> None:
    """Ask for what the next bucket and the one after it will touch."""
    words = m[WORD_MARKS]
    if words == 0:
        return
    word = trailing_zeros(words)
    marks = m[SLOT_MARKS + word]
    slots = QUEUE_SLOTS + (word << WORD)
    later = marks & (marks - 1)
    if later != 0:
        node = m[slots + trailing_zeros(later)]
        while node != 0:
            _ask_for_row(m, m[node + ROW_NEXT] >> HALF)
            node = m[node + ROW_NEXT] & LOW
    node = m[slots + trailing_zeros(marks)]
    while node != 0:
        row = m[node + ROW_NEXT] >> HALF
        if row < m[STAGES_FROM]:
            prefetch(m, m[row + QUEUE_LINK] & LOW)
            prefetch(m, m[row + ONWARD_TIMES] >> HALF)
        else:
            _ask_for_ends(m, row)
        node = m[node + ROW_NEXT] & LOW


@helper
def _ask_for_row(m: Ints, row: int) -> None:
    prefetch(m, row)
    if row >= m[STAGES_FROM]:
        prefetch(m, row + INS)


@helper
def _ask_for_ends(m: Ints, s: int) -> None:
    """Ask for what the coming firing of stage ``s`` will touch: its inputs, and the ends and first hops of the flows
    that get tokens."""
    ins = m[s + INS]
    for i in range(ins >> HALF, ins & LOW):
        prefetch(m, m[i])
        prefetch(m, m[i] + CHANGE)
    outs = m[s + OUTS]
    place = outs & LOW
    if m[place] == WRAP:
        place = m[place + 1]
    for i in range(place + 1, place + 1 + m[place]):
        f = (outs >> HALF) + (m[i] >> HALF)
        ends = m[f + ENDS]
        for e in range(ends >> HALF, ends & LOW, END_ROW):
            prefetch(m, e + CHANGE)
        prefetch(m, m[f + ROOTS] >> HALF)


@helper
def _ask_for_what_is_behind(m: Ints, key: int, past: int) -> None:
    """Ask for what stands behind the hops among the keys from ``key`` on: the stage of an end, or the last branch of a
    fan, which have the same place in their rows."""
    for i in range(key, past):
        row = m[i] & LOW
        if row < m[STAGES_FROM]:
            prefetch(m, m[m[row + ONWARD_TIMES] >> HALF] >> HALF)


@helper
def _work_off(m: Ints, node: int) -> None:
    """All that happens in one bucket, by time and row; ``node`` begins the list of what waits for it."""
    bucket = m[node + TIME] >> BUCKET
    slot = QUEUE_SLOTS + (bucket & (SLOTS - 1))
    past = m[KEYS_TO]
    key = _write_keys(m, node, past)
    _sort(m, key, past)
    if m[LARGE]:
        _ask_for_what_is_behind(m, key, past)
    while key < past:
        since = m[key] >> HALF
        now = (bucket << BUCKET) + since
        row = m[key] & LOW
        key += 1
        if row < m[STAGES_FROM]:
            _serve(m, now, row)
        else:
            _fire(m, now, row)
        if m[slot] != 0 and (key == past or m[key] >> HALF > since):  # what comes later in the same bucket
            key = _write_keys(m, _first_bucket(m), key)
            _sort(m, key, past)


@_compiled
def simulate(state: Ints) -> bool:
    """Run until nothing can happen; False when it was given up, FULL says why, and the state is of no use."""
    m = words_of(state)
    for s in range(m[STAGES_FROM], m[STAGES_TO], STAGE_ROW):
        if m[s + TO_FIRE] > 0:
            _expect(m, 0, s, 0)
    while m[FULL] == 0:
        node = _first_bucket(m)
        if node == 0:
            return True
        if m[LARGE]:
            _look_ahead(m)
        _work_off(m, node)
    return False


@_compiled
def tabulate(m: Ints, pool: Ints, tables: Ints) -> tuple[Ints, int]:
    """Write the tables of the changes of needs and freed totals: each row of ``tables`` holds where, for how many
    firings, whether they are gone through more than once, and of need and freed total the first place in ``pool``, the
    period, the offset and the increment.  The need and freed total before the first firing, and the largest change."""
    before = np.empty((len(tables), 2), np.int64)
    largest = 0
    for t in range(len(tables)):
        begin, firings, again = tables[t, 0], tables[t, 1], tables[t, 2]
        for which in range(2):
            start, period = tables[t, 3 + 4 * which], tables[t, 4 + 4 * which]
            offset, increment = tables[t, 5 + 4 * which], tables[t, 6 + 4 * which]
            last = pool[start + period - 1] + offset - increment if again else pool[start] + offset
            before[t, which] = last
            k = 0
            for n in range(firings):
                total = pool[start + k] + offset
                largest = max(largest, abs(total - last))
                m[begin + n] += (total - last) << HALF * (1 - which)
                last = total
                k += 1
                if k == period:
                    k = 0
                    offset += increment
        m[begin + firings] = WRAP
        m[begin + firings + 1] = begin
    return before, largest


@_compiled
def breadth_first(flow_hop_ptr: Ints, hop_parent: Ints, hop_child_ptr: Ints, hop_child: Ints) -> Ints:
    """The row of each hop: flows stay in order, and in each the hops go by depth, those behind one hop together."""
    rows = np.empty(len(hop_parent), np.int64)
    hops = np.empty(len(hop_parent), np.int64)
    for f in range(len(flow_hop_ptr) - 1):
        past = flow_hop_ptr[f]
        for h in range(flow_hop_ptr[f], flow_hop_ptr[f + 1]):
            if hop_parent[h] == NONE:
                hops[past] = h
                past += 1
        for row in range(flow_hop_ptr[f], flow_hop_ptr[f + 1]):
            h = hops[row]
            rows[h] = row
            for i in range(hop_child_ptr[h], hop_child_ptr[h + 1]):
                hops[past] = hop_child[i]
                past += 1
    return rows


@_compiled
def listed(pool: Ints, start: Ints, period: Ints, offset: Ints, whole: Bools) -> tuple[Ints, Ints, Ints]:
    """The places at which each sequence is not 0, or all places where it is ``whole``, those of sequence q from
    ``begin[q]`` to ``begin[q + 1]``, and its values there."""
    begin = np.zeros(len(start) + 1, np.int64)
    places = np.empty(period.sum(), np.int64)
    values = np.empty(len(places), np.int64)
    n = 0
    for q in range(len(start)):
        for place in range(period[q]):
            value = pool[start[q] + place] + offset[q]
            if value != 0 or whole[q]:
                places[n] = place
                values[n] = value
                n += 1
        begin[q + 1] = n
    return begin, places[:n], values[:n]
