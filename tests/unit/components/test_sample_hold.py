"""Sample-and-hold: one action a column and input step."""

from __future__ import annotations

import pytest


def test_the_circuits_of_an_isaac_core_by_hand(make):
    row = make("sample-hold", count=1024, time="1 ns", power="0.01 mW", area="0.00004 mm2")
    assert row.area_m2() == pytest.approx(4e-11)
    assert row.energies_j(100_000) == {"sample": pytest.approx(1e-5 / 1024 * 100e-9)}  # once a cycle
    assert row.times_ps(100_000) == {"sample": 1000}


def test_without_a_time_it_acts_once_a_cycle(make, busy_power_w):
    row = make("sample-hold", count=2048, rated_count=1024, static_share=0.1)
    assert row.times_ps(128_000) == {"sample": 128_000}
    assert row.energies_j(128_000)["sample"] == pytest.approx(0.9 * 20e-3 / 2048 * 128e-9)
    assert busy_power_w(row) == pytest.approx(20e-3)
