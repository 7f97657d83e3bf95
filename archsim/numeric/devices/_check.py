"""Checks of what comes in: arrays of conductances, times, temperatures, shares."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archsim.errors import DeviceError

__all__ = ["Floats", "conductances", "number", "same_shape", "siemens", "voltages"]

Floats = NDArray[np.float64]

_ROUNDING: Final = 1e-9
"""How far beyond a limit a value may lie, relative to the limit, and still count as the limit; float32 may by its own
rounding."""


def siemens(value: float) -> str:
    """A conductance as messages show it: ``25 µS``."""
    return f"{value * 1e6:.6g} µS"


def number(what: str, value: object, low: float, high: float = math.inf, *, open_low: bool = False) -> float:
    """``value`` as a float from ``low`` to ``high``; DeviceError for all else, NaN and infinities included."""
    fits = (
        isinstance(value, int | float | np.integer | np.floating)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and (low < value if open_low else low <= value)
        and value <= high
    )
    if not fits:
        least = f"above {low:g}" if open_low else f"at least {low:g}"
        bounds = least if math.isinf(high) else f"{least} and at most {high:g}"
        raise DeviceError(f"{what} must be a number {bounds}, got {value!r:.60}")
    return float(value)  # type: ignore[arg-type]


def conductances(what: str, values: ArrayLike, low_s: float, high_s: float) -> Floats:
    """``values`` in siemens as float64, each from ``low_s`` to ``high_s``; names the first that is not, and its place.

    What lies outside by rounding alone is moved onto the limit.
    """
    array = _numbers(what, values)
    single = np.asarray(values).dtype == np.float32
    slack = (1e-6 if single else _ROUNDING) * (high_s if math.isfinite(high_s) else 0.0)
    _refuse(what, array, ~np.isfinite(array), "not a finite number")
    if low_s == 0.0:
        _refuse(what, array, array < 0.0, "negative")
    else:
        _refuse(what, array, array < low_s - slack, f"below {siemens(low_s)}")
    _refuse(what, array, array > high_s + slack, f"above {siemens(high_s)}")
    return np.clip(array, low_s, high_s)


def voltages(values: ArrayLike, most_v: float) -> Floats:
    """``values`` in volts as float64, none beyond ``most_v`` in either direction."""
    array = _numbers("voltage", values)
    _refuse("voltage", array, ~np.isfinite(array), "not a finite number", " V", 1.0)
    _refuse("voltage", array, np.abs(array) > most_v * (1 + _ROUNDING), f"beyond ±{most_v:g} V", " V", 1.0)
    return array


def same_shape(first: str, a: Floats, second: str, b: Floats) -> None:
    """DeviceError unless both arrays have one shape."""
    if a.shape != b.shape:
        raise DeviceError(f"{first} and {second} must have one shape, got {a.shape} and {b.shape}")


def _numbers(what: str, values: ArrayLike) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise DeviceError(f"{what} must be an array of real numbers, got {array.dtype}")
    return array.astype(np.float64)


def _refuse(
    what: str, array: Floats, wrong: NDArray[np.bool_], why: str, unit: str = " µS", scale: float = 1e6
) -> None:
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = f" at {list(first)}" if first else ""
        raise DeviceError(f"{what}{place} is {why}: {array[first] * scale:.6g}{unit}")
