"""What follows from shapes alone, worked out once: strips, reads, and the bundles between sources and sinks.

None of it hangs on times or tiles.  So compilations that differ in times only, as the points of a sweep over
bandwidths, share all of it, and so do those of one network on other boards in part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable
from collections.abc import Sequence as Seq
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from archsim.compile.connect import Bundles, Sink, Source, bundles, likeness
from archsim.compile.deal import Share, strip, strips
from archsim.compile.reads import Intervals, Reads, Window, all_reads, reads_of
from archsim.compile.regions import Cells
from archsim.compile.streaming import Streamed, streamed
from archsim.program import Program
from archsim.sequences import Sequences

__all__ = ["MOST_VALUES", "Known", "known"]

Ints = NDArray[np.int64]
T = TypeVar("T")

MOST_VALUES = 1 << 22
"""The integers of all kept sequences above which a later compilation begins anew: of 8 to 40 bytes each."""

KEPT_PROGRAMS = 4
"""The Programs whose least capacities are kept."""


class Known:
    """Kept by what it follows from."""

    def __init__(self) -> None:
        self.sequences = Sequences()
        self._strips: dict[tuple[int, int, Share], Intervals] = {}
        self._reads: dict[Hashable, Reads] = {}
        self._streamed: dict[Hashable, Streamed] = {}
        self._bundles: dict[Hashable, Bundles] = {}
        self._least: dict[bytes, Ints] = {}

    def strip(self, rows: int, columns: int, share: Share) -> Intervals:
        """The windows of an output of ``rows`` × ``columns`` in a share of its width."""
        return _kept(self._strips, (rows, columns, share), lambda: strip(rows, columns, share))

    def strip_reads(self, window: Window, rows: int, columns: int, share: Share, each: int) -> Reads:
        """What the windows of such a strip read, ``each`` of them a firing."""
        key = window, rows, columns, share, each
        return _kept(self._reads, key, lambda: reads_of(window, self.strip(rows, columns, share), each))

    def work_out(
        self, rows: int, columns: int, shares: Iterable[Share], window: Window | None = None, each: Iterable[int] = ()
    ) -> None:
        """Keep the strips of all ``shares``, which are then worked out together; and, with a ``window``, what each of
        them reads, ``each`` of its windows a firing."""
        wanted = list(shares)
        new = [share for share in dict.fromkeys(wanted) if (rows, columns, share) not in self._strips]
        for share, made in zip(new, strips(rows, columns, new) if new else (), strict=True):
            self._strips[rows, columns, share] = made
        if window is None:
            return
        both = [
            (share, n)
            for share, n in dict.fromkeys(zip(wanted, each, strict=True))
            if (window, rows, columns, share, n) not in self._reads
        ]
        sets = [self._strips[rows, columns, share] for share, _ in both]
        for (share, n), found in zip(both, all_reads(window, sets, [n for _, n in both]) if both else (), strict=True):
            self._reads[window, rows, columns, share, n] = found

    def strip_streamed(self, window: Window, rows: int, columns: int, share: Share, each: int) -> Streamed:
        """How a pool goes through the pixels of such a strip, ``each`` of them a firing."""
        key = window, rows, columns, share, each
        return _kept(self._streamed, key, lambda: streamed(window, self.strip(rows, columns, share), each))

    def reads(self, key: Hashable, make: Callable[[], Reads]) -> Reads:
        """Other reads, which follow from ``key``."""
        return _kept(self._reads, key, make)

    def bundles(self, sources: Seq[Source], sinks: Seq[Sink], pixels: int, cells: Cells | None = None) -> Bundles:
        """All that ``sources`` send to ``sinks``, over an image of ``pixels`` pixels; not to be changed."""
        key = likeness(sources, sinks, pixels, cells)
        return _kept(self._bundles, key, lambda: bundles(sources, sinks, pixels, self.sequences, cells))

    def least(self, program: Program, make: Callable[[Program], Ints]) -> Ints:
        """The least capacities of a Program as ``make`` finds them, which hang on no time and no route."""
        key = _untimed(program)
        if key not in self._least:
            while len(self._least) >= KEPT_PROGRAMS:
                del self._least[next(iter(self._least))]
            self._least[key] = make(program)
        return self._least[key]


def _untimed(program: Program) -> bytes:
    """What a Program is without times, routes and capacities."""
    a = program.arrays
    used, own = np.unique(np.concatenate((a.flow_emit, a.end_need, a.end_free)), return_inverse=True)
    counts = np.zeros(len(a.q_start), bool)
    counts[used] = True
    lists = (
        *(a.stage_firings, a.flow_source, a.flow_initial, a.flow_end_ptr, a.end_stage),
        *(own, a.q_period[used], a.q_increment[used], a.q_offset[used], a.pool[np.repeat(counts, a.q_period)]),
    )
    sha = hashlib.sha256()
    for values in lists:
        sha.update(f"{len(values)} ".encode())
        sha.update(values.tobytes())
    return sha.digest()


def _kept(among: dict[Any, T], key: Hashable, make: Callable[[], T]) -> T:
    found = among.get(key)
    if found is None:
        found = among[key] = make()
    return found


_latest = Known()


def known() -> Known:
    """What earlier compilations of this process left; nothing, if that was much."""
    global _latest  # noqa: PLW0603
    if _latest.sequences.values > MOST_VALUES:
        _latest = Known()
    return _latest
