"""Deal: the windows of a layer to its copies, as vertical strips of the image.

A layer with r copies gives the copies from a to b the windows between the column positions W·a/r and W·b/r.  Where
that is no whole column, the boundary is dithered from row to row: in row y it lies at

    floor(W·a/r + φ(y)),        φ(y) a permutation of 0, 1/H, …, (H-1)/H.

By Hermite's identity, Σ_k floor(x + k/H) = floor(H·x), a strip has floor(H·W·b/r) - floor(H·W·a/r) windows: the
shares of the copies differ by at most one window, as if contiguous runs in raster order had been dealt.

Strips are dealt rather than such runs because all copies then move down the image together: what a layer puts out in
one row, the next reads a little later, and a line buffer of the strip's width is enough.  With runs, a consumer would
need the whole run of one producer before the first pixel of the next, and whole images would have to be buffered.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.compile.reads import Intervals

__all__ = ["WHOLE", "Share", "strip", "strips"]

Ints = NDArray[np.int64]


class Share(NamedTuple):
    """A part of the width, which is cut in ``of`` equal pieces: those from ``start`` to ``end``."""

    start: int
    end: int
    of: int

    @classmethod
    def reduced(cls, start: int, end: int, of: int) -> Share:
        """The same in lowest terms, in which two that are one part are equal."""
        common = gcd(start, end, of)
        return cls(start // common, end // common, of // common)


WHOLE = Share(0, 1, 1)
"""The whole width of an image."""


def _step(rows: int) -> int:
    """A step through the rows, coprime to their number and near the golden section, so that φ jumps evenly."""
    step = max(1, round(rows * 0.618))
    while gcd(step, rows) != 1:
        step += 1
    return step


def strip(rows: int, columns: int, share: Share) -> Intervals:
    """The windows of an output of ``rows`` × ``columns`` in a share of its width."""
    return strips(rows, columns, [share])[0]


def strips(rows: int, columns: int, shares: Sequence[Share]) -> list[Intervals]:
    """The same for several parts of the width."""
    phase = np.arange(rows, dtype=np.int64) * _step(rows) % rows
    first = np.arange(rows, dtype=np.int64) * columns

    start, end, of = np.array(shares, np.int64).T[:, :, None]

    def boundaries(piece: Ints) -> Ints:
        over = columns * piece * rows + phase * of
        return np.asarray(first + np.minimum(over // (of * rows), columns)).ravel()

    owner = np.repeat(np.arange(len(shares)), rows)
    return Intervals.each_joined(boundaries(start), boundaries(end), owner, len(shares))
