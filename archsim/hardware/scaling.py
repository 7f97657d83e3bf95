"""How area and energy go with the technology node, where designs of several nodes are put side by side.

After Stillmaker and Baas, "Scaling equations for the accurate prediction of CMOS device performance from 180 nm to
7 nm", Integration 58 (2017) 74-81: their table of areas, and the energy of a switching gate as a polynomial of the
supply, here at 0.8 V in both nodes.  Between their nodes both are interpolated in logarithms.

It is a rule for static CMOS logic.  Arrays, converters, memories and pads shrink less, a clock is not scaled, and no
design was laid out again: a scaled figure says what a node alone would do at most, and never replaces a published one.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["NODES_NM", "RULE", "area_factor", "energy_factor"]

RULE: Final = (
    "area and energy of logic at 0.8 V after Stillmaker and Baas, Integration 58 (2017) 74-81; throughput as it is"
)
"""The rule in words, for tables."""

SUPPLY_V: Final = 0.8

_AREA: Final = {130: 0.072, 90: 0.16, 65: 0.31, 45: 0.46, 32: 1.0, 20: 2.2, 16: 2.4, 14: 2.7, 10: 4.5, 7: 7.8}
"""Area in 32 nm over area in the node: the column of 32 nm of the paper's table."""

_ENERGY: Final = {
    130: (7.171, -6.709, 2.904),
    90: (4.762, -4.781, 2.092),
    65: (3.755, -4.398, 1.975),
    45: (1.103, -0.362, 0.2767),
    32: (0.9559, -0.7823, 0.471),
    20: (0.373, -0.1582, 0.04104),
    16: (0.2958, -0.1241, 0.03024),
    14: (0.2363, -0.09675, 0.02239),
    10: (0.2068, -0.09311, 0.02375),
    7: (0.1776, -0.09097, 0.02447),
}
"""Coefficients of V², V and 1 of the energy in the node."""

NODES_NM: Final = tuple(_AREA)
"""The nodes of the tables."""


def area_factor(from_nm: float, to_nm: float) -> float | None:
    """Area in the node ``to_nm`` over that in ``from_nm``; None outside 7 to 130 nm."""
    here, there = _between(_AREA, from_nm), _between(_AREA, to_nm)
    return None if here is None or there is None else here / there


def energy_factor(from_nm: float, to_nm: float) -> float | None:
    """Energy in the node ``to_nm`` over that in ``from_nm``; None outside 7 to 130 nm."""
    gate = {node: a * SUPPLY_V**2 + b * SUPPLY_V + c for node, (a, b, c) in _ENERGY.items()}
    here, there = _between(gate, from_nm), _between(gate, to_nm)
    return None if here is None or there is None else there / here


def _between(table: dict[int, float], nm: float) -> float | None:
    """The value at ``nm``, interpolated in the logarithms of node and value."""
    above = [node for node in table if node >= nm]
    below = [node for node in table if node <= nm]
    if not above or not below:
        return None
    high, low = min(above), max(below)
    if high == low:
        return table[high]
    share = math.log(nm / low) / math.log(high / low)
    return math.exp(math.log(table[low]) * (1 - share) + math.log(table[high]) * share)
