"""Shapes and constants, node by node: ONNX's own strict inference with every constant known so far, and folding.

Each node is inferred by its schema with the values of its constant inputs, so that arithmetic on shapes (Shape, Gather,
Concat, Reshape) is followed to the end.  A node whose inputs are all constants is evaluated by ``onnx.reference`` if
what it makes is small; otherwise its output is known to be constant, and nothing more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, checker, defs, helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from archsim.errors import WorkloadError
from archsim.workload.onnx.contrib import contrib_outputs
from archsim.workload.onnx.tensors import Array, Value, check_shape, element_bits, words

__all__ = ["FOLDED_ELEMENTS", "Inference", "attribute_values"]

FOLDED_ELEMENTS: Final = 2**16
"""The largest constant that is computed while weights are not read."""

FOLDED_WITH_WEIGHTS: Final = 2**28

_NEVER_FOLDED: Final = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli"}
_FREE_FUNCTIONS: Final = {"Shape", "Size"}
_FOLDED: Final = words(
    "Abs Add And ArgMax ArgMin BitShift BitwiseAnd BitwiseOr Cast CastLike Ceil Clip Concat ConstantOfShape "
    "Cos CumSum DequantizeLinear Div Equal Erf Exp Expand EyeLike Flatten Floor Gather GatherElements "
    "GatherND Greater GreaterOrEqual Identity Less LessOrEqual Log Max Mean Min Mod Mul Neg NonZero Not "
    "OneHot Or Pad Pow QuantizeLinear Range Reciprocal ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "Relu Reshape Round ScatterElements ScatterND Shape Sigmoid Sign Sin Size Slice Softmax Split Sqrt "
    "Squeeze Sub Sum Tanh Tile TopK Transpose Trilu Unsqueeze Where Xor"
)
_GROWS: Final = {"NonZero", "Range"}
"""Folded also where inference does not tell how large the result is: it follows from small inputs."""

_REAL: Final = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}

_FIRST_COUNTS: Final = {"Dropout", "BatchNormalization", "LSTM", "GRU", "RNN"}
"""Operators whose outputs after the first are left out where inference does not tell their shapes."""


def attribute_values(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes of a node as Python values; subgraphs stay protos."""
    out: dict[str, Any] = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, list) and value and isinstance(value[0], bytes):
            value = [text.decode("utf-8", "replace") for text in value]
        out[attribute.name] = value
    return out


Kind = tuple[int, tuple[int, ...]]
"""Element type and shape."""


class Inference:
    """Infers the outputs of nodes; ``weights``: constants of any size are computed."""

    def __init__(self, opsets: Mapping[str, int], *, weights: bool, declared: Mapping[str, tuple[int, ...]]) -> None:
        self.opsets = opsets
        self.weights = weights
        self.declared = declared
        self.limit = FOLDED_WITH_WEIGHTS if weights else FOLDED_ELEMENTS

    def outputs(self, node: onnx.NodeProto, inputs: Sequence[Value | None], opset: int) -> list[Value]:
        """The outputs of ``node`` of an operator set of version ``opset``; ``inputs`` are None where left out."""
        if node.op_type in _FREE_FUNCTIONS and not node.domain and inputs[0] is not None:
            return [self._shape(node, inputs[0])]
        constant = all(value is None or value.constant for value in inputs) and not _drawn(node)
        types = self._types(node, inputs, opset)
        small = all(kind is None or math.prod(kind[1]) <= self.limit for kind in types)
        known = all(value is None or value.data is not None for value in inputs)
        if constant and known and small and self._foldable(node, types):
            return self._cut(node, inputs, self._folded(node, inputs, opset))
        made: list[Value] = []
        for name, kind in zip(node.output, types, strict=True):
            if not name:
                continue
            if kind is None and node.op_type in _FIRST_COUNTS and made:
                continue  # a mask or the like, which nothing of a network reads
            if kind is None:
                raise WorkloadError(f"the shape of {name!r:.100} cannot be inferred; it depends on data")
            check_shape(kind[1], f"the output {name!r:.100}")
            made.append(Value(name, kind[0], kind[1], None, constant, _stored_bits(node, inputs) if constant else 0))
        return self._cut(node, inputs, made) if constant else made

    @staticmethod
    def _cut(node: onnx.NodeProto, inputs: Sequence[Value | None], made: list[Value]) -> list[Value]:
        """What is cut from a stored table of real numbers remembers how large that is."""
        first = inputs[0] if inputs else None
        if node.op_type not in ("Gather", "Slice") or first is None or first.type not in _REAL:
            return made
        return [replace(value, chosen_from=first.parameters) for value in made]

    def _foldable(self, node: onnx.NodeProto, types: Sequence[Kind | None]) -> bool:
        if node.domain or any(attribute.HasField("g") for attribute in node.attribute):
            return False
        if node.op_type in _GROWS:
            return True
        return (self.weights or node.op_type in _FOLDED) and all(
            kind is not None for name, kind in zip(node.output, types, strict=True) if name
        )

    def _shape(self, node: onnx.NodeProto, value: Value) -> Value:
        if node.op_type == "Size":
            return _constant(node.output[0], np.array(value.size, np.int64))
        given = attribute_values(node)
        return _constant(
            node.output[0], np.array(value.shape[slice(given.get("start", 0), given.get("end"))], np.int64)
        )

    # -- types ------------------------------------------------------------------------------------

    def _types(self, node: onnx.NodeProto, inputs: Sequence[Value | None], opset: int) -> list[Kind | None]:
        """Element type and shape of each output; None for one that inference cannot tell."""
        try:
            schema = defs.get_schema(node.op_type, opset, node.domain)
        except defs.SchemaError:
            found = contrib_outputs(node, inputs)
            return [found.get(k, self._declared(name)) for k, name in enumerate(node.output)]
        names = dict(zip(node.input, inputs, strict=True))
        types = {name: value.type_proto() for name, value in names.items() if name and value is not None}
        data = {name: proto for name, value in names.items() if name and (proto := _small(value)) is not None}
        imports = [helper.make_opsetid(node.domain, opset)]
        if node.domain:
            imports.append(helper.make_opsetid("", self.opsets.get("", defs.onnx_opset_version())))
        try:
            made = shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=imports)
        except (shape_inference.InferenceError, checker.ValidationError, RuntimeError, ValueError, TypeError) as error:
            raise WorkloadError(_reason(error)) from None
        known = [self._static(made.get(name)) for name in node.output]
        found = contrib_outputs(node, inputs) if None in known else {}
        return [kind or found.get(k) or self._declared(node.output[k]) for k, kind in enumerate(known)]

    @staticmethod
    def _static(kind: onnx.TypeProto | None) -> Kind | None:
        """Type and shape, if all sizes are known."""
        if kind is None or kind.WhichOneof("value") != "tensor_type" or not kind.tensor_type.HasField("shape"):
            return None
        dims = kind.tensor_type.shape.dim
        if any(dim.WhichOneof("value") != "dim_value" for dim in dims):
            return None
        return kind.tensor_type.elem_type, tuple(int(dim.dim_value) for dim in dims)

    def _declared(self, name: str) -> Kind | None:
        """What the model itself says of a tensor, where inference says nothing."""
        shape = self.declared.get(name)
        return (TensorProto.FLOAT, shape) if shape is not None else None

    # -- folding ----------------------------------------------------------------------------------

    def _folded(self, node: onnx.NodeProto, inputs: Sequence[Value | None], opset: int) -> list[Value]:
        """The outputs of a node of constants, computed."""
        if node.op_type == "DequantizeLinear" and attribute_values(node).get("block_size", 0) == 0:
            return [_dequantised(node, inputs)]
        feeds = {name: value.data for name, value in zip(node.input, inputs, strict=True) if value is not None and name}
        infos = [helper.make_value_info(name, onnx.TypeProto()) for name in feeds]
        outs = [helper.make_value_info(name, onnx.TypeProto()) for name in node.output if name]
        graph = helper.make_graph([node], "folded", infos, outs)
        imports = [helper.make_opsetid(node.domain, opset)]
        try:
            with np.errstate(all="ignore"):
                made: Any = ReferenceEvaluator(helper.make_model(graph, opset_imports=imports)).run(None, feeds)
        except Exception as error:  # whatever a hostile constant makes of NumPy
            raise WorkloadError(f"cannot be computed from its constants: {_reason(error)}") from None
        names = [name for name in node.output if name]
        return [_constant(name, np.asarray(array), inputs) for name, array in zip(names, made, strict=True)]


def _stored_bits(node: onnx.NodeProto, inputs: Sequence[Value | None]) -> int:
    """The bits of a constant that is made of quantised ones, 0 if it is not."""
    first = inputs[0] if inputs else None
    if first is not None and node.op_type == "DequantizeLinear":
        return first.bits or element_bits(first.type)
    return next((value.bits for value in inputs if value is not None and value.bits), 0)


def _dequantised(node: onnx.NodeProto, inputs: Sequence[Value | None]) -> Value:
    """(q - zero) · scale, along one axis or with one scale; it has the bits of q."""
    value, scale = inputs[0], inputs[1]
    zero = inputs[2] if len(inputs) > 2 else None
    assert value is not None
    assert value.data is not None
    assert scale is not None
    assert scale.data is not None
    shape = [1] * value.data.ndim
    if scale.data.size > 1:
        shape[attribute_values(node).get("axis", 1)] = -1
    array = value.data.astype(np.float64)
    if zero is not None and zero.data is not None:
        array = array - zero.data.astype(np.float64).reshape(shape if zero.data.size > 1 else ())
    array = array * scale.data.astype(np.float64).reshape(shape if scale.data.size > 1 else ())
    made = _constant(node.output[0], array.astype(np.float32))
    return replace(made, bits=value.bits or element_bits(value.type))


def _drawn(node: onnx.NodeProto) -> bool:
    return node.op_type in _NEVER_FOLDED and bool(node.input)


def _reason(error: Exception) -> str:
    """The first line of an error of a library, without what it says of its own source."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return text[:300]


def _small(value: Value | None) -> TensorProto | None:
    if value is None or value.data is None or value.data.size > 1024 or value.type == TensorProto.STRING:
        return None
    if value.data.dtype not in (np.int64, np.int32, np.float32, np.float64, np.bool_):
        return None
    return numpy_helper.from_array(value.data)


def _constant(name: str, array: Array, made_of: Sequence[Value | None] = ()) -> Value:
    """A known constant, of no more bits than what it was made of, where that is quantised."""
    kind = helper.np_dtype_to_tensor_dtype(array.dtype) if array.dtype != object else TensorProto.STRING
    bits = next((value.bits for value in made_of if value is not None and value.bits), 0)
    return Value(name, kind, tuple(array.shape), array, constant=True, bits=bits)
