"""What every device promises: effects one by one, refusals, the same bytes however an array is cut."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from archsim.errors import DeviceError
from archsim.numeric.devices import EFFECTS, Device, device, names

SPAN = {"g_min_s": 1e-6, "g_max_s": 21e-6}
OWN: dict[str, dict[str, float]] = {
    "generic": SPAN | {"sigma": 0.1, "nu": 0.05, "nu_std": 0.01, "read_sigma": 0.02},
    "ecram-tang": SPAN,
    "ecram-kim": SPAN,
    "ecram-lista": {"steps": 50, "step_noise": 0.1},
}
DAY = 86400.0


def made(name: str, **more: float) -> Device:
    return device(name, **(OWN.get(name, {}) | more))


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def states(cell: Device, shape: tuple[int, ...] = (6, 5)) -> NDArray[np.float64]:
    low = max(cell.g_min_s, 0.2 * cell.g_max_s)
    return np.linspace(low, cell.g_max_s, int(np.prod(shape))).reshape(shape)


FULL = device(
    "generic",
    **SPAN,
    sigma=0.1,
    nu=0.05,
    read_sigma=0.02,
    sinh_v0=0.3,
    levels=4,
    stuck_on=0.2,
    stuck_off=0.2,
    conductance_per_k=0.001,
)
"""A device that has every effect."""

T = np.linspace(2e-6, 20e-6, 40).reshape(8, 5)
SEEN: dict[str, Callable[[Device], NDArray[np.float64]]] = {
    "levels": lambda d: d.quantised(T),
    "programming": lambda d: d.programmed(T, rng()).g_s,
    "stuck": lambda d: np.where(np.isnan(stuck := d.stuck_s(T.shape, rng())), T, stuck),
    "retention": lambda d: d.at(T, T, DAY, None, rng()),
    "temperature": lambda d: d.at(T, T, 0.0, 350.0, rng()),
    "read_noise": lambda d: T + d.read_sigma_s(T, T, DAY),
    "nonlinear_iv": lambda d: d.current_a(T, 0.5) / 0.5,
}


def test_the_full_device_has_every_effect_and_each_is_looked_at() -> None:
    assert FULL.effects == EFFECTS == tuple(SEEN)


@pytest.mark.parametrize("effect", EFFECTS)
def test_each_effect_alone_changes_what_it_is_about_and_nothing_else(effect: str) -> None:
    alone = FULL.only(effect)
    assert alone.effects == (effect,)
    for other, look in SEEN.items():
        changed = not np.array_equal(look(alone), T)
        assert changed == (other == effect), other


def test_with_every_effect_off_nothing_changes() -> None:
    ideal = FULL.only()
    assert ideal.effects == ()
    for look in SEEN.values():
        np.testing.assert_array_equal(look(ideal), T)
    written = ideal.written(T, 1e-3, rng())
    np.testing.assert_array_equal(written.g_s, T)
    assert np.all(written.pulses == 1)
    assert not written.failed.any()


def test_an_effect_that_is_named_and_not_given_by_the_source_stays_refused() -> None:
    joshi = device("pcm-joshi")
    assert joshi.only(*EFFECTS) == joshi
    np.testing.assert_array_equal(joshi.only("programming").at(ONE, ONE, DAY, None, rng()), ONE)
    with pytest.raises(DeviceError, match="no drift or retention"):
        joshi.only("programming", "retention").at(ONE, ONE, DAY, None, rng())


def test_generic_without_settings_is_ideal() -> None:
    assert device("generic", **SPAN).effects == ()


@pytest.mark.parametrize("name", names())
def test_every_device_changes_values_by_the_effects_that_it_lists_and_by_no_others(name: str) -> None:
    cell = made(name)
    target = states(cell)
    plain = cell.only()
    np.testing.assert_array_equal(plain.programmed(target, rng()).g_s, target)
    np.testing.assert_array_equal(plain.at(target, target, DAY, None, rng()), target)
    assert not plain.read_sigma_s(target, target, DAY).any()
    np.testing.assert_array_equal(plain.current_a(target, 0.1), target * 0.1)
    assert np.isnan(plain.stuck_s((1000,), rng())).all()
    if "programming" in cell.effects:
        written = cell.written(target, 0.3, rng())
        assert not np.array_equal(written.g_s, target)
        assert np.all(abs(written.g_s / target - 1) <= 0.3 * (1 + 1e-12))
    if "retention" in cell.effects:
        assert not np.array_equal(cell.at(target, target, DAY, None, rng()), target)
    if "read_noise" in cell.effects:
        assert np.all(cell.read_sigma_s(target, target, DAY) > 0)
    if "nonlinear_iv" in cell.effects:
        assert not np.allclose(cell.current_a(target, 0.5), target * 0.5, rtol=1e-4)
    if "stuck" in cell.effects:
        assert not np.isnan(cell.stuck_s((1000,), rng())).all()


@pytest.mark.parametrize("name", names())
def test_every_device_names_its_source_and_what_it_leaves_out(name: str) -> None:
    cell = made(name)
    assert cell.name == name
    assert cell.source
    assert cell.limits
    assert cell.valid_s[0] <= cell.g_min_s < cell.g_max_s <= cell.valid_s[1]


@pytest.mark.parametrize("name", names())
def test_time_zero_changes_nothing_and_draws_nothing(name: str) -> None:
    cell, generator = made(name), rng()
    target = states(cell)
    np.testing.assert_array_equal(cell.at(target, target, 0.0, None, generator), target)
    assert generator.bit_generator.state == rng().bit_generator.state


def calls(cell: Device) -> dict[str, Callable[[NDArray[np.float64], np.random.Generator], NDArray[np.float64]]]:
    ways: dict[str, Callable[[NDArray[np.float64], np.random.Generator], NDArray[np.float64]]] = {
        "written": lambda t, r: cell.written(t, 0.3, r).g_s,
        "stuck": lambda t, r: cell.stuck_s(t.shape, r),
    }
    if cell.name != "al2o3-tio2-merrikh-bayat":
        ways["programmed"] = lambda t, r: cell.programmed(t, r).g_s
    if "retention" in cell.effects:
        ways["at"] = lambda t, r: cell.at(t, t, DAY, None, r)
    return ways


@pytest.mark.parametrize("name", names())
def test_one_generator_gives_the_same_bytes_for_any_cut_along_the_first_axis(name: str) -> None:
    cell = made(name)
    target = states(cell, (7, 3))
    for way, call in calls(cell).items():
        whole = call(target, rng())
        for cuts in ([1], [3], [2, 5], [1, 2, 3, 4, 5, 6]):
            generator = rng()
            parts = [call(part, generator) for part in np.split(target, cuts)]
            assert np.concatenate(parts).tobytes() == whole.tobytes(), way
        assert call(target, rng(8)).tobytes() != whole.tobytes() or way == "stuck"


@pytest.mark.parametrize("name", [n for n in names() if "retention" in made(n).effects])
def test_one_state_of_the_generator_gives_one_trajectory(name: str) -> None:
    cell = made(name)
    target = np.full(500, states(cell)[3, 3] if name != "rram-wan-aihwkit" else 12e-6)
    first, second = (cell.at(target, target, t, None, rng()) for t in (DAY, 2 * DAY))
    # A cell that lies above others after a day lies above them after two.
    order = np.argsort(first, kind="stable")
    assert np.all(np.diff(second[order]) >= 0)


@pytest.mark.parametrize("name", names())
def test_a_nan_a_negative_and_a_conductance_beyond_the_range_are_refused_with_their_place(name: str) -> None:
    cell = made(name)
    for value, words in ((np.nan, "not a finite number"), (cell.g_max_s * 1.01, "above"), (-1e-6, "(negative|below)")):
        target = states(cell)
        target[2, 4] = value
        message = rf"^{name}: target conductance at \[2, 4\] is {words}"
        with pytest.raises(DeviceError, match=message):
            cell.written(target, 0.3, rng())
        with pytest.raises(DeviceError, match=message):
            cell.quantised(target)
    bad = states(cell)
    bad[0, 1] = -1e-9
    with pytest.raises(DeviceError, match=rf"^{name}: conductance at \[0, 1\] is negative: -0.001 µS$"):
        cell.current_a(bad, 0.1)


PCM = device("pcm-aihwkit")
ONE = np.array([10e-6])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PCM.at(ONE, ONE, -1.0, None, rng()), "seconds must be a number at least 0, got -1.0"),
        (lambda: PCM.at(ONE, ONE, np.nan, None, rng()), "seconds must be a number at least 0, got nan"),
        (lambda: PCM.at(ONE, ONE, 1.0, 0.0, rng()), "kelvin must be a number above 0, got 0.0"),
        (
            lambda: PCM.at(ONE, ONE, 1.0, 300.0, rng()),
            "the source gives no dependence on temperature; leave out kelvin",
        ),
        (
            lambda: PCM.at(ONE, np.array([1e-6, 2e-6]), 1.0, None, rng()),
            "conductances and targets must have one shape, got (1,) and (2,)",
        ),
        (lambda: PCM.read_sigma_s(ONE, ONE, 1.0, 0.0), "read_time_s must be a number above 0, got 0.0"),
        (lambda: PCM.written(ONE, 0.0, rng()), "the tolerance must be a number above 0, got 0.0"),
        (
            lambda: PCM.written(ONE, 0.1, rng(), of="rage"),  # type: ignore[arg-type]
            "the tolerance is one of value, range, siemens, got 'rage'; did you mean 'range'?",
        ),
        (
            lambda: PCM.written(np.zeros(3), 0.1, rng()),
            "a tolerance relative to a target of 0 S is never met; give one of the range",
        ),
        (lambda: PCM.written(ONE, 0.1, rng(), max_pulses=0), "max_pulses must be a number at least 1, got 0"),
        (lambda: PCM.only("drift"), "no effect named 'drift'; there are " + ", ".join(EFFECTS)),
        (lambda: PCM.only("retension"), "no effect named 'retension'; did you mean 'retention'?"),
        (lambda: PCM.worn(3), "the source gives no endurance"),
        (lambda: PCM.programmed(["a"], rng()), "target conductance must be an array of real numbers, got <U1"),
        (
            lambda: PCM.programmed(ONE + 1j, rng()),
            "target conductance must be an array of real numbers, got complex128",
        ),
        (lambda: PCM.programmed(1e-3, rng()), "target conductance is above 25 µS: 1000 µS"),
        (lambda: PCM.current_a(ONE, np.inf), "voltage is not a finite number: inf V"),
        (
            lambda: device("rram-milo").slope_s(60e-6, [0.0, -0.51]),
            "voltage at [1] is beyond ±0.5 V: -0.51 V",
        ),
        (lambda: device("pcm-joshi").at(ONE, ONE, 1.0, None, rng()), "the source gives no drift or retention"),
        (lambda: device("pcm-joshi").read_sigma_s(ONE, ONE, 1.0), "the source gives no read noise"),
        (
            lambda: device("rram-wan-aihwkit").at(ONE, ONE, 3600.0, None, rng()),
            "the source gives the spread after 1, 86400, 172800 s only, got 3600 s",
        ),
        (
            lambda: device("rram-cmo").at(ONE, ONE, 0.5, None, rng()),
            "the source's fit of relaxation holds from 1 s on, got 0.5 s",
        ),
        (
            lambda: device("sonos").at(ONE / 2, ONE / 2, 6 * DAY, None, rng()),
            "the source gives retention up to 432000 s, got 518400 s",
        ),
        (
            lambda: device("sonos", g_max_s=16e-6).at(ONE, ONE, DAY, None, rng()),
            "the source gives retention for states up to 9 µS, got 10 µS",
        ),
        (
            lambda: device("sonos").read_sigma_s(ONE, ONE / 2, DAY, 1e-6),
            "read noise does not depend on the read time in this model; leave out read_time_s",
        ),
        (
            lambda: device("ecram-lista").programmed(ONE / 10, rng()),
            "the source gives no conductance step of a pulse; set 'steps', the pulses over the range",
        ),
        (
            lambda: device("al2o3-tio2-merrikh-bayat").programmed(5 * ONE, rng()),
            "the source gives no error of a single programming pulse; use write-and-verify with a tolerance of 0.05 or "
            "more",
        ),
        (
            lambda: device("al2o3-tio2-merrikh-bayat").programming_sigma_s(5 * ONE),
            "the source gives no programming error, only the accuracy of tuning",
        ),
        (
            lambda: device("al2o3-tio2-merrikh-bayat").written(5 * ONE, 0.01, rng()),
            "a tolerance of 0.01 of the target is finer than the source demonstrates (0.05)",
        ),
        (
            lambda: device("al2o3-tio2-merrikh-bayat").stuck((3,), rng()),
            "cells are stuck within the range too, see stuck_s",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_in_the_name_of_the_device(call: Callable[[], object], message: str) -> None:
    with pytest.raises(DeviceError, match=rf"^[a-z0-9-]+: {re.escape(message)}$"):
        call()


def test_levels_are_even_and_the_nearest_is_taken() -> None:
    cell = device("generic", **SPAN, levels=5)
    got = cell.quantised(np.array([1e-6, 3.4e-6, 3.6e-6, 13e-6, 21e-6])) * 1e6
    assert got == pytest.approx([1, 1, 6, 11, 21])
    assert len(set(cell.quantised(np.linspace(1e-6, 21e-6, 100)))) == 5


@given(st.integers(2, 300), st.floats(0, 1))
def test_a_level_is_never_farther_than_half_a_step_and_is_its_own_level(levels: int, share: float) -> None:
    cell = device("generic", **SPAN, levels=levels)
    g = np.array([1e-6 + share * 20e-6])
    level = cell.quantised(g)
    assert abs(level - g) <= 20e-6 / (levels - 1) / 2 * (1 + 1e-9)
    np.testing.assert_array_equal(cell.quantised(level), level)


def test_time_and_energy_of_pulses_are_given_where_they_are_known() -> None:
    plain = device("generic", **SPAN, sigma=0.1)
    assert plain.programmed(T, rng()).seconds is None
    timed = device("generic", **SPAN, sigma=0.1, pulse_s=1e-6)
    written = timed.written(T, 0.05, rng())
    assert written.pulses is not None
    np.testing.assert_allclose(written.seconds, written.pulses * 1e-6)
    assert written.energy_j is None
    written = device("generic", **SPAN, sigma=0.1, pulse_s=1e-6, pulse_v=2.0).written(T, 0.05, rng())
    assert written.pulses is not None
    np.testing.assert_allclose(written.energy_j, written.pulses * 1e-6 * 4.0 * T)
    assert written.pulses.max() > 1
    lista = made("ecram-lista").written(np.array([2e-6]), 0.05, rng())
    assert lista.seconds == pytest.approx(lista.pulses * 0.1)
    assert lista.energy_j is None
    passive = device("al2o3-tio2-merrikh-bayat").written(np.array([50e-6]), 0.05, rng())
    assert passive[1:4] == (None, None, None)


def test_what_is_worn_follows_from_the_operations_counted() -> None:
    cell = device("generic", **SPAN, endurance=1000)
    assert cell.worn([999, 1000, 1001]).tolist() == [False, False, True]


def test_what_is_beyond_the_range_by_rounding_alone_counts_as_its_limit() -> None:
    beyond = np.nextafter(25e-6, 1)
    assert PCM.quantised(beyond) == 25e-6
    single = np.full(2, 25e-6 * (1 + 1e-7), np.float32)
    assert single[0] > 25e-6
    np.testing.assert_array_equal(PCM.quantised(single), 25e-6)


def test_scalars_and_empty_arrays_are_arrays_like_others() -> None:
    assert PCM.programmed(1e-5, rng()).g_s.shape == ()
    assert PCM.written(np.empty((0, 3)), 0.1, rng()).g_s.shape == (0, 3)
    assert made("ecram-tang").written(np.empty((0, 3)), 0.1, rng()).g_s.shape == (0, 3)
    assert made("ecram-tang").programmed(1e-5, rng()).g_s.shape == ()


def test_what_comes_in_is_left_as_it_was() -> None:
    target = states(PCM)
    kept = target.copy()
    programmed = PCM.programmed(target, rng())
    before = programmed.g_s.copy()
    PCM.at(programmed.g_s, target, DAY, None, rng())
    PCM.only().at(programmed.g_s, target, DAY, None, rng())[:] = 0
    np.testing.assert_array_equal(target, kept)
    np.testing.assert_array_equal(programmed.g_s, before)
