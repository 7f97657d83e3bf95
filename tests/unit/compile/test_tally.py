"""What is counted for all readers together is what each gets alone."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.compile import tally
from archsim.compile.reads import Intervals, Reads
from archsim.compile.tally import emitted, read

PIXELS = 12


@st.composite
def readers(draw: st.DrawFn) -> tuple[np.ndarray, list[Reads]]:
    """The bundle of each pixel, and readers that read some bundles whole."""
    count = draw(st.integers(1, 4))
    bundle = np.array([*range(count), *draw(st.lists(st.integers(-1, count - 1), min_size=8, max_size=8))])
    found = []
    for _ in range(draw(st.integers(1, 4))):
        own = np.flatnonzero(np.isin(bundle, draw(st.lists(st.integers(-1, count - 1)))))
        firings = draw(st.integers(1, 4))
        need, free = (sorted(draw(st.lists(BOUNDS, min_size=firings, max_size=firings))) for _ in range(2))
        found.append(Reads(Intervals.joined(own, own + 1), np.array(need), np.array(free)))
    return bundle, found


BOUNDS = st.integers(0, PIXELS)


@pytest.mark.parametrize("at_once", [1, 40, 1 << 18])
@given(case=readers(), initial=st.integers(0, 2), keeps=st.booleans())
def test_totals_are_those_of_the_pixels_below_each_bound(at_once, case, initial, keeps):
    bundle, reading = case
    expected = []
    for number, reads in enumerate(reading):
        got = set(bundle[reads.pixels.numbers].tolist()) - {-1}
        for k in sorted(got):
            own = np.flatnonzero(bundle == k)
            need, free = ([int((own < bound).sum()) for bound in bounds] for bounds in (reads.need, reads.free))
            need = [n + initial if n or keeps else 0 for n in need]
            free = [n + (0 if keeps else initial) for n in free]
            free[-1] = len(own) + (0 if keeps else initial)
            expected.append((number, k, len(own), need, free))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally, "AT_ONCE", at_once)
        parts = list(read(reading, bundle, initial=initial, keeps=keeps))
    found = [
        (*whose, rows.need[low:high].tolist(), rows.free[low:high].tolist())
        for rows in parts
        for *whose, low, high in zip(
            *(each.tolist() for each in (rows.reader, rows.bundle, rows.size, rows.start[:-1], rows.start[1:])),
            strict=True,
        )
    ]
    assert found == expected
    if at_once == 1:
        assert len(parts) == len(reading)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=20))
def test_a_firing_puts_as_many_tokens_on_a_bundle_as_it_has_pixels_of_it(pixels):
    pixels = [*pixels, (0, 0), (1, 0), (2, 0)]
    firing, tokens, start = emitted(*np.array(pixels).T, np.array([4, 4, 5]))
    count = Counter(pixels)
    rows = list(zip(firing.tolist(), tokens.tolist(), strict=True))
    found = [rows[low:high] for low, high in pairwise(start.tolist())]
    assert found == [[(n, count[k, n]) for n in range(5) if count[k, n]] for k in range(3)]
