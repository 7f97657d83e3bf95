"""Converters against plain NumPy: ranges, codes, edges, saturation, calibration."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archsim.numeric.config import AdcConfig, ArrayConfig, InputCode, WeightCode
from archsim.numeric.matrix import program
from archsim.numeric.quantise import Curve, bent, curve_of, edges_of

RNG = np.random.default_rng(7)
W = RNG.integers(0, 4, (60, 9))
X = RNG.integers(0, 2, (80, 60))
ONE_SUM = ArrayConfig(
    rows=60,
    columns=9,
    weights=WeightCode("twos-complement", 2, signed=False, cell_bits=2),
    inputs=InputCode("unsigned", 1),
)
"""One slice and one step: an output is the code of one sum."""


def read(adc: AdcConfig) -> tuple[np.ndarray, float]:
    reading = program(W, replace(ONE_SUM, adc=adc), np.random.default_rng(0)).read(X)
    return reading.outputs, reading.saturation_share


def test_a_range_for_the_worst_case_has_steps_of_no_less_than_a_unit() -> None:
    y = X @ W
    np.testing.assert_array_equal(read(AdcConfig(8))[0], y)
    step = 180 / 63
    np.testing.assert_allclose(read(AdcConfig(6))[0], np.floor(y / step + 0.5) * step)


def test_a_fixed_range_has_a_unit_a_code_and_saturation_is_counted() -> None:
    y = X @ W
    outputs, share = read(AdcConfig(5, range="fixed"))
    np.testing.assert_array_equal(outputs, np.minimum(y, 31))
    assert share == (y > 31).mean() > 0


def test_a_full_scale_may_be_given() -> None:
    outputs, share = read(AdcConfig(4, range="fixed", full_scale=45.0))
    np.testing.assert_allclose(outputs, np.clip(np.floor(X @ W / 3 + 0.5), 0, 15) * 3)
    assert share == (X @ W >= 46.5).mean()


@pytest.mark.parametrize("kind", ["oscillator", "time-to-digital", "integrate-and-fire"])
def test_an_oscillator_counts_whole_periods_a_delay_line_whole_delays_and_a_neuron_whole_spikes(kind: Any) -> None:
    outputs, _ = read(AdcConfig(4, range="fixed", full_scale=45.0, type=kind))
    np.testing.assert_allclose(outputs, np.clip(np.floor(X @ W / 3), 0, 15) * 3)


def test_a_sense_amplifier_tells_sums_above_half_of_its_range_from_those_below() -> None:
    outputs, _ = read(AdcConfig(1, range="fixed", full_scale=80.0, type="sense-amplifier"))
    np.testing.assert_array_equal(outputs, np.where(X @ W >= 40, 80.0, 0.0))


def test_a_signed_sense_amplifier_tells_signs_apart() -> None:
    config = replace(
        ONE_SUM,
        columns=18,
        weights=WeightCode("differential", 2, cell_bits=2),
        adc=AdcConfig(1, range="fixed", full_scale=10.0, type="sense-amplifier"),
    )
    w = np.random.default_rng(1).integers(-1, 2, (60, 9))
    outputs = program(w, config, np.random.default_rng(0)).mvm(X)
    np.testing.assert_array_equal(outputs, np.where(X @ w >= 0, 5.0, -5.0))


def test_a_signed_range_has_a_code_at_zero_or_is_cut_evenly() -> None:
    with_zero = curve_of(AdcConfig(4), -70.0, 70.0, fixed=False)
    assert (with_zero.step, with_zero.low, with_zero.top) == (10.0, -8, 15)
    evenly = curve_of(AdcConfig(4, zero="between"), -75.0, 75.0, fixed=False)
    assert (evenly.step, evenly.low, evenly.top) == (10.0, -7.5, 15)
    for curve in (with_zero, evenly):
        codes = np.floor(np.clip(np.array([-7.4, 7.4]) / curve.step + curve.shift, 0, curve.top)) + curve.low
        assert (codes * curve.step).tolist() == ([-10.0, 10.0] if curve is with_zero else [-5.0, 5.0])


@pytest.mark.parametrize("signed", [False, True])
def test_edges_keep_the_ends_the_middle_of_a_signed_range_and_their_order(signed: bool) -> None:
    curve = Curve(1.0, -128.0, 255, 128.5) if signed else Curve(1.0, 0.0, 255, 0.5)
    edges = edges_of(AdcConfig(8, inl=2.0, dnl=0.7), curve, np.random.default_rng(0))
    fixed = [0, 128, 255] if signed else [0, 255]
    np.testing.assert_allclose(edges[fixed], fixed, atol=1.5)  # order may move an edge by less than its neighbour
    assert (np.diff(edges) >= 0).all()
    smooth = edges_of(AdcConfig(8, inl=2.0), curve, np.random.default_rng(0)) - np.arange(256)
    assert smooth.max() == pytest.approx(2.0, abs=1e-3)
    assert smooth.min() == pytest.approx(-2.0 if signed else 0.0, abs=1e-3)


def test_a_code_begins_at_its_edge() -> None:
    adc = AdcConfig(5, range="fixed", inl=1.3, dnl=0.4)
    matrix = program(W, replace(ONE_SUM, adc=adc), np.random.default_rng(0))
    edges = matrix._reader.conversions_of[0].edges
    assert edges is not None
    expected = np.searchsorted(edges[1:], X @ W + 0.5, side="right")
    np.testing.assert_array_equal(matrix.mvm(X), expected)


def test_bent_is_the_transfer_curve_without_its_steps() -> None:
    curve = Curve(2.0, 0.0, 63, 0.5)
    edges = edges_of(AdcConfig(6, inl=1.5), curve, np.random.default_rng(0))
    sums = np.linspace(0, 120, 500)
    codes = np.searchsorted(edges[1:], sums / curve.step + curve.shift, side="right")
    assert np.abs(bent(sums, curve, edges) - codes * curve.step).max() <= curve.step * 0.6


def test_noise_of_the_converter_is_fresh_and_as_large_as_it_says() -> None:
    adc = AdcConfig(14, range="fixed", noise=5.0)
    matrix = program(W, replace(ONE_SUM, adc=adc), np.random.default_rng(0))
    reads = matrix.mvm(np.repeat(X[:1], 3000, axis=0))
    np.testing.assert_allclose(reads.std(0), np.hypot(5.0, np.sqrt(1 / 12)), rtol=0.06)
    np.testing.assert_allclose(reads.mean(0), X[0] @ W, atol=0.4)


SLICED = ArrayConfig(weights=WeightCode("offset", 8, cell_bits=2), inputs=InputCode("unsigned", 4))


@pytest.mark.parametrize("share", ["array", "slice", "power-of-two"])
def test_a_calibrated_range_covers_what_the_data_make(share: str) -> None:
    w = np.random.default_rng(0).integers(0, 20, (100, 20))
    x = np.random.default_rng(1).integers(0, 16, (50, 100))
    adc = AdcConfig(8, range="calibrated", share=share)  # type: ignore[arg-type]
    matrix = program(w, replace(SLICED, adc=adc), np.random.default_rng(0)).calibrate(x)
    assert matrix.read(x).saturation_share == 0
    ranges = np.array([high for _, high in matrix.ranges.values()])  # type: ignore[union-attr]
    if share == "array":
        assert len(set(ranges)) == 1
    elif share == "power-of-two":
        exponents = np.log2(ranges.max() / ranges)
        np.testing.assert_array_equal(exponents, np.rint(exponents))
    assert share == "array" or len(set(ranges)) > 1


def test_a_calibrated_range_leaves_out_the_share_that_it_may() -> None:
    w = np.random.default_rng(0).integers(-128, 128, (128, 30))
    x = np.random.default_rng(1).integers(0, 16, (100, 128))
    adc = AdcConfig(6, range="calibrated", share="slice", coverage=0.99)
    matrix = program(w, replace(SLICED, adc=adc), np.random.default_rng(0)).calibrate(x)
    assert 0.001 < matrix.read(x).saturation_share < 0.01


def test_steps_and_slices_added_before_conversion_are_converted_once() -> None:
    w = np.random.default_rng(0).integers(-128, 128, (50, 3))
    x = np.random.default_rng(1).integers(0, 16, (10, 50))
    conversions = {}
    for accumulate in ("none", "steps", "slices", "steps-and-slices"):
        config = replace(SLICED, accumulate=accumulate, adc=AdcConfig(16))
        reading = program(w, config, np.random.default_rng(0)).read(x)
        conversions[accumulate] = reading.conversions // (10 * 3)
        assert np.abs(reading.outputs - x @ w).max() <= 50 * 15 * 255 / 2**16 * 4**3 * 2
    assert conversions == {"none": 16, "steps": 4, "slices": 4, "steps-and-slices": 1}
