"""Programs made to measure engines: layers in a pipeline, scattered over a mesh whose channels they share."""

from __future__ import annotations

import math
import random
from itertools import pairwise

from archsim.program import NO_NODE, End, Flow, Hop, Link, Program, Sequence, Stage

__all__ = ["mesh_pipelines"]

DEPTH = 20
"""Stages in one pipeline."""
CYCLE = 100_000
"""ps between the firings of the slowest stage: the 100 ns of ISAAC."""


def mesh_pipelines(stages: int, events: int, seed: int = 1) -> Program:
    """``stages`` stages in pipelines of 20, one a tile of a square mesh, with about ``events`` events in all.

    A flow crosses the bus of its tile, the mesh channels of its route (first along x, then along y) and the bus
    of the tile it goes to.  Every fifth stage also feeds the stage three further on (a residual path).
    """
    rng = random.Random(seed)
    side = math.isqrt(stages - 1) + 1
    tiles = [(t % side, t // side) for t in range(side * side)]
    place = _neighbourly(tiles, stages, side, rng)
    links: dict[tuple[object, ...], int] = {}
    made: list[Link] = []
    pairs: list[tuple[int, int]] = []
    for head in range(0, stages, DEPTH):
        members = range(head, min(head + DEPTH, stages))
        pairs += pairwise(members)
        pairs += [(s, s + 3) for s in members if s % 5 == 0 and s + 3 in members]
    routes = [_route(place[source], place[target], links, made) for source, target in sorted(pairs)]
    each = stages + sum(1 + len(route) for route in routes)
    firings = max(1, round(events / each))
    flows = tuple(
        _flow(source, target, route, rng.choice((8_000, 16_000, 32_000)))
        for (source, target), route in zip(sorted(pairs), routes, strict=True)
    )
    servers = tuple(_stage(s, firings, rng) for s in range(stages))
    return Program(servers, flows, tuple(made))


def _neighbourly(tiles: list[tuple[int, int]], stages: int, side: int, rng: random.Random) -> list[tuple[int, int]]:
    """Tiles in an order in which neighbours in a pipeline stand near each other, as a placer leaves them."""
    key = {tile: (tile[1] // 4, tile[0] + rng.random() * 3, rng.random()) for tile in tiles}
    return sorted(tiles, key=key.__getitem__)[:stages]


def _route(
    source: tuple[int, int], target: tuple[int, int], links: dict[tuple[object, ...], int], made: list[Link]
) -> list[int]:
    (x, y), (to_x, to_y) = source, target
    names: list[tuple[object, ...]] = [("bus", x, y)]
    while (x, y) != (to_x, to_y):
        before = (x, y)
        if x != to_x:
            x += 1 if to_x > x else -1
        else:
            y += 1 if to_y > y else -1
        names.append(("channel", *before, x, y))
    names.append(("bus", to_x, to_y))
    for name in names:
        if name not in links:
            links[name] = len(made)
            made.append(Link(" ".join(map(str, name)), 1_000 if name[0] == "bus" else 2_000, str(name[0])))
    return [links[name] for name in names]


def _flow(source: int, target: int, route: list[int], serialisation: int) -> Flow:
    hops = tuple(Hop(link, serialisation, n - 1 if n else NO_NODE) for n, link in enumerate(route))
    each = Sequence((0,), 1, 1)
    end = End(target, need=each, free=each, capacity=32, node=len(hops) - 1)
    return Flow(f"{source}-{target}", source, Sequence.constant(1), (end,), hops)


def _stage(number: int, firings: int, rng: random.Random) -> Stage:
    interval = CYCLE - rng.choice((0, 0, 0, 12_500, 25_000))
    return Stage(f"s{number}", firings, Sequence.constant(interval), Sequence.constant(interval * 22))
