"""Rows as they stand in YAML, read by the class that is registered under their kind."""

from collections.abc import Callable
from typing import Any

import pytest

from archsim.spec.component import Component, component_class
from archsim.testing import check_component


@pytest.fixture
def make() -> Callable[..., Component]:
    def make_row(kind: str, **keys: Any) -> Component:
        row = {"kind": kind, "power": "10 mW", "area": "0.5 mm2", "source": "test", "status": "assumed", **keys}
        check_component(row)
        return component_class(kind).model_validate(row)

    return make_row


CYCLE_PS = 100_000


@pytest.fixture
def busy_power_w() -> Callable[[Component], float]:
    """Static power plus the energy of one action times the actions a second that the power is meant at."""

    def power_of(row: Component) -> float:
        rate = float(row.actions_per_s(CYCLE_PS))
        return row.static_power_w() + row.energies_j(CYCLE_PS)[row.unit_action] * rate / row.shared_by

    return power_of
