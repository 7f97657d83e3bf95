"""Rules for operators with weights, which go to crossbars, and for products of two activations, which do not."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from archsim.workload.onnx.layout import View
from archsim.workload.onnx.lower import Lowering, NeedsPositionsError, Rule, Unknown
from archsim.workload.onnx.rules_shape import channel_axes, image_of
from archsim.workload.onnx.tensors import Array, Value
from archsim.workload.onnx.trace import Node
from archsim.workload.onnx.windows import image_axes, window_of

__all__ = ["RULES", "dynamic_product", "linear"]


def _weigh(low: Lowering, layer: str, weight: Value, matrix: Array | None, bias: Array | None) -> None:
    """Remember the bits of the weights of a layer, and the weights themselves where they are known."""
    if weight.bits:
        low.emit.bits[layer] = weight.bits
    if matrix is not None:
        low.emit.weights[layer] = {"matrix": matrix} | ({"bias": bias} if bias is not None else {})


def _flat(value: Value | None) -> Array | None:
    return None if value is None or value.data is None else value.data.astype(np.float64).reshape(-1)


# -- convolutions ---------------------------------------------------------------------------------


def conv(low: Lowering, node: Node) -> None:
    """Conv of one to three dimensions, grouped, dilated, padded, with constant weights."""
    weight, bias = low.value(node.inputs[1]), low.net.optional(node, 2)
    if not weight.constant:
        raise Unknown("its weights are no constants")
    view = low.view(node.inputs[0])
    shape = low.shape(node.outputs[0])
    rank = len(shape) - 2
    if rank > 3:
        raise Unknown(f"it has {rank} dimensions")
    batch, rows, columns = image_axes(view.shape[0], rank)
    if batch and view.shape[0] != 1:
        low.batched(view.shape[0])
    window = window_of(node.attributes, weight.shape[2:], view.shape[2:], shape[2:])
    layer = image_of(low, view, [1], rows, columns)
    groups = int(node.attributes.get("group", 1))
    sizes = window.spec(along_columns=not batch, frames=view.shape[2])
    spec: dict[str, Any] = {"conv": weight.shape[0], **sizes, "activation": "none", "bias": bias is not None}
    spec |= {"groups": groups} if groups > 1 else {}
    out = (weight.shape[0], *(math.prod(shape[k] for k in axes) for axes in (rows, columns)))
    made = low.emit.add(node.name, spec, out, layer)
    matrix = None
    if weight.data is not None:  # (M, C / g, k...) to a matrix of rows (c, k...) for each group
        matrix = weight.data.astype(np.float64).reshape(groups, weight.shape[0] // groups, -1).transpose(0, 2, 1)
    _weigh(low, made, weight, matrix, _flat(bias))
    low.finish(node, low.fresh(made, shape, [1]))
    _activate(low, node)


def _activate(low: Lowering, node: Node) -> None:
    """The activation of a fused operator of com.microsoft."""
    function = node.attributes.get("activation")
    if not function or not node.op.startswith("com.microsoft."):
        return
    from archsim.workload.onnx.rules_vector import activation  # noqa: PLC0415 (rules of both call each other)

    given = node.attributes.get("activation_params") or []
    names = {"LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta"), "Clip": ("min", "max")}
    attributes = dict(zip(names.get(function, ()), given, strict=False))
    inner = Node(node.name, function, node.outputs[:1], node.outputs[:1], attributes)
    activation(low, inner)


def conv_transpose(low: Lowering, node: Node) -> None:
    """ConvTranspose of one to three dimensions."""
    weight, bias = low.value(node.inputs[1]), low.net.optional(node, 2)
    view = low.view(node.inputs[0])
    shape = low.shape(node.outputs[0])
    rank = len(shape) - 2
    given = node.attributes
    if not weight.constant:
        raise Unknown("its weights are no constants")
    if view.shape[0] != 1:
        low.batched(view.shape[0])
    if rank > 3 or set(given.get("dilations") or [1]) != {1}:
        raise Unknown("it is dilated or has more than three dimensions")
    kernel = weight.shape[2:]
    stride = list(given.get("strides") or (1,) * rank)
    begin, end = _transposed_pads(given, view.shape[2:], shape[2:], kernel, stride)
    beyond = [max(0, -n) for n in end]
    end = [max(0, n) for n in end]
    groups = int(given.get("group", 1))
    channels = weight.shape[1] * groups
    ahead, extra = max(0, rank - 2), max(0, 2 - rank)
    sizes = [
        ([*numbers, *(other,) * extra])[ahead:] for numbers, other in ((kernel, 1), (stride, 1), (begin, 0), (end, 0))
    ]
    spec: dict[str, Any] = {"convtranspose": channels, "kernel": sizes[0], "stride": sizes[1]}
    spec |= {"pad": [*sizes[2], *sizes[3]]}
    spec |= {"output_pad": [0, 0, *beyond[ahead:], *(0,) * extra]} if any(beyond[ahead:]) else {}
    if ahead:
        spec["depth"] = {"frames": view.shape[2], "kernel": kernel[0], "stride": stride[0], "pad": [begin[0], end[0]]}
        spec["depth"] |= {"output_pad": beyond[0]} if beyond[0] else {}
    spec |= {"activation": "none", "bias": bias is not None} | ({"groups": groups} if groups > 1 else {})
    rows = list(range(2, 1 + rank)) or [2]
    layer = image_of(low, view, [1], rows, [1 + rank] if rank > 1 else [])
    out = math.prod(shape[k] for k in rows), shape[-1] if rank > 1 else 1
    made = low.emit.add(node.name, spec, (channels, *out), layer)
    matrix = None
    if weight.data is not None:  # (C, M / g, k...): rows are input channels, columns (m, k...) of each group
        matrix = weight.data.astype(np.float64).reshape(groups, weight.shape[0] // groups, -1)
    _weigh(low, made, weight, matrix, _flat(bias))
    low.finish(node, low.fresh(made, shape, [1]))


def _transposed_pads(
    given: Any, sizes: Sequence[int], made: Sequence[int], kernel: Sequence[int], stride: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Begin and end padding such that the output has its size; an end below 0 is output padding."""
    rank = len(kernel)
    total = [(sizes[k] - 1) * stride[k] + kernel[k] - made[k] for k in range(rank)]
    auto = given.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER") or given.get("output_shape"):
        half = [max(0, n) // 2 if auto != "SAME_LOWER" else -(-max(0, n) // 2) for n in total]
        if auto not in ("SAME_UPPER", "SAME_LOWER"):
            half = [max(0, n) - max(0, n) // 2 for n in total]
        if auto == "SAME_LOWER":
            half = [-(-max(0, n) // 2) for n in total]
        return half, [n - h for n, h in zip(total, half, strict=True)]
    begin = list(given.get("pads") or (0,) * (2 * rank))[:rank]
    return begin, [n - b for n, b in zip(total, begin, strict=True)]


# -- matrices -------------------------------------------------------------------------------------


def linear(
    low: Lowering,
    node: Node,
    view: View,
    axes: Sequence[int],
    weight: Value,
    matrix: Array | None,
    columns: int,
    bias: Value | None = None,
    *,
    groups: int = 1,
) -> tuple[str, list[int]]:
    """A layer that applies a matrix to the axes ``axes`` of ``view``; its name, and the axes that are positions."""
    rest = [axis for axis in range(len(view.axes)) if axis not in axes]
    rest = [*[a for a in channel_axes(view)[1] if a in rest], *[a for a in rest if a not in channel_axes(view)[1]]]
    count = math.prod(view.shape[axis] for axis in rest)
    grid = low.emit.grid(view.layer) if low.emit.positions(view.layer) == count > 1 else None
    if groups > 1 and grid is None:
        grid = (1, 1) if count == 1 else low._target(1, count, None)[1:]  # type: ignore[assignment]
    layer = low.placed(view, axes, rest, grid)
    shape = low.emit.shapes[layer]
    kind = "conv" if groups > 1 else "linear" if len(shape) == 3 else "dense"
    spec: dict[str, Any] = {kind: columns, "activation": "none", "bias": bias is not None}
    spec |= {"groups": groups} if groups > 1 else {}
    made = low.emit.add(node.name, spec, (columns, *shape[1:]), layer)
    _weigh(low, made, weight, matrix, _flat(bias))
    return made, rest


def gemm(low: Lowering, node: Node) -> None:
    """Gemm: alpha · A B + beta · C."""
    given = node.attributes
    a, b = low.value(node.inputs[0]), low.value(node.inputs[1])
    if not b.constant:
        _gemm_dynamic(low, node)
        return
    if a.constant:
        raise Unknown("its first operand is the constant")
    view = low.view(node.inputs[0])
    if given.get("transA"):
        view = View(view.layer, view.axes[::-1])
    matrix = None
    columns = b.shape[0] if given.get("transB") else b.shape[1]
    if b.data is not None:
        matrix = b.data.astype(np.float64) * given.get("alpha", 1.0)
        matrix = (matrix.T if given.get("transB") else matrix)[None]
    bias = low.net.optional(node, 2)
    fits = (
        bias is not None and bias.constant and bias.size in (1, columns) and bias.shape[-1:] in ((columns,), (1,), ())
    )
    scaled = replace(bias, data=_spread(bias, columns, given.get("beta", 1.0))) if fits and bias is not None else None
    made, rest = linear(low, node, view, [1], b, matrix, columns, scaled)
    low.views[node.outputs[0]] = low.arranged(made, low.shape(node.outputs[0]), [1], rest)
    if bias is not None and not fits:
        from archsim.workload.onnx.rules_vector import add_operand  # noqa: PLC0415 (rules of both call each other)

        add_operand(low, node, node.inputs[2])
    _activate(low, node)


def _spread(bias: Value, columns: int, beta: float) -> Array | None:
    return None if bias.data is None else np.broadcast_to(bias.data.astype(np.float64).reshape(-1) * beta, (columns,))


def _gemm_dynamic(low: Lowering, node: Node) -> None:
    letters = "km" if node.attributes.get("transA") else "mk", "nk" if node.attributes.get("transB") else "kn"
    low.finish(node, dynamic_product(low, node, node.inputs[0], node.inputs[1], *letters, "mn"))
    if low.net.optional(node, 2) is not None:
        from archsim.workload.onnx.rules_vector import add_operand  # noqa: PLC0415 (rules of both call each other)

        add_operand(low, node, node.inputs[2])


_LETTERS: Final = "abcdefgh"


def matmul(low: Lowering, node: Node) -> None:
    """MatMul, as a contraction over one axis; leading axes of both go along."""
    a, b = low.value(node.inputs[0]), low.value(node.inputs[1])
    left, right = _matmul_letters(len(a.shape), len(b.shape))
    out = "".join(c for c in left if c not in "km") if len(a.shape) >= len(b.shape) else ""
    if len(a.shape) < len(b.shape):
        out = "".join(c for c in right if c not in "kn")
    out += ("m" if "m" in left else "") + ("n" if "n" in right else "")
    scale = float(node.attributes.get("alpha", 1.0))
    if node.attributes.get("transA"):
        left = left[:-2] + left[:-3:-1]
    if node.attributes.get("transB"):
        right = right[:-2] + right[:-3:-1]
    _contract(low, node, left, right, out, scale)
    if len(node.inputs) > 2 and node.inputs[2]:  # of a quantised product with bias
        from archsim.workload.onnx.rules_vector import add_operand  # noqa: PLC0415 (rules of both call each other)

        add_operand(low, node, node.inputs[2])


def _matmul_letters(a: int, b: int) -> tuple[str, str]:
    left = (_LETTERS[len(_LETTERS) - (a - 2) :] if a > 2 else "") + ("mk" if a > 1 else "k")
    right = (_LETTERS[len(_LETTERS) - (b - 2) :] if b > 2 else "") + ("kn" if b > 1 else "k")
    return left, right


def einsum(low: Lowering, node: Node) -> None:
    """Einsum of one operand or two."""
    equation = str(node.attributes["equation"]).replace(" ", "")
    terms, arrow, out = equation.partition("->")
    parts = terms.split(",")
    spare = "".join(c for c in string.ascii_uppercase if c not in equation)
    for k, part in enumerate(parts):
        if "..." in part:
            missing = len(low.shape(node.inputs[k])) - len(part) + 3
            parts[k] = part.replace("...", spare[10 - missing : 10])
    most = max(("".join(c for c in p if c in spare) for p in parts), key=len)
    out = out.replace("...", most)
    letters = "".join(parts)
    if not arrow:
        out = most + "".join(sorted(c for c in set(letters) - set(most) if letters.count(c) == 1))
    if len(parts) > 2 or any(len(set(part)) < len(part) for part in (*parts, out)):
        raise Unknown(f"its equation is {equation!r:.80}")
    if len(parts) == 2:
        _contract(low, node, parts[0], parts[1], out, 1.0)
        return
    from archsim.workload.onnx.rules_pool import reduced  # noqa: PLC0415 (rules of both call each other)

    view = reduced(low, node, low.view(node.inputs[0]), [k for k, c in enumerate(parts[0]) if c not in out], "sum")
    low.finish(node, View(view.layer, tuple(view.axes[parts[0].index(c)] for c in out)))


def _contract(low: Lowering, node: Node, left: str, right: str, out: str, scale: float) -> None:
    """The sum over all letters that ``out`` does not have, of two tensors with axes named by letters."""
    a, b = low.value(node.inputs[0]), low.value(node.inputs[1])
    if a.constant and b.constant:
        raise Unknown("it depends on no input")
    if not a.constant and not b.constant:
        low.finish(node, dynamic_product(low, node, node.inputs[0], node.inputs[1], left, right, out))
        return
    if a.constant:
        _constant_product(low, node, node.inputs[1], right, a, left, out, scale)
    else:
        _constant_product(low, node, node.inputs[0], left, b, right, out, scale)


def _constant_product(
    low: Lowering, node: Node, name: str, letters: str, weight: Value, weighed: str, out: str, scale: float
) -> None:
    """The product of an activation and a constant: a matrix, or one for each group where both share a letter."""
    view = low.view(name)
    sizes = dict(zip(weighed, weight.shape, strict=True))
    own = dict(zip(letters, view.shape, strict=True))
    shared = [c for c in letters if c in weighed and c in out and sizes[c] > 1]
    if any(own[c] != sizes[c] for c in shared):
        raise Unknown("its batches are of different sizes")
    summed = [c for c in weighed if c in letters and c not in out]
    columns = [c for c in weighed if c in out and (c not in letters or (sizes[c] > 1 and own[c] == 1))]
    if any(c not in out and c not in summed for c in letters):
        raise Unknown("it sums over an axis of one operand alone")
    groups = math.prod(sizes[c] for c in shared)
    width = math.prod(sizes[c] for c in columns)
    matrix = None
    if weight.data is not None:
        ones = [c for c in weighed if c not in (*shared, *summed, *columns)]
        order = [weighed.index(c) for c in (*ones, *shared, *summed, *columns)]
        rows = math.prod(sizes[c] for c in summed)
        matrix = weight.data.astype(np.float64).transpose(order).reshape(groups, rows, width) * scale
    axes = [letters.index(c) for c in (*shared, *summed)]
    made, rest = linear(low, node, view, axes, weight, matrix, groups * width, groups=groups)
    channels = [out.index(c) for c in (*shared, *columns)]
    positions = [out.index(letters[k]) for k in rest if letters[k] in out and letters[k] not in columns]
    shape = low.shape(node.outputs[0])
    left_over = [k for k in range(len(shape)) if k not in channels and k not in positions]
    low.finish(node, low.arranged(made, shape, channels, [*positions, *left_over]))


def dynamic_product(
    low: Lowering, node: Node, first: str, second: str, left: str, right: str, out: str, *, causal: bool = False
) -> View:
    """The product of two activations, in as many heads as they have letters in common with the result.

    The second's positions are either what is left over (scores: queries by keys) or what is summed over (scores by
    values).
    """
    a, b = low.view(first), low.view(second)
    if low.steps is not None:
        raise NeedsPositionsError
    sizes = dict(zip(left, a.shape, strict=True))
    for letter, size in zip(right, b.shape, strict=True):
        sizes[letter] = max(size, sizes.get(letter, 1))
    heads = [c for c in left if c in right and c in out and sizes[c] > 1]
    summed = [c for c in left if c in right and c not in out]
    if any(c not in out and c not in summed for c in left + right):
        raise Unknown("it sums over an axis of one operand alone")
    rows = [c for c in left if c in out and c not in heads]
    columns = [c for c in right if c in out and c not in heads and c not in rows]
    keys = all(atom.dimension == "C" for c in summed for atom in b.axes[right.index(c)])
    query = low.placed(a, [left.index(c) for c in heads + summed], [left.index(c) for c in rows], _tokens(sizes, rows))
    along, across = (columns, summed) if keys else (summed, columns)
    other = low.placed(
        b,
        [right.index(c) for c in heads + across if c in right],
        [right.index(c) for c in along],
        _tokens(sizes, along),
        repeat=True,
    )
    count = math.prod(sizes[c] for c in heads)
    repeated = math.prod(atom.size for c in heads for atom in b.axes[right.index(c)] if atom.dimension == "R")
    spec: dict[str, Any] = {"matmul": other, "heads": count, "transpose": keys}
    spec |= {"kv_heads": count // repeated} if repeated > 1 else {}
    spec |= {"causal": True} if causal else {}
    shape = [sizes[c] for c in out]
    width = count * math.prod(sizes[c] for c in columns)
    made = low.emit.add(node.name, spec, (width, *low.emit.shapes[query][1:]), query)
    channels = [out.index(c) for c in heads + columns]
    return low.arranged(made, shape, channels, [k for k in range(len(shape)) if k not in channels])


def _tokens(sizes: dict[str, int], letters: Sequence[str]) -> tuple[int, int]:
    return math.prod(sizes[c] for c in letters), 1


def matmul_nbits(low: Lowering, node: Node) -> None:
    """MatMulNBits: a matrix quantised in blocks, of N columns, K rows and a few bits a weight."""
    given = node.attributes
    rows, columns, bits = int(given["K"]), int(given["N"]), int(given["bits"])
    weight = replace(low.value(node.inputs[1]), shape=(rows, columns), bits=bits, data=None)
    view = low.view(node.inputs[0])
    bias = low.net.optional(node, 5)
    made, rest = linear(low, node, view, [len(view.axes) - 1], weight, None, columns, bias)
    shape = low.shape(node.outputs[0])
    low.finish(node, low.arranged(made, shape, [len(shape) - 1], rest))


RULES: Final[dict[str, Rule]] = {
    "Conv": conv,
    "FusedConv": conv,
    "ConvTranspose": conv_transpose,
    "Gemm": gemm,
    "FusedGemm": gemm,
    "MatMul": matmul,
    "FusedMatMul": matmul,
    "MatMulNBits": matmul_nbits,
    "Einsum": einsum,
}
