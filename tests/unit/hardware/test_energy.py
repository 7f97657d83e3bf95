"""Rows that are given by the energy of an action: their power at the peak, and what they refuse."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from archsim.hardware.energy import actions_per_mvm
from archsim.hardware.rollup import chip_rollup
from archsim.spec.component import component_class
from archsim.spec.loader import load_chip
from archsim.testing import check_component

ROW = {
    "kind": "adc",
    "bits": 8,
    "rate": "1 GHz",
    "energy": "2 pJ",
    "area": "1 um2",
    "source": "me",
    "status": "assumed",
}
ADC = "tile.core.components.adc"


def test_isaac_by_energy_is_isaac_by_power() -> None:
    """8 ADCs of 1.28 GSps convert all the time: 16 mW are 1.5625 pJ a conversion."""
    by_power = chip_rollup(load_chip("isaac-ce").model)
    keys = [f"{ADC}.{key}=null" for key in ("power", "rated_count", "rated_bits", "by_bits")]
    by_energy = chip_rollup(load_chip("isaac-ce", [f"{ADC}.energy=1.5625 pJ", *keys]).model)
    assert by_energy.power_w["core"] == pytest.approx(by_power.power_w["core"], rel=1e-12)
    assert by_energy.summary()["shares"]["chip_power"]["core.adc"] == pytest.approx(0.49, abs=0.005)


@pytest.mark.parametrize(
    ("row", "actions"), [("crossbar", 8 * 16), ("dac", 1024 * 16), ("sample_hold", 8 * 128 * 16), ("adc", 8 * 128 * 16)]
)
def test_actions_of_an_mvm_of_isaac(row: str, actions: int) -> None:
    core = load_chip("isaac-ce").model.tile.core
    assert actions_per_mvm(core, core.components[row]) == actions


def test_a_row_outside_of_the_mvm_takes_as_many_actions_as_its_rate_allows() -> None:
    bus = "tile.components.bus"
    chip = load_chip("isaac-ce", [f"{bus}.power=null", f"{bus}.energy=1 pJ"]).model
    sums = chip_rollup(chip)
    row = next(row for row in sums.rows if row.key == "tile.bus")
    assert row.power_w == pytest.approx(1e-12 * 10.24 * 2**30, rel=0.1)  # 10.24 GB/s, a byte an action
    assert chip.tile.components["bus"].power_w() == 0


def test_the_contract_holds_for_a_row_by_energy() -> None:
    assert check_component(ROW).energies_j(1000) == {"convert": 2e-12}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"energy": None}, "the key 'power' is missing"),
        ({"power": "1 mW"}, "energy does not go with power"),
        ({"rated_count": 2}, "energy does not go with rated_count"),
        ({"static_share": 0.5}, "energy does not go with static_share"),
    ],
)
def test_energy_stands_alone(change: dict[str, object], message: str) -> None:
    row = {key: value for key, value in {**ROW, **change}.items() if value is not None}
    with pytest.raises(ValidationError, match=message):
        component_class("adc").model_validate(row)


def test_arrays_that_are_read_again_for_each_column_take_as_much_longer_and_as_much_more() -> None:
    """The HERMES chip in four phases: two signs of inputs, and two columns on each converter."""
    encoding = "tile.core.encoding"
    phases = [f"{encoding}.inputs=two-phase", f"{encoding}.subtract=digital"]
    held = chip_rollup(load_chip("hermes-64", phases).model)
    again = chip_rollup(load_chip("hermes-64", [*phases, f"{encoding}.drive_again=true"]).model)
    assert held.mvm_interval_ps == 2 * (127 + 2) * 1000
    assert again.mvm_interval_ps == 2 * (2 * 127 + 2) * 1000
    energy = [run.power_w["core"] * run.mvm_interval_ps * 1e-12 for run in (held, again)]
    assert energy == pytest.approx([2 * 12.48e-9, 4 * 12.48e-9])
