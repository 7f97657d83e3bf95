"""What each operator makes of its input: shapes, matrices, and how many element-wise operations are left.

Operations of the vector and look-up units are counted a window (one output position, one step), for n values of it:

* relu, relu6: n comparisons.  sigmoid, tanh, gelu: n look-ups.  softmax over the channels or features: n look-ups
  of exp, n - 1 additions, n divisions.
* maxpool over k values: n·(k - 1) comparisons.  avgpool: n·(k - 1) additions and n multiplications.
* add of m layers: n·(m - 1) additions.
* LSTM of H cells: 5·H look-ups (three sigmoid and one tanh gate, tanh of the cell) and 4·H more: f·c + i·g is two
  multiplications and an addition, o·tanh(c) a multiplication.
* A bias is a row of the matrix or a start value of the shift-and-add, and counts nothing.

The other functions are counted in :mod:`archsim.spec.functions`, recurrent layers in
:mod:`~archsim.workload.recurrent`, layers without weights in :mod:`~archsim.workload.vector`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from archsim.errors import WorkloadError
from archsim.spec.functions import Operator
from archsim.spec.layer import (
    Activate,
    Add,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Flatten,
    GlobalPool,
    OperatorLayer,
    Pool,
    Weighted,
)
from archsim.spec.layer_base import DepthSpec, LayerSpec
from archsim.spec.layer_vector import ConvTranspose, Linear, Local, Recurrent
from archsim.workload.graph import Access, Depth, Layer, Matrix
from archsim.workload.recurrent import recurrent_layers
from archsim.workload.shapes import features, image, volume, with_function
from archsim.workload.vector import vector_layers

__all__ = ["make_layers", "slide", "window_span", "windows_along"]


def window_span(kernel: int, dilation: int) -> int:
    """The length that a dilated kernel spans, from its first value to its last."""
    return dilation * (kernel - 1) + 1


def windows_along(padded: int, kernel: int, stride: int, dilation: int) -> int:
    """How many windows fit along a dimension of ``padded`` values; what is left over counts not (no ceiling mode)."""
    return max(0, (padded - window_span(kernel, dilation)) // stride + 1)


def make_layers(spec: OperatorLayer, name: str, inputs: Sequence[Layer], steps: int) -> tuple[Layer, ...]:
    """The layer that ``spec`` makes of ``inputs``, as ``name``; two for an LSTM with recurrent projection.

    ``steps`` is the length of the sequence, 1 where there is none.  The last layer's output is the operator's.
    WorkloadError if the shapes do not fit.
    """
    shapes = tuple(layer.output_shape for layer in inputs)
    base = Layer(name, spec.operator, tuple(layer.name for layer in inputs), shapes, shapes[0], steps)
    if isinstance(spec, LayerSpec) and spec.host:
        base = replace(base, host=True)
    match spec:
        case Weighted():
            return _weighted(spec, base)
        case Recurrent():
            return recurrent_layers(spec, base)
        case Pool():
            return (_pool(spec, base),)
        case GlobalPool():
            return (_global_pool(spec, base),)
        case Add():
            return (_add(spec, base),)
        case Concat():
            return (_concat(base),)
        case Flatten():
            return (replace(base, output_shape=(volume(base.output_shape),)),)
        case Activate():
            return (_activate(spec, base),)
        case BatchNorm():
            raise AssertionError("a batch norm is folded by its reader")
        case _:
            return vector_layers(spec, base, inputs)


def _weighted(spec: Weighted, base: Layer) -> tuple[Layer, ...]:
    match spec:
        case Conv():
            return (_conv(spec, base),)
        case Dense():
            return (_dense(spec, base),)
        case Linear():
            return (_linear(spec, base),)
        case Local():
            return (_local(spec, base),)
        case ConvTranspose():
            return _conv_transpose(spec, base)
        case _:
            raise AssertionError(f"no layer of operator {spec.operator!r}")


def _activate(spec: Activate, base: Layer) -> Layer:
    layer = with_function(base, spec.activation)
    return replace(layer, reads=(Access(groups=1),)) if spec.activation == "softmax" else layer


def slide(layer: Layer, channels: int) -> Layer:
    """``layer`` with the output shape of its kernel sliding over its image, or over its volume."""
    _, height, width = image(layer)
    depth = layer.depth
    height //= depth.frames if depth else 1
    padded = [height + layer.pad[0] + layer.pad[2], width + layer.pad[1] + layer.pad[3]]
    sizes = list(zip(padded, layer.kernel, layer.stride, layer.dilation, strict=True))
    if depth:
        sizes = [(depth.frames + sum(depth.pad), depth.kernel, depth.stride, depth.dilation), *sizes]
    lengths = [windows_along(*size) for size in sizes]
    if not all(lengths):
        span = " × ".join(str(window_span(kernel, dilation)) for _, kernel, _, dilation in sizes)
        message = f"layer {layer.name!r} has a kernel that spans {span}, larger than its input {layer.input_shapes[0]}"
        raise WorkloadError(f"{message}, which is {' × '.join(str(size[0]) for size in sizes)} with padding")
    if depth:
        frames, rows, columns = lengths
        depth = replace(depth, frames_out=frames, rows_out=rows)
        return replace(layer, output_shape=(channels, frames * rows, columns), depth=depth)
    return replace(layer, output_shape=(channels, *lengths))


def with_depth(layer: Layer, spec: DepthSpec | None, stride: int = 1) -> Layer:
    """``layer`` over a volume, if ``spec`` says so; ``stride`` is that along the depth where it says none."""
    if spec is None:
        return layer
    channels, height, width = image(layer)
    if height % spec.frames:
        message = f"layer {layer.name!r} reads {spec.frames} frames, which do not divide the {height} rows of"
        raise WorkloadError(f"{message} {(channels, height, width)}; a volume stands as C × (frames · height) × width")
    own = spec.stride or stride
    return replace(layer, depth=Depth(spec.frames, 0, 0, spec.kernel, own, spec.pad, spec.dilation))


def _weigh(spec: Weighted, layer: Layer, matrix: Matrix) -> Layer:
    """``layer`` with its matrix, bias and activation; a batch norm leaves weights and one bias an output."""
    outputs = layer.outputs
    own_bias = spec.bias if spec.bias is not None else not spec.batch_norm
    trained = matrix.weights + outputs * own_bias + 2 * outputs * spec.batch_norm
    biases = outputs if own_bias or spec.batch_norm else 0
    layer = replace(layer, matrix=matrix, biases=biases, trained_parameters=trained)
    return with_function(layer, spec.activation)


def _conv(spec: Conv, base: Layer) -> Layer:
    channels, _, _ = image(base)
    for count, what in ((channels, "input"), (spec.conv, "output")):
        if count % spec.groups:
            message = f"layer {base.name!r} has {spec.groups} groups, which do not divide its {count} {what} channels"
            raise WorkloadError(f"{message}; its input is {base.input_shapes[0]}")
    sizes: dict[str, Any] = {key: getattr(spec, key) for key in ("kernel", "stride", "pad", "dilation", "groups")}
    layer = slide(with_depth(replace(base, **sizes), spec.depth), spec.conv)
    rows = layer.kernel_size * channels // spec.groups
    return _weigh(spec, layer, Matrix(rows, spec.conv // spec.groups, spec.groups))


def _dense(spec: Dense, base: Layer) -> Layer:
    return _weigh(spec, replace(base, output_shape=(spec.dense,)), Matrix(features(base), spec.dense))


def _pool(spec: Pool, base: Layer) -> Layer:
    channels, _, _ = image(base)
    height, width = spec.kernel
    inside = spec.depth is None or max(spec.depth.pad) < spec.depth.kernel
    if max(spec.pad[0], spec.pad[2]) >= height or max(spec.pad[1], spec.pad[3]) >= width or not inside:
        message = f"layer {base.name!r} has windows of {height} × {width} that can lie wholly in its padding"
        raise WorkloadError(f"{message} {spec.pad}; the padding must be smaller than the window")
    stride = spec.kernel if spec.stride is None else spec.stride
    pool = "max" if spec.operator == "maxpool" else "average"
    layer = replace(base, kernel=spec.kernel, stride=stride, pad=spec.pad, pool=pool)
    layer = slide(with_depth(layer, spec.depth, spec.depth.kernel if spec.depth else 1), channels)
    return with_function(layer, "none", _pooling_work(layer))


def _global_pool(spec: GlobalPool, base: Layer) -> Layer:
    channels, height, width = image(base)
    layer = replace(base, kernel=(height, width), output_shape=(channels, 1, 1), pool=spec.globalpool)
    return with_function(layer, "none", _pooling_work(layer))


def _pooling_work(layer: Layer) -> dict[Operator, int]:
    size = layer.kernel_size
    if layer.pool == "max":
        return {"max": layer.outputs * (size - 1)}
    return {"add": layer.outputs * (size - 1), "multiply": layer.outputs}


def _add(spec: Add, base: Layer) -> Layer:
    first = base.input_shapes[0]
    for name, shape in zip(base.inputs, base.input_shapes, strict=True):
        if shape != first:
            message = f"layer {base.name!r} adds {base.inputs[0]!r} of shape {first} and {name!r} of shape {shape}"
            raise WorkloadError(f"{message}; they must be equal")
    return with_function(base, spec.activation, {"add": base.outputs * (len(base.inputs) - 1)})


def _concat(base: Layer) -> Layer:
    first = base.input_shapes[0]
    for name, shape in zip(base.inputs, base.input_shapes, strict=True):
        if len(shape) != len(first) or shape[1:] != first[1:]:
            message = f"layer {base.name!r} joins {base.inputs[0]!r} of shape {first} and {name!r} of shape {shape}"
            raise WorkloadError(f"{message}; they may differ only in channels or features")
    return replace(base, output_shape=(sum(shape[0] for shape in base.input_shapes), *first[1:]))


def _linear(spec: Linear, base: Layer) -> Layer:
    """A dense layer over the channels of every position, or one of several for each."""
    shape = base.input_shapes[0]
    layer = _weigh(spec, replace(base, output_shape=(spec.linear, *shape[1:])), Matrix(shape[0], spec.linear))
    one = layer.trained_parameters
    return replace(
        layer, experts=spec.experts, biases=spec.experts * layer.biases, trained_parameters=spec.experts * one
    )


def _local(spec: Local, base: Layer) -> Layer:
    """Private kernels: a matrix for each position, which is applied once, and a bias for each output value."""
    channels, _, _ = image(base)
    sizes: dict[str, Any] = {key: getattr(spec, key) for key in ("kernel", "stride", "pad")}
    layer = slide(replace(base, **sizes, private=True), spec.local)
    rows = spec.kernel[0] * spec.kernel[1] * channels
    layer = _weigh(spec, layer, Matrix(rows, spec.local, layer.positions))
    each = layer.positions - 1
    more = each * layer.biases, each * (layer.trained_parameters - layer.weights)
    return replace(layer, biases=layer.biases + more[0], trained_parameters=layer.trained_parameters + more[1])


def _conv_transpose(spec: ConvTranspose, base: Layer) -> tuple[Layer, ...]:
    """The matrix makes a kernel's size of outputs of each input position; a second layer adds up those that overlap.

    With kernel k and stride s an output position lies under ceil(k / s) kernels along each side.
    """
    channels, high, wide = image(base)
    for count, what in ((channels, "input"), (spec.convtranspose, "output")):
        if count % spec.groups:
            message = f"layer {base.name!r} has {spec.groups} groups, which do not divide its {count} {what} channels"
            raise WorkloadError(f"{message}; its input is {base.input_shapes[0]}")
    along = spec.depth
    frames = with_depth(base, along).depth.frames if along else 1  # type: ignore[union-attr]
    area = spec.kernel[0] * spec.kernel[1] * (along.kernel if along else 1)
    values = spec.convtranspose * area
    product = replace(base, output_shape=(values, high, wide), groups=spec.groups)
    plain = spec.model_copy(update={"activation": "none"})
    product = _weigh(plain, product, Matrix(channels // spec.groups, values // spec.groups, spec.groups))
    own_bias = spec.convtranspose * bool(product.biases)
    trained = product.weights + (product.trained_parameters - product.weights) // area
    product = replace(product, biases=own_bias, trained_parameters=trained)
    axes = [
        _Transposed(n, k, s, spec.pad[axis], spec.pad[axis + 2], spec.output_pad[axis + 2])
        for axis, (n, k, s) in enumerate(zip((high // frames, wide), spec.kernel, spec.stride, strict=True))
    ]
    depth = None
    if along:
        ahead = _Transposed(frames, along.kernel, along.stride or 1, *along.pad, along.output_pad)
        rows = axes[0].size
        depth = Depth(frames, ahead.size, rows, ahead.over, 1, (ahead.before, 0), 1, ahead.stride)
        if along.dilation > 1:
            raise WorkloadError(f"layer {base.name!r} is a dilated transposed convolution, which archsim does not know")
    if min(*(axis.size for axis in axes), depth.frames_out if depth else 1) < 1:
        sizes = " × ".join(str(axis.size) for axis in axes)
        raise WorkloadError(f"layer {base.name!r} has an output of {sizes}; its padding is too large")
    fold = Layer(
        f"{base.name}.sum",
        "overlap-add",
        (base.name,),
        (product.output_shape,),
        (spec.convtranspose, axes[0].size * (depth.frames_out if depth else 1), axes[1].size),
        base.steps,
        kernel=(axes[0].over, axes[1].over),
        pad=(axes[0].before, axes[1].before, 0, 0),
        upscale=spec.stride,
        depth=depth,
        reads=(Access("window", spec.convtranspose),),
    )
    return product, with_function(fold, spec.activation, {"add": spec.convtranspose * (fold.kernel_size - 1)})


@dataclass(frozen=True, slots=True)
class _Transposed:
    """A transposed convolution along one dimension of ``length`` positions."""

    length: int
    kernel: int
    stride: int
    begin: int
    end: int
    output_pad: int

    @property
    def over(self) -> int:
        """Kernels that an output position lies under."""
        return -(-self.kernel // self.stride)

    @property
    def size(self) -> int:
        """Positions of the output."""
        return (self.length - 1) * self.stride - self.begin - self.end + self.kernel + self.output_pad

    @property
    def before(self) -> int:
        """The padding of the windows that add up what overlaps."""
        return (self.over - 1) * self.stride - self.begin
