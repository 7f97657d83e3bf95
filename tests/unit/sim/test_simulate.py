"""A simulated network: its times, its shares and what limits it."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.compile.network import Compiled, compile_network
from archsim.sim import reference
from archsim.sim.engines import engine
from archsim.sim.simulate import simulate_network
from tests.networks import CONVOLUTIONS, DENSE, chip, network

CHAIN = (
    {"conv": 16, "kernel": 3, "pad": 1, "activation": "none", "name": "wide"},
    {"conv": 16, "kernel": 3, "stride": 4, "activation": "none", "name": "narrow"},
)
"""16 × 16 windows, then 4 × 4."""


def compiled(design: str = "isaac-ce", layers=CONVOLUTIONS, shape=(3, 8, 8), tiles: int = 8, **how) -> Compiled:  # type: ignore[no-untyped-def]
    return compile_network(network(layers, shape), chip(design, tiles), 1, **how)


# -- times --------------------------------------------------------------------------------------


@pytest.mark.parametrize("design", ["isaac-ce", "puma"])
def test_latency_is_from_the_first_token_to_the_last_in_the_empty_machine(design: str) -> None:
    result = compiled(design)
    run = simulate_network(result, images=4)
    single = reference.run(result.for_images(1), records="all")
    into = [
        int(single.records.starts[flow.source][0])
        for flow in result.program.flows
        if flow.source == result.lowered.host_in
    ]
    deliveries = [
        int(single.records.deliveries[int(result.program.end_offsets[number]) + k].max())
        for number, flow in enumerate(result.program.flows)
        for k, end in enumerate(flow.ends)
        if end.stage in result.lowered.host_out
    ]
    assert min(into) == 0
    assert run.timing.latency_ps == max(deliveries)
    assert run.timing.steady_latency_ps >= run.timing.latency_ps


def test_the_interval_is_the_mean_over_the_second_half_of_the_images() -> None:
    result = compiled()
    for images, first in ((4, 1), (5, 1), (8, 3), (2, 0)):
        run = simulate_network(result, images=images)
        outcome = engine("compiled")(result.for_images(images), records=frozenset(result.lowered.host_out))
        done = outcome.records.starts[result.lowered.host_out[0]]
        gaps = np.diff(done[first:])
        assert run.timing.interval_ps == pytest.approx(gaps.mean()), images
        assert run.timing.interval_spread == pytest.approx((gaps.max() - gaps.min()) / gaps.mean()), images
        assert run.timing.images == images


def test_no_interval_is_below_the_time_that_an_inference_keeps_its_busiest_server() -> None:
    layers = ({"conv": 12, "kernel": 3, "pad": 1}, {"globalpool": "average"}, {"flatten": True}, {"dense": 1})
    narrow = chip("isaac-ce", 6, "tile.core.components.crossbar.columns=64")
    result = compile_network(network(layers, (1, 8, 8)), narrow, 1)
    for images in (2, 3, 4):  # the first comes late over a crowded network, and the second catches up
        run = simulate_network(result, images=images)
        assert run.timing.interval_ps >= 1_600_000
        assert run.bottleneck.share <= 1
        assert run.time_utilisation <= 1


def test_a_single_image_has_its_latency_for_an_interval() -> None:
    run = simulate_network(compiled(), images=1)
    assert run.timing.interval_ps == run.timing.latency_ps == run.timing.steady_latency_ps
    assert run.timing.interval_spread == 0


def test_a_balanced_pipeline_takes_the_windows_of_its_busiest_layer_times_the_mvm() -> None:
    # 256 windows against 16, one copy each, 1600 ns an MVM
    run = simulate_network(compiled(layers=CHAIN, shape=(3, 16, 16), replication="none"), images=8)
    assert run.interval_s == pytest.approx(256 * 1600e-9, rel=0.01)
    assert run.timing.interval_ps >= 256 * 1_600_000
    assert run.bottleneck.layer == "wide"
    assert run.bottleneck.reason.startswith("mvm stage wide[0.0] mvm is busy ")


def test_four_copies_of_the_busiest_layer_make_it_four_times_as_fast() -> None:
    run = simulate_network(compiled(layers=CHAIN, shape=(3, 16, 16), replication={"wide": 4}), images=8)
    assert run.interval_s == pytest.approx(64 * 1600e-9, rel=0.03)
    assert run.replication == {"wide": 4, "narrow": 1}


# -- shares -------------------------------------------------------------------------------------


def test_time_utilisation_is_mvm_time_over_interval_weighed_by_arrays() -> None:
    run = simulate_network(compiled(layers=CHAIN, shape=(3, 16, 16), replication="none"), images=8)
    # wide: 27 rows, one array; narrow: 144 rows in two blocks, two arrays
    busy = (1 * 256 + 2 * 16) * 1_600_000
    assert run.time_utilisation == pytest.approx(busy / (3 * run.timing.interval_ps))


def test_cells_in_use_are_weights_by_slices_over_the_cells_of_the_arrays() -> None:
    run = simulate_network(compiled(layers=CHAIN, shape=(3, 16, 16), replication="none"), images=2)
    held = (27 * 16 + 144 * 16) * 8
    assert run.cells["cells"] == pytest.approx(held / (3 * 128 * 128))
    assert run.cells["cells_of_board"] == pytest.approx(held / (8 * 96 * 128 * 128))
    assert run.cells["arrays_of_board"] == pytest.approx(3 / (8 * 96))


def test_the_share_of_dense_layers_is_counted_in_arrays() -> None:
    layers = (CHAIN[0], {"flatten": True}, {"dense": 16, "activation": "none"})
    run = simulate_network(compiled(layers=layers, shape=(3, 4, 4), replication="none"), images=2)
    assert run.dense_share == pytest.approx(2 / 3)  # 256 rows in two arrays beside one of the convolution


def test_peak_figures_are_those_of_the_board() -> None:
    graph, design = network(DENSE, (128,)), chip("isaac-ce")
    one = simulate_network(compile_network(graph, design, 1), images=1)
    two = simulate_network(compile_network(graph, design, 2), images=1)
    for name in ("tops", "power_w", "area_mm2"):
        assert two.peak[name] == pytest.approx(2 * one.peak[name])
    assert two.peak["tops"] / two.peak["power_w"] == pytest.approx(two.peak["tops_per_w"])
    assert two.peak["tops"] / two.peak["area_mm2"] == pytest.approx(two.peak["tops_per_mm2"])
    assert (two.area_mm2, two.always_on_w) == (two.peak["area_mm2"], two.peak["power_w"])


def test_waiting_is_shares_of_the_makespan_that_do_not_pass_one() -> None:
    run = simulate_network(compiled(), images=4)
    assert list(run.waiting) == ["one", "maxpool1", "two", "globalpool1", "last"]
    for waiting in run.waiting.values():
        assert min(waiting.busy, waiting.starved, waiting.blocked) >= 0
        assert waiting.busy + waiting.starved + waiting.blocked <= 1 + 1e-9


def test_a_starved_layer_is_shown_as_such() -> None:
    run = simulate_network(compiled(layers=CHAIN, shape=(3, 16, 16), replication="none"), images=8)
    assert run.waiting["wide"].busy > 0.95
    assert run.waiting["narrow"].starved > 0.8


def test_links_are_busy_for_tokens_times_serialisation() -> None:
    run = simulate_network(compiled(layers=DENSE, shape=(128,), tiles=4), images=4)
    # 256 B at 6.4 GB/s over one link of the chip, in an interval of 1600 ns
    assert run.timing.interval_ps == 1_600_000
    assert run.busy_by_link_kind["chip-in"] == {"links": 1, "mean": 0.025, "max": 0.025}
    assert run.busy_by_link_kind["bus"]["max"] == pytest.approx(256 / 10.24e9 / 1600e-9)


def test_a_slow_bus_is_named_as_the_bottleneck() -> None:
    slow = chip("isaac-ce", 4, "tile.components.bus.bandwidth=64 MB/s")
    run = simulate_network(compile_network(network(DENSE, (128,)), slow, 1), images=4)
    assert run.interval_s == pytest.approx(256 / 64e6)
    assert run.bottleneck.server.startswith("bus ")
    assert run.bottleneck.layer == "only"
    assert run.bottleneck.share == pytest.approx(1.0)
    assert run.bottleneck.reason == f"bus link {run.bottleneck.server} is busy 100% of the interval"


def test_a_single_image_through_a_chain_has_no_server_that_is_always_busy() -> None:
    run = simulate_network(compiled(), images=1)
    assert run.bottleneck.share < 0.9
    assert run.bottleneck.reason.startswith("no server is busy all the time (the busiest, ")


# -- energy -------------------------------------------------------------------------------------


@pytest.mark.parametrize("design", ["isaac-ce", "puma"])
@pytest.mark.parametrize("idle", [True, False])
def test_energy_power_and_breakdown_agree(design: str, idle: bool) -> None:
    run = simulate_network(compiled(design), images=4, idle_tiles=idle)
    value = run.to_json()
    energy = value["energy_j_per_inference"]
    assert energy == pytest.approx(sum(value["energy_breakdown_j"].values()), rel=1e-12)
    assert energy == pytest.approx(sum(row["total_j"] for row in value["ledger"]), rel=1e-12)
    assert energy == pytest.approx(value["average_power_w"] * value["interval_s"], rel=1e-12)
    assert value["energy_always_on_j_per_inference"] >= energy
    assert value["energy_always_on_j_per_inference"] == pytest.approx(value["always_on_power_w"] * value["interval_s"])


def test_static_power_makes_idle_tiles_cost_something_on_puma_only() -> None:
    def energy(design: str, idle: bool) -> float:
        return simulate_network(compiled(design, DENSE, (128,)), images=2, idle_tiles=idle).energy_j

    assert energy("puma", True) > energy("puma", False)
    assert energy("isaac-ce", True) == energy("isaac-ce", False)


# -- repeated and reported ----------------------------------------------------------------------


def test_events_are_those_of_the_steady_state_run() -> None:
    result = compiled()
    run = simulate_network(result, images=3)
    assert run.timing.events == reference.run(result.for_images(3)).events


def test_each_step_is_reported_before_it_begins() -> None:
    steps: list[str] = []
    simulate_network(compiled(), images=3, report=steps.append)
    assert steps == ["one inference in the empty machine", "3 inferences for the steady state"]


def test_the_level_of_detail_names_the_layers() -> None:
    run = simulate_network(compiled(component_detail=frozenset({"two", "last"})), images=1)
    assert run.detail == "component: last, two"
    assert simulate_network(compiled(), images=1).detail == "core"


def test_component_detail_changes_no_energy_and_hardly_any_time() -> None:
    core = simulate_network(compiled(), images=2)
    detailed = simulate_network(compiled(component_detail=frozenset({"one"})), images=2)
    assert {(r.component, r.action): r.count for r in detailed.ledger.rows} == {
        (r.component, r.action): r.count for r in core.ledger.rows
    }
    assert detailed.latency_s == pytest.approx(core.latency_s, rel=0.02)
    assert detailed.waiting["one"].busy == pytest.approx(core.waiting["one"].busy, rel=0.05)
