"""The records that a Program is made of: stages, flows with their ends and hops, links, and integer sequences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ProgramError

__all__ = ["NO_NODE", "End", "Flow", "Hop", "Link", "Sequence", "Stage"]

Ints = NDArray[np.int64]

NO_NODE = -1
"""The ``node`` of an end with an empty route, and the ``parent`` of a first hop."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """An integer sequence: ``value(n) = offset + table[n % P] + increment * (n // P)``, P = len(table).

    A constant is a table of one; a running total over images has the tokens of one image as its increment.
    """

    table: tuple[int, ...]
    increment: int = 0
    offset: int = 0

    def __post_init__(self) -> None:
        if not self.table:
            raise ProgramError("a sequence needs at least one value")

    @classmethod
    def constant(cls, value: int) -> Sequence:
        """``value`` for every n."""
        return cls((int(value),))

    @classmethod
    def of(cls, values: Iterable[int], increment: int = 0, offset: int = 0) -> Sequence:
        """A sequence from any integers, numpy's included."""
        plain = values.tolist() if isinstance(values, np.ndarray) else [int(v) for v in values]
        return cls(tuple(plain), int(increment), int(offset))

    def at(self, n: int) -> int:
        """The value for one n."""
        period, position = divmod(n, len(self.table))
        return self.offset + self.table[position] + self.increment * period

    def values(self, count: int) -> Ints:
        """The first ``count`` values."""
        n = np.arange(count, dtype=np.int64)
        period = len(self.table)
        return self.offset + np.asarray(self.table, np.int64)[n % period] + self.increment * (n // period)

    def total(self, count: int) -> int:
        """The sum of the first ``count`` values."""
        return int(self.values(count).sum())


@dataclass(frozen=True, slots=True)
class Stage:
    """A sequential server.

    ``interval`` (ps, each at least 1) separates the starts of firings n and n+1; ``latency`` (ps, each at
    least 1) is the time from a start to its output.  ``layer``, ``place`` and ``component`` only label it.
    """

    name: str
    firings: int
    interval: Sequence
    latency: Sequence
    layer: str = ""
    place: str = ""
    component: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A shared FIFO server: ``hop`` (ps, at least 1) is the time for a head to cross it."""

    name: str
    hop: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Hop:
    """One link of a route tree; ``parent`` is the index of the hop before it, NO_NODE for a first one.

    ``serialisation`` (ps, at least 1) is the time for which one token of the flow keeps the link busy.
    A parent stands before its children.
    """

    link: int
    serialisation: int
    parent: int = NO_NODE


@dataclass(frozen=True, slots=True)
class End:
    """Where a flow is consumed.

    ``need`` and ``free`` are running totals over the firings of ``stage``, the flow's initial tokens first.
    ``node`` is the index of the hop on which the end hangs, NO_NODE when the route to it is empty.
    """

    stage: int
    need: Sequence
    free: Sequence
    capacity: int
    node: int = NO_NODE


@dataclass(frozen=True, slots=True)
class Flow:
    """An ordered channel of equal-sized tokens of ``bits`` bits from ``source`` to every one of ``ends``.

    ``emit[n]`` tokens are put on it by firing n of the source; ``initial`` tokens lie ready at each end.
    """

    name: str
    source: int
    emit: Sequence
    ends: tuple[End, ...]
    route: tuple[Hop, ...] = ()
    initial: int = 0
    bits: int = 0
