"""What it takes to load a network."""

import math

import numpy as np
import pytest

from archsim.accuracy.loading import loading
from archsim.accuracy.merrikh_bayat import Crossbars, Demonstrator
from archsim.errors import DeviceError
from archsim.numeric.config import AdcConfig, ArrayConfig, WeightCode
from archsim.numeric.devices import Device, device
from archsim.numeric.matrix import ProgrammedMatrix, program


def loaded(cell: Device, tolerance: float | None, seed: int = 0) -> ProgrammedMatrix:
    config = ArrayConfig(
        rows=64,
        columns=64,
        weights=WeightCode("differential", bits=4, cell_bits=3),
        adc=AdcConfig(),
        cell=cell,
        tolerance=tolerance,
        tolerance_of="range",
    )
    return program(np.full((60, 30), 7), config, np.random.default_rng(seed))


NOISY = device("generic", g_min_s=5e-5, g_max_s=1e-4, sigma=0.1, sigma_of="range", pulse_s=1e-6, pulse_v=2.0)


def test_pulses_are_geometric_in_the_chance_to_land_within_the_tolerance() -> None:
    found = loading({"layer": loaded(NOISY, 0.05)})
    chance = math.erf(0.05 / 0.1 / math.sqrt(2))
    assert found.cells == 2 * 60 * 30
    error = math.sqrt((1 - chance) / chance**2 / found.cells)
    assert found.pulses / found.cells == pytest.approx(1 / chance, abs=5 * error)
    assert found.given_up == 0
    assert not found.at_least


def test_time_and_energy_are_those_of_the_pulses_and_the_total_is_the_sum_of_the_rows() -> None:
    matrix = loaded(NOISY, 0.05)
    found = loading({"a": matrix, "b": loaded(NOISY, 0.05, 1)}, read_time_s=1e-7)
    assert found.one_by_one_s == pytest.approx(found.pulses * 1e-6)
    assert found.one_by_one_s / 60 < found.row_by_row_s < found.one_by_one_s
    done = matrix.cells.programmed
    assert done.energy_j is not None
    rows = found.ledger.rows
    assert [(row.component, row.action) for row in rows] == [
        ("core.a", "pulse"), ("core.a", "verify read"), ("core.b", "pulse"), ("core.b", "verify read"),
    ]  # fmt: skip
    assert rows[0].total_j == pytest.approx(float(done.energy_j[: 2 * 30].sum()))
    assert rows[0].count == rows[1].count
    assert found.ledger.total_j() == pytest.approx(sum(row.count * row.energy_j for row in rows))
    assert found.to_json()["energy_j"] == found.ledger.total_j()


def test_a_tighter_tolerance_takes_more_pulses() -> None:
    wide, tight = (loading({"layer": loaded(NOISY, tolerance)}).pulses for tolerance in (0.2, 0.02))
    assert tight > 5 * wide


def test_a_device_whose_pulses_are_not_known_is_counted_at_one_a_cell_and_says_so() -> None:
    hardware = Demonstrator()
    arrays = Crossbars(hardware, (0,)).loaded([np.zeros(shape) for shape in hardware.shapes])
    found = loading({"first": arrays[0], "second": arrays[1]})
    assert found.at_least
    assert found.cells == found.pulses == 2 * (170 + 44)
    assert found.one_by_one_s == pytest.approx(428 * 500e-6)
    assert found.ledger.total_j() == pytest.approx(428 * 0.8**2 * 10e-6 * 500e-6)


def test_a_device_without_a_pulse_is_refused() -> None:
    cell = device("generic", g_min_s=1e-6, g_max_s=1e-4)
    with pytest.raises(DeviceError, match=r"^generic: the cost of loading needs pulse_s and pulse_v, which are not "):
        loading({"layer": loaded(cell, None)})
