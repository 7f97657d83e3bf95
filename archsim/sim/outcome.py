"""What an engine returns: integer totals for each stage, end and link, and records where they were asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from archsim.errors import RecordsError
from archsim.program import Program

__all__ = [
    "BY_ITSELF",
    "FOREVER",
    "Outcome",
    "Records",
    "RecordsWanted",
    "Wanted",
    "records_bytes",
    "too_many",
    "wanted_of",
]

Ints = NDArray[np.int64]

BY_ITSELF = -1
"""The binding of a firing that waited for nothing but its own stage."""

FOREVER = np.iinfo(np.int64).max
"""Later than any time."""


@dataclass(frozen=True)
class Wanted:
    """The records to keep: those of these stages, ends and hops (by their numbers) in ``since <= time < until`` (ps).

    The time of a firing is its start, that of a token its delivery at an end or the start of its service on a link.
    Beside those in the window the last record before it is kept, which may still be going on when it begins.
    A run that has more than ``most`` records in the window ends in a RecordsError as soon as that shows.
    """

    stages: frozenset[int] = frozenset()
    ends: frozenset[int] = frozenset()
    hops: frozenset[int] = frozenset()
    since: int = 0
    until: int = FOREVER
    most: int = FOREVER

    def __post_init__(self) -> None:
        if not 0 <= self.since <= self.until:
            raise RecordsError(f"a window of records from {self.since} to {self.until} ps is none")

    @property
    def of_tokens(self) -> bool:
        """Whether any record of a token is wanted."""
        return bool(self.ends or self.hops)


RecordsWanted = Literal["all"] | frozenset[int] | Wanted
"""``"all"``, or the numbers of the stages whose firings are kept (an empty set keeps nothing), or more than that."""


def wanted_of(program: Program, records: RecordsWanted) -> Wanted:
    """``records`` spelt out."""
    if isinstance(records, Wanted):
        return records
    if isinstance(records, frozenset):
        return Wanted(records)
    a = program.arrays
    stages, ends, hops = (frozenset(range(len(rows))) for rows in (a.stage_firings, a.end_flow, a.hop_flow))
    return Wanted(stages, ends, hops)


def records_bytes(program: Program) -> int:
    """The memory that all records of a run of ``program`` take, at the most: once while they are made, once after."""
    a = program.arrays
    firings, deliveries = int(a.stage_firings.sum()), int(program.flow_tokens[a.end_flow].sum())
    passages = int(program.flow_tokens[a.hop_flow].sum())
    return 8 * (4 * firings + deliveries + 2 * passages) + (3 * 8 + 4) * firings + 8 * (deliveries + 2 * passages)


def too_many(wanted: Wanted) -> RecordsError:
    """The error of a run that has more records than are wanted at the most."""
    return RecordsError(f"the run has more than {wanted.most} of the records that are wanted of it")


@dataclass(frozen=True)
class Records:
    """Per-firing and per-token times in ps, of the rows that were asked for.

    ``starts``, ``starved``, ``blocked`` and ``bound`` map a stage number to an array over its firings;
    ``bound`` holds the number of the binding end, or BY_ITSELF, as ``int32``.  ``deliveries`` maps an end number to the
    delivery times of its tokens in order (initial tokens not included).  ``link_starts`` and ``link_waits`` map a
    hop number to the times at which its tokens, in order, started on its link, and for how long they waited for it.
    The arrays begin with firing ``first_firing`` of the stage, token ``first_delivery`` of the end and token
    ``first_passage`` of the hop, counted from 0: more than 0 only where a window of time was wanted.
    """

    starts: dict[int, Ints]
    starved: dict[int, Ints]
    blocked: dict[int, Ints]
    bound: dict[int, NDArray[np.int32]]
    deliveries: dict[int, Ints]
    link_starts: dict[int, Ints]
    link_waits: dict[int, Ints]
    first_firing: dict[int, int]
    first_delivery: dict[int, int]
    first_passage: dict[int, int]


@dataclass(frozen=True)
class Outcome:
    """The totals of one run.  Times in ps; arrays are over stages, ends or links of the Program.

    ``events`` counts firings, tokens entering a link, and deliveries at an end.  ``makespan`` is the last
    output: the largest of all starts + latency and all deliveries.  ``end_waited`` is, for an end that is an
    input, the starved time of the firings that it bound, and for the same end seen from its source,
    ``end_held`` is the blocked time of the firings that it bound.  ``own_time`` sums the intervals of all
    firings of a stage.  ``end_peak`` is the largest initial + emitted - freed ever reached at an end.
    """

    makespan: int
    events: int
    stage_first: Ints
    stage_last: Ints
    stage_own_time: Ints
    stage_starved: Ints
    stage_blocked: Ints
    end_delivered: Ints
    end_last: Ints
    end_waited: Ints
    end_held: Ints
    end_peak: Ints
    link_tokens: Ints
    link_busy: Ints
    link_waited: Ints
    records: Records
