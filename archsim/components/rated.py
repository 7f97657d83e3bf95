"""Two bases for kinds: those that do operations at a rate, and those that move data at a bandwidth."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

from archsim.spec.base import Bandwidth, Frequency
from archsim.spec.component import Component
from archsim.units import duration_ps

__all__ = ["Mover", "Operator"]


class Operator(Component):
    """``count`` units, each doing ``rate`` operations a second; ``activity`` is the rate of one unit at which
    the power is meant, by default ``rate``."""

    unit_action: ClassVar[str] = "operate"

    rate: Frequency
    activity: Frequency | None = None

    def actions_per_s(self, cycle_ps: int) -> Fraction:
        """``count`` × ``activity``."""
        return self.count * (self.activity or self.rate).value

    def times_ps(self, cycle_ps: int) -> dict[str, int]:
        """The time of one operation in one unit: 1 / ``rate``."""
        return {self.unit_action: duration_ps(1, self.rate.value)}

    def capacity_per_s(self) -> Fraction:
        """Operations per second that the whole row can do."""
        return self.count * self.rate.value


class Mover(Component):
    """A store or a way for data: ``count`` of it, each ``bandwidth`` bits a second; the action is one byte.

    ``activity`` is the bandwidth of one at which the power is meant, by default ``bandwidth``.
    """

    unit_action: ClassVar[str] = "byte"
    unit_bits: ClassVar[int] = 8

    bandwidth: Bandwidth
    activity: Bandwidth | None = None

    def actions_per_s(self, cycle_ps: int) -> Fraction:
        """Bytes per second of the whole row at which its power is meant."""
        return self.count * (self.activity or self.bandwidth).value / 8

    def times_ps(self, cycle_ps: int) -> dict[str, int]:
        """The time of one byte: 8 bits / ``bandwidth``."""
        return {self.unit_action: duration_ps(self.unit_bits, self.bandwidth.value)}

    def bits_per_s(self) -> Fraction:
        """Bits per second that the whole row can move."""
        return self.count * self.bandwidth.value
