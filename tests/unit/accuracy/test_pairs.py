"""Real weights on differential pairs, with devices that are stuck or not."""

import numpy as np
import pytest

from archsim.accuracy.merrikh_bayat import Crossbars, Demonstrator
from archsim.accuracy.pairs import Pairs, device_errors, stuck_cells
from archsim.errors import NumericError
from archsim.numeric.config import ArrayConfig
from archsim.numeric.devices import device
from archsim.numeric.matrix import program

CELL = device("al2o3-tio2-merrikh-bayat", g_min_s=10e-6, g_max_s=100e-6)
EXACT = CELL.only()


def test_one_device_of_each_pair_stays_at_the_lowest_conductance() -> None:
    targets = Pairs(CELL).targets_s(np.array([[0.5, -1.0, 0.0]]))
    assert targets[0] * 1e6 == pytest.approx(np.array([[55.0, 10.0, 10.0]]))
    assert targets[1] * 1e6 == pytest.approx(np.array([[10.0, 100.0, 10.0]]))


def test_a_pair_with_a_stuck_device_holds_every_weight_within_its_limits_and_no_other() -> None:
    rng = np.random.default_rng(0)
    stuck_s = np.where(rng.random((2, 30, 40)) < 0.3, rng.uniform(10e-6, 100e-6, (2, 30, 40)), np.nan)
    pairs = Pairs(EXACT, stuck_s)
    low, high = pairs.limits()
    assert (np.asarray(high) - low >= 0).all()
    for share in (0.0, 0.37, 1.0):
        weights = low + share * (np.asarray(high) - low)
        held = pairs.held(pairs.targets_s(pairs.command(weights)))
        assert held == pytest.approx(weights, abs=1e-12)
    one = ~np.isnan(stuck_s[0]) & np.isnan(stuck_s[1])
    assert np.asarray(high)[one] == pytest.approx((stuck_s[0][one] - 10e-6) / 90e-6)
    assert np.asarray(low)[one] == pytest.approx((stuck_s[0][one] - 100e-6) / 90e-6)


def test_pairs_of_which_nothing_is_known_hold_any_weight() -> None:
    weights = np.linspace(-1, 1, 11)[None]
    pairs = Pairs(EXACT)
    assert pairs.limits() == (-1.0, 1.0)
    assert pairs.held(pairs.targets_s(pairs.command(weights))) == pytest.approx(weights)


def test_the_arrays_hold_what_the_pairs_say_with_the_stuck_devices_that_a_test_finds() -> None:
    """The command for known stuck devices, through the numerical core and back."""
    chip = Crossbars(Demonstrator(stuck_share=0.2), (1, 2))
    stuck = frozenset({"stuck"})
    rng = np.random.default_rng(3)
    asked = []
    for pairs in chip.pairs(known=True):
        low, high = pairs.limits()
        asked.append(low + rng.random(np.shape(low)) * (np.asarray(high) - low))
        assert pairs.stuck_s is not None
        assert 0.05 < np.mean(~np.isnan(pairs.stuck_s)) < 0.4
    commands = [pair.command(w) for pair, w in zip(chip.pairs(known=True), asked, strict=True)]
    for matrix, weights in zip(chip.loaded(commands, stuck), asked, strict=True):
        one_by_one = np.eye(len(weights), dtype=np.int64)
        assert matrix.mvm(one_by_one) / 32767 == pytest.approx(weights, abs=1e-4)


def test_errors_stay_within_the_tolerance_of_each_device_and_are_drawn_anew() -> None:
    weights = (np.full((300, 100), 0.5),)
    draw = device_errors([Pairs(CELL.only("programming"))], np.random.default_rng(0), 0.3)
    first, second = draw(weights)[0], draw(weights)[0]
    assert not np.array_equal(first, second)
    assert first.max() <= (55 * 1.3 - 10 * 0.7) / 90
    assert first.min() >= (55 * 0.7 - 10 * 1.3) / 90
    variance = (0.3**2 / 3) * (55**2 + 10**2) / 90**2  # uniform errors of both devices
    assert first.mean() == pytest.approx(0.5, abs=5 * np.sqrt(variance / first.size))
    assert first.var() == pytest.approx(variance, rel=0.05)


def test_devices_that_are_not_known_to_be_stuck_are_so_elsewhere_each_time() -> None:
    weights = (np.zeros((200, 100)),)
    draw = device_errors([Pairs(CELL.only("stuck"))], np.random.default_rng(0))
    first, second = draw(weights)[0] != 0, draw(weights)[0] != 0
    for hit in (first, second):
        assert hit.mean() == pytest.approx(2 * 0.0175, rel=0.2)
    assert (first & second).mean() < 0.01


def test_stuck_cells_of_other_codes_are_refused() -> None:
    matrix = program(np.ones((4, 2)), ArrayConfig(), np.random.default_rng(0))
    with pytest.raises(NumericError, match=r"^stuck cells of pairs: expected differential weights of one slice$"):
        stuck_cells(matrix)
