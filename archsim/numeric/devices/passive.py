"""Passive crosspoint memristors, without a transistor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from archsim.numeric.devices.device import Device
from archsim.numeric.devices.faults import Stuck
from archsim.numeric.devices.programming import Tuned

__all__ = ["PASSIVE"]


def merrikh_bayat() -> Device:
    """7 to 96.6 kohm at 0.2 V; tuned to 5 % or coarser; 1 to 2.5 % of the cells are stuck."""
    return Device(
        name="al2o3-tio2-merrikh-bayat",
        source=(
            "Merrikh Bayat et al., Nat. Commun. 9, 2331 (2018): Pt/Al2O3/TiO2-x/Ti/Pt, 20 x 20 crossbars, 200 nm lines"
        ),
        g_min_s=1.0 / 96600.0,
        g_max_s=1.0 / 7000.0,
        valid_s=(10e-6, 1.0 / 7000.0),
        programming=Tuned(finest=0.05),
        retention=None,
        read_noise=None,
        stuck_cells=Stuck(within=0.0175),
        operation="pulse",
        limits=(
            "tuning to 5 % was demonstrated, weights were imported at 30 %; that errors are uniform within the "
            "tolerance is an assumption",
            "1 to 2.5 % of the cells were stuck, mostly within the range; 1.75 %, uniform over the range, is assumed",
            "weights in the paper use 10 to 100 µS",
            "pulses are 500 µs long, 0.8 to 1.5 V to set and -0.8 to -1.8 V to reset, but how many tuning takes is not "
            "given: no count, time or energy",
            "the current is taken as linear, as the paper's own training does",
            "thresholds scatter (set 1.0 V, sigma 0.13 V; reset -1.2 V, sigma 0.15 V); disturbance of neighbours is "
            "not modelled",
            "retention, read noise, temperature and wear are not in the source",
        ),
    )


PASSIVE: Final[dict[str, Callable[..., Device]]] = {"al2o3-tio2-merrikh-bayat": merrikh_bayat}
