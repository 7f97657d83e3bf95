"""Ranges of converters from data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archsim.errors import NumericError
from archsim.numeric.config import ArrayConfig
from archsim.numeric.sums import UNIT, Group

if TYPE_CHECKING:
    from archsim.numeric.reader import Reader

__all__ = ["ranges"]

Range = tuple[float, float]


def ranges(config: ArrayConfig, reader: Reader, x: NDArray[np.int64]) -> dict[str, Range]:
    """The range of each group of columns that covers ``adc.coverage`` of the sums that ``x`` [B, K] makes.

    A group whose sums can have both signs gets a range symmetric around 0.  ``adc.share`` says whether all groups take
    the widest range, each its own, or the smallest that is the widest halved a whole number of times.  The sums are
    taken as the converters see them, read noise included.
    """
    if config.adc.range != "calibrated" or config.adc.bits is None:
        raise NumericError(f"calibrate: the range of the converters is {config.adc.range!r}, not 'calibrated'")
    seen: dict[str, list[NDArray[np.floating]]] = {}
    reader.read(x, 0, lambda name, sums: seen.setdefault(name, []).append(np.sort(np.abs(sums), axis=None)))
    reach = {name: _quantile(np.concatenate(parts), config.adc.coverage) for name, parts in seen.items()}
    groups = [conversion.group for conversion in reader.conversions_of]
    widest = max(value for name, value in reach.items() if name != UNIT)
    return {group.name: _around(group, _shared(config.adc.share, widest, reach[group.name]), reach) for group in groups}


def _shared(share: str, widest: float, own: float) -> float:
    if share == "power-of-two":
        return _halved(widest, own)
    return widest if share == "array" else own


def _quantile(values: NDArray[np.floating], share: float) -> float:
    """The smallest of ``values`` that at least ``share`` of them do not exceed; a tiny range where all are 0."""
    value = float(np.sort(values)[max(math.ceil(share * values.size) - 1, 0)])
    return value or 2.0**-20


def _halved(widest: float, own: float) -> float:
    return widest * 2.0 ** -math.floor(math.log2(widest / own)) if own < widest else widest


def _around(group: Group, reach: float, own: dict[str, float]) -> Range:
    if group.name == UNIT:
        reach = own[UNIT]
    return (0.0 if group.low >= 0 else -reach), reach
