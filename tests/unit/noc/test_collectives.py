"""Multicasts and reductions against a packet for each tile, and the throughput that failed links leave."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.errors import ArchsimError, CompileError
from archsim.noc.collectives import flit_hops, multicast, reduction, reduction_tree
from archsim.noc.curve import Phases
from archsim.noc.fabric import Fabric
from archsim.noc.failures import around_failures, random_links, without_links
from archsim.noc.flit import simulate
from archsim.noc.packets import Packets
from archsim.noc.routing import routing
from archsim.noc.studies import collectives, with_failures
from archsim.noc.topology import topology
from tests.networks_on_chip import SHAPES, fabric

LINE = fabric("mesh", (5,))


def test_on_a_line_a_multicast_and_a_reduction_cross_each_channel_once():
    for shared, hops in ((True, 4 * 8), (False, (1 + 2 + 3 + 4) * 8)):
        assert flit_hops(LINE, multicast(LINE, 0, [1, 2, 3, 4], 8, copies=not shared)) == hops
        assert flit_hops(LINE, reduction(LINE, [1, 2, 3, 4], 0, 8, on_the_way=shared)) == hops


def test_partial_sums_go_to_the_next_tile_on_the_way():
    assert reduction_tree(LINE, [1, 2, 4], 0) == {4: 2, 2: 1, 1: 0}
    shared = fabric("cmesh", (2, 1))  # terminals 0 to 3 at one router, 4 to 7 at the other
    assert reduction_tree(shared, [7, 5, 6, 1], 0) == {7: 5, 6: 5, 5: 1, 1: 0}


def test_a_sum_leaves_after_the_last_of_its_parts_has_come_and_been_added():
    packets = reduction(LINE, [1, 2, 3, 4], 0, 1, on_the_way=True, add_cycles=7)
    run = simulate(LINE, packets)
    one_hop = LINE.zero_load_latency(1, 0, 1)
    assert int(run.delivered.max()) == 4 * one_hop + 3 * 7


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_the_same_flits_arrive_whichever_way(engine):
    network = fabric("torus", (4, 4))
    for shared in (True, False):
        run = simulate(network, multicast(network, 0, [3, 7, 9, 15], 20, copies=not shared), engine=engine)
        assert run.counts["flits_ejected"] == 4 * 20


def test_the_table_saves_more_the_more_tiles_there_are():
    found = collectives(fabric("mesh", (4, 4)), [2, 15], 4, draws=3, seed=1)
    assert [(each.kind, each.tiles) for each in found] == [
        ("multicast", 2),
        ("multicast", 15),
        ("reduction", 2),
        ("reduction", 15),
    ]
    for few, many in (found[:2], found[2:]):
        assert few.hops_shared / few.hops_alone > many.hops_shared / many.hops_alone
        assert many.hops_shared == 15 * 4, "a tree over all 16 tiles has 15 channels"
    with pytest.raises(ArchsimError, match="--tiles: expected 1 to 15, got 16"):
        collectives(fabric("mesh", (4, 4)), [16], 4, draws=1, seed=1)
    with pytest.raises(ArchsimError, match="a reduction to terminal 0 needs other, different terminals"):
        reduction_tree(LINE, [0, 1], 0)


def mesh_with_failures(share, seed):
    graph = topology("mesh", (4, 4))
    failed = random_links(graph, share, seed)
    left = without_links(graph, failed)
    return Fabric(left, around_failures(left, routing(graph)) if failed else routing(graph))


def test_throughput_falls_with_failed_links_and_a_disconnected_network_has_none():
    found = with_failures(mesh_with_failures, [0.0, 0.1, 0.9], 2, "uniform", 1, Phases(200, 1000, 1000))
    assert [each.links for each in found] == [0, 2, 22]
    assert len(found[0].throughput) == 1
    assert max(found[1].connected) < found[0].connected[0]
    assert found[2].throughput == (None, None)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_around_any_failed_links_all_arrive_over_what_is_left_and_nothing_can_deadlock(data):
    name = data.draw(st.sampled_from(sorted(SHAPES)))
    graph = topology(name, data.draw(st.sampled_from(SHAPES[name])))
    failed = random_links(graph, data.draw(st.sampled_from([0.05, 0.1, 0.2, 0.3])), data.draw(st.integers(0, 99)))
    try:
        left = without_links(graph, failed)
    except CompileError:
        return
    network = Fabric(left, around_failures(left, routing(graph)))  # checks for cycles
    count = len(network.terminals)
    targets = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=count, unique=True))
    several = Packets.of(network, np.array([0]), [tuple(targets)], np.array([0]), 2)
    pairs = np.array([(a, b) for a in range(count) for b in range(count)])
    run = simulate(network, Packets.of(network, pairs[:, 0], pairs[:, 1], np.zeros(len(pairs), int), 3))
    assert (run.latency > 0).all()
    assert simulate(network, several).counts["flits_ejected"] == 2 * len(targets)
