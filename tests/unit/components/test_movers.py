"""Buffers, registers, buses and links: the action is a byte, the bandwidth sets the time."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from archsim.spec.component import component_class

MOVERS = {
    "register": {"capacity": "2 KiB"},
    "edram": {"capacity": "64 KiB", "banks": 2, "width": "256 b"},
    "sram": {"capacity": "1 KiB"},
    "bus": {"width": "384 b"},
    "link": {},
    "chip-link": {"latency": "5 ns"},
}


@pytest.mark.parametrize("kind", MOVERS)
def test_the_energy_of_a_byte_is_power_over_bandwidth(make, busy_power_w, kind):
    row = make(kind, **MOVERS[kind], bandwidth="10 GB/s", power="20 mW")
    assert row.energies_j(100_000) == {"byte": pytest.approx(2e-12)}
    assert row.times_ps(100_000) == {"byte": 100}
    assert row.bits_per_s() == 80 * 10**9
    assert row.power_w() == pytest.approx(20e-3)
    assert row.area_m2() == pytest.approx(0.5e-6)
    assert busy_power_w(row) == pytest.approx(20e-3)


@pytest.mark.parametrize("kind", MOVERS)
def test_the_power_may_be_meant_at_another_bandwidth_than_the_highest(make, busy_power_w, kind):
    row = make(kind, **MOVERS[kind], bandwidth="10 GB/s", activity="2.5 GB/s", power="20 mW", static_share=0.5)
    assert row.energies_j(100_000) == {"byte": pytest.approx(4e-12)}  # 10 mW at 2.5 GB/s
    assert row.times_ps(100_000) == {"byte": 100}  # the highest bandwidth sets the time
    assert row.bits_per_s() == 80 * 10**9
    assert busy_power_w(row) == pytest.approx(20e-3)


@pytest.mark.parametrize("kind", MOVERS)
def test_several_share_the_power_and_add_up_in_bandwidth(make, kind):
    row = make(kind, **MOVERS[kind], count=4, bandwidth="10 GB/s", power="80 mW")
    assert row.energies_j(100_000) == {"byte": pytest.approx(2e-12)}
    assert row.times_ps(100_000) == {"byte": 100}  # of one of them
    assert row.bits_per_s() == 320 * 10**9


def test_isaacs_edram_is_meant_at_one_kilobyte_in_a_cycle(make):
    row = make("edram", capacity="64 KiB", bandwidth="10.24 GB/s", power="20.7 mW", area="0.083 mm2")
    assert row.energies_j(100_000)["byte"] * 1024 == pytest.approx(20.7e-3 * 100e-9)
    assert row.times_ps(100_000)["byte"] == 98  # 97.66 ps, rounded up


def test_isaacs_chip_links_by_hand(make):
    row = make("chip-link", count=4, bandwidth="6.4 GB/s", latency="5 ns", power="10.4 W", area="22.88 mm2")
    assert row.bits_per_s() == 204_800_000_000  # 25.6 GB/s
    assert row.energies_j(100_000)["byte"] == pytest.approx(10.4 / 25.6e9)
    assert row.area_m2() == pytest.approx(22.88e-6)


@pytest.mark.parametrize("kind", MOVERS)
@pytest.mark.parametrize("bandwidth", ["0 GB/s", "-1 GB/s", "1 GHz", None])
def test_a_bandwidth_is_above_zero_and_has_its_unit(kind, bandwidth):
    row = {"kind": kind, **MOVERS[kind], "power": "1 W", "area": "1 mm2", "source": "s", "status": "assumed"}
    with pytest.raises(ValidationError, match="bandwidth"):
        component_class(kind).model_validate({**row, "bandwidth": bandwidth})


@pytest.mark.parametrize("kind", ["register", "edram", "sram"])
def test_a_store_states_its_capacity(kind):
    row = {"kind": kind, "bandwidth": "1 GB/s", "power": "1 W", "area": "1 mm2", "source": "s", "status": "assumed"}
    with pytest.raises(ValidationError, match="the key 'capacity' is missing"):
        component_class(kind).model_validate(row)
