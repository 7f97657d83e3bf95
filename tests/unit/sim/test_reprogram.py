"""A board that is programmed anew: sums over phases, the ledger of a batch, wear, and a board that suffices."""

from __future__ import annotations

import json

import pytest

from archsim.compile.network import compile_network
from archsim.compile.phases import compile_phases
from archsim.errors import CompileError
from archsim.results import Run
from archsim.sim.reprogram import simulate_phases
from archsim.sim.simulate import simulate_network
from archsim.spec.chip import Chip
from archsim.workload.graph import Graph
from tests.networks import CONVOLUTIONS, chip, network

WIDE = tuple({"dense": 256, "name": f"d{k}"} for k in range(6))
"""Six layers of 256 x 256, of which a tile of ISAAC holds three."""


def batch(graph: Graph, board: Chip, images: int = 4, engine: str | None = None, chips: int = 1) -> Run:
    return simulate_phases(graph, compile_phases(graph, board, chips), images=images, engine_name=engine)


@pytest.fixture(scope="module")
def wide(compiled_engine: None) -> Run:
    return batch(network(WIDE, (256,)), chip("isaac-ce", 1))


def plain(run: Run) -> str:
    value = run.to_json()
    for name in (*run.wall, "engine"):
        value.pop(f"{name}_s", None)
        value.pop(name, None)
    return json.dumps(value, sort_keys=True)


def test_the_time_of_a_batch_is_that_of_its_phases(wide: Run) -> None:
    whole = 0
    assert len(wide.phases) == 2
    for phase in wide.phases:
        load = phase.run.loading
        assert load is not None
        assert load.time_ps is not None
        whole += load.time_ps + phase.run.timing.makespan_ps
        assert phase.run.timing.makespan_ps >= phase.run.timing.latency_ps
    assert wide.timing.makespan_ps == wide.timing.steady_latency_ps == whole
    assert wide.timing.interval_ps == whole / 4
    assert wide.loading is not None
    assert wide.loading.time_ps == sum(p.run.loading.time_ps or 0 for p in wide.phases if p.run.loading)
    assert wide.timing.latency_ps == wide.loading.time_ps + sum(p.run.timing.latency_ps for p in wide.phases)


def test_a_phase_is_the_same_network_run_by_itself(wide: Run) -> None:
    alone = simulate_network(compile_network(network(WIDE[:3], (256,)), chip("isaac-ce", 1), 1), images=4)
    first = wide.phases[0].run
    assert first.timing == alone.timing
    assert first.loading == alone.loading
    assert [(r.component, r.count) for r in first.ledger.rows] == [(r.component, r.count) for r in alone.ledger.rows]


def test_the_ledger_of_an_image_is_that_of_the_phases_and_what_was_written(wide: Run) -> None:
    assert wide.loading is not None
    assert wide.loading.energy_j is not None
    expected = sum(p.run.energy_j for p in wide.phases) + wide.loading.energy_j / 4  # ISAAC has no static power
    assert wide.energy_j == pytest.approx(expected, rel=1e-12)
    assert wide.energy_j == pytest.approx(sum(row.total_j for row in wide.ledger.rows), rel=1e-12)
    rows = {(row.component, row.action): row for row in wide.ledger.rows}
    assert rows["core.crossbar", "write"].count == wide.loading.cells / 4
    assert rows["core.crossbar", "read"].count == 6 * 32 * 16  # all arrays, in each input step


def test_static_power_flows_all_the_time(compiled_engine: None) -> None:
    keys = ["tile.core.components.adc.static_share=0.5"]
    run = batch(network(WIDE, (256,)), chip("isaac-ce", 1, *keys))
    rows = {(row.component, row.action): row for row in run.ledger.rows}
    assert rows["core.adc", "static"].count == pytest.approx(run.interval_s, rel=1e-12)
    assert rows["core.adc", "static"].energy_j == pytest.approx(12 * 16e-3 / 2)


def test_work_and_traffic_are_conserved(wide: Run) -> None:
    graph = network(WIDE, (256,))
    assert sum(phase.run.macs for phase in wide.phases) == wide.macs == graph.macs
    # the input and what crosses the cut go in, what crosses and the output come out: 256 values of 16 bits each
    assert wide.bytes_by_link_kind["chip-in"] == 2 * 256 * 2
    assert wide.bytes_by_link_kind["chip-out"] == 2 * 256 * 2
    assert wide.loading is not None
    assert wide.loading.weights == graph.weights
    assert set(wide.replication) == {layer.name for layer in graph.matrix_layers}


def test_pieces_of_a_layer_all_read_its_input(compiled_engine: None) -> None:
    layers = ({"dense": 512, "name": "big"}, {"dense": 10, "name": "last"})
    run = batch(network(layers, (1024,)), chip("isaac-ce", 1))
    assert [phase.layers for phase in run.phases][-1] == ("last",)
    assert run.bytes_by_link_kind["chip-in"] == (3 * 1024 + 512) * 2
    assert run.bytes_by_link_kind["chip-out"] == (512 + 10) * 2
    assert run.macs == 1024 * 512 + 512 * 10


def test_more_images_pay_for_the_writing(wide: Run) -> None:
    more = batch(network(WIDE, (256,)), chip("isaac-ce", 1), images=32)
    assert more.interval_s < wide.interval_s / 4
    assert more.energy_j < wide.energy_j
    assert more.loading is not None
    assert wide.loading is not None
    assert (more.loading.cells, more.loading.time_ps) == (wide.loading.cells, wide.loading.time_ps)


def test_wear_counts_the_phases_that_write_a_tile(wide: Run) -> None:
    assert wide.loading is not None
    assert wide.loading.writes == 2
    assert wide.loading.lifetime == pytest.approx(1e6 / 2)


def test_a_board_that_suffices_gives_the_normal_run(compiled_engine: None) -> None:
    graph, board = network(CONVOLUTIONS, (3, 8, 8)), chip("isaac-ce", 4)
    normal = simulate_network(compile_network(graph, board, 1), images=4)
    run = batch(graph, board)
    assert len(run.phases) == 1
    assert (run.timing, run.ledger, run.loading) == (normal.timing, normal.ledger, normal.loading)
    assert run.bottleneck == normal.bottleneck


def test_both_engines_agree_and_a_run_is_the_same_each_time(wide: Run) -> None:
    graph, board = network(WIDE, (256,)), chip("isaac-ce", 1)
    again, slow = batch(graph, board), batch(graph, board, engine="simpy")
    assert plain(again) == plain(wide) == plain(slow)


def test_digital_chips_are_loaded_over_their_links(compiled_engine: None) -> None:
    layers = tuple({"dense": 1024, "name": f"d{k}"} for k in range(4))
    run = batch(network(layers, (1024,)), chip("dadiannao", 2, "noc.concentration=2"))
    assert len(run.phases) == 2
    assert run.loading is not None
    assert (run.loading.lifetime, run.loading.cells) == (None, 0)
    assert run.loading.bytes_sent == 4 * 1024 * 1024 * 2
    assert ("tile.weights", "byte of weights") in {(row.component, row.action) for row in run.ledger.rows}


def test_without_the_time_of_a_pulse_nothing_is_reprogrammed() -> None:
    board = chip("isaac-ce", 1, "tile.core.write=null")
    with pytest.raises(CompileError, match=r"isaac-ce: how long it takes to write its cells is not published, so it"):
        batch(network(WIDE, (256,)), board)


def test_without_the_energy_of_a_pulse_the_run_says_so(compiled_engine: None) -> None:
    write = "tile.core.write={pulse: 50 ns, pulses: 1, source: a test, status: assumed}"
    run = batch(network(WIDE, (256,)), chip("isaac-ce", 1, "tile.core.write=null", write))
    assert "the energy of writing cells is not published for isaac-ce" in run.notes[0]
    assert run.loading is not None
    assert run.loading.energy_j is None


def test_loading_limits_when_it_takes_longest(wide: Run) -> None:
    assert (wide.bottleneck.layer, wide.bottleneck.server) == ("weights", "loading")
    assert wide.bottleneck.share > 0.5
