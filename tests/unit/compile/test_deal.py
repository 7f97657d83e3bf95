"""Dealing: every window goes to one copy, in shares that differ by one at the most."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archsim.compile.deal import WHOLE, Share, strip

SIZES = st.integers(1, 20)


@given(rows=SIZES, columns=SIZES, data=st.data())
def test_copies_share_every_window_once_and_their_shares_differ_by_one_at_the_most(rows, columns, data):
    copies = data.draw(st.integers(1, rows * columns))
    strips = [strip(rows, columns, Share.reduced(k, k + 1, copies)) for k in range(copies)]
    dealt = np.concatenate([s.numbers for s in strips])
    assert sorted(dealt.tolist()) == list(range(rows * columns))
    sizes = [s.size for s in strips]
    assert max(sizes) - min(sizes) <= 1


@given(rows=SIZES, columns=SIZES, data=st.data())
def test_a_strip_lies_between_two_columns_and_has_at_most_a_column_more_than_its_share(rows, columns, data):
    copies = data.draw(st.integers(1, rows * columns))
    k = data.draw(st.integers(0, copies - 1))
    windows = strip(rows, columns, Share.reduced(k, k + 1, copies))
    of_column = windows.numbers % columns
    if windows.size:
        assert of_column.max() - of_column.min() <= columns / copies + 1


def test_the_whole_width_is_one_run_of_all_windows():
    whole = strip(5, 7, WHOLE)
    assert (whole.low.tolist(), whole.high.tolist()) == ([0], [35])


def test_the_boundary_of_half_a_column_alternates_from_row_to_row():
    left = strip(4, 3, Share(0, 1, 2))  # 1.5 columns: two windows in half of the rows, one in the others
    assert sorted(np.bincount(left.numbers // 3).tolist()) == [1, 1, 2, 2]
