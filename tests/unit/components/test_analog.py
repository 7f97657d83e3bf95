"""What works on partial sums before they are converted: transimpedance amplifiers and analog buffers."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archsim.hardware.energy import actions_per_mvm
from archsim.hardware.mvm import step_ps
from archsim.spec.loader import load_tile


@pytest.mark.parametrize(("kind", "action"), [("transimpedance", "amplify"), ("analog-buffer", "store")])
def test_each_acts_once_a_cycle_at_its_power(make, busy_power_w, kind, action):
    row = make(kind, count=32, time="50 ns")
    assert row.actions_per_s(100_000) == Fraction(32 * 10**12, 100_000)
    assert row.energies_j(100_000) == {action: pytest.approx(10e-3 / 320e6)}
    assert row.times_ps(100_000) == {action: 50_000}
    assert busy_power_w(row) == pytest.approx(10e-3)


def test_fewer_amplifiers_than_columns_take_turns():
    core = load_tile("cascade").model.core
    amplifiers, store = core.components["tia"], core.components["analog_buffer"]
    assert step_ps(core, amplifiers) == 2 * 50_000  # 32 for 64 columns
    assert actions_per_mvm(core, amplifiers) == actions_per_mvm(core, store) == 80 * 64 * 16
    core = load_tile("cascade", ["core.components.tia.count=2000"]).model.core
    assert step_ps(core, core.components["tia"]) == 3 * 50_000  # 5120 columns, 2000 at a time
