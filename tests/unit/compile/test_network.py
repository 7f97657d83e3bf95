"""Whole small networks: bytes by closed forms, times added up by hand, recurrences, intervals, and equal compilations.

The chip is ISAAC-CE unless said otherwise: values of 2 bytes, tiles with 96 arrays of 128 rows × 16 weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archsim.compile import network as module
from archsim.compile.lower import Lowered, lower
from archsim.compile.network import Compiled, compile_network
from archsim.compile.place import Placement
from archsim.errors import CompileError, DeadlockError
from archsim.hardware.mvm import mvm_timing
from archsim.program import Program
from archsim.sim import compiled
from archsim.untimed import check
from tests.unit.compile.nets import bytes_by_kind, chip, free, network

CONV = {"kernel": 3, "pad": 1}


def one_of_each(graph, *overrides: str, on: str = "isaac-ce") -> Compiled:
    return compile_network(graph, chip(on, *overrides), 1, "none")


def stage(program: Program, name: str) -> int:
    return [s.name for s in program.stages].index(name)


def to_port(made: Compiled, tile: int) -> int:
    """Channels between the router of a tile and the nearest chip-to-chip link."""
    x, y = made.board.router_of(tile)
    return min(abs(x - a) + abs(y - b) for a, b in made.board.ports)


def apart(made: Compiled, one: int, other: int) -> int:
    """Channels between the routers of two tiles."""
    (x, y), (u, v) = made.board.router_of(one), made.board.router_of(other)
    return abs(x - u) + abs(y - v)


class TestBytes:
    def test_one_convolution(self):
        made = one_of_each(network([3, 8, 8], {"conv": 16, **CONV}))
        (placement,) = made.placements
        far = to_port(made, placement.tile)
        image, windows, result = 64 * 3 * 2, 64 * 27 * 2, 64 * 16 * 2
        assert bytes_by_kind(made.program) == {
            "chip-in": image,
            "eject": image,
            "buffer": image + windows,  # written once, read once a window
            "bus": windows,
            "inject": result,
            "chip-out": result,
            "channel": far * (image + result),
        }

    def test_one_dense_layer_split_over_two_tiles(self):
        # 6144 × 64 weights are 48 × 4 arrays: two tiles, each with half of the rows; one sends its sums to the other
        made = one_of_each(network([6144], {"dense": 64}))
        first, second = (p.tile for p in made.placements)
        part, sums = 3072 * 2, 64 * 2
        assert first != second
        expected = {
            "chip-in": 2 * part,
            "eject": 2 * part + sums,
            "buffer": 2 * part + 2 * part + sums,
            "bus": 2 * part,
            "inject": sums + sums,  # partial sums, and the result
            "chip-out": sums,
            "channel": part * (to_port(made, first) + to_port(made, second))
            + sums * (apart(made, first, second) + to_port(made, second)),
        }
        assert bytes_by_kind(made.program) == {kind: size for kind, size in expected.items() if size}

    def test_one_residual_block(self):
        # both convolutions and the addition stand in one tile
        block = [{"conv": 8, **CONV, "name": "a"}, {"conv": 8, **CONV, "activation": "none"}, {"add": "a"}]
        made = one_of_each(network([8, 6, 6], *block))
        (tile,) = {p.tile for p in made.placements}
        image, windows = 36 * 8 * 2, 36 * 72 * 2
        assert bytes_by_kind(made.program) == {
            "chip-in": image,
            "eject": image,
            "buffer": image + 2 * windows + 3 * image,  # the first result for two readers, the second for one
            "bus": 2 * windows,
            "inject": image,
            "chip-out": image,
            "channel": 2 * image * to_port(made, tile),
        }

    def test_one_lstm_step(self):
        # 32 inputs and 16 values of state, four gates: 48 × 64 weights, four arrays
        one, two = (bytes_by_kind(one_of_each(lstm(steps)).program) for steps in (2, 3))
        step = {kind: two[kind] - one[kind] for kind in two}
        taken, state = 32 * 2, 16 * 2
        del step["channel"]
        assert step == {
            "chip-in": taken,
            "eject": taken,
            "buffer": taken + (taken + state) + state,  # input written, input and state read, new state written
            "bus": taken + state,
            "inject": state,
            "chip-out": state,
        }


def lstm(steps: int):
    return network([32], {"lstm": 16}, sequence=steps)


class TestTimes:
    ARRIVAL = (
        1  # the host
        + 5_000  # chip-in; its 20 ns are less than the 32 ns that 64 values take on the network
        + 4_000
        + 32_000  # the last value leaves the network at 4 GB/s
        - 12_500
        + 1
        + 12_500  # written into the buffer at 10.24 GB/s
    )

    @pytest.mark.parametrize("layers", [1, 2, 3])
    def test_the_latency_of_a_dense_network_is_the_sum_of_its_stages(self, layers):
        """22 cycles of 100 ns from buffer to buffer for each layer; the host's port is at the tile's own router."""
        made = one_of_each(network([64], *[{"dense": 64}] * layers))
        outcome = compiled.run(made.program)
        leaves = (
            1_000  # inject; 32 ns at 4 GB/s, 20 ns on the chip's link
            + (32_000 - 20_000)
            + 5_000
            + 20_000
        )
        written = 1 + 12_500  # the last result is not written into a buffer
        assert {p.tile for p in made.placements} == {0}
        assert outcome.makespan == self.ARRIVAL + layers * 2_200_000 - written + leaves + 1

    def test_images_follow_each_other_every_sixteen_cycles(self):
        made = one_of_each(network([64], {"dense": 64}))
        outcome = compiled.run(made.for_images(5), records=frozenset(made.lowered.host_out))
        assert set(np.diff(outcome.records.starts[made.lowered.host_out[0]]).tolist()) == {1_600_000}


class TestRecurrence:
    def run(self, on: str, steps: int):
        made = compile_network(lstm(steps), chip(on), 1)
        return made, compiled.run(made.program, records="all")

    @pytest.mark.parametrize("on", ["isaac-ce", "puma"])
    def test_a_step_cannot_start_before_the_state_of_the_last_one_is_back(self, on):
        made, outcome = self.run(on, 5)
        program = made.program
        (flow,) = (k for k, f in enumerate(program.flows) if f.name.endswith("state"))
        back = outcome.records.deliveries[int(program.end_offsets[flow])]
        starts = outcome.records.starts[program.flows[flow].ends[0].stage]
        assert (starts[1:] >= back[:-1]).all()
        assert (starts[1:] == back[:-1]).all(), "and nothing else is waited for"

    @pytest.mark.parametrize("on", ["isaac-ce", "puma"])
    def test_from_the_second_step_on_each_further_step_adds_the_same_time(self, on):
        spans = [self.run(on, steps)[1].makespan for steps in range(2, 7)]
        assert len(set(np.diff(spans).tolist())) == 1

    def test_the_state_of_one_step_takes_22_cycles(self):
        made, outcome = self.run("isaac-ce", 4)
        fetch = outcome.records.starts[stage(made.program, "lstm1[0.0] fetch")]
        # 16 cells on the tile's units: three sigmoids and two tanh each at 2.4 G/s; nine sums and products, of which a
        # product takes 16 operations, at 1.2 G/s. That is less than the cycles after the sum, so nothing is added.
        assert set(np.diff(fetch).tolist()) <= set(np.diff(fetch).tolist()[1:])
        assert np.diff(fetch)[0] >= 2_200_000


VGG = [
    {"conv": 16, **CONV},
    {"maxpool": 2},
    {"conv": 32, **CONV},
    {"conv": 32, **CONV},
    {"maxpool": 2},
    {"flatten": True},
    {"dense": 20},
]
RESNET = [
    {"conv": 16, **CONV, "name": "stem"},
    {"conv": 16, **CONV, "name": "a"},
    {"conv": 16, **CONV, "activation": "none", "name": "b"},
    {"add": "stem", "activation": "relu", "name": "sum"},
    {"conv": 32, **CONV, "stride": 2, "name": "c"},
    {"globalpool": "average"},
    {"flatten": True},
    {"dense": 10},
]


def interval(made: Compiled, images: int = 16) -> float:
    """The time between images in ps, without those of the start and of the end, which have links for themselves."""
    out = made.lowered.host_out[0]
    starts = compiled.run(made.for_images(images), records=frozenset({out})).records.starts[out]
    return float(starts[-5] - starts[4]) / (images - 9)


@pytest.mark.parametrize("on", ["isaac-ce", "puma"])
@pytest.mark.parametrize("layers", [VGG, RESNET], ids=["vgg", "resnet"])
@pytest.mark.parametrize("tiles", [2, 8, 40])
class TestInterval:
    def compile(self, on, layers, tiles, *overrides):
        return compile_network(network([3, 24, 24], *layers), chip(on, f"tiles={tiles}", *overrides), 1)

    def bounds(self, made: Compiled) -> tuple[float, float]:
        """The largest over stages of firings × interval, and over layers of ceil(windows / copies) × interval."""
        stages = max(s.firings * s.interval.at(0) for s in made.program.stages)
        each = max(-(-layer.windows // made.copies[layer.name]) for layer in made.graph.matrix_layers)
        return stages, each * mvm_timing(made.board.chip.tile).interval_ps

    def test_with_links_and_units_unlimited_it_is_that_of_the_slowest_stage(self, on, layers, tiles):
        made = self.compile(on, layers, tiles, *free(on))
        stages, layer = self.bounds(made)
        assert interval(made) == pytest.approx(stages, rel=0.01)
        assert interval(made) == pytest.approx(layer, rel=0.03)

    def test_with_real_ones_it_is_never_below(self, on, layers, tiles):
        made = self.compile(on, layers, tiles)
        assert interval(made) >= self.bounds(made)[0] * (1 - 1e-3)


class TestBuffers:
    GRAPH = network([16, 20, 20], {"conv": 16, **CONV, "name": "a"}, {"conv": 16, **CONV, "name": "b"})

    def test_a_buffer_too_small_is_refused_with_the_demand_the_capacity_and_the_gap(self):
        with pytest.raises(CompileError) as caught:
            compile_network(self.GRAPH, chip("isaac-ce", "tile.components.buffer.capacity=1 KiB"), 1, "none")
        assert str(caught.value).startswith("tile ")
        assert "its buffer must hold " in str(caught.value)
        assert "it has 1.0 KiB" in str(caught.value)
        assert str(caught.value).endswith("too little. More chips, fewer copies or a larger buffer would help.")

    def test_the_least_that_a_tile_holds_is_its_line_buffer(self):
        """(k - 1) · W + k = 43 pixels of the 15 channels that 128 of the 144 rows read, 2 bytes each: 1290 B."""
        just = compile_network(self.GRAPH, chip("isaac-ce", "tile.components.buffer.capacity=1290 B"), 1, "none")
        check(just.program)
        compiled.run(just.for_images(2))
        with pytest.raises(CompileError) as caught:
            compile_network(self.GRAPH, chip("isaac-ce", "tile.components.buffer.capacity=1289 B"), 1, "none")
        assert "its buffer must hold 1.3 KiB (a 1.3 KiB), it has 1.3 KiB, 1 B too little." in str(caught.value)

    def test_unchecked_a_buffer_too_small_ends_in_a_deadlock(self):
        small = chip("isaac-ce", "tile.components.buffer.capacity=1 KiB")
        made = compile_network(self.GRAPH, small, 1, "none", check_buffers=False)
        with pytest.raises(DeadlockError, match=r"^deadlock"):
            compiled.run(made.program)


def test_two_compilations_give_equal_programs():
    graph = network([3, 12, 12], *RESNET)
    assert compile_network(graph, chip(), 1).program == compile_network(graph, chip(), 1).program


def test_a_program_of_several_images_differs_in_its_firings_only():
    made = compile_network(network([3, 8, 8], {"conv": 4, **CONV}), chip(), 1)
    three = made.for_images(3)
    assert [s.firings for s in three.stages] == [3 * s.firings for s in made.program.stages]
    assert (three.flows, three.links) == (made.program.flows, made.program.links)
    again = Program(three.stages, three.flows, three.links)
    assert all(np.array_equal(a, b) for a, b in zip(three.arrays, again.arrays, strict=True))


def test_an_operator_without_a_unit_is_refused_by_name():
    with pytest.raises(CompileError) as caught:
        compile_network(network([8], {"dense": 4}), chip("isaac-ce", "tile.units.relu=null"), 1)
    assert "needs the operator 'relu', for which tile 'isaac' has no unit" in str(caught.value)


def test_no_placement_is_tried_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[Placement, ...]] = []

    def recorded(*args: Any) -> Lowered:
        tried.append(tuple(args[3]))
        return lower(*args)

    monkeypatch.setattr(module, "lower", recorded)
    monkeypatch.setattr(module, "MUCH", 0)
    monkeypatch.setattr(module, "TRIES", 99)
    small = network([3, 8, 8], {"conv": 8} | CONV, {"maxpool": 2}, {"flatten": True}, {"dense": 10})
    compile_network(small, chip("isaac-ce", "tiles=8"), 1)
    assert 1 <= len(tried) == len(set(tried)) < 18  # of three buffer shares, three orders, and two strictnesses
