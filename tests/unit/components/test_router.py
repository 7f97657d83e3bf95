"""Routers: one action is one flit through one router."""

from __future__ import annotations

import pytest

ROUTER = {"ports": 8, "flit": "32 b", "clock": "1 GHz", "cycles": 3}


def test_by_default_the_power_is_that_of_one_flit_on_every_port_in_every_cycle(make, busy_power_w):
    row = make("router", **ROUTER, power="42 mW", area="0.151 mm2")
    assert row.actions_per_s(100_000) == 8 * 10**9
    assert row.energies_j(100_000) == {"flit": pytest.approx(42e-3 / 8e9)}
    assert row.times_ps(100_000) == {"flit": 1000}  # a flit keeps a port for one cycle
    assert busy_power_w(row) == pytest.approx(42e-3)


def test_a_router_shared_by_four_tiles_costs_each_a_quarter_and_a_flit_the_same(make, busy_power_w):
    row = make("router", **ROUTER, shared_by=4, power="42 mW", area="0.151 mm2", static_share=0.5)
    assert row.power_w() == pytest.approx(10.5e-3)
    assert row.static_power_w() == pytest.approx(5.25e-3)
    assert row.area_m2() == pytest.approx(0.03775e-6)
    assert row.energies_j(100_000)["flit"] == pytest.approx(21e-3 / 8e9)
    assert busy_power_w(row) == pytest.approx(10.5e-3)


def test_the_power_may_be_meant_at_a_stated_number_of_flits(make):
    row = make("router", **ROUTER, activity="2 GHz", power="42 mW")
    assert row.energies_j(100_000)["flit"] == pytest.approx(21e-12)
    assert row.times_ps(100_000) == {"flit": 1000}
