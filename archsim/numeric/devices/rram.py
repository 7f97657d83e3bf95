"""Filamentary resistive memory: HfO2 multilevel cells, the cells of NeuRRAM, and CMO/HfOx cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from archsim.errors import DeviceError
from archsim.numeric.devices.device import Device
from archsim.numeric.devices.programming import Normal, Polynomial
from archsim.numeric.devices.reading import Cubic, FlickerLog
from archsim.numeric.devices.retention import Logarithmic, Snapshots

__all__ = ["RRAM"]

_NOT_GIVEN: Final = "temperature, wear and stuck cells are not in the source"
_DAY: Final = 86400.0


def rram_milo() -> Device:
    """50 to 225 µS; programming error and nonlinear current."""
    return Device(
        name="rram-milo",
        source=(
            "sandialabs/cross-sim, RRAMMilo; fits to Figs. 1 and 4 (IGVVA-100) of Milo et al., IRPS (2021), HfO2 "
            "multilevel cells"
        ),
        g_min_s=50e-6,
        g_max_s=225e-6,
        valid_s=(50e-6, 225e-6),
        programming=Normal(Polynomial((4.782321, -0.009107))),
        retention=None,
        read_noise=None,
        current=Cubic(
            nl2=(0.0001388, 0.001541, 0.005711, 0.007063),
            nl3=(8.8710e-05, 6.7919e-04, 1.2968e-03),
            low_s=50e-6,
            high_s=225e-6,
            most_v=0.5,
        ),
        limits=(
            "the current is measured from 62.5 to 110 µS; above, the source pulls it towards a straight line at 225 "
            "µS, an assumption of its authors; below, it extrapolates",
            "the printed coefficients of the current cancel: their last digits move NL2 by up to 1.6e-5 A/V²",
            "programming errors may lead outside of the range, where the current has the curve of the limit in "
            "proportion",
            f"retention and read noise; {_NOT_GIVEN}",
        ),
    )


def rram_wan() -> Device:
    """Up to 39.26 µS; error 1 s after programming."""
    return Device(
        name="rram-wan",
        source=(
            "sandialabs/cross-sim, RRAMWan; cubic fit to Extended Data Fig. 3 (1 s) of Wan et al., Nature 608, 504 "
            "(2022), NeuRRAM"
        ),
        g_min_s=0.0,
        g_max_s=39.26e-6,
        valid_s=(0.0, 39.26e-6),
        programming=Normal(Polynomial((1.053, 0.2374, -0.01167, 0.0001536))),
        retention=None,
        read_noise=None,
        limits=(
            "the error is that 1 s after programming, relaxation included",
            f"retention (rram-wan-aihwkit has it), read noise and nonlinear current; {_NOT_GIVEN}",
        ),
    )


def rram_wan_aihwkit() -> Device:
    """Up to 40 µS; error after 1 s, a day, two days."""
    spreads = tuple(
        Polynomial(coefficients, unit_s=40e-6)
        for coefficients in (
            (0.348, 16.030, -43.853, 45.393, -16.815),
            (0.701, 22.086, -50.773, 47.095, -16.458),
            (0.782, 20.274, -43.507, 37.062, -11.934),
        )
    )
    return Device(
        name="rram-wan-aihwkit",
        source=(
            "IBM/aihwkit, ReRamWan2022NoiseModel (inference/noise/reram.py); Wan et al., Nature 608, 504 (2022), "
            "NeuRRAM"
        ),
        g_min_s=0.0,
        g_max_s=40e-6,
        valid_s=(0.0, 40e-6),
        programming=Normal(spreads[0]),
        retention=Snapshots((1.0, _DAY, 2 * _DAY), spreads),
        read_noise=None,
        limits=(
            "the spread is known after 1 s, a day and two days only; other times are refused",
            "how a cell's error at one time goes with that at another is not known: what is added is independent",
            f"read noise and nonlinear current; {_NOT_GIVEN}",
        ),
    )


_CMO_SIGMA: Final = {0.002: (0.00081107, 0.00106879), 0.02: (0.0112185391, 0.01129027418)}


def rram_cmo(acceptance: float = 0.002) -> Device:
    """9 to 88.2 µS; programming to within ``acceptance`` (0.002 or 0.02), relaxation, 1/f noise."""
    if acceptance not in _CMO_SIGMA:
        raise DeviceError(f"acceptance is 0.002 or 0.02, got {acceptance!r:.60}")
    low_s, high_s = 9e-6, 88.199997e-6
    return Device(
        name="rram-cmo",
        source=(
            "IBM/aihwkit, ReRamCMONoiseModel (inference/noise/reram.py) after Falcone et al.; range of its "
            "SingleDeviceConductanceConverter; CMO/HfOx"
        ),
        g_min_s=low_s,
        g_max_s=high_s,
        valid_s=(low_s, high_s),
        programming=Normal(Polynomial(_CMO_SIGMA[acceptance])),
        retention=Logarithmic(-0.08900206, 0.04201137, 0.41183342, low_s, high_s),
        read_noise=FlickerLog(0.0277316483, t_read_s=1e-6),
        limits=(
            "programming error is what is left by the source's own write-and-verify to the acceptance",
            "relaxation does not depend on the state and is kept within the range, as in the source; it starts at 1 s",
            f"nonlinear current; {_NOT_GIVEN}",
        ),
    )


RRAM: Final[dict[str, Callable[..., Device]]] = {
    "rram-milo": rram_milo,
    "rram-wan": rram_wan,
    "rram-wan-aihwkit": rram_wan_aihwkit,
    "rram-cmo": rram_cmo,
}
