"""Cells that cannot be programmed, temperature, and wear."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from archsim.errors import DeviceError
from archsim.numeric.devices._check import Floats

__all__ = ["Stuck", "Temperature"]

_BOLTZMANN_EV_PER_K: Final = 8.617333262e-5
"""Boltzmann's constant in eV/K (CODATA 2018, exact)."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """Shares of cells that are stuck: at the highest conductance, at the lowest, or somewhere between.

    Those between are uniform over the range.  Cells are independent.
    """

    on: float = 0.0
    off: float = 0.0
    within: float = 0.0

    def __post_init__(self) -> None:
        if self.on + self.off + self.within > 1.0 + 1e-12:
            raise DeviceError(f"the shares of stuck cells add up to {self.on + self.off + self.within:g}, above 1")

    def at_s(self, shape: tuple[int, ...], g_min_s: float, g_max_s: float, rng: Generator) -> Floats:
        """Where each cell is stuck, in siemens; NaN where it is sound.  One uniform number a cell."""
        u = rng.random(shape)
        g_s = np.full(shape, math.nan)
        if self.within > 0.0:
            share = (u - (self.on + self.off)) / self.within
            g_s = np.where((share >= 0.0) & (share < 1.0), g_min_s + share * (g_max_s - g_min_s), g_s)
        g_s[u < self.on + self.off] = g_min_s
        g_s[u < self.on] = g_max_s
        return g_s


@dataclass(frozen=True, slots=True)
class Temperature:
    """What another temperature than ``reference_k`` does; at the reference, nothing.

    Conductance: g(T) = g (1 + ``per_k`` (T - T0)) exp(-``conduction_ev`` / k (1 / T - 1 / T0)), k Boltzmann's constant.
    Retention: time counts exp(``retention_ev`` / k (1 / T0 - 1 / T)) times, an Arrhenius law.
    """

    reference_k: float
    per_k: float = 0.0
    conduction_ev: float = 0.0
    retention_ev: float = 0.0

    def without_effect(self) -> Temperature:
        """The same reference, and nothing changes with temperature."""
        return Temperature(self.reference_k)

    def conductance_factor(self, kelvin: float) -> float:
        """By how much conductances change."""
        linear = 1.0 + self.per_k * (kelvin - self.reference_k)
        if linear <= 0.0:
            raise DeviceError(f"a coefficient of {self.per_k:g} per K leaves no conductance at {kelvin:g} K")
        return linear * math.exp(-self.conduction_ev * self._inverse(kelvin))

    def time_factor(self, kelvin: float) -> float:
        """By how much faster the state ages."""
        return math.exp(-self.retention_ev * self._inverse(kelvin))

    def _inverse(self, kelvin: float) -> float:
        return (1.0 / kelvin - 1.0 / self.reference_k) / _BOLTZMANN_EV_PER_K
