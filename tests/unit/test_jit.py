"""Compiling with Numba: users are told of it once, and neither a bad folder nor a missing Numba stops a run."""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numba.core.event
import pytest

from archsim import jit
from tests.networks import DENSE, text

MODULE = """
from archsim.jit import either, entry

@either
def twice(number):
    return 2 * number

@entry("a small sum", seconds=1)
def once_more(number):
    return twice(number) + 1
"""

WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None  # what Python does with it is what it does where it is not installed
from archsim.cli import main
sys.argv[0] = "archsim"
main()
"""


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What archsim has said since the test began."""
    lines: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler = Collect()
    logging.getLogger("archsim").addHandler(handler)
    yield lines
    logging.getLogger("archsim").removeHandler(handler)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small_module.py"
    path.write_text(MODULE)
    return path


def loaded(file: Path) -> Any:
    """The module anew, as a second process would see it."""
    spec = importlib.util.spec_from_file_location("small_module", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_first_compilation_says_so_and_no_later_call_or_run_does(
    file: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(file.parent / "kept"))
    module = loaded(file)
    assert said == []
    assert [module.once_more(n) for n in (1, 2)] == [3, 5]
    assert said == ["compiling a small sum once, about 1 s; kept for later runs"]
    assert loaded(file).once_more(3) == 7
    assert len(said) == 1


def test_where_nothing_may_be_compiled_only_what_is_on_disk_runs(
    file: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(file.parent / "kept"))
    module = loaded(file)
    with jit.nothing_compiled(), pytest.raises(jit.NotKeptError, match="once_more"):
        module.once_more(1)
    assert said == []
    assert module.once_more(1) == 3
    with jit.nothing_compiled():
        assert loaded(file).once_more(1) == 3


def test_where_no_folder_can_be_written_it_is_compiled_each_time_and_says_why(
    file: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (file.parent / "__pycache__").write_text("no folder")
    (file.parent / "cache").write_text("no folder")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(file.parent / "cache" / "numba"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(file.parent / "cache"))
    for _ in range(2):
        assert loaded(file).once_more(1) == 3
    message = (
        "compiling a small sum once, about 1 s; not kept for later runs, for which NUMBA_CACHE_DIR can name a folder"
    )
    assert said == [message, message]


def spoil(folder: Path) -> None:
    """Put a file where Numba has made sure of a folder."""
    (inner,) = folder.iterdir()
    inner.rmdir()
    inner.write_text("no folder")


def test_a_folder_that_goes_bad_before_it_is_looked_into_does_not_stop_the_run(
    file: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(file.parent / "kept"))
    module = loaded(file)
    spoil(file.parent / "kept")
    assert [module.once_more(n) for n in (1, 2)] == [3, 5]
    assert said[0].startswith("the machine code of a small sum cannot be kept: [Errno ")
    assert said[1:] == [f"compiling a small sum once, about 1 s; {jit.NOT_KEPT}"]


def test_a_folder_that_goes_bad_while_it_compiles_does_not_stop_the_run(
    file: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(file.parent / "kept"))
    module = loaded(file)
    with numba.core.event.install_listener("numba:compile", Spoiling(file.parent / "kept")):
        assert [module.once_more(n) for n in (1, 2)] == [3, 5]
    assert said[0] == "compiling a small sum once, about 1 s; kept for later runs"
    assert [line[:48] for line in said[1:]] == ["the machine code of a small sum cannot be kept: "]


class Spoiling(numba.core.event.Listener):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_start(self, event: Any) -> None:
        if event.data["dispatcher"].__name__ == "once_more":
            spoil(self.folder)

    def on_end(self, event: Any) -> None:
        pass


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    path = tmp_path / "dense.yaml"
    path.write_text(text(DENSE, (128,), "dense"))
    return path


def archsim_without_numba(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_NUMBA, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_without_numba_the_reference_runs_and_says_so_once(dense: Path) -> None:
    words = ("--workload", dense, "--chips", "1", "--images", "2", "--jobs", "1")
    done = archsim_without_numba("compare", "isaac-ce", "puma", *words)
    assert done.returncode == 0
    notice, *runs = done.stderr.splitlines()
    assert notice == (
        "archsim: Numba cannot be imported (import of numba halted; None in sys.modules), so the SimPy engine runs: "
        "the same results tens of times as slowly, since Python works through every event; pip install numba"
    )
    assert [line.split(":")[0] for line in runs] == ["dense on 1 × isaac-ce", "dense on 1 × puma"]


def test_without_numba_the_reference_by_name_says_nothing_and_the_compiled_engine_is_refused(dense: Path) -> None:
    done = archsim_without_numba("run", "isaac-ce", dense, "--engine", "simpy", "--images", "1")
    assert (done.returncode, done.stderr) == (0, "")
    done = archsim_without_numba("run", "isaac-ce", dense, "--engine", "compiled")
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "archsim: engine: the compiled one needs Numba, which cannot be imported (import of numba halted; None in "
        "sys.modules); pip install numba, or simpy gives the same results\n",
    )


@pytest.mark.slow
def test_a_cold_run_says_what_it_compiles_and_a_warm_one_is_silent(dense: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    command = [sys.executable, "-m", "archsim", "run", "isaac-ce", str(dense), "--images", "1"]
    cold, warm = (
        subprocess.run(command, capture_output=True, text=True, check=True, env=environment) for _ in range(2)
    )
    assert cold.stderr.splitlines() == [
        "archsim: compiling the numbering of sequences once, about 2 s; kept for later runs",
        "archsim: compiling the search for routes once, about 4 s; kept for later runs",
        "archsim: compiling the event loop once, about 10 s; kept for later runs",
    ]
    assert warm.stderr == ""
    assert cold.stdout == warm.stdout
