"""An ideal array returns the integer product, bit for bit, in every encoding and for every width."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.numeric.config import AdcConfig, ArrayConfig, InputCode, WeightCode
from archsim.numeric.matrix import program

BITS = st.integers(1, 16)


@st.composite
def weight_codes(draw: st.DrawFn) -> WeightCode:
    scheme = draw(st.sampled_from(["offset", "flipped", "differential", "twos-complement"]))
    cell_bits = draw(BITS)
    code = WeightCode(
        scheme=scheme,
        bits=draw(BITS),
        signed=draw(st.booleans()),
        cell_bits=cell_bits,
        subtract=draw(st.sampled_from(["analog", "digital"])),
        reference=draw(st.sampled_from(["column", "digital"])),
        unit_column=draw(st.booleans()),
    )
    if draw(st.booleans()):  # slices of widths of their own
        widths, need = [], code.magnitude_bits
        while sum(widths) < need:
            widths.append(draw(st.integers(1, cell_bits)))
        code = replace(code, slice_bits=tuple(widths))
    return code


@st.composite
def input_codes(draw: st.DrawFn) -> InputCode:
    scheme = draw(st.sampled_from(["unsigned", "twos-complement", "offset", "two-phase", "sign-magnitude"]))
    drive = draw(st.sampled_from(["amplitude", "pulse-width"]))
    return InputCode(scheme=scheme, bits=draw(BITS), dac_bits=draw(BITS), drive=drive)


@st.composite
def matrices(draw: st.DrawFn, rows: int, columns: int, low: int, high: int) -> np.ndarray:
    """Whole numbers over the range, with its ends often enough."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    ends = draw(st.sampled_from(["none", "some", "low", "high"]))
    if ends in ("low", "high"):
        return np.full((rows, columns), low if ends == "low" else high)
    values = rng.integers(low, high, (rows, columns), endpoint=True)
    return (
        np.where(rng.random(values.shape) < 0.2, rng.choice([low, high], values.shape), values)
        if ends == "some"
        else values
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[ArrayConfig, np.ndarray, np.ndarray]:
    weights, inputs = draw(weight_codes()), draw(input_codes())
    accumulate = draw(st.sampled_from(["none", "none", "steps", "slices", "steps-and-slices"]))
    if weights.scheme == "flipped" and "slices" in accumulate:
        accumulate = "none"
    config = ArrayConfig(
        rows=draw(st.integers(1, 40)),
        columns=64,
        weights=weights,
        inputs=inputs,
        slices=draw(st.sampled_from(["side-by-side", "array-each"])),
        accumulate=accumulate,
    )
    rows, columns = draw(st.integers(1, 70)), draw(st.integers(1, 9))
    w = draw(matrices(rows, columns, weights.low, weights.high))
    x = draw(matrices(draw(st.integers(1, 5)), rows, inputs.low, inputs.high))
    return config, w, x


@settings(max_examples=250, deadline=None)
@given(cases())
def test_without_converters_the_result_is_the_integer_product(case: tuple[ArrayConfig, np.ndarray, np.ndarray]) -> None:
    config, w, x = case
    np.testing.assert_array_equal(program(w, config, np.random.default_rng(0)).mvm(x), x @ w)


@settings(max_examples=150, deadline=None)
@given(cases(), st.sampled_from(["sar", "ramp", "flash", "oscillator"]))
def test_with_an_adc_of_enough_bits_the_result_is_the_integer_product(
    case: tuple[ArrayConfig, np.ndarray, np.ndarray], kind: str
) -> None:
    config, w, x = case
    matrix = program(w, config, np.random.default_rng(0))
    groups = [c.group for c in matrix._reader.conversions_of]
    most = max(max(g.high + 1, 2 * (max(g.high, -g.low) + 1) if g.low < 0 else 0) for g in groups)
    bits = int(np.ceil(np.log2(most))) + (1 if most <= 2 else 0)
    if bits > 16:
        return
    reading = replace(matrix, config=replace(config, adc=AdcConfig(bits=max(bits, 2), type=kind))).read(x)
    np.testing.assert_array_equal(reading.outputs, x @ w)
    assert reading.saturation_share == 0


@settings(max_examples=60, deadline=None)
@given(cases())
def test_no_sum_is_outside_of_what_the_worst_case_range_covers(
    case: tuple[ArrayConfig, np.ndarray, np.ndarray],
) -> None:
    config, w, x = case
    reader = program(w, config, np.random.default_rng(0))._reader
    bounds = {c.group.name: (c.group.low, c.group.high) for c in reader.conversions_of}

    def seen(name: str, sums: np.ndarray) -> None:
        assert bounds[name][0] <= sums.min()
        assert sums.max() <= bounds[name][1]

    reader.read(x, 0, seen)
