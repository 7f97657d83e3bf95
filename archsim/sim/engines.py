"""The engines by name, and which of them runs."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Literal, Protocol

from archsim.program import Program
from archsim.sim.outcome import Outcome, RecordsWanted

__all__ = ["Engine", "EngineName", "chosen", "engine"]

EngineName = Literal["compiled", "simpy"]


class Engine(Protocol):
    """An interpreter of Programs; all give the same Outcome for the same Program."""

    def __call__(self, program: Program, *, records: RecordsWanted = frozenset()) -> Outcome:
        """Run ``program`` to its end; DeadlockError if it has none."""


def chosen(name: str | None = None) -> EngineName:
    """The engine of that name; by default the compiled one where Numba is there, else the SimPy reference."""
    if name is None:
        return "compiled" if find_spec("numba") else "simpy"
    return "simpy" if name == "simpy" else "compiled"


def engine(name: EngineName) -> Callable[..., Outcome]:
    """The engine itself, imported when asked for."""
    if name == "simpy":
        from archsim.sim import reference

        return reference.run
    from archsim.sim import compiled

    return compiled.run
