"""The engines by name, and which of them runs."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Literal, Protocol

from archsim import demand, jit, sequences
from archsim.compile import routes
from archsim.errors import ArchsimError
from archsim.program import Program, Sequence, Stage
from archsim.sim.outcome import Outcome, RecordsWanted

__all__ = ["Engine", "EngineName", "chosen", "engine", "make_ready"]

EngineName = Literal["compiled", "simpy"]

log = logging.getLogger("archsim")


class Engine(Protocol):
    """An interpreter of Programs; all give the same Outcome for the same Program."""

    def __call__(self, program: Program, *, records: RecordsWanted = frozenset()) -> Outcome:
        """Run ``program`` to its end; DeadlockError if it has none."""


def chosen(name: str | None = None) -> EngineName:
    """The engine of that name; by default the compiled one where Numba is there, else the SimPy reference.

    ArchsimError if the compiled one is asked for by name and there is no Numba.
    """
    if name is None and jit.MISSING:
        _say_that_the_reference_runs()
        return "simpy"
    if name == "simpy":
        return "simpy"
    if jit.MISSING:
        raise ArchsimError(
            f"engine: the compiled one needs Numba, which cannot be imported ({jit.MISSING:.300}); "
            "pip install numba, or simpy gives the same results"
        )
    return "compiled"


@functools.cache
def _say_that_the_reference_runs() -> None:
    log.warning(
        "Numba cannot be imported (%.300s), so the SimPy engine runs: the same results tens of times as slowly, since "
        "Python works through every event; pip install numba",
        jit.MISSING,
    )


def make_ready(name: str | None = None) -> None:
    """Compile the engine of that name if that has still to be done, and say what there is to say of it: once, before
    several processes run it."""
    if chosen(name) == "compiled":
        sequences.make_ready()
        one = Sequence.constant(1)
        program = Program((Stage("", 1, one, one),), ())
        routes.make_ready()
        demand.run(program.arrays, compiled=True)
        engine("compiled")(program)


def engine(name: EngineName) -> Callable[..., Outcome]:
    """The engine itself, imported when asked for."""
    if name == "simpy":
        from archsim.sim import reference

        return reference.run
    from archsim.sim import compiled

    return compiled.run
