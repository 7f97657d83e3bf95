"""The digital-to-analog converters that drive the wordlines."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archsim.spec.component import Component

__all__ = ["DAC"]

Bits = Annotated[int, Field(ge=1, le=16)]


class DAC(Component):
    """``count`` drivers in a core; one action ``drive`` is one wordline for one input step.

    Power and area double with each bit above ``rated_bits``: a binary-weighted converter has 2^bits unit
    elements (the rule by which MNSIM 2.0 extends ISAAC's 1-bit DAC to 2 to 4 bits).
    """

    unit_action: ClassVar[str] = "drive"

    kind: Literal["dac"]
    bits: Bits
    rated_bits: Bits | None = None
    inl: float | None = None
    """Of the driven value: a bow of so many steps at mid-scale."""
    noise: Annotated[float, Field(ge=0)] | None = None
    """Thermal, standard deviation in steps."""

    def power_scale(self) -> float:
        """Proportional to count and to 2^bits."""
        return super().power_scale() * 2.0 ** (self.bits - (self.rated_bits or self.bits))

    def area_scale(self) -> float:
        """Proportional to count and to 2^bits."""
        return super().area_scale() * 2.0 ** (self.bits - (self.rated_bits or self.bits))
