"""Curves of a state x between 0 and 1, as sources write their fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from archsim.numeric.devices._check import Floats

__all__ = ["CappedPower", "ClippedLog", "Constant", "Curve", "Powers", "Split"]

_LOWEST: Final = 1e-7
"""States below this count as this where a logarithm or an inverse power is taken; every shipped fit is cut before."""


class Curve(Protocol):
    """A function of the state."""

    def __call__(self, x: Floats) -> Floats:
        """The value at each state."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """The same for each state."""

    value: float

    def __call__(self, x: Floats) -> Floats:
        """``value``."""
        return np.full_like(x, self.value)


@dataclass(frozen=True, slots=True)
class ClippedLog:
    """clip(slope ln x + offset, low, high)."""

    slope: float
    offset: float
    low: float
    high: float

    def __call__(self, x: Floats) -> Floats:
        """The value at each state."""
        return np.clip(self.slope * np.log(np.maximum(x, _LOWEST)) + self.offset, self.low, self.high)


@dataclass(frozen=True, slots=True)
class CappedPower:
    """min(cap, scale / x^exponent)."""

    scale: float
    exponent: float
    cap: float

    def __call__(self, x: Floats) -> Floats:
        """The value at each state."""
        return np.minimum(self.scale / np.maximum(x, _LOWEST) ** self.exponent, self.cap)


@dataclass(frozen=True, slots=True)
class Powers:
    """sum c_i x^i, ascending."""

    coefficients: tuple[float, ...]

    def __call__(self, x: Floats) -> Floats:
        """The value at each state."""
        return np.asarray(np.polynomial.polynomial.polyval(x, self.coefficients))


@dataclass(frozen=True, slots=True)
class Split:
    """One curve for x below ``at`` and another from there on."""

    at: float
    below: Curve
    above: Curve

    def __call__(self, x: Floats) -> Floats:
        """The value at each state."""
        return np.where(x < self.at, self.below(x), self.above(x))
