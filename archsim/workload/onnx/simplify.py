"""Nodes that a network on crossbars does not have: casts and copies, quantisation, scales and shifts by constants.

* Identity, Dropout and casts between numbers of one kind stand for their input.
* A quantised tensor stands for the real values that it encodes: QuantizeLinear and DequantizeLinear fall away, and
  QLinearConv, ConvInteger, MatMulInteger and the like become the operators that they quantise, with weights of as many
  bits as theirs.
* Batch norms, and products and sums with constants of one value or one value a channel, become ``Affine`` nodes
  y = scale · x + shift along one axis; one after the other, they become one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from onnx import TensorProto

from archsim.workload.onnx.net import Net
from archsim.workload.onnx.tensors import Array, Value, element_bits
from archsim.workload.onnx.trace import Node

__all__ = ["AFFINE", "INTEGERS", "simplify"]

AFFINE: Final = "Affine"

_COPIES: Final = {"Identity", "Dropout", "com.microsoft.BiasDropout"}
_QUANTISE: Final = {
    "QuantizeLinear",
    "DequantizeLinear",
    "com.microsoft.QuantizeLinear",
    "com.microsoft.DequantizeLinear",
}
INTEGERS: Final = {
    getattr(TensorProto, f"{sign}INT{bits}")
    for sign in ("", "U")
    for bits in (2, 4, 8, 16, 32, 64)
    if hasattr(TensorProto, f"{sign}INT{bits}")  # older releases of onnx have none of two bits
}


def simplify(net: Net) -> None:
    """Rewrite ``net`` in place."""
    _dequantise(net)
    _drop_copies(net)
    _affine(net)


# -- copies ---------------------------------------------------------------------------------------


def _drop_copies(net: Net) -> None:
    renamed: dict[str, str] = {}
    kept = []
    for node in net.nodes:
        if _is_copy(net, node):
            renamed[node.outputs[0]] = node.inputs[0]
        elif node.op == "CastLike":  # of its second input the type alone is read
            kind = {"to": net.value(node.outputs[0]).type}
            kept.append(replace(node, op="Cast", inputs=node.inputs[:1], attributes=kind))
        else:
            kept.append(node)
    net.rewrite(kept, renamed)


def _is_copy(net: Net, node: Node) -> bool:
    if node.op in _COPIES:
        return True
    if node.op in ("Cast", "CastLike"):
        before, after = net.value(node.inputs[0]).type, net.value(node.outputs[0]).type
        return after not in INTEGERS or before in INTEGERS or before == TensorProto.BOOL
    if node.op in ("Sum", "Max", "Min", "Mean", "Concat"):
        return len(node.inputs) == 1
    if node.op == "Expand":
        return net.value(node.inputs[0]).shape == net.value(node.outputs[0]).shape
    return False


# -- quantisation ---------------------------------------------------------------------------------


def _dequantise(net: Net) -> None:
    renamed: dict[str, str] = {}
    kept = []
    for node in net.nodes:
        if node.op in _QUANTISE:
            renamed[node.outputs[0]] = node.inputs[0]
        elif node.op == "DynamicQuantizeLinear":
            renamed[node.outputs[0]] = node.inputs[0]
            renamed[node.outputs[1]] = net.constant(node.outputs[1] + ".one", np.ones((), np.float32))
            if len(node.outputs) > 2 and node.outputs[2]:
                renamed[node.outputs[2]] = net.constant(node.outputs[2] + ".zero", np.zeros((), np.float32))
        elif (rule := _QUANTISED.get(node.op)) is not None:
            kept += [*_shifted(net, node), rule(net, node)]
        else:
            kept.append(node)
    net.rewrite(kept, renamed)


def _shifted(net: Net, node: Node) -> list[Node]:
    """The zero of an integer input of the network, which no other operator has taken off."""
    name = node.inputs[0]
    zero = net.optional(node, 2)
    if node.op not in ("ConvInteger", "MatMulInteger") or name not in net.inputs or zero is None or zero.data is None:
        return []
    out = f"{node.outputs[0]}.shifted"
    net.values[out] = replace(net.value(name), name=out, type=TensorProto.FLOAT)
    axis = None if zero.size == 1 else -2
    given = {"axis": axis, "scale": np.ones(1), "shift": -zero.data.astype(np.float64).reshape(-1)}
    return [Node(f"{node.name}.shifted", AFFINE, (name,), (out,), given | {"scaled": False, "shifted": True})]


def _real(net: Net, node: Node, index: int, scale: int, zero: int, axis: int = 0) -> str:
    """The input ``index`` of a node as real values: (q - zero) · scale where it is constant, else as it is."""
    value = net.value(node.inputs[index])
    if not value.constant:
        return node.inputs[index]
    scales, zeros = net.optional(node, scale), net.optional(node, zero)
    bits = value.bits or element_bits(value.type)
    like = replace(value, bits=bits, data=None)
    if value.data is None or (scales is not None and scales.data is None):
        return net.constant(f"{value.name}.real", None, like)
    array = value.data.astype(np.float64)
    if zeros is not None and zeros.data is not None:
        array = array - _along(zeros.data, array.ndim, axis)
    if scales is not None and scales.data is not None:
        array = array * _along(scales.data, array.ndim, axis)
    return net.constant(f"{value.name}.real", array.astype(np.float32), replace(like, type=TensorProto.FLOAT))


def _along(array: Array, rank: int, axis: int) -> Array:
    """A single value, or one for each entry of an axis, to be combined with a tensor of ``rank`` axes."""
    shape = [1] * rank
    if array.size > 1:
        shape[axis % rank] = -1
    return array.astype(np.float64).reshape(shape)


def _qlinear_conv(net: Net, node: Node) -> Node:
    """QLinearConv(x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias)."""
    inputs = [_real(net, node, 0, 1, 2), _real(net, node, 3, 4, 5)]
    bias = net.optional(node, 8)
    if bias is not None:
        inputs.append(_real_bias(net, bias, net.optional(node, 1), net.optional(node, 4)))
    return replace(node, op="Conv", inputs=tuple(inputs))


def _real_bias(net: Net, bias: Value, *scales: Value | None) -> str:
    array = None if bias.data is None else bias.data.astype(np.float64)
    for scale in scales:
        if array is not None:
            array = None if scale is None or scale.data is None else array * scale.data.reshape(-1).astype(np.float64)
    return net.constant(f"{bias.name}.real", None if array is None else array.astype(np.float32), bias)


def _qlinear_matmul(net: Net, node: Node) -> Node:
    """QLinearMatMul(a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero); columns of b have their own scale."""
    return replace(node, op="MatMul", inputs=(_real(net, node, 0, 1, 2, -2), _real(net, node, 3, 4, 5, -1)))


def _shifted_input(net: Net, node: Node) -> str:
    out = f"{node.outputs[0]}.shifted"
    return out if out in net.values else _real(net, node, 0, 99, 2, -2)


def _conv_integer(net: Net, node: Node) -> Node:
    """ConvInteger(x, w, x_zero, w_zero)."""
    return replace(node, op="Conv", inputs=(_shifted_input(net, node), _real(net, node, 1, 99, 3)))


def _matmul_integer(net: Net, node: Node) -> Node:
    """MatMulInteger(a, b, a_zero, b_zero)."""
    return replace(node, op="MatMul", inputs=(_shifted_input(net, node), _real(net, node, 1, 99, 3, -1)))


def _integer_to_float(net: Net, node: Node) -> Node:
    """MatMulIntegerToFloat(a, b, a_scale, b_scale, a_zero, b_zero, bias)."""
    inputs = (_real(net, node, 0, 2, 4, -2), _real(net, node, 1, 3, 5, -1))
    bias = net.optional(node, 6)
    if bias is None:
        return replace(node, op="MatMul", inputs=inputs)
    return replace(node, op="MatMul", inputs=(*inputs, node.inputs[6]))


def _dynamic_matmul(net: Net, node: Node) -> Node:
    """DynamicQuantizeMatMul(a, b, b_scale, b_zero, bias): a is in real values."""
    weight = _real(net, node, 1, 2, 3, -1)
    bias = net.optional(node, 4)
    return replace(node, op="MatMul", inputs=(node.inputs[0], weight, *([bias.name] if bias else [])))


def _qgemm(net: Net, node: Node) -> Node:
    """QGemm(a, a_scale, a_zero, b, b_scale, b_zero, c, y_scale, y_zero)."""
    columns = 0 if node.attributes.get("transB") else 1
    inputs = [_real(net, node, 0, 1, 2), _real(net, node, 3, 4, 5, columns)]
    bias = net.optional(node, 6)
    if bias is not None:
        inputs.append(_real_bias(net, bias, net.optional(node, 1), net.optional(node, 4)))
    return replace(node, op="Gemm", inputs=tuple(inputs))


def _two(op: str) -> Any:
    """QLinearAdd and its like: (a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero)."""

    def rule(net: Net, node: Node) -> Node:
        return replace(node, op=op, inputs=(_real(net, node, 0, 1, 2), _real(net, node, 3, 4, 5)))

    return rule


def _one(op: str) -> Any:
    """QLinearSigmoid and its like: (x, x_scale, x_zero, y_scale, y_zero)."""

    def rule(net: Net, node: Node) -> Node:
        return replace(node, op=op, inputs=node.inputs[:1])

    return rule


def _qlinear_concat(net: Net, node: Node) -> Node:
    """QLinearConcat(y_scale, y_zero, then a tensor, its scale and zero each)."""
    return replace(node, op="Concat", inputs=node.inputs[2::3])


_QUANTISED: Final = {
    "QLinearConv": _qlinear_conv,
    "com.microsoft.QLinearConv": _qlinear_conv,
    "QLinearMatMul": _qlinear_matmul,
    "ConvInteger": _conv_integer,
    "MatMulInteger": _matmul_integer,
    "com.microsoft.MatMulIntegerToFloat": _integer_to_float,
    "com.microsoft.DynamicQuantizeMatMul": _dynamic_matmul,
    "com.microsoft.QGemm": _qgemm,
    "com.microsoft.QLinearAdd": _two("Add"),
    "com.microsoft.QLinearMul": _two("Mul"),
    "com.microsoft.QLinearSigmoid": _one("Sigmoid"),
    "com.microsoft.QLinearLeakyRelu": _one("LeakyRelu"),
    "com.microsoft.QLinearGlobalAveragePool": _one("GlobalAveragePool"),
    "com.microsoft.QLinearAveragePool": _one("AveragePool"),
    "com.microsoft.QLinearSoftmax": _one("Softmax"),
    "com.microsoft.QLinearConcat": _qlinear_concat,
}


# -- scales and shifts ----------------------------------------------------------------------------


def _affine(net: Net) -> None:
    """Each batch norm and each product or sum with constants becomes an Affine node; neighbours become one."""
    renamed: dict[str, str] = {}
    made: dict[str, Node] = {}
    kept: dict[str, Node] = {}
    for node in net.nodes:
        new = _as_affine(net, node)
        if new is None:
            kept[node.outputs[0]] = node
            continue
        source = renamed.get(new.inputs[0], new.inputs[0])
        before = made.get(source)
        if before is not None and net.single_reader(before.outputs[0]) is not None:
            joined = _joined(before, new)
            if joined is not None:
                del kept[before.outputs[0]], made[before.outputs[0]]
                new = joined
        made[new.outputs[0]] = kept[new.outputs[0]] = new
    net.rewrite(list(kept.values()), renamed)


def _as_affine(net: Net, node: Node) -> Node | None:
    if node.op == "BatchNormalization":
        return _batch_norm(net, node)
    if node.op not in ("Mul", "Add", "Sub", "Div") or len(node.inputs) != 2:
        return None
    first, second = (net.value(name) for name in node.inputs)
    out = net.value(node.outputs[0])
    constant, other = (second, first) if second.constant else (first, second)
    if constant.constant == other.constant or other.shape != out.shape or out.type in INTEGERS or constant.prepared:
        return None
    if node.op == "Div" and constant is first:
        return None
    lengths = (1,) * (len(out.shape) - len(constant.shape)) + constant.shape
    long = [axis for axis, length in enumerate(lengths) if length > 1]
    if len(long) > 1:
        return None
    axis = long[0] if long else None
    data = None if constant.data is None else constant.data.astype(np.float64).reshape(-1)
    scales = node.op in ("Mul", "Div")
    scale: Array | None = np.ones(1)
    shift: Array | None = np.zeros(1)
    with np.errstate(all="ignore"):
        if scales:
            scale = data if node.op == "Mul" or data is None else 1 / data
        else:
            shift = data if node.op == "Add" or constant is first or data is None else -data
        if node.op == "Sub" and constant is first:
            scale = -np.ones(1)
    trained = {"scaled": axis is not None, "shifted": False} if scales else {"scaled": False, "shifted": True}
    return _node(node, other.name, axis, scale, shift, **trained)


def _node(node: Node, source: str, axis: int | None, scale: Array | None, shift: Array | None, **flags: bool) -> Node:
    """y = scale · x + shift along ``axis`` (None: of one value); None for arrays that are not known.

    ``scaled`` and ``shifted`` say which of them are a value for each channel.
    """
    given: dict[str, Any] = {"axis": axis, "scale": scale, "shift": shift, **flags}
    return replace(node, op=AFFINE, inputs=(source,), outputs=node.outputs[:1], attributes=given)


def _batch_norm(net: Net, node: Node) -> Node | None:
    """Scale g / sqrt(var + eps) and shift b - mean · scale (Ioffe and Szegedy, arXiv:1502.03167)."""
    statistics = [net.value(name) for name in node.inputs[1:5]]
    if node.attributes.get("training_mode") or not all(value.constant for value in statistics):
        return None
    scale: Array | None = None
    shift: Array | None = None
    if all(value.data is not None for value in statistics):
        gain, bias, mean, variance = (np.asarray(value.data, np.float64) for value in statistics)
        with np.errstate(all="ignore"):
            scale = gain / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
            shift = bias - mean * scale
    return _node(node, node.inputs[0], 1, scale, shift, scaled=True, shifted=True)


def _joined(first: Node, second: Node) -> Node | None:
    """Both as one, if they are along one axis or one of them has single values."""
    a, b = first.attributes, second.attributes
    if a["axis"] is not None and b["axis"] is not None and a["axis"] != b["axis"]:
        return None
    axis = a["axis"] if a["axis"] is not None else b["axis"]
    known = a["scale"] is not None and b["scale"] is not None
    scale = a["scale"] * b["scale"] if known else None
    shift = None
    if a["shift"] is not None and b["scale"] is not None and b["shift"] is not None:
        shift = a["shift"] * b["scale"] + b["shift"]
    flags = {key: bool(a[key] or b[key]) for key in ("scaled", "shifted")}
    return _node(second, first.inputs[0], axis, scale, shift, **flags)
