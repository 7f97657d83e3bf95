"""The channel-dependency graph of a set of routes, and what follows from a cycle in it.

Dally and Seitz (IEEE Trans. Computers C-36, 1987): wormhole routing by fixed paths is free of deadlock if and only if
no channel can wait for itself, that is, if the graph of "a packet that holds this waits for that" has no cycle.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import networkx as nx

from archsim.errors import CompileError
from archsim.noc.routing import Path, Routing

__all__ = ["check_acyclic", "dependency_cycle"]

Channel = tuple[Any, Any, int]
"""From a router to a router, in a class of virtual channels."""


def dependency_cycle(paths: Iterable[tuple[Any, Path]]) -> list[Channel]:
    """A cycle of channels that the paths, each given with its first router, make wait for each other; else empty."""
    graph: nx.DiGraph[Channel] = nx.DiGraph()
    known: set[tuple[Channel, Channel]] = set()
    for start, path in paths:
        routers = [start, *(node for node, _ in path)]
        channels = [(a, b, kind) for (a, b), (_, kind) in zip(pairwise(routers), path, strict=True)]
        known.update(pairwise(channels))
    graph.add_edges_from(known)
    if nx.is_directed_acyclic_graph(graph):
        return []
    order = sorted(graph, key=repr)  # a cycle to print, the same in every run
    ordered: nx.DiGraph[Channel] = nx.DiGraph()
    ordered.add_nodes_from(order)
    ordered.add_edges_from(sorted(known, key=repr))
    return [edge[0] for edge in nx.find_cycle(ordered)]


def check_acyclic(routing: Routing, ends: Iterable[Any]) -> None:
    """CompileError that prints the cycle if the paths between the routers ``ends`` can deadlock."""
    among = list(dict.fromkeys(ends))
    pairs = routing.witnesses() if routing.witnesses else ((a, b) for a in among for b in among)
    cycle = dependency_cycle((a, routing.path(a, b)) for a, b in pairs if a != b)
    if not cycle:
        return
    shown = " -> ".join(f"{a}->{b} class {kind}" for a, b, kind in [*cycle, cycle[0]])
    raise CompileError(
        f"the routing {routing.name!r} can deadlock: {len(cycle)} channels wait for each other in a cycle: {shown}; "
        "up-down routing is free of such cycles on any graph"
    )
