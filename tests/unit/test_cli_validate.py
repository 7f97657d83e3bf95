"""``archsim validate``: what it prints and writes, and when it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsim.cli import app
from archsim.report.published import VERDICTS

SMALLER = """\
schema: 1
kind: chip
name: smaller
extends: isaac-ce
tiles: 160
published:
  - {metric: peak.tops, value: 41.3, status: verified, source: review}
  - {metric: peak.tops, value: 35.0, status: verified, source: me, reason: It is another chip.}
  - {metric: peak.tops, value: 27.8, status: verified, source: me, when: half, at: {tiles: 113}}
  - {metric: peak.tops, value: 36.9, status: verified, source: me, reading: ADC at the table's 1.2 GSps}
  - {metric: chip.power_w, value: 1, status: verified, source: me, missing: the supply voltage}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHSIM_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smaller.yaml").write_text(SMALLER)


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["validate", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return 2, result.stdout, str(result.exception)
    return result.exit_code, result.stdout, result.stderr


def test_the_json_is_a_list_of_figures_each_with_a_verdict() -> None:
    code, text, _ = run("isaac-ce", "boltzmann", "--json", "-")
    figures = json.loads(text)
    assert code == 0
    assert {tuple(figure) for figure in figures} == {
        ("design", "metric", "paper", "archsim", "ratio", "verdict", "reason", "source")
    }
    assert {figure["verdict"] for figure in figures} <= set(VERDICTS)
    assert {figure["design"] for figure in figures} == {"isaac-ce", "boltzmann"}
    power = next(f for f in figures if f["metric"] == "chip.power_w")
    assert (power["paper"], power["verdict"], round(power["ratio"], 3)) == (65.8, "agrees", 1.0)
    unmodelled = [f for f in figures if f["design"] == "boltzmann"]
    assert {(f["archsim"], f["ratio"], f["verdict"]) for f in unmodelled} == {(None, None, "not enough published")}


def test_a_figure_that_is_held_to_agree_and_does_not_fails_the_command() -> None:
    code, text, error = run("smaller.yaml")
    assert code == 1
    assert error == "smaller: peak.tops is 39.32, published 41.3 (ratio 0.952), and the file gives no reason\n"
    verdicts = [f["verdict"] for f in json.loads(run("smaller.yaml", "--json", "-")[1])]
    expected = ["differs", "differs", "agrees", "agrees with a stated reading", "not enough published"]
    assert verdicts == expected
    assert "It is another chip." in text
    assert "peak.tops (half)" in text


def test_a_name_that_is_no_design_says_which_is_nearest() -> None:
    assert run("isac-ce") == (2, "", "no design named 'isac-ce'; did you mean 'isaac-ce'?")


def test_keys_that_a_figure_changes_are_checked_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "smaller.yaml").write_text(SMALLER.replace("{tiles: 113}", "{tils: 113}"))
    message = "smaller.yaml:9:80: published.2.at: tils: unknown key; did you mean 'tiles'?"
    assert run("smaller.yaml") == (2, "", message)


def test_a_reading_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "smaller.yaml").write_text(SMALLER.replace("ADC at the table's 1.2 GSps", "ADC at 1.2 GSps"))
    code, _, error = run("smaller.yaml")
    assert (code, "published.3.reading: no reading 'ADC at 1.2 GSps'" in error) == (2, True)


def test_tables_and_figure_are_written_and_are_the_same_each_time(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        assert run("isaac-ce", "boltzmann", "--out", folder)[0] == 0
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    tables = ["designs.csv", "designs.tex", "validation.csv", "validation.json", "validation.md", "validation.tex"]
    assert names == sorted([*tables, "scatter.csv", "scatter.pdf", "scatter.png"])
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    text = (tmp_path / "one" / "validation.md").read_text()
    assert "| isaac-ce | chip.power_w | 65.8 |" in text
    assert "ADCs of 1.2 GSps" in text
    assert r"isaac-ce & chip.power\_w & $65.8$" in (tmp_path / "one" / "validation.tex").read_text()


def test_designs_without_a_model_alone_make_no_figure(tmp_path: Path) -> None:
    assert run("boltzmann", "--out", "out")[0] == 0
    assert not list((tmp_path / "out").glob("scatter*"))
