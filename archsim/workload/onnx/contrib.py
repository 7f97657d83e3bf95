"""Output shapes of operators that runtimes add to ONNX: those of ``com.microsoft`` that its graph optimiser writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import onnx
from onnx import TensorProto, defs, helper, shape_inference

from archsim.errors import WorkloadError
from archsim.workload.onnx.tensors import Value

__all__ = ["contrib_outputs"]

Kind = tuple[int, tuple[int, ...]]
Inputs = Sequence[Value | None]


def contrib_outputs(node: onnx.NodeProto, inputs: Inputs) -> dict[int, Kind]:
    """Type and shape of the outputs of ``node``, by number; those that are not known are left out."""
    if not node.domain and node.op_type not in (
        "GroupNormalization",
        "LayerNormalization",
        "SimplifiedLayerNormalization",
    ):
        return {}
    rule = _RULES.get(node.op_type) if node.domain in ("com.microsoft", "com.ms.internal.nhwc", "") else None
    try:
        return rule(node, inputs) if rule else {}
    except (IndexError, AttributeError):
        raise WorkloadError("has fewer inputs, or of other shapes, than its operator takes") from None


def _need(inputs: Inputs, index: int) -> Value:
    value = inputs[index]
    if value is None:
        raise IndexError
    return value


def _like(index: int = 0) -> Callable[[onnx.NodeProto, Inputs], dict[int, Kind]]:
    def rule(node: onnx.NodeProto, inputs: Inputs) -> dict[int, Kind]:
        value = _need(inputs, index)
        return {0: (value.type, value.shape)}

    return rule


def _normalised(node: onnx.NodeProto, inputs: Inputs) -> dict[int, Kind]:
    value = _need(inputs, 0)
    kind = value.type, value.shape
    return {0: kind, 3: kind}


def _attention(node: onnx.NodeProto, inputs: Inputs) -> dict[int, Kind]:
    """(batch, length, width) and weights (width, widths of q, k and v): the output has the width of v."""
    value, weight = _need(inputs, 0), _need(inputs, 1)
    sizes = next((list(a.ints) for a in node.attribute if a.name == "qkv_hidden_sizes"), None)
    width = sizes[2] if sizes else weight.shape[1] // 3
    return {0: (TensorProto.FLOAT, (*value.shape[:2], width))}


def _multi_head(node: onnx.NodeProto, inputs: Inputs) -> dict[int, Kind]:
    query = _need(inputs, 0)
    value = inputs[2] if len(inputs) > 2 else None
    width = value.shape[-1] if value is not None and len(value.shape) == 3 else query.shape[-1]
    return {0: (query.type, (*query.shape[:2], width))}


def _embed_layer_norm(node: onnx.NodeProto, inputs: Inputs) -> dict[int, Kind]:
    tokens, table = _need(inputs, 0), _need(inputs, 2)
    return {0: (TensorProto.FLOAT, (*tokens.shape, table.shape[1])), 1: (TensorProto.INT32, tokens.shape[:1])}


def _matmul_nbits(node: onnx.NodeProto, inputs: Inputs) -> dict[int, Kind]:
    value = _need(inputs, 0)
    columns = next(int(a.i) for a in node.attribute if a.name == "N")
    return {0: (value.type, (*value.shape[:-1], columns))}


def _fused_matmul(node: onnx.NodeProto, inputs: Inputs) -> dict[int, Kind]:
    """The last two axes of either operand may be turned."""
    turned = {a.name for a in node.attribute if a.name in ("transA", "transB") and a.i}
    shapes = [_need(inputs, k).shape for k in (0, 1)]
    left, right = (
        (*shape[:-2], shape[-1], shape[-2]) if key in turned and len(shape) > 1 else shape
        for shape, key in zip(shapes, ("transA", "transB"), strict=True)
    )
    plain = helper.make_node("MatMul", ["a", "b"], ["y"])
    pair = [Value("a", TensorProto.FLOAT, left), Value("b", TensorProto.FLOAT, right)]
    return _as("MatMul")(plain, pair)


def _as(op: str, picked: Sequence[int] | None = None) -> Callable[[onnx.NodeProto, Inputs], dict[int, Kind]]:
    """Inferred as the standard operator ``op`` with the same attributes, of the inputs ``picked``."""

    def rule(node: onnx.NodeProto, inputs: Inputs) -> dict[int, Kind]:
        chosen = list(range(len(inputs))) if picked is None else [k for k in picked if k < len(inputs)]
        schema = defs.get_schema(op, defs.onnx_opset_version(), "")
        plain = helper.make_node(op, [f"i{k}" for k in chosen], ["o"])
        plain.attribute.extend(a for a in node.attribute if a.name in schema.attributes)
        # quantised inputs have the shapes of plain ones
        types = {f"i{k}": helper.make_tensor_type_proto(TensorProto.FLOAT, _need(inputs, k).shape) for k in chosen}
        made = shape_inference.infer_node_outputs(schema, plain, types)["o"].tensor_type
        kind = inputs[0].type if inputs[0] is not None else TensorProto.FLOAT
        return {0: (kind, tuple(int(dim.dim_value) for dim in made.shape.dim))}

    return rule


_RULES: Final[dict[str, Callable[[onnx.NodeProto, Inputs], dict[int, Kind]]]] = {
    "Attention": _attention,
    "QAttention": _attention,
    "MultiHeadAttention": _multi_head,
    "SkipLayerNormalization": _normalised,
    "SkipSimplifiedLayerNormalization": _normalised,
    "SimplifiedLayerNormalization": _like(),
    "LayerNormalization": _like(),
    "EmbedLayerNormalization": _embed_layer_norm,
    "MatMulNBits": _matmul_nbits,
    "FusedConv": _as("Conv", (0, 1, 2)),
    "FusedGemm": _as("Gemm"),
    "FusedMatMul": _fused_matmul,
    "QLinearAdd": _as("Add", (0, 3)),
    "QLinearMul": _as("Mul", (0, 3)),
    "QLinearGlobalAveragePool": _as("GlobalAveragePool", (0,)),
    "QLinearAveragePool": _as("AveragePool", (0,)),
    "QLinearSigmoid": _like(),
    "QLinearLeakyRelu": _like(),
    "QGemm": _as("Gemm", (0, 3)),
    "MatMulIntegerToFloat": _as("MatMul", (0, 1)),
    "DynamicQuantizeMatMul": _as("MatMul", (0, 1)),
    "GroupNormalization": _like(),
    **{op: _like() for op in ("Gelu", "FastGelu", "BiasGelu", "QuickGelu", "BiasDropout", "RotaryEmbedding")},
    **{op: _like() for op in ("QuantizeLinear", "DequantizeLinear", "BiasSoftmax", "BiasAdd", "QLinearSoftmax")},
}
