"""A Program as flat arrays, and the columns from which they are made: what the engines and compilation work on.

A large board has a hundred thousand ends and hops.  Here each thing that they have is one list or one array, so that
nothing has to be made for every one of them.
"""

from __future__ import annotations

from collections.abc import Sequence as Seq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.parts import NO_NODE, Hop, Link, Sequence, Stage

__all__ = ["Columns", "Ends", "ProgramArrays", "Route", "ints", "sums"]

Ints = NDArray[np.int64]


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


class Ends(NamedTuple):
    """The ends of a flow, see :class:`archsim.parts.End`: one list for each thing that they have."""

    stages: Seq[int]
    needs: Seq[Sequence]
    frees: Seq[Sequence]
    capacities: Seq[int]
    nodes: Seq[int]


class Route(NamedTuple):
    """The hops of a flow, see :class:`archsim.parts.Hop`: one list for each thing that they have."""

    links: Seq[int] = ()
    serialisations: Seq[int] = ()
    parents: Seq[int] = ()

    @classmethod
    def of(cls, hops: Seq[Hop]) -> Route:
        """The same hops as columns."""
        return cls([hop.link for hop in hops], [hop.serialisation for hop in hops], [hop.parent for hop in hops])


class Columns:
    """Flows put together one after the other, with their ends and hops, each thing that they have in a list."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.bits: list[int] = []
        self._sources: list[int] = []
        self._emits: list[Sequence] = []
        self._initial: list[int] = []
        self._end_counts: list[int] = []
        self._hop_counts: list[int] = []
        self._ends: tuple[list[int], list[Sequence], list[Sequence], list[int], list[int]] = ([], [], [], [], [])
        self._hops: tuple[list[int], list[int], list[int]] = ([], [], [])

    def flow(
        self, name: str, source: int, emit: Sequence, ends: Ends, route: Route, initial: int = 0, bits: int = 0
    ) -> None:
        """One flow more, see :class:`archsim.parts.Flow`."""
        self.names.append(name)
        self.bits.append(bits)
        self._sources.append(source)
        self._emits.append(emit)
        self._initial.append(initial)
        self._end_counts.append(len(ends.stages))
        self._hop_counts.append(len(route.links))
        stages, needs, frees, capacities, nodes = self._ends
        stages.extend(ends.stages)
        needs.extend(ends.needs)
        frees.extend(ends.frees)
        capacities.extend(ends.capacities)
        nodes.extend(ends.nodes)
        for column, values in zip(self._hops, route, strict=True):
            column.extend(values)

    def flatten(self, stages: Seq[Stage], links: Seq[Link]) -> tuple[ProgramArrays, tuple[Sequence, ...]]:
        """The arrays of a Program of these flows, and the sequences in the order of their numbers."""
        pool = _Pool()
        end_ptr, hop_ptr = _pointers(self._end_counts), _pointers(self._hop_counts)
        numbers = np.arange(len(self.names), dtype=np.int64)
        end_flow, hop_flow = np.repeat(numbers, self._end_counts), np.repeat(numbers, self._hop_counts)
        interval, latency = pool.numbers([s.interval for s in stages]), pool.numbers([s.latency for s in stages])
        emit = pool.numbers(self._emits)
        end_stages, needs, frees, capacities, nodes = self._ends
        need, free = pool.numbers(needs), pool.numbers(frees)
        source, end_stage = ints(self._sources), ints(end_stages)
        node, parent = ints(nodes), ints(self._hops[2])
        end_node = np.where(node == NO_NODE, NO_NODE, node + hop_ptr[end_flow])
        hop_parent = np.where(parent == NO_NODE, NO_NODE, parent + hop_ptr[hop_flow])
        in_ptr, stage_in = _grouped(end_stage, len(stages))
        out_ptr, stage_out = _grouped(source, len(stages))
        child_ptr, child = _grouped(hop_parent, len(hop_flow))
        hop_end_ptr, hop_end = _grouped(end_node, len(hop_flow))
        tables = pool.sequences
        periods = [len(q.table) for q in tables]
        arrays = ProgramArrays(
            pool=pool.values(),
            q_start=_pointers(periods)[:-1],
            q_period=ints(periods),
            q_increment=ints([q.increment for q in tables]),
            q_offset=ints([q.offset for q in tables]),
            stage_firings=ints([s.firings for s in stages]),
            stage_interval=interval,
            stage_latency=latency,
            stage_in_ptr=in_ptr,
            stage_in=stage_in,
            stage_out_ptr=out_ptr,
            stage_out=stage_out,
            flow_source=source,
            flow_emit=emit,
            flow_initial=ints(self._initial),
            flow_end_ptr=end_ptr,
            flow_hop_ptr=hop_ptr,
            end_flow=end_flow,
            end_stage=end_stage,
            end_need=need,
            end_free=free,
            end_capacity=ints(capacities),
            end_node=end_node,
            hop_flow=hop_flow,
            hop_link=ints(self._hops[0]),
            hop_parent=hop_parent,
            hop_serialisation=ints(self._hops[1]),
            hop_child_ptr=child_ptr,
            hop_child=child,
            hop_end_ptr=hop_end_ptr,
            hop_end=hop_end,
            link_hop=ints([link.hop for link in links]),
        )
        return arrays, tuple(tables)


def ints(values: Seq[int]) -> Ints:
    """The same integers as an array."""
    return np.array(values, np.int64)


def sums(a: ProgramArrays, sequence: Ints, firings: Ints) -> Ints:
    """The sum of the first ``firings`` values of each ``sequence`` that is given by its number and grows by nothing."""
    start, period = a.q_start[sequence], a.q_period[sequence]
    before = np.concatenate(([0], np.cumsum(a.pool)))  # the sum of the pool before each of its places
    whole, rest = np.divmod(firings, period)
    once, part = before[start + period] - before[start], before[start + rest] - before[start]
    return np.asarray(whole * once + part + firings * a.q_offset[sequence], np.int64)


class _Pool:
    """Numbers equal sequences alike, in the order of their first use; one object is looked up but once."""

    def __init__(self) -> None:
        self.sequences: list[Sequence] = []
        self._by_identity: dict[int, int] = {}
        self._by_value: dict[Sequence, int] = {}

    def numbers(self, sequences: Seq[Sequence]) -> Ints:
        known = self._by_identity
        for sequence in sequences:
            if id(sequence) not in known:
                number = known[id(sequence)] = self._by_value.setdefault(sequence, len(self.sequences))
                if number == len(self.sequences):
                    self.sequences.append(sequence)
        return ints([known[id(sequence)] for sequence in sequences])

    def values(self) -> Ints:
        """The tables of all sequences, one after the other."""
        packed = bytearray().join([q.packed or ints(q.table).tobytes() for q in self.sequences])
        return np.frombuffer(packed, np.int64) if packed else ints([])


def _pointers(counts: Seq[int] | Ints) -> Ints:
    pointers = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=pointers[1:])
    return pointers


def _grouped(owners: Ints, groups: int) -> tuple[Ints, Ints]:
    """Row pointers and members of each group, members ascending; owners below 0 belong to none."""
    members = np.flatnonzero(owners >= 0)
    order = members[np.argsort(owners[members], kind="stable")]
    counts = np.bincount(owners[members], minlength=groups)
    return _pointers(counts), order.astype(np.int64)
