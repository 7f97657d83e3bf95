"""What stands under reports is made by the command that is written beside it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from archsim import library
from archsim.explore.study import load_study

REPORTS = Path(__file__).resolve().parents[2] / "reports"

SMALL = "isaac-adc"


def commands() -> dict[str, list[list[str]]]:
    """The commands of each folder, as words."""
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)`[^|]*\|$", (REPORTS / "README.md").read_text(), re.MULTILINE)
    return {folder: [shlex.split(part) for part in text.split("&&")] for folder, text in rows}


def test_every_folder_has_its_command() -> None:
    with_files = {path.parent.relative_to(REPORTS) for path in REPORTS.rglob("*") if path.is_file()} - {Path()}
    known = {Path(folder) for folder in commands()}
    for folder in with_files:
        assert folder in known or set(folder.parents) & known, f"{folder} has no command in reports/README.md"


def test_every_command_of_a_study_names_one_that_ships_and_writes_into_its_folder() -> None:
    studies = {folder: parts for folder, parts in commands().items() if parts[0][1] == "study"}
    assert SMALL in studies
    for folder, (study, report) in studies.items():
        assert study[:3] == ["archsim", "study", folder]
        assert study[2] in library.names("study")
        assert report == ["archsim", "report", study[4], "--out", f"reports/{folder}"]
        title = load_study(study[2]).model.title
        assert (REPORTS / folder / "report.md").read_text().startswith(f"# {title}\n")


def test_a_small_report_made_again_has_the_same_text_and_numbers(tmp_path: Path) -> None:
    for words in commands()[SMALL]:
        assert words[0] == "archsim"
        subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, check=True, capture_output=True)
    made, kept = tmp_path / "reports" / SMALL, REPORTS / SMALL
    assert {path.name for path in made.iterdir()} == {path.name for path in kept.iterdir()}
    for path in made.iterdir():
        if path.suffix in (".md", ".csv"):  # how a figure is drawn depends on the version of Matplotlib
            assert path.read_text() == (kept / path.name).read_text(), path.name
