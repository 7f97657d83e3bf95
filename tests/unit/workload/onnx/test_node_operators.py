"""Every supported operator against the single-operator tests that the onnx package itself carries.

A case counts if the imported network has the shapes of the expected outputs and, evaluated layer by layer with the
case's own numbers, their values.  Inputs beyond the first few are frozen as weights, as they are in a network.  A batch
of which archsim takes one member is cut to its first.
"""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, numpy_helper

from archsim.errors import WorkloadError
from archsim.workload.onnx import import_onnx
from archsim.workload.onnx.lower import BatchError
from tests.onnx_numeric import frozen, outputs

OPERATORS = """
Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization BitShift BitwiseAnd
BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Concat Conv ConvInteger ConvTranspose Cos Cosh CumSum
DepthToSpace Div Dropout Einsum Elu Equal Erf Exp Expand Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm
GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish Hardmax Identity
InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization
MatMul MatMulInteger Max MaxPool Mean Min Mish Mod Mul Neg Not OneHot Or PRelu Pad Pow QLinearConv RMSNormalization RNN
Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
ReduceSumSquare Relu Reshape Resize ReverseSequence Round ScatterElements ScatterND Selu Shrink Sigmoid Sign Sin Sinh
Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tan Tanh ThresholdedRelu Tile TopK
Transpose Trilu Unsqueeze Upsample Where Xor
Col2Im CumProd EyeLike GridSample LpPool RoiAlign RotaryEmbedding SwiGLU
"""
SUPPORTED = OPERATORS.split()

# what in these cases archsim does not take, and says so; by a part of their names
REFUSED = {
    "empty_set": "tensors without values",
    "zero_size": "tensors without values",
    "zero_dim": "tensors without values",
    "_zero": "tensors without values",
    "string": "texts",
    "training": "training",
    "with_argmax": "the places of maxima",
    "convtranspose_dilations": "a dilated transposed convolution",
    "peepholes": "peepholes",
    "qk_matmul": "scores of an attention as an output",
    "padded_kv": "an attention with lengths of its own for keys",
    "nonpad": "an attention with lengths of its own for keys",
    "local_window": "an attention to a window",
    "bidirectional_window": "an attention to a window",
    "fullymasked": "an attention to nothing",
    "boolmask_nan": "an attention to nothing",
    "neginf_mask": "an attention to nothing",
    "batch_diagonal": "a diagonal",
    "einsum_scalar": "no axes",
    "out_of_bounds": "tensors without values",
    "matmul_bcast": "one matrix for each member of a batch",
    "_allowzero_reordered": "tensors without values",
}


@cache
def cases() -> dict[str, list]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests

        found: dict[str, list] = {}
        for case in load_model_tests(kind="node"):
            nodes = case.model.graph.node
            if [node.op_type for node in nodes] == ["Not"]:
                case.model.opset_import[0].version = 7  # the operator is that of version 1
            domains = {entry.domain for entry in case.model.opset_import}
            if len(nodes) == 1 and domains <= {"", "ai.onnx"} and case.model.opset_import[0].version >= 7:
                found.setdefault(nodes[0].op_type, []).append(case)
        return found


def refused(name: str) -> bool:
    return any(part in name for part in REFUSED)


def as_array(value) -> np.ndarray:
    """A tensor of a case, which is an array, a number, or, of types that NumPy does not have, onnx's own."""
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def meant(array: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """The real values that a quantised tensor encodes."""
    return (array.astype(np.float64) - zero) * scale


def held(operator: str) -> list:
    """The cases of a supported operator that are compared: those of tensors alone, of which at least one is given."""
    plain = (np.ndarray, np.generic, TensorProto)
    return [
        case
        for case in cases().get(operator, [])
        if not refused(case.name)
        and case.data_sets[0][0]
        and all(isinstance(value, plain) for values in case.data_sets[0] for value in values)
    ]


def check(case, folder: Path) -> str:
    """Empty if the case passes, else what is wrong."""
    given, expected = ([as_array(value) for value in values] for values in case.data_sets[0])
    if case.model.graph.node[0].op_type == "QLinearConv":  # imported as what it stands for, on the values meant
        given[0] = meant(given[0], *given[1:3]).astype(np.float32)
        expected = [meant(expected[0], *given[6:8])]  # steps of 1.6e-3, of which half is within the tolerance
    worst = ""
    for kept in dict.fromkeys((1, 2, len(given))):
        try:
            worst = compare(case.model, kept, list(given), list(expected), folder)
        except (WorkloadError, BatchError) as error:
            worst = str(error)
        if not worst:
            return ""
    return worst


def compare(model, kept: int, given: list, expected: list, folder: Path, *, cut: bool = False) -> str:
    path = folder / "case.onnx"
    changed = frozen(model, given, kept)
    for entry, array in zip(changed.graph.input, given, strict=False):
        del entry.type.tensor_type.shape.dim[:]
        for length in array.shape:
            entry.type.tensor_type.shape.dim.add(dim_value=length)
    path.write_bytes(changed.SerializeToString())
    names = [entry.name for entry in changed.graph.input]
    try:
        with np.errstate(all="ignore"):
            found = outputs(path, dict(zip(names, given, strict=False)))
    except BatchError as error:
        if cut:
            raise
        return compare(model, kept, *one_of(model, given, expected, error.size), folder, cut=True)
    graph = import_onnx(path).graph
    assert graph.layers
    if not any(entry.name in found for entry in changed.graph.output):
        return "no output is evaluated"
    for entry, array in zip(changed.graph.output, expected, strict=False):
        if entry.name not in found:
            continue
        ours = np.asarray(found[entry.name])
        if ours.shape != array.shape:
            return f"{entry.name} has the shape {ours.shape}, expected {array.shape}"
        if array.dtype.name.startswith(("float8", "float4")):  # casts between floating-point types keep the value
            continue
        close = 1e-2 if array.dtype.name == "bfloat16" else 2e-3  # a bfloat16 has eight bits
        fine = np.allclose(real(ours), real(array), rtol=close, atol=close, equal_nan=True)
        if not fine:
            return f"{entry.name} differs by {np.nanmax(np.abs(real(ours) - real(array)))}"
    return ""


def real(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64)


def one_of(model, given: list, expected: list, size: int) -> tuple[list, list]:
    """The first member of a batch: along the first axis, or the second of what recurrent layers read."""
    node = model.graph.node[0]
    recurrent = node.op_type in ("LSTM", "GRU", "RNN")
    layout = any(attribute.name == "layout" and attribute.i for attribute in node.attribute)
    if not recurrent:
        return [first(array, 0, size) for array in given], [first(array, 0, size) for array in expected]
    axes_in = dict.fromkeys(("X", "initial_h", "initial_c"), 0 if layout else 1)
    # where an input of a recurrent layer is left out, names and arrays do not pair up
    named = [name for name in node.input if name]
    cut = [first(array, axes_in.get(name, 99), size) for name, array in zip(named, given, strict=True)]
    axes_out = {"Y": 0 if layout else 2, "Y_h": 0 if layout else 1, "Y_c": 0 if layout else 1}
    made = [name for name in node.output if name]
    return cut, [first(array, axes_out[name], size) for name, array in zip(made, expected, strict=True)]


def first(array: np.ndarray, axis: int, size: int) -> np.ndarray:
    if array.ndim <= axis or array.shape[axis] != size:
        return array
    return array[(slice(None),) * axis + (slice(0, 1),)]


@pytest.mark.slow
@pytest.mark.parametrize("operator", SUPPORTED)
def test_all_cases_of_a_supported_operator_pass(operator, tmp_path):
    failed = {}
    for case in held(operator):
        if problem := check(case, tmp_path):
            failed[case.name] = problem[-300:]
    assert not failed


def test_a_case_of_each_supported_operator_passes(tmp_path):
    failed = {}
    for operator in SUPPORTED:
        assert held(operator), operator
        for case in held(operator)[:1]:
            if problem := check(case, tmp_path):
                failed[case.name] = problem[-300:]
    assert not failed


def test_what_is_not_taken_is_refused_with_a_message(tmp_path):
    for operator in ("ConvTranspose", "MaxPool", "LSTM"):
        for case in cases()[operator]:
            if refused(case.name):
                path = tmp_path / "case.onnx"
                path.write_bytes(frozen(case.model, case.data_sets[0][0]).SerializeToString())
                with pytest.raises(WorkloadError, match=f"{operator}\\)"):
                    import_onnx(path)
