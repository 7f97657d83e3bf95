"""ONNX models for tests: a small builder, networks of the library written as ONNX, transformers without weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from archsim.workload.graph import Graph, Layer


class Builder:
    """Collects nodes and initialisers; weights are random, or, without ``weights``, shapes alone."""

    def __init__(self, *, weights: bool = True, seed: int = 0) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self.rng = np.random.default_rng(seed)
        self.weights = weights

    def weight(self, *shape: int, scale: float = 0.2) -> str:
        name = f"w{len(self.tensors)}"
        if self.weights:
            array = (self.rng.normal(size=shape) * scale).astype(np.float32)
            self.tensors.append(numpy_helper.from_array(array, name))
        else:
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="weights.bin")
            self.tensors.append(tensor)
        return name

    def constant(self, value: Any) -> str:
        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def op(self, op: str, *inputs: str, out: str = "", name: str = "", **attributes: Any) -> str:
        made = out or f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [made], name=name or made, **attributes))
        return made

    def model(self, inputs: dict[str, tuple[int, list[Any]]], outputs: list[str], opset: int = 17) -> Any:
        given = [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()]
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "made", given, made, self.tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def network(graph: Graph) -> Any:
    """A convolutional network of the library as an ONNX model without weights, its nodes named as its layers."""
    builder = Builder(weights=False)
    tensors = {"input": "input"}
    for layer in graph.layers[1:]:
        tensors[layer.name] = _layer(builder, layer, [tensors[name] for name in layer.inputs])
    shape = [1, *graph.input.output_shape]
    return builder.model({"input": (TensorProto.FLOAT, shape)}, [tensors[graph.outputs[0]]])


def _layer(builder: Builder, layer: Layer, inputs: list[str]) -> str:
    kernel = {"kernel_shape": layer.kernel, "strides": layer.stride, "pads": layer.pad}
    if layer.op == "conv":
        shape = layer.outputs, layer.input_shapes[0][0] // layer.groups, *layer.kernel
        normed = layer.trained_parameters > layer.parameters
        weights = [builder.weight(*shape)] + ([] if normed or not layer.biases else [builder.weight(layer.outputs)])
        out = builder.op("Conv", inputs[0], *weights, name=layer.name, group=layer.groups, **kernel)
        if normed:
            out = builder.op("BatchNormalization", out, *(builder.weight(layer.outputs) for _ in range(4)))
    elif layer.op == "dense":
        shape = layer.outputs, layer.input_shapes[0][0]
        out = builder.op(
            "Gemm", inputs[0], builder.weight(*shape), builder.weight(layer.outputs), name=layer.name, transB=1
        )
    elif layer.op == "maxpool":
        out = builder.op("MaxPool", inputs[0], name=layer.name, **kernel)
    elif layer.op == "globalpool":
        out = builder.op("GlobalAveragePool", inputs[0], name=layer.name)
    else:
        out = builder.op({"add": "Add", "flatten": "Flatten"}[layer.op], *inputs, name=layer.name)
    return builder.op("Relu", out, name=f"{layer.name}-relu") if layer.activation == "relu" else out


def lstm(length: int, width: int, cells: int, projected: int) -> Any:
    """An LSTM without biases, and a projection with a sigmoid."""
    builder = Builder(weights=False)
    out = builder.op(
        "LSTM",
        "x",
        builder.weight(1, 4 * cells, width),
        builder.weight(1, 4 * cells, cells),
        name="lstm1",
        hidden_size=cells,
    )
    out = builder.op("Squeeze", out, builder.constant(np.array([1])))
    out = builder.op("MatMul", out, builder.weight(cells, projected), name="projection")
    out = builder.op("Sigmoid", out)
    return builder.model({"x": (TensorProto.FLOAT, [length, 1, width])}, [out])


def layer_norm(b: Builder, x: str, width: int) -> str:
    """As exporters wrote it before opset 17."""
    centred = b.op("Sub", x, b.op("ReduceMean", x, axes=[-1]))
    variance = b.op("ReduceMean", b.op("Pow", centred, b.constant(np.float32(2))), axes=[-1])
    deviation = b.op("Sqrt", b.op("Add", variance, b.constant(np.float32(1e-12))))
    return b.op("Add", b.op("Mul", b.op("Div", centred, deviation), b.weight(width)), b.weight(width))


def gelu(b: Builder, x: str) -> str:
    erf = b.op("Erf", b.op("Div", x, b.constant(np.float32(2**0.5))))
    return b.op("Mul", b.op("Mul", x, b.op("Add", erf, b.constant(np.float32(1)))), b.constant(np.float32(0.5)))


def linear(b: Builder, x: str, rows: int, columns: int, *, bias: bool = True) -> str:
    out = b.op("MatMul", x, b.weight(rows, columns))
    return b.op("Add", b.weight(columns), out) if bias else out


def _entry(b: Builder, shape: str, k: int) -> str:
    return b.op("Unsqueeze", b.op("Gather", shape, b.constant(np.int64(k)), axis=0), b.constant(np.array([0])))


def heads(b: Builder, x: str, count: int, width: int, order: list[int]) -> str:
    """(batch, tokens, width) in heads, the shape worked out by nodes as PyTorch writes it."""
    size = b.op("Shape", x)
    parts = [_entry(b, size, k) for k in (0, 1)]
    shape = b.op("Concat", *parts, b.constant(np.array([count])), b.constant(np.array([width])), axis=0)
    return b.op("Transpose", b.op("Reshape", x, shape), perm=order)


def bert(layers: int, width: int, count: int, inner: int, words: int, places: int, *, weights: bool) -> Any:
    """BERT (Devlin et al., arXiv:1810.04805) with its pooler, as PyTorch 1 exports it."""
    b = Builder(weights=weights)
    mask = b.op("Unsqueeze", b.op("Unsqueeze", "mask", b.constant(np.array([1]))), b.constant(np.array([2])))
    mask = b.op("Mul", b.op("Sub", b.constant(np.float32(1)), b.op("Cast", mask, to=1)), b.constant(np.float32(-1e4)))
    tokens = b.op("Gather", b.weight(words, width), "ids")
    types = b.op("Gather", b.weight(2, width), "types")
    length = _entry(b, b.op("Shape", "ids"), 1)
    numbers = b.constant(np.arange(places)[None])
    place = b.op("Slice", numbers, b.constant(np.array([0])), length, b.constant(np.array([1])))
    x = b.op("Add", b.op("Add", tokens, types), b.op("Gather", b.weight(places, width), place))
    x = layer_norm(b, x, width)
    size = width // count
    for _ in range(layers):
        q, k, v = (linear(b, x, width, width) for _ in range(3))
        q, v = (heads(b, each, count, size, [0, 2, 1, 3]) for each in (q, v))
        k = heads(b, k, count, size, [0, 2, 3, 1])
        scores = b.op("Add", b.op("Div", b.op("MatMul", q, k), b.constant(np.float32(size**0.5))), mask)
        context = b.op("MatMul", b.op("Dropout", b.op("Softmax", scores, axis=-1)), v)
        context = b.op("Reshape", b.op("Transpose", context, perm=[0, 2, 1, 3]), b.constant(np.array([0, 0, width])))
        x = layer_norm(b, b.op("Add", linear(b, context, width, width), x), width)
        x = layer_norm(b, b.op("Add", linear(b, gelu(b, linear(b, x, width, inner)), inner, width), x), width)
    pooled = b.op("Gemm", b.op("Gather", x, b.constant(np.int64(0)), axis=1), b.weight(width, width), b.weight(width))
    whole = {name: (TensorProto.INT64, ["batch", "seq"]) for name in ("ids", "mask", "types")}
    return b.model(whole, [b.op("Identity", x), b.op("Tanh", pooled)])


def rms_norm(b: Builder, x: str, width: int) -> str:
    variance = b.op("ReduceMean", b.op("Pow", x, b.constant(np.float32(2))), axes=[-1])
    root = b.op("Sqrt", b.op("Add", variance, b.constant(np.float32(1e-6))))
    return b.op("Mul", b.weight(width), b.op("Mul", x, b.op("Reciprocal", root)))


def rotated(b: Builder, x: str, cosines: str, sines: str, width: int) -> str:
    def part(start: int, end: int) -> str:
        return b.op("Slice", x, *(b.constant(np.array([n])) for n in (start, end, 3)))

    turned = b.op("Concat", b.op("Neg", part(width // 2, 2**62)), part(0, width // 2), axis=-1)
    return b.op("Add", b.op("Mul", x, cosines), b.op("Mul", turned, sines))


def decoder(
    layers: int, width: int, count: int, groups: int, inner: int, words: int, *, weights: bool, past: bool = False
) -> Any:
    """A decoder like Llama (Touvron et al., arXiv:2302.13971), with grouped queries; with keys of the past."""
    b = Builder(weights=weights)
    size = width // count
    x = b.op("Gather", b.weight(words, width), "ids")
    rates = b.constant((1 / 10000 ** (np.arange(0, size, 2) / size)).astype(np.float32)[None, None])
    angles = b.op("Mul", b.op("Unsqueeze", b.op("Cast", "places", to=1), b.constant(np.array([2]))), rates)
    both = b.op("Concat", angles, angles, axis=-1)
    cosines, sines = (b.op("Unsqueeze", b.op(op, both), b.constant(np.array([1]))) for op in ("Cos", "Sin"))
    inputs: dict[str, Any] = {name: (TensorProto.INT64, ["batch", "seq"]) for name in ("ids", "places")}
    outputs = []
    for n in range(layers):
        y = rms_norm(b, x, width)
        q, k, v = (linear(b, y, width, many * size, bias=False) for many in (count, groups, groups))
        q = rotated(b, heads(b, q, count, size, [0, 2, 1, 3]), cosines, sines, size)
        k = rotated(b, heads(b, k, groups, size, [0, 2, 1, 3]), cosines, sines, size)
        v = heads(b, v, groups, size, [0, 2, 1, 3])
        if past:
            inputs |= {f"past{n}{tag}": (TensorProto.FLOAT, ["batch", groups, "past", size]) for tag in "kv"}
            k, v = b.op("Concat", f"past{n}k", k, axis=2), b.op("Concat", f"past{n}v", v, axis=2)
            outputs += [k, v]
        if groups != count:
            k, v = (_repeated(b, each, count // groups, count) for each in (k, v))
        scores = b.op("MatMul", q, b.op("Transpose", k, perm=[0, 1, 3, 2]))
        scores = b.op("Softmax", b.op("Mul", scores, b.constant(np.float32(size**-0.5))), axis=-1)
        context = b.op("Transpose", b.op("MatMul", scores, v), perm=[0, 2, 1, 3])
        context = b.op("Reshape", context, b.constant(np.array([0, 0, width])))
        x = b.op("Add", x, linear(b, context, width, width, bias=False))
        y = rms_norm(b, x, width)
        gate = linear(b, y, width, inner, bias=False)
        gate = b.op("Mul", gate, b.op("Sigmoid", gate))
        x = b.op(
            "Add", x, linear(b, b.op("Mul", gate, linear(b, y, width, inner, bias=False)), inner, width, bias=False)
        )
    logits = b.op("MatMul", rms_norm(b, x, width), b.weight(width, words))
    return b.model(inputs, [logits, *outputs])


def _repeated(b: Builder, x: str, often: int, count: int) -> str:
    size = b.op("Shape", x)
    parts = [b.op("Slice", size, *(b.constant(np.array([n])) for n in (k, k + 1))) for k in range(4)]
    wide = b.op("Concat", parts[0], parts[1], b.constant(np.array([often])), *parts[2:], axis=0)
    whole = b.op("Concat", parts[0], b.constant(np.array([count])), *parts[2:], axis=0)
    return b.op("Reshape", b.op("Expand", b.op("Unsqueeze", x, b.constant(np.array([2]))), wide), whole)
