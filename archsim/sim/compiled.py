"""The compiled engine: the same results as the reference, by a Numba event loop over the Program's arrays."""

from __future__ import annotations

import numpy as np

from archsim.program import Program
from archsim.sim import _kernel
from archsim.sim._tables import make_outcome, make_tables, make_tape
from archsim.sim.deadlock import deadlock
from archsim.sim.outcome import Outcome, RecordsWanted

__all__ = ["run"]


def run(program: Program, *, records: RecordsWanted = frozenset()) -> Outcome:
    """Run a Program to its end by the rules of ``docs/timing.md``.

    ``records`` says what to keep besides the totals: ``"all"``, or the stages whose starts are wanted.  Memory
    grows with stages, flows, links and tokens on their way, and with firings only for the records asked for.

    Raises DeadlockError when nothing can happen and firings remain.
    """
    tables, pool = make_tables(program.arrays)
    tape = make_tape(program, tables, records)
    last_output = _kernel.simulate(tables, tape, pool)
    fired = tables.stages[:, _kernel.FIRED]
    if np.any(fired < tables.stages[:, _kernel.FIRINGS]):
        raise deadlock(
            program,
            fired=fired,
            delivered=tables.ends[:, _kernel.KNOWN],
            freed=tables.ends[:, _kernel.FREED],
            emitted=tables.flows[:, _kernel.EMITTED] + program.arrays.flow_initial,
        )
    return make_outcome(program, tables, tape, last_output, records)
