"""Networks on mac-arrays that layers share: what is placed, how long it takes at least, what it counts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.compile.bound import busiest_link_ps
from archsim.compile.network import chips_to_fit, compile_network, on_chip
from archsim.compile.sharing import shared_attempts
from archsim.errors import CompileError
from archsim.hardware.causes import faster
from archsim.hardware.mac import slowest_rows, weights_a_tile
from archsim.sim.attribution import Attribution
from archsim.sim.engines import engine
from archsim.sim.simulate import simulate_network
from archsim.spec.loader import load_chip
from tests.networks import CONVOLUTIONS, network

NFU_STEP_PS = 1651
CHIP = load_chip("dadiannao").model
IMAGE = (3, 8, 8)


def chip(*overrides: str):
    return load_chip("dadiannao", overrides).model


def steps_by_tile(compiled) -> Counter:
    """Steps an image of each tile, from parts and windows alone."""
    out: Counter = Counter()
    for p in compiled.placements:
        part = compiled.mapped[p.layer].parts[p.part]
        windows, copies = compiled.graph[p.layer].windows, compiled.copies[p.layer]
        mine = sum(1 for k in range(windows) if k * copies // windows == p.first)
        out[p.tile] += mine * part.count
    return out


def test_every_weight_stands_once_in_each_copy_and_no_memory_holds_more_than_it_has():
    graph = network(CONVOLUTIONS, IMAGE)
    compiled = compile_network(graph, CHIP, 1)
    held: Counter = Counter()
    for p in compiled.placements:
        held[p.tile] += compiled.mapped[p.layer].parts[p.part].cells_used
    assert sum(held.values()) == sum(compiled.copies[m.name] * m.weights for m in graph.matrix_layers)
    assert max(held.values()) <= weights_a_tile(CHIP.tile)


def test_a_bit_serial_array_takes_as_many_lane_cycles_and_as_much_time_as_its_weights_have_bits():
    """Steps · 16 outputs · 16 bits in place of steps · 16 outputs.  Element-wise work stays, but for a few sums of
    pieces, since layers are cut in another way."""
    graph, lanes, intervals = network(CONVOLUTIONS, IMAGE), [], []
    for overrides in ([], ["tile.core.components.nfu.serial_bits=1"], ["tile.core.components.nfu.serial_bits=4"]):
        run = simulate_network(compile_network(graph, chip(*overrides), 1), images=4)
        rows = {(row.component, row.action): row for row in run.ledger.rows}
        lanes.append(rows["core.nfu", "lane"].count)
        intervals.append(run.interval_s)
    steps = sum((64 * 2 * 1, 16 * 9 * 2, 2 * 1))  # windows · ceil(K / 16) · ceil(N / 16)
    assert lanes[1] - lanes[0] == pytest.approx(15 * 16 * steps, abs=20)
    assert lanes[2] - lanes[0] == pytest.approx(3 * 16 * steps, abs=20)
    assert intervals[0] < intervals[2] < intervals[1]


def test_the_ledger_has_all_lanes_of_all_steps_and_every_weight_that_they_read():
    graph = network(CONVOLUTIONS, IMAGE)
    run = simulate_network(compile_network(graph, CHIP, 1), images=2)
    rows = {(row.component, row.action): row for row in run.ledger.rows}
    blocks = {"one": 64 * 2 * 1, "two": 16 * 9 * 2, "last": 2 * 1}  # windows · ceil(K / 16) · ceil(N / 16)
    elements = rows["core.nfu", "lane"].count - 16 * sum(blocks.values())
    assert 0 < elements < 20_000  # activations, pools and means take lanes, too
    reads = 64 * 27 * 16 + 16 * 144 * 32 + 32 * 10
    assert rows["tile.weights", "byte"].count == 2 * reads
    assert rows["core.nfu", "lane"].energy_j == pytest.approx(0.30625 / 606e6 / 16)


def test_no_tile_is_faster_than_its_array():
    compiled = compile_network(network(CONVOLUTIONS, IMAGE), CHIP, 1)
    run = simulate_network(compiled, images=6)
    assert run.timing.interval_ps >= 0.98 * max(steps_by_tile(compiled).values()) * 1e12 / 606e6
    assert run.timing.latency_ps > NFU_STEP_PS


def test_a_wide_dense_layer_keeps_the_arrays_busy():
    graph = network(({"dense": 4096, "activation": "none", "bias": False, "name": "only"},), (4096,))
    run = simulate_network(compile_network(graph, CHIP, 1), images=6)
    least_ps = 256 * 256 / 16 * 1e12 / 606e6
    assert least_ps <= run.timing.interval_ps < 1.1 * least_ps
    assert run.bottleneck.server.endswith("nfu")


def test_operands_over_half_a_bus_take_twice_the_time_where_each_step_fetches_them():
    graph = network(({"dense": 256, "activation": "none", "bias": False, "name": "only"},), (4096,))
    links = ("components.hyper_transport.bandwidth=1000 GB/s", "noc.bandwidth=1000 GB/s")
    full, half = (
        simulate_network(compile_network(graph, chip(f"tile.components.bus.bandwidth={gb} GB/s", *links), 1), images=6)
        for gb in (19.392, 9.696)
    )
    assert half.timing.interval_ps == pytest.approx(2 * full.timing.interval_ps, rel=0.1)


@settings(max_examples=8, deadline=None)
@given(
    channels=st.integers(1, 40),
    side=st.integers(3, 9),
    kernel=st.integers(1, 3),
    groups=st.sampled_from([1, 2, 4]),
    chips=st.integers(1, 3),
)
def test_both_engines_agree_and_every_image_comes_out(channels, side, kernel, groups, chips):
    layers = (
        {"conv": 4 * channels, "kernel": kernel, "name": "a"},
        {"conv": 8, "kernel": 1, "groups": groups, "name": "b"},
        {"flatten": True},
        {"dense": 5, "name": "c"},
    )
    compiled = compile_network(network(layers, (3, side, side)), CHIP, chips)
    program = compiled.for_images(2)
    one, other = (engine(name)(program, records="all") for name in ("compiled", "simpy"))
    assert one.makespan == other.makespan
    assert all(np.array_equal(a, b) for a, b in zip(one.records.starts, other.records.starts, strict=True))


def test_a_price_for_memory_makes_fewer_copies_where_it_is_short():
    layers = ({"conv": 64, "kernel": 3, "pad": 1, "name": "a"}, {"conv": 64, "kernel": 3, "pad": 1, "name": "b"})
    graph = network(layers, (64, 16, 16))
    roomy = next(shared_attempts(graph, CHIP, 4)).copies
    short = next(shared_attempts(graph, chip("tile.components.weights.capacity=12 KiB"), 4)).copies
    assert sum(short.values()) < sum(roomy.values())


def test_what_does_not_fit_is_told_with_the_board_that_would_do():
    graph = network(({"dense": 4096, "name": "wide"},), (8192,))
    assert chips_to_fit(graph, CHIP) == 2
    with pytest.raises(CompileError) as caught:
        compile_network(graph, CHIP, 1)
    assert str(caught.value) == (
        "small does not fit 1 × dadiannao: it has 33554432 weights, the board holds 16777216, too few. "
        "2 chips hold it once; --reprogram runs it in phases, between which the board is written."
    )


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            {"replication": "none"},
            "replication: layers share the mac-arrays of dadiannao; only balanced copies are planned",
        ),
        (
            {"component_detail": frozenset(["one"])},
            "component detail: the steps of a mac-array have no components, and dadiannao has one",
        ),
    ],
)
def test_what_is_for_crossbars_is_refused(how, message):
    with pytest.raises(CompileError) as caught:
        compile_network(network(CONVOLUTIONS, IMAGE), CHIP, 1, **how)
    assert str(caught.value) == message


def test_networks_run_on_adder_trees_with_memories_of_their_own():
    with pytest.raises(CompileError) as caught:
        compile_network(network(CONVOLUTIONS, IMAGE), chip("tile.core.components.nfu.dataflow=systolic"), 1)
    assert str(caught.value) == (
        "tile 'dadiannao': networks run on mac-arrays with dataflow: adder-tree whose weights stand in an edram or "
        "sram of the tile; this one is systolic, with weights in tile.weights (edram)"
    )


def test_a_layer_with_few_windows_is_split_along_its_rows_as_well_and_no_tile_is_left_over():
    graph = network(({"conv": 32, "kernel": 3, "pad": 1, "bias": False, "name": "a"},), (64, 1, 1))
    attempt = next(shared_attempts(graph, CHIP, 1))
    (grid,) = attempt.grids.values()
    assert (grid.copies, grid.columns, grid.rows) == (1, 2, 8)
    run = simulate_network(compile_network(graph, CHIP, 1), images=2)
    rows = {(row.component, row.action): row.count for row in run.ledger.rows}
    assert rows["tile.weights", "byte"] == 2 * 9 * 64 * 32


def test_times_of_a_network_are_those_of_the_array_and_of_links_and_can_be_made_faster():
    made = compile_network(network(CONVOLUTIONS, IMAGE), CHIP, 1)
    attribution = Attribution(made)
    stages = range(len(made.program.stages))
    names = {name for n in stages for parts in attribution.causes_of_stage(n) for cause, _ in parts for name in cause}
    names |= {name for n in range(len(made.program.links)) for c in attribution.causes_of_link(n) for name in c}
    assert {"core.nfu", "tile.buffer", "tile.bus", "noc.bandwidth", "chip.hyper_transport", "host"} <= names
    for name in names - {"host", "least time"}:
        assert faster(CHIP, [name], 2) != CHIP
    assert slowest_rows(CHIP.tile) == ("core.nfu", "tile.weights")
    least = 0.6 * busiest_link_ps(made.program)
    for names, faster_by in ((["core.nfu"], False), (["core.nfu", "tile.weights"], True)):
        twice = on_chip(made, faster(CHIP, [*names, "chip.hyper_transport", "noc.bandwidth"], 2))
        assert (busiest_link_ps(twice.program) < least) == faster_by
