"""Convolutions and pools over volumes: by value against the reference, and by count."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from archsim.workload.onnx import import_onnx
from tests.onnx_models import Builder
from tests.onnx_numeric import outputs

CASES = {
    "plain": ((3, 4, 5, 6), 4, (3, 3, 3), {}),
    "strided": ((2, 7, 6, 5), 3, (3, 2, 1), {"strides": [2, 1, 3], "pads": [1, 0, 0, 1, 1, 0]}),
    "dilated": ((2, 7, 6, 5), 3, (2, 3, 2), {"dilations": [3, 2, 1], "pads": [1, 2, 0, 2, 1, 1]}),
    "grouped": ((4, 4, 5, 6), 6, (2, 3, 3), {"group": 2, "pads": [1] * 6}),
    "depthwise": ((4, 5, 5, 5), 4, (3, 3, 3), {"group": 4, "auto_pad": "SAME_UPPER", "strides": [2, 2, 2]}),
    "lower": ((2, 5, 4, 4), 2, (4, 3, 2), {"auto_pad": "SAME_LOWER", "strides": [2, 1, 1]}),
    "frames alone": ((2, 6, 4, 4), 3, (3, 1, 1), {"pads": [1, 0, 0, 1, 0, 0]}),
    "no frames": ((2, 6, 4, 4), 3, (1, 3, 3), {"pads": [0, 1, 1, 0, 1, 1]}),
}


def compare(tmp_path, model, x):
    path = tmp_path / "volume.onnx"
    path.write_bytes(model.SerializeToString())
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    (found,) = outputs(path, {"x": x}).values()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    return import_onnx(path).graph


@pytest.mark.parametrize("name", CASES)
def test_convolutions_over_volumes_have_the_values_of_the_reference(tmp_path, name):
    shape, outs, kernel, given = CASES[name]
    b = Builder()
    groups = given.get("group", 1)
    y = b.op("Conv", "x", b.weight(outs, shape[0] // groups, *kernel), b.weight(outs), kernel_shape=kernel, **given)
    model = b.model({"x": (TensorProto.FLOAT, [1, *shape])}, [y])
    graph = compare(tmp_path, model, b.rng.normal(size=(1, *shape)).astype(np.float32))
    (layer,) = graph.matrix_layers
    assert layer.depth is not None
    assert (layer.matrix.rows, layer.matrix.columns) == (int(np.prod(kernel)) * shape[0] // groups, outs // groups)


@pytest.mark.parametrize("name", ["plain", "strided", "padded"])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_pools_over_volumes_have_the_values_of_the_reference(tmp_path, op, name):
    given = {
        "plain": {},
        "strided": {"strides": [2, 2, 1]},
        "padded": {"strides": [2, 1, 2], "pads": [1, 0, 1, 0, 1, 1]},
    }
    b = Builder()
    y = b.op(op, "x", kernel_shape=[2, 3, 2], **given[name])
    model = b.model({"x": (TensorProto.FLOAT, [1, 3, 6, 5, 4])}, [b.op("Relu", y)])
    graph = compare(tmp_path, model, b.rng.normal(size=(1, 3, 6, 5, 4)).astype(np.float32))
    assert next(layer for layer in graph if "pool" in layer.op).depth.kernel == 2


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"strides": [2, 1, 3], "pads": [1, 0, 1, 0, 1, 0]},
        {"strides": [2, 2, 2], "pads": [1] * 6, "output_padding": [1] * 3},
    ],
)
def test_transposed_convolutions_over_volumes_have_the_values_of_the_reference(tmp_path, given):
    b = Builder()
    y = b.op("ConvTranspose", "x", b.weight(4, 3, 3, 3, 3), kernel_shape=[3, 3, 3], **given)
    model = b.model({"x": (TensorProto.FLOAT, [1, 4, 3, 4, 2])}, [y])
    compare(tmp_path, model, b.rng.normal(size=(1, 4, 3, 4, 2)).astype(np.float32))


def video(weights: bool = True):
    """A network over clips: convolutions, pools, a residual, and classes."""
    b = Builder(weights=weights)
    y = b.op("Conv", "x", b.weight(8, 3, 3, 3, 3), kernel_shape=[3, 3, 3], pads=[1] * 6, name="conv1")
    y = b.op("MaxPool", b.op("Relu", y), kernel_shape=[1, 2, 2], strides=[1, 2, 2], name="pool1")
    z = b.op("Conv", y, b.weight(8, 8, 3, 3, 3), kernel_shape=[3, 3, 3], pads=[1] * 6, name="conv2")
    y = b.op("Relu", b.op("Add", z, y, name="sum"))
    y = b.op("MaxPool", y, kernel_shape=[2, 2, 2], strides=[2, 2, 2], name="pool2")
    y = b.op("Flatten", b.op("GlobalAveragePool", y))
    return b.model({"x": (TensorProto.FLOAT, [1, 3, 6, 8, 8])}, [b.op("Gemm", y, b.weight(8, 5), name="classes")])


def test_a_network_over_clips_has_the_values_of_the_reference_and_the_sizes_of_its_shapes(tmp_path):
    x = np.random.default_rng(1).normal(size=(1, 3, 6, 8, 8)).astype(np.float32)
    graph = compare(tmp_path, video(), x)
    assert graph.weights == 27 * 3 * 8 + 27 * 8 * 8 + 8 * 5
    assert graph.macs == 27 * 3 * 8 * 6 * 8 * 8 + 27 * 8 * 8 * 6 * 4 * 4 + 8 * 5
    assert [layer.windows for layer in graph.matrix_layers] == [6 * 64, 6 * 16, 1]
