"""The memristor array: cost follows the cells, one read takes the cycle unless a time is given."""

from __future__ import annotations

import pytest

SIZE = {"rows": 128, "columns": 128, "cell_bits": 2}


def test_eight_arrays_by_hand(make):
    row = make("crossbar", count=8, **SIZE, power="2.4 mW", area="0.0002 mm2")
    assert row.power_w() == pytest.approx(2.4e-3)
    assert row.area_m2() == pytest.approx(2e-10)
    assert row.actions_per_s(100_000) == 80_000_000  # 8 arrays, each once in 100 ns
    assert row.energies_j(100_000) == {"read": pytest.approx(0.3e-3 * 100e-9)}  # 30 pJ
    assert row.times_ps(100_000) == {"read": 100_000}


def test_a_time_of_its_own_changes_the_time_of_a_read_and_not_that_it_reads_once_a_cycle(make):
    row = make("crossbar", count=8, **SIZE, time="50 ns")
    assert row.times_ps(100_000) == {"read": 50_000}
    assert row.energies_j(100_000)["read"] == pytest.approx(10e-3 / 8 * 100e-9)


@pytest.mark.parametrize(
    ("rows", "columns", "count", "factor"),
    [(128, 128, 8, 1), (256, 128, 8, 2), (128, 64, 8, 0.5), (256, 256, 8, 4), (128, 128, 16, 2), (64, 64, 1, 1 / 32)],
)
def test_power_and_area_follow_the_number_of_cells(make, rows, columns, count, factor):
    rated = {"rated_rows": 128, "rated_columns": 128, "rated_count": 8}
    row = make("crossbar", count=count, rows=rows, columns=columns, cell_bits=2, **rated)
    assert row.power_w() == pytest.approx(10e-3 * factor)
    assert row.area_m2() == pytest.approx(0.5e-6 * factor)


def test_bits_of_a_cell_change_no_cost(make):
    assert make("crossbar", rows=128, columns=128, cell_bits=4).power_w() == pytest.approx(10e-3)


def test_busy_it_takes_exactly_its_power(make, busy_power_w):
    row = make("crossbar", count=8, **SIZE, rated_rows=64, static_share=0.25)
    assert row.power_w() == pytest.approx(20e-3)
    assert busy_power_w(row) == pytest.approx(20e-3)
