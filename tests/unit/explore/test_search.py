"""Searches: the same choices by seed, after a stop, and by any number of processes; constraints; and what they find."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from archsim.errors import ArchsimError
from archsim.explore.study import Summary, load_study, run_study

pytest.importorskip("optuna")

SEARCH = """\
schema: 1
kind: study
name: search
designs: [isaac-ce, {chip: isaac-ce, name: coarse, set: {tile.core.components.adc.bits: 6}}]
parameters:
  tiles: {from: 1, to: 168}
  tile.core.components.adc.rate: {from: 0.64 GHz, to: 1.28 GHz, step: +0.08}
  tile.core.components.adc.count: {choices: {few: {tile.core.count: 6}, many: {tile.core.count: 12}}}
objectives: {peak_tops_per_w: max}
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ran(method: str, out: str, more: str = "", points: int = 24, **options: Any) -> Summary:
    method = f"method: {{name: {method}, points: {points}, population: 8, seed: 3}}\n"
    Path("s.yaml").write_text(SEARCH + more + method)
    return run_study(load_study("s.yaml"), Path(out), **options)


@pytest.mark.parametrize("method", ["nsga2", "tpe"])
def test_a_search_makes_the_same_choices_again_and_goes_on_from_a_shorter_one(method: str) -> None:
    whole = ran(method, "whole")
    assert len(whole.records) == 24
    assert ran(method, "stopped", points=16).run > 0
    assert ran(method, "stopped").run <= 8
    assert Path("stopped/table.csv").read_bytes() == Path("whole/table.csv").read_bytes()


def test_a_search_finds_better_points_than_the_first_that_it_asked_for() -> None:
    records = ran("tpe", "out", points=40).records
    figures = [record["peak_tops_per_w"] for record in records]
    assert max(figures[8:]) > max(figures[:8])
    best = max(records, key=lambda record: record["peak_tops_per_w"])
    assert (best["design"], best["tile.core.components.adc.rate"]) == ("coarse", "1.28 GHz")


def test_a_search_keeps_to_constraints_in_the_end() -> None:
    records = ran("tpe", "out", "constraints: {peak_power_w: {at_most: 20}}\n", points=40).records
    assert sum(record["feasible"] for record in records[-16:]) > sum(record["feasible"] for record in records[:16]) / 2
    assert {record["feasible"] for record in records} == {True, False}


def test_without_optuna_a_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ArchsimError, match=r"^a search needs Optuna: pip install 'archsim\[search\]'$"):
        ran("tpe", "out")
