"""The analog-to-digital converters, which in most designs take the largest share of power."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from archsim.spec.base import Frequency, Strict
from archsim.spec.component import Component
from archsim.units import Quantity, QuantityOf, duration_ps

__all__ = ["ADC", "conversion_cycles"]

Bits = Annotated[int, Field(ge=1, le=16)]
Resolutions = list[Annotated[list[Annotated[int, Field(ge=0, le=16)]], Field(min_length=1)]]

COUNTING = ("ramp", "oscillator", "integrate-and-fire")
"""Types that pass the codes one by one."""


class ResolutionCost(Strict):
    """What one conversion costs at one resolution; only ratios to the rated resolution are used."""

    energy: Annotated[Quantity, QuantityOf("energy", positive=True)]
    area: Annotated[Quantity, QuantityOf("area", positive=True)]


def conversion_cycles(kind: str, bits: int) -> int:
    """Clock cycles of one conversion.

    ``sar``: one to sample and one comparison a bit; ``ramp``: the ramp passes every code; ``oscillator``: periods are
    counted as long as the highest code takes at the highest frequency; ``integrate-and-fire``: spikes are counted, one
    a cycle at the most; ``time-to-digital``: one, at whose end the code is read from a delay line; ``flash`` and
    ``sense-amplifier``: one.
    """
    return bits + 1 if kind == "sar" else 1 << bits if kind in COUNTING else 1


class ADC(Component):
    """``count`` converters in a core, each ``rate`` conversions a second; the action is ``convert``.

    Instead of ``rate``, ``clock`` may give the cycles of which a conversion takes :func:`conversion_cycles`.  What a
    converter does to values stands in ``range`` and the keys below it, see ``docs/numeric.md``.

    A successive-approximation (SAR) converter of another resolution than ``rated_bits`` costs what the table
    ``by_bits`` says, relative to its rated entry: clock, memory and reference buffer grow with the bits, the
    capacitive DAC exponentially (Saberi et al., TCAS-I 2011, as used by the ISAAC paper).  Without the table,
    power and area stay as given.

    ``resolutions`` are the bits that are resolved of the sums of each input step (row) and slice of a weight (column,
    lowest first), 0 for a sum that is not converted: what a conversion takes on average follows, a SAR converter's in
    proportion to the bits (Nag et al., IEEE Micro 2018: X of 9 bits take X/9 of the power), that of one that passes the
    codes one by one to their number.  Time is that of all bits.
    """

    unit_action: ClassVar[str] = "convert"

    kind: Literal["adc"]
    type: Literal["sar", "ramp", "flash", "oscillator", "time-to-digital", "sense-amplifier", "integrate-and-fire"] = (
        "sar"
    )
    bits: Bits
    rate: Frequency | None = None
    clock: Frequency | None = None
    range: Literal["worst-case", "fixed", "calibrated"] | None = None
    full_scale: Annotated[float, Field(gt=0)] | None = None
    share: Literal["array", "slice", "power-of-two"] | None = None
    coverage: Annotated[float, Field(gt=0, le=1)] | None = None
    zero: Literal["code", "between"] | None = None
    inl: float | None = None
    dnl: Annotated[float, Field(ge=0)] | None = None
    noise: Annotated[float, Field(ge=0)] | None = None
    resolutions: Annotated[Resolutions, Field(min_length=1)] | None = None
    rated_bits: Bits | None = None
    by_bits: dict[int, ResolutionCost] = {}

    @model_validator(mode="after")
    def _paced(self) -> ADC:
        if (self.rate is None) == (self.clock is None):
            got = "neither" if self.rate is None else "both"
            raise PydanticCustomError("rate", "expected one of rate and clock, got {got}", {"got": got})
        if self.type == "sense-amplifier" and self.bits != 1:
            raise PydanticCustomError("bits", "a sense amplifier has 1 bit, got {bits}", {"bits": self.bits})
        return self

    @property
    def conversions_per_s(self) -> Fraction:
        """Conversions a second of one converter."""
        if self.clock is not None:
            return self.clock.value / conversion_cycles(self.type, self.bits)
        assert self.rate is not None
        return self.rate.value

    @field_validator("by_bits", mode="before")
    @classmethod
    def _whole_bits(cls, table: Any) -> Any:
        if not isinstance(table, dict):
            return table
        return {int(key) if str(key).isascii() and str(key).isdigit() else key: row for key, row in table.items()}

    @model_validator(mode="after")
    def _tabled(self) -> ADC:
        if self.by_bits and (missing := {self.bits, self.rated_bits or self.bits} - set(self.by_bits)):
            listed = ", ".join(str(bits) for bits in sorted(self.by_bits))
            message = "{bits} bits is not in by_bits, which has {listed}"
            raise PydanticCustomError("by_bits", message, {"bits": min(missing), "listed": listed})
        return self

    @model_validator(mode="after")
    def _resolved(self) -> ADC:
        table = self.resolutions or []
        if (most := max((max(row) for row in table), default=0)) > self.bits:
            values = {"bits": self.bits, "got": most, "at": "resolutions"}
            raise PydanticCustomError(
                "resolutions", "expected at most the {bits} bits of the converter, got {got}", values
            )
        if len(lengths := {len(row) for row in table}) > 1:
            values = {"got": ", ".join(map(str, sorted(lengths))), "at": "resolutions"}
            raise PydanticCustomError("resolutions", "expected as many bits in each row, got {got}", values)
        return self

    def resolved(self) -> float:
        """What a conversion takes on average, of one that resolves all bits: 1 without ``resolutions``."""
        if self.resolutions is None:
            return 1.0
        bits = [each for row in self.resolutions for each in row]
        if self.type in COUNTING:
            return sum(1 << each for each in bits if each) / (len(bits) << self.bits)
        return sum(bits) / (len(bits) * self.bits)

    def actions_per_s(self, cycle_ps: int) -> Fraction:
        """``count`` × the conversions of one."""
        return self.count * self.conversions_per_s

    def _ratio(self, cost: str) -> float:
        if not self.by_bits:
            return 1.0
        rated = self.by_bits[self.rated_bits or self.bits]
        return float(getattr(self.by_bits[self.bits], cost)) / float(getattr(rated, cost))

    def power_scale(self) -> float:
        """Proportional to count and to the energy of a conversion at this resolution, or these resolutions."""
        return super().power_scale() * self._ratio("energy") * self.resolved()

    def area_scale(self) -> float:
        """Proportional to count and to the area of a converter at this resolution."""
        return super().area_scale() * self._ratio("area")

    def times_ps(self, cycle_ps: int) -> dict[str, int]:
        """The time of one conversion in one converter: 1 / ``rate``, or its cycles."""
        return {self.unit_action: duration_ps(1, self.conversions_per_s)}
