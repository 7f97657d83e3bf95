"""The compiled engine: the same results as the reference, by a Numba event loop over the Program's arrays."""

from __future__ import annotations

import numpy as np

from archsim.deadlock import deadlock
from archsim.program import Program
from archsim.sim import _kernel
from archsim.sim._tables import Words
from archsim.sim.outcome import Outcome, RecordsWanted, too_many, wanted_of

__all__ = ["run"]

POOL = 1 << 22
"""Words (of 8 bytes) that tokens on their way may take at first.  Only what is written costs real memory."""
GROWTH = 4


def run(program: Program, *, records: RecordsWanted = frozenset()) -> Outcome:
    """Run a Program to its end by the rules of ``docs/timing.md``.

    ``records`` says what to keep besides the totals.  Memory grows with stages, flows, links and tokens on their
    way, and with firings only for the records asked for.

    Raises DeadlockError when nothing can happen and firings remain, RecordsError when there are more records than
    wanted at the most.
    """
    pool = POOL
    wanted = wanted_of(program, records)
    words = Words(program, wanted, pool)
    while not _kernel.simulate(words.m):
        if words.m[_kernel.FULL] == _kernel.TOO_MANY_RECORDS:
            raise too_many(wanted)
        pool *= GROWTH  # more tokens on their way than there was room for: once more, with more
        words = Words(program, wanted, pool)
    fired = words.fired()
    if np.any(fired < program.arrays.stage_firings):
        delivered = words.ends[:, _kernel.KNOWN]
        raise deadlock(program, fired=fired, delivered=delivered, freed=words.freed(), emitted=words.emitted())
    return words.outcome()
