"""The Program: a timed dataflow of stages, flows and links, which both engines run.

All time is integer picoseconds from 0; floats never order events.

* A **Stage** is a sequential server that fires ``firings`` times, in order.
* A **Flow** is an ordered channel of equal-sized tokens from one stage to one or more **Ends**.
* A **Link** is a shared first-in first-out server that tokens cross on their way.

The rules of firing, of links and of waiting stand in ``docs/timing.md``.  The records here are frozen;
:meth:`Program.arrays` gives the same content as flat ``int64`` arrays, which is what the engines read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
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


@dataclass(frozen=True)
class Program:
    """Stages, flows and links; checked when it is made (indices, signs, routes), frozen afterwards."""

    stages: tuple[Stage, ...]
    flows: tuple[Flow, ...]
    links: tuple[Link, ...] = ()

    def __post_init__(self) -> None:
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
        return _pointers(len(flow.ends) for flow in self.flows)

    @cached_property
    def arrays(self) -> ProgramArrays:
        """The same Program as flat arrays."""
        return _flatten(self)


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
    seen: set[int] = set()
    for index, hop in enumerate(flow.route):
        if not 0 <= hop.link < len(program.links):
            raise ProgramError(f"{where}: hop {index} is link {hop.link}, there are {len(program.links)} links")
        if hop.link in seen:
            raise ProgramError(f"{where}: its route visits link {program.links[hop.link].name!r} twice")
        seen.add(hop.link)
        if not NO_NODE <= hop.parent < index:
            raise ProgramError(f"{where}: hop {index} has parent {hop.parent}, which does not stand before it")
        if hop.serialisation < 1:
            raise ProgramError(f"{where}: serialisation is {hop.serialisation} ps, must be at least 1 ps")
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


def _pointers(counts: Iterable[int]) -> Ints:
    return np.concatenate(([0], np.cumsum(np.fromiter(counts, np.int64)))).astype(np.int64)


def _grouped(owners: Ints, groups: int) -> tuple[Ints, Ints]:
    """Row pointers and members of each group, members ascending; owners below 0 belong to none."""
    members = np.flatnonzero(owners >= 0)
    order = members[np.argsort(owners[members], kind="stable")]
    counts = np.bincount(owners[members], minlength=groups)
    return _pointers(int(c) for c in counts), order.astype(np.int64)


def _flatten(program: Program) -> ProgramArrays:
    numbers: dict[Sequence, int] = {}

    def number(sequence: Sequence) -> int:
        return numbers.setdefault(sequence, len(numbers))

    def ints(values: Iterable[int]) -> Ints:
        return np.fromiter(values, np.int64)

    ends = [(f, end) for f, flow in enumerate(program.flows) for end in flow.ends]
    hops = [(f, hop) for f, flow in enumerate(program.flows) for hop in flow.route]
    hop_ptr = _pointers(len(flow.route) for flow in program.flows)
    interval = ints(number(s.interval) for s in program.stages)
    latency = ints(number(s.latency) for s in program.stages)
    emit = ints(number(flow.emit) for flow in program.flows)
    need = ints(number(end.need) for _, end in ends)
    free = ints(number(end.free) for _, end in ends)
    source = ints(flow.source for flow in program.flows)
    end_stage = ints(end.stage for _, end in ends)
    end_node = ints(hop_ptr[f] + end.node if end.node != NO_NODE else NO_NODE for f, end in ends)
    parent = ints(hop_ptr[f] + hop.parent if hop.parent != NO_NODE else NO_NODE for f, hop in hops)
    in_ptr, stage_in = _grouped(end_stage, len(program.stages))
    out_ptr, stage_out = _grouped(source, len(program.stages))
    child_ptr, child = _grouped(parent, len(hops))
    hop_end_ptr, hop_end = _grouped(end_node, len(hops))
    sequences = list(numbers)
    starts = _pointers(len(q.table) for q in sequences)
    pool = np.concatenate([np.asarray(q.table, np.int64) for q in sequences]) if sequences else ints([])
    return ProgramArrays(
        pool=pool,
        q_start=starts[:-1],
        q_period=ints(len(q.table) for q in sequences),
        q_increment=ints(q.increment for q in sequences),
        q_offset=ints(q.offset for q in sequences),
        stage_firings=ints(s.firings for s in program.stages),
        stage_interval=interval,
        stage_latency=latency,
        stage_in_ptr=in_ptr,
        stage_in=stage_in,
        stage_out_ptr=out_ptr,
        stage_out=stage_out,
        flow_source=source,
        flow_emit=emit,
        flow_initial=ints(flow.initial for flow in program.flows),
        flow_end_ptr=program.end_offsets,
        flow_hop_ptr=hop_ptr,
        end_flow=ints(f for f, _ in ends),
        end_stage=end_stage,
        end_need=need,
        end_free=free,
        end_capacity=ints(end.capacity for _, end in ends),
        end_node=end_node,
        hop_flow=ints(f for f, _ in hops),
        hop_link=ints(hop.link for _, hop in hops),
        hop_parent=parent,
        hop_serialisation=ints(hop.serialisation for _, hop in hops),
        hop_child_ptr=child_ptr,
        hop_child=child,
        hop_end_ptr=hop_end_ptr,
        hop_end=hop_end,
        link_hop=ints(link.hop for link in program.links),
    )
