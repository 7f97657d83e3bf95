"""ONNX files on the command line, as library workloads are."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest
from onnx import TensorProto
from typer.testing import CliRunner

from archsim.cli import app
from archsim.errors import ArchsimError, SpecError
from tests.onnx_models import Builder


@pytest.fixture
def net(tmp_path):
    b = Builder()
    x = b.op("Relu", b.op("Conv", "x", b.weight(8, 3, 3, 3), b.weight(8), name="first"))
    x = b.op("Gemm", b.op("Flatten", x), b.weight(288, 4), b.weight(4), name="last")
    path = tmp_path / "small.onnx"
    path.write_bytes(b.model({"x": (TensorProto.FLOAT, ["batch", 3, 8, 8])}, [x]).SerializeToString())
    return path


def run(*arguments) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_show_has_the_json_of_a_library_workload(net):
    ours = json.loads(run("show", net, "--bind", "batch=1", "--on", "isaac-ce", "--json", "-"))
    theirs = json.loads(run("show", "lstm-2048", "--on", "isaac-ce", "--json", "-"))
    assert ours.keys() == theirs.keys()
    assert ours["on"] == {
        "chip": "isaac-ce",
        "arrays": 4,
        "chips": 1,
        "problem": "",
        "by_layer": {"first": 1, "last": 3},
    }
    moved = 8 * 27 + 8 + 192 + 288 + 288 * 2 + 288 * 4 + 4 + 288 + 4
    assert ours["intensity"] == pytest.approx((36 * 8 * 27 + 288 * 4) / moved)


def test_show_prints_the_layers_and_the_arrays_on_a_chip(net):
    text = run("show", net, "--bind", "batch=1", "--on", "isaac-ce")
    assert "4 arrays of isaac-ce, on 1 chip" in text
    assert "ONNX file small.onnx" in text


def test_run_simulates_an_onnx_file(net):
    result = json.loads(run("run", "isaac-ce", net, "--bind", "batch=1", "--images", "2", "--json", "-"))
    assert result["workload"] == "small"
    assert result["interval_s"] > 0


def test_compare_takes_onnx_files(net):
    result = json.loads(
        run("compare", "isaac-ce", "puma", "--workload", net, "--bind", "batch=1", "--images", "2", "--json", "-")
    )
    assert [entry["chip"] for entry in result] == ["isaac-ce", "puma"]


def test_a_workload_is_written_as_yaml_and_drawn(net, tmp_path):
    written, drawn = tmp_path / "small.yaml", tmp_path / "small.svg"
    shown = json.loads(run("show", net, "--bind", "batch=1", "--yaml", written, "--graph", drawn, "--json", "-"))
    again = json.loads(run("show", written, "--json", "-"))
    assert again["layers"] == shown["layers"]
    texts = [entry.text for entry in ET.parse(drawn).iter("{http://www.w3.org/2000/svg}text")]
    assert {"first", "conv, relu: 8 × 6 × 6", "last"} <= set(texts)


def test_keys_of_the_workload_are_overridden(net):
    out = json.loads(
        run("show", net, "--bind", "batch=1", "--set", "name=mine", "--set", "layers.0.conv=16", "--json", "-")
    )
    assert (out["name"], out["layers"][0]["output_shape"]) == ("mine", [16, 6, 6])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "NET"], "symbolic sizes without a value: batch"),
        (["show", "NET", "--bind", "batch"], "--bind: expected NAME=SIZE or INPUT=SIZExSIZE"),
        (["show", "NET", "--map-unknown", "host"], "--map-unknown: expected vector, got 'host'"),
        (["show", "lstm-2048", "--bind", "batch=1"], "is no ONNX file, and only these have sizes to bind"),
        (["show", "isaac-ce", "--on", "puma"], "'isaac-ce' is a chip; --bind"),
        (["show", "none.onnx"], "no workload file at 'none.onnx'"),
    ],
)
def test_mistakes_have_one_clear_message(net, arguments, message):
    with pytest.raises((ArchsimError, SpecError)) as caught:
        run(*(str(net) if argument == "NET" else argument for argument in arguments))
    assert message in str(caught.value)


@pytest.mark.slow
def test_a_trained_network_with_an_lstm_imports_and_simulates(tmp_path):
    """Silero VAD 6 (MIT licence): a short-time Fourier transform as a convolution, four more, an LSTM of 128 cells."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(tmp_path), "silero-vad"]
    if subprocess.run(command, capture_output=True, check=False, timeout=300).returncode:
        pytest.skip("the package index is not reachable, from which silero-vad comes")
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [entry for entry in archive.namelist() if entry.endswith("silero_vad_16k_sequence.onnx")]
        path = Path(archive.extract(name, tmp_path))
    bind = ["--bind", "sequence_length=4"]
    shown = json.loads(run("show", path, *bind, "--json", "-"))
    lstm = next(layer for layer in shown["layers"] if layer["op"] == "lstm")
    assert lstm["matrix"] == {"rows": 256, "columns": 512, "groups": 1}
    assert lstm["windows"] == 4
    assert shown["parameters"] == 309_633
    result = json.loads(
        run("run", "isaac-ce", path, *bind, "--images", "2", "--set", "workload.host=true", "--json", "-")
    )
    assert result["interval_s"] > 0
