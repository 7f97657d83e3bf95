"""Integer sequences by number: equal ones are one, kept as bytes until somebody wants to look at them."""

from __future__ import annotations

from collections.abc import Sequence as Seq

import numpy as np
from numpy.typing import NDArray

from archsim.parts import Sequence

__all__ = ["Sequences", "Tables", "first_uses", "ints", "runs", "starts"]

Ints = NDArray[np.int64]

VALUE = 8
"""The bytes of a value."""


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


class Tables:
    """The sequences that a Program uses: ``pool``, and of each where it starts there, its period, increment and
    offset, as in :class:`archsim.flat.ProgramArrays`."""

    def __init__(self, packed: Seq[bytes], increments: Ints, offsets: Ints) -> None:
        periods = ints([len(values) for values in packed]) // VALUE
        self.pool = np.frombuffer(bytearray().join(packed), np.int64) if packed else ints([])
        self.start = starts(periods)[:-1]
        self.period = periods
        self.increment = increments
        self.offset = offsets


class Sequences:
    """Numbers sequences from 0 as they come, equal ones alike."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[bytes, int, int], int] = {}
        self._sparse: dict[tuple[bytes, int], int] = {}
        self._packed: list[bytes] = []
        self._increments: list[int] = []
        self._offsets: list[int] = []
        self.values = 0
        """The integers in all sequences together."""

    def __getitem__(self, number: int) -> Sequence:
        values = np.frombuffer(self._packed[number], np.int64).tolist()
        return Sequence(tuple(values), self._increments[number], self._offsets[number])

    def of_bytes(self, values: bytes, increment: int = 0, offset: int = 0) -> int:
        """The number of the sequence of these values, of 8 bytes each."""
        key = values, increment, offset
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._packed)
            self._packed.append(values)
            self._increments.append(increment)
            self._offsets.append(offset)
            self.values += len(values) // VALUE
        return number

    def at_firings(self, rows: bytes, firings: int) -> int:
        """Of so many firings the tokens of each, given for those that have some: pairs of a firing and its tokens."""
        key = rows, firings
        number = self._sparse.get(key)
        if number is None:
            pairs = np.frombuffer(rows, np.int64).reshape(-1, 2)
            tokens = np.zeros(firings, np.int64)
            tokens[pairs[:, 0]] = pairs[:, 1]
            number = self._sparse[key] = self.of_bytes(tokens.tobytes())
        return number

    def of(self, sequence: Sequence) -> int:
        """The number of a record."""
        return self.of_bytes(ints(sequence.table).tobytes(), sequence.increment, sequence.offset)

    def numbers(self, sequences: Seq[Sequence]) -> Ints:
        """Those of several records, of which many may be one object."""
        by_identity = {id(sequence): sequence for sequence in sequences}
        found = {identity: self.of(sequence) for identity, sequence in by_identity.items()}
        return ints([found[id(sequence)] for sequence in sequences])

    def used(self, columns: Seq[Ints]) -> tuple[Tables, list[Ints]]:
        """The tables of the sequences that are named in ``columns``, in the order of their first use there, and the
        columns with their places among these."""
        named = np.concatenate(columns)
        order = first_uses(named, len(self._packed))
        place = np.empty(len(self._packed), np.int64)
        place[order] = np.arange(len(order))
        numbers = order.tolist()
        increments, offsets = (ints([of[n] for n in numbers]) for of in (self._increments, self._offsets))
        tables = Tables([self._packed[n] for n in numbers], increments, offsets)
        return tables, [place[column] for column in columns]


def first_uses(numbers: Ints, below: int) -> Ints:
    """The different ``numbers``, all from 0 to less than ``below``, in the order in which they first come."""
    first = np.full(below, -1, np.int64)
    first[numbers[::-1]] = np.arange(len(numbers))[::-1]  # of several that are put in one place the last one stays
    used = np.flatnonzero(first >= 0)
    return used[np.argsort(first[used])]
