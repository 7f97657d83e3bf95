"""Points worked off by processes of which any may be killed at any moment.

Each worker has one batch in hand and writes its rows into the store itself, so that the loss of the parent or of a
worker costs no more than what was in hand.  Messages are JSON, and hold no results.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from archsim.errors import ArchsimError
from archsim.explore.evaluate import evaluate, one_line
from archsim.explore.pool import be_a_worker, context
from archsim.explore.store import Store

__all__ = ["ATTEMPTS", "LOST", "Faults", "Item", "Runner", "rows_of_batch", "work_off"]

Faults = dict[str, str]
"""Why a point has no row in the store, by its key."""

Runner = Callable[["Sequence[Item]", Store, int, Callable[[int], None]], Faults]
"""What runs points into a store, in batches of a size, and tells of how many are done."""

ATTEMPTS = 4
"""How often a point is begun whose worker is killed."""

LOST = (
    f"its process was killed {ATTEMPTS} times, perhaps for want of memory; the same command again tries once more, "
    "--jobs 1 takes least"
)


CHANGED = "a file that it is made of was changed while the study ran; the same command again takes the new one"


@dataclass(frozen=True)
class Item:
    """A point to be run: its key, and the request that :func:`~archsim.explore.evaluate.evaluate` takes."""

    key: str
    request: dict[str, Any]


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    batch: list[Item] | None = None


def work_off(
    jobs: int, items: Sequence[Item], store: Store, size: int, done: Callable[[int], None] = lambda count: None
) -> Faults:
    """Run ``items`` in batches of ``size`` by ``jobs`` processes, by this one if ``jobs`` is 1; rows go to ``store``.

    ``done`` is told of how many each time.  What is given back are the points that could not be run through no fault of
    their own.  ArchsimError if the store cannot be written.
    """
    batches = deque(list(items[at : at + size]) for at in range(0, len(items), size))
    if jobs == 1:
        faults: Faults = {}
        for batch in batches:
            faults |= _run_batch([(item.key, item.request) for item in batch], store)
            done(len(batch))
        return faults
    return _Pool(batches, store, jobs, done).run()


class _Pool:
    def __init__(self, batches: deque[list[Item]], store: Store, jobs: int, done: Callable[[int], None]) -> None:
        self.waiting = batches
        self.store = store
        self.jobs = jobs
        self.done = done
        self.faults: Faults = {}
        self.attempts: dict[str, int] = {}
        self.workers: list[_Worker] = []

    def run(self) -> Faults:
        try:
            while self.waiting or any(worker.batch for worker in self.workers):
                self._hand_out()
                busy = {worker.connection: worker for worker in self.workers if worker.batch}
                for connection in wait(list(busy)):
                    self._hear(busy[connection])  # type: ignore[index]
            return self.faults
        finally:
            for worker in self.workers:
                worker.process.terminate()
                worker.process.join()

    def _hand_out(self) -> None:
        for worker in [worker for worker in self.workers if not worker.batch]:
            if self.waiting:
                self._give(worker)
        while self.waiting and len(self.workers) < self.jobs:
            self.workers.append(self._start())
            self._give(self.workers[-1])

    def _start(self) -> _Worker:
        ours, theirs = context().Pipe()
        given = (theirs, str(self.store.folder), dict(os.environ))
        process = context().Process(target=_work, args=given, daemon=True)  # type: ignore[attr-defined]
        process.start()
        theirs.close()  # so that the end of the process is the end of what we read
        return _Worker(process, ours)

    def _give(self, worker: _Worker) -> None:
        worker.batch = self.waiting.popleft()
        try:
            worker.connection.send_bytes(json.dumps([(item.key, item.request) for item in worker.batch]).encode())
        except OSError:
            self._lost(worker)

    def _hear(self, worker: _Worker) -> None:
        try:
            reply = json.loads(worker.connection.recv_bytes())
        except (EOFError, OSError):
            self._lost(worker)
            return
        if "stop" in reply:
            raise ArchsimError(reply["stop"])
        self.faults |= reply["faults"]
        self.done(len(worker.batch or ()))
        worker.batch = None

    def _lost(self, worker: _Worker) -> None:
        """What it had in hand is begun once more, each point alone, unless it has been begun too often."""
        self.workers.remove(worker)
        worker.connection.close()
        worker.process.join()
        for item in reversed(worker.batch or ()):
            self.attempts[item.key] = self.attempts.get(item.key, 0) + 1
            if self.attempts[item.key] < ATTEMPTS:
                self.waiting.appendleft([item])
            else:
                self.faults[item.key] = LOST
                self.done(1)


def _work(connection: Connection, folder: str, environment: Mapping[str, str]) -> None:
    """What a worker does: batch after batch, until its parent is gone."""
    be_a_worker(environment)
    store = Store(Path(folder))
    while True:
        try:
            batch = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        try:
            reply: dict[str, Any] = {"faults": _run_batch(batch, store)}
        except ArchsimError as error:
            reply = {"stop": str(error)}
        connection.send_bytes(json.dumps(reply).encode())


def _run_batch(batch: Sequence[tuple[str, dict[str, Any]]], store: Store) -> Faults:
    """Rows of the batch into the store; ArchsimError if that cannot be written."""
    rows, faults = rows_of_batch(batch)
    if rows:
        store.write(rows)
    return faults


def rows_of_batch(batch: Sequence[tuple[str, dict[str, Any]]]) -> tuple[list[dict[str, Any]], Faults]:
    """The rows of points by key and request, and why others have none."""
    rows, faults = [], {}
    for key, request in batch:
        try:
            row = evaluate(request)
        except Exception as error:  # one point must not stop the others, whatever is wrong with it
            faults[key] = one_line(error)
            continue
        if row["key"] == key:
            rows.append(row)
        else:
            faults[key] = CHANGED
    return rows, faults
