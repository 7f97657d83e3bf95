"""The contract that every component kind keeps, for the tests of those who write one.

::

    from archsim.testing import check_component

    def test_my_kind():
        check_component({"kind": "my-kind", "power": "1 mW", "area": "1 um2", "source": "me", "status": "assumed"})

Plain asserts with messages that say what is wrong; no test framework is needed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from archsim.errors import nearest
from archsim.spec.component import Component, component_class, component_kinds
from archsim.spec.tree import parse

__all__ = ["check_component"]

_RELATIVE: Final = 1e-9
"""How far two ways to compute the same number may lie apart."""


def check_component(
    row: Mapping[str, Any], cls: type[Component] | None = None, *, cycle_ps: int = 100_000
) -> Component:
    """Run a component through the contract; returns the component made from ``row``.

    ``row`` is a valid row as it stands in YAML: a mapping of keys to texts and numbers.  ``cls`` is its class, by
    default the one that is registered under the row's ``kind``.  ``cycle_ps`` is the cycle of the core or tile that
    holds it.  An AssertionError says which promise is broken:

    * the class is documented, and the row is valid and frozen;
    * unknown keys, a negative power and a row without source or status are refused;
    * area and power are finite and 0 or more, the static power is at most the power;
    * each action has an energy of 0 or more and a time of whole picoseconds, at least 1;
    * a row that is busy all the time takes exactly its power: static power + energy x actions a second (one that is
      given by energy has no power of its own);
    * a row that is shared by two costs half;
    * it serialises, and reads back through the YAML reader as the same row.
    """
    cls = cls or _registered(row)
    name = f"{cls.__name__} ({row.get('kind')!r})"
    assert cls.__doc__, f"{name}: a kind needs a docstring, which says what its actions are"
    component = _valid(cls, row, name)
    assert component.kind == row.get("kind"), f"{name}: its kind reads back as {component.kind!r}"
    _refuses_mistakes(cls, row, name)
    _is_frozen(component, name)
    _costs(component, name, cycle_ps)
    _shares(cls, row, component, name)
    _reads_back(cls, component, name)
    return component


def _registered(row: Mapping[str, Any]) -> type[Component]:
    kind = str(row.get("kind"))
    try:
        return component_class(kind)
    except KeyError:
        hint = nearest(kind, component_kinds()) or f"; there are {', '.join(component_kinds())}"
        message = f"no kind {kind!r} is registered in the entry-point group archsim.components{hint}"
        raise AssertionError(message) from None


def _valid(cls: type[Component], row: Mapping[str, Any], name: str) -> Component:
    assert issubclass(cls, Component), f"{name}: not a subclass of Component"
    try:
        return cls.model_validate(dict(row))
    except ValidationError as error:
        raise AssertionError(f"{name}: the row to check with is not valid: {error}") from None


def _refuses_mistakes(cls: type[Component], row: Mapping[str, Any], name: str) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "an unknown key": {**row, "no_such_key_": 1},
        "a negative power": {**row, "power": "-1 mW"},
        "a power without a unit": {**row, "power": 1},
        "a negative count": {**row, "count": -1},
        "a row without source": {key: value for key, value in row.items() if key != "source"},
        "a row without status": {key: value for key, value in row.items() if key != "status"},
        "another kind": {**row, "kind": f"not-{row.get('kind')}"},
    }
    for what, changed in wrong.items():
        try:
            cls.model_validate(changed)
        except ValidationError:
            continue
        raise AssertionError(f"{name}: {what} is accepted, and must be refused")


def _is_frozen(component: Component, name: str) -> None:
    for field in type(component).model_fields:
        try:
            setattr(component, field, getattr(component, field))
        except ValidationError:
            continue
        raise AssertionError(f"{name}: the field {field!r} can be changed, and must be frozen")


def _costs(component: Component, name: str, cycle_ps: int) -> None:
    power, area, static = component.power_w(), component.area_m2(), component.static_power_w()
    for what, value in (("power_w", power), ("area_m2", area), ("static_power_w", static)):
        assert isinstance(value, float), f"{name}: {what}() is {value!r}, must be a float"
        assert 0 <= value < math.inf, f"{name}: {what}() is {value!r}, must be finite and 0 or more"
    assert static <= power * (1 + _RELATIVE), f"{name}: the static power {static} W is above the power {power} W"
    energies, times = component.energies_j(cycle_ps), component.times_ps(cycle_ps)
    unit = component.unit_action
    assert unit in energies, f"{name}: its main action {unit!r} has no energy; there are {sorted(energies)}"
    assert set(energies) == set(times), (
        f"{name}: the actions with an energy {sorted(energies)} and those with a time {sorted(times)} differ"
    )
    for action, energy in energies.items():
        finite = isinstance(energy, float) and 0 <= energy < math.inf
        assert finite, f"{name}: the energy of {action!r} is {energy!r} J, must be finite and 0 or more"
    for action, time in times.items():
        whole = isinstance(time, int) and not isinstance(time, bool) and time >= 1
        assert whole, f"{name}: the time of {action!r} is {time!r} ps, must be a whole number of at least 1"
    rate = component.actions_per_s(cycle_ps)
    assert rate > 0, f"{name}: actions_per_s() is {rate}, must be above 0"
    busy = static + energies[unit] * float(rate) / component.shared_by
    by_action = component.by_action
    assert by_action or math.isclose(busy, power, rel_tol=_RELATIVE, abs_tol=1e-30), (
        f"{name}: busy all the time it takes {busy} W, which must be its power of {power} W"
    )
    again = component.power_w(), component.area_m2(), component.energies_j(cycle_ps), component.times_ps(cycle_ps)
    assert again == (power, area, energies, times), f"{name}: asked twice, it gives two answers"


def _shares(cls: type[Component], row: Mapping[str, Any], component: Component, name: str) -> None:
    shared = cls.model_validate({**row, "shared_by": 2 * component.shared_by})
    for what in ("power_w", "area_m2", "static_power_w"):
        half, whole = getattr(shared, what)(), getattr(component, what)()
        assert math.isclose(2 * half, whole, rel_tol=_RELATIVE), f"{name}: shared by two, {what}() is not half"


def _reads_back(cls: type[Component], component: Component, name: str) -> None:
    written = json.dumps(component.model_dump(mode="json", exclude_none=True), allow_nan=False)
    again = cls.model_validate(parse(written, name).plain())
    assert again == component, f"{name}: it does not read back as it was written: {written}"
    json.dumps(cls.model_json_schema())
