"""The rules of a Program once more, in the plainest Python: every time is visited, every stage looked at.

It stands third beside the two engines, and each rule that is easily read another way has a switch: a name in
``broken`` makes the engine break that rule, to show that comparing engines would notice.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from archsim.deadlock import deadlock
from archsim.program import NO_NODE, End, Hop, Program, Stage
from archsim.sim.outcome import BY_ITSELF, Outcome, Records

__all__ = ["BREAKABLE", "run"]

BREAKABLE = (
    "links serve flows of one time in order of number",
    "interval n-1 comes before firing n",
    "frees come an interval after the start",
    "a fast link does not outrun a slow one before it",
    "there must be room for all tokens of a firing",
    "initial tokens count as delivered",
    "tokens leave a flow in order",
    "ties of binding go to the lowest end",
    "frees come before starts",
)


@dataclass
class _Stage:
    record: Stage
    inputs: list[int]
    outputs: list[int]  # ends
    flows: list[int]
    ready: int = 0
    t_in: int | None = None
    starts: list[int] = field(default_factory=list)
    starved: list[int] = field(default_factory=list)
    blocked: list[int] = field(default_factory=list)
    bound: list[int] = field(default_factory=list)
    bound_in: dict[int, int] = field(default_factory=dict)  # end -> starved time
    bound_out: dict[int, int] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return len(self.starts) >= self.record.firings


@dataclass
class _End:
    record: End
    flow: int
    initial: int
    peak: int
    delivered: int = 0  # initial tokens included
    freed: int = 0
    since: int | None = None  # when the coming firing's need is met
    room_since: int | None = None
    times: list[int] = field(default_factory=list)


@dataclass
class _Hop:
    record: Hop
    flow: int
    children: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)


class _Run:
    def __init__(self, program: Program, broken: str) -> None:
        self.program = program
        self.broken = broken
        self.agenda: list[int] = []  # a heap of the times at which anything happens
        self.frees: dict[int, list[tuple[int, int]]] = defaultdict(list)  # time -> (end, total)
        self.deliveries: dict[int, list[int]] = defaultdict(list)
        self.arrivals: dict[int, list[tuple[int, int, int]]] = defaultdict(list)  # (flow, token, hop)
        self.emitted = [flow.initial for flow in program.flows]
        self.left_at = [0] * len(program.flows)
        self.link_free = [0] * len(program.links)
        self.ends: list[_End] = []
        self.hops: list[_Hop] = []
        self.first_hop: list[int] = []
        for f, flow in enumerate(program.flows):
            base = len(self.hops)
            self.first_hop.append(base)
            self.hops += [_Hop(hop, f) for hop in flow.route]
            for index, hop in enumerate(flow.route):
                if hop.parent != NO_NODE:
                    self.hops[base + hop.parent].children.append(base + index)
            for end in flow.ends:
                if end.node != NO_NODE:
                    self.hops[base + end.node].ends.append(len(self.ends))
                present = 0 if self.breaks("initial tokens count as delivered") else flow.initial
                self.ends.append(_End(end, f, flow.initial, peak=flow.initial, delivered=present))
        self.first_hop.append(len(self.hops))
        self.stages = [
            _Stage(
                stage,
                inputs=[e for e, end in enumerate(self.ends) if end.record.stage == s],
                outputs=[e for e, end in enumerate(self.ends) if program.flows[end.flow].source == s],
                flows=[f for f, flow in enumerate(program.flows) if flow.source == s],
            )
            for s, stage in enumerate(program.stages)
        ]

    def breaks(self, rule: str) -> bool:
        assert rule in BREAKABLE
        return self.broken == rule

    def at(self, time: int) -> int:
        heapq.heappush(self.agenda, time)
        return time

    def run(self) -> None:
        self.at(0)
        while self.agenda:
            now = heapq.heappop(self.agenda)
            while self.agenda and self.agenda[0] == now:
                heapq.heappop(self.agenda)
            self.free_and_deliver(now)
            self.serve_links(now)
            self.start_what_can(now)

    def free_and_deliver(self, now: int) -> None:
        for end, total in self.frees.pop(now, []):
            self.ends[end].freed = total
        for end in self.deliveries.pop(now, []):
            self.ends[end].delivered += 1
            self.ends[end].times.append(now)

    def serve_links(self, now: int) -> None:
        heads = self.arrivals.pop(now, [])
        if self.breaks("links serve flows of one time in order of number"):
            heads = sorted(heads, key=lambda head: (head[1], head[0]))
        else:
            heads = sorted(heads)
        for flow, token, h in heads:
            hop = self.hops[h]
            start = max(now, self.link_free[hop.record.link])
            self.link_free[hop.record.link] = start + hop.record.serialisation
            hop.starts.append(start)
            hop.waits.append(start - now)
            cross = start + self.program.links[hop.record.link].hop
            for end in hop.ends:
                self.deliveries[self.at(cross + hop.record.serialisation)].append(end)
            for child in hop.children:
                slower = max(0, hop.record.serialisation - self.hops[child].record.serialisation)
                if self.breaks("a fast link does not outrun a slow one before it"):
                    slower = 0
                self.arrivals[self.at(cross + slower)].append((flow, token, child))

    def start_what_can(self, now: int) -> None:
        for s, stage in enumerate(self.stages):
            if stage.done:
                continue
            n = len(stage.starts)
            for e in stage.inputs:
                end = self.ends[e]
                if end.since is None and end.delivered >= end.record.need.at(n):
                    end.since = now
            for e in stage.outputs:
                if self.ends[e].room_since is None and self.has_room(e, n):
                    self.ends[e].room_since = now
            if now < stage.ready:
                continue
            if stage.t_in is None and all(self.ends[e].since is not None for e in stage.inputs):
                stage.t_in = now
            if stage.t_in is not None and all(self.ends[e].room_since is not None for e in stage.outputs):
                self.start(s, now)

    def has_room(self, e: int, n: int) -> bool:
        end = self.ends[e]
        tokens = self.program.flows[end.flow].emit.at(n)
        if self.breaks("there must be room for all tokens of a firing"):
            tokens = min(tokens, 1)
        return self.emitted[end.flow] + tokens - end.freed <= end.record.capacity

    def start(self, s: int, now: int) -> None:
        stage = self.stages[s]
        n = len(stage.starts)
        assert stage.t_in is not None
        self.account(stage, now, stage.t_in)
        latency = stage.record.latency.at(n)
        for f in stage.flows:
            tokens = self.program.flows[f].emit.at(n)
            leave = self.at(max(now + latency, self.left_at[f]))
            if self.breaks("tokens leave a flow in order"):
                leave = self.at(now + latency)
            if tokens:
                self.left_at[f] = leave
            self.send(f, self.emitted[f] - self.program.flows[f].initial, tokens, leave)
            self.emitted[f] += tokens
        for e in stage.outputs:
            self.ends[e].peak = max(self.ends[e].peak, self.emitted[self.ends[e].flow] - self.ends[e].freed)
            self.ends[e].room_since = None
        interval = stage.record.interval.at(n + 1 if self.breaks("interval n-1 comes before firing n") else n)
        stage.ready = self.at(now + interval)
        delay = stage.record.interval.at(n)
        if self.breaks("frees come an interval after the start"):
            delay = 1
        if self.breaks("frees come before starts"):
            delay += 1
        for e in stage.inputs:
            self.ends[e].since = None
            self.frees[self.at(now + delay)].append((e, self.ends[e].record.free.at(n)))
        stage.t_in = None
        # what holds already holds from now on, which is never later than `ready`
        if not stage.done:
            for e in stage.inputs:
                if self.ends[e].delivered >= self.ends[e].record.need.at(n + 1):
                    self.ends[e].since = now
            for e in stage.outputs:
                if self.has_room(e, n + 1):
                    self.ends[e].room_since = now

    def account(self, stage: _Stage, start: int, t_in: int) -> None:
        starved, blocked = t_in - stage.ready, start - t_in
        lowest = max if self.breaks("ties of binding go to the lowest end") else min
        bound = BY_ITSELF
        if starved > 0:
            bound = lowest(e for e in stage.inputs if self.ends[e].since == t_in)
            stage.bound_in[bound] = stage.bound_in.get(bound, 0) + starved
        if blocked > 0:
            bound = lowest(e for e in stage.outputs if self.ends[e].room_since == start)
            stage.bound_out[bound] = stage.bound_out.get(bound, 0) + blocked
        stage.starts.append(start)
        stage.starved.append(starved)
        stage.blocked.append(blocked)
        stage.bound.append(bound)

    def send(self, f: int, first: int, tokens: int, leave: int) -> None:
        flow = self.program.flows[f]
        base = int(self.program.end_offsets[f])
        for token in range(first, first + tokens):
            for e, end in enumerate(flow.ends):
                if end.node == NO_NODE:
                    self.deliveries[leave].append(base + e)
            for index, hop in enumerate(flow.route):
                if hop.parent == NO_NODE:
                    self.arrivals[leave].append((f, token, self.first_hop[f] + index))


def run(program: Program, broken: str = "") -> Outcome:
    """Run a Program, records kept; ``broken`` is one of BREAKABLE or empty."""
    state = _Run(program, broken)
    state.run()
    if any(not stage.done for stage in state.stages):
        raise deadlock(
            program,
            fired=[len(stage.starts) for stage in state.stages],
            delivered=[end.delivered for end in state.ends],
            freed=[end.freed for end in state.ends],
            emitted=state.emitted,
        )
    return _outcome(state)


def _outcome(state: _Run) -> Outcome:
    stages, ends, hops, links = state.stages, state.ends, state.hops, range(len(state.program.links))

    def ints(values: list[int]) -> np.ndarray:
        return np.array(values, np.int64)

    def on(link: int) -> list[_Hop]:
        return [hop for hop in hops if hop.record.link == link]

    outputs = [start + stage.record.latency.at(n) for stage in stages for n, start in enumerate(stage.starts)]
    return Outcome(
        makespan=max([0, *outputs, *(time for end in ends for time in end.times)]),
        events=sum(len(s.starts) for s in stages) + sum(len(e.times) for e in ends) + sum(len(h.starts) for h in hops),
        stage_first=ints([stage.starts[0] if stage.starts else 0 for stage in stages]),
        stage_last=ints([stage.starts[-1] if stage.starts else 0 for stage in stages]),
        stage_own_time=ints([stage.record.interval.total(stage.record.firings) for stage in stages]),
        stage_starved=ints([sum(stage.starved) for stage in stages]),
        stage_blocked=ints([sum(stage.blocked) for stage in stages]),
        end_delivered=ints([len(end.times) for end in ends]),
        end_last=ints([end.times[-1] if end.times else 0 for end in ends]),
        end_waited=ints([sum(stage.bound_in.get(e, 0) for stage in stages) for e in range(len(ends))]),
        end_held=ints([sum(stage.bound_out.get(e, 0) for stage in stages) for e in range(len(ends))]),
        end_peak=ints([end.peak for end in ends]),
        link_tokens=ints([sum(len(hop.starts) for hop in on(link)) for link in links]),
        link_busy=ints([sum(len(hop.starts) * hop.record.serialisation for hop in on(link)) for link in links]),
        link_waited=ints([sum(sum(hop.waits) for hop in on(link)) for link in links]),
        records=Records(
            starts={s: ints(stage.starts) for s, stage in enumerate(stages)},
            starved={s: ints(stage.starved) for s, stage in enumerate(stages)},
            blocked={s: ints(stage.blocked) for s, stage in enumerate(stages)},
            bound={s: ints(stage.bound).astype(np.int32) for s, stage in enumerate(stages)},
            deliveries={e: ints(end.times) for e, end in enumerate(ends)},
            link_starts={h: ints(hop.starts) for h, hop in enumerate(hops)},
            link_waits={h: ints(hop.waits) for h, hop in enumerate(hops)},
            first_firing=dict.fromkeys(range(len(stages)), 0),
            first_delivery=dict.fromkeys(range(len(ends)), 0),
            first_passage=dict.fromkeys(range(len(hops)), 0),
        ),
    )
