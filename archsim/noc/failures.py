"""Links that fail: which, what is left of the graph, and whether it still holds together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import networkx as nx
import numpy as np

from archsim.errors import ArchsimError, CompileError, nearest
from archsim.noc.topology import Graph

__all__ = ["named_link", "random_links", "router_name", "without_links"]

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
