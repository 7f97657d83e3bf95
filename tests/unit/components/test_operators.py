"""Units that do operations at a rate: shift-and-add, look-up, pooling, vector, controller, instruction memory."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from archsim.spec.component import component_class

OPERATORS = {
    "shift-add": ("add", {}),
    "lookup": ("lookup", {}),
    "pooling": ("compare", {}),
    "vector": ("operate", {}),
    "controller": ("issue", {}),
    "instruction-memory": ("fetch", {"capacity": "4 KiB"}),
}


@pytest.mark.parametrize("kind", OPERATORS)
def test_the_energy_of_an_operation_is_power_over_rate(make, busy_power_w, kind):
    action, keys = OPERATORS[kind]
    row = make(kind, **keys, count=4, rate="2.5 GHz", power="20 mW")
    assert row.energies_j(100_000) == {action: pytest.approx(2e-12)}
    assert row.times_ps(100_000) == {action: 400}  # of one unit
    assert row.capacity_per_s() == 10**10
    assert row.power_w() == pytest.approx(20e-3)
    assert row.area_m2() == pytest.approx(0.5e-6)
    assert busy_power_w(row) == pytest.approx(20e-3)


@pytest.mark.parametrize("kind", OPERATORS)
def test_the_power_may_be_meant_at_another_rate_than_the_highest(make, busy_power_w, kind):
    action, keys = OPERATORS[kind]
    row = make(kind, **keys, rate="2 GHz", activity="500 MHz", power="20 mW", static_share=0.25)
    assert row.energies_j(100_000) == {action: pytest.approx(30e-12)}  # 15 mW at 0.5 GHz
    assert row.times_ps(100_000) == {action: 500}  # the highest rate sets the time
    assert row.capacity_per_s() == 2 * 10**9
    assert busy_power_w(row) == pytest.approx(20e-3)


@pytest.mark.parametrize("kind", OPERATORS)
def test_cost_follows_the_count_from_the_rated_count(make, kind):
    row = make(kind, **OPERATORS[kind][1], count=8, rated_count=4, rate="1 GHz")
    assert row.power_w() == pytest.approx(20e-3)
    assert row.area_m2() == pytest.approx(1e-6)


@pytest.mark.parametrize("kind", OPERATORS)
@pytest.mark.parametrize("rate", ["0 GHz", "-1 GHz", "1 GB/s", None, 5])
def test_a_rate_is_above_zero_and_has_its_unit(kind, rate):
    row = {"kind": kind, **OPERATORS[kind][1], "power": "1 W", "area": "1 mm2", "source": "s", "status": "assumed"}
    with pytest.raises(ValidationError, match="rate"):
        component_class(kind).model_validate({**row, "rate": rate})
