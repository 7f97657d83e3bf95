"""The tables that the compiled engine reads: one for each sequence, or for two that are read together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.program import ProgramArrays
from archsim.sim import _kernel as k

__all__ = ["PairTables", "SequenceTables"]

Ints = NDArray[np.int64]


class SequenceTables:
    """The tables of the intervals, latencies and emissions; ``place`` is where each sequence has its own."""

    def __init__(self, a: ProgramArrays) -> None:
        self.used = np.unique(np.concatenate((a.stage_interval, a.stage_latency, a.flow_emit)))
        self.period, self.offset = a.q_period[self.used], a.q_offset[self.used]
        begin = np.cumsum(self.period + k.PAST_VALUES) - self.period - k.PAST_VALUES
        self.words = int(np.sum(self.period + k.PAST_VALUES))
        self.begin = begin
        self.place = np.zeros(len(a.q_start), np.int64)
        inside = np.arange(int(self.period.sum())) - np.repeat(np.cumsum(self.period) - self.period, self.period)
        self.at = np.repeat(begin, self.period) + inside
        self.values = a.pool[np.repeat(a.q_start[self.used], self.period) + inside] + np.repeat(
            self.offset, self.period
        )

    def write(self, m: Ints, address: int) -> None:
        """Write all of them from ``address`` on."""
        begin = address + self.begin
        m[address + self.at] = self.values
        m[begin + self.period] = k.WRAP
        m[begin + self.period + 1] = begin
        self.place[self.used] = begin


class PairTables:
    """The tables of needs and frees, one for each pair of sequences that an end has; ``of_end`` says which an end has,
    and ``place`` is where each table is.

    A table goes on until both sequences begin anew, or until the last firing: its length is the common multiple of two
    periods, which are as a rule the same or 1.
    """

    def __init__(self, a: ProgramArrays) -> None:
        together = a.end_need * len(a.q_start) + a.end_free
        pairs, of_end = np.unique(together, return_inverse=True)
        self.of_end = of_end.reshape(-1)
        need, free = np.divmod(pairs, max(1, len(a.q_start)))
        most = np.zeros(len(pairs), np.int64)
        np.maximum.at(most, self.of_end, a.stage_firings[a.end_stage])
        length = np.minimum(np.lcm(a.q_period[need], a.q_period[free]), most)
        sizes = 2 * length + k.PAST_PAIRS
        self.words = int(sizes.sum())
        sequence = [(a.q_start[q], a.q_period[q], a.q_offset[q], a.q_increment[q]) for q in (need, free)]
        self.tables = np.stack((np.cumsum(sizes) - sizes, length, *sequence[0], *sequence[1]), axis=1)

    def write(self, m: Ints, address: int, pool: Ints) -> None:
        """Write all of them from ``address`` on."""
        self.tables[:, 0] += address
        self.place = self.tables[:, 0]
        k.tabulate(m, pool, self.tables)
