"""Files that are broken or made to do harm: a clear error, no large allocation, nothing read from outside."""

from __future__ import annotations

import resource
import time
import tracemalloc

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archsim.errors import ArchsimError, WorkloadError
from archsim.workload.onnx import import_onnx
from archsim.workload.onnx.tensors import initialiser
from archsim.workload.onnx.wire import skeleton
from tests.onnx_models import Builder

FLOAT = TensorProto.FLOAT


def dense(rows: int = 8, columns: int = 4) -> Builder:
    builder = Builder()
    builder.op("MatMul", "x", builder.weight(rows, columns), out="y")
    return builder


def write(folder, model) -> object:
    path = folder / "net.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return path


def dense_model(rows: int = 8) -> object:
    return dense(rows).model({"x": (FLOAT, [1, rows])}, ["y"])


def refused(path) -> str:
    """The message; at most 64 MB and one second of processor time are taken on the way."""
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(ArchsimError) as caught:
            import_onnx(path)
        assert tracemalloc.get_traced_memory()[1] < 64e6
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 5  # with the tracing of memory, which costs several times the work
    return str(caught.value)


def test_files_that_are_no_model(tmp_path):
    path = tmp_path / "net.onnx"
    for data, message in (
        (b"", "got an empty file"),
        (b"\x00" * 100, "cut off or corrupt at byte 0"),
        (b"schema: 1\n", "no whole ONNX model"),
        (b"\x08\x07", "one without a graph"),
    ):
        path.write_bytes(data)
        assert message in refused(path)
    with pytest.raises(WorkloadError, match="expected an ONNX file, got a folder"):
        import_onnx(tmp_path)


def test_every_truncation_is_refused(tmp_path):
    whole = dense_model().SerializeToString()
    path = tmp_path / "net.onnx"
    for length in range(1, len(whole) - 16):
        path.write_bytes(whole[:length])
        with pytest.raises(ArchsimError):
            import_onnx(path)


def test_a_cycle_is_named(tmp_path):
    nodes = [helper.make_node("Relu", ["b"], ["a"], "first"), helper.make_node("Relu", ["a"], ["b"], "second")]
    graph = helper.make_graph(nodes, "g", [], [helper.make_tensor_value_info("b", FLOAT, [1])])
    message = refused(write(tmp_path, helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])))
    assert "the graph has a cycle, among the nodes 'first' (Relu), 'second' (Relu)" in message


@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "a/../../b", "", "."])
def test_external_data_outside_the_folder_is_refused(tmp_path, place):
    model = dense_model()
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    assert "external data must lie in the model's own folder" in refused(write(tmp_path, model))


def test_external_data_behind_a_link_is_refused(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret").write_bytes(b"x" * 128)
    (tmp_path / "inside" / "link").symlink_to(tmp_path / "secret")
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[8, 4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="link")
    with pytest.raises(WorkloadError, match="own folder"):
        initialiser(tensor, tmp_path / "inside" / "net.onnx", weights=True)


def test_tensors_that_are_too_large_or_not_as_long_as_they_say(tmp_path):
    for dims, message in (
        ([10**6, 10**6], "which is 1e+12 values; at most 2^36 are read"),
        ([-4, 8], "none negative"),
        ([8, 5], "takes 160 bytes, got 128"),
        ([1] * 40, "at most 16 sizes"),
    ):
        model = dense_model()
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(dims)
        assert message in refused(write(tmp_path, model))


def test_nodes_that_would_make_too_much(tmp_path):
    builder = Builder()
    size = builder.constant(np.array([10**6, 10**6]))
    builder.op("ConstantOfShape", size, out="big")
    builder.op("Add", "x", "big", out="y")
    message = refused(write(tmp_path, builder.model({"x": (FLOAT, [1])}, ["y"])))
    assert "node 'big' (ConstantOfShape) the output 'big' has the shape [1000000, 1000000]" in message
    builder = Builder()
    builder.op("Range", *(builder.constant(np.int64(n)) for n in (0, 2**60, 1)), out="r")
    builder.op("Add", "x", builder.op("Cast", "r", to=1), out="y")
    assert "'r'" in refused(write(tmp_path, builder.model({"x": (FLOAT, [1])}, ["y"])))


def test_a_layer_that_is_too_large_is_named_in_one_line(tmp_path):
    builder = Builder()
    numbers = builder.op("Range", *(builder.constant(np.int64(n)) for n in (0, 10**9, 1)))
    builder.op("Add", "x", builder.op("Cast", numbers, to=FLOAT), out="y")
    message = refused(write(tmp_path, builder.model({"x": (FLOAT, [1])}, ["y"])))
    assert message.endswith("net.onnx: layer 'y': shape.0: expected at most 16777216, got 1000000000")
    assert len(message.splitlines()) == 1


def test_deep_nesting_is_refused(tmp_path):
    def nested(depth: int):
        node = helper.make_node("Relu", ["x"], ["y0"])
        for level in range(depth):
            graph = helper.make_graph([node], "g", [], [helper.make_tensor_value_info(f"y{level}", FLOAT, [1])])
            node = helper.make_node("If", ["c"], [f"y{level + 1}"], then_branch=graph, else_branch=graph)
        first = [helper.make_tensor_value_info("x", FLOAT, [1])]
        last = [helper.make_tensor_value_info(f"y{depth}", FLOAT, [1])]
        graph = helper.make_graph([node], "g", first, last, [numpy_helper.from_array(np.array(True), "c")])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])

    assert import_onnx(write(tmp_path, nested(5))).graph.layers[-1].op == "activation"

    def length(value: int) -> bytes:
        out = bytearray()
        while value > 127:
            out.append(value & 127 | 128)
            value >>= 7
        return bytes([*out, value])

    data = b""
    for _ in range(3000):  # graph in attribute in node in graph …
        for tag in (0x32, 0x2A, 0x0A):
            data = bytes([tag]) + length(len(data)) + data
    data = b"\x3a" + length(len(data)) + data
    assert "nested" in refused(write(tmp_path, data))


def test_functions_that_double_and_functions_that_call_each_other(tmp_path):
    model = dense_model()
    model.opset_import.add(domain="f", version=1)
    for k in range(40):
        inner = f"f{k - 1}" if k else "Relu"
        domain = "f" if k else ""
        nodes = [
            helper.make_node(inner, ["a"], ["b"], domain=domain),
            helper.make_node(inner, ["b"], ["c"], domain=domain),
        ]
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
        model.functions.append(helper.make_function("f", f"f{k}", ["a"], ["c"], nodes, opsets))
    model.graph.node.append(helper.make_node("f39", ["y"], ["z"], "call", domain="f"))
    model.graph.output[0].name = "z"
    assert "functions" in refused(write(tmp_path, model))
    model.functions[0].node[0].op_type, model.functions[0].node[0].domain = "f39", "f"
    assert "functions call each other" in refused(write(tmp_path, model))


def test_an_endless_loop_is_refused(tmp_path):
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Relu", ["v"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("n", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, [1]),
        ],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []), helper.make_tensor_value_info("w", FLOAT, [1])],
    )
    builder = Builder()
    trips = builder.constant(np.int64(10**12))
    builder.nodes.append(helper.make_node("Loop", [trips, "", "x"], ["y"], "loop", body=body))
    message = refused(write(tmp_path, builder.model({"x": (FLOAT, [1])}, ["y"])))
    assert "'loop' (Loop) runs 1000000000000 times 2 nodes" in message


def test_weights_are_not_read_unless_asked_for(tmp_path):
    rows, columns = 4096, 16384  # 256 MB
    path = write(tmp_path, Builder().model({"x": (FLOAT, [1, rows])}, ["y"]))
    model = onnx.load(path)
    model.graph.node.append(helper.make_node("MatMul", ["x", "w"], ["y"], "dense"))
    head = model.SerializeToString()
    payload = rows * columns * 4

    def number(value: int) -> bytes:
        out = bytearray()
        while value > 127:
            out.append(value & 127 | 128)
            value >>= 7
        return bytes([*out, value])

    tensor = (
        TensorProto(name="w", data_type=FLOAT, dims=[rows, columns]).SerializeToString() + b"\x4a" + number(payload)
    )
    graph = b"\x2a" + number(len(tensor) + payload) + tensor
    with path.open("wb") as stream:
        stream.write(head + b"\x3a" + number(len(graph) + payload) + graph)
        stream.truncate(stream.tell() + payload)  # a hole: zeros that take no room
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(skeleton(path)) < 2000
    assert import_onnx(path).graph.weights == rows * columns
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024  # in KiB: a quarter of the weights


def test_weights_are_read_where_they_are_asked_for(tmp_path):
    path = write(tmp_path, dense_model(rows=8192))  # beyond what the skeleton keeps
    assert len(skeleton(path)) < 1000
    held = import_onnx(path, weights=True).weights["y"]["matrix"]
    (tensor,) = onnx.load(path).graph.initializer
    assert np.array_equal(held[0], numpy_helper.to_array(tensor))
    model = dense_model(rows=8192)
    array = numpy_helper.to_array(model.graph.initializer[0])
    model.graph.initializer[0].ClearField("raw_data")
    model.graph.initializer[0].float_data.extend(array.reshape(-1).tolist())
    held = import_onnx(write(tmp_path, model), weights=True).weights["y"]["matrix"]
    assert np.array_equal(held[0], array)
