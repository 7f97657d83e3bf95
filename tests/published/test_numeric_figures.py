"""Figures of value: ISAAC and PUMA with their own converters, and a set-up that an established simulator was run on."""

import math

import numpy as np
import pytest

from archsim.hardware.array import array_config
from archsim.numeric.config import AdcConfig, ArrayConfig, InputCode, WeightCode
from archsim.numeric.devices import device
from archsim.numeric.matrix import program
from archsim.numeric.report import snr_db
from archsim.spec.loader import load_tile

RNG = np.random.default_rng


def uniform(config: ArrayConfig, rows: int, columns: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    rng = RNG(1)
    weights = rng.integers(config.weights.low, config.weights.high, (rows, columns), endpoint=True)
    return weights, rng.integers(config.inputs.low, config.inputs.high, (batch, rows), endpoint=True)


@pytest.mark.parametrize("weight", ["uniform", "lowest", "highest", "alternating"])
def test_isaacs_flipped_columns_make_eight_bits_enough(weight: str) -> None:
    """Shafiee et al., ISCA 2016: with the flip, 128 rows of 2-bit cells and 1-bit inputs need 8 bits and not 9."""
    config = array_config(load_tile("isaac").model)
    assert (config.adc.bits, config.weights.scheme) == (8, "flipped")
    w, x = uniform(config, 300, 20, 40)
    low, high = config.weights.low, config.weights.high
    w = {"uniform": w, "lowest": np.full_like(w, low), "highest": np.full_like(w, high)}.get(
        weight, np.where(w > 0, low, high)
    )
    x[:5] = -1  # every wordline on in every step: the largest sums that there are
    reading = program(w, config, RNG(0)).read(x)
    np.testing.assert_array_equal(reading.outputs, x @ w)
    assert reading.saturation_share == 0


def test_seven_bits_are_not_enough_for_isaac() -> None:
    config = array_config(load_tile("isaac", ["core.components.adc.bits=7"]).model)
    w, x = uniform(config, 128, 16, 40)
    assert not np.array_equal(program(w, config, RNG(0)).mvm(x), x @ w)


def test_pumas_biased_slices_need_nine_bits_and_lose_to_eight() -> None:
    """128 rows of cells up to 3 sum to 384: 8 bits have steps of 384/255 units, 9 bits one unit.

    The sums are whole numbers, and code × 384/255 is off by e.  For uniform weights and inputs the error of a
    conversion is close to independent between slices and steps: Σ = E[e²] Σ 16^s Σ 4^t, 23.7 dB for 128 rows.
    """
    config = array_config(load_tile("puma").model)
    assert (config.adc.bits, config.weights.scheme) == (8, "offset")
    w, x = uniform(config, 128, 64, 100)
    matrix = program(w, config, RNG(0))
    assert matrix._reader.conversions_of[0].group.high == 384
    product = (x @ w).astype(float)
    ours = snr_db(product, matrix.mvm(x))
    sums = np.arange(385)
    step = 384 / 255
    error = np.mean((np.floor(sums / step + 0.5) * step - sums) ** 2)
    power = error * sum(16.0**s for s in range(8)) * sum(4.0**t for t in range(16))
    derived = 10 * math.log10(np.square(product).mean() / power)
    assert ours == pytest.approx(derived, abs=0.5)
    assert ours == pytest.approx(23.7, abs=0.3)
    nine = array_config(load_tile("puma", ["core.components.adc.bits=9"]).model)
    np.testing.assert_array_equal(program(w, nine, RNG(0)).mvm(x), x @ w)


def test_with_steps_of_a_unit_puma_loses_only_sums_above_255() -> None:
    config = array_config(load_tile("puma", ["core.components.adc.range=fixed"]).model)
    w, x = uniform(config, 128, 16, 50)
    np.testing.assert_array_equal(program(w, config, RNG(0)).mvm(x), x @ w)
    x[:] = -1
    w[:] = config.weights.high
    reading = program(w, config, RNG(0)).read(x)
    assert reading.saturation_share > 0.8
    assert not np.array_equal(reading.outputs, x @ w)


def common_setup(rows: int, on_off: float | None, zero: str) -> ArrayConfig:
    g_max_s = 1e-3
    g_min_s = 0.0 if on_off is None else g_max_s / on_off
    return ArrayConfig(
        rows=rows,
        columns=4096,
        weights=WeightCode("differential", 16, cell_bits=2),
        inputs=InputCode("sign-magnitude", 8),
        adc=AdcConfig(8, zero=zero),  # type: ignore[arg-type]
        cell=device("generic", g_min_s=g_min_s, g_max_s=g_max_s, sigma=0.05),
    )


@pytest.mark.parametrize(("rows", "columns", "published"), [(128, 128, 21.3), (1152, 256, 13.4)])
@pytest.mark.parametrize(("on_off", "zero"), [(None, "between"), (10.0, "code"), (10.0, "between")])
def test_the_common_setup_comes_to_the_snr_of_an_established_simulator(
    rows: int, columns: int, published: float, on_off: float | None, zero: str
) -> None:
    """16-bit weights as eight 2-bit differential slices, 8-bit sign-magnitude inputs, an 8-bit ADC over ± rows × full
    scale, 5 % programming error: 21.3 dB at 128 × 128 and 13.4 dB at 1152 × 256 (CrossSim, measured).

    Two things that the set-up leaves open matter at 128 rows: whether a code of the ADC stands at 0, and the on/off
    ratio, whose off-state conductance has programming error too (CrossSim's default resistances: 1 and 10 kΩ).
    """
    config = common_setup(rows, on_off, zero)
    rng = RNG(0)
    w = rng.integers(-32767, 32768, (rows, min(columns, 64)))
    x = rng.integers(-127, 128, (64, rows))
    assert snr_db((x @ w).astype(float), program(w, config, rng).mvm(x)) == pytest.approx(published, abs=0.5)


def test_without_off_current_and_with_a_code_at_zero_the_common_setup_is_a_decibel_better() -> None:
    """Small sums, of which there are many at 128 rows, then round to 0 without error."""
    rng = RNG(0)
    w, x = rng.integers(-32767, 32768, (128, 64)), rng.integers(-127, 128, (64, 128))
    snr = snr_db((x @ w).astype(float), program(w, common_setup(128, None, "code"), rng).mvm(x))
    assert snr == pytest.approx(22.6, abs=0.3)


def test_programming_error_alone_has_the_power_that_follows_from_its_law() -> None:
    """Of 5 % of the value: 0.0025 Σ 16^s E[level²] over E[w²], with 15-bit magnitudes in eight 2-bit slices."""
    levels = np.abs(np.arange(-32767, 32768))
    power = sum(16.0**s * np.mean((levels >> 2 * s & 3) ** 2.0) for s in range(8))
    derived = 10 * math.log10(np.mean(levels.astype(float) ** 2) / (0.0025 * power))
    rng = RNG(0)
    w, x = rng.integers(-32767, 32768, (128, 64)), rng.integers(-127, 128, (64, 128))
    report = program(w, common_setup(128, None, "code"), rng).report(x)
    alone = {cause.effect: cause.snr_db for cause in report.causes}
    assert alone["programming"] == pytest.approx(derived, abs=0.3)
