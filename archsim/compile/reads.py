"""Windows: which pixels a run of windows reads, when each firing has all that it needs, and what it frees.

Pixels of an input of H × W are numbered in raster order; so are the windows of an output.  Window (y, x) reads rows
y·s - p … y·s - p + (k - 1)·d and the columns likewise, cut to the image.  Since pixels arrive in raster order,
all that a window needs is there when its last row and column are; and all before the first row and column of every
later window can go.  A k × k window over rows of W so keeps (k - 1)·W + k pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Intervals", "Reads", "Window", "full_window", "reads_of"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Intervals:
    """A set of pixels as sorted, disjoint half-open intervals ``[low[i], high[i])``."""

    low: Ints
    high: Ints

    @classmethod
    def of(cls, pairs: list[tuple[int, int]]) -> Intervals:
        """The union of intervals in any order."""
        merged: list[list[int]] = []
        for low, high in sorted(pair for pair in pairs if pair[1] > pair[0]):
            if merged and low <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], high)
            else:
                merged.append([low, high])
        array = np.asarray(merged, np.int64).reshape(-1, 2)
        return cls(array[:, 0].copy(), array[:, 1].copy())

    @cached_property
    def _before(self) -> Ints:
        """The pixels in all intervals before each, and in all at the end."""
        return np.concatenate(([0], np.cumsum(self.high - self.low))).astype(np.int64)

    def column_span(self, width: int) -> tuple[int, int]:
        """The columns between which all pixels lie, in an image of ``width`` columns; half-open."""
        if not len(self.low):
            return 0, 0
        first = self.low % width
        last = first + (self.high - self.low)
        return (0, width) if last.max() > width else (int(first.min()), int(last.max()))

    @property
    def size(self) -> int:
        """The number of pixels."""
        return int(self._before[-1])

    def at(self, index: Ints) -> Ints:
        """The pixel of each ``index``, counted through the set in order; one past the last gives the end of the set."""
        which = np.minimum(np.searchsorted(self._before, index, side="right") - 1, len(self.low) - 1)
        return self.low[which] + (index - self._before[which])

    def numbers(self) -> Ints:
        """All pixels of the set, in order."""
        return self.at(np.arange(self.size, dtype=np.int64))

    def below(self, bound: Ints) -> Ints:
        """How many pixels lie below each ``bound``."""
        if not len(self.low):
            return np.zeros_like(bound)
        index = np.searchsorted(self.low, bound, side="right") - 1
        inside = np.clip(bound - self.low[index], 0, self.high[index] - self.low[index])
        return np.where(index < 0, 0, self._before[np.maximum(index, 0)] + inside)

    def common(self, other: Intervals) -> list[tuple[int, int]]:
        """The intervals of the pixels that are in both sets."""
        first = np.searchsorted(other.high, self.low, side="right")
        last = np.searchsorted(other.low, self.high, side="left")
        counts = np.maximum(last - first, 0)
        mine = np.repeat(np.arange(len(self.low)), counts)
        ends = np.cumsum(counts)
        theirs = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - counts, counts) + np.repeat(first, counts)
        lows = np.maximum(self.low[mine], other.low[theirs]).tolist()
        highs = np.minimum(self.high[mine], other.high[theirs]).tolist()
        return list(zip(lows, highs, strict=True))


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

    @property
    def pixels_in(self) -> int:
        """Pixels of the input."""
        return self.rows_in * self.columns_in


def full_window(rows_in: int, columns_in: int) -> Window:
    """One window that reads everything, as a dense layer's."""
    return Window(rows_in, columns_in, 1, kernel=(rows_in, columns_in))


@dataclass(frozen=True)
class Reads:
    """What the firings of one stage read in one image.

    ``need[n]`` and ``free[n]`` are raster bounds: firing n needs all pixels below ``need[n]`` that are in
    ``pixels``; after it those below ``free[n]`` are done with.
    """

    pixels: Intervals
    need: Ints
    free: Ints

    def least_pixels(self) -> int:
        """The pixels that must be held at once: the largest need[n] - free[n-1], in pixels of the set."""
        needed, freed = self.pixels.below(self.need), self.pixels.below(self.free)
        return int((needed - np.concatenate(([0], freed[:-1]))).max())


def _last(index: Ints, axis: int, window: Window, size: int) -> Ints:
    far = index * window.stride[axis] - window.pad[axis] + (window.kernel[axis] - 1) * window.dilation[axis]
    return np.minimum(far, size - 1)


def _first(index: Ints, axis: int, window: Window) -> Ints:
    return np.maximum(index * window.stride[axis] - window.pad[axis], 0)


def reads_of(window: Window, windows: Intervals, each: int) -> Reads:
    """What is read by ``windows``, in order and ``each`` of them a firing."""
    numbers = windows.numbers()
    y, x = numbers // window.columns_out, numbers % window.columns_out
    row, column = _last(y, 0, window, window.rows_in), _last(x, 1, window, window.columns_in)
    bound = np.where((row < 0) | (column < 0), 0, row * window.columns_in + column + 1)
    start = _first(y, 0, window) * window.columns_in + _first(x, 1, window)
    later = np.concatenate((np.minimum.accumulate(start[::-1])[::-1][1:], [window.pixels_in]))
    lasts = np.minimum(np.arange(each, len(numbers) + each, each), len(numbers)) - 1
    need = np.maximum.accumulate(bound)[lasts]
    free = np.maximum.accumulate(later)[lasts]
    return Reads(_pixels(window, windows), need, free)


def _pixels(window: Window, windows: Intervals) -> Intervals:
    """The pixels that ``windows`` read, row by row."""
    pairs: list[tuple[int, int]] = []
    width, across = window.columns_in, window.columns_out
    for low, high in zip(windows.low.tolist(), windows.high.tolist(), strict=True):
        for y in range(low // across, (high - 1) // across + 1):
            columns = _columns(window, max(low - y * across, 0), min(high - y * across, across))
            for k in range(window.kernel[0]):
                row = y * window.stride[0] - window.pad[0] + k * window.dilation[0]
                if 0 <= row < window.rows_in:
                    pairs += [(row * width + left, row * width + right) for left, right in columns]
    return Intervals.of(pairs)


def _columns(window: Window, left: int, right: int) -> list[tuple[int, int]]:
    """The columns that windows ``left`` … ``right - 1`` of one row read; one interval where they leave no gap."""
    reach, step = (window.kernel[1] - 1) * window.dilation[1] + 1, window.stride[1]
    if reach >= step:
        edges = [(left * step - window.pad[1], (right - 1) * step - window.pad[1] + reach)]
    else:
        edges = [(x * step - window.pad[1], x * step - window.pad[1] + reach) for x in range(left, right)]
    return [(max(low, 0), min(high, window.columns_in)) for low, high in edges if high > 0 and low < window.columns_in]
