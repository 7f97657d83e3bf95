"""Rules for pooling and reduction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from archsim.workload.onnx.layout import View
from archsim.workload.onnx.lower import Lowering, NeedsPositionsError, Rule, Unknown
from archsim.workload.onnx.rules_shape import channel_axes, image_of
from archsim.workload.onnx.rules_vector import whole_vector
from archsim.workload.onnx.trace import Node
from archsim.workload.onnx.windows import image_axes, window_of

__all__ = ["RULES", "reduced"]

Work = Mapping[str, int]


def pool(low: Lowering, node: Node) -> None:
    """MaxPool, AveragePool and LpPool of one to three dimensions."""
    if low.wanted(node, 1):
        raise Unknown("its second output, indices, is read")
    view = low.view(node.inputs[0])
    shape = low.shape(node.outputs[0])
    rank = len(shape) - 2
    kernel = node.attributes["kernel_shape"]
    window = window_of(node.attributes, kernel, view.shape[2:], shape[2:])
    kind = "maxpool" if "Max" in node.op else "avgpool"
    count = math.prod(kernel)
    each = {"max": count - 1} if kind == "maxpool" else {"add": count - 1, "multiply": 1}
    if node.op == "LpPool":
        each = {"multiply": count, "add": count - 1, "sqrt": 1}
    dilated = set(window.dilation) != {1}
    odd = any(b >= k or e >= k for b, e, k in zip(window.begin, window.end, kernel, strict=True))
    batch, rows, columns = image_axes(view.shape[0], rank)
    if batch and view.shape[0] != 1:
        low.batched(view.shape[0])
    if rank > 3 or dilated or odd or node.op == "LpPool":
        _any_pool(low, node, view, each)
        return
    layer = image_of(low, view, [1], rows, columns)
    size = low.emit.shapes[layer]
    out = (size[0], *(math.prod(shape[k] for k in axes) for axes in (rows, columns)))
    whole = bool(batch) and window.kernel == view.shape[2:] and not any(window.begin + window.end)
    if whole:
        spec: dict[str, Any] = {"globalpool": "max" if kind == "maxpool" else "average"}
    else:
        sizes = window.spec(along_columns=not batch, frames=view.shape[2])
        spec = {kind: sizes.pop("kernel"), "pad": sizes.pop("pad", 0), **sizes}
    made = low.emit.add(node.name, spec, out, layer)
    low.finish(node, low.fresh(made, shape, [1]))


def _any_pool(low: Lowering, node: Node, view: View, each: Work) -> None:
    whole_vector(low, node, node.outputs[0], {k: n for k, n in each.items() if n} or {"max": 1})


def global_pool(low: Lowering, node: Node) -> None:
    """GlobalAveragePool and GlobalMaxPool."""
    view = low.view(node.inputs[0])
    _over_positions(low, node, view, list(range(2, len(view.axes))), "max" if "Max" in node.op else "mean")


_REDUCES: Final = {
    "ReduceSum": "sum",
    "ReduceMean": "mean",
    "ReduceMax": "max",
    "ReduceMin": "min",
    "ReduceProd": "product",
    "ReduceL1": "l1",
    "ReduceL2": "l2",
    "ReduceSumSquare": "sum_square",
    "ReduceLogSumExp": "log_sum_exp",
    "ReduceLogSum": "log_sum_exp",
}


def reduce(low: Lowering, node: Node) -> None:
    """A reduction over channels, over positions, or over both."""
    view = low.view(node.inputs[0])
    rank = len(view.axes)
    axes = node.attributes.get("axes")
    if axes is None and len(node.inputs) > 1 and node.inputs[1]:
        data = low.value(node.inputs[1]).data
        if data is None:
            raise Unknown("its axes depend on data")
        axes = data.reshape(-1).tolist()
    if not axes:
        if node.attributes.get("noop_with_empty_axes"):
            low.finish(node, view)
            return
        axes = list(range(rank))
    _over_positions(low, node, view, sorted(int(axis) % rank for axis in axes), _REDUCES[node.op])


def _over_positions(low: Lowering, node: Node, view: View, axes: Sequence[int], kind: str) -> None:
    low.finish(node, low.reshaped(reduced(low, node, view, axes, kind), low.shape(node.outputs[0])))


def reduced(low: Lowering, node: Node, view: View, axes: Sequence[int], kind: str) -> View:
    """``view`` with ``axes`` reduced to a length of 1."""
    channels, positions = channel_axes(view)
    long = [k for k in axes if view.axes[k]]
    kept = [k for k in range(len(view.axes)) if k not in long and view.axes[k]]
    atoms = [atom for k in long for atom in view.axes[k]]
    if not atoms:
        return view
    if low.steps is not None and any(atom.dimension == "S" for atom in atoms):
        raise NeedsPositionsError
    over_c = {k for k in long if k in channels}
    over_p = {k for k in long if k in positions}
    if over_p == set(long) and len(over_p) < len(positions):
        view, layer = _moved_aside(low, view, kept, long)
    elif over_c and (over_c != set(channels) or (over_p and over_p != set(positions))):
        others = [k for k in (*channels, *positions) if k not in long]
        grid = None
        layer = low.placed(view, long, others, grid)
        view = low.arranged(layer, view.shape, long, others)
        over_c, over_p = set(long), set()
    layer = view.layer
    if over_p and not over_c:
        if len(low.emit.shapes[layer]) == 1:
            raise Unknown
        made = _positions_reduced(low, node, layer, kind, low.emit.channels(layer))
        axes_left = tuple(() if k in long else axis for k, axis in enumerate(view.axes))
    elif over_c and not over_p:
        out = (1, *low.emit.shapes[layer][1:])
        made = low.emit.add(node.name, {"reduce": kind}, out, layer)
        axes_left = tuple(() if k in long else axis for k, axis in enumerate(view.axes))
    else:
        out = (1,) * len(low.emit.shapes[layer])
        made = low.emit.add(node.name, {"reduce": kind, "over": "all"}, out, layer)
        axes_left = ((),) * len(view.axes)
    return View(made, axes_left)


def _positions_reduced(low: Lowering, node: Node, layer: str, kind: str, width: int) -> str:
    if kind in ("mean", "max"):
        spec: dict[str, Any] = {"globalpool": "average" if kind == "mean" else "max"}
    else:
        spec = {"reduce": kind, "over": "positions"}
    return low.emit.add(node.name, spec, (width, 1, 1), layer)


def _moved_aside(low: Lowering, view: View, kept: Sequence[int], long: Sequence[int]) -> tuple[View, str]:
    """Some positions are reduced and others kept: those that stay are laid out as channels."""
    layer = low.placed(view, kept, long, low._target(1, math.prod(view.shape[k] for k in long), None)[1:])  # type: ignore[arg-type]
    return low.arranged(layer, view.shape, kept, long), layer


def arg_max(low: Lowering, node: Node) -> None:
    """ArgMax, ArgMin and TopK: a comparison a value and result."""
    view = low.view(node.inputs[0])
    for output, name in enumerate(node.outputs):
        if low.wanted(node, output):
            out = low.value(name)
            often = -(-math.prod(view.shape) // max(1, out.size))
            whole_vector(low, node, name, {"max": often})


RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), global_pool),
    **dict.fromkeys(_REDUCES, reduce),
    **dict.fromkeys(("ArgMax", "ArgMin", "TopK"), arg_max),
}
