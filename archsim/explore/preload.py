"""What workers are forked with: the imports of a run, and the machine code of what is compiled, if it is on disk.

To import this module is to load all that; see :func:`archsim.explore.pool.prepare_workers`.
"""

from __future__ import annotations

import os
import signal
from importlib import import_module

from archsim.explore.pool import restore

__all__ = ["COMPLETE"]

STEPS = (
    "numba",
    "archsim.compile.network",
    "archsim.sim.simulate",
    "archsim.sim.compiled",
    "archsim.explore.run",
)


def _load() -> bool:
    for module in STEPS:
        import_module(module)
        _leave_with_the_parent()
    from archsim import jit
    from archsim.sim.engines import make_ready

    if jit.MISSING:
        return False
    try:
        with jit.nothing_compiled():
            make_ready()
    except jit.NotKeptError:
        return False
    finally:
        _leave_with_the_parent()
    return True


def _leave_with_the_parent() -> None:
    """A command that has ended, such as for a name that is not there, leaves nothing at work behind."""
    if os.getppid() != PARENT:
        os._exit(0)


def _quietly() -> bool:
    """An interrupt from the keyboard is for the parent, and what fails here is seen where it is needed."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return _load()
    except Exception:
        return False
    finally:
        signal.signal(signal.SIGINT, before)


PARENT = os.getppid()
restore()

COMPLETE = _quietly()
"""Whether nothing is left to be compiled."""
