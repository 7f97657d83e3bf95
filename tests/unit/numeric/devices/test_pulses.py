"""Cells that are moved pulse by pulse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from archsim.numeric.devices import device
from archsim.numeric.devices.pulses import LinearStep


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


ELECTROCHEMICAL = device("ecram-tang", g_min_s=10e-6, g_max_s=50e-6)


def test_electrochemical_cells_are_moved_until_they_are_within_the_tolerance() -> None:
    target = np.linspace(11e-6, 49e-6, 200)
    written = ELECTROCHEMICAL.written(target, 0.01, rng())
    assert np.all(abs(written.g_s / target - 1) <= 0.01)
    assert not written.failed.any()
    assert written.pulses is not None
    expected = ELECTROCHEMICAL.programmed(target, rng()).pulses
    # Mean cells take as many pulses as it takes to count up, within the tolerance and the tenth by which steps scatter.
    assert np.median(written.pulses[100:] / expected[100:]) == pytest.approx(1.0, abs=0.05)


def test_electrochemical_cells_that_overshoot_are_moved_back() -> None:
    coarse = device("ecram-lista", steps=10, step_noise=0.8)
    target = np.full(500, 1.5e-6)
    written = coarse.written(target, 0.03, rng())
    assert not written.failed.any()
    assert written.pulses is not None
    assert written.pulses.max() > 10  # as far as the whole range: some went back and forth


def test_a_step_down_grows_away_from_the_lower_bound_by_its_own_slope() -> None:
    # From -1 by halves to 0.5, which is 0.1 too far; down by 0.5 (1 + 0.5 / 2) to -0.125, and up to 0.375.
    law = LinearStep(0.5, -1.0, 1.0, 0.0, 0.5, 0.0, 0.0, g_min_s=0.0, g_max_s=2e-6)
    outcome = law.verified(np.array([1.4e-6]), np.array([0.06e-6]), 100, rng())
    assert outcome.g_s == pytest.approx(1.375e-6)
    assert outcome.pulses == [5]


def test_electrochemical_cells_without_scatter_fail_where_no_step_leads() -> None:
    even = device("ecram-lista", steps=7)
    g = 0.8e-6 + np.array([0, 1, 2.5, 7]) * 0.2e-6
    written = even.written(g, 1e-9, rng(), of="siemens", max_pulses=100)
    assert written.failed.tolist() == [False, False, True, False]
    assert written.pulses.tolist() == [0, 1, 100, 7]  # type: ignore[union-attr]
    assert even.programming_sigma_s(g) == pytest.approx(0)


def test_even_steps_with_scatter_add_up_to_a_random_walk() -> None:
    cell, n = device("ecram-lista", steps=1000, step_noise=0.5), 400
    target = np.full(20_000, 0.8e-6 + n * 1.4e-9)
    got = cell.programmed(target, rng())
    assert np.all(got.pulses == n)
    sigma = 1.4e-9 * 0.5 * math.sqrt(n)
    assert cell.programming_sigma_s(target[:1]) == pytest.approx(sigma)
    assert got.g_s.mean() == pytest.approx(target[0], abs=5 * sigma / math.sqrt(20_000))
    assert got.g_s.std() == pytest.approx(sigma, rel=5 / math.sqrt(2 * 20_000))
