"""Windows: which pixels a run of windows reads, when each firing has all that it needs, and what it frees.

Pixels of an input of H × W are numbered in raster order; so are the windows of an output.  Window (y, x) reads rows
y·s - p … y·s - p + (k - 1)·d and the columns likewise, cut to the image.  Since pixels arrive in raster order,
all that a window needs is there when its last row and column are; and all before the first row and column of every
later window can go.  A k × k window over rows of W so keeps (k - 1)·W + k pixels.

With an ``upscale`` u the rows begin at floor((y·s - p) / u): several windows read the same pixels, as in a transposed
convolution or where an image is enlarged; a length of 1 is so repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Intervals",
    "Reads",
    "Window",
    "covered",
    "extents",
    "full_window",
    "only",
    "past_reads",
    "read_pixels",
    "reads_of",
    "whole_reads",
]

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Intervals:
    """A set of pixels as sorted, disjoint half-open intervals ``[low[i], high[i])``; equal to itself alone."""

    low: Ints
    high: Ints

    @classmethod
    def joined(cls, low: Ints, high: Ints) -> Intervals:
        """Those of the intervals, given in order and disjoint, that are not empty; touching ones become one."""
        used = high > low
        low, high = low[used], high[used]
        apart = low[1:] > high[:-1]
        first, last = np.ones(len(low), bool), np.ones(len(low), bool)
        first[1:] = last[:-1] = apart
        return cls(low[first], high[last])

    @classmethod
    def of(cls, numbers: Ints) -> Intervals:
        """The pixels of these numbers, which are in order and different."""
        return cls.joined(numbers, numbers + 1)

    @classmethod
    def where(cls, chosen: NDArray[np.bool_]) -> Intervals:
        """The pixels at which ``chosen`` holds."""
        edges = np.flatnonzero(np.diff(chosen, prepend=False, append=False)).astype(np.int64)
        return cls(edges[::2], edges[1::2])

    @cached_property
    def _before(self) -> Ints:
        """The pixels in all intervals before each, and in all at the end."""
        return np.concatenate(([0], np.cumsum(self.high - self.low))).astype(np.int64)

    @property
    def size(self) -> int:
        """The number of pixels."""
        return int(self._before[-1])

    @cached_property
    def numbers(self) -> Ints:
        """All pixels of the set, in order."""
        return np.arange(self.size, dtype=np.int64) + np.repeat(self.low - self._before[:-1], self.high - self.low)

    def below(self, bound: Ints) -> Ints:
        """How many pixels lie below each ``bound``."""
        if not len(self.low):
            return np.zeros_like(bound)
        index = np.searchsorted(self.low, bound, side="right") - 1
        inside = np.clip(bound - self.low[index], 0, self.high[index] - self.low[index])
        return np.where(index < 0, 0, self._before[np.maximum(index, 0)] + inside)


@dataclass(frozen=True, slots=True)
class Window:
    """The shape of a layer's windows: input and output sizes, and how the windows lie on the input."""

    rows_in: int
    columns_in: int
    columns_out: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    upscale: tuple[int, int] = (1, 1)

    def start(self, index: Ints, axis: int) -> Ints:
        """The first row or column of the windows of these rows or columns; below 0 in the padding."""
        return (index * self.stride[axis] - self.pad[axis]) // self.upscale[axis]

    @property
    def pixels_in(self) -> int:
        """Pixels of the input."""
        return self.rows_in * self.columns_in


def full_window(rows_in: int, columns_in: int) -> Window:
    """One window that reads everything, as a dense layer's."""
    return Window(rows_in, columns_in, 1, kernel=(rows_in, columns_in))


@dataclass(frozen=True, eq=False)
class Reads:
    """What the firings of one stage read in one image; equal to itself alone.

    ``need[n]`` and ``free[n]`` are raster bounds: firing n needs all pixels below ``need[n]`` that are in
    ``pixels``; after it those below ``free[n]`` are done with.
    """

    pixels: Intervals
    need: Ints
    free: Ints


def _last(index: Ints, axis: int, window: Window, size: int) -> Ints:
    far = window.start(index, axis) + (window.kernel[axis] - 1) * window.dilation[axis]
    return np.minimum(far, size - 1)


def _first(index: Ints, axis: int, window: Window) -> Ints:
    return np.maximum(window.start(index, axis), 0)


def extents(window: Window, windows: Intervals) -> tuple[Ints, Ints]:
    """The first pixel of each of ``windows`` in raster order, and the one after its last; 0 if all is padding."""
    numbers = windows.numbers
    y, x = numbers // window.columns_out, numbers % window.columns_out
    row, column = _last(y, 0, window, window.rows_in), _last(x, 1, window, window.columns_in)
    bound = np.where((row < 0) | (column < 0), 0, row * window.columns_in + column + 1)
    return _first(y, 0, window) * window.columns_in + _first(x, 1, window), bound


def reads_of(window: Window, windows: Intervals, each: int) -> Reads:
    """What is read by ``windows``, in order and ``each`` of them a firing."""
    start, bound = extents(window, windows)
    later = np.concatenate((np.minimum.accumulate(start[::-1])[::-1][1:], [window.pixels_in]))
    lasts = np.minimum(np.arange(each, len(bound) + each, each), len(bound)) - 1
    need = np.maximum.accumulate(bound)[lasts]
    free = np.maximum.accumulate(later)[lasts]
    return Reads(read_pixels(window, windows), need, free)


def past_reads(pixels: int, windows: int, each: int) -> Reads:
    """Window n of ``windows`` reads all pixels up to its own, which are kept to the end.

    The last window's own pixel is the last, where there are more pixels than windows.
    """
    firings = -(-windows // each)
    done = np.minimum((np.arange(firings, dtype=np.int64) + 1) * each, windows)
    free = np.zeros(firings, np.int64)
    free[-1] = pixels
    return Reads(Intervals(*(np.array([bound], np.int64) for bound in (0, pixels))), pixels - windows + done, free)


def whole_reads(pixels: int, windows: int, each: int) -> Reads:
    """Every window reads all pixels, which are kept to the end."""
    found = past_reads(pixels, windows, each)
    return replace(found, need=np.full_like(found.need, pixels))


def only(reads: Reads, first: int, end: int) -> Reads:
    """What is read of the pixels from ``first`` to ``end``."""
    low, high = np.maximum(reads.pixels.low, first), np.minimum(reads.pixels.high, end)
    return replace(reads, pixels=Intervals.joined(low, high))


def _runs(window: Window, windows: Intervals) -> tuple[Ints, Ints]:
    """The pixels under each of ``windows``: in each of its rows those from its first column to before its last."""
    y, x = np.divmod(windows.numbers, window.columns_out)
    reach = (window.kernel[1] - 1) * window.dilation[1] + 1
    left = np.maximum(window.start(x, 1), 0)
    right = np.minimum(window.start(x, 1) + reach, window.columns_in)
    within = np.arange(window.kernel[0], dtype=np.int64) * window.dilation[0]
    rows = window.start(y, 0)[:, None] + within
    read = (rows >= 0) & (rows < window.rows_in) & (right > left)[:, None]
    return (rows * window.columns_in + left[:, None])[read], (rows * window.columns_in + right[:, None])[read]


def covered(window: Window, windows: Intervals) -> int:
    """The pixels under all of ``windows``, counted once for each window that they are under."""
    start, end = _runs(window, windows)
    return int((end - start).sum())


def read_pixels(window: Window, windows: Intervals) -> Intervals:
    """The pixels that ``windows`` read."""
    start, end = _runs(window, windows)
    length = window.pixels_in + 1
    depth = np.cumsum(np.bincount(start, minlength=length) - np.bincount(end, minlength=length))
    return Intervals.where(depth[:-1] > 0)
