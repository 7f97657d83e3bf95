"""What programming takes: from ``core.write`` and from the device, held to the geometric distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest

from archsim.errors import SpecError
from archsim.hardware.write import programming
from archsim.numeric.devices import device
from archsim.spec.loader import load_tile

WRITE = "core.write={pulse: 50 ns, energy: 2 pJ, pulses: 4, endurance: 1.0e9, source: a test, status: assumed}"
GENERIC = "device.set={sigma: 0.1, sigma_of: range, pulse_s: 1.0e-7, pulse_v: 1.5, endurance: 1.0e6}"


def test_a_given_mean_is_that_of_a_geometric_number_of_pulses() -> None:
    cost = programming(load_tile("neurram", [WRITE]).model)
    assert (cost.pulse_s, cost.energy_j, cost.endurance) == (50e-9, 2e-12, 1e9)
    assert cost.pulses == pytest.approx(4.0, rel=1e-10)
    # P(at most k) of the slowest of n is (1 - q^k)^n; by inclusion and exclusion its mean is a finite sum
    n, q = 5, 1 - 1 / 4
    slowest = sum((-1) ** (j + 1) * math.comb(n, j) / (1 - q**j) for j in range(1, n + 1))
    assert cost.pulses_of(n) == pytest.approx(slowest, rel=1e-9)
    assert cost.pulses_of(1) == cost.pulses


def test_one_pulse_is_one_pulse_for_any_number_of_cells() -> None:
    cost = programming(load_tile("puma").model)
    assert (cost.pulses, cost.pulses_of(128), cost.missing) == (1.0, 1.0, ())
    assert cost.cells == 128  # a row
    assert cost.pulse_s is not None
    assert cost.energy_j is not None
    assert cost.pulse_s * 128 == pytest.approx(351e-6 / 32, rel=1e-6)  # an array, in the authors' simulator
    assert cost.energy_j * 128**2 == pytest.approx(676e-9 / 32, rel=1e-5)


def test_a_row_of_isaac_has_its_unit_column() -> None:
    assert programming(load_tile("isaac").model).cells == 129


def test_what_the_tile_does_not_say_comes_from_its_device() -> None:
    keys = ["core.write=null", GENERIC, "device.tolerance=0.02"]
    cost = programming(load_tile("isaac", keys).model)
    low, high = 1 / 2e6, 1 / 2e3
    assert (cost.pulse_s, cost.endurance) == (1e-7, 1e6)
    assert cost.energy_j == pytest.approx(1.5**2 * (low + high) / 2 * 1e-7, rel=1e-9)
    # of the four levels three are away from zero: p = erf(0.2 / sqrt 2); the lowest lands within, or is cut at zero
    inner = math.erf(0.2 / math.sqrt(2))
    lowest = 0.5 * (1 + math.erf(0.2 / math.sqrt(2)))
    assert cost.pulses == pytest.approx((3 / inner + 1 / lowest) / 4, rel=1e-6)
    assert "device generic" in cost.source
    assert {"cells", "arrays"} <= set(cost.assumed)


def test_the_mean_of_a_device_is_that_of_its_own_writing() -> None:
    cell = device("rram-milo")
    targets = np.repeat(np.linspace(cell.g_min_s, cell.g_max_s, 4), 20_000)
    share = cell.finished(targets, 0.01, of="range")
    drawn = cell.written(targets, 0.01, np.random.default_rng(3), of="range").pulses
    assert share is not None
    assert drawn is not None
    assert float((1 - share).sum()) == pytest.approx(drawn.mean(), rel=0.02)
    assert (share[0], share[-1]) == (0.0, 1.0)
    assert (np.diff(share) >= 0).all()


def test_pulses_of_electrochemical_cells_are_steps_from_the_lowest_state() -> None:
    cell = device("ecram-lista", steps=100)
    share = cell.finished(np.array([cell.g_min_s, cell.g_max_s]), None)
    assert share is not None
    assert (1 - share).sum() == pytest.approx((1 + 100) / 2)  # a cell that is there takes a pulse all the same


def test_a_source_without_a_number_of_pulses_gives_none() -> None:
    cell = device("al2o3-tio2-merrikh-bayat")
    assert cell.finished(np.array([20e-6]), 0.3) is None


def test_what_nobody_gives_is_missing_and_not_zero() -> None:
    cost = programming(load_tile("neurram").model)
    assert (cost.pulse_s, cost.energy_j, cost.endurance) == (None, None, None)
    assert cost.missing == ("pulse", "energy", "endurance")


def test_keys_of_write_are_checked() -> None:
    with pytest.raises(SpecError, match=r"unknown key; did you mean 'pulses'|unknown key.*'puls"):
        load_tile("puma", ["core.write.pulsse=2"])
    with pytest.raises(SpecError, match="expected at least 1"):
        load_tile("puma", ["core.write.pulses=0.5"])
    tile = load_tile("puma", ["core.write.pulses=8"]).model
    assert tile.core.write is not None
    assert tile.core.write.status == "set_by_user"
