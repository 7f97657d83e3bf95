"""What a run came to, so that two runs can be compared in everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np

from archsim.errors import DeadlockError
from archsim.program import Program
from archsim.sim.outcome import Outcome, Records

__all__ = ["differences", "result"]

Result = Outcome | DeadlockError


def result(run: Callable[..., Outcome], program: Program, **options: object) -> Result:
    """The Outcome, or the error of a deadlock."""
    try:
        return run(program, **options)
    except DeadlockError as error:
        return error


def differences(one: Result, other: Result, *, records: bool = True) -> list[str]:
    """The names of all that differs; of two deadlocks the text and the data are compared."""
    if isinstance(one, DeadlockError) or isinstance(other, DeadlockError):
        if not (isinstance(one, DeadlockError) and isinstance(other, DeadlockError)):
            return ["deadlock"]
        pairs = {"text": (str(one), str(other)), "stuck": (one.stuck, other.stuck)}
        pairs |= {"chain": (one.chain, other.chain), "cycle": (one.cycle, other.cycle)}
        return [name for name, (a, b) in pairs.items() if a != b]
    totals = [field.name for field in fields(Outcome) if field.name != "records"]
    found = [name for name in totals if not _equal(getattr(one, name), getattr(other, name))]
    if records:
        kinds = [field.name for field in fields(Records)]
        found += [kind for kind in kinds if not _equal_maps(getattr(one.records, kind), getattr(other.records, kind))]
    return found


def _equal(one: object, other: object) -> bool:
    return type(one) is type(other) and _dtype(one) == _dtype(other) and np.array_equal(one, other)  # type: ignore[arg-type]


def _dtype(value: object) -> object:
    return value.dtype if isinstance(value, np.ndarray) else None


def _equal_maps(one: dict[int, np.ndarray], other: dict[int, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
