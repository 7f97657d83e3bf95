"""What each operator makes of its input: shapes, matrices, and how many element-wise operations are left.

Operations of the vector and look-up units are counted a window (one output position, one step), for n values of it:

* relu, relu6: n comparisons.  sigmoid, tanh, gelu: n look-ups.  softmax over the channels or features: n look-ups
  of exp, n - 1 additions, n divisions.
* maxpool over k values: n·(k - 1) comparisons.  avgpool: n·(k - 1) additions and n multiplications.
* add of m layers: n·(m - 1) additions.
* LSTM of H cells: 5·H look-ups (three sigmoid and one tanh gate, tanh of the cell) and 4·H more: f·c + i·g is two
  multiplications and an addition, o·tanh(c) a multiplication.
* A bias is a row of the matrix or a start value of the shift-and-add, and counts nothing.

``element_ops`` is all of them, ``lookups`` those that evaluate a function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from archsim.errors import WorkloadError
from archsim.spec.layer import (
    Activate,
    Add,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Flatten,
    GlobalPool,
    Lstm,
    OperatorLayer,
    Pool,
    Weighted,
)
from archsim.workload.graph import Layer, Matrix, Shape

__all__ = ["function_ops", "make_layers", "window_span", "windows_along"]


def window_span(kernel: int, dilation: int) -> int:
    """The length that a dilated kernel spans, from its first value to its last."""
    return dilation * (kernel - 1) + 1


def windows_along(padded: int, kernel: int, stride: int, dilation: int) -> int:
    """How many windows fit along a dimension of ``padded`` values; what is left over counts not (no ceiling mode)."""
    return max(0, (padded - window_span(kernel, dilation)) // stride + 1)


def function_ops(function: str, values: int) -> tuple[int, int]:
    """Element-wise operations, and the look-ups among them, of a function on ``values`` values of one window."""
    if function == "none":
        return 0, 0
    if function in ("relu", "relu6"):
        return values, 0
    return (3 * values - 1 if function == "softmax" else values), values


def make_layers(spec: OperatorLayer, name: str, inputs: Sequence[Layer], steps: int) -> tuple[Layer, ...]:
    """The layer that ``spec`` makes of ``inputs``, as ``name``; two for an LSTM with recurrent projection.

    ``steps`` is the length of the sequence, 1 where there is none.  The last layer's output is the operator's.
    WorkloadError if the shapes do not fit.
    """
    shapes = tuple(layer.output_shape for layer in inputs)
    base = Layer(name, spec.operator, tuple(layer.name for layer in inputs), shapes, shapes[0], steps)
    match spec:
        case Conv():
            return (_conv(spec, base),)
        case Dense():
            return (_dense(spec, base),)
        case Lstm():
            return _lstm(spec, base)
        case Pool():
            return (_pool(spec, base),)
        case GlobalPool():
            return (_global_pool(spec, base),)
        case Add():
            return (_add(spec, base),)
        case Concat():
            return (_concat(base),)
        case Flatten():
            return (replace(base, output_shape=(_volume(base.output_shape),)),)
        case Activate():
            return (_with_function(base, spec.activation, 0),)
        case BatchNorm():
            raise AssertionError("a batch norm is folded by its reader")


def _volume(shape: Shape) -> int:
    volume = 1
    for length in shape:
        volume *= length
    return volume


def _with_function(layer: Layer, function: str, other_ops: int) -> Layer:
    """``layer`` with its activation, beside ``other_ops`` operations a window."""
    ops, lookups = function_ops(function, layer.outputs)
    return replace(layer, activation=function, element_ops=ops + other_ops, lookups=lookups)


def _image(layer: Layer) -> tuple[int, int, int]:
    shape = layer.input_shapes[0]
    if len(shape) != 3:
        raise WorkloadError(f"layer {layer.name!r} reads an image (C, H, W), got features {shape}")
    return shape[0], shape[1], shape[2]


def _features(layer: Layer) -> int:
    shape = layer.input_shapes[0]
    if len(shape) != 1:
        message = f"layer {layer.name!r} reads features (F,), got an image {shape}; put {{flatten: true}} before it"
        raise WorkloadError(message)
    return shape[0]


def _slide(layer: Layer, channels: int) -> Layer:
    """``layer`` with the output shape of its kernel sliding over its image."""
    _, height, width = _image(layer)
    padded = (height + layer.pad[0] + layer.pad[2], width + layer.pad[1] + layer.pad[3])
    sizes = tuple(zip(padded, layer.kernel, layer.stride, layer.dilation, strict=True))
    rows, columns = (windows_along(*size) for size in sizes)
    if not (rows and columns):
        span = " × ".join(str(window_span(kernel, dilation)) for _, kernel, _, dilation in sizes)
        message = f"layer {layer.name!r} has a kernel that spans {span}, larger than its input {layer.input_shapes[0]}"
        raise WorkloadError(f"{message}, which is {padded[0]} × {padded[1]} with padding")
    return replace(layer, output_shape=(channels, rows, columns))


def _weigh(spec: Weighted, layer: Layer, matrix: Matrix) -> Layer:
    """``layer`` with its matrix, bias and activation; a batch norm leaves weights and one bias an output."""
    outputs = layer.outputs
    own_bias = spec.bias if spec.bias is not None else not spec.batch_norm
    trained = matrix.weights + outputs * own_bias + 2 * outputs * spec.batch_norm
    biases = outputs if own_bias or spec.batch_norm else 0
    layer = replace(layer, matrix=matrix, biases=biases, trained_parameters=trained)
    return _with_function(layer, spec.activation, 0)


def _conv(spec: Conv, base: Layer) -> Layer:
    channels, _, _ = _image(base)
    for count, what in ((channels, "input"), (spec.conv, "output")):
        if count % spec.groups:
            message = f"layer {base.name!r} has {spec.groups} groups, which do not divide its {count} {what} channels"
            raise WorkloadError(f"{message}; its input is {base.input_shapes[0]}")
    sizes: dict[str, Any] = {key: getattr(spec, key) for key in ("kernel", "stride", "pad", "dilation", "groups")}
    layer = _slide(replace(base, **sizes), spec.conv)
    rows = spec.kernel[0] * spec.kernel[1] * channels // spec.groups
    return _weigh(spec, layer, Matrix(rows, spec.conv // spec.groups, spec.groups))


def _dense(spec: Dense, base: Layer) -> Layer:
    features = _features(base)
    return _weigh(spec, replace(base, output_shape=(spec.dense,)), Matrix(features, spec.dense))


def _pool(spec: Pool, base: Layer) -> Layer:
    channels, _, _ = _image(base)
    height, width = spec.kernel
    if max(spec.pad[0], spec.pad[2]) >= height or max(spec.pad[1], spec.pad[3]) >= width:
        message = f"layer {base.name!r} has windows of {height} × {width} that can lie wholly in its padding"
        raise WorkloadError(f"{message} {spec.pad}; the padding must be smaller than the window")
    stride = spec.kernel if spec.stride is None else spec.stride
    pool = "max" if spec.operator == "maxpool" else "average"
    layer = _slide(replace(base, kernel=spec.kernel, stride=stride, pad=spec.pad, pool=pool), channels)
    return replace(layer, element_ops=_pooling_ops(layer))


def _global_pool(spec: GlobalPool, base: Layer) -> Layer:
    channels, height, width = _image(base)
    layer = replace(base, kernel=(height, width), output_shape=(channels, 1, 1), pool=spec.globalpool)
    return replace(layer, element_ops=_pooling_ops(layer))


def _pooling_ops(layer: Layer) -> int:
    size = layer.kernel[0] * layer.kernel[1]
    return layer.outputs * (size - 1 if layer.pool == "max" else size)


def _add(spec: Add, base: Layer) -> Layer:
    first = base.input_shapes[0]
    for name, shape in zip(base.inputs, base.input_shapes, strict=True):
        if shape != first:
            message = f"layer {base.name!r} adds {base.inputs[0]!r} of shape {first} and {name!r} of shape {shape}"
            raise WorkloadError(f"{message}; they must be equal")
    return _with_function(base, spec.activation, base.outputs * (len(base.inputs) - 1))


def _concat(base: Layer) -> Layer:
    first = base.input_shapes[0]
    for name, shape in zip(base.inputs, base.input_shapes, strict=True):
        if len(shape) != len(first) or shape[1:] != first[1:]:
            message = f"layer {base.name!r} joins {base.inputs[0]!r} of shape {first} and {name!r} of shape {shape}"
            raise WorkloadError(f"{message}; they may differ only in channels or features")
    return replace(base, output_shape=(sum(shape[0] for shape in base.input_shapes), *first[1:]))


def _lstm(spec: Lstm, base: Layer) -> tuple[Layer, ...]:
    """One matrix of (input + state) × 4·H for the gates; a recurrent projection is a dense layer of its own."""
    cells, projected = spec.lstm, spec.recurrent_projection
    state = cells if projected is None else projected
    matrix = Matrix(_features(base) + state, 4 * cells)
    biases = 4 * cells if spec.bias else 0
    projection = f"{base.name}.projection"
    layer = replace(
        base,
        output_shape=(cells,),
        matrix=matrix,
        biases=biases,
        trained_parameters=matrix.weights + biases,
        state=state,
        state_from=base.name if projected is None else projection,
        element_ops=9 * cells,
        lookups=5 * cells,
    )
    if projected is None:
        return (layer,)
    linear = Dense(dense=projected, activation="none", bias=False)
    return layer, *make_layers(linear, projection, [layer], base.steps)
