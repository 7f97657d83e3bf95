"""Pools that work as their pixels come: what is kept is a running value for each window that has begun.

A pool that waits for its windows keeps (k - 1)·W + k pixels of its input.  One that streams keeps none: each pixel goes
at once into the running values of the windows that it lies in, which begin with their first pixel and are put out after
their last.  A pool of n × n windows without overlap over an image so keeps n running values a channel, whatever the
size of its windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.compile.reads import Intervals, Reads, Window, covered, extents, read_pixels

__all__ = ["Streamed", "kept_pixels", "streamed"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Streamed:
    """How the firings of a pool go through its pixels in one image; equal to itself alone."""

    reads: Reads
    done: Ints
    """The firing after which each window is complete, in raster order."""
    begun: Ints
    """The windows begun, up to and with each firing."""
    ended: Ints
    """The windows completed, likewise."""
    updates: int
    """How often a running value of a channel takes in a pixel: the pixels of all windows."""

    @property
    def running(self) -> int:
        """The most running values a channel that are kept at a time; those that begin and end in one firing count."""
        return int((self.begun - np.concatenate(([0], self.ended[:-1]))).max())


def streamed(window: Window, windows: Intervals, each: int) -> Streamed:
    """How a pool goes through the pixels that ``windows`` read, ``each`` of them a firing."""
    pixels = read_pixels(window, windows)
    firings = -(-pixels.size // each)
    start, bound = extents(window, windows)
    first = pixels.below(start) // each
    # windows leave in raster order: one that is complete early waits for those before it
    done = np.maximum.accumulate(np.maximum(pixels.below(bound) - 1, 0) // each)
    last = np.minimum(np.arange(1, firings + 1, dtype=np.int64) * each, pixels.size) - 1
    need = pixels.numbers[last] + 1
    free = need.copy()
    free[-1] = window.pixels_in
    begun, ended = (np.cumsum(np.bincount(at, minlength=firings)) for at in (first, done))
    return Streamed(Reads(pixels, need, free), done, begun, ended, covered(window, windows))


def kept_pixels(window: Window, share: float) -> int:
    """Pixels that a pool keeps if it waits for its windows: (k - 1)·W + k over a strip of ``share`` of the width, and
    all frames of a volume that its windows reach over but the last."""
    high, wide = window.kernel
    across = min(window.columns_in, int(window.columns_in * share) + wide)
    frames = 0 if window.depth is None else (window.depth.kernel - 1) * window.depth.dilation
    return min(window.rows_in * across, (frames * window.frame_rows + high - 1) * across + wide)
