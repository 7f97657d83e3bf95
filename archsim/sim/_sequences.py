"""The tables that the compiled engine reads: one for each sequence, or for two that are read together."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError
from archsim.program import ProgramArrays
from archsim.sim import _kernel as k

__all__ = ["ChangeTables", "EmissionTables", "SequenceTables"]

Ints = NDArray[np.int64]

MOST_CHANGE = 1 << 31
"""Two changes share a word."""


class SequenceTables:
    """The tables of the intervals and latencies; ``place`` is where each sequence has its own."""

    def __init__(self, a: ProgramArrays) -> None:
        self.used = np.unique(np.concatenate((a.stage_interval, a.stage_latency)))
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


class ChangeTables:
    """The tables of how needs and freed totals change from firing to firing, one for each pair of sequences that an end
    has; ``of_end`` says which an end has, ``place`` is where each table is, and ``before`` the need and the freed total
    before the first firing.

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
        sizes = length + k.PAST_VALUES
        self.words = int(sizes.sum())
        sequence = [(a.q_start[q], a.q_period[q], a.q_offset[q], a.q_increment[q]) for q in (need, free)]
        self.tables = np.stack((np.cumsum(sizes) - sizes, length, most > length, *sequence[0], *sequence[1]), axis=1)

    def write(self, m: Ints, address: int, pool: Ints) -> None:
        """Write all of them from ``address`` on.  ArchsimError where a change is too large for half a word."""
        self.tables[:, 0] += address
        self.place = self.tables[:, 0]
        self.before, largest = k.tabulate(m, pool, self.tables)
        if largest >= MOST_CHANGE:
            message = f"the need or the freed total of an input changes by {largest} tokens from one firing to the next"
            raise ArchsimError(f"{message}, the compiled engine takes {MOST_CHANGE - 1}; --engine simpy")


class EmissionTables:
    """The tables of what the firings of a stage put on its flows, one for each row of sequences that the flows of a
    stage have; ``of_stage`` says which a stage has, and ``place`` is where each table is.

    Only flows that get tokens stand in it: most stages have many flows, and each firing uses few of them.  A flow with
    more initial tokens than an end has room for stands in it always, for until some are freed it stops a firing that
    puts nothing on it too.  A table goes on until all sequences begin anew, or until the last firing.
    """

    def __init__(self, a: ProgramArrays) -> None:
        full = np.zeros(len(a.flow_source), bool)
        np.logical_or.at(full, a.end_flow, a.flow_initial[a.end_flow] > a.end_capacity)
        self._used, used = np.unique(a.flow_emit + len(a.q_start) * full, return_inverse=True)
        sequence = used.reshape(-1)[a.stage_out]
        kinds: dict[bytes, int] = {}
        edges = list(pairwise(a.stage_out_ptr.tolist()))
        of_stage = [kinds.setdefault(sequence[low:high].tobytes(), len(kinds)) for low, high in edges]
        self.of_stage = np.array(of_stage, np.int64)
        own = [np.frombuffer(row, np.int64) for row in kinds]
        most = np.ones(len(kinds), np.int64)
        np.maximum.at(most, self.of_stage, a.stage_firings)
        periods = a.q_period[self._used % max(1, len(a.q_start))]
        period = [
            min(math.lcm(*periods[row].tolist()), firings) for row, firings in zip(own, most.tolist(), strict=True)
        ]
        self.period = np.array(period, np.int64)
        slot, self._words = self._emitted(a, own)
        self._count = np.bincount(slot, minlength=int(self.period.sum()))
        self._order = np.argsort(slot, kind="stable")  # at each firing in the order of the flows
        self.words = int(self.period.sum()) + len(slot) + k.PAST_VALUES * len(kinds)

    def _emitted(self, a: ProgramArrays, own: list[Ints]) -> tuple[Ints, Ints]:
        """For all that is put on a flow, in the order of kinds and flows: at which firing, those of all kinds numbered
        one after the other, and the word that the table has of it."""
        kind = np.repeat(np.arange(len(own)), [len(row) for row in own])
        flow = np.concatenate([np.arange(len(row)) for row in own] or [kind])
        sequence = np.concatenate(own or [kind])
        full, q = np.divmod(self._used, max(1, len(a.q_start)))
        begin, place, tokens = k.listed(a.pool, a.q_start[q], a.q_period[q], a.q_offset[q], full > 0)
        period = a.q_period[q][sequence]
        again, each = _expanded(-(-self.period[kind] // period))  # a short sequence comes again and again
        inside, row = _expanded(np.diff(begin)[sequence[each]])
        each, again = each[row], again[row]
        at = begin[sequence[each]] + inside
        firing = place[at] + again * period[each]
        used = firing < self.period[kind[each]]
        first = np.cumsum(self.period) - self.period
        slot = (first[kind[each]] + firing)[used]
        return slot, (flow[each] * k.FLOW_ROW << k.HALF | tokens[at])[used]

    def write(self, m: Ints, address: int) -> None:
        """Write all of them from ``address`` on."""
        kind = np.repeat(np.arange(len(self.period)), self.period)
        before = np.cumsum(self._count) - self._count
        at = address + np.arange(len(kind)) + before + k.PAST_VALUES * kind
        m[at] = self._count
        rank, slot = _expanded(self._count)
        m[at[slot] + 1 + rank] = self._words[self._order]
        first = np.cumsum(self.period) - self.period
        last = first + self.period - 1
        self.place = at[first]
        past = at[last] + 1 + self._count[last]
        m[past] = k.WRAP
        m[past + 1] = self.place


def _expanded(counts: Ints) -> tuple[Ints, Ints]:
    """0, 1, … up to each count, one after the other, and the place among ``counts`` of each."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts), owner
