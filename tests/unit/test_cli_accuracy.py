from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest


@pytest.fixture
def good(call):
    """The standard output of ``archsim accuracy`` with words, by this process alone unless they say otherwise."""

    def run(*words: object) -> str:
        code, out, err = call("accuracy", *map(str, words), *([] if "--jobs" in words else ["--jobs", "1"]))
        assert code == 0, err
        return out

    return run


def test_the_tables_and_files_of_a_run(tmp_path, good):
    words = ["puma", "digits-mlp", "--data", "digits", "--images", 60, "--seeds", 2, "--ideal"]
    noisy = ["--set", 'tile.device.set={"sigma": 0.1}', "--out", tmp_path / "out", "--causes"]
    shown = good(*words, *noisy)
    for part in ("digits-mlp on digits", "60 samples, 2 seeds", "ideal arrays", "dense1", "programming error"):
        assert part in shown
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"accuracy.csv", "accuracy.md", "accuracy.json", "layers.csv", "losses.md", "calibration.json"} <= names
    assert {"accuracy.png", "accuracy.svg", "confusion.png", "confusion.svg"} <= names
    (calibration,) = json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert [layer["name"] for layer in calibration["layers"]] == ["dense1", "dense2"]
    assert calibration["layers"][0]["scale"]["input"] == pytest.approx(1 / 32768, rel=0.01)
    found = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    (point,) = found["points"]
    assert point["ideal"] == point["digital"]
    assert len(point["analog"]["seeds"]) == 2
    assert point["analog"]["summary"]["accuracy"]["sd"] >= 0
    assert sum(map(sum, point["analog"]["seeds"][0]["confusion"])) == 60


def test_the_same_command_gives_the_same_json_by_one_process_and_by_two(good):
    words = ["pcm-like", "digits-cnn", "--data", "digits", "--images", 30, "--seeds", 2, "--json", "-"]
    assert good(*words, "--jobs", 1) == good(*words, "--jobs", 2)


def test_an_uncalibrated_range_is_named_as_the_cause_of_a_loss(good):
    words = ["puma", "digits-mlp", "--data", "digits", "--images", 100, "--json", "-"]
    ruined = json.loads(good(*words, "--set", "tile.core.components.adc.bits=5"))["points"][0]
    assert ruined["analog"]["summary"]["accuracy"]["mean"] < 0.7
    (warning,) = ruined["warnings"]
    assert "the cause is the range of the 5-bit ADC, 'worst-case' and not calibrated to the data" in warning
    assert "(tile.core.components.adc.range=calibrated)" in warning
    keys = ["--set", "tile.core.components.adc.bits=5", "--set", "tile.core.components.adc.range=calibrated"]
    mended = json.loads(good(*words, *keys))["points"][0]
    assert mended["analog"]["summary"]["accuracy"]["mean"] > 0.9
    (rest,) = mended["warnings"]
    assert "the cause is the resolution of the 5-bit ADC for sums of 128 rows of 2-bit cells, not the device" in rest


def test_a_range_that_is_too_small_saturates_and_the_warning_says_so(good):
    keys = ["--set", "tile.core.components.adc.range=fixed", "--set", "tile.core.components.adc.full_scale=20"]
    (point,) = json.loads(good("puma", "digits-mlp", "--data", "digits", "--images", 50, *keys, "--json", "-"))[
        "points"
    ]
    assert "of the conversions of dense1 are out of range" in point["warnings"][0]
    assert point["layers"][0][0]["saturation"] > 0.5


def test_a_loss_to_few_levels_and_one_to_the_device_are_told_apart(good):
    words = ["puma", "digits-mlp", "--data", "digits", "--images", 100, "--seeds", 1, "--json", "-"]
    (few,) = json.loads(good(*words, "--set", 'tile.device.set={"levels": 2}'))["points"]
    assert "the cause is the number of levels of the device, fewer than the 2^2 of cell_bits" in few["warnings"][0]
    (loose,) = json.loads(good(*words, "--set", 'tile.device.set={"sigma": 0.7}'))["points"]
    assert "the largest cause is programming error" in loose["warnings"][0]


def test_a_loss_to_few_bits_is_no_loss_of_the_arrays(good):
    keys = ["--set", "tile.core.encoding.weight_bits=2", "--images", 100, "--json", "-"]
    (point,) = json.loads(good("puma", "digits-mlp", "--data", "digits", *keys))["points"]
    assert "are lost before any array: weights of 2 and inputs of 16 bits give" in point["warnings"][0]


def test_a_sweep_has_a_line_for_each_value_and_a_figure(tmp_path, good):
    words = ["isaac-ce", "digits-mlp", "--data", "digits", "--images", 40, "--seeds", 2, "--also", "pcm-like"]
    good(*words, "--sweep", "adc-bits=6,8", "--out", tmp_path)
    lines = (tmp_path / "accuracy.csv").read_text().splitlines()
    arrays = [line for line in lines if ",arrays," in line]
    assert [line.split(",")[:2] for line in arrays] == [
        ["isaac-ce", "6"],
        ["isaac-ce", "8"],
        ["pcm-like", "6"],
        ["pcm-like", "8"],
    ]
    assert (tmp_path / "accuracy.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("sweep", "chip", "key"),
    [
        ("programming-error=0,0.3", "isaac", "sigma"),
        ("stuck=0,0.2", "isaac", "stuck_off"),
        ("array-size=64,256", "puma", "columns"),
        ("cell-bits=1,2", "puma", "cell_bits"),
    ],
)
def test_each_cause_can_be_swept_by_name(sweep, chip, key, good):
    words = [chip, "digits-mlp", "--data", "digits", "--images", 20, "--seeds", 1, "--jobs", 1]
    found = json.loads(good(*words, "--sweep", sweep, "--json", "-"))
    first, last = found["points"]
    assert key in "".join(last["overrides"])
    assert first["layers"][0][0]["snr_db"] != last["layers"][0][0]["snr_db"]


def test_a_sweep_of_time_asks_for_a_device_that_drifts(good, call):
    words = ["digits-mlp", "--data", "digits", "--images", 20, "--seeds", 1, "--sweep", "time=0,1e7", "--json", "-"]
    first, last = json.loads(good("pcm-like", *words))["points"]
    assert first["layers"][0][0]["snr_db"] > last["layers"][0][0]["snr_db"] + 3
    code, _, err = call("accuracy", "neurram-like", *map(str, words), "--jobs", "1")
    assert code == 2
    assert "dense1: time: the source of rram-wan gives no drift or retention" in err


def test_data_without_labels_gives_the_outputs_themselves(tmp_path, good):
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).random((6, 64), np.float32))
    shown = good("puma", "digits-mlp", "--data", tmp_path / "x.npz", "--out", tmp_path / "out")
    assert "6 samples without labels" in shown
    assert (tmp_path / "out" / "outputs.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["isac", "digits-mlp", "--data", "digits"], "no chip, tile or workload named 'isac'; did you mean"),
        (["puma", "digits-mp", "--data", "digits"], "no workload named 'digits-mp'; did you mean 'digits-mlp'?"),
        (["puma", "vgg16", "--data", "digits"], "'vgg16' is a network without weights"),
        (["vgg16", "digits-mlp", "--data", "digits"], "'vgg16' is a workload; accuracy needs a chip or a tile"),
        (["puma", "digits-mlp", "--data", "cifar"], "--data: no data set 'cifar'; there are digits, mnist"),
        (["puma", "digits-mlp", "--data", "digits", "--sweep", "adc-bit=4"], "did you mean 'adc-bits'?"),
        (["puma", "digits-mlp", "--data", "digits", "--sweep", "adc-bits"], "--sweep: expected KEY=V,V,…"),
        (
            ["puma", "digits-mlp", "--data", "digits", "--sweep", "time=soon"],
            "--sweep time: expected numbers, got 'soon'",
        ),
        (
            ["puma", "digits-mlp", "--data", "digits", "--scales", "row"],
            "--scales: expected column or layer, got 'row'",
        ),
        (["puma", "digits-mlp", "--data", "digits", "--carry", "h"], "--carry: expected two names, as state=stateN"),
        (["puma", "digits-mlp", "--data", "digits", "--bind", "sr=x"], "--bind sr: expected a number, got 'x'"),
        (["puma", "digits-mlp", "--data", "digits", "--bind", "sr=1"], "--bind: the model has no input 'sr'"),
    ],
)
def test_what_is_wrong_is_said_in_one_message(words, message, call):
    code, _, err = call("accuracy", *words, "--images", "5", "--jobs", "1")
    assert code == 2
    assert message in err


@pytest.mark.slow
def test_the_files_do_not_hang_on_the_threads_of_the_linear_algebra_library(tmp_path):
    """The float run alone differs in its last digits if the library is left to share a sum among its threads."""
    words = ["accuracy", "isaac-ce", "digits-cnn", "--data", "digits", "--images", "60", "--jobs", "1"]
    found = []
    for threads in ("1", "2"):
        folder = tmp_path / threads
        variables = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), threads)
        command = [sys.executable, "-m", "archsim", *words, "--sweep", "adc-bits=5", "--out", str(folder)]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **variables})
        found.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert len(found[0]) >= 9
    assert found[0] == found[1]
