"""The Program: a timed dataflow of stages, flows and links, which both engines run.

All time is integer picoseconds from 0; floats never order events.

* A **Stage** is a sequential server that fires ``firings`` times, in order.
* A **Flow** is an ordered channel of equal-sized tokens from one stage to one or more **Ends**.
* A **Link** is a shared first-in first-out server that tokens cross on their way.

The rules of firing, of links and of waiting stand in ``docs/timing.md``.  The records here are frozen;
:meth:`Program.arrays` gives the same content as flat ``int64`` arrays, which is what the engines read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ProgramError
from archsim.flat import Columns, Ends, ProgramArrays, Route, Trees, sums
from archsim.parts import NO_NODE, End, Flow, Hop, Link, Sequence, Stage
from archsim.sequences import Sequences, ints

__all__ = ["NO_NODE", "End", "Flow", "Hop", "Link", "Program", "ProgramArrays", "Sequence", "Stage", "sums"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Program:
    """Stages, flows and links; checked when it is made (indices, signs, routes), frozen afterwards."""

    stages: tuple[Stage, ...]
    flows: tuple[Flow, ...]
    links: tuple[Link, ...] = ()
    arrays: ProgramArrays = field(init=False, repr=False, compare=False)
    """The same Program as flat arrays."""

    def __post_init__(self) -> None:
        if "arrays" not in self.__dict__:
            self.__dict__["arrays"] = _columns(self.flows).flatten(self.stages, self.links)
        if not _sound(self.arrays):
            for stage in self.stages:
                _check_stage(stage)
            for link in self.links:
                if link.hop < 1:
                    raise ProgramError(f"link {link.name!r}: hop is {link.hop} ps, must be at least 1 ps")
            for flow in self.flows:
                _check_flow(flow, self)

    def __getattr__(self, name: str) -> tuple[Flow, ...]:
        """The flows of a Program that was made of columns, which only some of its users look at one by one."""
        if name != "flows":
            raise AttributeError(name)
        flows = self.__dict__["flows"] = _flows(self.arrays, self.sequences, self.flow_names, self.flow_bits.tolist())
        return flows

    @classmethod
    def of_columns(
        cls, stages: tuple[Stage, ...], columns: Columns, links: tuple[Link, ...], trees: Trees | None = None
    ) -> Program:
        """The Program whose flows are those of ``columns`` with ``trees`` as their hops, checked in the same way."""
        arrays = columns.flatten(stages, links, trees)
        parts = {"flow_names": tuple(columns.names), "flow_bits": columns.bits}
        return cls._made(stages=stages, links=links, arrays=arrays, **parts)

    @classmethod
    def _made(cls, **parts: object) -> Program:
        program = object.__new__(cls)
        program.__dict__.update(parts)
        program.__post_init__()
        return program

    @property
    def end_offsets(self) -> Ints:
        """The global number of each flow's first end; one entry more than there are flows."""
        return self.arrays.flow_end_ptr

    @cached_property
    def flow_tokens(self) -> Ints:
        """The tokens that each flow carries in the whole run, initial ones not counted."""
        return sums(self.arrays, self.arrays.flow_emit, self.arrays.stage_firings[self.arrays.flow_source])

    @cached_property
    def sequences(self) -> tuple[Sequence, ...]:
        """The sequences of the Program, each once, in the order of their numbers in the arrays."""
        a = self.arrays
        edges = zip(a.q_start.tolist(), (a.q_start + a.q_period).tolist(), strict=True)
        tables = [tuple(a.pool[start:end].tolist()) for start, end in edges]
        return tuple(map(Sequence, tables, a.q_increment.tolist(), a.q_offset.tolist()))

    @cached_property
    def flow_bits(self) -> Ints:
        """The bits of a token of each flow."""
        return ints([flow.bits for flow in self.flows])

    @cached_property
    def flow_names(self) -> tuple[str, ...]:
        """The name of each flow."""
        return tuple([flow.name for flow in self.flows])

    def with_capacities(self, capacities: Ints) -> Program:
        """The same Program with other capacities, given for each end by global number."""
        return self._derived(self.stages, self.arrays._replace(end_capacity=capacities.astype(np.int64)))

    def repeated(self, times: int) -> Program:
        """The same Program with ``times`` as many firings of each stage."""
        stages = tuple(
            Stage(s.name, s.firings * times, s.interval, s.latency, s.layer, s.place, s.component) for s in self.stages
        )
        return self._derived(stages, self.arrays._replace(stage_firings=self.arrays.stage_firings * times))

    def _derived(self, stages: tuple[Stage, ...], arrays: ProgramArrays) -> Program:
        """A Program like this one, of other ``stages`` and ``arrays``, which belong together."""
        parts = {"flow_names": self.flow_names, "flow_bits": self.flow_bits}
        return self._made(stages=stages, links=self.links, arrays=arrays, **parts)


def _columns(flows: tuple[Flow, ...]) -> Columns:
    sequences = Sequences()
    columns = Columns(sequences)
    ends = [end for flow in flows for end in flow.ends]
    emits = sequences.of([flow.emit for flow in flows]).tolist()
    needs, frees = (sequences.of(of).tolist() for of in ([e.need for e in ends], [e.free for e in ends]))
    past = 0
    for flow, emit in zip(flows, emits, strict=True):
        first, past = past, past + len(flow.ends)
        own = flow.ends
        columns.flow(
            flow.name,
            flow.source,
            emit,
            Ends(
                [end.stage for end in own],
                needs[first:past],
                frees[first:past],
                [end.capacity for end in own],
                [end.node for end in own],
            ),
            Route.of(flow.route),
            flow.initial,
            flow.bits,
        )
    return columns


def _flows(
    a: ProgramArrays, sequences: tuple[Sequence, ...], names: tuple[str, ...], bits: list[int]
) -> tuple[Flow, ...]:
    """The flows of a Program from its arrays."""
    first_hop = a.flow_hop_ptr[:-1]
    node = np.where(a.end_node == NO_NODE, NO_NODE, a.end_node - first_hop[a.end_flow])
    parent = np.where(a.hop_parent == NO_NODE, NO_NODE, a.hop_parent - first_hop[a.hop_flow])
    ends = [
        End(stage, sequences[need], sequences[free], capacity, at)
        for stage, need, free, capacity, at in zip(
            a.end_stage.tolist(),
            a.end_need.tolist(),
            a.end_free.tolist(),
            a.end_capacity.tolist(),
            node.tolist(),
            strict=True,
        )
    ]
    hops = [*map(Hop, a.hop_link.tolist(), a.hop_serialisation.tolist(), parent.tolist())]
    own_ends, own_hops = pairwise(a.flow_end_ptr.tolist()), pairwise(a.flow_hop_ptr.tolist())
    each = zip(names, a.flow_source.tolist(), a.flow_emit.tolist(), a.flow_initial.tolist(), bits, strict=True)
    return tuple(
        [
            Flow(name, source, sequences[emit], tuple(ends[e:f]), tuple(hops[h:k]), initial, size)
            for (name, source, emit, initial, size), (e, f), (h, k) in zip(each, own_ends, own_hops, strict=True)
        ]
    )


def _sound(a: ProgramArrays) -> bool:
    """Whether nothing is wrong with a Program; what it is, if not, is found stage by stage and flow by flow."""
    stages, flows, links = len(a.stage_firings), len(a.flow_source), len(a.link_hop)
    if not len(a.q_start):
        return flows == 0 and bool((a.link_hop >= 1).all())
    least = np.minimum.reduceat(a.pool, a.q_start) + a.q_offset
    first, last = a.pool[a.q_start], a.pool[a.q_start + a.q_period - 1]
    falls = first + a.q_offset < 0  # nothing is freed at first
    inside = np.flatnonzero(a.pool[1:] < a.pool[:-1])
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
