"""The generic device: every number is the user's, and without any it is ideal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from archsim.errors import DeviceError, nearest
from archsim.numeric.devices._check import number
from archsim.numeric.devices.curves import Constant
from archsim.numeric.devices.device import EXACT, Device
from archsim.numeric.devices.programming import Lognormal, Normal, Polynomial, Programming
from archsim.numeric.devices.reading import Current, Ohmic, Quiet, ReadNoise, Sinh, White
from archsim.numeric.devices.retention import PowerLaw, Retention, Unchanging

__all__ = ["GENERIC"]


def generic(
    g_min_s: float,
    g_max_s: float,
    *,
    error: str = "normal",
    sigma: float = 0.0,
    sigma_of: str = "value",
    read_sigma: float = 0.0,
    read_sigma_of: str = "value",
    nu: float = 0.0,
    nu_std: float = 0.0,
    t0_s: float = 1.0,
    sinh_v0: float = 0.0,
) -> Device:
    """Programming error, read noise, drift and current as given; see ``docs/devices.md`` for each key."""
    span_s = g_max_s - g_min_s
    return Device(
        name="generic",
        source="set by the user",
        g_min_s=g_min_s,
        g_max_s=g_max_s,
        valid_s=(0.0, g_max_s),
        programming=_programming(error, number("sigma", sigma, 0.0), _chosen("sigma_of", sigma_of, _OF), span_s),
        retention=_retention(nu, nu_std, t0_s, g_max_s),
        read_noise=_noise(number("read_sigma", read_sigma, 0.0), _chosen("read_sigma_of", read_sigma_of, _OF), span_s),
        current=_current(number("sinh_v0", sinh_v0, 0.0)),
        operation="pulse",
    )


_OF: Final = ("value", "range")


def _chosen(key: str, value: str, words: tuple[str, ...]) -> str:
    if value not in words:
        raise DeviceError(f"{key} is one of {', '.join(words)}, got {value!r:.60}{nearest(str(value), words)}")
    return value


def _programming(error: str, sigma: float, of: str, span_s: float) -> Programming:
    _chosen("error", error, ("normal", "lognormal"))
    if sigma == 0.0:
        return EXACT
    if error == "lognormal":
        if of != "value":
            raise DeviceError("a lognormal error is relative to the value; sigma_of must be 'value'")
        return Lognormal(sigma)
    return Normal(_share(sigma, of, span_s))


def _share(sigma: float, of: str, span_s: float) -> Polynomial:
    return Polynomial((0.0, sigma)) if of == "value" else Polynomial((sigma * span_s * 1e6,))


def _noise(sigma: float, of: str, span_s: float) -> ReadNoise:
    return White(_share(sigma, of, span_s)) if sigma > 0.0 else Quiet()


def _retention(nu: float, nu_std: float, t0_s: float, g_max_s: float) -> Retention:
    number("nu", nu, -10.0, 10.0)
    number("nu_std", nu_std, 0.0, 10.0)
    number("t0_s", t0_s, 0.0, open_low=True)
    if nu == 0.0 and nu_std == 0.0:
        return Unchanging()
    return PowerLaw(t0_s, g_max_s, Constant(nu), Constant(nu_std), folded=False)


def _current(sinh_v0: float) -> Current:
    return Sinh(sinh_v0) if sinh_v0 > 0.0 else Ohmic()


GENERIC: Final[dict[str, Callable[..., Device]]] = {"generic": generic}
