"""Fabrics and packets for the tests of the network on chip."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from archsim.noc.fabric import Fabric
from archsim.noc.packets import Packets
from archsim.noc.routing import routing
from archsim.noc.topology import topology
from archsim.spec.flit import FlitRouter

SHAPES: dict[str, list[tuple[int, ...]]] = {
    "mesh": [(1,), (2, 2), (4, 3), (2, 2, 2)],
    "cmesh": [(2, 2)],
    "torus": [(4, 3), (5,), (2, 3)],
    "ring": [(3,), (6,)],
    "tree": [(2, 3), (3, 2)],
    "fat-tree": [(2, 3), (3, 2)],
    "star": [(5,)],
    "point-to-point": [(4,)],
}


def fabric(name: str, shape: tuple[int, ...], check: bool = True, rule: str | None = None, **keys: Any) -> Fabric:
    graph = topology(name, shape)
    return Fabric(graph, routing(graph, rule), FlitRouter(**keys), check)


@st.composite
def fabrics(draw: st.DrawFn) -> Fabric:
    name = draw(st.sampled_from(sorted(SHAPES)))
    keys = {
        "virtual_channels": draw(st.integers(2, 5)),
        "buffer_flits": draw(st.integers(1, 9)),
        "routing_cycles": draw(st.integers(0, 2)),
        "vc_allocation_cycles": draw(st.integers(1, 2)),
        "switch_allocation_cycles": draw(st.integers(1, 2)),
        "switch_traversal_cycles": draw(st.integers(1, 2)),
        "link_cycles": draw(st.integers(1, 3)),
        "credit_cycles": draw(st.integers(0, 3)),
        "wait_for_tail_credit": draw(st.booleans()),
        "order": draw(st.sampled_from(["reorder", "vc-by-flow"])),
    }
    graph = topology(name, draw(st.sampled_from(SHAPES[name])))
    edges = list(graph.edges)
    for edge in draw(st.lists(st.sampled_from(edges), max_size=3)) if edges else ():
        graph.edges[edge].update(period=draw(st.integers(1, 4)), cycles=draw(st.integers(1, 6)))
    return Fabric(graph, routing(graph), FlitRouter(**keys))


@st.composite
def packets(draw: st.DrawFn, on: Fabric, multicast: bool = False) -> Packets:
    seed = draw(st.integers(0, 2**32 - 1))
    count = draw(st.integers(1, 60))
    span = draw(st.sampled_from([1, 30, 300]))
    rng = np.random.default_rng(seed)
    terminals = len(on.terminals)
    source = rng.integers(0, terminals, count)
    created = rng.integers(0, span, count)
    flits = rng.integers(1, draw(st.sampled_from([2, 6, 25])), count)
    order = [
        (int(a), int(b)) for a, b in np.sort(rng.integers(0, count, (draw(st.integers(0, 10)), 2)), axis=1) if a < b
    ]
    created[[after for _, after in order]] += 1
    if not multicast:
        return Packets.of(on, source, rng.integers(0, terminals, count), created, flits, order)
    sizes = rng.integers(1, min(terminals, 5) + 1, count)
    targets = [tuple(rng.choice(terminals, size, replace=False).tolist()) for size in sizes]
    several = np.array([len(each) > 1 for each in targets])
    flits[several] = np.minimum(flits[several], on.router.buffer_flits)
    return Packets.of(on, source, targets, created, flits, order)
