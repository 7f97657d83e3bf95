"""The timing of one MVM: ISAAC's 22 cycles, PUMA's 2304 ns, and what changes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.hardware.mvm import (
    MvmTiming,
    adc,
    cells_per_weight,
    conversions_per_read,
    crossbar,
    input_steps,
    mvm_timing,
)
from archsim.spec.loader import load_tile


def timing(name: str, *overrides: str) -> MvmTiming:
    return mvm_timing(load_tile(name, overrides).model)


def test_isaac_takes_22_cycles_of_100_ns_and_a_new_mvm_every_16() -> None:
    isaac = timing("isaac")
    assert isaac.before_ps == (100_000,)
    assert isaac.steps_ps == (100_000,) * 3
    assert isaac.after_ps == (100_000,) * 3
    assert isaac.steps == 16
    assert isaac.latency_ps == 22 * 100_000
    assert isaac.interval_ps == 16 * 100_000
    assert isaac.core_latency_ps == 18 * 100_000


def test_puma_takes_16_plus_3_minus_1_stages_of_128_ns() -> None:
    puma = timing("puma")
    assert puma.steps_ps == (128_000,) * 3
    assert puma.latency_ps == puma.core_latency_ps == 2_304_000
    assert puma.interval_ps == 2_304_000  # the next MVM waits until this one has left
    assert timing("puma", "core.pipeline.overlap=true").interval_ps == 2_048_000


def test_a_converted_unit_column_stretches_the_cycle_by_one_conversion_in_128() -> None:
    stretched = timing("isaac", "core.encoding.convert_unit_columns=true")
    assert stretched.steps_ps == (100_000, 100_782, 100_782)  # 129 conversions at 1.28 GSps, rounded up, and their adds
    assert stretched.interval_ps == 16 * 100_782
    assert stretched.latency_ps == 5 * 100_000 + 17 * 100_782


def test_a_slower_adc_stretches_its_group_and_a_faster_one_does_not_shrink_the_cycle() -> None:
    assert timing("isaac", "core.components.adc.rate=1.2 GHz").steps_ps[1] == 106_667
    assert timing("isaac", "core.components.adc.rate=2.56 GHz").steps_ps[1] == 100_000
    assert timing("isaac", "core.components.adc.count=4").steps_ps[1] == 200_000
    assert timing("isaac", "core.components.crossbar.count=16").steps_ps[1] == 200_000


def test_slower_shift_and_add_stretches_its_group() -> None:
    assert timing("isaac", "core.components.shift_add.rate=1.28 GHz").steps_ps == (100_000, 100_000, 200_000)


def test_the_times_of_the_members_of_a_group_add_up() -> None:
    names = ("dac.time=60 ns", "crossbar.time=30 ns", "sample_hold.time=20 ns")
    assert timing("isaac", *(f"core.components.{name}" for name in names)).steps_ps[0] == 110_000


@pytest.mark.parametrize(("bits", "steps"), [(1, 16), (2, 8), (3, 6), (4, 4), (8, 2), (16, 1)])
def test_wider_dacs_take_fewer_steps(bits: int, steps: int) -> None:
    tile = load_tile("isaac", [f"core.components.dac.bits={bits}"]).model
    assert input_steps(tile.core) == steps
    assert mvm_timing(tile).interval_ps == steps * 100_000


@pytest.mark.parametrize(("cell_bits", "cells"), [(1, 16), (2, 8), (3, 6), (4, 4), (16, 1)])
def test_a_weight_takes_its_bits_over_those_of_a_cell(cell_bits: int, cells: int) -> None:
    assert cells_per_weight(load_tile("isaac", [f"core.components.crossbar.cell_bits={cell_bits}"]).model.core) == cells


def test_unused_columns_are_converted_unless_the_encoding_says_otherwise() -> None:
    core = load_tile("isaac").model.core
    assert (conversions_per_read(core), conversions_per_read(core, 40)) == (128, 128)
    keys = ["core.encoding.convert_unused_columns=false", "core.encoding.convert_unit_columns=true"]
    core = load_tile("isaac", keys).model.core
    assert (conversions_per_read(core), conversions_per_read(core, 40)) == (129, 41)


def test_the_rows_that_set_the_timing_are_found_by_their_kind() -> None:
    core = load_tile("puma").model.core
    assert (crossbar(core).rows, adc(core).bits) == (128, 8)


durations = st.integers(1, 10**6)


@given(st.lists(durations, max_size=3), st.lists(durations, min_size=1, max_size=4), st.lists(durations, max_size=3),
       st.integers(1, 32), st.booleans())  # fmt: skip
def test_latency_and_interval_are_those_of_a_pipeline_that_is_played_through(
    before: list[int], steps: list[int], after: list[int], count: int, overlap: bool
) -> None:
    timing = MvmTiming(tuple(before), tuple(steps), tuple(after), count, overlap)
    free, start = [0] * len(steps), sum(before)
    for _ in range(count):  # each step enters a group when the group and the group before have done
        time = start
        for group, duration in enumerate(steps):
            time = max(time, free[group]) + duration
            free[group] = time
    assert timing.latency_ps == time + sum(after)
    assert timing.core_latency_ps == timing.latency_ps - sum(before) - sum(after)
    if overlap:
        assert timing.interval_ps == max([count * max(steps), *before, *after])
    else:
        assert timing.interval_ps == timing.latency_ps
