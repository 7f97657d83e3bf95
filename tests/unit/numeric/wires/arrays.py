"""Arrays to test on: any terminals, any mix of wires with and without resistance."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from archsim.numeric.wires import Wires

INF = math.inf


def logarithmic(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(math.log10(low), math.log10(high)).map(lambda exponent: float(10**exponent))


segments = st.one_of(st.just(0.0), logarithmic(0.1, 1e3))
connected = st.one_of(st.just(0.0), logarithmic(0.1, 1e4))
ends = st.one_of(
    st.tuples(connected, st.just(INF)), st.tuples(st.just(INF), connected), st.tuples(connected, connected)
)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def wires(draw: st.DrawFn) -> Wires:
    (left, right), (top, bottom) = draw(ends), draw(ends)
    return Wires(
        wordline_ohm=draw(segments),
        bitline_ohm=draw(segments),
        left_ohm=left,
        right_ohm=right,
        top_ohm=top,
        bottom_ohm=bottom,
    )


@st.composite
def arrays(draw: st.DrawFn, largest: int = 16) -> tuple[np.ndarray, np.ndarray, np.ndarray, Wires]:
    """Conductances over four decades of which some are 0, voltages of the rows and of the columns, wires."""
    rows, columns = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    rng = np.random.default_rng(draw(seeds))
    g = 10 ** rng.uniform(-7, -3, (rows, columns)) * (rng.random((rows, columns)) > draw(st.sampled_from([0, 0.3])))
    return g, rng.uniform(-1, 1, rows), rng.uniform(-1, 1, columns), draw(wires())


def uniform(rows: int, columns: int, seed: int = 0, low: float = 1e-6, high: float = 1e-4) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, (rows, columns))
