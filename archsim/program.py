"""The Program: a timed dataflow of stages, flows and links, which both engines run.

All time is integer picoseconds from 0; floats never order events.

* A **Stage** is a sequential server that fires ``firings`` times, in order.
* A **Flow** is an ordered channel of equal-sized tokens from one stage to one or more **Ends**.
* A **Link** is a shared first-in first-out server that tokens cross on their way.

The rules of firing, of links and of waiting stand in ``docs/timing.md``.  The records here are frozen;
:meth:`Program.arrays` gives the same content as flat ``int64`` arrays, which is what the engines read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ProgramError

__all__ = ["NO_NODE", "End", "Flow", "Hop", "Link", "Program", "ProgramArrays", "Sequence", "Stage"]

Ints = NDArray[np.int64]

NO_NODE = -1
"""The ``node`` of an end with an empty route, and the ``parent`` of a first hop."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """An integer sequence: ``value(n) = offset + table[n % P] + increment * (n // P)``, P = len(table).

    A constant is a table of one; a running total over images has the tokens of one image as its increment.
    """

    table: tuple[int, ...]
    increment: int = 0
    offset: int = 0

    def __post_init__(self) -> None:
        if not self.table:
            raise ProgramError("a sequence needs at least one value")

    @classmethod
    def constant(cls, value: int) -> Sequence:
        """``value`` for every n."""
        return cls((int(value),))

    @classmethod
    def of(cls, values: Iterable[int], increment: int = 0, offset: int = 0) -> Sequence:
        """A sequence from any integers, numpy's included."""
        plain = values.tolist() if isinstance(values, np.ndarray) else [int(v) for v in values]
        return cls(tuple(plain), int(increment), int(offset))

    def at(self, n: int) -> int:
        """The value for one n."""
        period, position = divmod(n, len(self.table))
        return self.offset + self.table[position] + self.increment * period

    def values(self, count: int) -> Ints:
        """The first ``count`` values."""
        n = np.arange(count, dtype=np.int64)
        period = len(self.table)
        return self.offset + np.asarray(self.table, np.int64)[n % period] + self.increment * (n // period)

    def total(self, count: int) -> int:
        """The sum of the first ``count`` values."""
        return int(self.values(count).sum())


@dataclass(frozen=True, slots=True)
class Stage:
    """A sequential server.

    ``interval`` (ps, each at least 1) separates the starts of firings n and n+1; ``latency`` (ps, each at
    least 1) is the time from a start to its output.  ``layer``, ``place`` and ``component`` only label it.
    """

    name: str
    firings: int
    interval: Sequence
    latency: Sequence
    layer: str = ""
    place: str = ""
    component: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A shared FIFO server: ``hop`` (ps, at least 1) is the time for a head to cross it."""

    name: str
    hop: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Hop:
    """One link of a route tree; ``parent`` is the index of the hop before it, NO_NODE for a first one.

    ``serialisation`` (ps, at least 1) is the time for which one token of the flow keeps the link busy.
    A parent stands before its children.
    """

    link: int
    serialisation: int
    parent: int = NO_NODE


@dataclass(frozen=True, slots=True)
class End:
    """Where a flow is consumed.

    ``need`` and ``free`` are running totals over the firings of ``stage``, the flow's initial tokens first.
    ``node`` is the index of the hop on which the end hangs, NO_NODE when the route to it is empty.
    """

    stage: int
    need: Sequence
    free: Sequence
    capacity: int
    node: int = NO_NODE


@dataclass(frozen=True, slots=True)
class Flow:
    """An ordered channel of equal-sized tokens of ``bits`` bits from ``source`` to every one of ``ends``.

    ``emit[n]`` tokens are put on it by firing n of the source; ``initial`` tokens lie ready at each end.
    """

    name: str
    source: int
    emit: Sequence
    ends: tuple[End, ...]
    route: tuple[Hop, ...] = ()
    initial: int = 0
    bits: int = 0


class ProgramArrays(NamedTuple):
    """A Program as flat ``int64`` arrays; ``x_ptr`` of length n+1 delimits rows as in a CSR matrix.

    A sequence number q names ``pool[q_start[q] : q_start[q] + q_period[q]]``, ``q_increment[q]`` and
    ``q_offset[q]``.  Ends and hops are numbered through all flows in order: end e belongs to flow
    ``end_flow[e]``, hop h to ``hop_flow[h]``; ``end_node`` and ``hop_parent`` are such global numbers.
    Inputs of a stage are end numbers, outputs are flow numbers, both ascending.
    """

    pool: Ints
    q_start: Ints
    q_period: Ints
    q_increment: Ints
    q_offset: Ints
    stage_firings: Ints
    stage_interval: Ints
    stage_latency: Ints
    stage_in_ptr: Ints
    stage_in: Ints
    stage_out_ptr: Ints
    stage_out: Ints
    flow_source: Ints
    flow_emit: Ints
    flow_initial: Ints
    flow_end_ptr: Ints
    flow_hop_ptr: Ints
    end_flow: Ints
    end_stage: Ints
    end_need: Ints
    end_free: Ints
    end_capacity: Ints
    end_node: Ints
    hop_flow: Ints
    hop_link: Ints
    hop_parent: Ints
    hop_serialisation: Ints
    hop_child_ptr: Ints
    hop_child: Ints
    hop_end_ptr: Ints
    hop_end: Ints
    link_hop: Ints

    def values(self, q: int, first: int, past: int) -> Ints:
        """The values of sequence number q from ``first`` up to but without ``past``."""
        n = np.arange(first, past, dtype=np.int64)
        period = int(self.q_period[q])
        table = self.pool[self.q_start[q] : self.q_start[q] + period]
        return table[n % period] + (self.q_offset[q] + self.q_increment[q] * (n // period))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Program:
    """Stages, flows and links; checked when it is made (indices, signs, routes), frozen afterwards."""

    stages: tuple[Stage, ...]
    flows: tuple[Flow, ...]
    links: tuple[Link, ...] = ()

    def __post_init__(self) -> None:
        if not _sound(self.arrays):
            for stage in self.stages:
                _check_stage(stage)
            for link in self.links:
                if link.hop < 1:
                    raise ProgramError(f"link {link.name!r}: hop is {link.hop} ps, must be at least 1 ps")
            for flow in self.flows:
                _check_flow(flow, self)

    @cached_property
    def end_offsets(self) -> Ints:
        """The global number of each flow's first end; one entry more than there are flows."""
        return _pointers([len(flow.ends) for flow in self.flows])

    @cached_property
    def flow_tokens(self) -> Ints:
        """The tokens that each flow carries in the whole run, initial ones not counted."""
        return sums(self.arrays, self.arrays.flow_emit, self.arrays.stage_firings[self.arrays.flow_source])

    @cached_property
    def flow_bits(self) -> Ints:
        """The bits of a token of each flow."""
        return _ints([flow.bits for flow in self.flows])

    @cached_property
    def arrays(self) -> ProgramArrays:
        """The same Program as flat arrays."""
        return _flatten(self)

    def with_capacities(self, capacities: Ints) -> Program:
        """The same Program with other capacities, given for each end by global number."""
        given = iter(capacities.tolist())
        flows = tuple(
            Flow(f.name, f.source, f.emit, _with(f.ends, given), f.route, f.initial, f.bits) for f in self.flows
        )
        return self._derived(self.stages, flows, self.arrays._replace(end_capacity=capacities.astype(np.int64)))

    def repeated(self, times: int) -> Program:
        """The same Program with ``times`` as many firings of each stage."""
        stages = tuple(
            Stage(s.name, s.firings * times, s.interval, s.latency, s.layer, s.place, s.component) for s in self.stages
        )
        arrays = self.arrays._replace(stage_firings=self.arrays.stage_firings * times)
        return self._derived(stages, self.flows, arrays)

    def _derived(self, stages: tuple[Stage, ...], flows: tuple[Flow, ...], arrays: ProgramArrays) -> Program:
        """A Program like this one; flattening it would give ``arrays``, so that is not done again."""
        program = object.__new__(Program)
        program.__dict__.update(stages=stages, flows=flows, links=self.links, arrays=arrays)
        program.__post_init__()
        return program


def sums(a: ProgramArrays, sequence: Ints, firings: Ints) -> Ints:
    """The sum of the first ``firings`` values of each ``sequence`` that is given by its number and grows by nothing."""
    start, period = a.q_start[sequence], a.q_period[sequence]
    before = np.concatenate(([0], np.cumsum(a.pool)))  # the sum of the pool before each of its places
    whole, rest = np.divmod(firings, period)
    once, part = before[start + period] - before[start], before[start + rest] - before[start]
    return np.asarray(whole * once + part + firings * a.q_offset[sequence], np.int64)


def _with(ends: tuple[End, ...], capacities: Iterator[int]) -> tuple[End, ...]:
    return tuple([End(e.stage, e.need, e.free, next(capacities), e.node) for e in ends])


def _sound(a: ProgramArrays) -> bool:
    """Whether nothing is wrong with a Program; what it is, if not, is found stage by stage and flow by flow."""
    stages, flows, links = len(a.stage_firings), len(a.flow_source), len(a.link_hop)
    if not len(a.q_start):
        return flows == 0 and bool((a.link_hop >= 1).all())
    least = np.minimum.reduceat(a.pool, a.q_start) + a.q_offset
    first, last = a.pool[a.q_start], a.pool[a.q_start + a.q_period - 1]
    falls = first + a.q_offset < 0  # nothing is freed at first
    inside = np.flatnonzero(np.diff(a.pool) < 0)
    owner = np.searchsorted(a.q_start, inside, side="right") - 1
    falls[owner[inside + 1 < a.q_start[owner] + a.q_period[owner]]] = True
    wraps = first + a.q_increment - last < 0
    hops = np.arange(len(a.hop_flow)) - a.flow_hop_ptr[:-1][a.hop_flow]
    timed = np.concatenate((a.stage_interval, a.stage_latency))
    index = (
        (a.flow_source >= 0, a.flow_source < stages),
        (a.end_stage >= 0, a.end_stage < stages),
        (a.hop_link >= 0, a.hop_link < links),
        (a.end_node >= NO_NODE, a.end_node < a.flow_hop_ptr[1:][a.end_flow]),
        (a.hop_parent >= NO_NODE, a.hop_parent < hops + a.flow_hop_ptr[:-1][a.hop_flow]),
        (np.diff(a.flow_end_ptr) > 0, a.flow_initial >= 0),
        (a.stage_firings >= 0,),
        (a.q_increment[timed] == 0, least[timed] >= 1),
        (a.q_increment[a.flow_emit] == 0, least[a.flow_emit] >= 0),
        (a.link_hop >= 1,),
        (a.hop_serialisation >= 1,),
    )
    if not all(bool(test.all()) for group in index for test in group):
        return False
    repeats = a.stage_firings[a.end_stage] > a.q_period[a.end_free]
    visits = np.sort(a.hop_flow * (links + 1) + a.hop_link)
    return bool((np.diff(visits) > 0).all() and not (falls[a.end_free] | (wraps[a.end_free] & repeats)).any())


def _check_stage(stage: Stage) -> None:
    if stage.firings < 0:
        raise ProgramError(f"stage {stage.name!r}: {stage.firings} firings, must be 0 or more")
    for what, sequence in (("interval", stage.interval), ("latency", stage.latency)):
        if sequence.increment != 0:
            raise ProgramError(f"stage {stage.name!r}: {what} must be periodic, it grows by {sequence.increment}")
        smallest = sequence.offset + min(sequence.table)
        if smallest < 1:
            raise ProgramError(f"stage {stage.name!r}: {what} is {smallest} ps, must be at least 1 ps")


def _check_flow(flow: Flow, program: Program) -> None:
    where = f"flow {flow.name!r}"
    if not 0 <= flow.source < len(program.stages):
        raise ProgramError(f"{where}: its source is stage {flow.source}, there are {len(program.stages)} stages")
    if not flow.ends:
        raise ProgramError(f"{where}: it has no end")
    if flow.initial < 0:
        raise ProgramError(f"{where}: {flow.initial} initial tokens, must be 0 or more")
    if flow.emit.increment != 0 or flow.emit.offset + min(flow.emit.table) < 0:
        raise ProgramError(f"{where}: emit must be periodic and 0 or more")
    _check_route(flow, program.links)
    for end in flow.ends:
        if not 0 <= end.stage < len(program.stages):
            raise ProgramError(f"{where}: ends at stage {end.stage}, there are {len(program.stages)} stages")
        if not NO_NODE <= end.node < len(flow.route):
            raise ProgramError(f"{where}: ends at hop {end.node}, its route has {len(flow.route)} hops")
        stage = program.stages[end.stage]
        steps = np.diff(np.asarray(end.free.table, np.int64), prepend=-end.free.offset)  # nothing is freed at first
        wraps = end.free.table[0] + end.free.increment - end.free.table[-1]
        if steps.min() < 0 or (wraps < 0 and stage.firings > len(end.free.table)):
            raise ProgramError(f"{where}: the tokens freed by stage {stage.name!r} must never fall in number")


def _check_route(flow: Flow, links: tuple[Link, ...]) -> None:
    where = f"flow {flow.name!r}"
    seen: set[int] = set()
    for index, hop in enumerate(flow.route):
        if not 0 <= hop.link < len(links):
            raise ProgramError(f"{where}: hop {index} is link {hop.link}, there are {len(links)} links")
        if hop.link in seen:
            raise ProgramError(f"{where}: its route visits link {links[hop.link].name!r} twice")
        seen.add(hop.link)
        if not NO_NODE <= hop.parent < index:
            raise ProgramError(f"{where}: hop {index} has parent {hop.parent}, which does not stand before it")
        if hop.serialisation < 1:
            raise ProgramError(f"{where}: serialisation is {hop.serialisation} ps, must be at least 1 ps")


def _pointers(counts: list[int] | Ints) -> Ints:
    pointers = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=pointers[1:])
    return pointers


def _grouped(owners: Ints, groups: int) -> tuple[Ints, Ints]:
    """Row pointers and members of each group, members ascending; owners below 0 belong to none."""
    members = np.flatnonzero(owners >= 0)
    order = members[np.argsort(owners[members], kind="stable")]
    counts = np.bincount(owners[members], minlength=groups)
    return _pointers(counts), order.astype(np.int64)


class _Pool:
    """Numbers equal sequences alike, in the order of their first use; one object is looked up but once."""

    def __init__(self) -> None:
        self.sequences: list[Sequence] = []
        self._by_identity: dict[int, int] = {}
        self._by_value: dict[Sequence, int] = {}

    def numbers(self, sequences: list[Sequence]) -> Ints:
        known = self._by_identity
        for sequence in sequences:
            if id(sequence) not in known:
                number = known[id(sequence)] = self._by_value.setdefault(sequence, len(self.sequences))
                if number == len(self.sequences):
                    self.sequences.append(sequence)
        return _ints([known[id(sequence)] for sequence in sequences])


def _ints(values: list[int]) -> Ints:
    return np.array(values, np.int64)


def _flatten(program: Program) -> ProgramArrays:
    pool, flows, stages = _Pool(), program.flows, program.stages
    ends = [end for flow in flows for end in flow.ends]
    hops = [hop for flow in flows for hop in flow.route]
    hop_ptr = _pointers([len(flow.route) for flow in flows])
    end_flow = np.repeat(np.arange(len(flows), dtype=np.int64), np.diff(program.end_offsets))
    hop_flow = np.repeat(np.arange(len(flows), dtype=np.int64), np.diff(hop_ptr))
    interval, latency = pool.numbers([s.interval for s in stages]), pool.numbers([s.latency for s in stages])
    emit = pool.numbers([flow.emit for flow in flows])
    need, free = pool.numbers([end.need for end in ends]), pool.numbers([end.free for end in ends])
    source = _ints([flow.source for flow in flows])
    end_stage = _ints([end.stage for end in ends])
    node, parent = _ints([end.node for end in ends]), _ints([hop.parent for hop in hops])
    end_node = np.where(node == NO_NODE, NO_NODE, node + hop_ptr[end_flow])
    hop_parent = np.where(parent == NO_NODE, NO_NODE, parent + hop_ptr[hop_flow])
    in_ptr, stage_in = _grouped(end_stage, len(stages))
    out_ptr, stage_out = _grouped(source, len(stages))
    child_ptr, child = _grouped(hop_parent, len(hops))
    hop_end_ptr, hop_end = _grouped(end_node, len(hops))
    tables = pool.sequences
    return ProgramArrays(
        pool=np.fromiter(chain.from_iterable(q.table for q in tables), np.int64, sum(len(q.table) for q in tables)),
        q_start=_pointers([len(q.table) for q in tables])[:-1],
        q_period=_ints([len(q.table) for q in tables]),
        q_increment=_ints([q.increment for q in tables]),
        q_offset=_ints([q.offset for q in tables]),
        stage_firings=_ints([s.firings for s in stages]),
        stage_interval=interval,
        stage_latency=latency,
        stage_in_ptr=in_ptr,
        stage_in=stage_in,
        stage_out_ptr=out_ptr,
        stage_out=stage_out,
        flow_source=source,
        flow_emit=emit,
        flow_initial=_ints([flow.initial for flow in flows]),
        flow_end_ptr=program.end_offsets,
        flow_hop_ptr=hop_ptr,
        end_flow=end_flow,
        end_stage=end_stage,
        end_need=need,
        end_free=free,
        end_capacity=_ints([end.capacity for end in ends]),
        end_node=end_node,
        hop_flow=hop_flow,
        hop_link=_ints([hop.link for hop in hops]),
        hop_parent=hop_parent,
        hop_serialisation=_ints([hop.serialisation for hop in hops]),
        hop_child_ptr=child_ptr,
        hop_child=child,
        hop_end_ptr=hop_end_ptr,
        hop_end=hop_end,
        link_hop=_ints([link.hop for link in program.links]),
    )
