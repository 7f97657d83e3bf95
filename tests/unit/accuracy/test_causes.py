"""What is changed of a tile changes the outcome in the direction that theory says."""

from __future__ import annotations

import numpy as np
import pytest

from archsim import library
from archsim.accuracy.analog import Moment
from archsim.accuracy.evaluate import Job, evaluate

DEVICE = "{model: generic, r_on: 2 kohm, r_off: 2 Mohm, set: %s}"

NO_ADC = frozenset({"adc"})


def snr(chip="puma", *overrides: str, images: int = 60, seeds: int = 1, **more) -> float:
    """Mean over layers and seeds of the SNR in dB; 200 for exact ones."""
    path = str(library.trained()["digits-mlp"])
    found = [
        200.0 if layer.snr_db is None else layer.snr_db
        for seed in range(seeds)
        for layer in evaluate(Job(path, "digits", chip, overrides, images=images, seed=seed, **more)).layers
    ]
    return float(np.mean(found))


def device(**settings) -> str:
    return "tile.device=" + DEVICE % str(settings).replace("'", "")


def test_a_bit_more_of_the_adc_halves_its_step_and_gains_six_decibels():
    found = [snr("puma", f"tile.core.components.adc.bits={bits}") for bits in (5, 6, 7, 8)]
    gains = np.diff(found)
    assert (gains > 3).all()
    assert np.mean(gains) == pytest.approx(6.02, abs=1.5)


def test_an_adc_of_enough_bits_is_exact():
    assert snr("puma", "tile.core.components.adc.bits=9") == 200.0


def test_twice_the_programming_error_costs_six_decibels():
    one, two, four = (snr("puma", device(sigma=s), without=NO_ADC, seeds=4) for s in (0.01, 0.02, 0.04))
    assert one - two == pytest.approx(6.02, abs=0.5)
    assert two - four == pytest.approx(6.02, abs=0.5)


def test_more_stuck_cells_cost_more():
    found = [snr("puma", device(stuck_off=s), seeds=4) for s in (0.001, 0.01, 0.1)]
    assert found == sorted(found, reverse=True)


def test_more_bits_in_a_cell_with_errors_of_its_range_cost_more():
    """The highest slice of k bits counts most, and its error is σ (2^k - 1) 2^(16-k) steps of the weight."""
    error = device(sigma=0.02, sigma_of="range")
    key = "tile.core.components.crossbar.cell_bits"
    found = [snr("puma", error, f"{key}={bits}", without=NO_ADC, seeds=3) for bits in (1, 2, 4)]
    assert found[0] - found[1] > 1
    assert found[1] - found[2] > 1


def test_more_rows_ask_more_of_a_converter_of_the_same_bits():
    """The range of worst case grows with the rows, and so does the step."""
    found = [snr("puma", f"tile.core.components.crossbar.rows={rows}", images=40) for rows in (64, 128, 256, 512)]
    assert found == sorted(found, reverse=True)
    assert found[1] - found[2] == pytest.approx(6.02, abs=2)


def test_larger_arrays_lose_more_to_their_wires():
    wires = "tile.wires={wordline: 2 ohm, bitline: 2 ohm}"

    def of(size: int) -> float:
        sizes = [f"tile.core.components.crossbar.{key}={size}" for key in ("rows", "columns")]
        return snr("puma", wires, *sizes, images=20, without=NO_ADC)

    found = [of(size) for size in (32, 64, 128)]
    assert found == sorted(found, reverse=True)
    assert found[0] - found[2] > 3


def test_a_better_device_is_better():
    devices = [f"tile.device={{model: rram-cmo, set: {{acceptance: {a}}}}}" for a in (0.02, 0.002)]
    loose, tight = (snr("puma", own, without=NO_ADC) for own in devices)
    assert tight > loose + 10


def test_drift_costs_more_with_time():
    found = [snr("pcm-like", moment=Moment(seconds)) for seconds in (0.0, 3600.0, 86400.0 * 365)]
    assert found == sorted(found, reverse=True)
    assert found[0] - found[2] > 6


def test_temperature_moves_conductances_away_from_what_was_programmed():
    warm = device(conductance_per_k=0.002)
    found = [snr("puma", warm, without=NO_ADC, moment=Moment(kelvin=kelvin)) for kelvin in (301.0, 310.0, 350.0)]
    assert found == sorted(found, reverse=True)


def test_a_calibrated_range_is_better_than_that_of_the_worst_case():
    bits = "tile.core.components.adc.bits=6"
    worst, calibrated = snr("puma", bits), snr("puma", bits, "tile.core.components.adc.range=calibrated")
    assert calibrated > worst + 6
    assert snr("puma", bits, calibrated=True) == calibrated
