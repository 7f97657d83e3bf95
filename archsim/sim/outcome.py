"""What an engine returns: integer totals for each stage, end and link, and records where they were asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["BY_ITSELF", "Outcome", "Records", "RecordsWanted"]

Ints = NDArray[np.int64]

BY_ITSELF = -1
"""The binding of a firing that waited for nothing but its own stage."""

RecordsWanted = Literal["all"] | frozenset[int]
"""``"all"``, or the numbers of the stages whose starts (only these) are kept; an empty set keeps nothing."""


@dataclass(frozen=True)
class Records:
    """Per-firing and per-token times in ps.  With a set of stages wanted, only ``starts`` of those is filled.

    ``starts``, ``starved``, ``blocked`` and ``bound`` map a stage number to an array over its firings;
    ``bound`` holds the number of the binding end, or BY_ITSELF.  ``deliveries`` maps an end number to the
    delivery times of its tokens in order (initial tokens not included); ``link_starts`` maps a hop number
    to the times at which its tokens, in order, started on its link.
    """

    starts: dict[int, Ints]
    starved: dict[int, Ints]
    blocked: dict[int, Ints]
    bound: dict[int, Ints]
    deliveries: dict[int, Ints]
    link_starts: dict[int, Ints]


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
