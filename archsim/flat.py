"""A Program as flat arrays, and the columns from which they are made: what the engines and compilation work on.

A large board has a hundred thousand ends and hops.  Here each thing that they have is one list or one array, so that
nothing has to be made for every one of them.
"""

from __future__ import annotations

from collections.abc import Sequence as Seq
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.parts import NO_NODE, Hop, Link, Stage
from archsim.sequences import Sequences, ints, runs, starts

__all__ = ["Columns", "Ends", "ProgramArrays", "Route", "Rows", "Trees", "grouped", "sums"]

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
    """The ends of a flow, see :class:`archsim.parts.End`: a list for each thing that they have, sequences by number."""

    stages: Seq[int]
    needs: Seq[int]
    frees: Seq[int]
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


class Trees(NamedTuple):
    """The hops that some flows have behind those of their columns: of the k-th of ``flows``, which ascend, the hops
    from ``edges[k]`` to ``edges[k + 1]``.  Parents count from the first of these, and -1 is the last hop of the
    columns.  ``hangs`` says in the same way where each end of these flows hangs."""

    flows: Ints
    edges: Ints
    links: Ints
    serialisations: Ints
    parents: Ints
    hangs: Ints


class Rows:
    """Rows of so many integers, put together from single ones and from whole columns."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._parts: list[Ints] = []
        self._latest: list[int] = []
        self.extend = self._latest.extend
        """Put the integers of rows, one after the other."""

    def put(self, *columns: Ints) -> None:
        """Several rows, of which each of ``columns`` has one thing."""
        self._parts += [self._taken(), np.stack(columns)]

    def _taken(self) -> Ints:
        taken = ints(self._latest).reshape(-1, self._width).T
        self._latest.clear()
        return taken

    @property
    def columns(self) -> tuple[Ints, ...]:
        """What all rows have, thing by thing."""
        self._parts = [np.concatenate([*self._parts, self._taken()], axis=1)]
        return tuple(self._parts[0])


class Columns:
    """Flows put together, with their ends and hops, each thing that they have in a column."""

    def __init__(self, sequences: Sequences) -> None:
        """``sequences`` are those that emits, needs and frees are numbers of."""
        self.sequences = sequences
        self.names: list[str] = []
        self._flows, self._ends, self._hops = Rows(6), Rows(len(Ends._fields)), Rows(len(Route._fields))

    def flow(
        self, name: str, source: int, emit: int, ends: Ends, route: Route, initial: int = 0, bits: int = 0
    ) -> None:
        """One flow more, see :class:`archsim.parts.Flow`."""
        self.names.append(name)
        self._flows.extend((bits, source, emit, initial, len(ends.stages), len(route.links)))
        self._ends.extend(chain.from_iterable(zip(*ends, strict=True)))
        self._hops.extend(chain.from_iterable(zip(*route, strict=True)))

    def flows(
        self, names: Seq[str], sources: Ints, emits: Ints, end_counts: Ints, ends: Seq[Ints], initial: Ints, bits: Ints
    ) -> None:
        """Several flows more, without hops; ``ends`` are the columns of :class:`Ends`, for the ends of all of them."""
        self.names.extend(names)
        self._flows.put(bits, sources, emits, initial, end_counts, np.zeros_like(end_counts))
        self._ends.put(*ends)

    @property
    def end_counts(self) -> Ints:
        """The ends of each flow."""
        return self._flows.columns[4]

    @property
    def bits(self) -> Ints:
        """The bits of a token of each flow."""
        return self._flows.columns[0]

    def flatten(self, stages: Seq[Stage], links: Seq[Link], trees: Trees | None = None) -> ProgramArrays:
        """The arrays of a Program of these flows."""
        _, source, emit, initial, end_counts, hop_counts = self._flows.columns
        flows = len(self.names)
        end_ptr, end_flow = starts(end_counts), np.repeat(np.arange(flows), end_counts)
        end_stage, need, free, capacity, node = self._ends.columns
        hops = _hops(hop_counts, self._hops.columns, trees)
        if trees is not None:
            routed = np.zeros(flows, bool)
            routed[trees.flows] = True
            hanging = routed[end_flow]
            node = node.copy()
            node[hanging] = trees.hangs + hop_counts[end_flow[hanging]]
        end_node = np.where(node == NO_NODE, NO_NODE, node + hops.edges[end_flow])
        hop_parent = np.where(hops.parent == NO_NODE, NO_NODE, hops.parent + hops.edges[hops.flow])
        timed = [self.sequences.of(of) for of in ([s.interval for s in stages], [s.latency for s in stages])]
        tables, numbers = self.sequences.used([*timed, emit, need, free])
        interval, latency, emit, need, free = numbers
        in_ptr, stage_in = grouped(end_stage, len(stages))
        out_ptr, stage_out = grouped(source, len(stages))
        child_ptr, child = grouped(hop_parent, len(hops.flow))
        hop_end_ptr, hop_end = grouped(end_node, len(hops.flow))
        return ProgramArrays(
            pool=tables.pool,
            q_start=tables.start,
            q_period=tables.period,
            q_increment=tables.increment,
            q_offset=tables.offset,
            stage_firings=ints([s.firings for s in stages]),
            stage_interval=interval,
            stage_latency=latency,
            stage_in_ptr=in_ptr,
            stage_in=stage_in,
            stage_out_ptr=out_ptr,
            stage_out=stage_out,
            flow_source=source,
            flow_emit=emit,
            flow_initial=initial,
            flow_end_ptr=end_ptr,
            flow_hop_ptr=hops.edges,
            end_flow=end_flow,
            end_stage=end_stage,
            end_need=need,
            end_free=free,
            end_capacity=capacity,
            end_node=end_node,
            hop_flow=hops.flow,
            hop_link=hops.link,
            hop_parent=hop_parent,
            hop_serialisation=hops.serialisation,
            hop_child_ptr=child_ptr,
            hop_child=child,
            hop_end_ptr=hop_end_ptr,
            hop_end=hop_end,
            link_hop=ints([link.hop for link in links]),
        )


class _Hops(NamedTuple):
    """The hops of all flows: those of flow f from ``edges[f]`` to ``edges[f + 1]``; parents count from the first."""

    edges: Ints
    flow: Ints
    link: Ints
    serialisation: Ints
    parent: Ints


def _hops(counts: Ints, own: Seq[Ints], trees: Trees | None) -> _Hops:
    """The hops that flows have of their ``own``, ``counts`` each, with those of ``trees`` behind them."""
    if trees is None:
        link, serialisation, parent = own
        return _Hops(starts(counts), np.repeat(np.arange(len(counts)), counts), link, serialisation, parent)
    grown, more = np.zeros_like(counts), np.diff(trees.edges)
    grown[trees.flows] = more
    edges = starts(counts + grown)
    place = runs(edges[:-1], counts)
    behind = runs((edges[:-1] + counts)[trees.flows], more)
    columns = []
    for before, after in zip(
        own,
        (trees.links, trees.serialisations, trees.parents + np.repeat(counts[trees.flows], more)),
        strict=True,
    ):
        column = np.empty(edges[-1], np.int64)
        column[place], column[behind] = before, after
        columns.append(column)
    return _Hops(edges, np.repeat(np.arange(len(counts)), counts + grown), *columns)


def sums(a: ProgramArrays, sequence: Ints, firings: Ints) -> Ints:
    """The sum of the first ``firings`` values of each ``sequence`` that is given by its number and grows by nothing."""
    start = a.q_start[sequence]
    whole, rest = np.divmod(firings, a.q_period[sequence])
    part = np.zeros_like(firings)
    some = np.flatnonzero(rest)
    edges = np.stack((start, start + rest), axis=1)[some].ravel()
    part[some] = np.add.reduceat(a.pool, edges)[::2] if len(some) else 0
    once = np.add.reduceat(a.pool, a.q_start)[sequence] if len(sequence) else part
    return np.asarray(whole * once + part + firings * a.q_offset[sequence], np.int64)


def grouped(owners: Ints, groups: int) -> tuple[Ints, Ints]:
    """Row pointers and members of each group, members ascending; owners below 0 belong to none."""
    members = np.flatnonzero(owners >= 0)
    order = members[np.argsort(owners[members], kind="stable")]
    counts = np.bincount(owners[members], minlength=groups)
    return starts(counts), order.astype(np.int64)
