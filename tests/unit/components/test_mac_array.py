"""Digital multiply-accumulate arrays and channels of DRAM: rates, energies, the cycles of a step."""

from __future__ import annotations

from fractions import Fraction

import pytest

ARRAY = {"inputs": 16, "outputs": 16, "rate": "606 MHz"}


def test_the_unit_of_a_dadiannao_tile_by_hand(make):
    row = make("mac-array", **ARRAY, power="306.25 mW")
    assert row.actions_per_s(1000) == Fraction(16 * 606_000_000)  # a lane each of 16 outputs, every cycle
    assert row.capacity_per_s() == row.actions_per_s(1000)
    assert row.energies_j(1000) == {"lane": pytest.approx(0.30625 / (16 * 606e6))}  # 31.6 pJ for 16 MACs
    assert row.times_ps(1000) == {"lane": 1651}  # 1650.165 ps, rounded up
    assert row.peak_macs == 256


def test_a_power_that_is_meant_at_less_than_the_highest_rate_makes_a_lane_dearer(make):
    assert make("mac-array", **ARRAY, activity="303 MHz").energies_j(1000)["lane"] == pytest.approx(
        2 * make("mac-array", **ARRAY).energies_j(1000)["lane"]
    )


def test_macs_beside_the_matrix_count_into_the_peak_and_change_no_lane(make):
    plain, more = make("mac-array", **ARRAY, count=2), make("mac-array", **ARRAY, count=2, other_macs=32)
    assert (plain.peak_macs, more.peak_macs) == (512, 576)
    assert plain.energies_j(1000) == more.energies_j(1000)


@pytest.mark.parametrize(
    ("inputs", "outputs", "dataflow", "cycles"),
    [(16, 16, "adder-tree", 1), (256, 256, "systolic", 511), (1, 1, "systolic", 1), (8, 4, "systolic", 11)],
)
def test_a_step_leaves_a_systolic_array_when_it_has_crossed_it(make, inputs, outputs, dataflow, cycles):
    row = make("mac-array", inputs=inputs, outputs=outputs, dataflow=dataflow, rate="700 MHz")
    assert row.step_cycles == cycles


@pytest.mark.parametrize(
    ("serial", "weight", "cycles"), [(None, 16, 1), (1, 16, 16), (1, 1, 1), (2, 5, 3), (4, 16, 4), (8, 3, 1)]
)
def test_a_bit_serial_array_takes_a_cycle_for_each_of_its_bits(make, serial, weight, cycles):
    row = make("mac-array", **ARRAY) if serial is None else make("mac-array", **ARRAY, serial_bits=serial)
    assert row.serial_cycles(weight) == cycles


def test_weights_that_stay_leave_a_step_within_its_cycle(make):
    assert make("mac-array", **ARRAY, dataflow="weight-stationary").step_cycles == 1


def cycles_of_a_systolic_array(rows: int, columns: int) -> int:
    """The cycle in which the last sum of one vector leaves an array, cell by cell: input r enters in cycle r, moves
    one column a cycle; the sum of a column moves one row a cycle."""
    done = {}
    for r in range(rows):
        for c in range(columns):
            done[r, c] = 1 + max(done.get((r - 1, c), 0), done.get((r, c - 1), r))
    return max(done.values())


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (4, 4), (8, 3), (3, 8)])
def test_a_systolic_step_takes_as_long_as_the_cells_played_through_one_by_one(make, rows, columns):
    row = make("mac-array", inputs=rows, outputs=columns, dataflow="systolic", rate="1 GHz")
    assert row.step_cycles == cycles_of_a_systolic_array(rows, columns)


def test_two_channels_of_dram_by_hand(make):
    row = make("dram", count=2, capacity="4 GiB", bandwidth="17 GB/s", power="3.4 W", static_share=0.5)
    assert row.bits_per_s() == 2 * 17 * 10**9 * 8
    assert row.energies_j(1000) == {"byte": pytest.approx(1.7 / 34e9)}
    assert row.static_power_w() == pytest.approx(1.7)
