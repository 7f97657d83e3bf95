"""Every error that archsim raises on purpose.

::

    ArchsimError                 what the command line turns into one message and exit code 2
    ├── SpecError                a file, an override or an option that a user wrote is wrong
    ├── NotFoundError            a name that no library holds
    ├── WorkloadError            a network whose layers do not fit together
    ├── CompileError             a network that does not fit a board
    ├── NumericError             weights, inputs or an array that the numerical core cannot hold
    ├── ProgramError             a Program that breaks the rules of the timed dataflow
    ├── RecordsError             more records of a run than can be kept
    ├── DeadlockError            a run that can never end
    └── DeviceError              a memory device asked for what it cannot do or its source does not give

A traceback reaches a user only for a bug in archsim.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

__all__ = [
    "ArchsimError",
    "CompileError",
    "DeadlockError",
    "DeviceError",
    "NotFoundError",
    "NumericError",
    "Obstacle",
    "Problem",
    "ProgramError",
    "RecordsError",
    "SpecError",
    "WorkloadError",
    "nearest",
]


class ArchsimError(Exception):
    """Base of all errors that a user can cause; its text is the whole message."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in what a user wrote: where it stands and what would be right."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(eq=False)
class SpecError(ArchsimError):
    """All the mistakes of one file at once, in the order in which they stand there."""

    problems: list[Problem] = field(default_factory=list)

    LISTED: ClassVar[int] = 100
    """How many of them the message lists."""

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[: self.LISTED]]
        if (more := len(self.problems) - self.LISTED) > 0:
            lines.append(f"and {more} more like these")
        return "\n".join(lines)


class NotFoundError(ArchsimError):
    """A chip, tile or workload of that name is nowhere."""


class WorkloadError(ArchsimError):
    """The layers of a network do not fit together; names the layer and both shapes."""


class CompileError(ArchsimError):
    """The network does not fit: the demand, the capacity, the gap, and what would help."""


class NumericError(ArchsimError):
    """Weights, inputs or an array that the numerical core cannot hold: what was got, and what would be right."""


class ProgramError(ArchsimError):
    """A Program that no engine may run, found before the run."""


class RecordsError(ArchsimError):
    """A run has more records than were wanted at the most, or than the memory holds."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What a stuck stage waits for, in numbers of the Program: a step towards a deadlock.

    For ``tokens``, ``have`` have been delivered at ``end`` and ``want`` are needed from stage ``waits_for``;
    for ``room``, ``have`` places are used and ``want`` would be, had the firing started.
    """

    stage: int
    flow: int
    end: int
    lacks: Literal["tokens", "room"]
    have: int
    want: int
    waits_for: int


class DeadlockError(ArchsimError):
    """Nothing can happen and firings remain; names the stuck stages and the cycle.

    ``chain`` leads from the lowest stuck stage; ``cycle`` is its repeating part, empty if the chain ends at a
    stage that has finished.
    """

    def __init__(
        self,
        message: str,
        *,
        stuck: tuple[int, ...] = (),
        chain: tuple[Obstacle, ...] = (),
        cycle: tuple[Obstacle, ...] = (),
    ) -> None:
        super().__init__(message)
        self.stuck = stuck
        self.chain = chain
        self.cycle = cycle


class DeviceError(ArchsimError):
    """A memory device was asked for what it cannot do or its source does not give; names the device and the limit."""


_LONGEST_WORD = 200


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint such as ``; did you mean 'power'?``, or an empty text when nothing is near."""
    words = list(known)
    match = [other for other in words if other.casefold() == word.casefold()]
    match = match or difflib.get_close_matches(word[:_LONGEST_WORD], words, n=1, cutoff=0.6)
    return f"; did you mean {match[0]!r}?" if match else ""
