"""SONOS charge-trap transistors read as conductances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from archsim.numeric.devices._check import number
from archsim.numeric.devices.device import Device
from archsim.numeric.devices.programming import Normal, Saturating
from archsim.numeric.devices.reading import White
from archsim.numeric.devices.retention import CurrentDrift

__all__ = ["SONOS"]

_A_NA: Final = (19.88665, 25.59102, 28.72753, 31.04318, 33.76214, 34.57909)
_B_NA: Final = (176.3115, 186.85544, 193.56834, 198.90332, 204.77023, 207.34309)
"""A and B of the spread, 0 to 5 days after programming."""

_SHIFTS: Final = (
    (0.0,) * 11,
    (1.72684e-01, 5.72552e-02, -6.85715e-04, 3.50271e-06, -9.37682e-09, 1.40575e-11, -1.19803e-14, 5.41293e-18,
     -8.85448e-22, -1.66869e-25, 5.95180e-29),
    (2.50712e-01, 6.62195e-02, -6.83218e-04, 2.99442e-06, -6.78255e-09, 7.70482e-12, -3.04983e-15, -2.15919e-18,
     2.94617e-21, -1.23359e-24, 1.85329e-28),
    (-1.75300e-02, 9.76883e-02, -9.63791e-04, 4.55551e-06, -1.22391e-08, 1.93786e-11, -1.85899e-14, 1.07659e-17,
     -3.58211e-21, 5.96785e-25, -3.30410e-29),
    (4.03338e-02, 1.03111e-01, -1.04740e-03, 4.83961e-06, -1.28132e-08, 1.99484e-11, -1.85139e-14, 1.00008e-17,
     -2.84944e-21, 3.01008e-25, 1.18747e-29),
    (3.19927e-01, 1.06596e-01, -1.04054e-03, 4.50290e-06, -1.10352e-08, 1.56477e-11, -1.27592e-14, 5.45513e-18,
     -7.26841e-22, -2.43893e-25, 7.14608e-29),
)  # fmt: skip
"""Mean shift of the current in nA after 0 to 5 days, ascending powers of the current in nA."""

_HIGHEST_NA: Final = 3200.0
_HIGHEST_DRIFT_NA: Final = 1800.0


def sonos(read_v: float = 0.2) -> Device:
    """Currents up to 1800 nA at ``read_v``; without retention up to 3200 nA."""
    number("read_v", read_v, 0.0, open_low=True)
    highest_s, drift_s = (current_na * 1e-9 / read_v for current_na in (_HIGHEST_NA, _HIGHEST_DRIFT_NA))
    return Device(
        name="sonos",
        source=(
            "sandialabs/cross-sim, SONOS; fits to Figs. 10 and 11 of Agrawal et al., IEDM (2022), 128 thousand cells "
            "of a 40 nm technology"
        ),
        g_min_s=0.0,
        g_max_s=drift_s,
        valid_s=(0.0, highest_s),
        programming=Normal(Saturating(_A_NA[0], _B_NA[0], read_v)),
        retention=CurrentDrift(
            tuple(86400.0 * day for day in range(6)), _SHIFTS, _A_NA, _B_NA, read_v, highest_s=drift_s
        ),
        read_noise=White(Saturating(12.58037, 215.36557, read_v)),
        limits=(
            "the source is about currents at one bias; a conductance is that current over read_v, by default 0.2 V: "
            "the source puts 3200 nA at 16 µS; at other voltages the current is taken as linear",
            "retention for currents up to 1800 nA and 5 days; between days mean and spread are linear in time, as in "
            "the source",
            "how a cell's error at one time goes with that at another is not known: what is added is independent",
            "temperature, wear and stuck cells are not in the source",
        ),
    )


SONOS: Final[dict[str, Callable[..., Device]]] = {"sonos": sonos}
