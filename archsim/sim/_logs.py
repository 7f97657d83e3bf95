"""The logs in which the reference engine keeps records."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from archsim.sim.outcome import Records, Wanted, too_many

__all__ = ["Log", "as_records"]


class Log:
    """The records that are kept of one stage, end or hop; their times never fall."""

    def __init__(self, wanted: Wanted, left: list[int]) -> None:
        self.wanted = wanted
        self.left = left  # how many more may be kept, in all logs together
        self.before = 0
        self.records: list[tuple[int, ...]] = []

    def add(self, time: int, *more: int) -> None:
        """Keep a record of what happens at ``time``, if it is wanted; before the window only the last one stays."""
        if time < self.wanted.since:
            self.before += 1
            self.records = [(time, *more)]
        elif time < self.wanted.until:
            if not self.left[0]:
                raise too_many(self.wanted)
            self.left[0] -= 1
            self.records.append((time, *more))


def as_records(firings: Mapping[int, Log], deliveries: Mapping[int, Log], passages: Mapping[int, Log]) -> Records:
    """What stands in the logs of stages, ends and hops."""
    return Records(
        starts=_column(firings, 0),
        starved=_column(firings, 1),
        blocked=_column(firings, 2),
        bound={number: ends.astype(np.int32) for number, ends in _column(firings, 3).items()},
        deliveries=_column(deliveries, 0),
        link_starts=_column(passages, 0),
        link_waits=_column(passages, 1),
        first_firing=_first(firings),
        first_delivery=_first(deliveries),
        first_passage=_first(passages),
    )


def _column(logs: Mapping[int, Log], place: int) -> dict[int, NDArray[np.int64]]:
    return {number: np.array([record[place] for record in log.records], np.int64) for number, log in logs.items()}


def _first(logs: Mapping[int, Log]) -> dict[int, int]:
    return {number: max(0, log.before - 1) for number, log in logs.items()}
