"""``archsim run --reprogram`` and what every run says of loading, as a user meets them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.networks import small, text

Command = Callable[..., tuple[int, str, str]]

WIDE = tuple({"dense": 256, "name": f"d{k}"} for k in range(6))
"""Six layers of 256 x 256, of which a tile of ISAAC holds three."""

ONE_TILE = [word for key in small(1) for word in ("--set", key)]
HERE = ("run", "isaac-ce", "wide.yaml", *ONE_TILE, "--chips", "1")


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled_engine: None) -> None:
    monkeypatch.delenv("ARCHSIM_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("wide.yaml").write_text(text(WIDE, (256,), "wide"))


def test_what_does_not_fit_names_reprogramming_as_a_lever(call: Command) -> None:
    code, out, err = call(*HERE)
    assert (code, out) == (2, "")
    assert "wide does not fit 1 × isaac-ce" in err
    assert "--reprogram runs it in phases, between which the board is written." in " ".join(err.split())


def test_phases_stand_in_the_json_and_in_files(call: Command) -> None:
    code, out, _ = call(*HERE, "--reprogram", "--images", "4", "--out", "o", "--json", "-")
    assert code == 0
    value = json.loads(out)
    assert [phase["layers"] for phase in value["phases"]] == [["d0", "d1", "d2"], ["d3", "d4", "d5"]]
    whole = sum(phase["loading_s"] + phase["makespan_s"] for phase in value["phases"])
    assert value["interval_s"] == pytest.approx(whole / 4, rel=1e-12)
    assert value["loading"]["lifetime_loadings"] == 1e6 / 2
    assert sum(row["total_j"] for row in value["ledger"]) == pytest.approx(value["energy_j_per_inference"], rel=1e-12)
    with Path("o/phases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["phase"] for row in rows] == ["1", "2"]
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1.0)
    assert "reprogram: true" in Path("o/resolved.yaml").read_text()
    assert "loading.time_s" in Path("o/stats.txt").read_text()


def test_the_same_files_come_out_each_time(call: Command) -> None:
    for folder in ("one", "two"):
        assert call(*HERE, "--reprogram", "--images", "2", "--out", folder)[0] == 0
    assert {p.name: p.read_bytes() for p in Path("one").iterdir()} == {
        p.name: p.read_bytes() for p in Path("two").iterdir()
    }


def test_phases_and_loading_are_printed(call: Command) -> None:
    code, out, _ = call(*HERE, "--reprogram", "--images", "4")
    assert code == 0
    for words in ("Phases", "Loading", "d0 … d2 (3)", "all 2 phases of a batch", "5e+05 batches", "a batch of 4"):
        assert words in " ".join(out.split()), words


def test_loading_of_what_fits_is_once(call: Command) -> None:
    code, out, _ = call("run", "isaac-ce", "wide.yaml", *[w for key in small(4) for w in ("--set", key)])
    assert code == 0
    printed = " ".join(out.split())
    assert "once, before the first inference" in printed
    assert "samples until loading is 1% of all time" in printed
    assert "Phases" not in printed


def test_what_is_not_published_is_said(call: Command) -> None:
    unknown = ["--set", "tile.core.write=null"]
    code, out, _ = call("run", "isaac-ce", "wide.yaml", *[w for key in small(4) for w in ("--set", key)], *unknown)
    assert code == 0
    assert out.count("not published") >= 3
    code, out, err = call(*HERE, "--reprogram", *unknown)
    assert (code, out) == (2, "")
    assert "give core.write.pulse in its tile, or by --set" in " ".join(err.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--component-detail", "d0"), "--reprogram: phases are simulated without --component-detail"),
        (("--records", "r"), "--reprogram: a run in phases has no one set of records; run without --records"),
    ],
)
def test_what_does_not_go_with_phases(call: Command, words: tuple[str, ...], message: str) -> None:
    code, _, err = call(*HERE, "--reprogram", *words)
    assert code == 2
    assert message in " ".join(err.split())


def test_a_comparison_takes_boards_that_are_programmed_anew(call: Command) -> None:
    words = ("compare", "isaac-ce", "puma", "--workload", "wide.yaml", *ONE_TILE, "--chips", "1", "--images", "2")
    code, _, err = call(*words)
    assert code == 2
    assert "--reprogram runs it in phases" in " ".join(err.split())
    code, out, _ = call(*words, "--reprogram", "--out", "c", "--json", "-")
    assert code == 0
    runs = json.loads(out)
    assert [len(run["phases"]) for run in runs] == [2, 2]
    with Path("c/comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["phases"] for row in rows] == ["2", "2"]
    assert all(float(row["loading_s"]) > 0 and float(row["loading_j"]) > 0 for row in rows)
