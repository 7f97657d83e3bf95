"""The router cycle by cycle, the zero-load formula, and deadlocks."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from archsim.errors import CompileError, DeadlockError
from archsim.noc.fabric import Fabric
from archsim.noc.flit import simulate
from archsim.noc.packets import Packets
from archsim.noc.routing import Routing, routing
from archsim.noc.topology import grid, joined, split_into_chips
from archsim.spec.flit import FlitRouter
from tests.networks_on_chip import SHAPES, fabric

ENGINES = ("reference", "compiled")
SEND, ALLOCATE, SWITCH, ARRIVE = range(4)


def one_way_ring(check: bool, **keys: int) -> Fabric:
    """Four routers around which everything goes one way, with one class of virtual channels: it can deadlock."""
    graph = grid((4,), wrap=True)
    graph.graph["kind"] = "graph"

    def path(start, end):
        steps = []
        while start != end:
            start = ((start[0] + 1) % 4,)
            steps.append((start, 0))
        return tuple(steps)

    return Fabric(graph, Routing("one way", 1, path), FlitRouter(**keys), check)


@pytest.mark.parametrize("engine", ENGINES)
def test_two_packets_that_meet_go_as_drawn_by_hand(engine):
    """Packet A (2 flits) from terminal 0 and packet B (1 flit) from terminal 1 both go to terminal 2 of a line of three
    routers with one virtual channel each, and meet in router 1 in cycle 6.  B comes in at the first port and is
    preferred; A gets the virtual channel when B's tail has left, two cycles later.
    """
    line = fabric("mesh", (3,), virtual_channels=1, buffer_flits=4)
    traffic = Packets.of(line, np.array([0, 1]), np.array([2, 2]), np.array([0, 4]), np.array([2, 1]))
    run = simulate(line, traffic, trace=True, engine=engine)
    a, b = 0, 1
    into = [line.injection(terminal) for terminal in range(3)]
    first, second, out = line.between((0,), (1,)), line.between((1,), (2,)), line.ejection(2)
    drawn = [
        # cycle, event, channel, packet, flit
        (0, SEND, into[0], a, 0),
        (1, SEND, into[0], a, 1),
        (2, ARRIVE, into[0], a, 0),
        (2, ALLOCATE, first, a, 0),
        (3, ARRIVE, into[0], a, 1),
        (3, SWITCH, first, a, 0),
        (4, SWITCH, first, a, 1),
        (4, SEND, into[1], b, 0),
        (6, ARRIVE, first, a, 0),
        (6, ARRIVE, into[1], b, 0),
        (6, ALLOCATE, second, b, 0),
        (7, ARRIVE, first, a, 1),
        (7, SWITCH, second, b, 0),
        (8, ALLOCATE, second, a, 0),
        (9, SWITCH, second, a, 0),
        (10, SWITCH, second, a, 1),
        (10, ARRIVE, second, b, 0),
        (10, ALLOCATE, out, b, 0),
        (11, SWITCH, out, b, 0),
        (12, ARRIVE, second, a, 0),
        (12, ALLOCATE, out, a, 0),
        (13, ARRIVE, second, a, 1),
        (13, SWITCH, out, a, 0),
        (14, SWITCH, out, a, 1),
        (14, ARRIVE, out, b, 0),
        (16, ARRIVE, out, a, 0),
        (17, ARRIVE, out, a, 1),
    ]
    assert [tuple(row) for row in run.trace[:, [0, 1, 2, 4, 5]].tolist()] == sorted(drawn)
    assert run.latency.tolist() == [17, 10]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_credit_comes_back_after_seven_cycles(engine):
    """With a buffer of one flit, each flit waits for the credit of the one before: granted the switch in cycle s, a
    flit is behind the link in s + 3, is granted the switch there, and its credit is used in s + 7.
    """
    line = fabric("mesh", (2,), virtual_channels=1, buffer_flits=1)
    traffic = Packets.of(line, np.array([0]), np.array([1]), np.array([0]), np.array([6]))
    run = simulate(line, traffic, trace=True, engine=engine)
    switched = run.trace[(run.trace[:, 1] == SWITCH) & (run.trace[:, 2] == line.between((0,), (1,))), 0]
    assert np.diff(switched).tolist()[1:] == [7] * 4


@pytest.mark.parametrize("flits", [1, 2, 7, 20])
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_zero_load_latency_is_the_formula_for_each_topology_and_packet_size(name, flits):
    """2 cycles for source and injection channel, 4 for each router with the channel behind it, 1 for each flit more."""
    for shape in SHAPES[name]:
        network = fabric(name, shape)
        count = len(network.terminals)
        pairs = np.array([(a, b) for a in range(count) for b in range(count)])
        created = np.arange(len(pairs)) * 1000  # one after the other
        traffic = Packets.of(network, pairs[:, 0], pairs[:, 1], created, flits)
        latency = simulate(network, traffic).latency
        hops = np.array([network.hops(a, b) for a, b in pairs.tolist()])
        np.testing.assert_array_equal(latency, 2 + (hops + 1) * (3 + 1) + (flits - 1))
        assert latency[:9].tolist() == [network.zero_load_latency(a, b, flits) for a, b in pairs[:9].tolist()]


def test_every_delay_is_a_key_and_adds_up():
    keys = {
        "source_cycles": 2,
        "injection_cycles": 3,
        "routing_cycles": 1,
        "vc_allocation_cycles": 2,
        "switch_allocation_cycles": 3,
        "switch_traversal_cycles": 2,
        "link_cycles": 4,
        "ejection_cycles": 5,
        "buffer_flits": 40,
    }
    network = fabric("mesh", (4, 4), **keys)
    traffic = Packets.of(network, np.array([0]), np.array([15]), np.array([0]), np.array([9]))
    expected = 2 + 3 + 7 * (1 + 2 + 3 + 2) + 6 * 4 + 5 + 8
    assert network.zero_load_latency(0, 15, 9) == expected
    assert [int(simulate(network, traffic, engine=engine).latency[0]) for engine in ENGINES] == [expected] * 2


def test_links_between_chips_have_their_own_latency_and_bandwidth():
    graph = grid((4, 2))
    split_into_chips(graph, (2, 1), cycles=11, period=4)
    network = Fabric(graph, routing(graph), FlitRouter(buffer_flits=64))
    off = [edge for edge in graph.edges if graph.edges[edge].get("off_chip")]
    assert sorted(off) == [((1, 0), (2, 0)), ((1, 1), (2, 1)), ((2, 0), (1, 0)), ((2, 1), (1, 1))]
    traffic = Packets.of(network, np.array([0, 0]), np.array([1, 3]), np.array([0, 900]), np.array([5, 5]))
    # behind the slow link the flits are four cycles apart, and each router makes up the cycle of the head's allocation
    assert network.zero_load_latency(0, 3, 5) == 2 + 4 * 4 + 10 + 4 * 4 - 2
    assert simulate(network, traffic).latency.tolist() == [10 + 4, 2 + 4 * 4 + 10 + 4 * 4 - 2]


def test_a_cycle_of_channels_is_found_at_compile_time_and_printed():
    with pytest.raises(CompileError) as caught:
        one_way_ring(check=True)
    assert str(caught.value) == (
        "the routing 'one way' can deadlock: 4 channels wait for each other in a cycle: (0,)->(1,) class 0 -> "
        "(1,)->(2,) class 0 -> (2,)->(3,) class 0 -> (3,)->(0,) class 0 -> (0,)->(1,) class 0; "
        "up-down routing is free of such cycles on any graph"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_without_the_check_such_a_run_ends_in_the_report_of_the_deadlock(engine):
    ring = one_way_ring(check=False, virtual_channels=1, buffer_flits=2)
    traffic = Packets.of(ring, np.arange(4), (np.arange(4) + 2) % 4, np.zeros(4, int), np.full(4, 12))
    with pytest.raises(DeadlockError) as caught:
        simulate(ring, traffic, engine=engine)
    assert str(caught.value) == (
        "deadlock in cycle 10: nothing can move and 4 packets have not been delivered; 4 buffers wait for each other "
        "in a cycle: (0,)->(1,) vc 0 -> (1,)->(2,) vc 0 -> (2,)->(3,) vc 0 -> (3,)->(0,) vc 0 -> (0,)->(1,) vc 0"
    )


def test_datelines_keep_the_same_traffic_from_deadlock():
    ring = fabric("ring", (4,), virtual_channels=2, buffer_flits=2)
    traffic = Packets.of(ring, np.arange(4), (np.arange(4) + 2) % 4, np.zeros(4, int), np.full(4, 12))
    assert (simulate(ring, traffic).latency > 0).all()


def test_a_ring_of_a_user_is_refused_with_shortest_paths_and_passes_with_up_down():
    graph = nx.DiGraph(kind="graph", shape=(5,))
    for index in range(5):
        graph.add_node(index, position=(index, 0), terminals=1)
    for index in range(5):
        joined(graph, index, (index + 1) % 5, 1.0)
    with pytest.raises(CompileError, match="5 channels wait for each other"):
        Fabric(graph, routing(graph))
    assert Fabric(graph, routing(graph, "up-down")).hops(0, 1) == 1


def test_too_few_virtual_channels_for_the_classes_of_a_routing_are_refused():
    with pytest.raises(CompileError, match="needs 2 virtual channels to be free of deadlock; virtual_channels is 1"):
        fabric("ring", (4,), virtual_channels=1)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_multicast_sends_one_copy_over_shared_channels(engine):
    network = fabric("mesh", (4, 4))
    targets = (3, 7, 11, 15)  # the last column: along the row, then up
    together = simulate(network, Packets.of(network, np.array([0]), [targets], np.array([0]), 4), engine=engine)
    each = Packets.of(network, np.zeros(4, int), np.array(targets), np.zeros(4, int), 4)
    apart = simulate(network, each, engine=engine)
    assert together.channel_flits.sum() == 4 * (1 + 3 + 3 + 4)
    assert apart.channel_flits.sum() == 4 * (4 + 3 + 4 + 5 + 6 + 4)
    assert together.latency[0] < apart.delivered.max()
