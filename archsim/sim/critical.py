"""The critical path of a run: why its last output, or any firing, did not come sooner.

Walked back from an event, each event is explained by the one that bound it, by the rules of ``docs/timing.md``:

* a firing that did not wait started when the interval of the one before was over (rule 1): ``interval``;
* a blocked one when a firing of the consumer returned the room that it lacked (rules 1 and 2): ``room``, the interval
  of that consumer.  How many tokens each firing frees does not hang on time, so which firing it was follows from the
  totals: the first whose *free* reaches what was wanted;
* a starved one when the last token that it needed was delivered; the token crossed its last link (rule 4), ``hop`` and
  ``serialisation``; at each link it was served as its head arrived, or had to wait;
* tokens leave with the output of their firing, ``latency``, or with that of an earlier one that was slower (rule 3).

A token that waits at a link waits for the one that is served before it.  If that is one of its own flow, or if the link
has been busy for long without a pause, it is the service there that holds things up: ``queue``, and the path goes on
with the token ahead.  Otherwise tokens of other flows have come by chance a little earlier: ``contention`` until the
token's turn, and the path goes on with the token itself, from when it arrived.  To follow the others there would be
misleading: what they waited for is not what this token waits for, since had they come later they would not have been
ahead.  How long *long* is, is the caller's to say.

Every step is an equality of whole picoseconds, so the pieces of a path follow each other without a gap and add up to
the time of its last event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.program import NO_NODE, Program
from archsim.sim.outcome import BY_ITSELF, Outcome

__all__ = ["Kind", "Path", "Piece", "Token", "critical_path"]

Ints = NDArray[np.int64]

Kind = Literal["interval", "latency", "room", "hop", "serialisation", "queue", "contention"]
"""What a piece of a path is; see the module."""

NONE = -1


class Token(NamedTuple):
    """The ``number``-th token, from 0 and without initial ones, of the flow of ``hop`` (its number among all hops)."""

    hop: int
    number: int


NO_TOKEN = Token(NONE, NONE)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time on a path, in ps, and whose time it is.

    For ``interval``, ``latency`` and ``room`` that is ``stage``, with its ``firing``; successive intervals of a stage
    are one piece that ends with ``firing`` and began with ``firing - firings + 1``.  For the other kinds it is the link
    of ``token``'s hop.  In a queue, ``token`` is served while ``waiting`` waits; in contention, ``token`` is the last
    of those that are served meanwhile.

    ``end`` is the number of the end at which the next firing of the path waits meanwhile: for tokens, or for room.
    """

    kind: Kind
    begin: int
    finish: int
    stage: int = NONE
    firing: int = NONE
    firings: int = 1
    token: Token = NO_TOKEN
    waiting: Token = NO_TOKEN
    end: int = NONE

    @property
    def duration(self) -> int:
        """Its length in ps."""
        return self.finish - self.begin


@dataclass(frozen=True)
class Path:
    """The pieces from 0 to ``finish``, each beginning where the one before it ends."""

    pieces: tuple[Piece, ...]

    @property
    def finish(self) -> int:
        """The time of the event that the path explains."""
        return self.pieces[-1].finish if self.pieces else 0


def critical_path(
    program: Program, outcome: Outcome, firing: tuple[int, int] | None = None, *, saturated: int | None = None
) -> Path:
    """What the start of a firing (stage, number) waited for; by default what the makespan consists of.

    ``outcome`` has all records.  A link is said to hold up all flows over it once it has been busy for ``saturated``
    ps without a pause; by default no link ever is.  Where several things bound an event at one time, the lowest end
    counts (rule 7), and a token that is served as it arrives has waited for nobody.
    """
    walk = _Walk(program, outcome, saturated)
    if firing is None:
        walk.from_last()
    else:
        walk.from_start(*firing)
    return Path(tuple(reversed(walk.pieces)))


class _Walk:
    """Goes back in time; ``pieces`` are found last first."""

    def __init__(self, program: Program, outcome: Outcome, saturated: int | None) -> None:
        self.program = program
        self.arrays = program.arrays
        self.makespan = outcome.makespan
        self.records = outcome.records
        self.saturated = saturated
        self.pieces: list[Piece] = []
        self.ends = [end for flow in program.flows for end in flow.ends]
        self._waits: dict[int, Ints] = {}
        self._freed: dict[int, Ints] = {}
        self._sent: dict[int, tuple[Ints, Ints, Ints]] = {}
        self._served: dict[int, _Served] = {}

    # -- where a walk begins --------------------------------------------------------------------

    def from_last(self) -> None:
        """From the last delivery or, if an output came later than any, the last output."""
        for end, times in self.records.deliveries.items():
            if len(times) and times[-1] == self.makespan:
                self.from_start(*self._delivery(end, len(times) - 1))
                return
        for stage in range(len(self.program.stages)):
            outputs = self._outputs(stage)
            if len(outputs) and outputs.max() == self.makespan:
                last = int(np.flatnonzero(outputs == self.makespan)[-1])
                begin = int(self.records.starts[stage][last])
                self.pieces.append(Piece("latency", begin, self.makespan, stage, last))
                self.from_start(stage, last)
                return

    def from_start(self, stage: int, firing: int) -> None:
        """From the start of a firing back to 0."""
        at: tuple[int, int] | None = (stage, firing)
        while at is not None:
            at = self._firing(*at)

    # -- steps back: each adds the pieces up to the firing that it returns ------------------------

    def _firing(self, stage: int, firing: int) -> tuple[int, int] | None:
        bound = int(self.records.bound[stage][firing])
        if bound == BY_ITSELF:
            return self._own(stage, firing)
        if self.records.blocked[stage][firing]:
            return self._room(stage, firing, bound)
        missing = self.ends[bound].need.at(firing) - self.program.flows[self.arrays.end_flow[bound]].initial
        return self._delivery(bound, missing - 1)

    def _own(self, stage: int, firing: int) -> tuple[int, int] | None:
        """Back through all firings that bound each other by their intervals; None at time 0."""
        waits = self._waits.get(stage)
        if waits is None:
            waits = self._waits[stage] = np.flatnonzero(self.records.bound[stage] != BY_ITSELF)
        place = int(np.searchsorted(waits, firing))
        first = int(waits[place - 1]) if place else 0
        if first < firing:
            starts = self.records.starts[stage]
            begin, finish = int(starts[first]), int(starts[firing])
            self.pieces.append(Piece("interval", begin, finish, stage, firing - 1, firing - first))
        return (stage, first) if place else None

    def _room(self, stage: int, firing: int, end: int) -> tuple[int, int]:
        flow = int(self.arrays.end_flow[end])
        _, totals, _ = self._flow(flow)
        wanted = int(totals[firing]) + self.program.flows[flow].initial - self.ends[end].capacity
        consumer = self.ends[end].stage
        freed = self._freed.get(end)
        if freed is None:
            freed = self._freed[end] = self.ends[end].free.values(self.program.stages[consumer].firings)
        by = int(np.searchsorted(freed, wanted))
        begin, finish = int(self.records.starts[consumer][by]), int(self.records.starts[stage][firing])
        self.pieces.append(Piece("room", begin, finish, consumer, by, end=end))
        return consumer, by

    def _delivery(self, end: int, number: int) -> tuple[int, int]:
        hop = int(self.arrays.end_node[end])
        if hop == NO_NODE:
            return self._leave(int(self.arrays.end_flow[end]), number, end)
        self._cross(Token(hop, number), int(self.arrays.hop_serialisation[hop]), end)
        return self._service(Token(hop, number), end)

    def _service(self, token: Token, end: int) -> tuple[int, int]:
        """Back from the start of ``token`` on its link."""
        a = self.arrays
        while True:
            began = self._began(token)
            arrived = began - int(self.records.link_waits[token.hop][token.number])
            if began > arrived:
                ahead, busy = self._ahead(token, began)
                if ahead.hop == token.hop or (self.saturated is not None and busy >= self.saturated):
                    self.pieces.append(Piece("queue", self._began(ahead), began, token=ahead, waiting=token, end=end))
                    token = ahead
                    continue
                self.pieces.append(Piece("contention", arrived, began, token=ahead, waiting=token, end=end))
            before = Token(int(a.hop_parent[token.hop]), token.number)
            if before.hop == NO_NODE:
                return self._leave(int(a.hop_flow[token.hop]), token.number, end)
            self._cross(before, self._lead(before.hop, token.hop), end)
            token = before

    def _cross(self, token: Token, rest: int, end: int) -> None:
        """A head over a link, and ``rest``, what is waited for of the bits behind it."""
        began = self._began(token)
        across = began + self._hop_ps(token.hop)
        if rest:
            self.pieces.append(Piece("serialisation", across, across + rest, token=token, end=end))
        self.pieces.append(Piece("hop", began, across, token=token, end=end))

    def _leave(self, flow: int, number: int, end: int) -> tuple[int, int]:
        """Back from the leave of a token to the firing whose output it left with."""
        leaves, totals, slowest = self._flow(flow)
        firing = int(np.searchsorted(totals, number, side="right"))
        stage, by = self.program.flows[flow].source, int(slowest[firing])
        self.pieces.append(
            Piece("latency", int(self.records.starts[stage][by]), int(leaves[firing]), stage, by, end=end)
        )
        return stage, by

    # -- what the Program and the records say -----------------------------------------------------

    def _outputs(self, stage: int) -> Ints:
        """The time of the output of each firing."""
        starts = self.records.starts[stage]
        return starts + self.program.stages[stage].latency.values(len(starts))

    def _flow(self, flow: int) -> tuple[Ints, Ints, Ints]:
        """For each firing of the source: when its tokens leave, the tokens sent with it and before it, and the last
        firing up to it with whose output they leave."""
        known = self._sent.get(flow)
        if known is None:
            record = self.program.flows[flow]
            outputs = self._outputs(record.source)
            emit = record.emit.values(len(outputs))
            own = np.where(emit > 0, outputs, -1)  # a firing that sends nothing holds nobody up
            leaves = np.maximum.accumulate(own)
            slowest = np.maximum.accumulate(np.where(own == leaves, np.arange(len(own)), -1))
            known = self._sent[flow] = leaves, np.cumsum(emit), slowest
        return known

    def _hop_ps(self, hop: int) -> int:
        return int(self.arrays.link_hop[self.arrays.hop_link[hop]])

    def _lead(self, here: int, there: int) -> int:
        times = self.arrays.hop_serialisation
        return max(0, int(times[here]) - int(times[there]))

    def _began(self, token: Token) -> int:
        """When ``token`` started on its link."""
        return int(self.records.link_starts[token.hop][token.number])

    def _ahead(self, token: Token, began: int) -> tuple[Token, int]:
        """The token that was served before ``token``, which was served from ``began``, at the same link; and for how
        many ps the link had then been busy without a pause."""
        link = int(self.arrays.hop_link[token.hop])
        served = self._served.get(link)
        if served is None:
            served = self._served[link] = self._service_of(link)
        place = int(np.searchsorted(served.starts, began)) - 1
        return Token(int(served.hops[place]), int(served.numbers[place])), began - int(served.busy_from[place])

    def _service_of(self, link: int) -> _Served:
        hops = np.flatnonzero(self.arrays.hop_link == link)
        times = [self.records.link_starts[hop] for hop in hops.tolist()]
        starts = np.concatenate(times)
        order = np.argsort(starts)  # no two are equal, as each token keeps the link busy for at least 1 ps
        starts = starts[order]
        owners = np.repeat(hops, [len(t) for t in times])[order]
        over = starts + self.arrays.hop_serialisation[owners]
        pauses = np.concatenate(([True], starts[1:] > over[:-1]))
        first = np.maximum.accumulate(np.where(pauses, np.arange(len(starts)), 0))
        return _Served(starts, owners, np.concatenate([np.arange(len(t)) for t in times])[order], starts[first])


class _Served(NamedTuple):
    """The tokens of one link in the order of service: when, of which hop, which; and since when it had been busy."""

    starts: Ints
    hops: Ints
    numbers: Ints
    busy_from: Ints
