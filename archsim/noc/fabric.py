"""A network as arrays of integers: what both flit-level engines run.

Channels are numbered: first the injection channel of each terminal, then the channels between routers in the order of
the graph's edges, then the ejection channel of each terminal.  Virtual channel ``v`` of channel ``c`` is ``c * V + v``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError, CompileError
from archsim.noc.dependencies import check_acyclic
from archsim.noc.routing import Routing
from archsim.noc.topology import Graph, merged
from archsim.spec.flit import FlitRouter

__all__ = ["Fabric", "Routes"]

Ints = NDArray[np.int64]

TERMINAL = -1
"""In place of a router, at the outer end of an injection or ejection channel."""


@dataclass(frozen=True)
class Routes:
    """Trees of channels, one after the other as steps; a step that delivers to a terminal has no children.

    Step ``s`` crosses ``channel[s]`` in a virtual channel of ``low[s]`` to ``high[s]`` (both included); its children
    are ``child[child_ptr[s] : child_ptr[s + 1]]``.  Route ``r`` begins with step ``first[r]`` on the injection channel
    of its source and delivers ``ends[r]`` times.
    """

    first: Ints
    ends: Ints
    channel: Ints
    low: Ints
    high: Ints
    child_ptr: Ints
    child: Ints

    def paths(self, route: int) -> list[list[int]]:
        """The channels from the source of a route to each of its targets."""
        found: list[list[int]] = []
        todo: list[tuple[int, list[int]]] = [(int(self.first[route]), [])]
        while todo:
            step, before = todo.pop()
            path = [*before, int(self.channel[step])]
            children = self.child[self.child_ptr[step] : self.child_ptr[step + 1]].tolist()
            todo += [(child, path) for child in reversed(children)]
            if not children:
                found.append(path)
        return found

    @cached_property
    def most_children(self) -> int:
        """The largest number of ways that a route takes from one router."""
        return max(1, int(np.diff(self.child_ptr).max(initial=1)))


@dataclass(frozen=True)
class Fabric:
    """A graph of routers, its routing and the router's keys; ``check`` is off only to see what a cycle does."""

    graph: Graph
    routing: Routing
    router: FlitRouter = field(default_factory=FlitRouter)
    check: bool = True

    def __post_init__(self) -> None:
        if self.router.virtual_channels < self.routing.classes:
            raise CompileError(
                f"the routing {self.routing.name!r} needs {self.routing.classes} virtual channels to be free of "
                f"deadlock; virtual_channels is {self.router.virtual_channels}"
            )
        if not len(self.terminals):
            raise CompileError("the network has no terminals: no router has anything attached to it")
        if self.check:
            check_acyclic(self.routing, self.terminals)

    def slowed(self, period: int) -> Fabric:
        """The same network with ``period`` times as many cycles between two flits of every channel between routers."""
        if period == 1:
            return self
        graph = self.graph.copy()
        for _, _, link in graph.edges(data=True):
            link["period"] = period * (link.get("period") or 1)
        return replace(self, graph=graph)

    @cached_property
    def routers(self) -> list[Any]:
        """The routers in order."""
        return list(self.graph)

    @cached_property
    def terminals(self) -> list[Any]:
        """The router of each terminal."""
        return [node for node, count in self.graph.nodes(data="terminals", default=0) for _ in range(count)]

    @cached_property
    def edges(self) -> list[tuple[Any, Any]]:
        """The channels between routers in order."""
        return list(self.graph.edges)

    @property
    def channels(self) -> int:
        """How many channels there are, those of the terminals included."""
        return 2 * len(self.terminals) + len(self.edges)

    @cached_property
    def _edge_number(self) -> dict[tuple[Any, Any], int]:
        return {edge: len(self.terminals) + index for index, edge in enumerate(self.edges)}

    def injection(self, terminal: int) -> int:
        """The number of the injection channel of a terminal."""
        return terminal

    def ejection(self, terminal: int) -> int:
        """The number of the ejection channel of a terminal."""
        return len(self.terminals) + len(self.edges) + terminal

    def between(self, a: Any, b: Any) -> int:
        """The number of the channel from one router to another."""
        return self._edge_number[a, b]

    def channel_name(self, channel: int) -> str:
        """A channel as messages show it."""
        count = len(self.terminals)
        if channel < count:
            return f"terminal {channel}->{self.terminals[channel]}"
        if channel < count + len(self.edges):
            a, b = self.edges[channel - count]
            return f"{a}->{b}"
        terminal = channel - count - len(self.edges)
        return f"{self.terminals[terminal]}->terminal {terminal}"

    @cached_property
    def from_router(self) -> Ints:
        """The router at which each channel begins, TERMINAL for injection."""
        number = {node: index for index, node in enumerate(self.routers)}
        edges = [number[a] for a, _ in self.edges]
        return np.array([TERMINAL] * len(self.terminals) + edges + [number[t] for t in self.terminals], np.int64)

    @cached_property
    def to_router(self) -> Ints:
        """The router at which each channel ends, TERMINAL for ejection."""
        number = {node: index for index, node in enumerate(self.routers)}
        edges = [number[b] for _, b in self.edges]
        return np.array([number[t] for t in self.terminals] + edges + [TERMINAL] * len(self.terminals), np.int64)

    @cached_property
    def wire(self) -> Ints:
        """The cycles of each channel's wires."""
        edges = [self.graph.edges[edge].get("cycles") or self.router.link_cycles for edge in self.edges]
        ends = len(self.terminals)
        return np.array([self.router.injection_cycles] * ends + edges + [self.router.ejection_cycles] * ends, np.int64)

    @cached_property
    def period(self) -> Ints:
        """The cycles between two flits on each channel."""
        edges = [self.graph.edges[edge].get("period") or 1 for edge in self.edges]
        ends = len(self.terminals)
        return np.array([1] * ends + edges + [1] * ends, np.int64)

    @cached_property
    def flit_delay(self) -> Ints:
        """Cycles from the grant of the switch (or the source's turn) to the place behind the channel."""
        after = self.router.switch_allocation_cycles + self.router.switch_traversal_cycles
        return np.where(self.from_router == TERMINAL, self.router.source_cycles, after) + self.wire

    @cached_property
    def credit_delay(self) -> Ints:
        """Cycles from the moment at which a flit leaves its buffer to the use of its place by the sender.

        Sent as the flit is granted the switch, the credit has left the router one cycle later, crosses wires as long
        as the channel's, and is worked on for ``credit_cycles``.
        """
        return 1 + self.wire + self.router.credit_cycles

    def ports(self, incoming: bool) -> tuple[Ints, Ints, Ints]:
        """The channels into (or out of) each router, as rows of a CSR matrix, and the place of each in its row."""
        routers = self.to_router if incoming else self.from_router
        inside = np.flatnonzero(routers != TERMINAL)
        order = inside[np.argsort(routers[inside], kind="stable")]
        counts = np.bincount(routers[inside], minlength=len(self.routers))
        ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        place = np.full(self.channels, -1, np.int64)
        place[order] = np.arange(len(order)) - ptr[routers[order]]
        return ptr, order.astype(np.int64), place

    def virtual_channels(self, kind: int) -> tuple[int, int]:
        """The first and the last virtual channel of a class."""
        total, classes = self.router.virtual_channels, self.routing.classes
        return kind * total // classes, (kind + 1) * total // classes - 1

    def path(self, source: int, target: int, first: int | None = None) -> list[tuple[int, int, int]]:
        """The channels from one terminal to another, each with its first and last virtual channel.

        ``first`` is the first target of a multicast, which names its flow.
        """
        everything = (0, self.router.virtual_channels - 1)
        start = self.terminals[source]
        steps = [(self.injection(source), *everything)]
        path = self.routing.path(start, self.terminals[target])
        routers = [start, *(node for node, _ in path)]
        for edge, (_, kind) in zip(pairwise(routers), path, strict=True):
            steps.append((self.between(*edge), *self.virtual_channels(kind)))
        steps.append((self.ejection(target), *everything))
        if self.router.order == "vc-by-flow":  # one of them, spread over the flows
            flow = source * len(self.terminals) + (target if first is None else first)
            steps = [(c, pick := low + (flow * 40503 >> 4) % (high - low + 1), pick) for c, low, high in steps]
        return steps

    def hops(self, source: int, target: int) -> int:
        """Channels between routers on the way."""
        return len(self.path(source, target)) - 2

    def routes(self, trees: list[tuple[int, tuple[int, ...]]]) -> Routes:
        """The routes from a source terminal to one or several target terminals each."""
        first: list[int] = []
        ends: list[int] = []
        steps: list[tuple[int, int, int]] = []
        children: list[list[int]] = []
        for source, targets in trees:
            if not targets or len(set(targets)) < len(targets):
                raise ArchsimError(f"a packet of terminal {source} needs one or more different targets, got {targets}")
            first.append(len(steps))
            ends.append(len(targets))
            tree, _ = merged(self.path(source, target, targets[0]) for target in targets)
            children += [[] for _ in tree]
            for at, (_, parent) in enumerate(tree, len(steps)):
                if parent >= 0:
                    children[first[-1] + parent].append(at)
            steps += [step for step, _ in tree]
        counts = np.array([len(row) for row in children], np.int64)
        ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        flat = np.array([at for row in children for at in row], np.int64)
        table = np.array(steps, np.int64).reshape(-1, 3)
        channel, low, high = (table[:, column].copy() for column in range(3))
        return Routes(np.array(first, np.int64), np.array(ends, np.int64), channel, low, high, ptr, flat)

    def zero_load_latency(self, source: int, target: int, flits: int) -> int:
        """Cycles from the creation of a packet to the ejection of its tail in an empty network.

        The head takes source and injection, then the pipeline of each router and the wires behind it, the ejection
        channel's included.  The tail follows a cycle behind for each flit more: hops × (router + link) + serialisation.
        Behind a channel with a period the flits are further apart; of that they make up a little, since only the head
        takes the cycles of route computation and virtual-channel allocation.

        It holds where ``buffer_flits`` covers the round trip of a credit; with less, a long packet stops for credits.
        """
        channels = np.array([channel for channel, _, _ in self.path(source, target)])
        routers_behind = len(channels) - 1 - np.arange(len(channels))
        head_only = self.router.routing_cycles + self.router.vc_allocation_cycles
        head = self.router.source_cycles + int(self.wire[channels].sum())
        head += (len(channels) - 1) * self.router.pipeline_cycles
        if flits == 1:
            return head
        return head + int(((flits - 1) * self.period[channels] - routers_behind * head_only).max())
