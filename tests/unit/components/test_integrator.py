"""Integrators: the energy of a capacitor, what goes with it and what does not."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from archsim.spec.component import component_class
from archsim.testing import check_component

ROW = {"kind": "integrator", "count": 108, "area": "0.1 mm2", "source": "test", "status": "assumed"}


def test_a_capacitor_takes_its_charge_times_the_voltage():
    row = check_component({**ROW, "capacitance": "2 pF", "swing": "1.5 V"})
    assert row.energies_j(100_000) == {"integrate": pytest.approx(2e-12 * 1.5**2)}
    assert row.power_w() == 0
    assert row.by_action


def test_half_the_swing_is_a_quarter_of_the_energy():
    low, high = ({**ROW, "capacitance": "1 pF", "swing": swing} for swing in ("0.5 V", "1 V"))
    assert 4 * check_component(low).energies_j(1000)["integrate"] == pytest.approx(
        check_component(high).energies_j(1000)["integrate"]
    )


def test_an_energy_or_a_power_is_taken_as_it_is(make, busy_power_w):
    assert make("integrator", power=None, energy="3 pJ").energies_j(1000) == {"integrate": pytest.approx(3e-12)}
    assert busy_power_w(make("integrator", count=4)) == pytest.approx(10e-3)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"capacitance": "1 pF"}, "capacitance and swing go together; missing: swing"),
        ({"swing": "1 V"}, "capacitance and swing go together; missing: capacitance"),
        ({"capacitance": "1 pF", "swing": "1 V", "energy": "1 pJ"}, "capacitance and swing do not go with energy"),
        ({"capacitance": "1 pF", "swing": "1 V", "power": "1 mW"}, "capacitance and swing do not go with power"),
        ({}, "the key 'power' is missing (or 'energy', of one action)"),
    ],
)
def test_what_does_not_go_together_is_named(keys, message):
    with pytest.raises(ValidationError) as caught:
        component_class("integrator").model_validate({**ROW, **keys})
    assert message in str(caught.value)
