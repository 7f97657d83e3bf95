"""Stuck cells and temperature."""

from __future__ import annotations

import math

import numpy as np
import pytest

from archsim.numeric.devices import device

SPAN = {"g_min_s": 0.0, "g_max_s": 100e-6}


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_drift_is_faster_when_hot_if_retention_is_activated_and_not_else() -> None:
    kelvin, ev = 358.0, 0.6
    hot = device("pcm-aihwkit", retention_ev=ev, reference_k=298.0)
    target = np.full(100, 20e-6)
    factor = math.exp(ev / 8.617333262e-5 * (1 / 298 - 1 / kelvin))
    assert factor > 10
    np.testing.assert_allclose(
        hot.at(target, target, 60.0, kelvin, rng()), hot.at(target, target, 60.0 * factor, None, rng()), rtol=1e-12
    )
    np.testing.assert_array_equal(
        hot.at(target, target, 60.0, 298.0, rng()), device("pcm-aihwkit").at(target, target, 60.0, None, rng())
    )


def test_conduction_follows_temperature_as_set() -> None:
    g = np.array([20e-6])
    linear = device("generic", **SPAN, conductance_per_k=-0.002)
    assert linear.at(g, g, 0.0, 350.0, rng()) == pytest.approx(20e-6 * 0.9)
    activated = device("generic", **SPAN, conduction_ev=0.2, reference_k=300.0)
    expected = 20e-6 * math.exp(-0.2 / 8.617333262e-5 * (1 / 350 - 1 / 300))
    assert activated.at(g, g, 0.0, 350.0, rng()) == pytest.approx(expected)
    assert expected > g[0]


def test_stuck_cells_have_their_shares_and_masks_agree_with_conductances() -> None:
    cell = device("generic", g_min_s=1e-6, g_max_s=20e-6, stuck_on=0.02, stuck_off=0.05)
    cells = 200_000
    on, off = cell.stuck((400, 500), rng())
    for mask, share in ((on, 0.02), (off, 0.05)):
        assert mask.mean() == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / cells))
    assert not (on & off).any()
    g = cell.stuck_s((400, 500), rng())
    np.testing.assert_array_equal(g == 20e-6, on)
    np.testing.assert_array_equal(g == 1e-6, off)
    np.testing.assert_array_equal(np.isnan(g), ~(on | off))


def test_cells_stuck_within_the_range_are_spread_over_it_beside_the_others() -> None:
    cell = device("generic", g_min_s=1e-6, g_max_s=20e-6, stuck_on=0.1, stuck_within=0.9)
    g = cell.stuck_s((100_000,), rng())
    within = g[g != 20e-6]
    assert not np.isnan(g).any()
    assert within.size / g.size == pytest.approx(0.9, abs=0.01)
    assert within.mean() == pytest.approx(10.5e-6, rel=0.01)
    assert within.min() >= 1e-6


def test_stuck_cells_are_none_without_a_share() -> None:
    on, off = device("pcm-aihwkit").stuck((50, 50), rng())
    assert not on.any()
    assert not off.any()
