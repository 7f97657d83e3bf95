"""The DAC: one action a wordline and input step, cost doubling with each bit."""

from __future__ import annotations

import pytest


def test_the_drivers_of_an_isaac_core_by_hand(make):
    row = make("dac", count=1024, bits=1, time="1 ns", power="4 mW", area="0.00017 mm2")
    assert row.power_w() == pytest.approx(4e-3)
    assert row.area_m2() == pytest.approx(1.7e-10)
    assert row.energies_j(100_000) == {"drive": pytest.approx(4e-3 / 1024 * 100e-9)}  # once a cycle
    assert row.times_ps(100_000) == {"drive": 1000}


@pytest.mark.parametrize(("bits", "factor"), [(1, 1), (2, 2), (3, 4), (4, 8)])
def test_power_and_area_double_with_each_bit(make, bits, factor):
    row = make("dac", bits=bits, rated_bits=1)
    assert row.power_w() == pytest.approx(10e-3 * factor)
    assert row.area_m2() == pytest.approx(0.5e-6 * factor)


def test_fewer_bits_than_rated_cost_less(make):
    assert make("dac", bits=1, rated_bits=3).power_w() == pytest.approx(2.5e-3)


def test_count_and_bits_scale_together_and_busy_it_takes_exactly_its_power(make, busy_power_w):
    row = make("dac", count=256, rated_count=128, bits=2, rated_bits=1, static_share=0.1)
    assert row.power_w() == pytest.approx(40e-3)
    assert busy_power_w(row) == pytest.approx(40e-3)
