"""What is read and converted in an MVM, where that is not every array in every step."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archsim.compile.builder import Work
from archsim.compile.slicing import parts_of, slice_layer, slot_shape
from archsim.compile.work import CoreWork
from archsim.errors import ArchsimError, NumericError
from archsim.hardware.array import array_config
from archsim.hardware.energy import actions_per_mvm
from archsim.hardware.mvm import (
    arrays_in_use,
    cells_per_weight,
    conversions_per_read,
    input_steps,
    mvm_timing,
    reading_share,
    step_ps,
)
from archsim.hardware.rollup import tile_rollup
from archsim.spec.loader import load_tile
from archsim.spec.tile import Core
from archsim.workload.build import load_graph

KARATSUBA = ["core.encoding.product=karatsuba", "core.encoding.scheme=offset"]


def core(name: str, *keys: str) -> Core:
    return load_tile(name, keys).model.core


# -- Karatsuba's products -----------------------------------------------------------------------


def test_two_products_of_halves_and_one_of_their_sums() -> None:
    """Newton: 4 + 4 slices of 2 bits in 8 steps, then 5 in 9: 13 arrays, 17 steps, 109 reads instead of 128."""
    newton = core("newton")
    assert (cells_per_weight(newton), input_steps(newton)) == (13, 17)
    assert reading_share(newton) == Fraction(8 * 8 + 5 * 9, 13 * 17)
    assert arrays_in_use(newton) == 13  # of 16
    adc, crossbar = newton.components["adc"], newton.components["crossbar"]
    assert actions_per_mvm(newton, crossbar) == 109
    assert actions_per_mvm(newton, newton.components["dac"]) == 109 * 128
    assert actions_per_mvm(newton, adc) == 109 * 128
    assert step_ps(newton, adc) == 100_000  # the 8 arrays that are read have an ADC each
    plain = core("newton", "core.encoding.product=whole")
    assert actions_per_mvm(plain, plain.components["adc"]) == 2 * 8 * 16 * 128  # 16 arrays hold two weights a column


@pytest.mark.parametrize("bits", [4, 8, 12, 16])
@pytest.mark.parametrize("cell_bits", [1, 2, 4])
def test_the_products_are_those_of_the_algebra(bits: int, cell_bits: int) -> None:
    """Low, high and summed halves, which give the product of the whole."""
    half = bits // 2
    low, high = 2**half - 1, 2**half - 2
    x, w = (high << half) + low, (low << half) + high
    parts = low * high, high * low, (low + high) * (high + low)
    assert parts[0] + ((parts[2] - parts[0] - parts[1]) << half) + (parts[1] << bits) == x * w
    tile = core("isaac", *KARATSUBA, f"core.encoding.weight_bits={bits}", f"core.encoding.input_bits={bits}",
                f"core.components.crossbar.cell_bits={cell_bits}")  # fmt: skip
    sums = -(-(2 * (2**half - 1)).bit_length() // cell_bits)
    assert cells_per_weight(tile) == 2 * -(-half // cell_bits) + sums
    assert input_steps(tile) == half + (2 * (2**half - 1)).bit_length()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["scheme=flipped"], "core.encoding.product: karatsuba needs the scheme 'offset'"),
        (["weight_bits=7"], "core.encoding.product: karatsuba needs an even number of bits of weights and inputs"),
        (["slice_bits=[8, 8]"], "core.encoding.product: karatsuba does not go with slice_bits"),
        (["accumulate=steps"], "core.encoding.product: karatsuba does not go with accumulate"),
        (["speculation={slices: 3, recovered: 0.1}"], "core.encoding.speculation: does not go with karatsuba"),
    ],
)
def test_what_karatsuba_does_not_go_with(keys: list[str], message: str) -> None:
    with pytest.raises(ArchsimError) as caught:
        load_tile("isaac", [*KARATSUBA, *(f"core.encoding.{key}" for key in keys)])
    assert message in str(caught.value)


# -- speculation --------------------------------------------------------------------------------


def test_tried_slices_are_converted_and_the_bits_of_the_columns_that_failed() -> None:
    raella = core("raella")
    assert input_steps(raella) == 3 + 8
    assert mvm_timing(load_tile("raella").model).interval_ps == 11 * 100_000
    adc, crossbar = raella.components["adc"], raella.components["crossbar"]
    assert actions_per_mvm(raella, crossbar) == 4 * 11
    converted = Fraction(3) + 8 * Fraction("0.045")
    assert actions_per_mvm(raella, adc) == 4 * 512 * converted
    assert step_ps(raella, adc) == 100_000  # in a step that is tried all columns are converted
    plain = core("raella", "core.encoding.speculation=null")
    assert actions_per_mvm(raella, adc) / actions_per_mvm(plain, adc) == Fraction("0.42")


@pytest.mark.parametrize(("share", "steps"), [(0, 3), (1, 11)])
def test_speculation_that_never_or_always_fails(share: int, steps: int) -> None:
    raella = core("raella", f"core.encoding.speculation.recovered={share}")
    assert actions_per_mvm(raella, raella.components["adc"]) == 4 * 512 * steps


def test_what_is_tried_before_changes_no_value() -> None:
    tried, plain = (array_config(load_tile("raella", keys).model) for keys in ([], ["core.encoding.speculation=null"]))
    assert tried == plain


# -- rows at once -------------------------------------------------------------------------------


def test_groups_of_rows_take_all_steps_again() -> None:
    forms, isaac = core("forms"), core("isaac", "core.encoding.rows_at_once=8")
    assert input_steps(forms) == input_steps(isaac) == 16 * 16
    assert mvm_timing(load_tile("forms").model).interval_ps == 256 * 15_240
    dac, adc = forms.components["dac"], forms.components["adc"]
    assert actions_per_mvm(forms, dac) == 1024 * 16  # a row is driven in the steps of its group
    assert actions_per_mvm(forms, adc) == 8 * 128 * 256
    assert input_steps(core("isaac", "core.encoding.rows_at_once=48")) == 16 * 3
    assert input_steps(core("isaac", "core.encoding.rows_at_once=500")) == 16


def test_sums_of_groups_of_rows_are_converted_one_by_one_in_value() -> None:
    assert array_config(load_tile("forms").model).rows == 8
    wired = ["core.encoding.rows_at_once=8", "wires={wordline: 1 ohm, bitline: 1 ohm, source: mine}"]
    with pytest.raises(NumericError, match=r"^core.encoding.rows_at_once: is simulated in value without wires"):
        array_config(load_tile("isaac", wired).model)


# -- what a run counts, and what has no value ----------------------------------------------------


DESIGNS = ("isaac", "puma", "newton", "raella", "forms", "pipelayer", "panther", "cascade", "prime")


@pytest.mark.parametrize("name", DESIGNS)
def test_a_run_counts_for_full_arrays_what_the_peak_does(name: str) -> None:
    tile = load_tile(name).model
    shape, work = slot_shape(tile), Work()
    layer = load_graph("mlp-l4")[0].matrix_layers[0]
    part = parts_of(slice_layer(layer, shape))[0]
    CoreWork(tile, work).count_mvm(part, windows=1)
    filled = part.rows_used / (part.count * shape.rows)
    for row_name, row in tile.core.components.items():
        if row.kind in ("crossbar", "adc", "sample-hold", "transimpedance", "analog-buffer", "dac"):
            counted = work.counts[f"core.{row_name}", row.unit_action] / part.count
            peak = float(actions_per_mvm(tile.core, row)) / shape.per_core
            share = filled if row.kind == "dac" else 1
            assert counted == pytest.approx(peak * share, rel=1e-9), row_name


@pytest.mark.parametrize(
    ("name", "key"),
    [("newton", "core.encoding.product"), ("cascade", "core.encoding.conversions_per_output"),
     ("prime", "core.components.adc.resolutions")],
)  # fmt: skip
def test_what_has_a_time_and_no_value_says_so(name: str, key: str) -> None:
    with pytest.raises(NumericError) as caught:
        array_config(load_tile(name).model)
    assert str(caught.value) == f"{key}: is simulated in time and energy and not in value; remove it to have values"


def test_resolutions_are_those_of_each_step_and_slice() -> None:
    with pytest.raises(ArchsimError) as caught:
        load_tile("prime", ["core.components.adc.resolutions=[[1, 2, 3]]"])
    assert "core.components.adc.resolutions: expected 2 input steps of 2 slices each, got 1 of 3" in str(caught.value)


def test_conversions_of_a_multiply_accumulate_follow() -> None:
    isaac = load_tile("isaac").model
    assert tile_rollup(isaac).conversions_per_mac == 1.0  # 8 slices, 16 bits, 128 rows
    assert conversions_per_read(isaac.core) == 128
    assert tile_rollup(load_tile("dadiannao").model).conversions_per_mac is None
