"""The transfer curve of the converters: range, step and edges."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.numeric.config import AdcConfig

__all__ = ["Curve", "bent", "bow", "curve_of", "edges_of"]


class Curve(NamedTuple):
    """A converter that gives code c = low + floor(clip(y / step + shift, 0, top)), which stands for c step."""

    step: float
    low: float
    top: int
    shift: float


def curve_of(adc: AdcConfig, low: float, high: float, fixed: bool) -> Curve:
    """The curve for sums from ``low`` to ``high`` in units; ``fixed`` leaves a step below one unit as it is.

    A range that begins at or above 0 takes codes 0 … 2^b - 1, else -2^(b-1) … 2^(b-1) - 1 with the code 0 at 0; one
    bit then tells signs apart, as ±1/2 step.  With ``zero: between`` the range is cut evenly from end to end.
    """
    assert adc.bits is not None
    rounds = 0.0 if adc.type in ("oscillator", "time-to-digital", "integrate-and-fire") else 0.5
    codes = 2**adc.bits
    if low >= 0:
        step = high / (codes - 1)
        step = step if fixed else max(step, 1.0)
        return Curve(step, 0.0, codes - 1, rounds)
    most = max(high, -low)
    if adc.bits == 1:
        return Curve(most, -0.5, 1, 1.0)
    if adc.zero == "between":
        return Curve(2.0 * most / (codes - 1), -(codes - 1) / 2.0, codes - 1, (codes - 1) / 2.0 + rounds)
    step = most / (codes // 2 - 1)
    step = step if fixed else max(step, 1.0)
    return Curve(step, -codes // 2, codes - 1, codes // 2 + rounds)


def bow(share: NDArray[np.float64], height: float) -> NDArray[np.float64]:
    """A parabola over 0 … 1 that is ``height`` at the middle and 0 at both ends."""
    return 4.0 * height * share * (1.0 - share)


def edges_of(adc: AdcConfig, curve: Curve, rng: np.random.Generator) -> NDArray[np.float64]:
    """Where each code begins, in steps: k, bent by ``inl`` and by code widths of 1 + N(0, ``dnl``).

    Offset and gain are taken as calibrated: the ends stay, and so does the middle of a signed range, where ``inl``
    bends each half outwards.  No code has less than no width.
    """
    k = np.arange(curve.top + 1, dtype=np.float64)
    middle = -curve.low if curve.low < 0 else 0.0
    reach = np.where(k < middle, middle, curve.top - middle)
    side = np.where(k < middle, -1.0, 1.0)
    edges = k + side * bow(np.abs(k - middle) / np.maximum(reach, 1.0), adc.inl)
    if adc.dnl > 0 and curve.top > 1:
        walk = np.cumsum(rng.standard_normal(curve.top + 1) * adc.dnl)
        fixed = [0.0, middle, float(curve.top)]
        edges += walk - np.interp(k, fixed, np.interp(fixed, k, walk))
    return np.maximum.accumulate(edges)


def bent(sums: NDArray[np.floating], curve: Curve, edges: NDArray[np.float64]) -> NDArray[np.floating]:
    """``sums`` as a converter of endless resolution with these ``edges`` would give them; unchanged out of range."""
    u = sums / curve.step + curve.shift
    inside = (u >= edges[0]) & (u <= edges[-1])
    straight = np.interp(u, edges, np.arange(curve.top + 1, dtype=np.float64))
    return np.ascontiguousarray(np.where(inside, (straight - curve.shift) * curve.step, sums))
