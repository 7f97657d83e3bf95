"""The statistics of every device over a million cells, held to closed forms and to figures worked out from the sources.

The formulas of the sources are written out again here, in µS, apart from the library.  Tolerances are five standard
errors of the estimator: sigma / sqrt(n) for a mean, sqrt((m4 - sigma^4) / n) / (2 sigma) for a standard deviation, with
the fourth central moment m4 of the sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from archsim.numeric.devices import Device, device

CELLS = 1_000_000
HOUR, DAY, YEAR = 3600.0, 86400.0, 365 * 86400.0
ROUNDED = 0.5e-4
"""Half a unit of the last of four printed decimals."""


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def agrees(samples: NDArray[np.float64], mean: float, sigma: float, slack: float = 0.0) -> None:
    n, about = samples.size, samples - samples.mean()
    got = math.sqrt(float(np.mean(about**2)))
    assert samples.mean() == pytest.approx(mean, rel=0, abs=5 * sigma / math.sqrt(n) + slack)
    fourth = float(np.mean(about**4))
    error = math.sqrt((fourth - got**4) / n) / (2 * got)
    assert got == pytest.approx(sigma, rel=0, abs=5 * error + slack)


def phi(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def cut_at_zero(mean: float, sigma: float) -> tuple[float, float]:
    """Mean and sigma of max(0, g), g normal."""
    a = mean / sigma
    first = mean * ndtr(a) + sigma * phi(a)
    second = (mean**2 + sigma**2) * ndtr(a) + mean * sigma * phi(a)
    return first, math.sqrt(second - first**2)


def kept_within(mean: float, sigma: float, low: float, high: float) -> tuple[float, float]:
    """Mean and sigma of a normal g whose values outside of [low, high] are moved onto the limits."""
    a, b = (low - mean) / sigma, (high - mean) / sigma
    inside, below, above = ndtr(b) - ndtr(a), ndtr(a), ndtr(-b)
    first = mean * inside + sigma * (phi(a) - phi(b)) + low * below + high * above
    second = (mean**2 + sigma**2) * inside + 2 * mean * sigma * (phi(a) - phi(b))
    second += sigma**2 * (a * phi(a) - b * phi(b)) + low**2 * below + high**2 * above
    return first, math.sqrt(second - first**2)


def cells(value_us: float) -> NDArray[np.float64]:
    return np.full(CELLS, value_us * 1e-6)


# --- phase-change memory ---------------------------------------------------------------------------------------------

CHECKED = [  # x, sigma in µS, drift factor at the mean exponent and relative read noise after an hour, a day, a year
    (1.0, 1.0554, (0.7751, 0.6635, 0.4969), (0.0419, 0.0448, 0.0496)),
    (0.25, 0.6814, (0.7751, 0.6635, 0.4969), (0.1032, 0.1102, 0.1221)),
    (0.1, 0.4482, (0.7317, 0.6047, 0.4242), (0.1873, 0.2000, 0.2216)),
]


@pytest.mark.parametrize(("x", "sigma_us", "factors", "noises"), CHECKED)
def test_programming_error_of_pcm_has_the_computed_sigma(
    x: float, sigma_us: float, factors: tuple[float, ...], noises: tuple[float, ...]
) -> None:
    g_us = device("pcm-aihwkit").programmed(cells(25 * x), rng()).g_s * 1e6
    agrees(g_us, 25 * x, sigma_us, ROUNDED)


@pytest.mark.parametrize(("x", "sigma_us", "factors", "noises"), CHECKED)
def test_drift_of_pcm_has_the_computed_factors_and_the_spread_of_its_exponent(
    x: float, sigma_us: float, factors: tuple[float, ...], noises: tuple[float, ...]
) -> None:
    pcm, target = device("pcm-aihwkit"), cells(25 * x)
    mu = min(max(-0.0155 * math.log(x) + 0.0244, 0.049), 0.1)
    nu_sigma = min(max(-0.0125 * math.log(x) - 0.0059, 0.008), 0.045)
    a = mu / nu_sigma
    nu_mean = nu_sigma * 2 * phi(a) + mu * (1 - 2 * ndtr(-a))  # of |nu|
    nu_spread = math.sqrt(mu**2 + nu_sigma**2 - nu_mean**2)
    for seconds, printed in zip((HOUR, DAY, YEAR), factors, strict=True):
        log_age = math.log((seconds + 20) / 20)
        factor = pcm.at(target, target, seconds, None, rng()) / target
        # The printed factor is that at the mean exponent: the median over cells.
        middle = float(np.median(factor))
        error = 5 * math.sqrt(math.pi / 2 / CELLS) * nu_sigma * log_age
        assert middle == pytest.approx(printed, rel=error, abs=ROUNDED)
        agrees(-np.log(factor) / log_age, nu_mean, nu_spread)
        # The arithmetic mean of exp(-log_age |nu|) and its square, in closed form.
        first, second = (folded_exponential(mu, nu_sigma, k * log_age) for k in (1, 2))
        agrees(factor, first, math.sqrt(second - first**2))


def folded_exponential(mu: float, sigma: float, rate: float) -> float:
    """E[exp(-rate |nu|)], nu normal."""
    even = math.exp((rate * sigma) ** 2 / 2)
    plus = math.exp(-rate * mu) * float(ndtr(mu / sigma - rate * sigma))
    minus = math.exp(rate * mu) * float(ndtr(-mu / sigma - rate * sigma))
    return even * (plus + minus)


@pytest.mark.parametrize(("x", "sigma_us", "factors", "noises"), CHECKED)
def test_read_noise_of_pcm_has_the_computed_size(
    x: float, sigma_us: float, factors: tuple[float, ...], noises: tuple[float, ...]
) -> None:
    pcm, target = device("pcm-aihwkit"), np.array([25e-6 * x])
    for seconds, printed in zip((HOUR, DAY, YEAR), noises, strict=True):
        drifted = np.array([17e-6 * x])
        sigma = pcm.read_sigma_s(drifted, target, seconds)
        assert sigma / drifted == pytest.approx(printed, rel=0, abs=ROUNDED)


@pytest.mark.parametrize("g_us", [0.0, 0.2, 1.0])
def test_pcm_near_zero_is_cut_at_zero_and_keeps_the_moments_of_a_cut_normal(g_us: float) -> None:
    sigma = 0.26348 + 1.9650 * g_us / 25 - 1.1731 * (g_us / 25) ** 2
    got = device("pcm-aihwkit").programmed(cells(g_us), rng()).g_s * 1e6
    agrees(got, *cut_at_zero(g_us, sigma))
    assert got.min() == 0.0 if g_us < 1.0 else got.min() >= 0.0


# --- programming error of the others ---------------------------------------------------------------------------------

Sigma = Callable[[float], float]
SIGMAS: dict[str, tuple[Sigma, list[float]]] = {  # of the conductance in µS, in µS
    "pcm-joshi": (lambda g: 0.28638599 + 0.07585724 * g - 0.00178767 * g * g, [0.25, 12.5, 25]),
    "pcm-hermes": (lambda g: poly(g / 20.7, 0.16603222, 4.71806468, -8.48101252, 4.68961419), [0, 2.07, 10.35, 20.7]),
    "pcm-hermes-single": (
        lambda g: poly(g / 10.35, 0.15781817, 2.32443916, -2.16310839, 0.68841818),
        [0, 1.035, 5.175, 10.35],
    ),
    "rram-milo": (lambda g: 4.782321 - 0.009107 * g, [50, 100, 225]),
    "rram-wan": (lambda g: 1.053 + 0.2374 * g - 0.01167 * g**2 + 0.0001536 * g**3, [0, 13, 39.26]),
    "rram-wan-aihwkit": (lambda g: poly(g / 40, 0.348, 16.030, -43.853, 45.393, -16.815), [0, 10, 20, 40]),
    "rram-cmo": (lambda g: 0.00081107 + 0.00106879 * g, [9, 45, 88]),
    "sonos": (lambda g: 19.88665 * (1 - math.exp(-g * 200 / 176.3115)) / 200, [0.1, 2, 9]),  # 200 nA a µS at 0.2 V
}


def poly(x: float, *coefficients: float) -> float:
    return sum(c * x**i for i, c in enumerate(coefficients))


@pytest.mark.parametrize(("name", "g_us"), [(name, g) for name, (_, states) in SIGMAS.items() for g in states])
def test_programming_error_has_the_mean_and_sigma_of_its_source(name: str, g_us: float) -> None:
    got = device(name).programmed(cells(g_us), rng()).g_s * 1e6
    agrees(got, *cut_at_zero(g_us, SIGMAS[name][0](g_us)))


def test_the_wider_acceptance_of_cmo_has_its_own_sigma() -> None:
    got = device("rram-cmo", acceptance=0.02).programmed(cells(45), rng()).g_s * 1e6
    agrees(got, 45, 0.0112185391 + 0.01129027418 * 45)


# --- retention of the others -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "g_max_us", "t0_s"), [("pcm-hermes", 20.7, 300.0), ("pcm-hermes-single", 10.35, 200.0)]
)
@pytest.mark.parametrize("x", [0.01, 0.09, 0.2, 0.6, 1.0])
def test_drift_of_the_hermes_cells_has_the_exponents_of_the_source(
    name: str, g_max_us: float, t0_s: float, x: float
) -> None:
    low = min(max(-0.0387 * math.log(x) - 0.0182, 0.072), 0.13)
    mu = low if x < 0.0945 else -0.0436 * x**2 - 0.0126 * x + 0.0736
    if name == "pcm-hermes":
        low = min(max(-0.0117 * math.log(x) - 0.0057, 0.0091), 0.04)
        sigma = low if x < 0.3055 else -0.0118 * x**2 + 0.0093 * x + 0.0073
    else:
        low = min(max(-0.0120 * math.log(x) - 0.0023, 0.0124), 0.04)
        sigma = low if x < 0.3039 else -0.0165 * x**2 + 0.0116 * x + 0.0104
    target = cells(g_max_us * x)
    factor = device(name).at(target, target, DAY, None, rng()) / target
    first, second = (folded_exponential(mu, sigma, k * math.log((DAY + t0_s) / t0_s)) for k in (1, 2))
    agrees(factor, first, math.sqrt(second - first**2))


@pytest.mark.parametrize("x", [0.05, 0.5, 1.0])
def test_read_noise_of_the_hermes_cells_is_that_of_the_source(x: float) -> None:
    pair = (
        min(max(-0.0117 * math.log(x) - 0.0069, 0.015), 0.04) if x < 0.16 else poly(x, 0.0123, 0.0211, -0.028, 0.0069)
    )
    single = (
        min(max(-0.0078 * math.log(x) + 0.0038, 0.0179), 0.04)
        if x < 0.1591
        else poly(x, 0.0088, 0.0768, -0.1352, 0.0664)
    )
    for name, g_max_us, t0_s, q in (("pcm-hermes", 20.7, 300.0, pair), ("pcm-hermes-single", 10.35, 200.0, single)):
        g = np.array([g_max_us * x * 1e-6])
        expected = q * math.sqrt(math.log((HOUR + t0_s + 512e-9) / (2 * 512e-9)))
        assert device(name).read_sigma_s(g, g, HOUR) / g == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("seconds", "coefficients"),
    [
        (1.0, (0.348, 16.030, -43.853, 45.393, -16.815)),
        (DAY, (0.701, 22.086, -50.773, 47.095, -16.458)),
        (2 * DAY, (0.782, 20.274, -43.507, 37.062, -11.934)),
    ],
)
@pytest.mark.parametrize("g_us", [8.0, 20.0, 38.0])
def test_neurram_cells_scatter_at_each_time_as_measured(
    seconds: float, coefficients: tuple[float, ...], g_us: float
) -> None:
    rram, target = device("rram-wan-aihwkit"), cells(g_us)
    got = rram.at(rram.programmed(target, rng()).g_s, target, seconds, None, rng(2)) * 1e6
    agrees(got, *cut_at_zero(g_us, poly(g_us / 40, *coefficients)))


@pytest.mark.parametrize("seconds", [1.0, HOUR, YEAR])
@pytest.mark.parametrize("g_us", [9.5, 45.0, 88.0])
def test_cmo_cells_relax_as_measured_and_stay_within_the_range(seconds: float, g_us: float) -> None:
    mean = g_us - 0.08900206 * math.log(seconds)
    sigma = 0.04201137 * math.log(seconds) + 0.41183342
    target = cells(g_us)
    got = device("rram-cmo").at(target, target, seconds, None, rng()) * 1e6
    agrees(got, *kept_within(mean, sigma, 9.0, 88.199997))


def test_read_noise_of_cmo_cells_is_that_of_the_source() -> None:
    g = np.array([9e-6, 45e-6])
    expected = 0.0277316483 * np.log10([9, 45]) * math.sqrt(math.log((HOUR + 1e-6) / 2e-6))
    assert device("rram-cmo").read_sigma_s(g, g, HOUR) * 1e6 == pytest.approx(expected, rel=1e-12)


SONOS_DAY_2 = (2.50712e-01, 6.62195e-02, -6.83218e-04, 2.99442e-06, -6.78255e-09, 7.70482e-12, -3.04983e-15,
               -2.15919e-18, 2.94617e-21, -1.23359e-24, 1.85329e-28)  # fmt: skip


@pytest.mark.parametrize("current_na", [40.0, 400.0, 1800.0])
def test_sonos_cells_drift_and_scatter_after_two_days_as_measured(current_na: float) -> None:
    sonos, target = device("sonos"), cells(current_na / 200)
    mean = current_na + poly(current_na, *SONOS_DAY_2)
    sigma = 28.72753 * (1 - math.exp(-mean / 193.56834))
    got = sonos.at(sonos.programmed(target, rng()).g_s, target, 2 * DAY, None, rng(2)) * 1e6 * 200
    agrees(got, mean, sigma)


def test_sonos_cells_between_days_scatter_between_them() -> None:
    sonos, target = device("sonos"), cells(2.0)
    a, b = (19.88665 + 25.59102) / 2, (176.3115 + 186.85544) / 2
    day_1 = (1.72684e-01, 5.72552e-02, -6.85715e-04, 3.50271e-06, -9.37682e-09, 1.40575e-11, -1.19803e-14,
             5.41293e-18, -8.85448e-22, -1.66869e-25, 5.95180e-29)  # fmt: skip
    mean = 400 + poly(400, *day_1) / 2
    got = sonos.at(sonos.programmed(target, rng()).g_s, target, DAY / 2, None, rng(2)) * 1e6 * 200
    agrees(got, mean, a * (1 - math.exp(-mean / b)))


def test_read_noise_of_sonos_saturates() -> None:
    g = np.array([1e-6, 9e-6])
    expected = 12.58037 * (1 - np.exp(-np.array([200, 1800]) / 215.36557))
    assert device("sonos").read_sigma_s(g, g, DAY) * 1e9 * 0.2 == pytest.approx(expected, rel=1e-12)


# --- current ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("g_us", [62.5, 76.2, 93.9, 110.0])
def test_the_current_of_hfo2_cells_is_the_cubic_of_the_source(g_us: float) -> None:
    g, v = g_us * 1e-6, np.linspace(-0.5, 0.5, 11)
    log_g = math.log10(g)
    nl2 = 0.0001388 * log_g**3 + 0.001541 * log_g**2 + 0.005711 * log_g + 0.007063
    nl3 = 8.8710e-05 * log_g**2 + 6.7919e-04 * log_g + 1.2968e-03
    got = device("rram-milo").current_a(g, v)
    assert got == pytest.approx(g * v + nl2 * v**2 + nl3 * v**3, rel=1e-9, abs=1e-18)


# --- passive and electrochemical cells -------------------------------------------------------------------------------


@pytest.mark.parametrize("tolerance", [0.05, 0.3])
def test_passive_cells_are_tuned_to_within_the_tolerance(tolerance: float) -> None:
    got = device("al2o3-tio2-merrikh-bayat").written(cells(50), tolerance, rng()).g_s * 1e6
    agrees(got, 50, 50 * tolerance / math.sqrt(3))
    assert abs(got / 50 - 1).max() <= tolerance * (1 + 1e-12)


def test_one_to_two_and_a_half_percent_of_passive_cells_are_stuck_within_the_range() -> None:
    passive = device("al2o3-tio2-merrikh-bayat")
    stuck_us = passive.stuck_s((CELLS,), rng()) * 1e6
    where = stuck_us[~np.isnan(stuck_us)]
    share = where.size / CELLS
    assert share == pytest.approx(0.0175, abs=5 * math.sqrt(0.0175 * 0.9825 / CELLS))
    low, high = 1e6 / 96600, 1e6 / 7000
    agrees(where, (low + high) / 2, (high - low) / math.sqrt(12))


ECRAM = [("ecram-tang", 0.002, -0.8276, 1.1724, 0.1153, 0.3), ("ecram-kim", 2.8214e-4, -0.8286, 1.1714, 0.4152, 2.0)]


@pytest.mark.parametrize(("name", "step", "w_min", "w_max", "gamma", "noise"), ECRAM)
def test_electrochemical_cells_count_up_as_the_linear_step_says(
    name: str, step: float, w_min: float, w_max: float, gamma: float, noise: float
) -> None:
    # s = 1 - gamma w / w_max falls by the factor 1 - c (1 + noise z) a pulse, c = gamma d / w_max; over cells the step
    # d is normal with a tenth of its mean.  Both moments are averaged over d by a fine sum.
    few = 1000 if name == "ecram-kim" else 20_000
    cell, share = device(name, g_min_s=10e-6, g_max_s=50e-6), 0.5
    target = np.full(few, 10e-6 + share * 40e-6)
    got = cell.programmed(target, rng())
    w = w_min + share * (w_max - w_min)
    s0, away = 1 - gamma * w_min / w_max, w_max / gamma
    n = round(math.log((1 - gamma * w / w_max) / s0) / math.log(1 - step * gamma / w_max))
    assert np.all(got.pulses == n)
    deviates = np.linspace(-6, 6, 4001)
    weights = np.exp(-(deviates**2) / 2) / np.exp(-(deviates**2) / 2).sum()
    c = gamma * step * (1 + 0.1 * deviates) / w_max
    first = float(weights @ (s0 * (1 - c) ** n))
    second = float(weights @ (s0**2 * ((1 - c) ** 2 + (c * noise) ** 2) ** n))
    mean_w, sigma_w = away * (1 - first), away * math.sqrt(second - first**2)
    scale = 40 / (w_max - w_min)
    agrees(got.g_s * 1e6, 10 + (mean_w - w_min) * scale, sigma_w * scale)
    predicted = cell.programming_sigma_s(target[:1]) * 1e6
    assert predicted == pytest.approx(sigma_w * scale, rel=1e-6)  # the sum ends at six sigma


# --- generic ---------------------------------------------------------------------------------------------------------


def generic(**settings: float | str) -> Device:
    return device("generic", g_min_s=1e-6, g_max_s=101e-6, **settings)


def test_generic_errors_have_the_moments_that_are_asked_for() -> None:
    target = cells(40)
    agrees(generic(sigma=0.05).programmed(target, rng()).g_s * 1e6, 40, 2)
    agrees(generic(sigma=0.05, sigma_of="range").programmed(target, rng()).g_s * 1e6, 40, 5)
    s = 0.3
    mean = 40 * math.exp(s * s / 2)
    agrees(
        generic(error="lognormal", sigma=s).programmed(target, rng()).g_s * 1e6,
        mean,
        mean * math.sqrt(math.expm1(s * s)),
    )


def test_generic_drift_has_the_moments_of_a_lognormal_factor() -> None:
    target = cells(40)
    factor = generic(nu=0.02, nu_std=0.01, t0_s=2.0).at(target, target, HOUR, None, rng()) / target
    log_age = math.log(1 + HOUR / 2)
    mean = math.exp(-0.02 * log_age + (0.01 * log_age) ** 2 / 2)
    agrees(factor, mean, mean * math.sqrt(math.expm1((0.01 * log_age) ** 2)))


def test_write_and_verify_has_geometric_counts_and_a_cut_normal() -> None:
    # Share 0.05 of a sigma of 0.1: half a sigma to either side.
    written = generic(sigma=0.1).written(cells(40), 0.05, rng())
    p = 2 * float(ndtr(0.5)) - 1
    assert written.pulses is not None
    agrees(written.pulses.astype(float), 1 / p, math.sqrt(1 - p) / p)
    agrees(written.g_s * 1e6, 40, 4 * math.sqrt(1 - 2 * 0.5 * phi(0.5) / p))
    assert not written.failed.any()


def test_cells_are_given_up_as_often_as_the_chance_of_missing_says() -> None:
    written = generic(sigma=0.1).written(cells(40), 0.01, rng(), max_pulses=5)
    p = 2 * float(ndtr(0.1)) - 1
    share = (1 - p) ** 5
    assert written.failed.mean() == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / CELLS))
    assert np.all(written.pulses[written.failed] == 5)
    off = abs(written.g_s * 1e6 / 40 - 1)
    assert np.all((off > 0.01) == written.failed)
    # What is left of a cell that was given up is a normal error from which the tolerance is cut out.
    sigma_out = 4 * math.sqrt((1 - (p - 2 * 0.1 * phi(0.1))) / (1 - p))
    agrees(written.g_s[written.failed] * 1e6, 40, sigma_out)
