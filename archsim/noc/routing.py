"""Deterministic routing: for two routers the channels between them, each with a class of virtual channels.

All paths of one routing from one router make a tree.  Classes split the virtual channels of every channel into equal
parts; ``archsim.noc.dependencies`` shows for the routes in use that no deadlock can come of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import networkx as nx

from archsim.errors import ArchsimError, nearest
from archsim.noc.topology import Graph

__all__ = ["ROUTINGS", "Path", "Routing", "routing", "up_down"]

Path = tuple[tuple[Any, int], ...]
"""The routers after the first one, each with the class of virtual channels of the channel that leads to it."""


@dataclass(frozen=True)
class Routing:
    """A name, the number of classes of virtual channels, and the path between two routers."""

    name: str
    classes: int
    path: Callable[[Any, Any], Path]
    witnesses: Callable[[], Iterable[tuple[Any, Any]]] | None = None
    """Pairs of routers whose paths make every channel wait for another that any path makes; None: all pairs."""


def dimension_order(graph: Graph) -> Routing:
    """XY and its kin: along one dimension after the other, the shorter way around where there are two.

    On a mesh no virtual channels are needed (Dally and Seitz, IEEE Trans. Computers C-36, 1987).  Around a ring of
    more than two routers class 0 is left for class 1 behind the dateline, which lies between the last router and the
    first.
    Where both ways are equally long, a source with an even coordinate goes up and one with an odd coordinate down.
    """
    shape = graph.graph["shape"]
    wrap = graph.graph["kind"] in ("torus", "ring")

    def path(start: Any, end: Any) -> Path:
        steps: list[tuple[Any, int]] = []
        at = list(start)
        for axis, extent in enumerate(shape):
            around = wrap and extent > 2
            ahead = (end[axis] - at[axis]) % extent if around else end[axis] - at[axis]
            if around and (2 * ahead > extent or (2 * ahead == extent and at[axis] % 2)):
                ahead -= extent
            sign = 1 if ahead > 0 else -1
            behind = 0
            for _ in range(abs(ahead)):
                at[axis] += sign
                crosses = not 0 <= at[axis] < extent
                at[axis] %= extent
                steps.append((tuple(at), behind))
                behind |= crosses
        return tuple(steps)

    def witnesses() -> Iterator[tuple[Any, Any]]:
        """Within a dimension neither where the path came from nor where it goes on to matters, and it turns into the
        next one in class 0: so paths in one dimension, and those of one step more in a later one, show everything.
        Without a way around two steps do."""
        for start in graph:
            for axis, extent in enumerate(shape):
                near = range(max(0, start[axis] - 2), min(extent, start[axis] + 3))
                for there in range(extent) if wrap else near:
                    end = (*start[:axis], there, *start[axis + 1 :])
                    yield start, end
                    for later in range(axis + 1, len(shape)):
                        for step in {(end[later] + 1) % shape[later], (end[later] - 1) % shape[later]}:
                            yield start, (*end[:later], step, *end[later + 1 :])

    ringed = wrap and any(extent > 2 for extent in shape)
    return Routing("dimension-order", 2 if ringed else 1, path, witnesses)


def fat_tree_digits(graph: Graph) -> Routing:
    """Up to the first common ancestor, then down: in a k-ary n-tree the way up is free, and is chosen by the digits of
    the router sought, so that the load of different ends is spread and that of one end follows one tree.
    """
    _, levels = graph.graph["shape"]

    def path(start: Any, end: Any) -> Path:
        (_, word), (_, goal) = start, end
        differ = [digit for digit in range(levels - 1) if word[digit] != goal[digit]]
        if not differ:
            return ()
        steps = []
        now = list(word)
        for level in range(levels - 2, differ[0] - 1, -1):
            now[level] = goal[level]
            steps.append(((level, tuple(now)), 0))
        # the digits above the ancestor are equal already; on the way down each digit is that of the goal
        steps += [((level, tuple(goal)), 0) for level in range(differ[0] + 1, levels)]
        return tuple(steps)

    return Routing("up-down by digits", 1, path)


def shortest_path(graph: Graph) -> Routing:
    """The path of the fewest cycles; of several the one whose routers come first in the order of the graph."""
    number = {node: index for index, node in enumerate(graph)}
    weight = "cycles"
    backwards = graph.reverse(copy=False)

    @cache
    def distances(end: Any) -> dict[Any, float]:
        found: dict[Any, float] = nx.single_source_dijkstra_path_length(
            backwards, end, weight=lambda a, b, link: link.get(weight) or 1
        )
        return found

    def path(start: Any, end: Any) -> Path:
        left = distances(end)
        if start not in left:
            raise ArchsimError(f"the network is not connected: no way from router {start} to router {end}")
        steps = []
        while start != end:
            onward = [
                node
                for node, link in graph[start].items()
                if left.get(node, -1) == left[start] - (link.get(weight) or 1)
            ]
            start = min(onward, key=number.__getitem__)
            steps.append((start, 0))
        return tuple(steps)

    return Routing("shortest", 1, path)


def up_down(graph: Graph) -> Routing:
    """Up*/down* (Schroeder et al., IEEE JSAC 9, 1991): free of deadlock on any connected graph with links both ways.

    A channel is *up* if it leads nearer to the root, by steps and then by the order of the graph.  A path is the
    shortest of those that go up and then down, and of several the first by the order of the graph.  The root is the
    middle of a longest shortest path.
    """
    number = {node: index for index, node in enumerate(graph)}
    depth = _depths(graph, _middle(graph))
    rank = {node: (depth[node], number[node]) for node in depth}
    neighbours = {node: sorted(graph[node], key=number.__getitem__) for node in graph}

    @cache
    def before(start: Any) -> dict[tuple[Any, bool], tuple[Any, bool] | None]:
        found: dict[tuple[Any, bool], tuple[Any, bool] | None] = {(start, False): None}
        todo = deque(found)
        while todo:
            node, downwards = todo.popleft()
            for other in neighbours[node]:
                state = (other, rank[other] > rank[node])
                if state not in found and state[1] >= downwards:
                    found[state] = (node, downwards)
                    todo.append(state)
        return found

    def path(start: Any, end: Any) -> Path:
        found = before(start)
        ways = []
        for downwards in (False, True):
            steps = []
            state: tuple[Any, bool] | None = (end, downwards)
            while state is not None and found.get(state) is not None:
                steps.append((state[0], 0))
                state = found[state]
            if (end, downwards) in found:
                ways.append(tuple(reversed(steps)))
        if not ways:
            raise ArchsimError(f"the network is not connected: no way from router {start} to router {end}")
        return min(ways, key=len)

    return Routing("up-down", 1, path)


def _depths(graph: Graph, root: Any) -> dict[Any, int]:
    found: dict[Any, int] = nx.single_source_shortest_path_length(graph, root)
    return found


def _middle(graph: Graph) -> Any:
    """The middle of a long shortest path: from the first router to the farthest, and from there to its farthest."""
    far = next(iter(graph))
    for _ in range(2):
        start = far
        depths = _depths(graph, start)
        far = max(depths, key=lambda node: depths[node])
    path = nx.shortest_path(graph, start, far)
    return path[len(path) // 2]


ROUTINGS: dict[str, Callable[[Graph], Routing]] = {
    "dimension-order": dimension_order,
    "fat-tree": fat_tree_digits,
    "shortest": shortest_path,
    "up-down": up_down,
}
"""The routings by name."""

_BY_KIND = {
    "mesh": "dimension-order",
    "cmesh": "dimension-order",
    "torus": "dimension-order",
    "ring": "dimension-order",
}
_BY_KIND |= {"fat-tree": "fat-tree", "tree": "up-down"}


def routing(graph: Graph, name: str | None = None) -> Routing:
    """The routing of that name, by default that of the graph's topology: dimension order on meshes, tori and rings,
    up/down on trees, the shortest path elsewhere.
    """
    usual = _BY_KIND.get(graph.graph.get("kind", ""), "shortest")
    wanted = usual if name is None else name
    if wanted not in ROUTINGS:
        raise ArchsimError(
            f"no routing named {wanted!r:.100}{nearest(wanted, ROUTINGS)}; there are {', '.join(ROUTINGS)}"
        )
    if wanted in ("dimension-order", "fat-tree") and wanted != usual:
        raise ArchsimError(f"routing {wanted!r} needs a topology made for it; got a {graph.graph.get('kind', 'graph')}")
    return ROUTINGS[wanted](graph)
