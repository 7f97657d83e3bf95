"""Points worked off by a cluster of dask.distributed: on this machine, at an address, or in jobs of SLURM.

A worker gets requests and gives back rows, which the command writes into the store: workers need archsim in the same
version and, where the study names files by path, to see those files.  Any worker may be killed at any moment; if the
command is, the rows that it had not got yet are lost, and those of its own cluster end with it.
"""

from __future__ import annotations

import logging
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from archsim import library
from archsim._version import __version__
from archsim.errors import ArchsimError
from archsim.explore.evaluate import forget_files
from archsim.explore.store import Store
from archsim.explore.workers import LOST, Faults, Item, Runner, rows_of_batch
from archsim.spec.study import SlurmJobs

__all__ = ["on_cluster"]

CONNECT_S = 20
"""For how long a scheduler is looked for at an address."""

LOOK_S = 5
"""How often it is asked whether workers have come, while none has finished anything."""


@contextmanager
def on_cluster(where: str, slurm: SlurmJobs | None, jobs: int) -> Iterator[Runner]:
    """What runs points on the cluster: ``local`` has ``jobs`` worker processes on this machine, ``slurm`` workers in
    jobs as the study says, anything else is the address of a scheduler.  ArchsimError if it cannot be reached."""
    distributed = _distributed()
    with ExitStack() as stack:
        target: Any = where
        if where == "local":
            quiet = {"dashboard_address": None, "silence_logs": logging.CRITICAL}
            target = stack.enter_context(distributed.LocalCluster(n_workers=jobs, threads_per_worker=1, **quiet))
        elif where == "slurm":
            target = stack.enter_context(_slurm(slurm))
        try:
            client = stack.enter_context(distributed.Client(target, timeout=CONNECT_S))
        except (OSError, ValueError) as error:
            expected = "expected local, slurm or the address of a scheduler, as tcp://host:8786"
            raise ArchsimError(f"--cluster: {expected}, got {where!r:.100}: {error}") from None
        yield partial(_work_off, distributed, client, uuid.uuid4().hex)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise ArchsimError("--cluster needs dask.distributed: pip install 'archsim[cluster]'") from None
    return distributed


def _slurm(jobs: SlurmJobs | None) -> Any:
    if jobs is None:
        section = "slurm: {jobs: 4, cores: 8, memory: 16 GB}"
        raise ArchsimError(f"--cluster slurm needs a section in the study that describes its jobs, such as {section}")
    try:
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError:
        raise ArchsimError("--cluster slurm needs dask-jobqueue: pip install 'archsim[cluster]'") from None
    cluster: Any = SLURMCluster(
        cores=jobs.cores,
        processes=jobs.cores,
        memory=jobs.memory,
        walltime=jobs.walltime,
        queue=jobs.queue,
        account=jobs.account,
        interface=jobs.interface,
        job_extra_directives=jobs.directives,
        job_script_prologue=jobs.prologue,
        scheduler_options={"dashboard_address": None},
        silence_logs="critical",
    )
    cluster.scale(jobs=jobs.jobs)
    return cluster


def _work_off(
    distributed: Any,
    client: Any,
    session: str,
    items: Sequence[Item],
    store: Store,
    size: int,
    done: Callable[[int], None],
) -> Faults:
    """Run ``items`` in batches of ``size``.  No more are handed out than there are threads, so that what a killed
    worker had in hand is what it was at."""
    waiting = deque(list(items[at : at + size]) for at in range(0, len(items), size))
    flying: dict[Any, list[Item]] = {}
    faults: Faults = {}
    while waiting or flying:
        for _ in range(max(1, sum(client.nthreads().values())) - len(flying)):
            if waiting:
                batch = waiting.popleft()
                flying[client.submit(_run, session, [_sent(item) for item in batch], pure=False)] = batch
        try:
            ready = distributed.wait(list(flying), timeout=LOOK_S, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            continue
        for future in ready:
            batch = flying.pop(future)
            if future.status == "finished":
                faults |= _received(future.result(), store)
                done(len(batch))
            elif isinstance(error := _error(future), distributed.KilledWorker):
                if len(batch) > 1:
                    waiting.extendleft([item] for item in reversed(batch))
                else:
                    faults[batch[0].key] = LOST
                    done(1)
            else:
                raise ArchsimError(f"the cluster cannot run the study: {error}; the same command goes on")
    return faults


def _error(future: Any) -> BaseException:
    error = future.exception() if future.status == "error" else None
    return error or ArchsimError("its scheduler is gone")


def _sent(item: Item) -> tuple[str, dict[str, Any]]:
    """A point as a worker gets it, which may stand in another folder."""
    paths = {name: path for name in ("chip", "workload") if (path := item.request[name]) and library.is_path(path)}
    return item.key, {**item.request, **{name: str(Path(path).absolute()) for name, path in paths.items()}}


def _received(result: dict[str, Any], store: Store) -> Faults:
    if result["version"] != __version__:
        raise ArchsimError(f"the cluster's workers have archsim {result['version']}, and this is {__version__}")
    if result["rows"]:
        store.write(result["rows"])
    faults: Faults = result["faults"]
    return faults


_at_work_for = ""


def _run(session: str, batch: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """What a worker does.  One that worked for another command before reads every file anew."""
    global _at_work_for  # noqa: PLW0603
    if _at_work_for != session:
        forget_files()
        logging.getLogger("archsim").setLevel(logging.ERROR)
        _at_work_for = session
    rows, faults = rows_of_batch(batch)
    return {"version": __version__, "rows": rows, "faults": faults}
