"""Work for several processes, its results in the order of the work."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_all_start_methods, get_context, parent_process, spawn
from multiprocessing.context import BaseContext
from typing import TypeVar

from archsim.errors import ArchsimError

__all__ = ["BEFORE", "be_a_worker", "context", "in_processes", "make_ready", "prepare_workers", "processors", "restore"]

Item = TypeVar("Item")
Result = TypeVar("Result")

PRELOAD = "archsim.explore.preload"

BEFORE = "ARCHSIM_ENVIRONMENT_BEFORE"
"""The variable that tells the process that workers are forked from what others were before."""

_started = False


def processors() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare_workers(*modules: str) -> None:
    """Begin the process that workers are forked from: it imports what a run needs, then ``modules``, while this one
    goes on.  Where there can be none, each worker begins anew as it does without this call.

    macOS has libraries that do not outlive a fork.  The path of this process reaches the other, which before Python
    3.13 has one of its own, by an environment that can be ignored and in which a colon ends a folder.
    """
    global _started  # noqa: PLW0603
    forks = "forkserver" in get_all_start_methods() and sys.platform != "darwin"
    if _started or not forks or sys.flags.ignore_environment:
        return
    path: list[str] = spawn.get_preparation_data("")["sys_path"]
    if any(os.pathsep in folder for folder in path):
        return
    from multiprocessing import forkserver

    forkserver.set_forkserver_preload([PRELOAD, *modules])
    try:
        with _environment(PYTHONPATH=os.pathsep.join(path), PYTHONSAFEPATH="1"):
            forkserver.ensure_running()
    except OSError:  # such as a temporary folder whose name is too long for a socket
        return
    _started = True


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables, **{BEFORE: json.dumps(before)})
    try:
        yield
    finally:
        restore()


def restore() -> None:
    """The environment as it was before :func:`prepare_workers` began another process with a path."""
    for name, value in json.loads(os.environ.pop(BEFORE, "{}")).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def context() -> BaseContext:
    """How worker processes begin: forked once :func:`prepare_workers` was called, else anew."""
    return get_context("forkserver" if _started else "spawn")


def make_ready(engine: str | None) -> None:
    """See to it that processes that run ``engine`` find it compiled, and that what there is to say of it is said once.

    This process need not load what those are forked with.
    """
    from archsim.sim import engines

    if engines.chosen(engine) == "compiled":
        prepare_workers()
        if not _started or not _all_is_loaded():
            engines.make_ready(engine)


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, context(), be_a_worker, (dict(os.environ),))


def _all_is_loaded() -> bool:
    """Whether processes are forked with all that :data:`PRELOAD` may load."""
    with _pool(1) as pool:
        try:
            return pool.submit(_complete).result()
        except BrokenProcessPool:
            return False


def _complete() -> bool:
    complete: bool = import_module(PRELOAD).COMPLETE
    return complete


def in_processes(function: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> Iterator[Result]:
    """``function`` of each of ``items``, in their order, by ``jobs`` processes; by this one alone if ``jobs`` is 1.

    The processes import what calls this anew, so ``function`` must be found in a module, and a script that calls this
    with more than one job keeps its own work under ``if __name__ == "__main__"``.  ArchsimError if a process is killed.
    """
    if min(jobs, len(items)) <= 1:
        yield from map(function, items)
        return
    with _pool(min(jobs, len(items))) as pool:
        try:
            yield from pool.map(function, items)
        except BrokenProcessPool as error:
            message = "a process ended before its work was done, perhaps for want of memory; --jobs 1 takes least"
            raise ArchsimError(message) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def be_a_worker(environment: Mapping[str, str]) -> None:
    """What a process does before its work.

    The parent says what there is to say: what is logged here is not shown, and an interrupt from the keyboard ends a
    worker at once, as does the end of its parent.  One that was forked gets the ``environment`` that the parent has
    now, not that of when forking began.
    """
    os.environ.clear()
    os.environ.update(environment)
    logging.getLogger("archsim").setLevel(logging.ERROR)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_leave_with_the_parent, daemon=True).start()


def _leave_with_the_parent() -> None:
    """A worker whose parent was killed ends at once: the next run may begin its work anew."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
