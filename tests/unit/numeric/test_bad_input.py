"""What no array can hold is refused before anything is computed, with what was got and what would be right."""

from typing import Any

import numpy as np
import pytest

from archsim.errors import ArchsimError, NumericError
from archsim.numeric.config import AdcConfig, ArrayConfig, DacConfig, InputCode, WeightCode
from archsim.numeric.devices import device
from archsim.numeric.matrix import program

PLAIN = ArrayConfig()
NAN = np.array([[1.0, 2.0], [3.0, np.nan]])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (NAN, "weights: expected finite numbers, got nan at row 1, column 1"),
        (np.array([[np.inf]]), "weights: expected finite numbers, got inf at row 0, column 0"),
        (
            np.array([[0.5]]),
            "weights: expected whole numbers; scale and round them first, got 0.5 at row 0, column 0",
        ),
        (np.array([[128]]), "weights: expected whole numbers from -128 to 127, got 128 at row 0, column 0"),
        (np.zeros((0, 4)), "weights: expected at least one row and one column, got shape (0, 4)"),
        (np.zeros((3, 0)), "weights: expected at least one row and one column, got shape (3, 0)"),
        (np.zeros(4), "weights: expected 2 dimensions, got 1 (shape (4,))"),
        (np.array([["a"]]), "weights: expected numbers, got an array of <U1"),
    ],
)
def test_weights_that_are_no_weights_are_refused(weights: Any, message: str) -> None:
    with pytest.raises(NumericError) as caught:
        program(weights, PLAIN, np.random.default_rng(0))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((2, 3)), "inputs: the matrix has 4 rows, got inputs of 3 values"),
        (np.full((1, 4), -1), "inputs: expected whole numbers from 0 to 255, got -1 at row 0, column 0"),
        (np.full(4, np.nan), "inputs: expected finite numbers, got nan at row 0, column 0"),
        (np.zeros((0, 4)), "inputs: expected at least one row and one column, got shape (0, 4)"),
    ],
)
def test_inputs_that_are_no_inputs_are_refused(inputs: Any, message: str) -> None:
    matrix = program(np.ones((4, 2)), PLAIN, np.random.default_rng(0))
    with pytest.raises(NumericError) as caught:
        matrix.mvm(inputs)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WeightCode(bits=0), "weights.bits: expected a whole number of 1 to 16 bits, got 0"),
        (lambda: WeightCode(cell_bits=17), "weights.cell_bits: expected a whole number of 1 to 16 bits, got 17"),
        (
            lambda: WeightCode(scheme="ofset"),  # type: ignore[arg-type]
            "weights.scheme: expected one of offset, flipped, differential, twos-complement, got 'ofset'",
        ),
        (
            lambda: WeightCode(bits=8, slice_bits=(2, 2)),
            "weights.slice_bits: offset weights of 8 bits need 8 bits in slices, got 2+2 = 4",
        ),
        (
            lambda: WeightCode(bits=8, cell_bits=2, slice_bits=(4, 4)),
            "weights.slice_bits: expected a whole number of 1 to 2 bits, got 4",
        ),
        (lambda: InputCode(dac_bits=0), "inputs.dac_bits: expected a whole number of 1 to 16 bits, got 0"),
        (lambda: AdcConfig(bits=17), "adc.bits: expected a whole number of 1 to 16 bits, got 17"),
        (lambda: AdcConfig(bits=4, type="sense-amplifier"), "adc.bits: a sense amplifier has 1 bit, got 4"),
        (lambda: AdcConfig(noise=1.0), "adc.bits: a converter with inl, dnl or noise needs a number of bits, got None"),
        (lambda: AdcConfig(bits=4, coverage=0.0), "adc.coverage: expected above 0 and at most 1, got 0.0"),
        (
            lambda: AdcConfig(bits=4, full_scale=10.0),
            "adc.full_scale: expected above 0 and with range 'fixed', got 10.0 with 'worst-case'",
        ),
        (lambda: DacConfig(noise=-1.0), "dac.noise: expected at least 0, got -1.0"),
        (lambda: ArrayConfig(rows=0), "rows: expected 1 to 65536, got 0"),
        (lambda: ArrayConfig(read_voltage_v=0.0), "read_voltage_v: expected above 0, got 0.0"),
        (
            lambda: ArrayConfig(effects=frozenset({"gravity"})),  # type: ignore[arg-type]
            "effects: unknown gravity; there are adc, adc_linearity, adc_noise, dac, levels, nonlinear_iv, "
            "programming, read_noise, retention, stuck, temperature, wires",
        ),
        (
            lambda: ArrayConfig(weights=WeightCode("flipped"), accumulate="slices"),
            "accumulate: flipped columns are flipped slice by slice and cannot be added before that",
        ),
        (
            lambda: ArrayConfig(cell=device("generic", g_min_s=2e-4, g_max_s=1e-4)),
            "generic: g_min must be at least 0 and below g_max, got 200 µS and 100 µS",
        ),
        (
            lambda: ArrayConfig(cell=device("rram-milo", g_max_s=1e-3)),
            "rram-milo: the source holds from 50 µS to 225 µS, got a range of 50 µS to 1000 µS",
        ),
    ],
)
def test_an_array_that_cannot_be_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ArchsimError) as caught:
        make()
    assert str(caught.value) == message


def test_a_weight_of_more_cells_than_columns_is_refused() -> None:
    config = ArrayConfig(columns=3, weights=WeightCode(bits=8, cell_bits=2))
    with pytest.raises(NumericError, match=r"^columns: a weight takes 4 cells side by side, an array has 3 columns$"):
        program(np.ones((2, 2)), config, np.random.default_rng(0))


def test_converters_that_want_data_are_refused_without() -> None:
    matrix = program(np.ones((2, 2)), ArrayConfig(adc=AdcConfig(6, range="calibrated")), np.random.default_rng(0))
    with pytest.raises(NumericError, match=r"^adc.range: 'calibrated' needs data: call calibrate\(batch\) first$"):
        matrix.mvm([1, 1])


def test_times_and_temperatures_that_cannot_be_are_refused() -> None:
    matrix = program(np.ones((2, 2)), ArrayConfig(cell=device("rram-milo")), np.random.default_rng(0))
    with pytest.raises(NumericError, match=r"^time: expected seconds of at least 0, got -1.0$"):
        matrix.at(time=-1.0)
    with pytest.raises(NumericError, match=r"^temperature: expected kelvin above 0, got nan$"):
        matrix.at(temperature=float("nan"))
    with pytest.raises(NumericError, match=r"^time: the source of rram-milo gives no drift or retention"):
        matrix.at(time=1.0)
    with pytest.raises(
        NumericError, match=r"^temperature: the source of rram-milo gives no dependence on temperature$"
    ):
        matrix.at(temperature=350.0)


def test_amplitudes_of_many_bits_on_cells_that_are_not_linear_are_refused() -> None:
    cell = device("generic", g_min_s=0.0, g_max_s=1e-4, sinh_v0=0.1)
    matrix = program(np.ones((2, 2)), ArrayConfig(cell=cell, inputs=InputCode(dac_bits=8)), np.random.default_rng(0))
    with pytest.raises(NumericError, match="for amplitudes of up to 4 bits, got 8; drive pulse widths"):
        matrix.mvm([1, 1])
