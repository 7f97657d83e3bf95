"""Integrators: a capacitor behind a column that collects the charge of a read, before it is converted."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from archsim.spec.base import Capacitance, Voltage
from archsim.spec.component import Component

__all__ = ["Integrator"]


class Integrator(Component):
    """``count`` integrators in a core; one action ``integrate`` is one sum for one input step.

    Instead of ``power`` or ``energy``, ``capacitance`` and ``swing`` may be given.  A capacitor C that is charged to
    the voltage V and set back takes

        E = C V²

    from its supply (half of it is stored, half is lost on the way; in J with C in F and V in V), whatever the circuit
    that charges it; an amplifier's own current is not in it.  It integrates while inputs last, so that it takes no time
    of its own unless ``time`` says so.  In value it is ideal: the range of the converter behind it says what is lost.
    """

    unit_action: ClassVar[str] = "integrate"

    kind: Literal["integrator"]
    capacitance: Capacitance | None = None
    swing: Voltage | None = None

    @model_validator(mode="after")
    def _priced(self) -> Integrator:
        if (self.capacitance is None) != (self.swing is None):
            missing = "swing" if self.swing is None else "capacitance"
            raise PydanticCustomError(
                "integrator", "capacitance and swing go together; missing: {key}", {"key": missing}
            )
        if self.capacitance is None:
            return super()._priced()  # type: ignore[operator, no-any-return]
        for key in ("power", "energy", "rated_count", "static_share"):
            if getattr(self, key):
                message = "capacitance and swing do not go with {key}"
                raise PydanticCustomError("integrator", message, {"key": key, "at": key})
        return self

    @property
    def by_action(self) -> bool:
        """Also where the energy follows from capacitance and swing."""
        return self.capacitance is not None or super().by_action

    def action_j(self) -> float:
        """C V² in J, unless the energy is given."""
        if self.capacitance is None or self.swing is None:
            return super().action_j()
        return float(self.capacitance.value * self.swing.value**2)
