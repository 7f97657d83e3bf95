"""What ``archsim netlist`` prints, writes and draws."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from archsim.cli import main
from archsim.report.netlist import voltage_figure


def archsim(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["archsim", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_the_command_writes_a_deck_and_prints_its_sense_currents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("netlist", "isaac", "--rows", "16", "--cols", "16", "--r-wire", "1", "-o", "array.cir")
    assert archsim(monkeypatch, *words) == 0
    out = capsys.readouterr().out
    assert "Sense currents, the first 8 of 16" in out
    assert "segments of 1 ohm along wordlines and 1 ohm along bitlines" in out
    deck = Path("array.cir").read_text(encoding="utf-8")
    assert archsim(monkeypatch, *words, "--json", "-") == 0
    values = json.loads(capsys.readouterr().out)
    assert f"{values['sense_a'][7]:.9e}" in out
    assert len(values["sense_a"]) == len(values["ideal_a"]) == 16
    assert sum(values["sense_a"]) < sum(values["ideal_a"])
    assert Path("array.cir").read_text(encoding="utf-8") == deck
    assert deck.startswith("* an array of isaac\n")
    assert deck.endswith(".end\n")


def test_a_mistake_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert archsim(monkeypatch, "netlist", "isaac", "--cols", "16", "--r-wire", "1e-12", "-o", "array.cir") == 2
    assert capsys.readouterr().err == (
        "archsim: wires: wordline_ohm must be 0, or from 1e-09 ohm and finite, got 1e-12\n"
    )
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_a_picture_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    words = ("netlist", "isaac", "--rows", "2", "--cols", "8", "-o", "array.cir", "--map", "map.svg")
    assert archsim(monkeypatch, *words) == 2
    assert "Matplotlib is not installed (pip install 'archsim[plot]')" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_picture_is_the_same_bytes_each_time_and_shows_signs() -> None:
    positive = np.linspace(0, 0.2, 12).reshape(3, 4)
    drawn = voltage_figure(positive, "a title")
    assert drawn == voltage_figure(positive, "a title")
    assert "a title" in drawn
    assert drawn != voltage_figure(-positive, "a title")


def test_an_array_without_voltages_can_be_drawn() -> None:
    assert voltage_figure(np.zeros((2, 2))).startswith("<?xml")


def test_the_command_draws_the_voltages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("netlist", "isaac", "--rows", "4", "--cols", "8", "-o", "array.cir", "--map", "map.svg")
    assert archsim(monkeypatch, *words) == 0
    assert "<svg" in Path("map.svg").read_text(encoding="utf-8")
