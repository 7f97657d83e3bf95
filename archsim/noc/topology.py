"""Topologies: graphs whose nodes are routers and whose directed edges are channels.

A node has a ``position`` in tile pitches and the number of ``terminals`` that are attached to it; terminals are
numbered through the routers in the order of the graph.  An edge has a ``length`` in tile pitches and may have
``cycles`` (its latency, by default the router's ``link_cycles``), ``period`` (cycles between two flits, 1 by default),
``off_chip`` (whether it leaves a chip) and ``energy`` (J a flit).  The graph has a ``kind`` and a ``shape``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import product
from typing import Any, TypeAlias, TypeVar

import networkx as nx

from archsim.errors import ArchsimError, nearest
from archsim.spec.noc import MAX_ROUTERS

__all__ = [
    "TOPOLOGIES",
    "Graph",
    "circle",
    "fat_tree",
    "grid",
    "joined",
    "merged",
    "point_to_point",
    "ring",
    "snake",
    "split_into_chips",
    "star",
    "topology",
    "tree",
]

Step = TypeVar("Step", bound=Hashable)

Graph: TypeAlias = "nx.DiGraph[Any]"
"""A network of routers."""


def grid(shape: Sequence[int], *, wrap: bool = False, concentration: int = 1) -> Graph:
    """A mesh or, with ``wrap``, a torus of any number of dimensions; each router has ``concentration`` terminals.

    Nodes are coordinates, numbered with the first one fastest.  A dimension of two routers has no second channel
    around, one of one router none at all.  A torus is laid out folded, so that all its channels are two pitches long.
    """
    graph: Graph = nx.DiGraph(kind="torus" if wrap else "mesh", shape=tuple(shape), concentration=concentration)
    for reverse in product(*(range(extent) for extent in reversed(shape))):
        node = tuple(reversed(reverse))
        graph.add_node(node, position=_place(node, shape), terminals=concentration)
    for node in list(graph):
        for axis, extent in enumerate(shape):
            around = wrap and extent > 2
            if node[axis] + 1 < extent or around:
                other = (*node[:axis], (node[axis] + 1) % extent, *node[axis + 1 :])
                joined(graph, node, other, 2.0 if around else float(math.prod(shape[:axis]) if axis > 1 else 1))
    return graph


def _place(node: Sequence[int], shape: Sequence[int]) -> tuple[float, float]:
    """Planes of more than two dimensions stand side by side, one pitch apart."""
    x, y = node[0], node[1] if len(node) > 1 else 0
    plane, below = 0, 1
    for coordinate, extent in zip(node[2:], shape[2:], strict=True):
        plane, below = plane + coordinate * below, below * extent
    return float(x + plane * (shape[0] + 1)), float(y)


def joined(graph: Graph, a: Any, b: Any, length: float | None = None, *, both: bool = True, **attributes: Any) -> None:
    """Add a channel from ``a`` to ``b``, and ``both`` ways another back; by default as long as they are apart."""
    if length is None:
        (x, y), (to_x, to_y) = graph.nodes[a]["position"], graph.nodes[b]["position"]
        length = abs(x - to_x) + abs(y - to_y)
    graph.add_edge(a, b, length=length, **attributes)
    if both:
        graph.add_edge(b, a, length=length, **attributes)


def ring(size: int, concentration: int = 1) -> Graph:
    """A ring: a torus of one dimension, drawn as a circle."""
    graph = grid((size,), wrap=True, concentration=concentration)
    graph.graph["kind"] = "ring"
    for (index,), place in zip(list(graph), circle(size), strict=True):
        graph.nodes[(index,)]["position"] = place
    return graph


def circle(count: int) -> list[tuple[float, float]]:
    """``count`` places on a circle, one pitch apart."""
    radius = count / (2 * math.pi)
    angles = [2 * math.pi * index / count for index in range(count)]
    return [(round(radius * math.cos(angle), 9), round(radius * math.sin(angle), 9)) for angle in angles]


def tree(arity: int, levels: int, concentration: int = 1) -> Graph:
    """A tree of ``levels`` levels of routers; the lowest have ``arity`` × ``concentration`` terminals each.

    Nodes are (level, index), the root (0, 0); positions are those of a drawing from the root downwards.
    """
    graph: Graph = nx.DiGraph(kind="tree", shape=(arity, levels), concentration=concentration)
    for level in range(levels):
        for index in range(arity**level):
            leaf = level == levels - 1
            place = ((index + 0.5) * arity ** (levels - 1 - level) - 0.5, float(levels - 1 - level))
            graph.add_node((level, index), position=place, terminals=arity * concentration if leaf else 0)
            if level:
                joined(graph, (level - 1, index // arity), (level, index))
    return graph


def fat_tree(arity: int, levels: int, concentration: int = 1) -> Graph:
    """The k-ary n-tree of Petrini and Vanneschi (IPPS 1997): full bandwidth up to the root.

    ``levels`` levels of k^(levels-1) routers; node (level, word) with a word of levels-1 digits is joined to the
    routers one level down whose words differ in digit ``level`` alone.  The lowest have ``arity`` terminals each.
    """
    graph: Graph = nx.DiGraph(kind="fat-tree", shape=(arity, levels), concentration=concentration)
    words = list(product(range(arity), repeat=levels - 1))
    for level in range(levels):
        for index, word in enumerate(words):
            leaf = level == levels - 1
            place = (float(index), float(levels - 1 - level))
            graph.add_node((level, word), position=place, terminals=arity * concentration if leaf else 0)
    for level in range(levels - 1):
        for word in words:
            for digit in range(arity):
                joined(graph, (level, word), (level + 1, (*word[:level], digit, *word[level + 1 :])))
    return graph


def star(size: int, concentration: int = 1) -> Graph:
    """``size`` routers with terminals around one without."""
    graph: Graph = nx.DiGraph(kind="star", shape=(size,), concentration=concentration)
    graph.add_node("hub", position=(0.0, 0.0), terminals=0)
    for index, place in enumerate(circle(size)):
        graph.add_node(index, position=place, terminals=concentration)
        joined(graph, "hub", index)
    return graph


def point_to_point(size: int, concentration: int = 1) -> Graph:
    """Every router joined to every other by channels of its own."""
    graph: Graph = nx.DiGraph(kind="point-to-point", shape=(size,), concentration=concentration)
    for index, place in enumerate(circle(size)):
        graph.add_node(index, position=place, terminals=concentration)
        for other in range(index):
            joined(graph, other, index)
    return graph


def _two(build: Callable[[int, int, int], Graph]) -> Callable[[Sequence[int], int], Graph]:
    return lambda shape, concentration: build(shape[0], shape[1], concentration)


def _one(build: Callable[[int, int], Graph]) -> Callable[[Sequence[int], int], Graph]:
    return lambda shape, concentration: build(shape[0], concentration)


TOPOLOGIES: dict[str, tuple[str, Callable[[Sequence[int], int], Graph]]] = {
    "mesh": ("extents, as 8x8", lambda shape, concentration: grid(shape, concentration=concentration)),
    "cmesh": ("extents, as 4x4", lambda shape, concentration: grid(shape, concentration=concentration)),
    "torus": ("extents, as 8x8", lambda shape, concentration: grid(shape, wrap=True, concentration=concentration)),
    "ring": ("routers, as 16", _one(ring)),
    "tree": ("arity x levels, as 4x3", _two(tree)),
    "fat-tree": ("arity x levels, as 4x3", _two(fat_tree)),
    "star": ("routers around the hub, as 16", _one(star)),
    "point-to-point": ("routers, as 16", _one(point_to_point)),
}
"""What the shape of each topology means, and what builds it from a shape and a concentration."""

_LENGTH = {"ring": 1, "tree": 2, "fat-tree": 2, "star": 1, "point-to-point": 1}
DEFAULT_CONCENTRATION = {"cmesh": 4}


def topology(name: str, shape: Sequence[int], concentration: int | None = None) -> Graph:
    """The topology of that name; ArchsimError if there is none, or the shape does not fit it."""
    if name not in TOPOLOGIES:
        known = ", ".join(TOPOLOGIES)
        raise ArchsimError(f"no topology named {name!r:.100}{nearest(name, TOPOLOGIES)}; there are {known}")
    meaning, build = TOPOLOGIES[name]
    text = "x".join(str(extent) for extent in shape)
    if not shape or min(shape) < 1 or len(shape) != _LENGTH.get(name, len(shape)):
        raise ArchsimError(f"--shape: a {name} needs {meaning}; got {text or 'nothing'}")
    if _routers(name, shape) > MAX_ROUTERS:
        raise ArchsimError(f"--shape: a {name} of {text} has more than {MAX_ROUTERS} routers")
    graph = build(shape, concentration if concentration is not None else DEFAULT_CONCENTRATION.get(name, 1))
    if name == "cmesh":
        graph.graph["kind"] = "cmesh"
    return graph


def _routers(name: str, shape: Sequence[int]) -> int:
    if name == "tree":
        return sum(int(shape[0] ** level) for level in range(min(shape[1], 64)))
    if name == "fat-tree":
        return int(shape[1] * shape[0] ** min(shape[1] - 1, 64))
    if name == "point-to-point":
        return shape[0] * shape[0] // 16  # its channels are what there are many of
    return int(math.prod(shape))


def split_into_chips(graph: Graph, chips: Sequence[int], **link: Any) -> None:
    """Cut a mesh or torus into a grid of equal chips: channels between two chips get the attributes ``link``.

    Routing stays what it is, since the whole is still a mesh.  ArchsimError if the shape cannot be cut so.
    """
    shape = graph.graph["shape"]
    if graph.graph["kind"] not in ("mesh", "cmesh", "torus") or len(chips) != len(shape):
        raise ArchsimError("--chips: only a mesh or torus can be cut into chips, along each of its dimensions")
    if any(count < 1 or extent % count for extent, count in zip(shape, chips, strict=True)):
        raise ArchsimError(
            f"--chips: {'x'.join(map(str, shape))} routers cannot be cut into {'x'.join(map(str, chips))}"
        )
    each = [extent // count for extent, count in zip(shape, chips, strict=True)]

    def chip(node: Sequence[int]) -> tuple[int, ...]:
        return tuple(coordinate // extent for coordinate, extent in zip(node, each, strict=True))

    for a, b, attributes in graph.edges(data=True):
        if chip(a) != chip(b):
            attributes.update(off_chip=True, **link)


def snake(shape: Sequence[int]) -> list[tuple[int, ...]]:
    """The nodes of a grid in an order in which neighbours follow each other: every other row runs backwards."""
    if not shape:
        return [()]
    inner = snake(shape[:-1])
    return [(*node, k) for k in range(shape[-1]) for node in (inner if k % 2 == 0 else reversed(inner))]


def merged(paths: Iterable[Sequence[Step]]) -> tuple[list[tuple[Step, int]], list[int]]:
    """The tree of several paths from one place: each step with the index of its parent (-1 for a first), and the
    index of the last step of each path (-1 for an empty one).

    A path that shares a step with one before it, and came to it another way, follows that one up to there.
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
