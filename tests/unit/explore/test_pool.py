"""Work for several processes: order, errors, and what happens when one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archsim.errors import ArchsimError, CompileError
from archsim.explore.pool import in_processes, processors
from tests.kills import IN_PROC, workers_of

FORKS = pytest.mark.skipif(sys.platform != "linux", reason="where workers are forked is tested where they are")


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


def in_a_program(folder: Path, code: str) -> str:
    """What a program prints that imports archsim from where this does."""
    path = os.pathsep.join(part for part in sys.path if part)
    start = f"import os, sys\nfrom archsim.explore.pool import in_processes, prepare_workers\n{code}"
    words, given = [sys.executable, "-c", start], os.environ | {"PYTHONPATH": path}
    return subprocess.run(words, cwd=folder, env=given, capture_output=True, text=True, check=True).stdout


@FORKS
def test_prepared_workers_have_loaded_what_a_run_needs_and_have_the_environment_of_now(tmp_path: Path) -> None:
    code = """
prepare_workers("json.tool")
os.environ["ARCHSIM_PATH"] = "later"
asked = ["archsim.sim.compiled", "json.tool"]
print(list(in_processes(eval, [f"{name!r} in __import__('sys').modules" for name in asked], 2)))
print(list(in_processes(os.getenv, ["ARCHSIM_PATH", "PYTHONSAFEPATH", "ARCHSIM_ENVIRONMENT_BEFORE"], 2)))
print(len({path for path in in_processes(os.getenv, ["PYTHONPATH", "PYTHONPATH"], 2)} | {os.environ["PYTHONPATH"]}))
"""
    assert in_a_program(tmp_path, code) == "[True, True]\n['later', None, None]\n1\n"


@FORKS
def test_prepared_workers_take_no_module_from_the_folder_that_the_command_stands_in(tmp_path: Path) -> None:
    (tmp_path / "yaml.py").write_text("raise SystemExit('not this one')")
    code = """
sys.path.remove("")
prepare_workers()
print(list(in_processes(eval, ["'archsim.sim.compiled' in __import__('sys').modules", "1 + 1"], 2)))
"""
    assert in_a_program(tmp_path, code) == "[True, 2]\n"


@FORKS
def test_where_workers_cannot_be_forked_they_begin_anew(tmp_path: Path) -> None:
    long = tmp_path / ("long" * 30)
    long.mkdir()
    code = f"""
import tempfile
tempfile.tempdir = {str(long)!r}
from multiprocessing import util
util.abstract_sockets_supported = False
prepare_workers()
print(list(in_processes(eval, ["'archsim.sim.compiled' in __import__('sys').modules", "1 + 1"], 2)))
"""
    assert in_a_program(tmp_path, code) == "[False, 2]\n"


@IN_PROC
@pytest.mark.parametrize("prepare", ["", "prepare_workers()"])
def test_workers_end_with_a_command_that_is_killed(prepare: str) -> None:
    code = f"""
from archsim.explore.pool import in_processes, prepare_workers
import time
{prepare}
list(in_processes(time.sleep, [600, 600], 2))
"""
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        found: list[int] = []
        while len(found) < 2:
            assert process.poll() is None
            time.sleep(0.05)
            found = workers_of(process)
        process.kill()
    for _ in range(1000):
        if not any(_lives(pid) for pid in found):
            break
        time.sleep(0.05)
    else:
        pytest.fail("they are still there")


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _refuse(message: str) -> None:
    raise CompileError(message)


def _kill(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
