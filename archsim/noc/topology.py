"""The network on chip as a graph: routers are nodes, channels are directed edges."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

import networkx as nx

from archsim.spec.chip import Noc

__all__ = ["merged", "mesh", "snake", "xy_path"]

Step = TypeVar("Step", bound=Hashable)

Router = tuple[int, int]
"""Column and row of a router."""


def mesh(noc: Noc) -> nx.DiGraph[Router]:
    """The mesh of a chip: a channel each way between neighbours; nodes carry ``position``."""
    graph: nx.DiGraph[Router] = nx.DiGraph()
    for row in range(noc.rows):
        for column in range(noc.columns):
            graph.add_node((column, row), position=(column, row))
    for column, row in list(graph):
        for other in ((column + 1, row), (column, row + 1)):
            if other in graph:
                graph.add_edge((column, row), other)
                graph.add_edge(other, (column, row))
    return graph


def snake(noc: Noc) -> list[Router]:
    """All routers in an order in which neighbours follow each other: every other row runs backwards."""
    return [
        (column if row % 2 == 0 else noc.columns - 1 - column, row)
        for row in range(noc.rows)
        for column in range(noc.columns)
    ]


def xy_path(start: Router, end: Router) -> list[Router]:
    """The routers from ``start`` to ``end``, both included: along the row first, then along the column.

    Dimension-order routing on a mesh cannot deadlock (Dally and Seitz, IEEE Trans. Computers C-36, 1987); all paths
    from one start make a tree.
    """
    (x, y), (to_x, to_y) = start, end
    path = [(x, y)]
    while x != to_x:
        x += 1 if to_x > x else -1
        path.append((x, y))
    while y != to_y:
        y += 1 if to_y > y else -1
        path.append((x, y))
    return path


def merged(paths: Iterable[Sequence[Step]]) -> tuple[list[tuple[Step, int]], list[int]]:
    """The tree of several paths from one place: each step with the index of its parent (-1 for a first), and the
    index of the last step of each path (-1 for an empty one).

    Two paths that share a step must agree in all before it.
    """
    nodes: list[tuple[Step, int]] = []
    index: dict[Step, int] = {}
    at: list[int] = []
    for path in paths:
        new = len(path)
        while new and path[new - 1] not in index:  # from the end: most of a path is known from those before
            new -= 1
        parent = index[path[new - 1]] if new else -1
        for step in path[new:]:
            nodes.append((step, parent))
            parent = index[step] = len(nodes) - 1
        at.append(parent)
    return nodes, at
