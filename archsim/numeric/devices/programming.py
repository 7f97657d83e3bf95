"""How far from its target a cell ends up: the spread of a programming operation, and write-and-verify.

A law says what one programming operation does.  For a measured device that operation is whatever the source counts as
one: often a whole iterative sequence, whose spread at the end was measured.

Write-and-verify repeats the operation until the cell reads within the tolerance.  Each operation is taken as a fresh
draw, independent of the ones before; so the number of operations is geometric and the accepted value is the same
distribution cut at the tolerance.  Both are drawn from their closed forms, two uniform numbers a cell, and not by
repetition: it costs the same however many operations a cell needs, and cells stay independent of each other's order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from archsim.errors import DeviceError
from archsim.numeric.devices._check import Floats

__all__ = ["Lognormal", "Normal", "Outcome", "Polynomial", "Programming", "Saturating", "Spread", "Tuned"]

_FARTHEST: Final = 9.0
"""Standard normal deviates are kept within this; what lies beyond has a probability below 1e-18."""

_MICRO: Final = 1e-6
_NANO: Final = 1e-9


class Outcome(NamedTuple):
    """What programming left: conductances in siemens, operations a cell (None where unknown), cells that failed."""

    g_s: Floats
    pulses: NDArray[np.int64] | None
    failed: NDArray[np.bool_]


class Programming(Protocol):
    """One programming operation, and its repetition until a cell is within a tolerance."""

    @property
    def exact(self) -> bool:
        """Whether cells land exactly on their targets."""
        ...

    @property
    def patience(self) -> int:
        """After how many operations write-and-verify gives a cell up, unless told otherwise."""
        ...

    def sigma_s(self, target_s: Floats) -> Floats:
        """Standard deviation of the conductance around ``target_s``, before the limit at zero cuts it."""
        ...

    def one_shot(self, target_s: Floats, rng: Generator) -> Outcome:
        """One operation for each cell."""
        ...

    def verified(self, target_s: Floats, tolerance_s: Floats, most: int, rng: Generator) -> Outcome:
        """Operations until each cell is within ``tolerance_s`` of its target, at most ``most``."""
        ...

    def finished(self, target_s: Floats, tolerance_s: Floats | None, most: int) -> Floats | None:
        """The share of cells that are done with after 0, 1, … operations, over all targets; the last is 1, since no
        cell gets more than ``most``.  Without a tolerance, what is left at the first sight counts as done.  None where
        the number of operations is not known."""
        ...


class Spread(Protocol):
    """A standard deviation as a function of the target state."""

    def sigma_s(self, target_s: Floats) -> Floats:
        """Standard deviation in siemens, of the shape of ``target_s``."""
        ...


@dataclass(frozen=True, slots=True)
class Polynomial:
    """sigma = max(0, sum c_i u^i) in µS with u = g / ``unit_s``; coefficients in ascending powers."""

    coefficients: tuple[float, ...]
    unit_s: float = _MICRO

    def sigma_s(self, target_s: Floats) -> Floats:
        """Standard deviation in siemens."""
        value = np.polynomial.polynomial.polyval(target_s / self.unit_s, self.coefficients)
        return np.asarray(np.maximum(value, 0.0) * _MICRO, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Saturating:
    """sigma_I = A (1 - exp(-I / B)) of the current I = g ``read_v``; A and B in nA."""

    a_na: float
    b_na: float
    read_v: float

    def sigma_s(self, target_s: Floats) -> Floats:
        """Standard deviation of the current over the read voltage, in siemens."""
        current_na = target_s * self.read_v / _NANO
        return -self.a_na * np.expm1(-np.maximum(current_na, 0.0) / self.b_na) * _NANO / self.read_v


class _Redrawn:
    """Programming whose every operation is a monotone function of a fresh standard normal deviate."""

    __slots__ = ()

    patience = 1000

    def value(self, target_s: Floats, z: Floats) -> Floats:
        """The conductance at the deviate ``z``."""
        raise NotImplementedError

    def deviate(self, target_s: Floats, g_s: Floats) -> Floats:
        """The deviate from which on the conductance is above ``g_s``; infinite where every one is, or none."""
        raise NotImplementedError

    def finished(self, target_s: Floats, tolerance_s: Floats | None, most: int) -> Floats:
        """After k operations the mean over targets of 1 - (1 - p)^k, p the chance to land within the tolerance."""
        from scipy.special import ndtr  # noqa: PLC0415 - slow to import, and runs without devices need none of it

        if tolerance_s is None:
            return np.array([0.0, 1.0])
        low, high = self.deviate(target_s, target_s - tolerance_s), self.deviate(target_s, target_s + tolerance_s)
        outside = 1.0 - (ndtr(high) - ndtr(low)).reshape(-1)
        with np.errstate(invalid="ignore"):
            share = 1.0 - np.mean(outside[:, None] ** np.arange(most + 1), axis=0)
        share[0], share[-1] = 0.0, 1.0
        return np.asarray(share[: int(np.argmax(share >= 1.0)) + 1], np.float64)

    def one_shot(self, target_s: Floats, rng: Generator) -> Outcome:
        """One normal deviate a cell."""
        g_s = self.value(target_s, rng.standard_normal(target_s.shape))
        return Outcome(g_s, np.ones(target_s.shape, np.int64), np.zeros(target_s.shape, np.bool_))

    def verified(self, target_s: Floats, tolerance_s: Floats, most: int, rng: Generator) -> Outcome:
        """Geometric number of operations, and the distribution of one operation cut at the tolerance.

        A cell that is given up keeps what its last operation left, which is outside of the tolerance.
        """
        from scipy.special import ndtr, ndtri  # noqa: PLC0415 - as above

        u = rng.random((*target_s.shape, 2))  # of one cell side by side: chunks draw what the whole would
        low, high = self.deviate(target_s, target_s - tolerance_s), self.deviate(target_s, target_s + tolerance_s)
        below, within = ndtr(low), ndtr(high) - ndtr(low)
        with np.errstate(divide="ignore", invalid="ignore"):
            tries = 1.0 + np.floor(np.log1p(-u[..., 0]) / np.log1p(-within))
        tries = np.where(within > 0.0, tries, math.inf)
        failed = tries > most
        outside = u[..., 1] * (1.0 - within)
        share = np.where(failed, outside + np.where(outside < below, 0.0, within), below + u[..., 1] * within)
        z = np.clip(ndtri(share), -_FARTHEST, _FARTHEST)
        g_s = self.value(target_s, np.where(failed, z, np.clip(z, low, high)))
        return Outcome(g_s, np.minimum(tries, most).astype(np.int64), failed)


@dataclass(frozen=True, slots=True)
class Normal(_Redrawn):
    """g = max(0, target + sigma(target) z), z standard normal: what would be negative is zero."""

    spread: Spread

    @property
    def exact(self) -> bool:
        """Whether sigma is zero for every target."""
        return isinstance(self.spread, Polynomial) and not any(self.spread.coefficients)

    def sigma_s(self, target_s: Floats) -> Floats:
        """Before the cut at zero."""
        return self.spread.sigma_s(target_s)

    def value(self, target_s: Floats, z: Floats) -> Floats:
        """The conductance at the deviate ``z``."""
        return np.maximum(target_s + self.sigma_s(target_s) * z, 0.0)

    def deviate(self, target_s: Floats, g_s: Floats) -> Floats:
        """(g - target) / sigma; minus infinity where ``g_s`` is not above zero, since nothing ends below zero."""
        with np.errstate(divide="ignore"):
            return np.where(g_s > 0.0, (g_s - target_s) / self.sigma_s(target_s), -math.inf)


@dataclass(frozen=True, slots=True)
class Lognormal(_Redrawn):
    """g = target exp(sigma z), z standard normal: the target is the median, the mean is target exp(sigma² / 2)."""

    sigma: float

    @property
    def exact(self) -> bool:
        """Whether sigma is zero."""
        return self.sigma == 0.0

    def sigma_s(self, target_s: Floats) -> Floats:
        """target exp(sigma² / 2) sqrt(exp(sigma²) - 1)."""
        return target_s * math.exp(self.sigma**2 / 2) * math.sqrt(math.expm1(self.sigma**2))

    def value(self, target_s: Floats, z: Floats) -> Floats:
        """The conductance at the deviate ``z``."""
        return target_s * np.exp(self.sigma * z)

    def deviate(self, target_s: Floats, g_s: Floats) -> Floats:
        """ln(g / target) / sigma; minus infinity where ``g_s`` is not above zero."""
        with np.errstate(divide="ignore"):
            return np.where(g_s > 0.0, np.log(np.maximum(g_s, 0.0) / target_s) / self.sigma, -math.inf)


@dataclass(frozen=True, slots=True)
class Tuned:
    """A device whose source gives only to what accuracy it was tuned; the error is uniform within the tolerance.

    That it is uniform is an assumption, and so is that every cell that is not stuck can be tuned.
    """

    finest: float
    """The finest relative accuracy that the source demonstrates."""

    exact = False
    patience = 1

    def finished(self, target_s: Floats, tolerance_s: Floats | None, most: int) -> None:
        """Not known: the source gives no number of pulses."""
        return None

    def sigma_s(self, target_s: Floats) -> Floats:
        """Refused: the spread follows from the tolerance."""
        raise DeviceError("the source gives no programming error, only the accuracy of tuning")

    def one_shot(self, target_s: Floats, rng: Generator) -> Outcome:
        """Refused."""
        raise DeviceError(
            "the source gives no error of a single programming pulse; use write-and-verify with a tolerance"
            f" of {self.finest:g} or more"
        )

    def verified(self, target_s: Floats, tolerance_s: Floats, most: int, rng: Generator) -> Outcome:
        """One uniform number a cell; how many pulses it takes is not known."""
        share = float(np.min(tolerance_s / np.maximum(target_s, np.finfo(np.float64).tiny), initial=math.inf))
        if share < self.finest * (1 - 1e-9):
            raise DeviceError(
                f"a tolerance of {share:.3g} of the target is finer than the source demonstrates ({self.finest:g})"
            )
        error = (2.0 * rng.random(target_s.shape) - 1.0) * tolerance_s
        return Outcome(np.maximum(target_s + error, 0.0), None, np.zeros(target_s.shape, np.bool_))
