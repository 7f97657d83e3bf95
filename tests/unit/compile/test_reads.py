"""What windows read, against a brute force over windows and pixels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archsim.compile.deal import WHOLE, Share, strip, strips
from archsim.compile.reads import Intervals, Window, all_reads, full_window, reads_of


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, int]:
    """A window and the rows of its output."""
    kernel, stride, dilation, size, pad, out = [], [], [], [], [], []
    for _ in range(2):
        k, s, d = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 2))
        reach = (k - 1) * d + 1
        n, p = draw(st.integers(1, 12)), draw(st.integers(0, reach - 1))
        n = max(n, reach - 2 * p)
        for values, value in zip((kernel, stride, dilation, size, pad, out), (k, s, d, n, p, 0), strict=True):
            values.append(value)
        out[-1] = (n + 2 * p - reach) // s + 1
    w = Window(size[0], size[1], out[1], tuple(kernel), tuple(stride), tuple(pad), tuple(dilation))
    return w, out[0]


def pixels_of(window: Window, number: int) -> set[int]:
    """The pixels that one window reads: in each of its rows, from its first column to its last."""
    y, x = divmod(number, window.columns_out)
    found = set()
    for k in range(window.kernel[0]):
        row = y * window.stride[0] - window.pad[0] + k * window.dilation[0]
        first = x * window.stride[1] - window.pad[1]
        for column in range(first, first + (window.kernel[1] - 1) * window.dilation[1] + 1):
            if 0 <= row < window.rows_in and 0 <= column < window.columns_in:
                found.add(row * window.columns_in + column)
    return found


@given(windows(), st.integers(1, 5), st.data())
def test_pixels_needs_and_frees_agree_with_every_window_taken_one_by_one(window_rows, each, data):
    window, rows = window_rows
    copies = data.draw(st.integers(1, rows * window.columns_out))
    copy = data.draw(st.integers(0, copies - 1))
    dealt = strip(rows, window.columns_out, Share.reduced(copy, copy + 1, copies))
    if not dealt.size:
        return
    reads = reads_of(window, dealt, each)
    sets = [pixels_of(window, number) for number in dealt.numbers.tolist()]
    assert set(reads.pixels.numbers.tolist()) == set().union(*sets)
    firings = [sets[k : k + each] for k in range(0, len(sets), each)]
    assert len(reads.need) == len(reads.free) == len(firings)
    for n, firing in enumerate(firings):
        needed = set().union(*firing)
        assert all(pixel < reads.need[n] for pixel in needed), "a firing has all that it reads"
        later = set().union(*(s for f in firings[n + 1 :] for s in f)) if n + 1 < len(firings) else set()
        assert all(pixel >= reads.free[n] for pixel in later), "nothing is freed that is read later"


@given(windows())
def test_a_firing_needs_no_more_than_its_last_window_of_the_rows_so_far(window_rows):
    window, rows = window_rows
    reads = reads_of(window, strip(rows, window.columns_out, WHOLE), 1)
    sets = [pixels_of(window, number) for number in range(rows * window.columns_out)]
    latest = np.maximum.accumulate([max(s, default=-1) + 1 for s in sets])
    assert (reads.need <= np.maximum(latest, 0)).all() or window.dilation != (1, 1) or 0 in map(len, sets)


@given(k=st.integers(1, 5), width=st.integers(5, 20))
def test_a_k_by_k_window_over_rows_of_width_w_keeps_k_minus_1_rows_and_k_pixels(k, width):
    window = Window(10, width, width - k + 1, (k, k))
    reads = reads_of(window, strip(10 - k + 1, width - k + 1, WHOLE), 1)
    needed, freed = reads.pixels.below(reads.need), reads.pixels.below(reads.free)
    held = needed - np.concatenate(([0], freed[:-1]))
    assert held.max() == (k - 1) * width + k


def test_a_dense_layer_reads_everything_at_once():
    reads = reads_of(full_window(3, 4), strip(1, 1, WHOLE), 1)
    assert (reads.need.tolist(), reads.free.tolist(), reads.pixels.size) == ([12], [12], 12)


def test_a_stride_wider_than_the_kernel_leaves_pixels_unread_and_frees_them():
    window = Window(1, 7, 3, (1, 1), (1, 3))  # pixels 0, 3 and 6
    reads = reads_of(window, strip(1, 3, WHOLE), 1)
    assert reads.pixels.numbers.tolist() == [0, 3, 6]
    assert reads.need.tolist() == [1, 4, 7]
    assert reads.free.tolist() == [3, 6, 7]


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_intervals_count_the_pixels_below_a_bound(chosen):
    own = np.flatnonzero(chosen)
    intervals = Intervals.joined(own, own + 1)
    expected = [k for k, is_in in enumerate(chosen) if is_in]
    assert intervals.numbers.tolist() == expected
    assert intervals.size == len(expected)
    bounds = np.arange(len(chosen) + 1)
    assert intervals.below(bounds).tolist() == [sum(e < b for e in expected) for b in bounds]


def test_touching_intervals_join_and_empty_ones_go():
    joined = Intervals.joined(np.array([0, 3, 5, 9]), np.array([3, 3, 7, 10]))
    assert (joined.low.tolist(), joined.high.tolist()) == ([0, 5, 9], [3, 7, 10])


@given(windows(), st.lists(st.integers(0, 20), min_size=2, max_size=5), st.data())
def test_what_is_worked_out_together_is_what_each_gives_alone(window_rows, cuts, data):
    window, rows = window_rows
    shares = [Share.reduced(low, high, 20) for low, high in pairwise(sorted(cuts))]
    together = strips(rows, window.columns_out, shares)
    alone = [strip(rows, window.columns_out, share) for share in shares]
    each = [data.draw(st.integers(1, 5)) for _ in shares]
    for ours, theirs in zip(together, alone, strict=True):
        assert ours.numbers.tolist() == theirs.numbers.tolist()
    single = [reads_of(window, windows, n) for windows, n in zip(alone, each, strict=True)]
    for ours, theirs in zip(all_reads(window, together, each), single, strict=True):
        assert ours.pixels.low.tolist() == theirs.pixels.low.tolist()
        assert ours.pixels.high.tolist() == theirs.pixels.high.tolist()
        assert (ours.need.tolist(), ours.free.tolist()) == (theirs.need.tolist(), theirs.free.tolist())
