"""The line in a report that says what made it."""

from __future__ import annotations

import shlex

import pytest
from typer.testing import CliRunner

from archsim._version import __version__
from archsim.cli import app
from archsim.report.made import command_line, made_by, made_with, signed


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("run a b --out there", "archsim run a b"),
        ("compare a b --jobs 2 --workload w --json=- --out=there", "archsim compare a b --workload w"),
        ("study s --store x --cluster local --out y", "archsim study s"),
        ("run a b --set 'k={a: 1}' --images 2", "archsim run a b --set 'k={a: 1}' --images 2"),
        ("run a b --out", "archsim run a b"),
    ],
)
def test_what_changes_no_figure_is_left_out_of_the_command(words: str, line: str) -> None:
    assert command_line(shlex.split(words)) == line


def test_without_a_command_a_report_has_the_version_alone() -> None:
    assert made_by() == f"Made by archsim {__version__}."
    with made_with(["run", "a", "b"]):
        assert made_by() == f"Made by archsim {__version__}: `archsim run a b`, and `--out` with a folder."
    assert made_by() == f"Made by archsim {__version__}."


def test_the_line_stands_at_the_end_and_survives_any_text() -> None:
    assert signed("| a |\n\n\n", "archsim x").endswith("| a |\n\nMade by archsim " + made_by("archsim x")[16:] + "\n")
    assert "``archsim show '`a`\nb'``".replace("\n", " ") in made_by("archsim show '`a`\nb'")


def test_a_command_signs_what_it_writes(tmp_path) -> None:
    words = ["mvm", "isaac", "--batch", "2", "--rows", "8", "--cols", "8", "--out", str(tmp_path)]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    last = (tmp_path / "budget.md").read_text().splitlines()[-1]
    assert last == made_by("archsim mvm isaac --batch 2 --rows 8 --cols 8")
    assert made_by() == f"Made by archsim {__version__}."
