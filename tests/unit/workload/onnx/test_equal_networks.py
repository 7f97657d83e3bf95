"""One network from a YAML file and from an ONNX file: equal graphs, equal Programs."""

from __future__ import annotations

import pytest

from archsim.compile.network import compile_network
from archsim.spec.loader import load_chip
from archsim.spec.workload import Workload
from archsim.workload import build_graph, load_graph
from archsim.workload.onnx import import_onnx
from tests.onnx_models import lstm, network


def imported(model, folder, **bind):
    path = folder / "same.onnx"
    path.write_bytes(model.SerializeToString())
    return import_onnx(path, bind).graph


def test_resnet50_from_onnx_is_layer_by_layer_that_of_the_library(tmp_path):
    ours, _ = load_graph("resnet50")
    theirs = imported(network(ours), tmp_path)
    assert theirs.layers == ours.layers
    assert theirs.outputs == ours.outputs


@pytest.mark.slow
def test_resnet50_from_onnx_compiles_to_the_same_program(tmp_path):
    ours, _ = load_graph("resnet50")
    theirs = imported(network(ours), tmp_path)
    chip = load_chip("isaac-ce").model
    programs = [compile_network(graph, chip, 4).program for graph in (ours, theirs)]
    assert programs[0] == programs[1]


def test_an_lstm_from_onnx_compiles_to_the_same_program(tmp_path):
    overrides = ["sequence=3", "input=[128]", "layers.0.lstm=128", "layers.1.dense=64"]
    ours, _ = load_graph("lstm-2048", overrides)
    theirs = imported(lstm(3, 128, 128, 64), tmp_path)
    assert theirs.layers == ours.layers
    chip = load_chip("puma").model
    programs = [compile_network(graph, chip, 1).program for graph in (ours, theirs)]
    assert programs[0] == programs[1]


def test_lstm_2048_in_full_has_the_same_layers(tmp_path):
    ours, _ = load_graph("lstm-2048")
    theirs = imported(lstm(50, 8192, 8192, 2048), tmp_path)
    assert (theirs.layers, theirs.steps) == (ours.layers, ours.steps)


def test_a_workload_written_as_yaml_loads_to_an_equal_graph(tmp_path):
    ours, _ = load_graph("resnet18")
    made = tmp_path / "same.onnx"
    made.write_bytes(network(ours).SerializeToString())
    for name in ("resnet50", "lstm-2048", str(made)):
        graph, loaded = load_graph(name)
        path = tmp_path / "written.yaml"
        path.write_text(loaded.plain_yaml())
        again, _ = load_graph(str(path))
        assert again == graph


def test_a_resolved_workload_is_the_same_too(tmp_path):
    made = tmp_path / "same.onnx"
    made.write_bytes(lstm(3, 16, 16, 8).SerializeToString())
    graph, loaded = load_graph(str(made))
    assert build_graph(Workload.model_validate(loaded.model.model_dump(by_alias=True))) == graph
