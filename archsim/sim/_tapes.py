"""The tapes on which the compiled engine keeps records: how much room they take, and what stands on them in the end.

A tape begins with a word that counts the records before the window; then come the last one of those, and those in the
window.  Room for a record that never comes costs no memory, as long as nothing is written there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.program import NO_NODE, Program
from archsim.sim import _kernel as k
from archsim.sim.outcome import BY_ITSELF, Records, Wanted

__all__ = ["Tapes"]

Ints = NDArray[np.int64]
Words = tuple[tuple[Ints, Ints], tuple[Ints, Ints], tuple[Ints, Ints]]
"""For stages, ends and hops: the words that hold where their tapes have got to, and which of them is whose."""


class Tapes:
    """The tapes of one run, of stages, ends and hops, from the address ``begin`` to ``end``."""

    def __init__(self, program: Program, wanted: Wanted, begin: int) -> None:
        a = program.arrays
        stages, ends, hops = (np.array(sorted(of), np.int64) for of in (wanted.stages, wanted.ends, wanted.hops))
        tokens = program.flow_tokens
        shortest = [program.stages[s].interval.offset + min(program.stages[s].interval.table) for s in stages.tolist()]
        apart = np.zeros(len(ends), np.int64)  # without a link between, tokens may come all at once
        linked = a.end_node[ends] != NO_NODE
        apart[linked] = a.hop_serialisation[a.end_node[ends][linked]]
        room = (
            _room(a.stage_firings[stages], np.array(shortest, np.int64), wanted),
            _room(tokens[a.end_flow[ends]], apart, wanted),
            _room(tokens[a.hop_flow[hops]], a.hop_serialisation[hops], wanted),
        )
        self.firings = _Tape(stages, k.FIRING_RECORD, room[0], begin)
        self.deliveries = _Tape(ends, k.DELIVERY_RECORD, room[1], self.firings.end)
        self.passages = _Tape(hops, k.PASSAGE_RECORD, room[2], self.deliveries.end)
        self.begin, self.end = begin, self.passages.end

    def begin_at(self, words: Words) -> None:
        """Write down where each tape begins; NONE where nothing is wanted."""
        for tape, (word, place) in zip(self._all(), words, strict=True):
            word[:] = k.NONE
            word[place[tape.of]] = tape.first

    def records(self, m: Ints, words: Words, first_end: int) -> Records:
        """What was recorded; ``first_end`` is the address of the first row of ends."""
        read = [tape.read(m, word[place[tape.of]]) for tape, (word, place) in zip(self._all(), words, strict=True)]
        (firings, first_firing), (deliveries, first_delivery), (passages, first_passage) = read
        starts, starved, blocked, addresses = (_column(firings, word) for word in range(k.FIRING_RECORD))
        bound = {
            row: np.where(of == k.NONE, BY_ITSELF, (of - first_end) // k.END_ROW).astype(np.int32)
            for row, of in addresses.items()
        }
        return Records(
            starts,
            starved,
            blocked,
            bound,
            _column(deliveries, 0),
            _column(passages, 0),
            _column(passages, 1),
            first_firing,
            first_delivery,
            first_passage,
        )

    def _all(self) -> tuple[_Tape, _Tape, _Tape]:
        return self.firings, self.deliveries, self.passages


class _Tape:
    """The tapes of the rows ``of`` which records are wanted, of ``words`` words each."""

    def __init__(self, of: Ints, words: int, room: Ints, begin: int) -> None:
        self.of = of
        self.words = words
        past = begin + np.cumsum(1 + words * (1 + room))
        self.end = int(past[-1]) if len(of) else begin
        self.first = past - words * (1 + room)

    def read(self, m: Ints, last: Ints) -> tuple[dict[int, Ints], dict[int, int]]:
        """The records of each row, the last of which stand at ``last``, and the number of the first of them."""
        records: dict[int, Ints] = {}
        numbers: dict[int, int] = {}
        for row, begin, end in zip(self.of.tolist(), self.first.tolist(), last.tolist(), strict=True):
            before = int(m[begin - 1])
            written = m[begin : end + self.words].reshape(-1, self.words)
            records[row], numbers[row] = (written, before - 1) if before else (written[1:], 0)
        return records, numbers


def _column(records: dict[int, Ints], word: int) -> dict[int, Ints]:
    return {row: written[:, word].copy() for row, written in records.items()}


def _room(count: Ints, apart: Ints, wanted: Wanted) -> Ints:
    """How many of ``count`` records can fall into the window, if any two are ``apart`` ps from each other or more."""
    window = max(0, wanted.until - wanted.since)
    most = np.where(apart > 0, -(-window // np.maximum(apart, 1)), count)
    return np.minimum(np.minimum(count, most), wanted.most)
