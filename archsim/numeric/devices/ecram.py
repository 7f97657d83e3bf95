"""Electrochemical cells: the channel's conductance is moved pulse by pulse by ions from the gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from archsim.numeric.devices._check import number
from archsim.numeric.devices.device import Device, Pulse
from archsim.numeric.devices.pulses import LinearStep

__all__ = ["ECRAM"]

_PRESET_LIMITS: Final = (
    "the source is on a scale without units: g_min_s and g_max_s are the user's and stand for its bounds",
    "every cell starts at g_min; the spread of bounds and of the slopes from cell to cell in the source is left out",
    "pulse width and amplitude, retention, read noise, temperature and wear are not in the source",
)


def _preset(
    name: str,
    source: str,
    span_s: tuple[float, float],
    step: float,
    bounds: tuple[float, float],
    gammas: tuple[float, float],
    noise: float,
) -> Device:
    return Device(
        name=name,
        source=source,
        g_min_s=span_s[0],
        g_max_s=span_s[1],
        valid_s=(0.0, span_s[1]),
        programming=LinearStep(step, *bounds, *gammas, noise, 0.1, *span_s),
        retention=None,
        read_noise=None,
        operation="pulse",
        limits=_PRESET_LIMITS,
    )


def ecram_tang(g_min_s: float, g_max_s: float) -> Device:
    """Li ions in WO3."""
    source = "IBM/aihwkit, preset EcRam, a fit to Tang et al., IEDM (2018)"
    return _preset("ecram-tang", source, (g_min_s, g_max_s), 0.002, (-0.8276, 1.1724), (0.1153, 0.5085), 0.3)


def ecram_kim(g_min_s: float, g_max_s: float) -> Device:
    """Metal-oxide."""
    source = "IBM/aihwkit, preset EcRamMO, after Kim et al., IEDM (2019)"
    return _preset("ecram-kim", source, (g_min_s, g_max_s), 2.8214e-4, (-0.8286, 1.1714), (0.4152, 0.7342), 2.0)


def ecram_lista(
    steps: float = 0.0, step_noise: float = 0.0, g_min_s: float = 0.8e-6, g_max_s: float = 2.2e-6
) -> Device:
    """Li ions in anatase TiO2, 0.8 to 2.2 µS; ``steps`` pulses span the range, each with a relative ``step_noise``."""
    number("steps", steps, 0.0)
    number("step_noise", step_noise, 0.0)
    step = 2.0 / steps if steps > 0.0 else None
    return Device(
        name="ecram-lista",
        source=(
            "slides on ion-insertion electrodes for neuromorphic computing: LISTA, a LixTiO2 (anatase) ion-insertion "
            "transistor"
        ),
        g_min_s=g_min_s,
        g_max_s=g_max_s,
        valid_s=(0.8e-6, 2.2e-6),
        programming=LinearStep(step, -1.0, 1.0, 0.0, 0.0, step_noise, 0.0, g_min_s, g_max_s),
        retention=None,
        read_noise=None,
        pulse=Pulse(width_s=0.1),
        operation="pulse",
        limits=(
            "the source gives the range, that steps are even, and pulses of 100 ms at 150 mV on the gate; it gives "
            "neither the size nor the scatter of a step, so nothing can be programmed until 'steps' is set",
            "energy is unknown: the pulse is on the gate, whose current the source does not give",
            "retention (called non-volatile, without a figure), read noise, temperature and wear are not in the source",
        ),
    )


ECRAM: Final[dict[str, Callable[..., Device]]] = {
    "ecram-tang": ecram_tang,
    "ecram-kim": ecram_kim,
    "ecram-lista": ecram_lista,
}
