"""The laws one by one, against independent ways to get the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from archsim.numeric.devices import Device, device
from archsim.numeric.devices.programming import Polynomial
from archsim.numeric.devices.retention import Snapshots

SPAN = {"g_min_s": 0.0, "g_max_s": 100e-6}
DAY = 86400.0


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def by_repetition(
    cell: Device, target_s: float, tolerance_s: float, most: int, cells: int
) -> tuple[np.ndarray, np.ndarray]:
    """Write-and-verify done the long way: draw until it fits."""
    generator, g, pulses = rng(11), np.zeros(cells), np.zeros(cells, np.int64)
    todo = np.arange(cells)
    for count in range(1, most + 1):
        g[todo] = cell.programmed(np.full(todo.size, target_s), generator).g_s
        pulses[todo] = count
        todo = todo[abs(g[todo] - target_s) > tolerance_s]
    return g, pulses


@pytest.mark.parametrize(
    ("settings", "target_us", "tolerance_us", "most"),
    [
        ({"sigma": 0.1}, 40, 1.0, 1000),
        ({"sigma": 0.1}, 40, 1.0, 3),
        ({"sigma": 0.1, "error": "lognormal"}, 40, 2.0, 1000),
        ({"sigma": 0.5, "error": "lognormal"}, 40, 2.0, 4),
        ({"sigma": 0.05, "sigma_of": "range"}, 3, 1.0, 1000),  # part of the errors is cut at zero, beyond the tolerance
        ({"sigma": 0.05, "sigma_of": "range"}, 3, 4.0, 1000),  # and within it
        ({"sigma": 0.05, "sigma_of": "range"}, 0, 2.0, 5),
    ],
)
def test_write_and_verify_in_closed_form_is_distributed_like_repetition(
    settings: dict[str, float | str], target_us: float, tolerance_us: float, most: int
) -> None:
    cell, cells = device("generic", **SPAN, **settings), 20_000
    target = np.full(cells, target_us * 1e-6)
    fast = cell.written(target, tolerance_us * 1e-6, rng(), of="siemens", max_pulses=most)
    g, pulses = by_repetition(cell, target_us * 1e-6, tolerance_us * 1e-6, most, cells)
    # A chance of 1e-4 that these fail by luck, if both are right; the seeds are fixed.
    assert ks_2samp(fast.g_s, g).pvalue > 1e-4
    assert ks_2samp(fast.pulses, pulses).pvalue > 1e-4
    np.testing.assert_array_equal(fast.failed, abs(fast.g_s - target) > tolerance_us * 1e-6 * (1 + 1e-12))
    missed = abs(g - target) > tolerance_us * 1e-6
    assert fast.failed.mean() == pytest.approx(missed.mean(), abs=5 * math.sqrt(0.5 / cells))


@given(st.floats(1e-3, 0.5), st.floats(1e-6, 1.0), st.integers(1, 50), st.sampled_from(["normal", "lognormal"]))
def test_a_written_cell_is_within_the_tolerance_or_given_up(
    sigma: float, tolerance: float, most: int, error: str
) -> None:
    cell = device("generic", **SPAN, sigma=sigma, error=error)
    target = np.linspace(1e-6, 100e-6, 50)
    written = cell.written(target, tolerance, rng(), max_pulses=most)
    off = abs(written.g_s - target)
    assert np.all(np.isfinite(written.g_s))
    assert np.all((off <= tolerance * target * (1 + 1e-9)) | written.failed)
    assert written.pulses is not None
    assert written.pulses.min() >= 1
    assert np.all(written.pulses[written.failed] == most)


def test_a_tolerance_of_the_range_is_a_share_of_the_range() -> None:
    cell = device("generic", **SPAN, sigma=0.2)
    target = np.full(2000, 50e-6)
    off = abs(cell.written(target, 0.03, rng(), of="range").g_s - target)
    assert 2.9e-6 < off.max() <= 3e-6 * (1 + 1e-12)


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


def test_a_spread_that_grows_is_added_to_the_error_that_is_there() -> None:
    cell, target = device("rram-wan-aihwkit"), np.full(50_000, 20e-6)
    on_target = cell.at(target, target, DAY, None, rng())
    now = 0.701 + 22.086 / 2 - 50.773 / 4 + 47.095 / 8 - 16.458 / 16
    before = 0.348 + 16.030 / 2 - 43.853 / 4 + 45.393 / 8 - 16.815 / 16
    assert now > before
    assert on_target.std() * 1e6 == pytest.approx(math.sqrt(now**2 - before**2), rel=5 / math.sqrt(2 * 50_000))
    off = cell.at(target + 1e-6, target, DAY, None, rng())
    np.testing.assert_allclose(off - on_target, 1e-6, atol=1e-15)


def test_a_spread_that_shrinks_takes_the_error_that_is_there_along() -> None:
    law = Snapshots((1.0, 2.0), (Polynomial((2.0,)), Polynomial((0.5,))))
    target = np.full(100, 20e-6)
    moved = law.after(target + 1e-6, target, 2.0, rng().standard_normal(100))
    np.testing.assert_allclose(moved, 20.25e-6, rtol=1e-12)


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
