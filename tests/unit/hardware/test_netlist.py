"""The array of a tile as a deck."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from archsim.errors import ArchsimError
from archsim.hardware.netlist import array_deck
from archsim.numeric.wires import solve


def memristors(text: str) -> dict[tuple[int, int], float]:
    found = re.findall(r"^rm(\d+)_(\d+) \S+ \S+ (\S+)$", text, re.MULTILINE)
    return {(int(row), int(column)): float(ohm) for row, column, ohm in found}


def test_the_deck_has_the_cells_of_the_tile() -> None:
    deck = array_deck("isaac", rows=6, columns=16, seed=3, wire_ohm=2.0)
    ohms = memristors(deck.text)
    assert ohms.keys() == set(np.ndindex(6, 16))
    assert 1 / np.array(list(ohms.values())) == pytest.approx(deck.g_s.ravel(), rel=1e-14)
    levels = np.linspace(1 / 2e6, 1 / 2e3, 4)
    assert np.abs(deck.g_s[:, :, None] - levels).min(axis=2).max() < 1e-12
    assert set(deck.v_in) <= {0.0, 0.2}
    assert deck.to_json()["sense_a"] == solve(deck.g_s, deck.v_in, deck.wires).sense_a.tolist()


def test_slices_in_arrays_of_their_own_fill_an_array_with_one_of_them() -> None:
    deck = array_deck("puma", rows=5, columns=7)
    assert deck.g_s.shape == (5, 7)
    assert deck.g_s.min() >= 1 / 1e6 - 1e-18
    assert len(np.unique(deck.g_s)) <= 4


def test_columns_beyond_the_last_whole_weight_are_at_the_lowest_conductance() -> None:
    deck = array_deck("isaac", rows=4, columns=19)
    assert (deck.g_s[:, 16:] == 1 / 2e6).all()


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    once, again, other = (array_deck("isaac", rows=4, columns=8, seed=seed).text for seed in (1, 1, 2))
    assert once == again
    assert once != other
    assert "seed 1" in once


def test_the_wires_are_those_of_the_tile_unless_told() -> None:
    wires = "tile.wires={wordline: 1 ohm, bitline: 2 ohm, right: 50 ohm}"
    deck = array_deck("isaac-ce", [wires], rows=4, columns=8)
    assert (deck.wires.wordline_ohm, deck.wires.bitline_ohm, deck.wires.right_ohm) == (1.0, 2.0, 50.0)
    told = array_deck("isaac-ce", [wires], rows=4, columns=8, wire_ohm=0.5)
    assert (told.wires.wordline_ohm, told.wires.bitline_ohm, told.wires.right_ohm) == (0.5, 0.5, 50.0)
    assert re.search(r"^rw0_0 w0_0 w0_1 0\.5$", told.text, re.MULTILINE)


def test_a_nonlinear_cell_is_written_as_its_current() -> None:
    deck = array_deck("isaac", ["device.set={sinh_v0: 0.3}"], rows=3, columns=8, wire_ohm=2.0)
    assert len(re.findall(r"^bm\d+_\d+ .*\*sinh\(v\(.*\)/0\.3\)$", deck.text, re.MULTILINE)) == 24


def test_what_has_no_array_or_too_large_a_one_is_named() -> None:
    with pytest.raises(ArchsimError, match="'vgg16' is a workload; a netlist is that of an array of a tile or a chip"):
        array_deck("vgg16")
    with pytest.raises(ArchsimError, match="rows, cols: a deck takes at most 1000000 cells, got 4000000"):
        array_deck("isaac", rows=2000, columns=2000)


@pytest.mark.ngspice
@pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
@pytest.mark.parametrize("name", ["isaac", "puma"])
def test_ngspice_agrees_about_the_array_of_a_tile(name: str, tmp_path: Path) -> None:
    deck = array_deck(name, rows=64, columns=64, wire_ohm=1.0)
    (tmp_path / "array.cir").write_text(deck.text, encoding="utf-8")
    done = subprocess.run(["ngspice", "-b", "array.cir"], cwd=tmp_path, capture_output=True, text=True, check=True)
    theirs = np.array([float(value) for value in re.findall(r"^i\(vout\d+\) = (\S+)$", done.stdout, re.MULTILINE)])
    assert np.abs(theirs - deck.found.sense_a).max() <= 1e-6 * np.abs(theirs).max()
