"""Studies whose processes are killed, for the tests of what is left of them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["IN_PROC", "MANY", "kill_ten_times", "killed", "when_parts_are_there", "workers_of"]

IN_PROC = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers in /proc")

MANY = """\
schema: 1
kind: study
name: many
designs: [isaac-ce]
workloads: [net.yaml]
set: {tiles: 4, noc.columns: 1, noc.rows: 1}
parameters:
  tile.core.components.adc.rate: {from: 0.80 GHz, to: 1.28 GHz, step: +0.004}
options: {images: 4000}
"""
"""121 points of ``net.yaml``: more than are done between ten kills, on a fast machine too."""

Kill = Callable[[subprocess.Popen[bytes]], None]


def killed(out: str, kill: Kill, *words: str) -> int:
    """Run ``archsim study`` of s.yaml in ``out`` with two workers while ``kill`` does its work; the exit code."""
    command = [sys.executable, "-m", "archsim", "study", "s.yaml", "--out", out, "--jobs", "2", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    thread = threading.Thread(target=kill, args=(process,))
    thread.start()
    code = process.wait()
    thread.join()
    return code


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """The worker processes of a running study: those that were spawned, and those that were forked by its server."""
    found = []
    for pid, words in children(process.pid):
        if b"spawn_main" in words:
            found.append(pid)
        elif b"forkserver" in words:
            found += [worker for worker, _ in children(pid)]
    return sorted(found)


def children(pid: int) -> list[tuple[int, bytes]]:
    """What any thread of a process has begun, with its words."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [(int(child), Path(f"/proc/{child}/cmdline").read_bytes()) for child in task.read_text().split()]
        except OSError:
            continue  # it has ended meanwhile
    return found


def parts(out: str) -> int:
    return len(list(Path(out, "points").glob("*.parquet")))


def when_parts_are_there(out: str, process: subprocess.Popen[bytes], count: int) -> None:
    while process.poll() is None and parts(out) < count:
        time.sleep(0.005)


def kill_ten_times(out: str, *words: str) -> None:
    """Five times a worker and, later, the command that it works for, each at a random moment once something new was
    done since the last kill."""
    chance = random.Random(0)
    dead_workers = 0
    for _ in range(5):

        def kill(process: subprocess.Popen[bytes]) -> None:
            nonlocal dead_workers
            for victim in ("worker", "command"):
                when_parts_are_there(out, process, parts(out) + 1)
                time.sleep(chance.uniform(0, 0.2))
                if victim == "command":
                    process.kill()
                elif found := workers_of(process):
                    os.kill(chance.choice(found), signal.SIGKILL)
                    dead_workers += 1

        assert killed(out, kill, *words) == -signal.SIGKILL
        assert not Path(out, "table.csv").exists()
    assert dead_workers == 5
