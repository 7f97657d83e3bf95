"""Matrices on a grid so fine that no sum rounds, whatever order a matrix product adds in.

With all entries whole multiples of 2^-f and every partial sum below 2^24 (float32) or 2^53 (float64) multiples, each
addition is exact, and the product has the same bytes for any library, processor, number of threads and batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.errors import NumericError
from archsim.numeric.drive import Dtype

__all__ = ["Gridded", "on_grid"]

Floats = NDArray[np.float64]

FINEST = 40
"""Bits behind the point, at the most."""


@dataclass(frozen=True)
class Gridded:
    """``values`` in float32 or float64, whole multiples of ``step``."""

    values: NDArray[np.floating]
    step: float

    @property
    def dtype(self) -> Dtype:
        """float32 or float64."""
        return np.float32 if self.values.dtype == np.float32 else np.float64


def on_grid(matrix: Floats, top: float, spare: int, least: float) -> Gridded:
    """``matrix`` [rows, columns] rounded to the finest grid on which sums of it times up to ``top`` a row stay exact.

    ``spare``: bits behind the point that the multipliers take.  float32 if its grid has a step of at most ``least``, or
    loses nothing; else float64.  The rounding is an error of at most half a step an entry.
    """
    loads = np.abs(matrix).sum(0).max() * top
    whole = bool((matrix == np.rint(matrix)).all())
    for dtype, bits in ((np.float32, 24), (np.float64, 53)):
        behind = FINEST if loads == 0 else min(FINEST, math.floor(bits - spare - math.log2(loads)))
        while behind > -bits:
            rounded = np.rint(np.ldexp(matrix, behind))
            if np.abs(rounded).sum(0).max() * top * 2**spare <= 2**bits:
                break
            behind -= 1
        if behind >= 0 and (whole or 2.0**-behind <= least):
            return Gridded(np.ldexp(rounded, -behind).astype(dtype), 2.0**-behind)
    raise NumericError(
        f"sums of {loads:.3g} units do not fit the 53 bits of float64 at a resolution of {least:g} units; "
        "use fewer rows, narrower slices or fewer bits a step"
    )
