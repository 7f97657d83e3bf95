"""Links that fail: which, what is left of the graph, whether it still holds together, and the ways around them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError, CompileError, nearest
from archsim.noc.routing import Path, Routing, up_down
from archsim.noc.topology import Graph

__all__ = ["around_failures", "links", "named_link", "random_links", "router_name", "without_links"]

Pair = tuple[Any, Any]


def router_name(router: Any) -> str:
    """A router as users name it: ``3.2`` for coordinates (3, 2)."""
    return ".".join(router_name(part) for part in router) if isinstance(router, tuple) else str(router)


def links(graph: Graph) -> list[Pair]:
    """Every pair of joined routers once, in the order of the graph."""
    number = {node: index for index, node in enumerate(graph)}
    return [(a, b) for a, b in graph.edges if number[a] < number[b] or not graph.has_edge(b, a)]


def named_link(graph: Graph, text: str) -> Pair:
    """The link ``a-b`` between routers named as ``0.0-1.0``; ArchsimError if there is none."""
    known = {f"{router_name(a)}-{router_name(b)}": (a, b) for a, b in links(graph)}
    turned = "-".join(reversed(text.split("-")))
    pair = known.get(text, known.get(turned))
    if pair is None:
        hint = nearest(text, known) or f"; the first is {next(iter(known), 'none')}"
        raise ArchsimError(f"no link {text!r:.100}{hint}")
    return pair


def random_links(graph: Graph, share: float, seed: int) -> list[Pair]:
    """That share of all links, drawn by the seed; a larger share holds all links of a smaller one."""
    if not 0 <= share <= 1:
        raise ArchsimError(f"expected a share of failed links from 0 to 1, got {share:g}")
    every = links(graph)
    order = np.argsort(np.random.Philox(key=[seed, 2**32]).random_raw(len(every)), kind="stable")
    return [every[index] for index in order[: round(share * len(every))].tolist()]


def without_links(graph: Graph, failed: Sequence[Pair]) -> Graph:
    """The graph without these links, both ways; CompileError if terminals can then no longer reach each other."""
    left = graph.copy()
    for a, b in failed:
        left.remove_edges_from([edge for edge in ((a, b), (b, a)) if left.has_edge(*edge)])
    parts = [
        [node for node in graph if node in part and graph.nodes[node].get("terminals", 0)]
        for part in nx.strongly_connected_components(left)
    ]
    parts = [part for part in parts if part]
    if len(parts) > 1:
        smallest = min(parts, key=len)
        names = ", ".join(router_name(node) for node in smallest[:8])
        raise CompileError(
            f"with {len(failed)} failed links the network is disconnected: it falls into {len(parts)} parts, and "
            f"{len(smallest)} routers ({names}{', …' if len(smallest) > 8 else ''}) cannot reach the others"
        )
    return left


def around_failures(graph: Graph, whole: Routing) -> Routing:
    """``whole`` where its path is still there in ``graph``, and a way around elsewhere.

    The way around is by a third router with terminals: two paths of ``whole``, the second in classes of virtual
    channels of its own, with the fewest channels in all.  Of several such routers that number (from + to) modulo how
    many they are is taken, so that no one of them gets all.  Where there is none, up*/down* in one more class.

    Packets never go back to lower classes, and in each kind of class no channel can wait for itself: so the whole
    stays free of deadlock.
    """
    ends = [node for node in graph if graph.nodes[node].get("terminals", 0)]
    number = {node: index for index, node in enumerate(ends)}
    hops = _intact(graph, whole, ends)
    broken = np.argwhere(np.isinf(hops)).tolist()
    thirds = {(a, b): _third(whole, ends, hops, a, b) for a, b in broken}
    beside = up_down(graph)
    classes = 2 * whole.classes + (None in thirds.values())

    def path(start: Any, end: Any) -> Path:
        pair = number[start], number[end]
        if pair not in thirds:
            return whole.path(start, end)
        third = thirds[pair]
        if third is None:
            return tuple((node, classes - 1) for node, _ in beside.path(start, end))
        second = tuple((node, kind + whole.classes) for node, kind in whole.path(third, end))
        return whole.path(start, third) + second

    return Routing(f"{whole.name} around failures", classes, path)


def _third(whole: Routing, ends: Sequence[Any], hops: NDArray[np.float64], a: int, b: int) -> Any:
    """The router by which to go from ``ends[a]`` to ``ends[b]``, so that no router is passed twice; None if there is
    none."""
    both = hops[a] + hops[:, b]
    for length in np.unique(both[np.isfinite(both)]):
        near = np.flatnonzero(both == length)
        for index in np.roll(near, -((a + b) % len(near))).tolist():
            first, second = whole.path(ends[a], ends[index]), whole.path(ends[index], ends[b])
            routers = [ends[a], *(node for node, _ in first + second)]
            if len(set(routers)) == len(routers):
                return ends[index]
    return None


def _intact(graph: Graph, whole: Routing, ends: Sequence[Any]) -> NDArray[np.float64]:
    """The channels of each path of ``whole`` between two of ``ends``; infinite where one has failed."""
    hops = np.zeros((len(ends), len(ends)))
    for a, start in enumerate(ends):
        for b, end in enumerate(ends):
            routers = [start, *(node for node, _ in whole.path(start, end))]
            there = all(graph.has_edge(*step) for step in pairwise(routers))
            hops[a, b] = len(routers) - 1 if there else np.inf
    return hops
