"""What stands under reports is made by the command that is written beside it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import matplotlib as mpl
import pytest
import typer

from archsim import library
from archsim._version import __version__
from archsim.cli import app
from archsim.explore.study import load_study
from benchmarks.reports import REPORTS, commands, differences, make

MAIN = ("report.md", "accuracy.md", "comparison.md", "curve.md", "failures.md", "multicast.md", "latency.md")
MAIN += ("losses.md", "review.md", "validation.md")
"""The files that say what made their folder."""

PROGRAMS = ("pip", "zipfile", "benchmarks.speech")
"""What fetches or makes the data of a report, as modules of Python."""

FOLDERS = sorted(commands())
DRAWN_BY = re.search(r"Matplotlib (\S+);", (REPORTS / "README.md").read_text())


def parts_of(folder: str) -> list[list[str]]:
    """The commands that the one line of a folder joins by ``&&``, as words."""
    return [shlex.split(part) for part in commands()[folder].split(" && ")]


def test_every_folder_has_one_command_and_every_command_its_folder() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", (REPORTS / "README.md").read_text(), re.MULTILINE)
    assert sorted(rows) == FOLDERS, "a row of reports/README.md is not of one folder and one command"
    known = {Path(folder) for folder in FOLDERS}
    of_files = {path.parent.relative_to(REPORTS) for path in REPORTS.rglob("*") if path.is_file()} - {Path()}
    for folder in of_files:
        assert folder in known or set(folder.parents) & known, f"{folder} has no command in reports/README.md"
    assert all((REPORTS / folder).is_dir() for folder in known)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_command_parses_and_writes_into_its_folder(folder: str) -> None:
    group = typer.main.get_command(app)
    for words in parts_of(folder):
        if words[0] != "archsim":
            assert words[:2] == ["python", "-m"]
            assert words[2] in PROGRAMS
            continue
        context = group.make_context("archsim", words[1:], resilient_parsing=False)
        name, command, rest = group.resolve_command(context, words[1:])
        while hasattr(command, "resolve_command"):  # a group, as table
            name, command, rest = command.resolve_command(context, rest)
        inner = command.make_context(name, rest, parent=context)
    assert str(inner.params["out"]) == f"reports/{folder}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_main_file_of_every_folder_says_the_command_and_the_version(folder: str) -> None:
    (main,) = [REPORTS / folder / name for name in MAIN if (REPORTS / folder / name).is_file()]
    found = re.search(r"\n\nMade by archsim (\S+): `([^`]+)`, and `--out` with a folder\.\n\Z", main.read_text())
    assert found, main
    assert found[1] == __version__
    ours = commands()[folder].removesuffix(f" --out reports/{folder}")
    assert ours != commands()[folder]
    assert ours.endswith(found[2])
    assert ours == found[2] or "benchmarks." in ours.removesuffix(found[2])  # what comes before makes the data


def test_every_command_of_a_study_names_one_that_ships() -> None:
    studies = {folder: parts for folder in FOLDERS if (parts := parts_of(folder))[0][1] == "study"}
    assert {"isaac-adc", "three-designs"} <= set(studies)
    for folder, (study, report) in studies.items():
        assert study == ["archsim", "study", folder, "--out", f"out/{folder}"]
        assert folder in library.names("study")
        assert report == ["archsim", "report", study[4], "--out", f"reports/{folder}"]
        title = load_study(folder).model.title
        assert (REPORTS / folder / "report.md").read_text().startswith(f"# {title}\n")


def made_again(folder: str, top: Path) -> list[str]:
    """What is not as it stands when ``folder`` is made again; figures count if they were drawn by this Matplotlib."""
    assert DRAWN_BY is not None
    return differences(make(folder, top), REPORTS / folder, figures=DRAWN_BY[1] == mpl.__version__)


def test_a_small_report_made_again_is_the_same(tmp_path: Path) -> None:
    assert made_again("noc/multicast", tmp_path) == []


MIDDLE = ["accuracy/temperature", "isaac-adc", "noc/resnet20", "review", "validation"]


@pytest.mark.slow
@pytest.mark.parametrize("folder", [*MIDDLE, pytest.param("isaac-space", marks=pytest.mark.long)])
def test_reports_of_middle_size_made_again_are_the_same(folder: str, tmp_path: Path) -> None:
    assert made_again(folder, tmp_path) == []


def test_what_differs_is_told(tmp_path: Path) -> None:
    made, kept = tmp_path / "made", tmp_path / "kept"
    for folder, files in ((made, {"a.md": "x\ny\n", "b.png": "1", "c.csv": "1"}), (kept, {"a.md": "x\nz\n"})):
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
    (kept / "b.png").write_bytes(b"2")
    (kept / "d.csv").write_bytes(b"")
    told = ["a.md: line 2: made y, kept z", "c.csv: new", "d.csv: not made"]
    assert differences(made, kept, figures=False) == told
    assert differences(made, kept) == [told[0], "b.png: line 1: made 1, kept 2", *told[1:]]
