"""Names: the shipped libraries first, then ``ARCHSIM_PATH``, then file paths."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from archsim import library
from archsim.errors import NotFoundError
from archsim.report.catalogue import catalogue
from archsim.spec.loader import document_kind, load_chip

TILES = ", ".join(library.names("tile"))
CHIP = "schema: 1\nkind: chip\nname: mine\nextends: isaac-ce\ntiles: {tiles}\n"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHSIM_PATH", raising=False)
    monkeypatch.chdir(tmp_path)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_shipped_chips_and_tiles_are_found_by_name_from_any_folder() -> None:
    assert {"isaac-ce", "puma"} <= set(library.names("chip"))
    assert {"isaac", "puma"} <= set(library.names("tile"))
    assert library.find("chip", "isaac-ce").name == "isaac-ce.yaml"
    assert library.find("tile", "puma").parent.name == "tiles"


def test_a_shipped_name_cannot_be_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "library" / "configs" / "isaac-ce.yaml", CHIP.format(tiles=1))
    write(tmp_path / "isaac-ce", CHIP.format(tiles=1))
    monkeypatch.setenv("ARCHSIM_PATH", str(tmp_path / "library"))
    assert load_chip("isaac-ce").model.tiles == 168


def test_names_are_then_looked_up_in_the_folders_of_archsim_path_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "one" / "configs" / "mine.yaml", CHIP.format(tiles=1))
    write(tmp_path / "two" / "configs" / "mine.yaml", CHIP.format(tiles=2))
    write(tmp_path / "two" / "configs" / "other.yml", CHIP.format(tiles=3))
    monkeypatch.setenv("ARCHSIM_PATH", os.pathsep.join([str(tmp_path / "one"), "", str(tmp_path / "two")]))
    assert load_chip("mine").model.tiles == 1
    assert load_chip("other").model.tiles == 3
    assert {"mine", "other", "isaac-ce"} <= set(library.names("chip"))


def test_files_may_lie_directly_in_a_folder_of_archsim_path_and_are_of_the_kind_that_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "mine" / "big.yaml", CHIP.format(tiles=100))
    write(tmp_path / "mine" / "six-bit.yaml", "schema: 1\nkind: tile\nname: six-bit\nextends: isaac\n")
    write(tmp_path / "mine" / "broken.yaml", "[")
    monkeypatch.setenv("ARCHSIM_PATH", str(tmp_path / "mine"))
    assert (document_kind("big"), document_kind("six-bit")) == ("chip", "tile")
    ours = {entry["name"]: entry for entry in catalogue() if "mine" in entry["file"]}
    assert len([entry for entry in catalogue() if "mine" in entry["file"]]) == 3
    assert (ours["big"]["kind"], ours["six-bit"]["kind"]) == ("chip", "tile")
    assert ours["broken"]["title"].startswith("not readable: ")


def test_an_own_file_shows_up_in_the_list_whatever_kind_its_name_may_have_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "mine" / "isaac-ce.yaml", "schema: 1\nkind: tile\nname: isaac-ce\nextends: isaac\n")
    monkeypatch.setenv("ARCHSIM_PATH", str(tmp_path / "mine"))
    assert document_kind("isaac-ce") == "chip"
    assert {entry["kind"] for entry in catalogue() if entry["name"] == "isaac-ce"} == {"chip", "tile"}


def test_a_folder_of_archsim_path_that_is_not_there_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHSIM_PATH", "/nowhere/at/all")
    assert library.find("chip", "puma").is_file()
    assert "puma" in library.names("chip")


def test_a_path_is_taken_from_the_folder_of_the_file_that_names_it(tmp_path: Path) -> None:
    write(tmp_path / "chips" / "mine.yaml", CHIP.format(tiles=9) + "tile: ../tiles/mine.yaml\n")
    write(tmp_path / "tiles" / "mine.yaml", "schema: 1\nkind: tile\nname: my-tile\nextends: isaac\n")
    assert load_chip("chips/mine.yaml").model.tile.name == "my-tile"
    assert load_chip(str(tmp_path / "chips" / "mine.yaml")).model.tile.name == "my-tile"


def test_a_file_without_a_suffix_is_found_under_its_name(tmp_path: Path) -> None:
    write(tmp_path / "mine", CHIP.format(tiles=5))
    assert load_chip("mine").model.tiles == 5


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("chip", "isac-ce", "no chip named 'isac-ce'; did you mean 'isaac-ce'?"),
        ("chip", "ISAAC-CE", "no chip named 'ISAAC-CE'; did you mean 'isaac-ce'?"),
        ("tile", "xyzzy", f"no tile named 'xyzzy'; there are {TILES}"),
        ("chip", "mine/chip.yaml", "no chip file at 'mine/chip.yaml'"),
        ("chip", "chip.yml", "no chip file at 'chip.yml'"),
        ("tile", "", f"no tile named ''; there are {TILES}"),
        ("tile", "a\0b", f"no tile named 'a\\x00b'; there are {TILES}"),
    ],
)
def test_a_name_that_is_nowhere_is_an_error_with_the_nearest_or_all_that_there_are(
    kind: str, name: str, message: str
) -> None:
    with pytest.raises(NotFoundError, match=f"^{re.escape(message)}$"):
        library.find(kind, name)


@pytest.mark.parametrize("name", ["x" * 5000, "/" + "x" * 5000, "x" * 5000 + ".yaml"])
def test_a_name_too_long_for_a_file_is_not_found_and_not_repeated_in_full(name: str) -> None:
    with pytest.raises(NotFoundError, match=r"^no chip ") as caught:
        library.find("chip", name)
    assert len(str(caught.value)) < 500


def test_messages_show_paths_from_the_library_or_the_working_folder(tmp_path: Path) -> None:
    assert library.shown(library.find("chip", "puma")) == str(Path("configs", "puma.yaml"))
    assert library.shown(tmp_path / "a" / "b.yaml") == str(Path("a", "b.yaml"))
    assert library.shown(Path("/elsewhere/b.yaml")) == "/elsewhere/b.yaml"
