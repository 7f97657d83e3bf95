"""What is written in ONNX in many ways comes out as the layers that it is."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from archsim.errors import WorkloadError
from archsim.workload.onnx import import_onnx
from archsim.workload.onnx.tensors import element_bits
from tests.onnx_models import Builder, bert, decoder
from tests.onnx_numeric import outputs

FLOAT = TensorProto.FLOAT


def write(folder, model):
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def same_values(folder, model, feeds, bind=None, close=1e-4):
    """The imported network gives what onnx.reference gives; its graph."""
    path = write(folder, model)
    reference = ReferenceEvaluator(model)
    found = outputs(path, feeds, bind)
    for name, expected in zip(reference.output_names, reference.run(None, feeds), strict=True):
        assert np.allclose(found[name], expected, atol=close), name
    return import_onnx(path, bind).graph


def image(*shape):
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def ops(graph):
    return [layer.op for layer in graph.layers[1:]]


def test_bert_has_the_values_of_the_reference(tmp_path):
    ids = np.random.default_rng(0).integers(0, 50, (1, 8))
    feeds = {"ids": ids, "mask": np.array([[1] * 6 + [0] * 2]), "types": ids % 2}
    graph = same_values(tmp_path, bert(2, 16, 2, 32, 50, 12, weights=True), feeds, {"batch": 1, "seq": 8})
    assert ops(graph).count("layer norm") == 5
    assert [layer.activation for layer in graph].count("gelu") == 2


@pytest.mark.parametrize("groups", [4, 2])
def test_a_decoder_has_the_values_of_the_reference(tmp_path, groups):
    feeds = {"ids": np.array([[3, 1, 4, 1, 5]]), "places": np.arange(5)[None]}
    graph = same_values(tmp_path, decoder(2, 16, 4, groups, 32, 50, weights=True), feeds, {"batch": 1, "seq": 5})
    assert ops(graph).count("rms norm") == 5
    assert [layer.activation for layer in graph].count("silu") == 2


def test_a_decoder_with_a_past_has_the_values_of_the_reference_and_caches(tmp_path):
    model = decoder(1, 16, 4, 2, 32, 50, weights=True, past=True)
    feeds = {
        "ids": np.array([[3]]),
        "places": np.array([[5]]),
        "past0k": image(1, 2, 5, 4),
        "past0v": image(1, 2, 5, 4),
    }
    graph = same_values(tmp_path, model, feeds, {"batch": 1, "seq": 1, "past": 5})
    assert [layer.cached for layer in graph if layer.op == "cache"] == [6, 6]
    assert [layer.name for layer in graph.inputs] == ["ids"]


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_with_projection_have_the_values_of_the_reference(tmp_path, kind, direction):
    b = Builder()
    ways, gates = 2 if direction == "bidirectional" else 1, {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    weights = b.weight(ways, gates * 5, 3), b.weight(ways, gates * 5, 5), b.weight(ways, 2 * gates * 5)
    out = b.op(kind, "x", *weights, hidden_size=5, direction=direction)
    out = b.op("Transpose", out, perm=[0, 2, 1, 3])
    out = b.op("Reshape", out, b.constant(np.array([0, 0, -1])))
    out = b.op("MatMul", out, b.weight(5 * ways, 2))
    graph = same_values(tmp_path, b.model({"x": (FLOAT, [6, 1, 3])}, [out]), {"x": image(6, 1, 3)})
    assert graph.steps == 6
    assert graph.layers[-1].output_shape == (2,)


def test_a_recurrent_network_that_takes_its_last_step_has_its_steps_as_positions(tmp_path):
    b = Builder()
    out = b.op("LSTM", "x", b.weight(1, 20, 3), b.weight(1, 20, 5), b.weight(1, 40), hidden_size=5)
    out = b.op("Gather", b.op("Squeeze", out, b.constant(np.array([1]))), b.constant(np.int64(-1)), axis=0)
    graph = same_values(tmp_path, b.model({"x": (FLOAT, [6, 1, 3])}, [out]), {"x": image(6, 1, 3)})
    assert (graph.steps, graph.input.output_shape) == (1, (3, 6, 1))


def test_images_with_channels_last_need_no_layer_for_their_transposes(tmp_path):
    b = Builder()
    x = b.op("Transpose", "x", perm=[0, 3, 1, 2])
    x = b.op(
        "Relu",
        b.op(
            "Conv", b.op("Pad", x, b.constant(np.array([0, 0, 0, 0, 0, 0, 1, 1]))), b.weight(4, 3, 3, 3), strides=[2, 2]
        ),
    )
    x = b.op("Transpose", x, perm=[0, 2, 3, 1])
    x = b.op("Add", b.op("MatMul", x, b.weight(4, 6)), b.weight(6))
    x = b.op("ReduceMean", x, axes=[1, 2], keepdims=0)
    graph = same_values(tmp_path, b.model({"x": (FLOAT, [1, 8, 8, 3])}, [x]), {"x": image(1, 8, 8, 3)})
    assert ops(graph) == ["pad", "conv", "linear", "globalpool"]
    assert graph.layers[1].input_shapes == ((3, 8, 8),)


def test_flattened_channels_last_are_put_in_order(tmp_path):
    b = Builder()
    x = b.op("Transpose", b.op("Conv", "x", b.weight(4, 3, 1, 1)), perm=[0, 2, 3, 1])
    x = b.op("Gemm", b.op("Flatten", x), b.weight(64, 5), b.weight(5))
    graph = same_values(tmp_path, b.model({"x": (FLOAT, [1, 3, 4, 4])}, [x]), {"x": image(1, 3, 4, 4)})
    assert ops(graph) == ["conv", "transpose", "dense"]


def test_a_vision_transformer_has_its_class_token_as_parameters(tmp_path):
    b = Builder()
    x = b.op("Conv", "x", b.weight(8, 3, 4, 4), b.weight(8), strides=[4, 4])
    x = b.op("Transpose", b.op("Reshape", x, b.constant(np.array([0, 8, -1]))), perm=[0, 2, 1])
    x = b.op("Add", b.op("Concat", b.weight(1, 1, 8), x, axis=1), b.weight(1, 17, 8))
    x = b.op("LayerNormalization", x, b.weight(8), b.weight(8), axis=-1)
    x = b.op("Gather", x, b.constant(np.int64(0)), axis=1)
    graph = same_values(tmp_path, b.model({"x": (FLOAT, [1, 3, 16, 16])}, [x]), {"x": image(1, 3, 16, 16)})
    assert graph.parameters == 3 * 16 * 8 + 8 + 8 + 17 * 8 + 16
    assert (8, 17, 1) in [layer.output_shape for layer in graph]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_squeeze_and_excite_scales_channels(tmp_path, order):
    b = Builder()
    x = b.op("Conv", "x", b.weight(6, 3, 1, 1))
    s = b.op("HardSigmoid", b.op("Conv", b.op("GlobalAveragePool", x), b.weight(6, 6, 1, 1)))
    x = b.op("Mul", *(np.array([x, s])[list(order)].tolist()))
    graph = same_values(tmp_path, b.model({"x": (FLOAT, [1, 3, 5, 5])}, [x]), {"x": image(1, 3, 5, 5)})
    assert ops(graph) == ["conv", "globalpool", "conv", "multiply"]


def written_out(b, kind, x):
    def c(value):
        return b.constant(np.float32(value))

    if kind == "silu":
        return b.op("Mul", b.op("Sigmoid", x), x)
    if kind == "hard_swish":
        return b.op("Div", b.op("Mul", x, b.op("Clip", b.op("Add", x, c(3)), c(0), c(6))), c(6))
    if kind == "mish":
        return b.op("Mul", x, b.op("Tanh", b.op("Softplus", x)))
    cubic = b.op("Mul", b.op("Pow", x, c(3)), c(0.044715))
    inner = b.op("Mul", b.op("Add", cubic, x), c((2 / np.pi) ** 0.5))
    return b.op("Mul", b.op("Mul", x, c(0.5)), b.op("Add", b.op("Tanh", inner), c(1)))


@pytest.mark.parametrize("kind", ["silu", "hard_swish", "mish", "gelu"])
def test_functions_in_pieces_are_recognised(tmp_path, kind):
    b = Builder()
    out = written_out(b, kind, b.op("MatMul", "x", b.weight(8, 8)))
    model = b.model({"x": (FLOAT, [1, 8])}, [out])
    graph = same_values(tmp_path, model, {"x": image(1, 8)}, close=1e-3)
    assert [(layer.op, layer.activation) for layer in graph.layers[1:]] == [("dense", kind)]


def test_what_only_looks_like_a_function_stays_as_it_is(tmp_path):
    b = Builder()
    x = b.op("MatMul", "x", b.weight(8, 8))
    out = b.op("Mul", b.op("Sigmoid", b.op("Mul", x, b.constant(np.float32(1.5)))), x)
    graph = same_values(tmp_path, b.model({"x": (FLOAT, [1, 8])}, [out]), {"x": image(1, 8)})
    assert "silu" not in [layer.activation for layer in graph]


def quantised(b, x):
    scale, zero = b.constant(np.float32(0.05)), b.constant(np.int8(3))
    return b.op("DequantizeLinear", b.op("QuantizeLinear", x, scale, zero), scale, zero)


def test_quantised_weights_keep_their_bits(tmp_path):
    b = Builder()
    weight = b.constant(np.random.default_rng(0).integers(-127, 127, (4, 3, 3, 3)).astype(np.int8))
    weight = b.op(
        "DequantizeLinear", weight, b.constant(np.full(4, 0.01, np.float32)), b.constant(np.zeros(4, np.int8)), axis=0
    )
    out = quantised(b, b.op("Relu", b.op("Conv", quantised(b, "x"), weight, b.weight(4))))
    made = import_onnx(write(tmp_path, b.model({"x": (FLOAT, [1, 3, 6, 6])}, [out])))
    assert [layer.op for layer in made.graph.layers[1:]] == ["conv"]
    assert dict(made.weight_bits) == {"Conv_3": 8}
    assert "8 bits" in " ".join(made.loaded.model.deviations)


def test_branches_and_loops_with_fixed_conditions_are_written_out(tmp_path):
    b = Builder()
    relu = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["a"])], "yes", [], [helper.make_tensor_value_info("a", FLOAT, [1, 4])]
    )
    tanh = helper.make_graph(
        [helper.make_node("Tanh", ["x"], ["a"])], "no", [], [helper.make_tensor_value_info("a", FLOAT, [1, 4])]
    )
    b.nodes.append(
        helper.make_node("If", [b.constant(np.array(False))], ["y"], "if", then_branch=relu, else_branch=tanh)
    )
    weight = numpy_helper.from_array(np.eye(4, dtype=np.float32) * 2, "w")
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("MatMul", ["v", "w"], ["u"], "dense")],
        "body",
        [
            helper.make_tensor_value_info("n", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, [1, 4]),
        ],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []), helper.make_tensor_value_info("u", FLOAT, [1, 4])],
        [weight],
    )
    trips = b.constant(np.int64(3)), b.constant(np.array(True))
    b.nodes.append(helper.make_node("Loop", [*trips, "y"], ["z"], "loop", body=body))
    graph = same_values(tmp_path, b.model({"x": (FLOAT, [1, 4])}, ["z"]), {"x": image(1, 4)})
    assert ops(graph) == ["activation", "dense", "dense", "dense"]
    assert [layer.name for layer in graph.layers[2:]] == ["loop.0.dense", "loop.1.dense", "loop.2.dense"]


def test_symbolic_sizes_are_listed_and_bound(tmp_path):
    path = write(tmp_path, bert(1, 8, 2, 8, 11, 6, weights=False))
    with pytest.raises(
        WorkloadError, match=r"batch \(of ids\), seq \(of ids\); give each one, as --bind batch=1 --bind seq=1"
    ):
        import_onnx(path)
    with pytest.raises(WorkloadError, match=r"--bind sek: the model has no such size; did you mean 'seq'\?"):
        import_onnx(path, {"batch": 1, "sek": 4})
    assert import_onnx(path, {"batch": 1, "seq": 5}).graph.input.output_shape == (1, 5, 1)


def test_unknown_operators_are_listed_with_a_way_on(tmp_path):
    b = Builder()
    out = b.op("Relu", b.op("NonMaxSuppression", "x", "x", name="odd"))
    b.nodes[0].op_type, b.nodes[0].domain = "Odd", "my.own"
    model = b.model({"x": (FLOAT, [1, 3, 4, 4])}, [out])
    model.opset_import.add(domain="my.own", version=1)
    model.graph.value_info.append(helper.make_tensor_value_info("NonMaxSuppression_0", FLOAT, [1, 3, 4, 4]))
    path = write(tmp_path, model)
    with pytest.raises(WorkloadError, match=r"does not know:\n  'odd' \(my.own.Odd\)\n--map-unknown=vector takes each"):
        import_onnx(path)
    made = import_onnx(path, map_unknown=True)
    assert made.graph["odd"].work == (("lookup", 3), ("relu", 3))
    assert "unknown operator" in made.loaded.model.deviations[0]


def test_a_batch_is_taken_for_one(tmp_path):
    b = Builder()
    out = b.op("Gemm", b.op("Flatten", b.op("Conv", "x", b.weight(4, 3, 3, 3))), b.weight(144, 5), b.weight(5))
    made = import_onnx(write(tmp_path, b.model({"x": (FLOAT, [16, 3, 8, 8])}, [out])))
    assert made.graph.macs == 27 * 4 * 36 + 144 * 5
    assert "figures are of one" in made.loaded.model.deviations[0]


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 18, 21])
def test_old_and_new_operator_sets_read_the_same_network(tmp_path, opset):
    b = Builder()
    x = b.op(
        "BatchNormalization",
        b.op("Conv", "x", b.weight(4, 3, 3, 3)),
        *(b.weight(4) for _ in range(3)),
        b.constant(np.ones(4, np.float32)),
    )
    x = b.op("Dropout", b.op("Relu", x))
    x = b.op("Softmax", b.op("Gemm", b.op("Flatten", x), b.weight(144, 5), b.weight(5)), axis=1)
    graph = import_onnx(write(tmp_path, b.model({"x": (FLOAT, [1, 3, 8, 8])}, [x], opset))).graph
    assert ops(graph) == ["conv", "flatten", "dense", "activation"]


def test_an_operator_set_that_is_too_old_or_too_new_is_refused(tmp_path):
    b = Builder()
    b.op("Relu", "x", out="y")
    for opset in (6, 999):
        with pytest.raises(WorkloadError, match=f"the model is of opset {opset}; archsim reads 7 to"):
            import_onnx(write(tmp_path, b.model({"x": (FLOAT, [1, 3])}, ["y"], opset)))


def test_operators_that_a_runtime_fused_are_read(tmp_path):
    b = Builder(weights=False)
    fused = {"domain": "com.microsoft"}
    width, inner = 16, 32
    tables = b.weight(50, width), b.weight(12, width), b.weight(2, width)
    x = b.op("EmbedLayerNormalization", "ids", "segments", *tables, b.weight(width), b.weight(width), **fused)
    y = b.op("Attention", x, b.weight(width, 3 * width), b.weight(3 * width), num_heads=4, **fused)
    y = b.op("MatMul", y, b.weight(width, width))
    x = b.op("SkipLayerNormalization", y, x, b.weight(width), b.weight(width), b.weight(width), **fused)
    y = b.op("BiasGelu", b.op("MatMul", x, b.weight(width, inner)), b.weight(inner), **fused)
    y = b.op("FusedMatMul", y, b.weight(width, inner), transB=1, **fused)
    x = b.op("SkipLayerNormalization", y, x, b.weight(width), b.weight(width), b.weight(width), **fused)
    whole = {name: (TensorProto.INT32, [1, 6]) for name in ("ids", "segments")}
    model = b.model(whole, [x])
    model.opset_import.add(domain="com.microsoft", version=1)
    graph = import_onnx(write(tmp_path, model)).graph
    assert graph.macs == 6 * (4 * width**2 + 2 * width * inner)
    assert graph.dynamic_macs == 2 * 6 * 6 * width
    assert ops(graph).count("layer norm") == 3
    assert "gelu" in [layer.activation for layer in graph]


def test_positions_that_become_channels_are_read_as_they_come(tmp_path):
    b = Builder()
    x = b.op("MatMul", "x", b.weight(3, 4))
    x = b.op("MatMul", b.op("Reshape", x, b.constant(np.array([1, 4, 8]))), b.weight(8, 5))  # pairs of positions
    x = b.op("MatMul", b.op("Reshape", x, b.constant(np.array([1, 20, 1]))), b.weight(1, 2))  # and channels apart
    graph = same_values(tmp_path, b.model({"x": (FLOAT, [1, 8, 3])}, [x]), {"x": image(1, 8, 3)})
    assert [layer.reads[0].span for layer in graph if layer.op in ("transpose", "reshape")] == ["raster", "raster"]


def test_an_instance_norm_keeps_the_scale_and_shift_after_it(tmp_path):
    b = Builder()
    y = b.op("Conv", "x", b.weight(4, 1, 3))
    y = b.op("InstanceNormalization", y, b.constant(np.ones(4, np.float32)), b.constant(np.zeros(4, np.float32)))
    y = b.op("Add", b.op("Mul", y, b.weight(4, 1)), b.weight(4, 1))
    same_values(tmp_path, b.model({"x": (FLOAT, [1, 1, 12])}, [y]), {"x": image(1, 1, 12)})


@pytest.mark.parametrize(("kind", "bits"), [("UINT2", 2), ("INT4", 4), ("FLOAT4E2M1", 4), ("INT8", 8), ("DOUBLE", 64)])
def test_a_type_has_its_bits_where_onnx_has_the_type(kind, bits):
    if hasattr(TensorProto, kind):
        assert element_bits(getattr(TensorProto, kind)) == bits
