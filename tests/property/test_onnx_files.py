"""Mutated ONNX files either import or are refused with archsim's own errors; nothing else comes out."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from archsim.errors import ArchsimError
from archsim.workload.onnx import import_onnx
from tests.onnx_models import Builder, bert, decoder

FLOAT = TensorProto.FLOAT


@cache
def models() -> tuple[bytes, ...]:
    b = Builder()
    x = b.op("Relu", b.op("Conv", "x", b.weight(4, 3, 3, 3), b.weight(4), pads=[1, 1, 1, 1]))
    x = b.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = b.op("Gemm", b.op("Flatten", x), b.weight(64, 5), b.weight(5))
    conv = b.model({"x": (FLOAT, [1, 3, 8, 8])}, [b.op("Softmax", x)])
    b = Builder()
    y = b.op("LSTM", "x", b.weight(1, 16, 3), b.weight(1, 16, 4), b.weight(1, 32), hidden_size=4)
    recurrent = b.model({"x": (FLOAT, [5, 1, 3])}, [b.op("Slice", y, *(b.constant(np.array([n])) for n in (4, 5, 0)))])
    transformers = bert(1, 8, 2, 8, 11, 6, weights=True), decoder(1, 8, 4, 2, 8, 11, weights=True)
    return tuple(model.SerializeToString() for model in (conv, recurrent, *transformers))


BIND = {"batch": 1, "seq": 4}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    which=st.integers(0, 3),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.floats(0.3, 2),
)
def test_a_changed_byte_does_no_harm(which, changes, cut, tmp_path_factory):
    data = bytearray(models()[which])
    for place, byte in changes:
        data[min(int(place * len(data)), len(data) - 1)] = byte
    path = Path(tmp_path_factory.getbasetemp()) / "changed.onnx"
    path.write_bytes(data[: int(cut * len(data))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            graph = import_onnx(path, BIND if which > 1 else {}, map_unknown=True).graph
        except ArchsimError as error:
            assert str(error)
        else:
            assert graph.layers


FIELDS = ("op_type", "input", "output", "drop", "dims", "type", "opset", "attribute", "swap")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    which=st.integers(0, 3),
    field=st.sampled_from(FIELDS),
    at=st.floats(0, 0.999),
    value=st.integers(-3, 2**40),
    other=st.floats(0, 0.999),
)
def test_a_changed_model_does_no_harm(which, field, at, value, other, tmp_path_factory):
    model = onnx.load_from_string(models()[which])
    change(model.graph if field != "opset" else model, field, at, value, other)
    path = Path(tmp_path_factory.getbasetemp()) / "changed.onnx"
    path.write_bytes(model.SerializeToString())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            graph = import_onnx(path, BIND if which > 1 else {}).graph
        except ArchsimError as error:
            assert str(error)
        else:
            assert graph.layers


def change(graph, field: str, at: float, value: int, other: float) -> None:
    if field == "opset":
        graph.opset_import[0].version = value
        return
    node, second = (graph.node[int(share * len(graph.node))] for share in (at, other))
    tensor = graph.initializer[int(at * len(graph.initializer))]
    if field == "op_type":
        node.op_type = second.op_type
    elif field == "input" and node.input:
        node.input[0] = second.output[0]
    elif field == "output":
        node.output[0] = second.output[0]
    elif field == "drop":
        del node.input[:]
    elif field == "dims":
        tensor.dims.append(value)
    elif field == "type":
        tensor.data_type = value % 30
    elif field == "attribute" and node.attribute:
        node.attribute[0].ints.append(value)
        node.attribute[0].i = value
    elif field == "swap" and len(node.input) > 1:
        node.input[0], node.input[1] = node.input[1], node.input[0]
