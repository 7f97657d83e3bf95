"""Routers of the network on chip."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archsim.spec.base import Frequency, Information
from archsim.spec.component import Component
from archsim.units import duration_ps

__all__ = ["Router"]


class Router(Component):
    """``count`` routers of ``ports`` ports; one action ``flit`` takes one flit through one router.

    The power is meant with ``activity`` flits a second through each router, by default one on every port in
    every cycle of ``clock``.
    """

    unit_action: ClassVar[str] = "flit"

    kind: Literal["router"]
    ports: Annotated[int, Field(ge=2)]
    flit: Information
    clock: Frequency
    activity: Frequency | None = None
    cycles: Annotated[int, Field(ge=1, le=1000)] = 1
    """Cycles in which a head flit passes the router."""

    def actions_per_s(self, cycle_ps: int) -> Fraction:
        """Flits per second of the whole row at which its power is meant."""
        each = self.activity.value if self.activity else self.ports * self.clock.value
        return self.count * each

    def times_ps(self, cycle_ps: int) -> dict[str, int]:
        """The time for which one flit occupies a port: one cycle of ``clock``."""
        return {self.unit_action: duration_ps(1, self.clock.value)}
