"""Work for several processes, its results in the order of the work."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from archsim.errors import ArchsimError

__all__ = ["be_silent", "in_processes", "processors"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(function: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> Iterator[Result]:
    """``function`` of each of ``items``, in their order, by ``jobs`` processes; by this one alone if ``jobs`` is 1.

    The processes import archsim anew, so ``function`` must be found in a module, and a script that calls this with
    more than one job keeps its own work under ``if __name__ == "__main__"``.  ArchsimError if a process is killed.
    """
    if min(jobs, len(items)) <= 1:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(min(jobs, len(items)), get_context("spawn"), be_silent) as pool:
        try:
            yield from pool.map(function, items)
        except BrokenProcessPool as error:
            message = "a process ended before its work was done, perhaps for want of memory; --jobs 1 takes least"
            raise ArchsimError(message) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def be_silent() -> None:
    """The parent says what there is to say: what is logged here is not shown, and an interrupt from the keyboard ends a
    worker at once."""
    logging.getLogger("archsim").setLevel(logging.ERROR)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
