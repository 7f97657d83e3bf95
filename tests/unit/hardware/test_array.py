"""What is simulated in time is what is simulated in value."""

import math
from fractions import Fraction

import pytest

from archsim.errors import ArchsimError, NumericError
from archsim.hardware.array import array_config
from archsim.hardware.causes import latency_parts
from archsim.hardware.mvm import cells_per_weight, conversions_per_read, input_steps, mvm_timing, step_ps
from archsim.numeric.encode import planes
from archsim.spec.loader import load_tile

ISAAC = "core.components."


@pytest.mark.parametrize("scheme", ["offset", "flipped", "differential", "twos-complement"])
@pytest.mark.parametrize("cell_bits", [1, 2, 3, 5])
@pytest.mark.parametrize("bits", [2, 8, 16])
def test_a_weight_has_as_many_cells_in_time_as_in_value(scheme: str, cell_bits: int, bits: int) -> None:
    keys = [
        f"core.encoding.scheme={scheme}",
        f"{ISAAC}crossbar.cell_bits={cell_bits}",
        f"core.encoding.weight_bits={bits}",
    ]
    tile = load_tile("isaac", keys).model
    assert cells_per_weight(tile.core) == len(planes(array_config(tile).weights))


@pytest.mark.parametrize("scheme", [None, "unsigned", "twos-complement", "offset", "two-phase", "sign-magnitude"])
@pytest.mark.parametrize("dac_bits", [1, 2, 4])
@pytest.mark.parametrize("bits", [1, 8, 16])
def test_an_mvm_has_as_many_steps_in_time_as_in_value(scheme: str | None, dac_bits: int, bits: int) -> None:
    keys = [f"{ISAAC}dac.bits={dac_bits}", f"core.encoding.input_bits={bits}"]
    keys += [] if scheme is None else [f"core.encoding.inputs={scheme}"]
    tile = load_tile("isaac", keys).model
    assert input_steps(tile.core) == array_config(tile).inputs.steps


def test_pairs_subtracted_before_conversion_take_half_of_the_conversions() -> None:
    keys = ["core.encoding.scheme=differential", "core.encoding.unit_columns=0"]
    assert conversions_per_read(load_tile("isaac", keys).model.core) == 64
    assert conversions_per_read(load_tile("isaac", [*keys, "core.encoding.subtract=digital"]).model.core) == 128


def test_sums_that_are_accumulated_over_the_steps_are_converted_while_the_next_add_up() -> None:
    tile = load_tile("isaac", ["core.encoding.accumulate=steps"]).model
    assert array_config(tile).accumulate == "steps"
    assert conversions_per_read(tile.core) == Fraction(128, 16)
    assert step_ps(tile.core, tile.core.components["adc"]) == 6_250  # 8 x 8 conversions of 10.24 a ns
    timing, plain = mvm_timing(tile), mvm_timing(load_tile("isaac").model)
    assert timing.interval_ps == plain.interval_ps == 16 * 100_000
    assert timing.latency_ps == plain.latency_ps + 15 * 100_000  # the sums of all steps wait for the last
    assert sum(time for _, time in latency_parts(tile)) == timing.core_latency_ps


def test_accumulated_slices_of_a_weight_are_converted_together() -> None:
    keys = ["core.encoding.scheme=offset", "core.encoding.accumulate=steps-and-slices"]
    assert conversions_per_read(load_tile("isaac", keys).model.core) == Fraction(128, 8 * 16)
    keys.append("core.encoding.conversions_per_output=10")
    tile = load_tile("isaac", keys).model
    assert conversions_per_read(tile.core) == Fraction(10 * 128, 8 * 16)
    with pytest.raises(
        NumericError, match=r"^core.encoding.conversions_per_output: is simulated in time and energy and"
    ):
        array_config(tile)


def test_a_pulse_width_takes_as_many_unit_pulses_as_its_highest_digit() -> None:
    tile = load_tile("isaac", [f"{ISAAC}dac.bits=4", "core.encoding.drive=pulse-width"]).model
    assert step_ps(tile.core, tile.core.components["dac"]) == 15_000
    with pytest.raises(ArchsimError, match="inputs of pulse-width need the time of one unit pulse"):
        load_tile("isaac", ["core.encoding.drive=pulse-width", f"{ISAAC}dac.time=null"])


def test_every_key_of_the_array_reaches_the_core() -> None:
    keys = [
        "core.encoding.reference=digital",
        "core.encoding.slice_bits=[1,2,2,2,2,2,2,2,1]",
        f"{ISAAC}adc.range=calibrated",
        f"{ISAAC}adc.share=power-of-two",
        f"{ISAAC}adc.coverage=0.999",
        f"{ISAAC}adc.inl=0.5",
        f"{ISAAC}adc.dnl=0.25",
        f"{ISAAC}adc.noise=0.3",
        f"{ISAAC}dac.noise=0.1",
        "device.set={sigma: 0.05, levels: 4}",
        "device.tolerance=0.02",
        "device.read_voltage=0.3 V",
        "device.read_time=50 ns",
        "wires={wordline: 1.5 ohm, bitline: 2 ohm, left: 100 ohm, top: 50 ohm, block_rows: 64}",
    ]
    config = array_config(load_tile("isaac", keys).model)
    assert config.weights.widths == (1, 2, 2, 2, 2, 2, 2, 2, 1)
    assert (config.weights.reference, config.adc.range, config.adc.share) == ("digital", "calibrated", "power-of-two")
    assert (config.adc.coverage, config.adc.inl, config.adc.dnl, config.adc.noise) == (0.999, 0.5, 0.25, 0.3)
    assert (config.dac.noise, config.tolerance, config.tolerance_of) == (0.1, 0.02, "range")
    assert (config.read_voltage_v, config.read_time_s) == (0.3, pytest.approx(50e-9))
    assert (config.cell.levels, config.cell.g_max_s, config.cell.g_min_s) == (4, 5e-4, 5e-7)
    assert config.wires is not None
    wires = config.wires
    assert (wires.wordline_ohm, wires.bitline_ohm, wires.left_ohm, wires.right_ohm) == (1.5, 2.0, 100.0, math.inf)
    assert (wires.top_ohm, wires.bottom_ohm, wires.block_rows) == (50.0, math.inf, 64)


def test_lines_without_named_ends_are_driven_left_and_sensed_at_the_bottom() -> None:
    wires = array_config(load_tile("puma", ["wires={wordline: 1 ohm, bitline: 1 ohm}"]).model).wires
    assert wires is not None
    assert (wires.left_ohm, wires.bottom_ohm, wires.right_ohm, wires.top_ohm) == (0.0, 0.0, math.inf, math.inf)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["core.encoding.weight_bits=32"], "core.encoding.weight_bits: values are simulated for up to 16 bits, got 32"),
        (["device.model=rram-mylo"], "no device named 'rram-mylo'; did you mean 'rram-milo'?"),
        (["device.set={sgima: 0.1}"], "generic: nothing named 'sgima' can be set; did you mean 'sigma'?"),
        (["core.encoding.slice_bits=[2,2]"], "slice_bits must sum to at least 16 for 16-bit weights, got 4"),
        (["core.encoding.scheme=diferential"], "did you mean 'differential'?"),
    ],
)
def test_what_no_array_can_be_is_refused(keys: list[str], message: str) -> None:
    with pytest.raises(ArchsimError) as caught:
        array_config(load_tile("isaac", keys).model)
    assert message in str(caught.value)
