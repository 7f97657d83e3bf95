"""The compiled flit-level network: the cycle of :mod:`archsim.noc.reference` over one array of words.

The two give the same results flit by flit.  The whole state is one int64 array, ``m``: a header and rows of fields.  A
row is named by its address, so ``m[box + FILL]`` is a field of a virtual channel; a *box* is a virtual channel of a
channel with its buffer.  (A tuple of tables ran at a tenth of the speed: Numba counts references at each use.)  What is
looked at in a cycle are the set bits of two words a channel: the virtual channels whose packet asks for a virtual
channel, and those whose packet asks for the switch.

The places of the fields stand here because Numba's cache notices a change of this file only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.jit import entry, helper, trailing_zeros

Ints = NDArray[np.int64]

NONE = -1
SEND, ALLOCATE, SWITCH, ARRIVE = range(4)

# The header: keys of the router, where the tables are, how far the run is, counts.
VCS, WAYS, DEPTH, SLOTS, WAIT_FOR_TAIL, ROUTING, VC_ALLOCATION, WINDOW_START, WINDOW_END = range(9)
CHANNELS, ROUTERS, ROUTERS_END, TERMINALS, TERMINALS_END, PACKETS, WHEEL, WHEEL_ROW = range(9, 17)
HEAP, OUTPUTS, REQUESTS, LABELS, TRACE, TRACE_ROOM, KNOWN, KNOWN_END = range(17, 25)
AWAKE, LEFT, RELEASED, TRACED, CYCLE = range(25, 30)
FLITS_CREATED, FLITS_INJECTED, FLITS_EJECTED, BUFFER_WRITES, BUFFER_READS = range(30, 35)
CROSSBAR_FLITS, VC_REQUESTS, VC_GRANTS, SWITCH_REQUESTS, SWITCH_GRANTS = range(35, 40)
HEADER = 40

# A channel.  TO is the router at its end, NONE at a terminal, which is then END.  ASKS_VC and ASKS_SWITCH have a bit
# for each virtual channel: its front packet lacks a virtual channel on some branch; it has one, and flits.
TO, END, FLIT_DELAY, CREDIT_DELAY, PERIOD, OUT_PLACE, FREE, VC_TURN = range(8)
ACCEPT, GRANT, ASKS_VC, ASKS_SWITCH, FLITS_SENT, BOXES = range(8, 14)
CHANNEL_ROW = 14

# A virtual channel of a channel: what the sender knows of it (CREDITS, OWNER, VC_GRANT), and its buffer.
CREDITS, OWNER, VC_GRANT, FRONT, FILL, PEAK, PACKET, BEGIN, RING, BRANCHES, BRANCHES_END, CHANNEL, BIT = range(13)
BOX_ROW = 13
# A flit in a ring.
FLIT_PACKET, FLIT, FLIT_STEP = range(3)
FLIT_ROW = 3
# A way on of the packet at the front of a buffer.
OUT, OUT_VC, SENT, READY, BRANCH_ACCEPT, BRANCH_STEP = range(6)
BRANCH_ROW = 6

# A router; its ports are lists of channels.
IN_FROM, IN_TO, OUT_FROM, OUT_TO, BUSY = range(5)
ROUTER_ROW = 5
# A step of a route; its children are a list of steps.
STEP_CHANNEL, LOW, HIGH, CHILD_FROM, CHILD_TO = range(5)
STEP_ROW = 5
# A packet; its followers are a list of packets.
FIRST, FLITS, DELAY, SOURCE, WAITS, FOLLOWER_FROM, FOLLOWER_TO, TAGGED = range(8)
ENDS_LEFT, CREATED, HEAD_SENT, DELIVERED, QUEUE_NEXT = range(8, 13)
PACKET_ROW = 13
# A terminal.
INJECTION, EJECTED, QUEUE_FIRST, QUEUE_LAST, SOURCE_VC, SOURCE_SENT, SOURCE_TURN = range(7)
TERMINAL_ROW = 7
# A slot of the wheel: how many flits and credits come in its cycle, then room for one flit (box, packet, flit, step) a
# channel, then for one credit (box, whether a tail's) a channel.
FLYING, RETURNING, FLIGHTS = range(3)
FLIGHT_ROW, CREDIT_ROW = 4, 2
# Scratch of the allocators.
BEST, DISTANCE, TOUCHED = range(3)
OUTPUT_ROW = 3
CHOICE, CHOICE_DISTANCE, CHOSEN, ASKING_BOX, ASKING_BRANCH = range(5)
REQUEST_ROW = 5
TRACE_ROW = 6


@helper
def _note(m: Ints, cycle: int, event: int, box: int, packet: int, flit: int) -> None:
    if m[TRACE_ROOM] == 0:
        return
    row = m[TRACE] + m[TRACED] * TRACE_ROW
    m[TRACED] += 1
    if m[TRACED] > m[TRACE_ROOM]:
        return
    channel = m[box + CHANNEL]
    m[row] = cycle
    m[row + 1] = event
    m[row + 2] = (channel - m[CHANNELS]) // CHANNEL_ROW
    m[row + 3] = (box - m[channel + BOXES]) // BOX_ROW
    m[row + 4] = (packet - m[PACKETS]) // PACKET_ROW
    m[row + 5] = flit


@helper
def _later(m: Ints, cycle: int) -> None:
    m[AWAKE] = max(m[AWAKE], cycle)


# --- Packets ----------------------------------------------------------------------------------------------


@helper
def _earlier(m: Ints, a: int, b: int) -> bool:
    """The order of released packets: by creation, then by number."""
    first: int = m[a + CREATED]
    second: int = m[b + CREATED]
    return first < second or (first == second and a < b)


@helper
def _release(m: Ints, packet: int) -> None:
    """Into the heap of packets that will be created."""
    heap, at = m[HEAP], m[RELEASED]
    m[RELEASED] = at + 1
    while at > 0 and _earlier(m, packet, m[heap + (at - 1) // 2]):
        m[heap + at] = m[heap + (at - 1) // 2]
        at = (at - 1) // 2
    m[heap + at] = packet


@helper
def _pop_released(m: Ints) -> int:
    heap, size = m[HEAP], m[RELEASED] - 1
    top: int = m[heap]
    m[RELEASED] = size
    moved = m[heap + size]
    at = 0
    while 2 * at + 1 < size:
        below = 2 * at + 1
        if below + 1 < size and _earlier(m, m[heap + below + 1], m[heap + below]):
            below += 1
        if not _earlier(m, m[heap + below], moved):
            break
        m[heap + at] = m[heap + below]
        at = below
    m[heap + at] = moved
    return top


@helper
def _next_creation(m: Ints) -> int:
    """The cycle of the next creation, NONE if there is none."""
    known: int = NONE
    if m[KNOWN] < m[KNOWN_END]:
        known = m[m[m[KNOWN]] + CREATED]
    if m[RELEASED] > 0:
        released: int = m[m[m[HEAP]] + CREATED]
        if known == NONE or released < known:
            return released
    return known


@helper
def _enqueue(m: Ints, packet: int) -> None:
    m[FLITS_CREATED] += m[packet + FLITS]
    terminal = m[packet + SOURCE]
    if m[terminal + QUEUE_FIRST] == NONE:
        m[terminal + QUEUE_FIRST] = packet
    else:
        m[m[terminal + QUEUE_LAST] + QUEUE_NEXT] = packet
    m[terminal + QUEUE_LAST] = packet


@helper
def _create(m: Ints, now: int) -> None:
    while m[KNOWN] < m[KNOWN_END] and m[m[m[KNOWN]] + CREATED] == now:
        _enqueue(m, m[m[KNOWN]])
        m[KNOWN] += 1
    while m[RELEASED] > 0 and m[m[m[HEAP]] + CREATED] == now:
        _enqueue(m, _pop_released(m))


@helper
def _deliver(m: Ints, now: int, packet: int) -> None:
    m[packet + ENDS_LEFT] -= 1
    if m[packet + ENDS_LEFT] > 0:
        return
    m[packet + DELIVERED] = now
    m[LEFT] -= m[packet + TAGGED]
    for at in range(m[packet + FOLLOWER_FROM], m[packet + FOLLOWER_TO]):
        other = m[at]
        m[other + WAITS] -= 1
        if m[other + WAITS] == 0:
            m[other + CREATED] = now + m[other + DELAY]
            _release(m, other)


# --- Channels and buffers ---------------------------------------------------------------------------------


@helper
def _launch(m: Ints, now: int, channel: int, box: int, packet: int, flit: int, step: int) -> None:
    """Put a flit on a channel: it takes a credit."""
    m[box + CREDITS] -= 1
    m[channel + FLITS_SENT] += 1
    free = now + m[channel + PERIOD]
    m[channel + FREE] = free
    when = now + m[channel + FLIT_DELAY]
    _later(m, max(free, when))
    slot = m[WHEEL] + when % m[SLOTS] * m[WHEEL_ROW]
    row = slot + FLIGHTS + m[slot + FLYING] * FLIGHT_ROW
    m[slot + FLYING] += 1
    m[row] = box
    m[row + 1] = packet
    m[row + 2] = flit
    m[row + 3] = step


@helper
def _give_credit(m: Ints, now: int, box: int, tail: bool) -> None:
    when = now + m[m[box + CHANNEL] + CREDIT_DELAY]
    _later(m, when)
    slot = m[WHEEL] + when % m[SLOTS] * m[WHEEL_ROW]
    row = slot + m[WHEEL_ROW] - (m[slot + RETURNING] + 1) * CREDIT_ROW
    m[slot + RETURNING] += 1
    m[row] = box
    m[row + 1] = tail


@helper
def _begin(m: Ints, box: int, now: int) -> None:
    """The head at the front of a buffer is looked at from cycle ``now`` on."""
    flit = m[box + RING] + m[box + FRONT] * FLIT_ROW
    step = m[flit + FLIT_STEP]
    m[box + PACKET] = m[flit + FLIT_PACKET]
    m[box + BEGIN] = now + m[ROUTING]
    _later(m, m[box + BEGIN])
    branch = m[box + BRANCHES]
    for at in range(m[step + CHILD_FROM], m[step + CHILD_TO]):
        m[branch + OUT] = m[m[at] + STEP_CHANNEL]
        m[branch + OUT_VC] = NONE
        m[branch + SENT] = 0
        m[branch + BRANCH_STEP] = m[at]
        branch += BRANCH_ROW
    m[box + BRANCHES_END] = branch
    channel = m[box + CHANNEL]
    m[channel + ASKS_VC] |= m[box + BIT]
    m[m[channel + TO] + BUSY] += 1


@helper
def _arrive(m: Ints, now: int, box: int, packet: int, flit: int, step: int) -> None:
    _note(m, now, ARRIVE, box, packet, flit)
    channel = m[box + CHANNEL]
    if m[channel + TO] == NONE:
        m[box + PEAK] = 1
        m[FLITS_EJECTED] += 1
        if m[WINDOW_START] <= now < m[WINDOW_END]:
            m[m[channel + END] + EJECTED] += 1
        tail = flit == m[packet + FLITS] - 1
        _give_credit(m, now, box, tail)
        if tail:
            _deliver(m, now, packet)
        return
    m[BUFFER_WRITES] += 1
    fill = m[box + FILL] + 1
    place = m[box + FRONT] + fill - 1
    if place >= m[DEPTH]:
        place -= m[DEPTH]
    row = m[box + RING] + place * FLIT_ROW
    m[row + FLIT_PACKET] = packet
    m[row + FLIT] = flit
    m[row + FLIT_STEP] = step
    m[box + FILL] = fill
    m[box + PEAK] = max(m[box + PEAK], fill)
    if m[box + PACKET] == NONE:
        _begin(m, box, now)
    elif fill == 1:
        m[channel + ASKS_SWITCH] |= m[box + BIT]


@helper
def _arrivals(m: Ints, now: int) -> None:
    """Flits and credits that come in this cycle."""
    slot = m[WHEEL] + now % m[SLOTS] * m[WHEEL_ROW]
    row = slot + FLIGHTS
    for _ in range(m[slot + FLYING]):
        _arrive(m, now, m[row], m[row + 1], m[row + 2], m[row + 3])
        row += FLIGHT_ROW
    m[slot + FLYING] = 0
    row = slot + m[WHEEL_ROW]
    for _ in range(m[slot + RETURNING]):
        row -= CREDIT_ROW
        box = m[row]
        m[box + CREDITS] += 1
        if m[WAIT_FOR_TAIL] and m[row + 1]:
            m[box + OWNER] = NONE
    m[slot + RETURNING] = 0


# --- Allocation of virtual channels -----------------------------------------------------------------------


@helper
def _ask_for_vcs(m: Ints, box: int, branch: int, request: int, inputs: int, touched: int) -> int:
    """Each free virtual channel that the branch may take keeps the next request from its pointer on."""
    m[VC_REQUESTS] += 1
    out, step = m[branch + OUT], m[branch + BRANCH_STEP]
    asking = m[REQUESTS] + request * REQUEST_ROW
    m[asking + ASKING_BOX] = box
    m[asking + ASKING_BRANCH] = branch
    wanted = m[out + BOXES] + m[step + LOW] * BOX_ROW
    first_output = m[out + OUT_PLACE] * m[VCS]
    for output in range(first_output + m[step + LOW], first_output + m[step + HIGH] + 1):
        if m[wanted + OWNER] == NONE:
            distance = request - m[wanted + VC_GRANT]
            if distance < 0:
                distance += inputs
            row = m[OUTPUTS] + output * OUTPUT_ROW
            if m[row + BEST] == NONE:
                m[m[OUTPUTS] + touched * OUTPUT_ROW + TOUCHED] = output
                touched += 1
                m[row + DISTANCE] = inputs
            if distance < m[row + DISTANCE]:
                m[row + BEST] = request
                m[row + DISTANCE] = distance
        wanted += BOX_ROW
    return touched


@helper
def _all_ask_for_vcs(m: Ints, now: int, router: int, inputs: int) -> int:
    """Every packet at the front of a buffer asks on the branches that lack a virtual channel."""
    touched, port_request = 0, 0
    for port in range(m[router + IN_FROM], m[router + IN_TO]):
        channel = m[port]
        bits = m[channel + ASKS_VC]
        while bits:
            vc = trailing_zeros(bits)
            bits &= bits - 1
            box = m[channel + BOXES] + vc * BOX_ROW
            if m[box + BEGIN] > now:
                continue
            request = port_request + vc * m[WAYS]
            for branch in range(m[box + BRANCHES], m[box + BRANCHES_END], BRANCH_ROW):
                if m[branch + OUT_VC] == NONE:
                    touched = _ask_for_vcs(m, box, branch, request, inputs, touched)
                request += 1
        port_request += m[VCS] * m[WAYS]
    return touched


@helper
def _choose(m: Ints, request: int, output: int, distance: int, chosen: int) -> int:
    """A request keeps the nearest of the outputs that grant it."""
    row = m[REQUESTS] + request * REQUEST_ROW
    if m[row + CHOICE] == NONE:
        m[m[REQUESTS] + chosen * REQUEST_ROW + CHOSEN] = request
        chosen += 1
    elif distance >= m[row + CHOICE_DISTANCE]:
        return chosen
    m[row + CHOICE] = output
    m[row + CHOICE_DISTANCE] = distance
    return chosen


@helper
def _take_vc(m: Ints, now: int, box: int, branch: int, vc: int) -> int:
    """Give a virtual channel of its output to a branch; returns the virtual channel's row."""
    taken: int = m[m[branch + OUT] + BOXES] + vc * BOX_ROW
    m[taken + OWNER] = m[box + PACKET]
    m[branch + OUT_VC] = vc
    m[branch + READY] = now + m[VC_ALLOCATION]
    _later(m, m[branch + READY])
    m[VC_GRANTS] += 1
    _note(m, now, ALLOCATE, taken, m[box + PACKET], 0)
    channel = m[box + CHANNEL]
    m[channel + ASKS_SWITCH] |= m[box + BIT]
    for other in range(m[box + BRANCHES], m[box + BRANCHES_END], BRANCH_ROW):
        if m[other + OUT_VC] == NONE:
            return taken
    m[channel + ASKS_VC] &= ~m[box + BIT]
    return taken


@helper
def _allocate_vcs(m: Ints, now: int, router: int) -> None:
    """One iteration of iSLIP; the pointers move only behind what was accepted."""
    inputs = (m[router + IN_TO] - m[router + IN_FROM]) * m[VCS] * m[WAYS]
    outputs = (m[router + OUT_TO] - m[router + OUT_FROM]) * m[VCS]
    touched = _all_ask_for_vcs(m, now, router, inputs)
    chosen = 0
    for at in range(touched):
        output = m[m[OUTPUTS] + at * OUTPUT_ROW + TOUCHED]
        row = m[OUTPUTS] + output * OUTPUT_ROW
        request = m[row + BEST]
        m[row + BEST] = NONE
        distance = output - m[m[m[REQUESTS] + request * REQUEST_ROW + ASKING_BRANCH] + BRANCH_ACCEPT]
        chosen = _choose(m, request, output, distance if distance >= 0 else distance + outputs, chosen)
    for at in range(chosen):
        request = m[m[REQUESTS] + at * REQUEST_ROW + CHOSEN]
        row = m[REQUESTS] + request * REQUEST_ROW
        output = m[row + CHOICE]
        m[row + CHOICE] = NONE
        branch = m[row + ASKING_BRANCH]
        taken = _take_vc(m, now, m[row + ASKING_BOX], branch, output % m[VCS])
        m[taken + VC_GRANT] = (request + 1) % inputs
        m[branch + BRANCH_ACCEPT] = (output + 1) % outputs


# --- Allocation of the switch -----------------------------------------------------------------------------


@helper
def _may_go(m: Ints, now: int, box: int, branch: int) -> bool:
    """Whether a branch has a virtual channel, a flit, a credit and a free channel."""
    if m[branch + OUT_VC] == NONE or m[branch + READY] > now:
        return False
    sent = m[branch + SENT]
    if sent == m[m[box + PACKET] + FLITS]:
        return False
    if sent - m[m[box + RING] + m[box + FRONT] * FLIT_ROW + FLIT] >= m[box + FILL]:
        return False
    out = m[branch + OUT]
    free: bool = m[out + FREE] <= now
    credits: bool = m[m[out + BOXES] + m[branch + OUT_VC] * BOX_ROW + CREDITS] > 0
    return free and credits


@helper
def _port_asks_for_switch(m: Ints, now: int, channel: int, place: int, inputs: int, outputs: int, touched: int) -> int:
    """For each output, the virtual channel next in turn asks; each output keeps the next input from its pointer on."""
    labels = m[LABELS] + place * outputs
    for output in range(outputs):
        m[labels + output] = NONE
    bits = m[channel + ASKS_SWITCH]
    while bits:
        vc = trailing_zeros(bits)
        bits &= bits - 1
        box = m[channel + BOXES] + vc * BOX_ROW
        turn = vc - m[channel + VC_TURN]
        if turn < 0:
            turn += m[VCS]
        for branch in range(m[box + BRANCHES], m[box + BRANCHES_END], BRANCH_ROW):
            if _may_go(m, now, box, branch):
                way = (branch - m[box + BRANCHES]) // BRANCH_ROW
                m[SWITCH_REQUESTS] += 1
                out = m[branch + OUT]
                output = m[out + OUT_PLACE]
                label = (turn * m[VCS] + vc) * m[WAYS] + way
                if m[labels + output] == NONE:
                    distance = place - m[out + GRANT]
                    if distance < 0:
                        distance += inputs
                    row = m[OUTPUTS] + output * OUTPUT_ROW
                    if m[row + BEST] == NONE:
                        m[m[OUTPUTS] + touched * OUTPUT_ROW + TOUCHED] = output
                        touched += 1
                        m[row + DISTANCE] = inputs
                    if distance < m[row + DISTANCE]:
                        m[row + BEST] = place
                        m[row + DISTANCE] = distance
                    m[labels + output] = label
                elif label < m[labels + output]:
                    m[labels + output] = label
    return touched


@helper
def _allocate_switch(m: Ints, now: int, router: int) -> None:
    """One iteration of iSLIP between inputs and outputs."""
    start = m[router + IN_FROM]
    inputs = m[router + IN_TO] - start
    outputs = m[router + OUT_TO] - m[router + OUT_FROM]
    touched = 0
    for place in range(inputs):
        channel = m[start + place]
        if m[channel + ASKS_SWITCH]:
            touched = _port_asks_for_switch(m, now, channel, place, inputs, outputs, touched)
    chosen = 0
    for at in range(touched):
        output = m[m[OUTPUTS] + at * OUTPUT_ROW + TOUCHED]
        row = m[OUTPUTS] + output * OUTPUT_ROW
        place = m[row + BEST]
        m[row + BEST] = NONE
        distance = output - m[m[start + place] + ACCEPT]
        chosen = _choose(m, place, output, distance if distance >= 0 else distance + outputs, chosen)
    for at in range(chosen):
        place = m[m[REQUESTS] + at * REQUEST_ROW + CHOSEN]
        row = m[REQUESTS] + place * REQUEST_ROW
        output = m[row + CHOICE]
        m[row + CHOICE] = NONE
        channel = m[start + place]
        label = m[m[LABELS] + place * outputs + output]
        vc = label // m[WAYS] % m[VCS]
        box = m[channel + BOXES] + vc * BOX_ROW
        m[channel + ACCEPT] = output + 1 if output + 1 < outputs else 0
        m[channel + VC_TURN] = vc + 1 if vc + 1 < m[VCS] else 0
        m[m[m[router + OUT_FROM] + output] + GRANT] = place + 1 if place + 1 < inputs else 0
        _go(m, now, box, m[box + BRANCHES] + label % m[WAYS] * BRANCH_ROW)


@helper
def _go(m: Ints, now: int, box: int, branch: int) -> None:
    """The next flit of a branch is read from its buffer and crosses the switch."""
    packet, flit, out = m[box + PACKET], m[branch + SENT], m[branch + OUT]
    out_box = m[out + BOXES] + m[branch + OUT_VC] * BOX_ROW
    m[SWITCH_GRANTS] += 1
    m[BUFFER_READS] += 1
    m[CROSSBAR_FLITS] += 1
    _note(m, now, SWITCH, out_box, packet, flit)
    _launch(m, now, out, out_box, packet, flit, m[branch + BRANCH_STEP])
    m[branch + SENT] = flit + 1
    length = m[packet + FLITS]
    if flit + 1 == length and not m[WAIT_FOR_TAIL]:
        m[out_box + OWNER] = NONE
    front = m[m[box + RING] + m[box + FRONT] * FLIT_ROW + FLIT]
    for other in range(m[box + BRANCHES], m[box + BRANCHES_END], BRANCH_ROW):
        if m[other + SENT] <= front:
            return
    m[box + FRONT] = m[box + FRONT] + 1 if m[box + FRONT] + 1 < m[DEPTH] else 0
    m[box + FILL] -= 1
    tail = front == length - 1
    _give_credit(m, now, box, tail)
    channel = m[box + CHANNEL]
    if m[box + FILL] == 0 or tail:
        m[channel + ASKS_SWITCH] &= ~m[box + BIT]
    if tail:
        m[box + PACKET] = NONE
        m[m[channel + TO] + BUSY] -= 1
        if m[box + FILL] > 0:
            _begin(m, box, now + 1)


# --- Sources ----------------------------------------------------------------------------------------------


@helper
def _source_vc(m: Ints, now: int, terminal: int, packet: int) -> bool:
    """The next free virtual channel in turn for the packet at the head of the queue."""
    step, boxes = m[packet + FIRST], m[m[terminal + INJECTION] + BOXES]
    nearest = m[VCS]
    for vc in range(m[step + LOW], m[step + HIGH] + 1):
        distance = vc - m[terminal + SOURCE_TURN]
        if distance < 0:
            distance += m[VCS]
        box = boxes + vc * BOX_ROW
        if distance < nearest and m[box + OWNER] == NONE and m[box + CREDITS] > 0:
            nearest = distance
            m[terminal + SOURCE_VC] = vc
    if nearest == m[VCS]:
        return False
    vc = m[terminal + SOURCE_VC]
    m[terminal + SOURCE_TURN] = (vc + 1) % m[VCS]
    m[boxes + vc * BOX_ROW + OWNER] = packet
    m[packet + HEAD_SENT] = now
    return True


@helper
def _send(m: Ints, now: int, terminal: int) -> None:
    """A source sends one packet after the other, a flit a cycle; each takes the next free virtual channel."""
    packet = m[terminal + QUEUE_FIRST]
    if m[terminal + SOURCE_VC] == NONE and not _source_vc(m, now, terminal, packet):
        return
    channel = m[terminal + INJECTION]
    box = m[channel + BOXES] + m[terminal + SOURCE_VC] * BOX_ROW
    if m[box + CREDITS] == 0 or m[channel + FREE] > now:
        return
    flit = m[terminal + SOURCE_SENT]
    _note(m, now, SEND, box, packet, flit)
    m[FLITS_INJECTED] += 1
    _launch(m, now, channel, box, packet, flit, m[packet + FIRST])
    m[terminal + SOURCE_SENT] = flit + 1
    if flit + 1 == m[packet + FLITS]:
        if not m[WAIT_FOR_TAIL]:
            m[box + OWNER] = NONE
        m[terminal + QUEUE_FIRST] = m[packet + QUEUE_NEXT]
        m[terminal + SOURCE_VC] = NONE
        m[terminal + SOURCE_SENT] = 0


@entry("the flit-level network", 8)
def simulate(m: Ints, until: int) -> None:
    """Run until no tagged packet is left, nothing can happen any more, or cycle ``until``."""
    now = _next_creation(m)
    while now != NONE and now < until:
        _create(m, now)
        _arrivals(m, now)
        for router in range(m[ROUTERS], m[ROUTERS_END], ROUTER_ROW):
            if m[router + BUSY] > 0:
                _allocate_vcs(m, now, router)
                _allocate_switch(m, now, router)
        for terminal in range(m[TERMINALS], m[TERMINALS_END], TERMINAL_ROW):
            if m[terminal + QUEUE_FIRST] != NONE:
                _send(m, now, terminal)
        m[CYCLE] = now
        if m[LEFT] == 0:
            break
        now = now + 1 if m[AWAKE] > now else _next_creation(m)
