"""What is there and what is added when a spread changes with time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from archsim.numeric.devices import device
from archsim.numeric.devices.programming import Polynomial
from archsim.numeric.devices.retention import Snapshots

DAY = 86400.0


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


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
