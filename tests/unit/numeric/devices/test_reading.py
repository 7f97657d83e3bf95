"""Read noise against the read time, and current against its derivative."""

from __future__ import annotations

import math

import numpy as np
import pytest

from archsim.numeric.devices import Device, device

SPAN = {"g_min_s": 0.0, "g_max_s": 100e-6}


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_shorter_read_is_noisier_by_the_wider_band_of_flicker_noise() -> None:
    cell, g = device("pcm-aihwkit"), np.array([25e-6])
    own, short = cell.read_sigma_s(g, g, 3600.0), cell.read_sigma_s(g, g, 3600.0, 25e-9)
    bands = [math.log((3620 + t) / (2 * t)) for t in (250e-9, 25e-9)]
    assert short / own == pytest.approx(math.sqrt(bands[1] / bands[0]))
    np.testing.assert_array_equal(cell.read_sigma_s(g, g, 3600.0, 250e-9), own)


def test_a_state_younger_than_the_read_has_no_flicker_noise() -> None:
    g = np.array([45e-6])
    assert device("rram-cmo").read_sigma_s(g, g, 0.0) == 0.0


@pytest.mark.parametrize(
    "cell", [device("rram-milo"), device("generic", **SPAN, sinh_v0=0.25), device("pcm-joshi")], ids=lambda d: d.name
)
def test_the_slope_is_the_derivative_of_the_current(cell: Device) -> None:
    g = np.linspace(cell.g_min_s, cell.g_max_s, 6)[:, None] + 1e-9
    v, h = np.linspace(-0.45, 0.45, 19), 1e-5
    numeric = (cell.current_a(g, v + h) - cell.current_a(g, v - h)) / (2 * h)
    np.testing.assert_allclose(cell.slope_s(g, v), numeric, rtol=1e-7, atol=1e-16)
    assert np.all(cell.slope_s(g, v) > 0)
    np.testing.assert_allclose(cell.slope_s(g, 0.0)[:, 0], g[:, 0], rtol=1e-12)
    np.testing.assert_array_equal(cell.current_a(g, 0.0), 0.0 * g)


def test_beyond_the_measured_range_a_cubic_cell_keeps_the_curve_of_the_limit_in_proportion() -> None:
    milo = device("rram-milo")
    assert milo.current_a(25e-6, 0.4) == pytest.approx(milo.current_a(50e-6, 0.4) / 2)
    assert milo.current_a(450e-6, 0.4) == pytest.approx(milo.current_a(225e-6, 0.4) * 2)
    assert milo.current_a(0.0, 0.4) == 0.0
