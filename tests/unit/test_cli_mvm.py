"""``archsim mvm`` from its options to its tables and files."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsim.cli import app, main
from archsim.hardware.read import MvmWanted, read_tile
from archsim.report.mvm import budget_figure, budget_records

NOISY = ["--set", "device.set={sigma: 0.05, read_sigma: 0.02}", "--set", "wires={wordline: 1 ohm, bitline: 1 ohm}"]
SMALL = ["--rows", "40", "--cols", "6", "--batch", "20"]


def invoke(*words: str) -> str:
    result = CliRunner().invoke(app, ["mvm", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_isaacs_array_is_exact() -> None:
    text = invoke("isaac", *SMALL)
    assert "exact, 0 of" in text
    assert "MVM per CPU-second" in text


def test_the_budget_lists_every_cause_and_is_the_same_each_time(tmp_path: Path) -> None:
    runs = []
    for name in ("a", "b"):
        text = invoke("puma", *SMALL, *NOISY, "--out", str(tmp_path / name), "--json", str(tmp_path / f"{name}.json"))
        for cause in ("programming error", "read noise", "wire resistance", "ADC resolution and range", "all together"):
            assert cause in text
        runs.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert runs[0] == runs[1]
    assert sorted(runs[0]) == ["budget.csv", "budget.md", "budget.svg", "resolved.yaml"]
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    record = json.loads((tmp_path / "a.json").read_text())
    assert record["snr_db"] == pytest.approx(20 * math.log10(record["product_rms"] / record["error_rms"]))
    assert [cause["effect"] for cause in record["causes"]] == ["programming", "read_noise", "wires", "adc"]


def test_another_seed_gives_another_array() -> None:
    first, second = (json.loads(invoke("puma", *SMALL, *NOISY, "--seed", seed, "--json", "-")) for seed in ("1", "2"))
    assert first["snr_db"] != second["snr_db"]


def test_time_passes() -> None:
    cell = ["--set", "device={model: pcm-aihwkit}"]
    early, late = (json.loads(invoke("puma", *SMALL, *cell, "--time", t, "--json", "-")) for t in ("0", "86400"))
    assert late["snr_db"] < early["snr_db"] - 5
    assert "retention" in [cause["effect"] for cause in late["causes"]]


def test_converters_are_calibrated_on_data_of_their_own() -> None:
    keys = ["--set", "core.components.adc.range=calibrated", "--set", "core.components.adc.bits=6"]
    fixed, calibrated = (json.loads(invoke("puma", *SMALL, *k, "--json", "-")) for k in (keys[2:], keys))
    assert calibrated["snr_db"] > fixed["snr_db"] + 6


def test_the_figure_shows_a_bar_for_each_cause() -> None:
    run = read_tile("puma", [NOISY[1], NOISY[3]], MvmWanted(40, 6, 20))
    picture = budget_figure(run)
    assert picture.startswith("<?xml")
    assert len([record for record in budget_records(run) if record["error"] > 0]) == 5
    assert picture.count(" dB -->") == 5  # a comment stands before the outlines of each text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["isac"], "no tile named 'isac'; did you mean 'isaac'?"),
        (["puma", "--rows", "100000", "--cols", "100000"], "rows, cols: a matrix takes at most 100000000 cells, got"),
        (["puma", "--set", "device.model=pcm"], "no device named 'pcm'"),
        (["puma", "--time", "1", "--set", "device={model: rram-milo}"], "time: the source of rram-milo gives no drift"),
    ],
)
def test_bad_input_ends_with_one_message(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["archsim", "mvm", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    out = capsys.readouterr()
    assert out.err.startswith("archsim: ")
    assert message in out.err
    assert not out.out


@pytest.mark.slow
def test_threads_libraries_and_processors_make_no_difference_to_the_bytes(tmp_path: Path) -> None:
    """OpenBLAS with one thread, two, and the kernels of another processor; Numba without vector instructions."""
    program = (
        "from archsim.hardware.read import *;"
        "keys = ['device={model: pcm-aihwkit}', 'wires={wordline: 1 ohm, bitline: 1 ohm}'];"
        "run = read_tile('puma', keys, MvmWanted(batch=100, seconds=3600.0));"
        "print(run.matrix.mvm(run.inputs, 0).tobytes().hex())"
    )
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    outputs = set()
    for change in (
        {"OPENBLAS_NUM_THREADS": "1"},
        {"OPENBLAS_NUM_THREADS": "2"},
        {"OPENBLAS_CORETYPE": "Haswell", **plain},
    ):
        run = subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, **change}, capture_output=True, text=True, check=True
        )
        outputs.add(run.stdout)
    assert len(outputs) == 1
    assert outputs.pop().strip()
