"""Packet level beside flit level."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.explore.noc import measure_packet_level
from archsim.noc.curve import Phases, measure
from archsim.noc.packet_level import CYCLE, program
from archsim.noc.packets import Packets
from archsim.sim.engines import engine
from tests.networks_on_chip import SHAPES, fabric


@pytest.mark.parametrize("flits", [1, 5])
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_in_an_empty_network_both_levels_give_the_same_latency(name, flits):
    network = fabric(name, SHAPES[name][-1])
    count = len(network.terminals)
    pairs = np.array([(a, b) for a in range(count) for b in range(count)])
    traffic = Packets.of(network, pairs[:, 0], pairs[:, 1], np.arange(len(pairs)) * 500, flits)
    outcome = engine("compiled")(program(network, traffic), records="all")
    for route, packet in enumerate(np.argsort(traffic.route)):
        a, b = pairs[packet].tolist()
        latency = outcome.records.deliveries[route][0] // CYCLE - traffic.created[packet]
        assert latency == network.zero_load_latency(a, b, flits)


@pytest.mark.parametrize(
    ("traffic", "flits", "load", "within"),
    [
        ("uniform", 1, 0.126, 0.03),
        ("transpose", 1, 0.042, 0.03),
        ("uniform", 20, 0.038, 0.05),
        ("transpose", 20, 0.014, 0.05),
    ],
)
def test_both_levels_agree_at_30_percent_of_saturation_and_for_long_packets_at_10(traffic, flits, load, within):
    network, phases = fabric("mesh", (8, 8)), Phases(500, 4000, 4000)
    flit = measure(network, traffic, flits, load, phases)
    packet = measure_packet_level(network, traffic, flits, load, phases)
    assert packet.mean_latency == pytest.approx(flit.mean_latency, rel=within)
    assert packet.mean_latency <= flit.mean_latency
    assert packet.mean_hops == flit.mean_hops
