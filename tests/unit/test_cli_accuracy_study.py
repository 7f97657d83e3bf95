"""``archsim accuracy-study`` from its options to its tables and files."""

import json
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsim.cli import app, main

SMALL = ["merrikh-bayat-2018", "--seeds", "2", "--target", "0.5"]


def invoke(*words: str) -> str:
    result = CliRunner().invoke(app, ["accuracy-study", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    monkeypatch.setattr(sys, "argv", ["archsim", "accuracy-study", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    return capsys.readouterr().err.strip()


@pytest.mark.slow
def test_tables_files_and_json_say_the_same(tmp_path: Path) -> None:
    text = invoke(*SMALL, "--out", str(tmp_path / "out"), "--json", str(tmp_path / "study.json"))
    assert "2 networks trained for 0.5 of the full output" in " ".join(text.split())
    assert re.search(r"loading: 428 devices, at least 428 pulses, at least 0\.214 s one by one", text)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "loading.csv", "loading.md", "losses.csv", "losses.md", "losses.png", "networks.csv", "study.json",
        "targets.csv", "targets.md",
    ]  # fmt: skip
    assert (tmp_path / "out" / "study.json").read_bytes() == (tmp_path / "study.json").read_bytes()
    found = json.loads((tmp_path / "study.json").read_text())
    assert (found["networks"], found["seed"], found["target"]) == (2, 0, 0.5)
    losses = {(row["case"], row["patterns"]): row for row in found["losses"]}
    known = losses["defects known", "test"]
    assert known["paper"] == 0.94
    assert known["loss"] == pytest.approx(known["software %"] - known["hardware %"])
    assert sum(row["total_j"] for row in found["loading"]["ledger"]) == pytest.approx(found["loading"]["energy_j"])
    assert (tmp_path / "out" / "losses.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["merrikh-bayat"], "archsim: no experiment named 'merrikh-bayat'; did you mean 'merrikh-bayat-2018'?"),
        (["isaac"], "archsim: no experiment named 'isaac'; there is merrikh-bayat-2018"),
        ([*SMALL, "--seeds", "0"], "archsim: --seeds: expected 1 to 100000, got 0"),
        ([*SMALL, "--seed", "-1"], "archsim: --seed: expected at least 0, got -1"),
        (
            [*SMALL, "--target", "0"],
            "archsim: --target: expected a share of the full output above 0 and at most 1, got 0",
        ),
        (
            [*SMALL, "--target", "nan"],
            "archsim: --target: expected a share of the full output above 0 and at most 1, got nan",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_one_message(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(monkeypatch, capsys, *words) == message


def test_a_folder_that_cannot_be_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    err = refused(monkeypatch, capsys, *SMALL, "--seeds", "100000", "--out", str(tmp_path / "file"))
    assert err.endswith("is not a folder")
