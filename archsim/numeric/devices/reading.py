"""What a read adds: noise of the conductance, and the current at a voltage."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from archsim.errors import DeviceError
from archsim.numeric.devices._check import Floats
from archsim.numeric.devices.curves import Curve
from archsim.numeric.devices.programming import Spread

__all__ = ["Cubic", "Current", "Flicker", "FlickerLog", "Ohmic", "Quiet", "ReadNoise", "Sinh", "White"]


class ReadNoise(Protocol):
    """Standard deviation of the conductance from read to read."""

    def sigma_s(self, g_s: Floats, target_s: Floats, seconds: float, read_time_s: float | None) -> Floats:
        """In siemens, ``seconds`` after programming, for a read that lasts ``read_time_s`` (None: the source's)."""
        ...


@dataclass(frozen=True, slots=True)
class Quiet:
    """No read noise."""

    def sigma_s(self, g_s: Floats, target_s: Floats, seconds: float, read_time_s: float | None) -> Floats:
        """Zero."""
        return np.zeros_like(g_s)


@dataclass(frozen=True, slots=True)
class White:
    """The same at every time, a function of the conductance at which the cell stands."""

    spread: Spread

    def sigma_s(self, g_s: Floats, target_s: Floats, seconds: float, read_time_s: float | None) -> Floats:
        """The standard deviation of one read."""
        if read_time_s is not None:
            raise DeviceError("read noise does not depend on the read time in this model; leave out read_time_s")
        return self.spread.sigma_s(g_s)


@dataclass(frozen=True, slots=True)
class Flicker:
    """1/f noise, S_G / G² = Q² / f, integrated from 1 / (T + t_read) to 1 / (2 t_read); T = t + t0 is the state's age.

    sigma = g Q(target / g_ref) sqrt(ln((T + t_read) / (2 t_read))).
    """

    q: Curve
    g_ref_s: float
    t0_s: float
    t_read_s: float

    def sigma_s(self, g_s: Floats, target_s: Floats, seconds: float, read_time_s: float | None) -> Floats:
        """The standard deviation of one read."""
        band = _band(seconds + self.t0_s, self.t_read_s if read_time_s is None else read_time_s)
        return np.asarray(g_s * self.q(target_s / self.g_ref_s) * band)


@dataclass(frozen=True, slots=True)
class FlickerLog:
    """sigma = K log10(g / µS) sqrt(ln((t + t_read) / (2 t_read))) in µS; no noise below 1 µS, where the fit ends."""

    k: float
    t_read_s: float

    def sigma_s(self, g_s: Floats, target_s: Floats, seconds: float, read_time_s: float | None) -> Floats:
        """The standard deviation of one read."""
        band = _band(seconds, self.t_read_s if read_time_s is None else read_time_s)
        return np.asarray(self.k * np.log10(np.maximum(g_s * 1e6, 1.0)) * band * 1e-6)


def _band(age_s: float, read_s: float) -> float:
    """sqrt(ln((T + t_read) / (2 t_read))); zero for a state that is younger than the read is long."""
    return math.sqrt(max(math.log((age_s + read_s) / (2.0 * read_s)), 0.0))


class Current(Protocol):
    """Current against voltage of a cell whose conductance near 0 V is g.  No checks: a solver calls these."""

    @property
    def most_v(self) -> float:
        """The highest voltage, in either direction, for which the source gives the current."""
        ...

    def current_a(self, g_s: Floats, v: Floats) -> Floats:
        """The current in ampere."""
        ...

    def slope_s(self, g_s: Floats, v: Floats) -> Floats:
        """dI/dV in siemens."""
        ...


@dataclass(frozen=True, slots=True)
class Ohmic:
    """I = g V."""

    most_v: float = math.inf

    def current_a(self, g_s: Floats, v: Floats) -> Floats:
        """The current in ampere."""
        return np.asarray(g_s * v)

    def slope_s(self, g_s: Floats, v: Floats) -> Floats:
        """dI/dV in siemens."""
        return np.asarray(g_s + 0.0 * v)


@dataclass(frozen=True, slots=True)
class Sinh:
    """I = g V0 sinh(V / V0)."""

    v0: float
    most_v: float = math.inf

    def current_a(self, g_s: Floats, v: Floats) -> Floats:
        """The current in ampere."""
        return np.asarray(g_s * self.v0 * np.sinh(v / self.v0))

    def slope_s(self, g_s: Floats, v: Floats) -> Floats:
        """dI/dV in siemens."""
        return np.asarray(g_s * np.cosh(v / self.v0))


@dataclass(frozen=True, slots=True)
class Cubic:
    """I = g V + NL2 V² + NL3 V³, both NL polynomials of log10(g / S) in descending powers.

    A conductance outside of [low, high], where faults and programming errors may lead, has the curve of the limit in
    proportion.
    """

    nl2: tuple[float, ...]
    nl3: tuple[float, ...]
    low_s: float
    high_s: float
    most_v: float

    def current_a(self, g_s: Floats, v: Floats) -> Floats:
        """The current in ampere."""
        nl2, nl3 = self._relative(g_s)
        return np.asarray(g_s * v * (1.0 + v * (nl2 + v * nl3)))

    def slope_s(self, g_s: Floats, v: Floats) -> Floats:
        """dI/dV in siemens."""
        nl2, nl3 = self._relative(g_s)
        return np.asarray(g_s * (1.0 + v * (2.0 * nl2 + 3.0 * v * nl3)))

    def _relative(self, g_s: Floats) -> tuple[Floats, Floats]:
        """NL2 / g and NL3 / g."""
        inside = np.clip(g_s, self.low_s, self.high_s)
        log_g = np.log10(inside)
        return np.polyval(self.nl2, log_g) / inside, np.polyval(self.nl3, log_g) / inside
