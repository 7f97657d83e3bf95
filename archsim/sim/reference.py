"""The reference engine: SimPy interprets a Program; each stage and each link is a SimPy process.

It is meant to be read beside ``docs/timing.md``: the rules stand here in the order in which they act.
``sim/compiled.py`` gives the same outcome many times faster.

At one time, SimPy's event priorities make the phases.  Deliveries and frees come first, then arrivals at
links, one priority for each flow, so that they come ordered by flow; two tokens of one flow that arrive at
one time were sent in order, and SimPy keeps the order in which events were scheduled.  Starts come last.
All delays that cross from a phase to an earlier one are at least 1 ps, so no phase disturbs one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import islice, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simpy import Environment, Event

from archsim.deadlock import deadlock
from archsim.program import Program, Sequence
from archsim.sim._logs import Log, as_records
from archsim.sim.outcome import BY_ITSELF, Outcome, RecordsWanted, Wanted, wanted_of

__all__ = ["run"]

DELIVER = 0
"""The priority of deliveries and frees.  SimPy itself starts processes with this priority."""

ARRIVE = 1
"""The priority of arrivals of flow 0 at links; that of flow f is ``ARRIVE + f``, and starts follow the last."""

NEVER = 1 << 200
"""A total of tokens that is never reached: nobody waits."""

Process = Generator[Event, Any, None]


def run(program: Program, *, records: RecordsWanted = frozenset()) -> Outcome:
    """Run ``program`` to its end.

    Raises DeadlockError when nothing can happen and firings remain, RecordsError when there are more records than
    wanted at the most.  The untimed check of rule 8 is the caller's (``archsim.untimed.check``).
    """
    engine = _Engine(program, wanted_of(program, records))
    # env.run returns when no event is left, also when processes are blocked: firings that remain are stuck.
    engine.env.run()
    if any(stage.fired < stage.firings for stage in engine.stages):
        raise deadlock(
            program,
            fired=[stage.fired for stage in engine.stages],
            delivered=[end.arrived for end in engine.ends],
            freed=[end.freed for end in engine.ends],
            emitted=[flow.emitted for flow in engine.flows],
        )
    return _outcome(engine)


class _At(Event):
    """An event that happens ``delay`` ps from now to one callback (and to the process that yields it)."""

    def __init__(
        self,
        env: Environment,
        priority: int,
        delay: int,
        callback: Callable[[Event], None] | None = None,
        value: object = None,
    ) -> None:
        # Not Event.__init__: it costs a call, and SimPy's own Timeout does the same.
        self.env = env
        self.callbacks = [callback] if callback is not None else []
        self._ok = True
        self._value = value
        env.schedule(self, priority, delay)  # type: ignore[arg-type]  # SimPy takes any integer


class _Bell(Event):
    """What a process yields to sleep until some other event rings; unlike an event, it rings again and again."""

    def ring(self, event: Event) -> None:
        """Wake the process at once, within the phase of ``event``, with that event's value."""
        sleepers, self.callbacks = self.callbacks, []
        for resume in sleepers:
            resume(event)


class _End:
    """The tokens at one end of a flow.  ``needed`` and ``room`` are what a waiting firing still lacks."""

    def __init__(self, number: int, initial: int, capacity: int, source: _Stage, consumer: _Stage) -> None:
        self.number = number
        self.initial = self.arrived = self.peak = initial
        self.capacity = capacity
        self.source = source
        self.consumer = consumer
        self.freed = self.last = self.waited = self.held = 0
        self.needed = NEVER  # the total of arrived tokens that the consumer's next firing waits for
        self.room = NEVER  # the total of freed tokens that the source's next firing waits for
        self.log: Log | None = None


class _Hop:
    """One link of one flow's route: what the link's process must know of the tokens that come over it."""

    def __init__(self, priority: int, link: _Link, serialisation: int) -> None:
        self.priority = priority
        self.ring = link.bell.ring
        self.serialisation = serialisation
        self.delay = link.hop + serialisation  # from the start on the link to the delivery at an end here
        self.delivery: tuple[list[_End], int] | None = None  # the ends that hang here, and one token
        self.onward: list[tuple[_Hop, int]] = []  # the next hops, and when the head reaches them after the start
        self.log: Log | None = None


class _Flow:
    """The sending side of a flow."""

    def __init__(self, initial: int, emits: Iterator[int]) -> None:
        self.emitted = initial
        self.emits = emits
        self.last_leave = 0
        self.ends: list[_End] = []
        self.direct: list[_End] = []  # the ends that no link stands before
        self.first: list[_Hop] = []


class _Link:
    """A first-in first-out server."""

    def __init__(self, env: Environment, hop: int) -> None:
        self.bell = _Bell(env)
        self.hop = hop
        self.tokens = self.busy = self.waited = 0

    def process(self, engine: _Engine) -> Process:
        """Rule 4.  As the arrivals come in the order of service, each token's start is known as it arrives."""
        env, deliver = engine.env, engine.deliver
        idle_from = 0
        while True:
            hop, count = yield self.bell  # so many tokens of one firing reach the link together
            now: int = env.now  # type: ignore[assignment]  # it began as an integer
            idle_from = max(idle_from, now)
            for _ in range(count):
                wait = idle_from - now
                self.waited += wait
                if hop.log is not None:
                    hop.log.add(idle_from, wait)
                if hop.delivery is not None:
                    _At(env, DELIVER, wait + hop.delay, deliver, hop.delivery)
                for following, delay in hop.onward:
                    _At(env, following.priority, wait + delay, following.ring, (following, 1))
                idle_from += hop.serialisation
            self.tokens += count
            self.busy += count * hop.serialisation


class _Stage:
    """A sequential server."""

    def __init__(self, env: Environment, firings: int, intervals: Iterator[int], latencies: Iterator[int]) -> None:
        self.bell = _Bell(env)
        self.firings = firings
        self.intervals = intervals
        self.latencies = latencies
        self.inputs: list[tuple[_End, Iterator[int], Iterator[int]]] = []  # the end, its needs and its frees
        self.outputs: list[_Flow] = []
        self.fired = self.first = self.last = self.own_time = self.starved = self.blocked = 0
        self.ready = self.lacking = 0
        self.in_time = self.out_time = 0  # when the last input, the last output end, came to hold: rule 7
        self.in_end: _End | None = None
        self.out_end: _End | None = None
        self.log: Log | None = None

    def process(self, engine: _Engine) -> Process:
        """Rules 1 and 2, once for each firing."""
        env = engine.env
        for interval, latency in islice(zip(self.intervals, self.latencies, strict=False), self.firings):
            self.ready = self.in_time = self.out_time = env.now  # type: ignore[assignment]
            self.in_end = self.out_end = None
            counts = [next(flow.emits) for flow in self.outputs]
            self.lacking = self.look(counts)
            if not self.lacking:
                _At(env, engine.start, 0, self.bell.ring)
            yield self.bell  # else the last condition to come true rings it, see _Engine.met
            self.begin(engine, env.now)  # type: ignore[arg-type]
            self.own_time += interval
            self.send(engine, latency, counts)
            yield _At(env, DELIVER, interval)
            self.release(engine)

    def look(self, counts: list[int]) -> int:
        """The number of conditions that the next firing lacks; each is left at its end."""
        lacking = 0
        for end, needs, _ in self.inputs:
            need = next(needs)
            if end.arrived < need:
                end.needed = need
                lacking += 1
        for flow, count in zip(self.outputs, counts, strict=True):
            for end in flow.ends:
                room = flow.emitted + count - end.capacity
                if end.freed < room:
                    end.room = room
                    lacking += 1
        return lacking

    def begin(self, engine: _Engine, now: int) -> None:
        """Rule 7: account for the waiting of the firing that starts now."""
        starved = self.in_time - self.ready
        blocked = now - self.in_time
        bound = None
        if starved and self.in_end is not None:
            self.starved += starved
            self.in_end.waited += starved
            bound = self.in_end
        if blocked and self.out_end is not None:
            self.blocked += blocked
            self.out_end.held += blocked
            bound = self.out_end
        if not self.fired:
            self.first = now
        self.last = now
        self.fired += 1
        if self.log is not None:
            self.log.add(now, starved, blocked, BY_ITSELF if bound is None else bound.number)

    def send(self, engine: _Engine, latency: int, counts: list[int]) -> None:
        """Rule 3: the tokens count as emitted now, and leave together, no earlier than those before them."""
        env = engine.env
        now: int = env.now  # type: ignore[assignment]
        engine.makespan = max(engine.makespan, now + latency)
        for flow, count in zip(self.outputs, counts, strict=True):
            if not count:
                continue
            flow.emitted += count
            for end in flow.ends:
                end.peak = max(end.peak, flow.emitted - end.freed)
            flow.last_leave = max(now + latency, flow.last_leave)
            delay = flow.last_leave - now
            if flow.direct:
                _At(env, DELIVER, delay, engine.deliver, (flow.direct, count))
            for hop in flow.first:
                _At(env, hop.priority, delay, hop.ring, (hop, count))

    def release(self, engine: _Engine) -> None:
        """Rule 2: the credits of the firing that ends now."""
        for end, _, frees in self.inputs:
            end.freed = next(frees)
            if end.freed >= end.room:
                end.room = NEVER
                engine.met_room(end)


class _Engine:
    """The parts of one run and what passes between them."""

    def __init__(self, program: Program, wanted: Wanted) -> None:
        self.env = Environment(0)
        self.makespan = 0
        self.start = ARRIVE + len(program.flows)  # the priority of starts: the last phase
        self.stages = [
            _Stage(self.env, stage.firings, _running(stage.interval), _running(stage.latency))
            for stage in program.stages
        ]
        self.links = [_Link(self.env, int(link.hop)) for link in program.links]
        self.flows: list[_Flow] = []
        self.ends: list[_End] = []
        self.hops: list[_Hop] = []
        for number in range(len(program.flows)):
            self._add_flow(program, number)
        self.logs = _keep(self, wanted)
        for stage in self.stages:
            self.env.process(stage.process(self))
        for link in self.links:
            self.env.process(link.process(self))

    def _add_flow(self, program: Program, number: int) -> None:
        record = program.flows[number]
        flow = _Flow(int(record.initial), _running(record.emit))
        source = self.stages[record.source]
        source.outputs.append(flow)
        hops: list[_Hop] = []
        for hop in record.route:
            new = _Hop(ARRIVE + number, self.links[hop.link], int(hop.serialisation))
            hops.append(new)
            if hop.parent < 0:
                flow.first.append(new)
                continue
            parent = hops[hop.parent]
            # Cut-through: the head goes on after the hop, but the tail must not overtake on a faster link.
            lead = max(0, parent.serialisation - new.serialisation)
            parent.onward.append((new, self.links[record.route[hop.parent].link].hop + lead))
        for place in record.ends:
            consumer = self.stages[place.stage]
            end = _End(len(self.ends), flow.emitted, int(place.capacity), source, consumer)
            consumer.inputs.append((end, _running(place.need), _running(place.free)))
            flow.ends.append(end)
            self.ends.append(end)
            if place.node < 0:
                flow.direct.append(end)
            else:
                here = hops[place.node]
                here.delivery = ([*(here.delivery[0] if here.delivery else ()), end], 1)
        self.flows.append(flow)
        self.hops.extend(hops)

    def deliver(self, event: Event) -> None:
        """So many tokens arrive at these ends."""
        ends, count = event._value
        now: int = self.env.now  # type: ignore[assignment]
        for end in ends:
            end.arrived += count
            end.last = now
            if end.log is not None:
                for _ in range(count):
                    end.log.add(now)
            if end.arrived >= end.needed:
                end.needed = NEVER
                self.met_need(end)

    def met_need(self, end: _End) -> None:
        """An input that the next firing of its stage waits for has come to hold."""
        stage = end.consumer
        now: int = self.env.now  # type: ignore[assignment]
        if now > stage.in_time or (stage.in_end is not None and end.number < stage.in_end.number):
            stage.in_time, stage.in_end = now, end
        self._met(stage)

    def met_room(self, end: _End) -> None:
        """An output end has got the room that the next firing of its source waits for."""
        stage = end.source
        now: int = self.env.now  # type: ignore[assignment]
        if now > stage.out_time or (stage.out_end is not None and end.number < stage.out_end.number):
            stage.out_time, stage.out_end = now, end
        self._met(stage)

    def _met(self, stage: _Stage) -> None:
        stage.lacking -= 1
        if not stage.lacking:
            _At(self.env, self.start, 0, stage.bell.ring)


def _running(sequence: Sequence) -> Iterator[int]:
    """The values of a sequence, one after another, without end; the table is shared, not copied."""
    if len(sequence.table) == 1 and sequence.increment == 0:
        return repeat(sequence.offset + sequence.table[0])
    return _growing(sequence)


def _growing(sequence: Sequence) -> Iterator[int]:
    base = sequence.offset
    while True:
        for value in sequence.table:
            yield base + value
        base += sequence.increment


def _keep(engine: _Engine, wanted: Wanted) -> tuple[dict[int, Log], ...]:
    """Lay out the logs that were asked for: of stages, ends and hops."""
    left = [wanted.most]
    logs: list[dict[int, Log]] = []
    for parts, numbers in ((engine.stages, wanted.stages), (engine.ends, wanted.ends), (engine.hops, wanted.hops)):
        logs.append({number: Log(wanted, left) for number in sorted(numbers)})
        for number, log in logs[-1].items():
            parts[number].log = log
    return tuple(logs)


def _outcome(engine: _Engine) -> Outcome:
    stages, ends, links = engine.stages, engine.ends, engine.links
    delivered = [end.arrived - end.initial for end in ends]
    tokens = [link.tokens for link in links]
    return Outcome(
        makespan=max([engine.makespan, *(end.last for end in ends)]),
        events=sum(stage.fired for stage in stages) + sum(tokens) + sum(delivered),
        stage_first=_ints(stage.first for stage in stages),
        stage_last=_ints(stage.last for stage in stages),
        stage_own_time=_ints(stage.own_time for stage in stages),
        stage_starved=_ints(stage.starved for stage in stages),
        stage_blocked=_ints(stage.blocked for stage in stages),
        end_delivered=_ints(delivered),
        end_last=_ints(end.last for end in ends),
        end_waited=_ints(end.waited for end in ends),
        end_held=_ints(end.held for end in ends),
        end_peak=_ints(end.peak for end in ends),
        link_tokens=_ints(tokens),
        link_busy=_ints(link.busy for link in links),
        link_waited=_ints(link.waited for link in links),
        records=as_records(*engine.logs),
    )


def _ints(values: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(values, np.int64)
