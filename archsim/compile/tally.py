"""Tally: how many tokens of each bundle every firing emits, needs and frees, for all sources or readers at once.

Stages number thousands and have few pixels each, so that time goes by in calls if they are counted one by one.  Here
the pixels of many stages lie one after the other in one array, and so do their firings.  A **row** is what one reader
gets of one bundle; it has as many totals as the reader has firings.  Whoever gets a bundle gets all pixels of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Seq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.compile.reads import Reads, flat
from archsim.sequences import runs, starts

__all__ = ["Rows", "emitted", "read"]

Ints = NDArray[np.int64]

AT_ONCE = 1 << 18
"""The pixels and totals of readers that are counted together, about: of 8 bytes each, a few times over."""


class Rows(NamedTuple):
    """Rows in the order of their readers and then of their bundles, with the tokens that each gets.

    The totals needed and freed of row i are ``need[start[i] : start[i + 1]]`` and likewise in ``free``.
    """

    reader: Ints
    bundle: Ints
    size: Ints
    start: Ints
    need: Ints
    free: Ints


def emitted(bundle: Ints, firing: Ints, firings: Ints) -> tuple[Ints, Ints, Ints]:
    """The firings that put tokens on each bundle, in ascending order, how many these are, and ``start``: those of
    bundle k stand from ``start[k]`` to ``start[k + 1]``.

    ``bundle`` and ``firing`` are those of each pixel, ``firings`` those of the source of each bundle.
    """
    begin = starts(firings)
    place = np.sort(begin[bundle] + firing, kind="stable")
    first = np.flatnonzero(np.diff(place, prepend=-1))
    place, tokens = place[first], np.diff(first, append=len(place))
    start = np.searchsorted(place, begin)
    return place - np.repeat(begin[:-1], np.diff(start)), tokens, start


def read(readers: Seq[Reads], bundle: Ints, *, initial: int, keeps: bool) -> Iterator[Rows]:
    """What ``readers`` get, some of them at a time; ``bundle`` is that of each pixel of an image, -1 where it has none.

    Initial tokens stand before the first pixel.  A firing that reads nothing waits for none of them: the first step
    of a sequence starts from a state of its own.  After the last firing all is freed but what is kept.
    """
    sent = np.flatnonzero(bundle >= 0)
    size = np.bincount(bundle[sent])
    order = sent[np.argsort(bundle[sent], kind="stable")]
    width = len(bundle) + 1  # a bound may lie past the last pixel
    line = bundle[order] * width + order
    for first, end in _portions(readers, len(size)):
        rows = _rows(readers[first:end], bundle, size, line)
        last = rows.start[1:] - 1
        if keeps:
            rows.need[:] += initial
            rows.free[last] = rows.size
        elif initial:
            rows.need[rows.need > 0] += initial
            rows.free[:] += initial
            rows.free[last] = rows.size + initial
        else:
            rows.free[last] = rows.size
        yield rows._replace(reader=rows.reader + first)


def _portions(readers: Seq[Reads], bundles: int) -> Iterator[tuple[int, int]]:
    """Runs of readers, from one to another, of at most AT_ONCE pixels and totals; a single reader may have more."""
    first = total = 0
    for number, reads in enumerate(readers):
        size = reads.pixels.size
        own = bundles + size + min(size, bundles) * len(reads.need)
        if total + own > AT_ONCE and number > first:
            yield first, number
            first, total = number, 0
        total += own
    yield first, len(readers)


def _rows(readers: Seq[Reads], bundle: Ints, size: Ints, line: Ints) -> Rows:
    """``size`` is that of each bundle, ``line`` has the pixels of all, those of each above those of the one before."""
    pixels, reader = flat([reads.pixels for reads in readers])
    got = bundle[pixels]
    gets = np.zeros((len(readers), len(size)), bool)
    gets[reader[got >= 0], got[got >= 0]] = True
    of_reader, of_bundle = np.nonzero(gets)
    firings = np.array([len(reads.need) for reads in readers], np.int64)
    length = firings[of_reader]
    start = starts(length)
    # the place of each total in the bounds of its reader, those of all readers one after the other
    place = runs(starts(firings)[of_reader], length)
    above = np.repeat(of_bundle * (len(bundle) + 1), length)
    before = np.repeat(starts(size)[of_bundle], length)
    need, free = (
        np.searchsorted(line, np.clip(np.concatenate(bounds), 0, len(bundle))[place] + above) - before
        for bounds in ([reads.need for reads in readers], [reads.free for reads in readers])
    )
    return Rows(of_reader, of_bundle, size[of_bundle], start, need, free)
