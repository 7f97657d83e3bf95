"""Loading a network: cells, rows, bytes, time and energy of small networks in closed form."""

from __future__ import annotations

from math import ceil
from typing import Any

import pytest

from archsim.compile.network import compile_network
from archsim.compile.writes import arrivals, written
from archsim.results_loading import Loading, inferences_until
from archsim.sim.loading import loading_of
from archsim.sim.simulate import simulate_network
from archsim.spec.loader import load_chip
from archsim.workload.graph import Graph
from tests.networks import CONVOLUTIONS, DENSE, chip, network

PULSE_PS = 85693.4
PULSE_J = 1.28937e-12


def loaded(graph: Graph, name: str, *overrides: str, chips: int = 1, replication: Any = "none") -> Loading:
    return loading_of(compile_network(graph, chip(name, 8, *overrides), chips, replication))


def test_a_dense_layer_on_isaac() -> None:
    load = loaded(network(DENSE, (128,)), "isaac-ce")  # 128 x 16: eight cells a weight, one array, a unit column
    assert load.weights == 128 * 16
    assert load.cells == 128 * (16 * 8 + 1)
    assert load.write_ps == ceil(128 * PULSE_PS)  # a row at once
    assert load.bytes_sent == 128 * 16 * 2
    assert load.transfer_ps == 4096 * 250  # 4 GB/s, of a channel or into the tile, is the slowest on the way
    assert load.time_ps == load.write_ps
    rows = {(row.component, row.action): row for row in load.ledger.rows}
    assert rows["core.crossbar", "write"].total_j == pytest.approx(128 * 129 * PULSE_J)
    assert rows["chip.hyper_transport", "byte"].count == 4096
    assert rows["tile.buffer", "byte"].count == 2 * 4096
    assert rows["tile.bus", "byte"].count == 4096
    assert rows["tile.router", "flit"].count % (4096 * 8 // 32) == 0
    assert load.energy_j == pytest.approx(sum(row.total_j for row in load.ledger.rows), rel=1e-12)


def test_a_dense_layer_on_puma_has_an_array_for_each_slice() -> None:
    load = loaded(network(({"dense": 100},), (300,)), "puma")
    assert load.cells == 300 * 100 * 8
    # three blocks of rows, in eight arrays each; a tile writes one array after the other, row by row
    assert load.write_ps == ceil(300 * 8 * PULSE_PS)


def test_a_convolution_and_its_copies() -> None:
    graph = network(({"conv": 20, "kernel": 3, "pad": 1, "name": "c"},), (16, 6, 6))
    once, thrice = loaded(graph, "isaac-ce"), loaded(graph, "isaac-ce", replication={"c": 3})
    k, n = 16 * 9, 20
    columns = [16 * 8 + 1, 4 * 8 + 1]  # sixteen weights a row of an array, and the rest in the next
    assert once.cells == k * sum(columns)
    assert thrice.cells == 3 * once.cells
    assert thrice.bytes_sent == once.bytes_sent == k * n * 2  # sent once, written for each copy


def test_groups_in_one_slot_write_the_zeros_beside_the_diagonal() -> None:
    graph = network(({"conv": 6, "kernel": 3, "pad": 1, "groups": 6},), (6, 5, 5))
    load = loaded(graph, "isaac-ce")
    assert load.weights == 6 * 9
    assert load.cells == 6 * 9 * (6 * 8 + 1)


def test_differential_pairs_have_two_cells_a_slice() -> None:
    graph = network(({"dense": 8},), (100,))
    keys = ["tile.core.encoding.scheme=differential", "tile.core.encoding.unit_columns=0"]
    load = loaded(graph, "isaac-ce", *keys)
    assert load.cells == 100 * 8 * 2 * ceil(15 / 2)


def test_cells_and_arrays_that_are_written_at_once() -> None:
    graph = network(({"dense": 32},), (256,))  # four arrays
    serial = loaded(graph, "isaac-ce", "tile.core.write.cells=1")
    assert serial.write_ps == ceil(4 * 128 * 129 * PULSE_PS)
    eights = loaded(graph, "isaac-ce", "tile.core.write.cells=64", "tile.core.write.arrays=2")
    assert eights.write_ps == ceil(4 * 128 * 3 * PULSE_PS / 2)
    more = loaded(graph, "isaac-ce", "tile.core.write.arrays=64")  # than there are
    assert more.write_ps == ceil(128 * PULSE_PS)


def test_verify_reads_take_time_and_energy() -> None:
    keys = ["tile.core.write.verify=100 ns", "tile.core.write.verify_energy=0.5 pJ"]
    load = loaded(network(DENSE, (128,)), "isaac-ce", *keys)
    assert load.write_ps == ceil(128 * (PULSE_PS + 1e5))
    rows = {row.action: row for row in load.ledger.rows}
    assert rows["verify"].total_j == pytest.approx(128 * 129 * 0.5e-12)


def test_wear_is_pulses_against_endurance() -> None:
    load = loaded(network(DENSE, (128,)), "isaac-ce", "tile.core.write.pulses=5", "tile.core.write.endurance=1.0e+9")
    assert load.lifetime == pytest.approx(2e8)
    assert load.to_json()["pulses"] == pytest.approx(5 * 128 * 129)


def test_every_tile_is_written_and_every_arrival_ends_where_it_is_held() -> None:
    made = compile_network(network(CONVOLUTIONS, (3, 8, 8)), chip("isaac-ce", 8), 2)
    tiles = {p.tile for p in made.placements}
    assert set(written(made)) == tiles
    sent = list(arrivals(made))
    assert {tile for arrival in sent for tile in arrival.copies} == tiles
    for arrival in sent:
        ejects = {key[1] for key in arrival.links if key[0] == "eject"}
        assert ejects == set(arrival.copies)
    assert sum(arrival.bits * sum(arrival.copies.values()) for arrival in sent) == made.weights_held * 16


def test_a_mac_array_takes_its_weights_into_the_memory_beside_it() -> None:
    graph = network(({"dense": 64},), (256,))
    load = loading_of(compile_network(graph, load_chip("dadiannao").model, 1))
    assert (load.cells, load.write_ps, load.lifetime, load.pulses_a_cell) == (0, 0, None, None)
    rows = {(row.component, row.action): row for row in load.ledger.rows}
    assert rows["tile.weights", "byte"].count == 256 * 64 * 2
    assert rows["chip.hyper_transport", "byte"].count == 256 * 64 * 2
    assert load.time_ps == load.transfer_ps > 0


def test_what_is_not_published_is_no_number() -> None:
    graph = network(DENSE, (128,))
    load = loaded(graph, "isaac-ce", "tile.core.write=null")
    assert (load.time_ps, load.energy_j, load.lifetime) == (None, None, None)
    value = load.to_json()
    assert value["not_published"] == ["pulse", "energy", "endurance"]
    assert (value["time_s"], value["energy_j"], value["lifetime_loadings"]) == (None, None, None)
    assert value["transfer_s"] > 0
    assert not any(row.action == "write" for row in load.ledger.rows)


def test_static_power_flows_while_a_network_is_loaded() -> None:
    load = loaded(network(DENSE, (128,)), "puma")
    static = [row for row in load.ledger.rows if row.action == "static"]
    assert static
    assert {row.count for row in static} == {load.time_s}


def test_a_run_has_its_loading_beside_the_inference() -> None:
    run = simulate_network(compile_network(network(DENSE, (128,)), chip("isaac-ce", 8), 1), images=3)
    value = run.to_json()
    assert not any(row["action"] == "write" for row in value["ledger"])
    until = value["loading"]["inferences_until_1_percent"]
    assert run.loading is not None
    assert run.loading.time_s is not None
    assert run.loading.energy_j is not None
    for what, once, each in (
        ("time", run.loading.time_s, run.interval_s),
        ("energy", run.loading.energy_j, run.energy_j),
    ):
        assert once / (once + until[what] * each) <= 0.01 < once / (once + (until[what] - 1) * each)


def test_inferences_until_loading_is_small() -> None:
    assert inferences_until(1.0, 1.0) == 99
    assert inferences_until(0.0, 1.0) == 0
    assert inferences_until(1.0, 0.0) is None
