"""A programmed matrix: the same bytes however it is read, fresh noise, and each effect by itself."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from archsim.numeric.config import EFFECTS, AdcConfig, ArrayConfig, DacConfig, Effect, InputCode, WeightCode
from archsim.numeric.devices import device
from archsim.numeric.matrix import ProgrammedMatrix, program
from archsim.numeric.report import active
from archsim.numeric.wires import Wires

RNG = np.random.default_rng(5)
W = RNG.integers(-128, 128, (50, 7))
X = RNG.integers(-127, 128, (25, 50))

NOISY = device(
    "generic",
    g_min_s=2e-6,
    g_max_s=50e-6,
    sigma=0.03,
    read_sigma=0.02,
    nu=0.05,
    nu_std=0.01,
    stuck_on=0.01,
    levels=5,
    sinh_v0=0.5,
    reference_k=300.0,
    conductance_per_k=1e-3,
)
ALL = ArrayConfig(
    rows=32,
    columns=24,
    weights=WeightCode(scheme="differential", bits=8, cell_bits=3),
    inputs=InputCode(scheme="sign-magnitude", bits=8, dac_bits=2),
    adc=AdcConfig(bits=8, inl=0.7, dnl=0.2, noise=0.4),
    dac=DacConfig(inl=0.1, noise=0.02),
    cell=NOISY,
    wires=Wires(wordline_ohm=2.0, bitline_ohm=2.0, left_ohm=100.0, bottom_ohm=50.0),
)


def made(config: ArrayConfig, seed: int = 1) -> ProgrammedMatrix:
    return program(W, config, np.random.default_rng(seed)).at(time=1000.0, temperature=330.0)


def test_every_effect_takes_part_in_the_full_configuration() -> None:
    assert set(active(ALL, 1000.0, 330.0)) == EFFECTS


@pytest.mark.parametrize("effect", sorted(EFFECTS))
def test_an_effect_alone_changes_the_output(effect: Effect) -> None:
    outputs = made(replace(ALL, effects=frozenset({effect}))).mvm(X)
    error = np.abs(outputs - X @ W).mean() / np.abs(X @ W).mean()
    assert 1e-4 < error < 1.5, error


def test_with_all_effects_off_the_output_is_the_product() -> None:
    np.testing.assert_array_equal(made(replace(ALL, effects=frozenset())).mvm(X), X @ W)


ABSENT: dict[Effect, dict[str, Any]] = {
    "levels": {"cell": {"levels": None}},
    "programming": {"cell": {"programming": device("generic", g_min_s=0.0, g_max_s=1e-4).programming}},
    "stuck": {"cell": {"stuck_cells": device("generic", g_min_s=0.0, g_max_s=1e-4).stuck_cells}},
    "retention": {"cell": {"retention": device("generic", g_min_s=0.0, g_max_s=1e-4).retention}},
    "read_noise": {"cell": {"read_noise": device("generic", g_min_s=0.0, g_max_s=1e-4).read_noise}},
    "nonlinear_iv": {"cell": {"current": device("generic", g_min_s=0.0, g_max_s=1e-4).current}},
    "wires": {"wires": None},
    "dac": {"dac": DacConfig()},
    "adc": {"adc": AdcConfig()},
    "adc_linearity": {"adc": AdcConfig(bits=8, noise=0.4)},
    "adc_noise": {"adc": AdcConfig(bits=8, inl=0.7, dnl=0.2)},
}
"""Configurations in which an effect has no cause, rather than being switched off."""


def without(effect: Effect) -> ArrayConfig:
    change = dict(ABSENT[effect])
    if "cell" in change:
        change["cell"] = replace(NOISY, **change["cell"])
    return replace(ALL, **change)


@pytest.mark.parametrize("effect", sorted(set(ABSENT) - {"adc"}))
def test_an_effect_that_is_off_changes_nothing(effect: Effect) -> None:
    """All others on: switched off, the output is that of an array that does not have the effect at all, bit for bit."""
    off = made(replace(ALL, effects=EFFECTS - {effect})).mvm(X)
    np.testing.assert_array_equal(off, made(without(effect)).mvm(X))
    assert not np.array_equal(off, made(ALL).mvm(X))


def test_temperature_that_is_off_changes_nothing() -> None:
    off = replace(ALL, effects=EFFECTS - {"temperature"})
    hot = program(W, off, np.random.default_rng(1)).at(time=1000.0, temperature=330.0).mvm(X)
    np.testing.assert_array_equal(hot, program(W, off, np.random.default_rng(1)).at(time=1000.0).mvm(X))


def test_the_adc_that_is_off_changes_nothing() -> None:
    bare = replace(ALL, adc=AdcConfig())
    off = replace(ALL, effects=EFFECTS - {"adc", "adc_linearity", "adc_noise"})
    np.testing.assert_array_equal(made(off).mvm(X), made(bare).mvm(X))


@pytest.mark.parametrize("chunks", [3, 24])
def test_the_bytes_do_not_depend_on_how_a_batch_is_cut(chunks: int) -> None:
    whole = made(ALL).mvm(X)
    matrix = made(ALL)
    parts = [matrix.mvm(part) for part in np.array_split(X, chunks)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_the_bytes_do_not_depend_on_the_size_of_the_pieces_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made(ALL).mvm(X)
    monkeypatch.setattr("archsim.numeric.reader.ROWS_AT_ONCE", 20)
    monkeypatch.setattr("archsim.numeric.reader.PANEL", 1)
    assert made(ALL).mvm(X).tobytes() == whole.tobytes()


def test_another_order_of_summation_gives_the_same_bytes() -> None:
    """The rows in another order, as another library or another number of threads would add them."""
    block = made(replace(ALL, effects=EFFECTS - {"dac"}))._reader.blocks[0]
    values = np.random.default_rng(0).integers(-3, 4, (50, block.matrix.values.shape[0])).astype(block.matrix.dtype)
    order = np.random.default_rng(1).permutation(block.matrix.values.shape[0])
    exact = values.astype(np.float64) @ block.matrix.values.astype(np.float64)
    assert block.matrix.dtype is np.float32
    np.testing.assert_array_equal(values @ block.matrix.values, exact)
    np.testing.assert_array_equal(values[:, order] @ block.matrix.values[order], exact)


def test_the_same_seed_gives_the_same_matrix_and_another_seed_another() -> None:
    assert made(ALL, 3).mvm(X).tobytes() == made(ALL, 3).mvm(X).tobytes()
    assert made(ALL, 3).mvm(X).tobytes() != made(ALL, 4).mvm(X).tobytes()


def test_read_noise_is_fresh_for_every_read() -> None:
    matrix = made(replace(ALL, effects=frozenset({"read_noise"})))
    again = np.concatenate([matrix.mvm(X[:1]) for _ in range(30)] + [matrix.mvm(np.repeat(X[:1], 30, axis=0))])
    assert len(np.unique(again[:, 0])) == 60


def test_a_later_state_reads_on_from_where_the_first_stopped() -> None:
    matrix = program(W, replace(ALL, effects=frozenset({"read_noise"})), np.random.default_rng(1))
    first = matrix.mvm(X[:1])
    assert not np.array_equal(first, matrix.at(time=0.0).mvm(X[:1]))
    np.testing.assert_array_equal(first, matrix.mvm(X[:1], first=0))


def test_noise_referred_to_the_output_is_distributed_as_that_of_resampled_cells() -> None:
    """4,000 reads of one input against 4,000 reads of freshly disturbed cells, output by output."""
    cell = replace(device("generic", g_min_s=0.0, g_max_s=1e-4, read_sigma=0.1))
    config = ArrayConfig(
        rows=40, columns=64, weights=WeightCode("offset", 4, cell_bits=2), inputs=InputCode("unsigned", 3, 2), cell=cell
    )
    rng = np.random.default_rng(2)
    w, x = rng.integers(-8, 8, (40, 5)), rng.integers(0, 8, 40)
    matrix = program(w, config, rng)
    ours = matrix.mvm(np.repeat(x[None], 4000, axis=0))
    stored = w + 8
    steps = [(x & 3, 1), (x >> 2, 4)]
    resampled = np.full((4000, 5), -8.0 * x.sum())
    for value, count in steps:
        for shift in (0, 2):
            level = (stored >> shift) & 3
            g = level * (1 + 0.1 * rng.standard_normal((4000, 40, 5)))
            resampled += count * 2**shift * np.einsum("r,nrm->nm", value, g)
    np.testing.assert_allclose(ours.mean(0), resampled.mean(0), atol=5 * resampled.std() / 60)
    np.testing.assert_allclose(ours.std(0), resampled.std(0), rtol=0.06)
    for column in range(5):
        assert stats.ks_2samp(ours[:, column], resampled[:, column]).pvalue > 1e-3


def test_of_pulse_widths_the_variance_grows_with_the_pulses_and_not_with_their_square() -> None:
    cell = device("generic", g_min_s=0.0, g_max_s=1e-4, read_sigma=0.05)
    spread = {}
    for drive in ("amplitude", "pulse-width"):
        config = ArrayConfig(
            weights=WeightCode("offset", 2, signed=False, cell_bits=2),
            inputs=InputCode("unsigned", 4, 4, drive),
            cell=cell,
        )
        outputs = program(np.full((50, 1), 3), config, np.random.default_rng(0)).mvm(np.full((4000, 50), 9))
        spread[drive] = outputs.std()
    assert spread["amplitude"] / spread["pulse-width"] == pytest.approx(3.0, rel=0.08)


def test_wires_are_those_of_the_transfer_matrix() -> None:
    """One plane, no more columns than an array has: the sums are v @ T."""
    from archsim.numeric.wires import transfer_matrix

    wires = Wires(wordline_ohm=5.0, bitline_ohm=3.0)
    cell = device("generic", g_min_s=0.0, g_max_s=1e-4)
    code = WeightCode("twos-complement", 2, signed=False, cell_bits=2, reference="digital")
    config = ArrayConfig(rows=16, columns=10, weights=code, inputs=InputCode("unsigned", 1), cell=cell, wires=wires)
    w, x = np.random.default_rng(3).integers(0, 4, (16, 10)), np.random.default_rng(4).integers(0, 2, (20, 16))
    expected = x @ transfer_matrix(w / 3e4, wires) * 3e4
    np.testing.assert_allclose(program(w, config, np.random.default_rng(0)).mvm(x), expected, rtol=1e-5)


def test_current_that_is_not_linear_is_that_of_every_amplitude() -> None:
    cell = device("generic", g_min_s=0.0, g_max_s=1e-4, sinh_v0=0.1)
    config = ArrayConfig(
        weights=WeightCode("twos-complement", 3, signed=False, cell_bits=3),
        inputs=InputCode("unsigned", 2, 2),
        cell=cell,
    )
    w, x = np.random.default_rng(3).integers(0, 8, (30, 4)), np.random.default_rng(4).integers(0, 4, (20, 30))
    volts = x * 0.2 / 3
    current = cell.current_a((w / 7 * 1e-4)[None], volts[:, :, None]).sum(axis=1)
    expected = current / (0.2 / 3 * 1e-4 / 7)
    np.testing.assert_allclose(program(w, config, np.random.default_rng(0)).mvm(x), expected, rtol=1e-4)


def test_the_report_adds_up_the_error_of_independent_causes() -> None:
    report = made(replace(ALL, effects=frozenset({"programming", "read_noise", "adc"}))).report(X)
    assert [cause.effect for cause in report.causes] == ["programming", "read_noise", "adc"]
    assert sum(cause.share for cause in report.causes if cause.share) == pytest.approx(1.0, abs=0.25)
    assert report.snr_db == pytest.approx(20 * np.log10(report.product_rms / report.error_rms))
    assert report.programming["pulses"] == report.programming["cells"]


def test_write_and_verify_narrows_the_error_and_counts_its_pulses() -> None:
    cell = device("generic", g_min_s=2e-6, g_max_s=50e-6, sigma=0.1, pulse_s=1e-7, pulse_v=1.5, endurance=4)
    config = replace(ALL, cell=cell, effects=frozenset({"programming"}))
    once = program(W, config, np.random.default_rng(1)).report(X)
    verified = program(W, replace(config, tolerance=0.02), np.random.default_rng(1)).report(X)
    assert verified.snr_db > once.snr_db + 6
    assert verified.programming["pulses"] > 3 * once.programming["pulses"]
    assert verified.programming["seconds"] == pytest.approx(verified.programming["pulses"] * 1e-7)
    assert once.programming["worn"] == 0 < verified.programming["worn"]
    assert verified.programming["energy_j"] > 3 * once.programming["energy_j"]
