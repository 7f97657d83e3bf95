"""Work for several processes: order, errors, and what happens when one is killed."""

from __future__ import annotations

import os
import signal

import pytest

from archsim.errors import ArchsimError, CompileError
from archsim.explore.pool import in_processes, processors


def test_results_come_in_the_order_of_the_work() -> None:
    for jobs in (1, 2):
        assert list(in_processes(abs, [-3, 2, -1], jobs)) == [3, 2, 1]


def test_one_job_needs_no_other_process() -> None:
    seen: list[int] = []
    assert list(in_processes(seen.append, [1, 2], 1)) == [None, None]
    assert seen == [1, 2]


def test_an_error_of_the_work_is_that_of_the_caller() -> None:
    for jobs in (1, 2):
        with pytest.raises(CompileError, match=r"^too large$"):
            list(in_processes(_refuse, ["too large", "too small"], jobs))


def test_a_process_that_is_killed_gives_a_message() -> None:
    message = r"^a process ended before its work was done, perhaps for want of memory; --jobs 1 takes least$"
    with pytest.raises(ArchsimError, match=message):
        list(in_processes(_kill, [1, 2], 2))


def test_there_is_a_processor() -> None:
    assert processors() >= 1


def _refuse(message: str) -> None:
    raise CompileError(message)


def _kill(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
