"""The inner loops of :mod:`archsim.sequences`, which Numba compiles where it is there; all in one file, of which its
cache notices the changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.jit import entry, helper

Ints = NDArray[np.int64]

NONE = -1

# Of each sequence a row: how many values it has, its increment and offset, where its values begin in the pool, how many
# of them are not 0, and its hash.
PERIOD, INCREMENT, OFFSET, START, FILLED, HASH = range(6)
ABOUT = 3
ROW = 6

# What is kept with the pool and the rows: how many of both are in use.
POOLED, ROWS = range(2)

# Hashes are taken modulo 2^62, where plain Python, whose integers know no end, gets what compiled code does.
BITS = 62
MASK = (1 << BITS) - 1
ODD, ODDER, ODDEST = 0x1E3779B97F4A7C15, 0x3F58476D1CE4E5B9, 0x14D049BB133111EB

_compiled = entry("the numbering of sequences", seconds=2)


@helper
def _mixed(place: int, value: int) -> int:
    """A hash of a value at a place; the sum of those of all values that are not 0 is that of a sequence."""
    h: int = (int(value) * ODD + int(place) * ODDER) & MASK  # int: NumPy's would warn of what is cut off
    h = (h ^ h >> 29) * ODDEST & MASK
    return h ^ h >> 32


@helper
def _next(rows: Ints, slots: Ints, h: int, slot: int) -> int:
    """The first slot from ``slot`` on, around the end, that is empty or has a row of that hash."""
    slot &= len(slots) - 1
    while slots[slot] != NONE and rows[slots[slot], HASH] != h:
        slot = (slot + 1) & (len(slots) - 1)
    return slot


@helper
def _is(pool: Ints, rows: Ints, n: int, about: Ints, places: Ints, values: Ints, begin: int, past: int) -> bool:
    """Whether a row is the sequence of these ``values`` at these ``places`` and of all else that is said ``about``
    it."""
    for k in range(ABOUT):
        if rows[n, k] != about[k]:
            return False
    start = rows[n, START]
    for k in range(begin, past):
        if pool[start + places[k]] != values[k]:
            return False
    return rows[n, FILLED] == past - begin  # type: ignore[no-any-return]


@_compiled
def number(
    abouts: Ints, edges: Ints, places: Ints, values: Ints, pool: Ints, rows: Ints, slots: Ints, used: Ints
) -> Ints:
    """The number of each sequence, of which ``abouts`` has period, increment and offset; the values that are not 0, and
    their ``places``, stand between two of ``edges``.

    ``pool``, ``rows`` and ``slots`` must have room for all of them.
    """
    numbers = np.empty(len(abouts), np.int64)
    for q in range(len(abouts)):
        about, begin, past = abouts[q], edges[q], edges[q + 1]
        h = 0
        for k in range(ABOUT):
            h += _mixed(NONE - k, about[k])
        for k in range(begin, past):
            h += _mixed(places[k], values[k])
        h &= MASK
        slot = _next(rows, slots, h, h)
        while slots[slot] != NONE and not _is(pool, rows, slots[slot], about, places, values, begin, past):
            slot = _next(rows, slots, h, slot + 1)
        if slots[slot] == NONE:
            n, start = used[ROWS], used[POOLED]
            slots[slot] = n
            rows[n, START], rows[n, FILLED], rows[n, HASH] = start, past - begin, h
            for k in range(ABOUT):
                rows[n, k] = about[k]
            for k in range(start, start + about[PERIOD]):
                pool[k] = 0
            for k in range(begin, past):
                pool[start + places[k]] = values[k]
            used[ROWS], used[POOLED] = n + 1, start + about[PERIOD]
        numbers[q] = slots[slot]
    return numbers


@_compiled
def spread(hashes: Ints, slots: Ints) -> None:
    """Put the numbers of all rows, which have these ``hashes``, into ``slots``, which are empty."""
    for n in range(len(hashes)):
        slot = hashes[n] & (len(slots) - 1)
        while slots[slot] != NONE:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot] = n


@_compiled
def gathered(pool: Ints, start: Ints, period: Ints, values: Ints) -> None:
    """Write the values of several sequences, one after the other."""
    past = 0
    for q in range(len(start)):
        for k in range(period[q]):
            values[past + k] = pool[start[q] + k]
        past += period[q]
