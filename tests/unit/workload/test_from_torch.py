"""``from_torch`` with a stand-in for PyTorch, which is no dependency, and with PyTorch where it is installed."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from onnx import TensorProto

import archsim
from archsim.errors import WorkloadError
from tests.onnx_models import Builder


def stand_in(monkeypatch, export):
    torch, exporter = ModuleType("torch"), ModuleType("torch.onnx")
    torch.no_grad = contextlib.nullcontext
    exporter.export = export
    torch.onnx = exporter
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch.onnx", exporter)


class Module(SimpleNamespace):
    training = True

    def eval(self):
        self.training = False

    def train(self):
        self.training = True


def test_a_module_becomes_a_network_by_the_export_of_torch(monkeypatch):
    seen = {}

    def export(model, arguments, path):
        seen.update(arguments=arguments, training=model.training)
        b = Builder()
        out = b.op("Gemm", "x", b.weight(8, 4), b.weight(4))
        Path(path).write_bytes(b.model({"x": (TensorProto.FLOAT, [1, 8])}, [out]).SerializeToString())

    stand_in(monkeypatch, export)
    module = Module()
    graph, loaded = archsim.from_torch(module, "a tensor", name="mine")
    assert (graph.name, graph.macs, loaded.model.name) == ("mine", 32, "mine")
    assert seen == {"arguments": ("a tensor",), "training": False}
    assert module.training


def test_an_export_that_fails_says_why(monkeypatch):
    def export(model, arguments, path):
        raise RuntimeError("operator aten::odd is not supported\nand much more")

    stand_in(monkeypatch, export)
    with pytest.raises(WorkloadError, match=r"PyTorch cannot export the model: operator aten::odd is not supported$"):
        archsim.from_torch(Module(), ())


def test_without_torch_the_message_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(WorkloadError, match="from_torch needs PyTorch, which is not installed"):
        archsim.from_torch(Module(), ())


def test_a_module_of_torch_itself():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(288, 4))
    graph, _ = archsim.from_torch(module, torch.zeros(1, 3, 8, 8))
    assert graph.trained_parameters == 3 * 8 * 9 + 8 + 288 * 4 + 4
