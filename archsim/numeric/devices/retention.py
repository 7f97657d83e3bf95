"""What becomes of a programmed state with time.

A law turns the conductance that programming left into that after ``seconds``; it takes one standard normal number for
each cell, whatever the time.  So the same generator state gives one trajectory: the same drift exponent at every time.

Sources that give only the spread of many cells at a time say nothing of how a cell's error at one time goes with that
at another.  What is added between two times is then taken as independent of what was there before.  Where the spread
has become smaller, the error that is there shrinks in proportion.  Either way the spread at each time is the source's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from archsim.errors import DeviceError
from archsim.numeric.devices._check import Floats, siemens
from archsim.numeric.devices.curves import Curve
from archsim.numeric.devices.programming import Saturating, Spread

__all__ = ["CurrentDrift", "Logarithmic", "PowerLaw", "Retention", "Snapshots", "Unchanging"]


class Retention(Protocol):
    """The conductance after a time."""

    def after(self, g_s: Floats, target_s: Floats, seconds: float, z: Floats) -> Floats:
        """Of cells programmed to ``g_s``, ``seconds`` > 0 after programming; ``z`` is standard normal."""
        ...


@dataclass(frozen=True, slots=True)
class Unchanging:
    """States that stay."""

    def after(self, g_s: Floats, target_s: Floats, seconds: float, z: Floats) -> Floats:
        """``g_s``."""
        return g_s.copy()


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """g(t) = g_prog ((t + t0) / t0)^-nu; nu is normal over the cells, with mean and sigma curves of target / g_ref.

    ``folded``: the absolute value of nu counts, so no cell gains conductance.
    """

    t0_s: float
    g_ref_s: float
    nu_mean: Curve
    nu_std: Curve
    folded: bool

    def after(self, g_s: Floats, target_s: Floats, seconds: float, z: Floats) -> Floats:
        """The drifted conductance."""
        x = target_s / self.g_ref_s
        nu = self.nu_mean(x) + self.nu_std(x) * z
        decades = -math.log1p(seconds / self.t0_s)
        return np.asarray(g_s * np.exp(decades * (np.abs(nu) if self.folded else nu)))


@dataclass(frozen=True, slots=True)
class Logarithmic:
    """g(t) = g_prog + a ln t + (b ln t + c) z in µS with t in seconds, kept within [low, high]."""

    shift_us: float
    growth_us: float
    offset_us: float
    low_s: float
    high_s: float

    def after(self, g_s: Floats, target_s: Floats, seconds: float, z: Floats) -> Floats:
        """The relaxed conductance; refuses times below a second, where the mean of the fit turns upwards."""
        if seconds < 1.0:
            raise DeviceError(f"the source's fit of relaxation holds from 1 s on, got {seconds:g} s")
        log_t = math.log(seconds)
        moved = g_s + (self.shift_us * log_t + (self.growth_us * log_t + self.offset_us) * z) * 1e-6
        return np.clip(moved, self.low_s, self.high_s)


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The spread around the target as measured at some times, the first of which is that of programming."""

    times_s: tuple[float, ...]
    spreads: tuple[Spread, ...]

    def after(self, g_s: Floats, target_s: Floats, seconds: float, z: Floats) -> Floats:
        """The conductance at one of the times."""
        if seconds not in self.times_s:
            known = ", ".join(f"{t:g}" for t in self.times_s)
            raise DeviceError(f"the source gives the spread after {known} s only, got {seconds:g} s")
        now = self.spreads[self.times_s.index(seconds)].sigma_s(target_s)
        return _respread(g_s, target_s, target_s, self.spreads[0].sigma_s(target_s), now, z)


@dataclass(frozen=True, slots=True)
class CurrentDrift:
    """Mean shift and saturating spread of a cell's current, tabled by days and linear in time between them.

    ``shifts`` are polynomials in ascending powers of the target's current in nA, in nA, one a time; ``a_na`` and
    ``b_na`` those of :class:`~archsim.numeric.devices.programming.Saturating`.  The spread is that of the state
    after the shift.
    """

    times_s: tuple[float, ...]
    shifts: tuple[tuple[float, ...], ...]
    a_na: tuple[float, ...]
    b_na: tuple[float, ...]
    read_v: float
    highest_s: float
    """States above this have no fit."""

    def after(self, g_s: Floats, target_s: Floats, seconds: float, z: Floats) -> Floats:
        """The conductance, with mean and spread over the cells as measured."""
        if seconds > self.times_s[-1]:
            raise DeviceError(f"the source gives retention up to {self.times_s[-1]:g} s, got {seconds:g} s")
        if np.any(target_s > self.highest_s * (1 + 1e-9)):
            highest, got = siemens(self.highest_s), siemens(float(target_s.max()))
            raise DeviceError(f"the source gives retention for states up to {highest}, got {got}")
        shift = [float(np.interp(seconds, self.times_s, column)) for column in zip(*self.shifts, strict=True)]
        current_na = target_s * self.read_v * 1e9
        mean_s = target_s + np.polynomial.polynomial.polyval(current_na, shift) * 1e-9 / self.read_v
        mean_s = np.maximum(mean_s, 0.0)
        before, now = self._spread(0.0).sigma_s(target_s), self._spread(seconds).sigma_s(mean_s)
        return _respread(g_s, target_s, mean_s, before, now, z)

    def _spread(self, seconds: float) -> Saturating:
        a, b = (float(np.interp(seconds, self.times_s, column)) for column in (self.a_na, self.b_na))
        return Saturating(a, b, self.read_v)


def _respread(g_s: Floats, target_s: Floats, mean_s: Floats, before: Floats, now: Floats, z: Floats) -> Floats:
    """Errors of spread ``before`` around the target made into errors of spread ``now`` around ``mean_s``."""
    kept = np.divide(now, before, out=np.ones_like(now), where=now < before)
    added = np.sqrt(np.maximum(now**2 - before**2, 0.0))
    return np.maximum(mean_s + kept * (g_s - target_s) + added * z, 0.0)
