"""Integer sequences by number: equal ones are one."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim import _sequences
from archsim.parts import Sequence

__all__ = ["Sequences", "Tables", "first_uses", "ints", "make_ready", "runs", "starts"]

Ints = NDArray[np.int64]


def ints(values: Seq[int]) -> Ints:
    """The same integers as an array."""
    return np.array(values, np.int64)


def starts(counts: Seq[int] | Ints) -> Ints:
    """Where the members of each group begin that has so many, one group after the other, and where all end."""
    pointers = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=pointers[1:])
    return pointers


def runs(first: Ints, counts: Ints) -> Ints:
    """So many numbers of each group that follow each other, from its first on."""
    edges = starts(counts)
    return np.arange(edges[-1]) + np.repeat(first - edges[:-1], counts)


class Tables(NamedTuple):
    """The sequences that a Program uses: ``pool``, and of each where it starts there, its period, increment and
    offset, as in :class:`archsim.flat.ProgramArrays`."""

    pool: Ints
    start: Ints
    period: Ints
    increment: Ints
    offset: Ints


class Sequences:
    """Numbers sequences from 0 as they come, equal ones alike."""

    def __init__(self) -> None:
        self._pool = np.empty(1 << 12, np.int64)
        self._rows = np.empty((1 << 8, _sequences.ROW), np.int64)
        self._slots = np.full(1 << 10, _sequences.NONE, np.int64)
        self._used = np.zeros(2, np.int64)

    @property
    def values(self) -> int:
        """The integers in all sequences together."""
        return int(self._used[_sequences.POOLED])

    def __len__(self) -> int:
        return int(self._used[_sequences.ROWS])

    def __getitem__(self, number: int) -> Sequence:
        period, increment, offset, start, _, _ = self._rows[number].tolist()
        return Sequence(tuple(self._pool[start : start + period].tolist()), increment, offset)

    def number(self, values: Ints, edges: Ints, increments: Ints, offsets: Ints | None = None) -> Ints:
        """The numbers of several sequences, each with the values between two of ``edges``."""
        filled = np.flatnonzero(values)
        begin = np.searchsorted(filled, edges)
        places = filled - np.repeat(edges[:-1], np.diff(begin))
        constants = increments, np.zeros_like(increments) if offsets is None else offsets
        return self._numbers((np.diff(edges), *constants), begin, places, values[filled])

    def at_firings(self, firing: Ints, tokens: Ints, edges: Ints, firings: Ints) -> Ints:
        """The numbers of the sequences of the tokens of each of so many ``firings``, given for those that have some:
        each ``firing`` and its ``tokens``, those of each sequence between two of ``edges``."""
        none = np.zeros_like(firings)
        return self._numbers((firings, none, none), edges, firing, tokens)

    def _numbers(self, about: Seq[Ints], edges: Ints, places: Ints, values: Ints) -> Ints:
        self._make_room(int(about[0].sum()), len(about[0]))
        kept = self._pool, self._rows, self._slots, self._used
        return _sequences.number(np.stack(about, axis=1), edges, places, values, *kept)

    def _make_room(self, values: int, sequences: int) -> None:
        """Room for so many values and sequences more; a quarter of the slots is in use at the most."""
        pooled, rows = self._used.tolist()
        self._pool = _with_room(self._pool, pooled, pooled + values)
        self._rows = _with_room(self._rows, rows, rows + sequences)
        if len(self._slots) < 4 * (rows + sequences):
            self._slots = np.full(1 << (4 * (rows + sequences)).bit_length(), _sequences.NONE, np.int64)
            _sequences.spread(self._rows[:rows, _sequences.HASH].copy(), self._slots)

    def of(self, sequences: Seq[Sequence]) -> Ints:
        """The numbers of several records, of which many may be one object."""
        by_identity = {id(sequence): k for k, sequence in enumerate(sequences)}
        different = [sequences[k] for k in by_identity.values()]
        edges = starts([len(sequence.table) for sequence in different])
        values = ints([value for sequence in different for value in sequence.table])
        constants = ([s.increment for s in different], [s.offset for s in different])
        numbers = dict(zip(by_identity, self.number(values, edges, *map(ints, constants)).tolist(), strict=True))
        return ints([numbers[id(sequence)] for sequence in sequences])

    def used(self, columns: Seq[Ints]) -> tuple[Tables, list[Ints]]:
        """The tables of the sequences that are named in ``columns``, in the order of their first use there, and the
        columns with their places among these."""
        order = first_uses(np.concatenate(columns), len(self))
        place = np.empty(len(self), np.int64)
        place[order] = np.arange(len(order))
        period, increment, offset, start, _, _ = self._rows[order].T.copy()
        pool = np.empty(period.sum(), np.int64)
        _sequences.gathered(self._pool, start, period, pool)
        return Tables(pool, starts(period)[:-1], period, increment, offset), [place[column] for column in columns]


def make_ready() -> None:
    """Compile the inner loops if that has still to be done."""
    Sequences().of([Sequence((1,))])
    none = ints([])
    _sequences.spread(none, none)
    _sequences.gathered(none, none, none, none)


def _with_room(array: Ints, used: int, wanted: int) -> Ints:
    """``array`` with room for ``wanted`` rows, of which those that are ``used`` stay: twice as many as it had or more,
    so that all growth together copies little."""
    if wanted <= len(array):
        return array
    wider = np.empty((max(wanted, 2 * len(array)), *array.shape[1:]), np.int64)
    wider[:used] = array[:used]
    return wider


def first_uses(numbers: Ints, below: int) -> Ints:
    """The different ``numbers``, all from 0 to less than ``below``, in the order in which they first come."""
    first = np.full(below, -1, np.int64)
    first[numbers[::-1]] = np.arange(len(numbers))[::-1]  # of several that are put in one place the last one stays
    used = np.flatnonzero(first >= 0)
    return used[np.argsort(first[used])]
