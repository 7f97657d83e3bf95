"""Studies on clusters of dask.distributed: with real worker processes, killed ones too, and jobs of a made-up SLURM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archsim.errors import ArchsimError
from archsim.explore import cluster
from archsim.explore.study import load_study, run_study
from archsim.explore.workers import CHANGED, LOST, Item
from tests.kills import IN_PROC, MANY, kill_ten_times, killed, when_parts_are_there, workers_of
from tests.networks import DENSE, text

RUNS = MANY.replace("step: +0.008", "step: +0.04").replace("images: 2000", "images: 20")
"""13 points."""


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHSIM_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(text(DENSE, (128,), "net"))


def alone(content: str) -> dict[str, bytes]:
    """The tables of a study that is run in this process."""
    Path("s.yaml").write_text(content)
    run_study(load_study("s.yaml"), Path("alone"))
    return tables("alone")


def tables(out: str) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in Path(out).iterdir() if path.suffix in (".parquet", ".csv", ".json")
    }


@IN_PROC
def test_a_local_cluster_one_of_whose_workers_is_killed_gives_the_same_bytes() -> None:
    expected = alone(RUNS)
    dead = []

    def kill_a_worker(process: subprocess.Popen[bytes]) -> None:
        when_parts_are_there("killed", process, 2)
        for pid in workers_of(process)[:1]:
            os.kill(pid, signal.SIGKILL)
            dead.append(pid)

    assert killed("killed", kill_a_worker, "--cluster", "local") == 0
    assert dead
    assert tables("killed") == expected


@pytest.mark.slow
@IN_PROC
def test_a_study_on_a_cluster_killed_at_ten_random_moments_gives_the_same_bytes() -> None:
    expected = alone(MANY)
    kill_ten_times("killed", "--cluster", "local")
    assert killed("killed", lambda process: None, "--cluster", "local") == 0
    assert tables("killed") == expected


SBATCH = """\
#!/bin/sh
echo "$@" >> submitted
grep '^#SBATCH' "$1" >> submitted
sh "$1" >/dev/null 2>&1 &
echo $! >> jobs
echo "Submitted batch job $!"
"""

SLURM = "slurm: {jobs: 2, cores: 1, memory: 1 GB, walltime: '0:30:00', queue: short, prologue: [export MADE_UP=1]}\n"


@pytest.mark.slow
def test_jobs_of_slurm_are_asked_for_as_the_study_says_and_run_its_points(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = alone(RUNS + SLURM)
    tools = Path("tools")
    tools.mkdir()
    for name, content in {"sbatch": SBATCH, "scancel": '#!/bin/sh\necho "$@" >> cancelled\n'}.items():
        (tools / name).write_text(content)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools.absolute()}{os.pathsep}{os.environ['PATH']}")
    command = [sys.executable, "-m", "archsim", "study", "s.yaml", "--out", "out", "--cluster", "slurm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert tables("out") == expected
    asked = Path("submitted").read_text()
    assert asked.count("#SBATCH -p short") == 2
    assert asked.count("#SBATCH -t 0:30:00") == 2
    jobs = set(Path("jobs").read_text().split())
    assert len(jobs) == 2
    assert set(Path("cancelled").read_text().split()) == jobs


def test_without_a_section_for_slurm_a_message_shows_one() -> None:
    with (
        pytest.raises(ArchsimError, match=r"^--cluster slurm needs a section in the study .* slurm: \{jobs: 4"),
        cluster.on_cluster("slurm", None, 1),
    ):
        pass


def test_an_address_where_nobody_is_gets_one_message(
    monkeypatch: pytest.MonkeyPatch, call: Callable[..., tuple[int, str, str]]
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 0.2)
    Path("s.yaml").write_text(RUNS)
    code, _, err = call("study", "s.yaml", "--out", "out", "--cluster", "tcp://127.0.0.1:1")
    assert code == 2
    assert err.startswith("archsim: --cluster: expected local, slurm or the address of a scheduler, ")
    code, _, err = call("study", "s.yaml", "--out", "out", "--cluster", "lokal")
    assert code == 2
    assert "got 'lokal'" in err


def test_without_distributed_a_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ArchsimError, match=r"^--cluster needs dask\.distributed: pip install 'archsim\[cluster\]'$"),
        cluster.on_cluster("local", None, 1),
    ):
        pass


# -- what comes back ----------------------------------------------------------------------------


class Future:
    def __init__(self, result: Any, error: BaseException | None = None, status: str = "") -> None:
        self.result = lambda: result
        self.exception = lambda: error
        self.status = status or ("finished" if error is None else "error")


class Killed(Exception):  # noqa: N818 - stands in for one of distributed
    pass


class Rows:
    def __init__(self) -> None:
        self.keys: list[str] = []

    def write(self, rows: list[dict[str, Any]]) -> None:
        self.keys += [row["key"] for row in rows]


def work_off(answer: Callable[[list[str]], Future], size: int = 2) -> tuple[dict[str, str], list[str], int]:
    """Five points on two threads that ``answer``: the faults, the keys in the store, and how many were reported."""

    class Client:
        def nthreads(self) -> dict[str, int]:
            return {"one": 1, "two": 1}

        def submit(self, function: Any, session: str, batch: list[Any], pure: bool) -> Future:
            return answer([key for key, _ in batch])

    class Distributed:
        KilledWorker = Killed

        def wait(self, futures: list[Future], **_: Any) -> Any:
            assert len(futures) <= 2
            return type("Ready", (), {"done": futures[:1]})

    store, count = Rows(), []
    items = [Item(str(number), {"chip": "isaac-ce", "workload": None}) for number in range(5)]
    faults = cluster._work_off(Distributed(), Client(), "session", items, store, size, count.append)  # type: ignore[arg-type]
    return faults, sorted(store.keys), sum(count)


def given(keys: list[str], version: str = cluster.__version__, **faults: str) -> Future:
    rows = [{"key": key} for key in keys if key not in faults]
    return Future({"version": version, "rows": rows, "faults": faults})


def test_a_point_that_kills_its_workers_is_given_up_and_those_beside_it_are_not() -> None:
    faults, keys, count = work_off(lambda keys: Future(None, Killed("x")) if "2" in keys else given(keys))
    assert (faults, keys, count) == ({"2": LOST}, ["0", "1", "3", "4"], 5)


def test_points_that_could_not_be_run_are_told_of_and_not_stored() -> None:
    faults, keys, count = work_off(lambda keys: given(keys, **{"4": CHANGED} if "4" in keys else {}))
    assert (faults, keys, count) == ({"4": CHANGED}, ["0", "1", "2", "3"], 5)


def test_workers_of_another_version_a_lost_scheduler_and_workers_without_archsim_end_the_command() -> None:
    with pytest.raises(ArchsimError, match=r"^the cluster's workers have archsim 0\.0\.0, and this is "):
        work_off(lambda keys: given(keys, "0.0.0"))
    with pytest.raises(ArchsimError, match=r"^the cluster cannot run the study: its scheduler is gone; "):
        work_off(lambda keys: Future(None, status="cancelled"))
    with pytest.raises(ArchsimError, match=r"^the cluster cannot run the study: No module named 'archsim'; the same "):
        work_off(lambda keys: Future(None, ModuleNotFoundError("No module named 'archsim'")))


def test_files_are_sent_by_their_full_path_and_names_as_they_are() -> None:
    key, request = cluster._sent(Item("k", {"chip": "isaac-ce", "workload": "net.yaml"}))
    assert (key, request) == ("k", {"chip": "isaac-ce", "workload": str(Path("net.yaml").absolute())})
