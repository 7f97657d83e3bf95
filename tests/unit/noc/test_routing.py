"""Topologies, the paths of each routing, and what is left when links fail."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from archsim.errors import CompileError
from archsim.noc.dependencies import dependency_cycle
from archsim.noc.fabric import Fabric
from archsim.noc.failures import around_failures, random_links, without_links
from archsim.noc.flit import simulate
from archsim.noc.packets import Packets
from archsim.noc.routing import routing
from archsim.noc.topology import topology
from archsim.noc.traffic import PATTERNS, bernoulli, pattern
from tests.networks_on_chip import SHAPES, fabric

ALL = [(name, shape) for name in sorted(SHAPES) for shape in SHAPES[name]] + [("torus", (6, 5)), ("fat-tree", (4, 3))]


@pytest.mark.parametrize(
    ("name", "shape", "routers", "channels", "terminals"),
    [
        ("mesh", (8, 8), 64, 2 * 112, 64),
        ("mesh", (3, 3, 3), 27, 2 * 54, 27),
        ("cmesh", (4, 4), 16, 2 * 24, 64),
        ("torus", (4, 4), 16, 2 * 32, 16),
        ("torus", (2, 2), 4, 2 * 4, 4),
        ("ring", (7,), 7, 14, 7),
        ("tree", (4, 3), 21, 2 * 20, 64),
        ("fat-tree", (4, 3), 48, 2 * 128, 64),
        ("star", (9,), 10, 18, 9),
        ("point-to-point", (5,), 5, 20, 5),
    ],
)
def test_a_topology_has_the_routers_channels_and_terminals_of_its_formula(name, shape, routers, channels, terminals):
    graph = topology(name, shape)
    assert (len(graph), graph.number_of_edges()) == (routers, channels)
    assert sum(count for _, count in graph.nodes(data="terminals")) == terminals
    assert all(data["length"] > 0 for _, _, data in graph.edges(data=True))


@pytest.mark.parametrize(("name", "shape"), ALL)
def test_every_path_follows_channels_and_is_shortest_and_none_can_deadlock(name, shape):
    graph = topology(name, shape)
    rule = routing(graph)
    paths = []
    for start in graph:
        distance = nx.single_source_shortest_path_length(graph, start)
        for end in graph:
            if not (graph.nodes[start]["terminals"] and graph.nodes[end]["terminals"]):
                continue
            path = rule.path(start, end)
            routers = [start, *(node for node, _ in path)]
            assert nx.is_path(graph, routers)
            assert routers[-1] == end
            assert len(path) == distance[end]
            assert all(0 <= kind < rule.classes for _, kind in path)
            paths.append((start, path))
    assert not dependency_cycle(paths)


def test_the_paths_of_one_source_make_a_tree_so_that_a_multicast_enters_no_router_twice():
    for name, shape in ALL:
        network = fabric(name, shape)
        everyone = tuple(range(len(network.terminals)))
        for source in everyone:
            routes = network.routes([(source, everyone)])
            assert len(np.unique(routes.channel)) == len(routes.channel)


def test_a_torus_without_datelines_would_deadlock():
    graph = topology("torus", (5,))
    rule = routing(graph)
    flat = [(a, tuple((node, 0) for node, _ in rule.path(a, b))) for a in graph for b in graph]
    assert dependency_cycle(flat)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.15])
def test_around_failed_links_everything_still_arrives_and_nothing_can_deadlock(share):
    graph = topology("mesh", (6, 6))
    failed = random_links(graph, share, seed=3)
    left = without_links(graph, failed)
    network = Fabric(left, around_failures(left, routing(graph)))  # checks for cycles
    assert left.number_of_edges() == graph.number_of_edges() - 2 * round(share * 60)
    pairs = np.array([(a, b) for a in range(36) for b in range(36)])
    traffic = Packets.of(network, pairs[:, 0], pairs[:, 1], np.zeros(len(pairs), int), 3)
    assert (simulate(network, traffic).latency > 0).all()


def test_more_failures_hold_all_links_of_fewer():
    graph = topology("mesh", (6, 6))
    few, many = random_links(graph, 0.05, seed=1), random_links(graph, 0.1, seed=1)
    assert many[: len(few)] == few


def test_a_network_that_falls_apart_is_named_with_the_routers_that_are_cut_off():
    graph = topology("ring", (6,))
    with pytest.raises(
        CompileError, match=r"2 failed links .* 2 parts, and 2 routers \(1, 2\) cannot reach the others"
    ):
        without_links(graph, [((0,), (1,)), ((2,), (3,))])


def test_patterns_send_where_their_definitions_say():
    network = fabric("mesh", (4, 4))
    sources, drawn = np.arange(16), np.linspace(0, 0.999, 16)
    targets = {name: pattern(name, network)(sources, drawn).tolist() for name in PATTERNS}
    assert targets["transpose"][1] == 4  # (1, 0) to (0, 1)
    assert targets["bit-complement"] == list(range(15, -1, -1))
    assert targets["bit-reverse"][1] == 8
    assert targets["tornado"][0] == 5  # by ⌈4/2⌉ - 1 in each dimension
    assert targets["neighbour"][15] == 0
    assert targets["uniform"] == list(range(16))
    assert targets["hotspot"].count(8) >= 4


def test_bernoulli_traffic_has_the_load_asked_for_and_more_load_only_adds_packets():
    network = fabric("mesh", (4, 4))
    light, heavy = (
        bernoulli(network, pattern("uniform", network), load=load, packet_flits=4, cycles=5000, seed=7)
        for load in (0.1, 0.3)
    )
    assert light.flits.sum() / 16 / 5000 == pytest.approx(0.1, rel=0.05)
    known = set(zip(heavy.created.tolist(), heavy.sources.tolist(), heavy.targets.tolist(), strict=True))
    assert set(zip(light.created.tolist(), light.sources.tolist(), light.targets.tolist(), strict=True)) <= known
