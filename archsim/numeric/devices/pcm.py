"""Phase-change memory: mushroom cells after Joshi et al. 2020, and the cells of IBM's HERMES chip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from archsim.numeric.devices.curves import CappedPower, ClippedLog, Curve, Powers, Split
from archsim.numeric.devices.device import Device
from archsim.numeric.devices.programming import Normal, Polynomial
from archsim.numeric.devices.reading import Flicker
from archsim.numeric.devices.retention import PowerLaw

__all__ = ["PCM"]

_ABSOLUTE: Final = (
    "states are on the source's own scale: a lower g_max uses part of the range and does not rescale the fits"
)
_TARGET: Final = (
    "the exponent of drift and the strength of read noise follow the target state; the code of the source takes the "
    "programmed state for read noise, its documentation the target"
)
_NOT_GIVEN: Final = "temperature, nonlinear current, wear and stuck cells are not in the source"


def pcm_aihwkit() -> Device:
    """g_max 25 µS; programming error, drift, 1/f noise."""
    return Device(
        name="pcm-aihwkit",
        source=(
            "IBM/aihwkit, PCMLikeNoiseModel (inference/noise/pcm.py); measured on a million mushroom cells: Joshi et "
            "al., Nat. Commun. 11, 2473 (2020); Nandakumar et al., ICECS (2019)"
        ),
        g_min_s=0.0,
        g_max_s=25e-6,
        valid_s=(0.0, 25e-6),
        programming=Normal(Polynomial((0.26348, 1.9650, -1.1731), unit_s=25e-6)),
        retention=PowerLaw(
            t0_s=20.0,
            g_ref_s=25e-6,
            nu_mean=ClippedLog(-0.0155, 0.0244, 0.049, 0.1),
            nu_std=ClippedLog(-0.0125, -0.0059, 0.008, 0.045),
            folded=True,
        ),
        read_noise=Flicker(CappedPower(0.0088, 0.65, 0.2), g_ref_s=25e-6, t0_s=20.0, t_read_s=250e-9),
        limits=(_ABSOLUTE, _TARGET, _NOT_GIVEN),
    )


def pcm_joshi() -> Device:
    """0.25 to 25 µS; programming error."""
    return Device(
        name="pcm-joshi",
        source="sandialabs/cross-sim, PCMJoshi; quadratic fit to Fig. 3b of Joshi et al., Nat. Commun. 11, 2473 (2020)",
        g_min_s=0.25e-6,
        g_max_s=25e-6,
        valid_s=(0.0, 25e-6),
        programming=Normal(Polynomial((0.28638599, 0.07585724, -0.00178767))),
        retention=None,
        read_noise=None,
        limits=(
            "the range starts at 0.25 µS: the source suggests an on/off ratio of 100",
            "drift and read noise are not in this source",
            _NOT_GIVEN,
        ),
    )


_HERMES_SOURCE: Final = (
    "IBM/aihwkit, HermesNoiseModel (inference/noise/hermes.py); cells of the HERMES chip: Le Gallo et al., "
    "Nat. Electron. (2023); Khaddam-Aljameh et al., JSSC (2022); programming with two devices: Vasilopoulos et al., "
    "TED (2023)"
)
_HERMES_NU: Final = Split(0.0945, ClippedLog(-0.0387, -0.0182, 0.072, 0.13), Powers((0.0736, -0.0126, -0.0436)))


def _hermes(
    name: str, g_max_s: float, t0_s: float, sigma: tuple[float, ...], nu_std: Curve, q: Curve, *limits: str
) -> Device:
    return Device(
        name=name,
        source=_HERMES_SOURCE,
        g_min_s=0.0,
        g_max_s=g_max_s,
        valid_s=(0.0, g_max_s),
        programming=Normal(Polynomial(sigma, unit_s=g_max_s)),
        retention=PowerLaw(t0_s, g_max_s, _HERMES_NU, nu_std, folded=True),
        read_noise=Flicker(q, g_max_s, t0_s, t_read_s=512e-9),
        limits=(*limits, _ABSOLUTE, _TARGET, _NOT_GIVEN),
    )


def pcm_hermes() -> Device:
    """Two devices a weight polarity, together up to 20.7 µS."""
    return _hermes(
        "pcm-hermes",
        20.7e-6,
        300.0,
        (0.16603222, 4.71806468, -8.48101252, 4.68961419),
        Split(0.3055, ClippedLog(-0.0117, -0.0057, 0.0091, 0.04), Powers((0.0073, 0.0093, -0.0118))),
        Split(0.16, ClippedLog(-0.0117, -0.0069, 0.015, 0.04), Powers((0.0123, 0.0211, -0.0280, 0.0069))),
        "the conductance is that of both devices together, taken as equal in state",
    )


def pcm_hermes_single() -> Device:
    """One device a weight polarity, up to 10.35 µS."""
    return _hermes(
        "pcm-hermes-single",
        10.35e-6,
        200.0,
        (0.15781817, 2.32443916, -2.16310839, 0.68841818),
        Split(0.3039, ClippedLog(-0.0120, -0.0023, 0.0124, 0.04), Powers((0.0104, 0.0116, -0.0165))),
        Split(0.1591, ClippedLog(-0.0078, 0.0038, 0.0179, 0.04), Powers((0.0088, 0.0768, -0.1352, 0.0664))),
    )


PCM: Final[dict[str, Callable[..., Device]]] = {
    "pcm-aihwkit": pcm_aihwkit,
    "pcm-joshi": pcm_joshi,
    "pcm-hermes": pcm_hermes,
    "pcm-hermes-single": pcm_hermes_single,
}
