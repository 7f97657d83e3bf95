"""The flit-level network in plain Python, to be read beside ``docs/noc.md``; the compiled engine gives the same.

In each cycle, in this order: packets are created; flits and credits arrive; every router allocates virtual channels,
then its switch; every source sends.  What one of these does is seen by another router a cycle later at the earliest, so
the order of routers and sources does not matter.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from archsim.noc.fabric import TERMINAL, Fabric
from archsim.noc.packets import COUNTS, EVENTS, NEVER, FlitRun, Packets

__all__ = ["run"]

SEND, ALLOCATE, SWITCH, ARRIVE = range(len(EVENTS))


@dataclass
class Branch:
    """One way on for the packet at the front of a buffer: a step of its route."""

    step: int
    channel: int
    vc: int | None = None
    ready: int = 0
    """The first cycle in which it may ask for the switch."""
    sent: int = 0


@dataclass
class Buffer:
    """The input buffer of a virtual channel: flits (packet, flit, step), and the branches of its front packet."""

    flits: deque[tuple[int, int, int]] = field(default_factory=deque)
    packet: int | None = None
    branches: list[Branch] = field(default_factory=list)
    ready: int = 0
    """The first cycle in which the front packet may ask for virtual channels."""
    peak: int = 0
    accept: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Round-robin pointer over output virtual channels, for each branch."""


@dataclass
class Output:
    """What the sender knows of a virtual channel: who has it, and how many places are free behind it."""

    credits: int
    owner: int | None = None
    pointer: int = 0
    """Round-robin pointer over those that ask for it."""


@dataclass
class Port:
    """A channel, with the round-robin pointers of its two ends."""

    outputs: list[Output]
    buffers: list[Buffer]
    free: int = 0
    """The first cycle in which it takes another flit."""
    vc_pointer: int = 0
    """At its end: the next of its virtual channels to be preferred for the switch."""
    accept: int = 0
    """At its end: the next output to be preferred."""
    grant: int = 0
    """At its beginning: the next input to be preferred."""
    flits: int = 0


@dataclass
class Source:
    """The queue of a terminal, endless, and how far its first packet is."""

    queue: deque[int] = field(default_factory=deque)
    vc: int | None = None
    sent: int = 0
    pointer: int = 0


def in_turn(candidates: list[int], pointer: int, size: int) -> int:
    """The round-robin choice: the first candidate from ``pointer`` on, around a ring of ``size``."""
    return min(candidates, key=lambda candidate: (candidate - pointer) % size)


class Network:
    """The state of a fabric with its packets."""

    def __init__(
        self, fabric: Fabric, packets: Packets, window: tuple[int, int], tagged: set[int], trace: bool
    ) -> None:
        keys = fabric.router
        self.fabric, self.packets, self.keys, self.window = fabric, packets, keys, window
        self.vcs = keys.virtual_channels
        self.ports = [
            Port([Output(keys.buffer_flits) for _ in range(self.vcs)], [Buffer() for _ in range(self.vcs)])
            for _ in range(fabric.channels)
        ]
        self.sources = [Source() for _ in fabric.terminals]
        incoming, outgoing = fabric.ports(True), fabric.ports(False)
        routers = range(len(fabric.routers))
        self.incoming = [incoming[1][incoming[0][r] : incoming[0][r + 1]].tolist() for r in routers]
        self.outgoing = [outgoing[1][outgoing[0][r] : outgoing[0][r + 1]].tolist() for r in routers]
        self.out_place = outgoing[2].tolist()
        self.ways = packets.routes.most_children
        self.flying: dict[int, list[tuple[int, int, int, int, int]]] = defaultdict(list)
        self.credits: dict[int, list[tuple[int, int, bool]]] = defaultdict(list)
        self.left = packets.routes.ends[packets.route].tolist()
        self.waits = packets.waits_for.tolist()
        self.created = [int(t) if not w else int(NEVER) for t, w in zip(packets.created, self.waits, strict=True)]
        self.known = deque(sorted((t, p) for p, t in enumerate(self.created) if t < NEVER))
        self.released: list[tuple[int, int]] = []
        self.sent = [int(NEVER)] * len(packets)
        self.delivered = [int(NEVER)] * len(packets)
        self.ejected = [0] * len(fabric.terminals)
        self.counts = dict.fromkeys(COUNTS, 0)
        self.tagged = tagged
        self.trace: list[tuple[int, ...]] | None = [] if trace else None
        self.awake = 0
        """The last cycle in which something that has been started ends."""

    def note(self, *event: int) -> None:
        if self.trace is not None:
            self.trace.append(event)

    def later(self, cycle: int) -> int:
        self.awake = max(self.awake, cycle)
        return cycle

    def cycle(self, now: int) -> None:
        """Everything that happens in one cycle."""
        self.create(now)
        for flit in self.flying.pop(now, ()):
            self.arrive(now, *flit)
        for channel, vc, tail in self.credits.pop(now, ()):
            output = self.ports[channel].outputs[vc]
            output.credits += 1
            if tail and self.keys.wait_for_tail_credit:
                output.owner = None
        for router in range(len(self.incoming)):
            self.allocate_vcs(now, router)
            self.allocate_switch(now, router)
        for terminal in range(len(self.sources)):
            self.send(now, terminal)

    def create(self, now: int) -> None:
        """Those known from the start come before those that others have released."""
        while self.known and self.known[0][0] == now:
            self.enqueue(self.known.popleft()[1])
        while self.released and self.released[0][0] == now:
            self.enqueue(heapq.heappop(self.released)[1])

    def enqueue(self, packet: int) -> None:
        self.counts["flits_created"] += int(self.packets.flits[packet])
        self.sources[int(self.packets.sources[packet])].queue.append(packet)

    def next_creation(self) -> int | None:
        """The cycle of the next one, None if there is none."""
        times = [queue[0][0] for queue in (self.known, self.released) if queue]
        return min(times) if times else None

    def launch(self, now: int, channel: int, vc: int, flit: tuple[int, int, int]) -> None:
        """Put a flit on a channel: it takes a credit."""
        port = self.ports[channel]
        port.outputs[vc].credits -= 1
        port.flits += 1
        port.free = self.later(now + int(self.fabric.period[channel]))
        self.flying[self.later(now + int(self.fabric.flit_delay[channel]))].append((channel, vc, *flit))

    def arrive(self, now: int, channel: int, vc: int, packet: int, flit: int, step: int) -> None:
        self.note(now, ARRIVE, channel, vc, packet, flit)
        tail = flit == self.packets.flits[packet] - 1
        buffer = self.ports[channel].buffers[vc]
        if self.fabric.to_router[channel] == TERMINAL:
            buffer.peak = 1
            self.counts["flits_ejected"] += 1
            if self.window[0] <= now < self.window[1]:
                self.ejected[channel - self.fabric.ejection(0)] += 1
            self.credit(now, channel, vc, tail)
            if tail:
                self.deliver(now, packet)
            return
        self.counts["buffer_writes"] += 1
        buffer.flits.append((packet, flit, step))
        buffer.peak = max(buffer.peak, len(buffer.flits))
        if buffer.packet is None:
            self.begin(buffer, now)

    def deliver(self, now: int, packet: int) -> None:
        self.left[packet] -= 1
        if self.left[packet]:
            return
        self.delivered[packet] = now
        self.tagged.discard(packet)
        ptr, followers = self.packets.followers
        for other in followers[ptr[packet] : ptr[packet + 1]].tolist():
            self.waits[other] -= 1
            if not self.waits[other]:
                self.created[other] = now + int(self.packets.created[other])
                heapq.heappush(self.released, (self.created[other], other))

    def credit(self, now: int, channel: int, vc: int, tail: bool) -> None:
        self.credits[self.later(now + int(self.fabric.credit_delay[channel]))].append((channel, vc, tail))

    def begin(self, buffer: Buffer, now: int) -> None:
        """The head at the front of a buffer is looked at from cycle ``now`` on."""
        routes = self.packets.routes
        packet, _, step = buffer.flits[0]
        steps = routes.child[routes.child_ptr[step] : routes.child_ptr[step + 1]].tolist()
        buffer.packet = packet
        buffer.branches = [Branch(child, int(routes.channel[child])) for child in steps]
        buffer.ready = self.later(now + self.keys.routing_cycles)

    def allocate_vcs(self, now: int, router: int) -> None:
        """One iteration of iSLIP between heads and the free virtual channels of the outputs that they need.

        Each free virtual channel grants the next that asks for it, each head accepts the next of its grants; only then
        do both pointers move behind the choice (McKeown, IEEE/ACM Trans. Networking 7, 1999).
        """
        asked: dict[int, list[int]] = defaultdict(list)
        requests: dict[int, tuple[Buffer, int, Branch]] = {}
        routes = self.packets.routes
        for place, channel in enumerate(self.incoming[router]):
            for vc, buffer in enumerate(self.ports[channel].buffers):
                for way, branch in enumerate(buffer.branches if buffer.ready <= now else ()):
                    if branch.vc is not None:
                        continue
                    self.counts["vc_requests"] += 1
                    request = (place * self.vcs + vc) * self.ways + way
                    requests[request] = (buffer, way, branch)
                    for wanted in range(routes.low[branch.step], routes.high[branch.step] + 1):
                        if self.ports[branch.channel].outputs[wanted].owner is None:
                            asked[self.out_place[branch.channel] * self.vcs + wanted].append(request)
        grants: dict[int, list[int]] = defaultdict(list)
        inputs = len(self.incoming[router]) * self.vcs * self.ways
        for output, candidates in asked.items():
            place, vc = divmod(output, self.vcs)
            pointer = self.ports[self.outgoing[router][place]].outputs[vc].pointer
            grants[in_turn(candidates, pointer, inputs)].append(output)
        outputs = len(self.outgoing[router]) * self.vcs
        for request, granted in grants.items():
            buffer, way, branch = requests[request]
            accepted = in_turn(granted, buffer.accept[way], outputs)
            vc = accepted % self.vcs
            output_vc = self.ports[branch.channel].outputs[vc]
            buffer.accept[way] = (accepted + 1) % outputs
            output_vc.pointer = (request + 1) % inputs
            output_vc.owner = buffer.packet
            branch.vc = vc
            branch.ready = self.later(now + self.keys.vc_allocation_cycles)
            self.counts["vc_grants"] += 1
            self.note(now, ALLOCATE, branch.channel, vc, buffer.flits[0][0], 0)

    def allocate_switch(self, now: int, router: int) -> None:
        """One iteration of iSLIP between inputs and outputs; of the virtual channels of an input that want the same
        output, the next in turn asks for it.
        """
        asked: dict[int, list[int]] = defaultdict(list)
        asking: dict[tuple[int, int], tuple[int, Branch]] = {}
        for place, channel in enumerate(self.incoming[router]):
            port = self.ports[channel]
            wanting: dict[int, dict[int, Branch]] = defaultdict(dict)
            for vc, buffer in enumerate(port.buffers):
                for branch in buffer.branches:
                    if self.may_go(now, buffer, branch):
                        self.counts["switch_requests"] += 1
                        wanting[self.out_place[branch.channel]][vc] = branch
            for output, by_vc in wanting.items():
                vc = in_turn(list(by_vc), port.vc_pointer, self.vcs)
                asked[output].append(place)
                asking[place, output] = (vc, by_vc[vc])
        grants: dict[int, list[int]] = defaultdict(list)
        for output, places in asked.items():
            pointer = self.ports[self.outgoing[router][output]].grant
            grants[in_turn(places, pointer, len(self.incoming[router]))].append(output)
        for place, outputs in grants.items():
            channel = self.incoming[router][place]
            port = self.ports[channel]
            output = in_turn(outputs, port.accept, len(self.outgoing[router]))
            vc, branch = asking[place, output]
            port.accept = (output + 1) % len(self.outgoing[router])
            port.vc_pointer = (vc + 1) % self.vcs
            self.ports[branch.channel].grant = (place + 1) % len(self.incoming[router])
            self.go(now, channel, vc, branch)

    def may_go(self, now: int, buffer: Buffer, branch: Branch) -> bool:
        """Whether a branch has a virtual channel, a flit, a credit and a free channel."""
        if branch.vc is None or branch.ready > now or branch.sent == self.packets.flits[buffer.packet]:
            return False
        if not buffer.flits or branch.sent - buffer.flits[0][1] >= len(buffer.flits):
            return False
        port = self.ports[branch.channel]
        return port.outputs[branch.vc].credits > 0 and port.free <= now

    def go(self, now: int, channel: int, vc: int, branch: Branch) -> None:
        """The next flit of a branch is read from its buffer and crosses the switch."""
        buffer = self.ports[channel].buffers[vc]
        packet, flit = buffer.packet, branch.sent
        assert packet is not None
        assert branch.vc is not None
        for count in ("switch_grants", "buffer_reads", "crossbar_flits"):
            self.counts[count] += 1
        self.note(now, SWITCH, branch.channel, branch.vc, packet, flit)
        self.launch(now, branch.channel, branch.vc, (packet, flit, branch.step))
        branch.sent += 1
        length = int(self.packets.flits[packet])
        if branch.sent == length and not self.keys.wait_for_tail_credit:
            self.ports[branch.channel].outputs[branch.vc].owner = None
        if min(other.sent for other in buffer.branches) > buffer.flits[0][1]:
            _, front, _ = buffer.flits.popleft()
            self.credit(now, channel, vc, front == length - 1)
            if front == length - 1:
                buffer.packet, buffer.branches = None, []
                if buffer.flits:
                    self.begin(buffer, now + 1)

    def send(self, now: int, terminal: int) -> None:
        """A source sends one packet after the other, a flit a cycle; each takes the next free virtual channel."""
        source, channel = self.sources[terminal], self.fabric.injection(terminal)
        if not source.queue:
            return
        packet, outputs = source.queue[0], self.ports[channel].outputs
        step = int(self.packets.routes.first[self.packets.route[packet]])
        if source.vc is None:
            low, high = int(self.packets.routes.low[step]), int(self.packets.routes.high[step])
            free = [vc for vc in range(low, high + 1) if outputs[vc].owner is None and outputs[vc].credits]
            if not free:
                return
            source.vc = in_turn(free, source.pointer, self.vcs)
            source.pointer = (source.vc + 1) % self.vcs
            outputs[source.vc].owner = packet
            self.sent[packet] = now
        if not outputs[source.vc].credits or self.ports[channel].free > now:
            return
        self.note(now, SEND, channel, source.vc, packet, source.sent)
        self.counts["flits_injected"] += 1
        self.launch(now, channel, source.vc, (packet, source.sent, step))
        source.sent += 1
        if source.sent == self.packets.flits[packet]:
            if not self.keys.wait_for_tail_credit:
                outputs[source.vc].owner = None
            source.queue.popleft()
            source.vc, source.sent = None, 0

    def stuck(self) -> list[tuple[int, int]]:
        """For each buffer that holds flits: its virtual channel, and the one that its front packet needs next."""
        rows = []
        for channel, port in enumerate(self.ports):
            for vc, buffer in enumerate(port.buffers):
                open_ = [
                    b
                    for b in buffer.branches
                    if buffer.packet is not None and b.sent < self.packets.flits[buffer.packet]
                ]
                if buffer.flits and open_:
                    branch = open_[0]
                    next_vc = int(self.packets.routes.low[branch.step]) if branch.vc is None else branch.vc
                    rows.append((channel * self.vcs + vc, branch.channel * self.vcs + next_vc))
        return rows


def _array(values: Sequence[object]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def run(
    fabric: Fabric, packets: Packets, *, until: int, window: tuple[int, int], tagged: NDArray[np.bool_], trace: bool
) -> FlitRun:
    """Run until all ``tagged`` packets are delivered, nothing can happen any more, or cycle ``until``."""
    network = Network(fabric, packets, window, set(np.flatnonzero(tagged).tolist()), trace)
    now = network.next_creation()
    last = 0
    while now is not None and now < until:
        network.cycle(now)
        last = now
        if not network.tagged:
            break
        now = now + 1 if network.awake > now else network.next_creation()
    rows = _array(sorted(network.trace)).reshape(-1, 6) if network.trace is not None else None
    return FlitRun(
        created=_array(network.created),
        sent=_array(network.sent),
        delivered=_array(network.delivered),
        channel_flits=_array([port.flits for port in network.ports]),
        ejected=_array(network.ejected),
        peak=_array([buffer.peak for port in network.ports for buffer in port.buffers]),
        counts=network.counts,
        cycle=last,
        stuck=_array(network.stuck()).reshape(-1, 2),
        trace=rows,
    )
