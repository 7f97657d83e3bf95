"""Whose time an MVM takes, and chips with one thing changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.hardware.causes import faster, group_parts, interval_parts, latency_parts, room_name
from archsim.hardware.mvm import mvm_timing
from archsim.noc.board import Board
from archsim.spec.loader import load_chip, load_tile
from archsim.spec.tile import Tile

NS = 1000
ALL_THREE = ("core.cycle", "core.adc", "core.shift_add")


def tile(name: str, *overrides: str) -> Tile:
    return load_tile(name, overrides).model


def test_isaacs_mvm_is_set_by_its_cycle_its_adcs_and_its_adders_alike() -> None:
    isaac = tile("isaac")
    assert interval_parts(isaac) == ((ALL_THREE, 1600 * NS),)
    assert dict(latency_parts(isaac)) == {
        ("core.cycle",): 100 * NS,
        ("core.cycle", "core.adc"): 100 * NS,
        ("core.cycle", "core.shift_add"): 100 * NS,
        ALL_THREE: 15 * 100 * NS,
    }


def test_a_slow_adc_sets_the_interval_alone() -> None:
    slow = tile("isaac", "core.components.adc.rate=0.64 GHz")
    assert interval_parts(slow) == ((("core.adc",), 3200 * NS),)
    assert dict(latency_parts(slow))["core.adc",] == (1 + 15) * 200 * NS


def test_a_fast_adc_leaves_it_to_the_others() -> None:
    assert interval_parts(tile("isaac", "core.components.adc.rate=2 GHz"))[0][0] == ("core.cycle", "core.shift_add")


def test_what_needs_longer_than_the_cycle_is_named_without_it() -> None:
    stretched = tile("isaac", "core.encoding.convert_unit_columns=true")
    assert interval_parts(stretched) == ((("core.adc", "core.shift_add"), 16 * 100_782),)


def test_rows_of_one_group_that_follow_each_other_share_its_time() -> None:
    slow = tile("puma", "core.components.crossbar.time=300 ns")
    group = slow.core.pipeline.steps[0]
    assert group_parts(slow, group, True) == ((("core.dac",), 1 * NS), (("core.crossbar",), 300 * NS))
    assert group_parts(slow, group, False) == ((("core.cycle",), 128 * NS),)


def test_without_overlap_an_mvm_gives_way_when_it_has_left_the_groups_after() -> None:
    apart = tile("isaac", "core.pipeline.overlap=false")
    assert dict(interval_parts(apart))["core.cycle",] == (1 + 3) * 100 * NS


@given(
    st.sampled_from(["isaac", "puma"]),
    st.booleans(),
    st.sampled_from(["0.2 GHz", "1.28 GHz", "5 GHz"]),
    st.sampled_from(["1 ns", "90 ns", "250 ns"]),
    st.sampled_from([1, 2, 16]),
)
def test_the_parts_add_up_to_the_times_of_the_mvm(name: str, overlap: bool, rate: str, dac: str, bits: int) -> None:
    rows = "core.components"
    sets = [f"{rows}.adc.rate={rate}", f"{rows}.dac.time={dac}", f"{rows}.dac.bits={bits}"]
    made = tile(name, *sets, f"core.pipeline.overlap={str(overlap).lower()}")
    timing = mvm_timing(made)
    assert sum(time for _, time in interval_parts(made)) == timing.core_interval_ps
    assert sum(time for _, time in latency_parts(made)) == timing.core_latency_ps


# -- chips with one thing changed -----------------------------------------------------------------


@pytest.mark.parametrize("chip", ["isaac-ce", "puma"])
def test_what_is_twice_as_fast_is_what_an_override_would_make(chip: str) -> None:
    before = load_chip(chip).model
    mvm_timing(before.tile)  # leaves times with the tile, which must not be taken over
    rate = float(before.tile.core.components["adc"].rate)  # type: ignore[attr-defined]
    cycle = float(before.tile.core.cycle) * 1e9
    link = float(before.components["hyper_transport"].bandwidth) / 8e9  # type: ignore[attr-defined]
    overrides = {
        "core.adc": [f"tile.core.components.adc.rate={2 * rate / 1e9} GHz"],
        "core.cycle": [f"tile.core.cycle={cycle / 2} ns"],
        "noc.bandwidth": ["noc.bandwidth=8 GB/s"],
        "chip.hyper_transport": [
            f"components.hyper_transport.bandwidth={2 * link} GB/s",
            "components.hyper_transport.latency=2.5 ns",
        ],
        room_name(before.tile): [f"tile.components.{before.tile.memory.buffer}.capacity=128 KiB"],
    }
    for name, sets in overrides.items():
        ours, theirs = faster(before, [name], 2), load_chip(chip, sets).model
        assert mvm_timing(ours.tile) == mvm_timing(theirs.tile)
        assert Board(ours, 2).models == Board(theirs, 2).models
        buffers = [c.tile.components[c.tile.memory.buffer].capacity.value for c in (ours, theirs)]  # type: ignore[attr-defined]
        assert buffers[0] == buffers[1]
        assert ours != before == load_chip(chip).model


def test_several_things_get_faster_together() -> None:
    isaac = load_chip("isaac-ce").model
    assert mvm_timing(faster(isaac, ["core.adc"], 2).tile).interval_ps == 1600 * NS
    assert mvm_timing(faster(isaac, ALL_THREE, 2).tile).interval_ps == 800 * NS


def test_what_takes_no_time_takes_the_least_there_is() -> None:
    isaac = load_chip("isaac-ce").model
    timing = mvm_timing(faster(isaac, ["core.cycle", "core.adc", "core.shift_add"], 10**12).tile)
    assert timing.steps_ps == (2 * NS, 3, 3)  # a DAC and a sample-and-hold circuit of 1 ns each; a ps for each row
    board = Board(faster(isaac, ["noc.bandwidth", "tile.router"], 10**12), 1)
    assert board.models["channel"].serialisation(10**6) == 1
    assert board.models["channel"].hop == 4  # three cycles in the router, one on the link
