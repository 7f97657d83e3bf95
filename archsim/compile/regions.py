"""Regions: compact pieces of an image, for layers whose kernels are private to their positions.

Each tile holds the kernels of some positions and reads the windows of those alone.  Positions are dealt to tiles along
Hilbert's curve (Hilbert, Mathematische Annalen 38, 1891): whatever piece of it a tile has, its positions lie close to
each other, and so do those of the tiles of a chip.  n positions that make a square read (k + √n - 1)² pixels together,
instead of the k · (k + n - 1) of a row.

Nearly every pixel of such an input has readers of its own.  To each reader goes what it reads, up to **cells** of a
quarter of the kernel's size, in which pixels travel together.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.compile.reads import Intervals

__all__ = ["Cells", "cells_of", "curve"]

Ints = NDArray[np.int64]

CELLS_A_KERNEL = 4
"""Cells along each side of a kernel: with more of them less is sent that is not read, in more flows."""


class Cells(NamedTuple):
    """An image of ``columns`` columns cut into cells of ``high`` × ``wide`` pixels."""

    columns: int
    high: int
    wide: int

    def of(self, pixels: Ints) -> Ints:
        """The cell of each pixel, numbered from 0 row by row."""
        y, x = np.divmod(pixels, self.columns)
        cells: Ints = y // self.high * -(-self.columns // self.wide) + x // self.wide
        return cells

    def pieces(self, pixels: int) -> Iterator[Intervals]:
        """The pixels of each cell of an image of ``pixels`` pixels."""
        of = self.of(np.arange(pixels, dtype=np.int64))
        for cell in range(int(of.max()) + 1):
            yield Intervals.where(of == cell)


def cells_of(columns: int, kernels: list[tuple[int, int]]) -> Cells:
    """The cells of an image of ``columns`` columns that is read under ``kernels``: those of the smallest."""
    high, wide = (max(1, min(sizes) // CELLS_A_KERNEL) for sizes in zip(*kernels, strict=True))
    return Cells(columns, high, wide)


@lru_cache(maxsize=8)
def curve(rows: int, columns: int) -> Ints:
    """The positions of ``rows`` × ``columns`` in the order of Hilbert's curve on the square around them."""
    side = 1
    while side < max(rows, columns):
        side *= 2
    y, x = np.divmod(np.arange(rows * columns, dtype=np.int64), columns)
    along = np.zeros_like(x)
    size = side // 2
    while size:
        right, low = (x & size) > 0, (y & size) > 0
        along += size * size * ((3 * right) ^ low)
        # the curve in each quadrant is turned: over the diagonal in the first, over the other one in the last
        over = ~low & right
        x, y = np.where(over, side - 1 - x, x), np.where(over, side - 1 - y, y)
        x, y = np.where(low, x, y), np.where(low, y, x)
        size //= 2
    return np.argsort(along, kind="stable")
