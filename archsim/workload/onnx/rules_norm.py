"""Rules for softmax and normalisation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from archsim.workload.onnx.layout import View, full, joined
from archsim.workload.onnx.lower import Lowering, Rule, Unknown
from archsim.workload.onnx.rules_shape import channel_axes
from archsim.workload.onnx.rules_vector import add_operand, binary, vector
from archsim.workload.onnx.trace import Node

__all__ = ["RULES", "softmax"]

Work = Mapping[str, int]


def softmax(low: Lowering, node: Node) -> None:
    """Softmax and LogSoftmax over one axis, or before opset 13 over all from one axis on."""
    view = low.view(node.inputs[0])
    rank = len(view.axes)
    old = low.net.opset < 13 and node.op in ("Softmax", "LogSoftmax") and not node.attributes.get("one")
    axis = int(node.attributes.get("axis", 1 if old else -1)) % max(rank, 1)
    axes = list(range(axis, rank)) if old else [axis]
    axes = [k for k in axes if view.axes[k]] or [axis]
    size = math.prod(view.shape[k] for k in axes)
    if joined([a for k in axes for a in view.axes[k]]) != full("C", size):
        others = [k for k in range(rank) if k not in axes and view.axes[k]]
        layer = low.placed(view, axes, others, None)
        view = low.arranged(layer, view.shape, axes, others)
    groups = low.emit.channels(view.layer) // size
    spec: dict[str, Any] = {"softmax": groups} if groups > 1 else {"activation": "softmax"}
    made = low.emit.add(node.name, spec, low.emit.shapes[view.layer], view.layer)
    if node.op.endswith("LogSoftmax"):
        made = low.emit.add(f"{node.name}.log", {"activation": "log"}, low.emit.shapes[made], made)
    low.finish(node, View(made, view.axes))


def normalisation(low: Lowering, node: Node) -> None:
    """LayerNormalization and RMSNormalization over the last axes, with scale and shift."""
    view = low.view(node.inputs[0])
    rank = len(view.axes)
    rms = "RMS" in node.op or "Simplified" in node.op
    axis = int(node.attributes.get("axis", -1)) % rank
    axes = [axis] if node.attributes.get("only") else list(range(axis, rank))
    others = [k for k in range(rank) if k not in axes]
    scale = not node.attributes.get("only")
    shift = scale and low.net.optional(node, 2) is not None and not rms
    _norm(low, node, view, axes, others, "rms" if rms else "layer", scale, shift)


def _norm(
    low: Lowering,
    node: Node,
    view: View,
    axes: Sequence[int],
    others: Sequence[int],
    kind: str,
    scale: bool,
    shift: bool,
) -> None:
    wide = joined([a for k in axes for a in view.axes[k]])
    size = math.prod(view.shape[k] for k in axes)
    channels = low.emit.channels(view.layer)
    if all(atom.dimension == "C" for atom in wide) and size < channels and wide == full("C", size):
        _head_norm(low, node, view, size, kind, scale, shift)
        return
    if wide != full("C", channels):
        order = [k for k in channel_axes(view)[1] if k in others]
        order += [k for k in others if k not in order]
        count = math.prod(view.shape[k] for k in order)
        grid = low.emit.grid(view.layer) if low.emit.positions(view.layer) == count > 1 else None
        layer = low.placed(view, axes, order, grid)
        view = low.arranged(layer, view.shape, axes, order)
    spec: dict[str, Any] = {"norm": kind, "scale": scale, "shift": shift}
    made = low.emit.add(node.name, spec, low.emit.shapes[view.layer], view.layer)
    low.finish(node, View(made, view.axes))


def _head_norm(low: Lowering, node: Node, view: View, size: int, kind: str, scale: bool, shift: bool) -> None:
    """A norm over a part of the channels, as of each head: counted as archsim counts the norm of a whole."""
    groups = low.emit.channels(view.layer) // size
    centred = kind == "layer"
    work = {
        "add": groups * (size + (2 * size - 1) * centred + size * shift),
        "multiply": groups * (2 * size + 1 + centred + size * scale),
        "sqrt": groups,
        "divide": groups,
    }
    spec: dict[str, Any] = {"vector": work, "operands": [view.layer], "groups": groups, "what": f"{kind} norm"}
    parameters = size * (scale + shift)
    spec |= {"parameters": parameters} if parameters else {}
    low.finish(node, View(low.emit.add(node.name, spec, low.emit.shapes[view.layer]), view.axes))


def skip_norm(low: Lowering, node: Node) -> None:
    """SkipLayerNormalization(x, skip, gamma, beta, bias) and its simplified form: a sum, then the norm."""
    total = node.outputs[3] if len(node.outputs) > 3 and node.outputs[3] else f"{node.outputs[0]}.sum"
    low.net.values.setdefault(total, low.value(node.outputs[0]).named(total))
    simple = "Simplified" in node.op
    bias = node.inputs[3 if simple else 4] if len(node.inputs) > (3 if simple else 4) else ""
    binary(low, Node(f"{node.name}.sum", "Add", node.inputs[:2], (total,), {}))
    if bias:
        add_operand(low, Node(f"{node.name}.bias", "Add", (), (total,), {}), bias)
    op = "RMSNormalization" if simple else "LayerNormalization"
    shift = node.inputs[3:4] if not simple else ()
    normalisation(low, Node(node.name, op, (total, node.inputs[2], *shift), node.outputs[:1], node.attributes))


def embed_norm(low: Lowering, node: Node) -> None:
    """EmbedLayerNormalization(tokens, segments, three tables, gamma, beta): rows added, then a norm."""
    view = low.view(node.inputs[0])
    shape = low.shape(node.outputs[0])
    tables = [value for k in (2, 3, 4) if (value := low.net.optional(node, k)) is not None]
    order = [k for k in range(len(view.axes)) if view.axes[k]]
    layer = low.placed(view, [], order, None)
    spec: dict[str, Any] = {"embedding": shape[-1], "rows": [table.shape[0] for table in tables]}
    out = (shape[-1], *low.emit.shapes[layer][1:])
    made = low.emit.add(f"{node.name}.rows", spec, out, layer)
    norm = low.emit.add(node.name, {"norm": "layer", "scale": True, "shift": True}, out, made)
    low.finish(node, low.fresh(norm, shape, [len(shape) - 1]))


def image_norm(low: Lowering, node: Node) -> None:
    """InstanceNormalization and GroupNormalization: statistics over all positions of channels."""
    view = low.view(node.inputs[0])
    groups = int(node.attributes.get("num_groups", 0))
    width = low.emit.channels(view.layer)
    first = joined(view.axes[1])
    if view.shape[0] != 1:
        low.batched(view.shape[0])
    if not groups and first != full("C", width):  # groups of channels by a reshape before
        outer = first[0] if len(first) == 1 and first[0].dimension == "C" else None
        if outer is None or outer.stride * outer.size != width:
            raise Unknown("its channels are no channels of a layer")
        groups = outer.size
        spec: dict[str, Any] = {"norm": "group", "groups": groups, "scale": False, "shift": False}
    else:
        kind = "group" if groups else "instance"
        spec = {"norm": kind, "shift": True} | ({"groups": groups} if groups else {})
    layer = view.layer
    if len(low.emit.shapes[layer]) != 3:
        layer = low.emit.add(f"{layer}.grid", {"move": [width, 1, 1], "what": "reshape"}, (width, 1, 1), layer)
    made = low.emit.add(node.name, spec, low.emit.shapes[layer], layer)
    low.finish(node, View(made, view.axes))


def lrn(low: Lowering, node: Node) -> None:
    """LRN over n neighbouring channels: squares, n - 1 additions, scale and shift, a power, a product."""
    view = low.view(node.inputs[0])
    size = int(node.attributes["size"])
    each = {"multiply": 3, "add": size, "lookup": 1}
    low.finish(node, View(vector(low, node, view.layer, each, (), 0, groups=1), view.axes))


def lp_normalisation(low: Lowering, node: Node) -> None:
    """LpNormalization: squares, their sum, a root, and quotients, within the axis."""
    view = low.view(node.inputs[0])
    each = {"multiply": 1, "add": 1, "divide": 1}
    low.finish(node, View(vector(low, node, view.layer, each, (), 0, groups=1), view.axes))


def mean_variance(low: Lowering, node: Node) -> None:
    """MeanVarianceNormalization over the positions of each channel."""
    view = low.view(node.inputs[0])
    if list(node.attributes.get("axes", [0, 2, 3])) != [0, 2, 3] or view.shape[0] != 1:
        raise Unknown("its axes are not those of an image")
    spec = {"norm": "instance", "scale": False, "shift": False}
    low.finish(node, View(low.emit.add(node.name, spec, low.emit.shapes[view.layer], view.layer), view.axes))


RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(("Softmax", "LogSoftmax"), softmax),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"), normalisation),
    **dict.fromkeys(("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), skip_norm),
    "EmbedLayerNormalization": embed_norm,
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization"), image_norm),
    "MeanVarianceNormalization": mean_variance,
    "LRN": lrn,
    "LpNormalization": lp_normalisation,
}
