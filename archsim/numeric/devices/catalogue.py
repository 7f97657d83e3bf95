"""Devices by name, and what of them can be set."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from archsim.errors import DeviceError, nearest
from archsim.numeric.devices._check import number
from archsim.numeric.devices.device import Device, Pulse
from archsim.numeric.devices.ecram import ECRAM
from archsim.numeric.devices.faults import Temperature
from archsim.numeric.devices.generic import GENERIC
from archsim.numeric.devices.passive import PASSIVE
from archsim.numeric.devices.pcm import PCM
from archsim.numeric.devices.rram import RRAM
from archsim.numeric.devices.sonos import SONOS

__all__ = ["device", "names", "settings"]

_DEVICES: Final[dict[str, Callable[..., Device]]] = GENERIC | PCM | RRAM | SONOS | ECRAM | PASSIVE

_REFUSED: Final = {
    "filamentary-generic": (
        "Table 1 of Zhang et al., Phys. Status Solidi RRL (2019), lists what a synapse wants and no device: it has no "
        "conductances, no programming error and no read noise; use 'generic' with figures of your own"
    )
}

Setting = float | int | str

_RESISTANCES: Final = {"r_off_ohm": "g_min_s", "r_on_ohm": "g_max_s"}
_STUCK: Final = {"stuck_on": "on", "stuck_off": "off", "stuck_within": "within"}
_TEMPERATURE: Final = {
    "reference_k": "reference_k",
    "conductance_per_k": "per_k",
    "conduction_ev": "conduction_ev",
    "retention_ev": "retention_ev",
}
_COMMON: Final = (
    *("g_min_s", "g_max_s", *_RESISTANCES, "levels", *_STUCK, *_TEMPERATURE, "pulse_s", "pulse_v", "endurance"),
)
_ROOM_K: Final = 300.0


def names() -> tuple[str, ...]:
    """The names of all devices, sorted."""
    return tuple(sorted(_DEVICES))


def settings(name: str) -> tuple[str, ...]:
    """What of a device can be set: its own keys first, then those that every device has."""
    own = tuple(inspect.signature(_maker(name)).parameters)
    return (*own, *(key for key in _COMMON if key not in own))


def device(name: str, **overrides: Setting) -> Device:
    """The device of that name, with some of its :func:`settings` changed; what was changed stands in its ``limits``.

    Raises DeviceError for an unknown name or setting, naming the nearest, and for values outside of what the source of
    the device speaks of.
    """
    make, known = _maker(name), settings(name)
    for key in overrides:
        if key not in known:
            hint = nearest(key, known) or f"; there are {', '.join(known)}"
            raise DeviceError(f"{name}: nothing named {key!r:.60} can be set{hint}")
    try:
        given = _conductances(overrides)
        parameters = inspect.signature(make).parameters
        if missing := [k for k, p in parameters.items() if p.default is inspect.Parameter.empty and k not in given]:
            raise DeviceError(f"needs {' and '.join(missing)} (or r_off_ohm and r_on_ohm), which no source gives")
        made = make(**{key: given.pop(key) for key in parameters if key in given})
        made = _with_common(made, given)
    except DeviceError as error:
        text = str(error)
        raise DeviceError(text if text.startswith(f"{name}: ") else f"{name}: {text}") from error
    if not overrides:
        return made
    changed = ", ".join(f"{key} = {value}" for key, value in overrides.items())
    return replace(made, limits=(f"set by the user: {changed}", *made.limits))


def _maker(name: str) -> Callable[..., Device]:
    if name in _REFUSED:
        raise DeviceError(f"{name}: {_REFUSED[name]}")
    if name not in _DEVICES:
        hint = nearest(name, _DEVICES) or f"; there are {', '.join(names())}"
        raise DeviceError(f"no device named {name!r:.100}{hint}")
    return _DEVICES[name]


def _conductances(overrides: dict[str, Setting]) -> dict[str, Setting]:
    """The overrides with resistances as conductances."""
    given = dict(overrides)
    for resistance, conductance in _RESISTANCES.items():
        if resistance in given:
            if conductance in given:
                raise DeviceError(f"{resistance} and {conductance} say the same; give one of them")
            given[conductance] = 1.0 / number(resistance, given.pop(resistance), 0.0, open_low=True)
    for conductance in _RESISTANCES.values():
        if conductance in given:
            given[conductance] = number(conductance, given[conductance], 0.0)
    return given


def _with_common(made: Device, given: dict[str, Setting]) -> Device:
    """``made`` with the settings that every device has."""
    if spans := {key: float(given[key]) for key in ("g_min_s", "g_max_s") if key in given}:
        made = replace(made, **spans)  # type: ignore[arg-type]
    if "levels" in given:
        made = replace(made, levels=_whole("levels", given["levels"]))
    if shares := {to: number(key, given[key], 0.0, 1.0) for key, to in _STUCK.items() if key in given}:
        made = replace(made, stuck_cells=replace(made.stuck_cells, **shares))
    if heat := {to: number(key, given[key], *_limits(key)) for key, to in _TEMPERATURE.items() if key in given}:
        made = replace(made, temperature=Temperature(**({"reference_k": _ROOM_K} | heat)))
    if "pulse_s" in given or "pulse_v" in given:
        width = given.get("pulse_s", made.pulse.width_s if made.pulse else None)
        volts = given.get("pulse_v", made.pulse.volts if made.pulse else None)
        if width is None:
            raise DeviceError("pulse_v needs pulse_s, which the source does not give")
        volts = None if volts is None else number("pulse_v", volts, 0.0)
        made = replace(made, pulse=Pulse(number("pulse_s", width, 0.0, open_low=True), volts))
    if "endurance" in given:
        made = replace(made, endurance=number("endurance", given["endurance"], 1.0))
    return made


def _limits(key: str) -> tuple[float, float]:
    return (1.0, 10_000.0) if key == "reference_k" else (-100.0, 100.0)


def _whole(key: str, value: Setting) -> int:
    if number(key, value, 2) != int(value):
        raise DeviceError(f"{key} must be a whole number, got {value!r}")
    return int(value)
