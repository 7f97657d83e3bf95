"""Windows: which pixels a run of windows reads, when each firing has all that it needs, and what it frees.

Pixels of an input of H × W are numbered in raster order; so are the windows of an output.  Window (y, x) reads rows
y·s - p … y·s - p + (k - 1)·d and the columns likewise, cut to the image.  Since pixels arrive in raster order,
all that a window needs is there when its last row and column are; and all before the first row and column of every
later window can go.  A k × k window over rows of W so keeps (k - 1)·W + k pixels.

With an ``upscale`` u the rows begin at floor((y·s - p) / u): several windows read the same pixels, as in a transposed
convolution or where an image is enlarged; a length of 1 is so repeated.

A volume's frames stand one below the other.  Windows with a :class:`~archsim.workload.graph.Depth` read the same of
several frames, and keep those up to the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from archsim.sequences import runs, starts
from archsim.workload.graph import Depth

__all__ = [
    "Intervals",
    "Reads",
    "Window",
    "all_reads",
    "covered",
    "extents",
    "flat",
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
        """Those of the intervals that are not empty; touching and overlapping ones become one."""
        return cls.each_joined(low, high, np.zeros(len(low), np.int64), 1)[0]

    @classmethod
    def each_joined(cls, low: Ints, high: Ints, owner: Ints, owners: int) -> list[Intervals]:
        """The same for each of several owners of intervals, which are numbered from 0."""
        used = high > low
        low, high, owner = low[used], high[used], owner[used]
        width = int(high.max(initial=0)) + 1  # lays the pixels of one owner above those of the one before, apart
        low, high = low + owner * width, high + owner * width
        order = np.argsort(low, kind="stable")
        low, high = low[order], np.maximum.accumulate(high[order])
        first, last = np.ones(len(low), bool), np.ones(len(low), bool)
        first[1:] = last[:-1] = low[1:] > high[:-1]
        low, high = low[first], high[last]
        edges = np.searchsorted(low, np.arange(owners + 1) * width).tolist()
        low, high = low % width, high % width
        return [cls(low[start:end], high[start:end]) for start, end in pairwise(edges)]

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
        return starts(self.high - self.low)

    @property
    def size(self) -> int:
        """The number of pixels."""
        return int(self._before[-1])

    @cached_property
    def numbers(self) -> Ints:
        """All pixels of the set, in order."""
        return runs(self.low, self.high - self.low)

    def below(self, bound: Ints) -> Ints:
        """How many pixels lie below each ``bound``."""
        if not len(self.low):
            return np.zeros_like(bound)
        index = np.searchsorted(self.low, bound, side="right") - 1
        inside = np.clip(bound - self.low[index], 0, self.high[index] - self.low[index])
        return np.where(index < 0, 0, self._before[np.maximum(index, 0)] + inside)


def flat(sets: Sequence[Intervals]) -> tuple[Ints, Ints]:
    """The pixels of all sets, one set after the other, and the place of each pixel's set among them."""
    low, high = (np.concatenate(bounds) for bounds in ([s.low for s in sets], [s.high for s in sets]))
    length = high - low
    owner = np.repeat(np.arange(len(sets)), [len(s.low) for s in sets])
    return runs(low, length), np.repeat(owner, length)


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
    depth: Depth | None = None

    @property
    def frame_rows(self) -> int:
        """Rows of a frame of the input: all of an image."""
        return self.rows_in // self.depth.frames if self.depth else self.rows_in

    def first_frame(self, frame: Ints) -> Ints:
        """The first frame of the windows of these frames of the output; below 0 in the padding."""
        assert self.depth is not None
        return (frame * self.depth.stride - self.depth.pad[0]) // self.depth.upscale

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


def reads_of(window: Window, windows: Intervals, each: int) -> Reads:
    """What is read by ``windows``, in order and ``each`` of them a firing."""
    return all_reads(window, [windows], [each])[0]


def all_reads(window: Window, sets: Sequence[Intervals], each: Sequence[int]) -> list[Reads]:
    """The same for several sets of windows, each with a number of its own a firing: worked out together, since sets
    are many and small."""
    numbers, owner = flat(sets)
    y, x = numbers // window.columns_out, numbers % window.columns_out
    bound, start = _bounds(window, y, x)
    counts = np.bincount(owner, minlength=len(sets))
    ends = np.cumsum(counts)
    above = owner * (max(window.pixels_in, int(bound.max(initial=0)), int(start.max(initial=0))) + 1)
    later = np.full_like(start, window.pixels_in)
    later[:-1] = np.minimum.accumulate((start + above)[::-1])[::-1][1:] - above[1:]
    later[ends[counts > 0] - 1] = window.pixels_in
    firings = -(-counts // np.array(each, np.int64))
    edges = starts(firings)
    turn = runs(np.ones_like(firings), firings)
    lasts = (
        np.repeat(ends - counts, firings) + np.minimum(turn * np.repeat(each, firings), np.repeat(counts, firings)) - 1
    )
    need = (np.maximum.accumulate(bound + above) - above)[lasts]
    free = (np.maximum.accumulate(later + above) - above)[lasts]
    pixels = _pixels(window, numbers, owner, len(sets))
    each_firing = zip(pixels, pairwise(edges.tolist()), strict=True)
    return [Reads(own, need[low:high], free[low:high]) for own, (low, high) in each_firing]


def _bounds(window: Window, y: Ints, x: Ints) -> tuple[Ints, Ints]:
    """Of the windows of these rows and columns the raster bounds below which lies all that is needed, and below which
    nothing is."""
    first, last = np.zeros_like(y), np.zeros_like(y)
    if window.depth is not None:
        frame, y = np.divmod(y, window.depth.rows_out)
        begin = window.first_frame(frame)
        reach = (window.depth.kernel - 1) * window.depth.dilation
        first, last = np.maximum(begin, 0), np.minimum(begin + reach, window.depth.frames - 1)
    row, column = _last(y, 0, window, window.frame_rows), _last(x, 1, window, window.columns_in)
    outside = (row < 0) | (column < 0) | (last < 0)
    bound = np.where(outside, 0, (last * window.frame_rows + row) * window.columns_in + column + 1)
    return bound, (first * window.frame_rows + _first(y, 0, window)) * window.columns_in + _first(x, 1, window)


def extents(window: Window, windows: Intervals) -> tuple[Ints, Ints]:
    """The first pixel of each of ``windows`` in raster order, and the one after its last; 0 if all is padding."""
    bound, start = _bounds(window, *np.divmod(windows.numbers, window.columns_out))
    return start, bound


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


def _runs(window: Window, windows: Ints) -> tuple[Ints, Ints, Ints]:
    """The pixels under each of ``windows``: in each of its rows those from its first column to before its last; and
    which window each run of pixels is of, by its place."""
    y, x = np.divmod(windows, window.columns_out)
    reach = (window.kernel[1] - 1) * window.dilation[1] + 1
    left = np.maximum(window.start(x, 1), 0)
    right = np.minimum(window.start(x, 1) + reach, window.columns_in)
    within = np.arange(window.kernel[0], dtype=np.int64) * window.dilation[0]
    rows, inside = _rows(window, y, within)
    read = inside & (right > left)[:, None]
    start, end = ((rows * window.columns_in + side[:, None])[read] for side in (left, right))
    return start, end, np.nonzero(read)[0]


def _pixels(window: Window, windows: Ints, owner: Ints, owners: int) -> list[Intervals]:
    """The pixels that the ``windows`` of each owner read."""
    start, end, of = _runs(window, windows)
    return Intervals.each_joined(start, end, owner[of], owners)


def covered(window: Window, windows: Intervals) -> int:
    """The pixels under all of ``windows``, counted once for each window that they are under."""
    start, end, _ = _runs(window, windows.numbers)
    return int((end - start).sum())


def read_pixels(window: Window, windows: Intervals) -> Intervals:
    """The pixels that ``windows`` read."""
    return _pixels(window, windows.numbers, np.zeros(windows.size, np.int64), 1)[0]


def _rows(window: Window, y: Ints, within: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """The rows of the input that the windows of output rows ``y`` read, by window, and which of them there are."""
    if window.depth is None:
        rows = window.start(y, 0)[:, None] + within
        return rows, (rows >= 0) & (rows < window.rows_in)
    depth = window.depth
    frame, y = np.divmod(y, depth.rows_out)
    frames = window.first_frame(frame)[:, None, None] + (np.arange(depth.kernel) * depth.dilation)[None, :, None]
    rows = window.start(y, 0)[:, None, None] + within
    inside = (frames >= 0) & (frames < depth.frames) & (rows >= 0) & (rows < window.frame_rows)
    return (frames * window.frame_rows + rows).reshape(len(y), -1), inside.reshape(len(y), -1)
