"""Rules for element-wise work, which vector units do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from archsim.workload.onnx.layout import View, full, joined
from archsim.workload.onnx.lower import Lowering, NeedsPositionsError, Rule, Unknown
from archsim.workload.onnx.net import scalar
from archsim.workload.onnx.rules_shape import channel_axes, default_channels
from archsim.workload.onnx.simplify import AFFINE
from archsim.workload.onnx.trace import Node

__all__ = ["RULES", "activation", "add_operand", "affine", "binary", "other", "vector", "whole_vector"]

Work = Mapping[str, int]

# -- functions of one value -----------------------------------------------------------------------

_FUNCTIONS: Final = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Gelu": "gelu",
    "FastGelu": "gelu",
    "QuickGelu": "silu",
    "Silu": "silu",
    "Swish": "silu",
    "LeakyRelu": "leaky_relu",
    "Clip": "clip",
    "HardSigmoid": "hard_sigmoid",
    "HardSigmoid6": "hard_sigmoid",
    "HardSwish": "hard_swish",
    "Elu": "elu",
    "Selu": "elu",
    "Celu": "elu",
    "Softplus": "softplus",
    "Mish": "mish",
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Reciprocal": "reciprocal",
    "Abs": "abs",
    "Neg": "negate",
    "Erf": "erf",
    **dict.fromkeys(
        ["Sin", "Cos", "Tan", "Sinh", "Cosh", "Asin", "Acos", "Atan", "Asinh", "Acosh", "Atanh", "Softsign"], "lookup"
    ),
}
_UNARY: Final[dict[str, Work]] = {
    "Floor": {"add": 1},
    "Ceil": {"add": 1},
    "Round": {"add": 1},
    "Sign": {"max": 1},
    "Not": {"add": 1},
    "ThresholdedRelu": {"max": 1},
    "Shrink": {"max": 2, "add": 1},
    "IsNaN": {"max": 1},
    "IsInf": {"max": 1},
    "Cast": {"add": 1},
    "CumSum": {"add": 1},
    "Trilu": {"multiply": 1},
    "BitwiseNot": {"add": 1},
}


def activation(low: Lowering, node: Node) -> None:
    """A function of each value, part of the layer before where that can be."""
    view = low.view(node.inputs[0])
    extra = node.inputs[1:]
    if any(name in low.views for name in extra):
        raise Unknown("its bounds depend on data")
    function = _FUNCTIONS[node.op.removeprefix("com.microsoft.")]
    shape = low.emit.shapes[view.layer]
    made = low.emit.add(node.name, {"activation": function}, shape, view.layer)
    low.finish(node, View(made, view.axes))


def _bias_gelu(low: Lowering, node: Node) -> None:
    """BiasGelu and FastGelu with a bias of its own."""
    if len(node.inputs) > 1 and node.inputs[1]:
        low.views[node.outputs[0]] = low.view(node.inputs[0])
        add_operand(low, node, node.inputs[1])
        view = low.views[node.outputs[0]]
    else:
        view = low.view(node.inputs[0])
    made = low.emit.add(node.name, {"activation": "gelu"}, low.emit.shapes[view.layer], view.layer)
    low.finish(node, View(made, view.axes))


def unary(low: Lowering, node: Node) -> None:
    """A few operations a value."""
    view = low.view(node.inputs[0])
    low.finish(node, View(vector(low, node, view.layer, _UNARY[node.op]), view.axes))


def power(low: Lowering, node: Node) -> None:
    """Pow by a constant: a square, a root, or a look-up."""
    if node.inputs[1] in low.views:
        elementwise(low, node, {"lookup": 1})
        return
    exponent = scalar(low.value(node.inputs[1]))
    view = low.view(node.inputs[0])
    shape = low.emit.shapes[view.layer]
    spec: dict[str, Any] = {"activation": {2: "square", 0.5: "sqrt", -1: "reciprocal"}.get(exponent, "lookup")}
    if exponent in (3, 4):
        made = vector(low, node, view.layer, {"multiply": 2})
    else:
        made = low.emit.add(node.name, spec, shape, view.layer)
    low.finish(node, View(made, view.axes))


def vector(
    low: Lowering,
    node: Node,
    layer: str,
    each: Work,
    others: Sequence[str] = (),
    parameters: int = 0,
    **more: Any,
) -> str:
    """A layer of the shape of ``layer`` that does ``each`` for each of its values."""
    shape = low.emit.shapes[layer]
    what = node.op.split(".")[-1].lower()[:40]
    spec: dict[str, Any] = {"vector": {unit: count * shape[0] for unit, count in each.items()}}
    spec |= {"operands": [layer, *others], "what": what, **more}
    return low.emit.add(node.name, spec | ({"parameters": parameters} if parameters else {}), shape)


# -- functions of several values ------------------------------------------------------------------

_BINARY: Final[dict[str, str]] = {"Add": "add", "Sum": "add", "Mul": "multiply", "Sub": "subtract", "Div": "divide"}
_BINARY.update({"Max": "maximum", "Min": "maximum"})
_WORK: Final[dict[str, Work]] = {
    "add": {"add": 1},
    "multiply": {"multiply": 1},
    "subtract": {"add": 1},
    "divide": {"divide": 1},
    "maximum": {"max": 1},
}
_OTHER: Final[dict[str, Work]] = {
    "Mean": {"add": 1, "multiply": 1},
    "Mod": {"divide": 1, "add": 1},
    "PRelu": {"multiply": 1, "max": 1},
    "Where": {"max": 1},
    **{op: {"max": 1} for op in ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor"]},
    **{op: {"add": 1} for op in ["BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift"]},
}


_WHOLE: Final = {6, 7, 9}
"""Element types int32, int64 and bool: shapes and masks, no parameters."""


def binary(low: Lowering, node: Node) -> None:
    """Add, Mul, Sub, Div, Max, Min, Sum."""
    elementwise(low, node, _WORK[_BINARY[node.op]], _BINARY[node.op])


def other(low: Lowering, node: Node) -> None:
    """Comparisons, choices and the like."""
    elementwise(low, node, _OTHER[node.op])


def elementwise(low: Lowering, node: Node, each: Work, kind: str = "") -> None:
    """One value of each operand makes one of the result; lengths of 1 are repeated."""
    shape = low.shape(node.outputs[0])
    names = [name for name in node.inputs if name]
    dynamic = [name for name in names if name in low.views]
    constants = [low.value(name) for name in names if name not in low.views]
    parameters = sum(value.parameters for value in constants if value.size > 1 and value.type not in _WHOLE)
    twice = len(set(dynamic)) < len(dynamic)
    main = _main(low, dynamic, shape)
    if main is None:
        whole_vector(low, node, node.outputs[0], each, parameters)
        return
    view = low.view(main)
    rest = [name for name in dict.fromkeys(dynamic) if name != main]
    if not rest and not constants and twice and len(dynamic) == 2 and kind == "multiply":
        made = low.emit.add(node.name, {"activation": "square"}, low.emit.shapes[view.layer], view.layer)
        low.finish(node, View(made, view.axes))
        return
    conformed = [_conformed(low, low.view(name), view, shape) for name in rest]
    layers = [layer for layer, _ in conformed]
    own = low.emit.shapes[view.layer]
    count = max(1, len(names) - 1)
    exact = all(fits for _, fits in conformed)
    plain = kind and not constants and not twice and layers and len({view.layer, *layers}) == len(layers) + 1
    equal = all(low.emit.shapes[layer] == own for layer in layers)
    first = main == names[0] or kind in ("add", "multiply", "maximum")
    if plain and exact and first and (equal or kind != "add"):
        spec: dict[str, Any] = {kind: layers if len(layers) > 1 else layers[0]}
        made = low.emit.add(node.name, spec | ({"activation": "none"} if kind == "add" else {}), own, view.layer)
    else:
        groups = [own[0], *(own[0] if fits and low.emit.channels(layer) == own[0] else 1 for layer, fits in conformed)]
        more = {} if exact else {"groups": groups}
        made = vector(low, node, view.layer, {k: n * count for k, n in each.items()}, layers, parameters, **more)
    low.finish(node, View(made, view.axes))


def _main(low: Lowering, names: Sequence[str], shape: tuple[int, ...]) -> str | None:
    """The operand whose layer the result has the shape of: the first of the full size without repetition."""
    for name in names:
        view = low.views[name]
        if low.shape(name) == shape and not any(atom.dimension == "R" for axis in view.axes for atom in axis):
            return name
    return None


def _conformed(low: Lowering, view: View, model: View, shape: tuple[int, ...]) -> tuple[str, bool]:
    """A layer with the values of ``view``, laid out as ``model`` is, with lengths of 1 where it is repeated; True.

    False for one with the right positions, or one for all, whose channels are another choice.
    """
    axes = ((),) * (len(shape) - len(view.axes)) + view.axes
    view = View(view.layer, axes)
    own, target = low.emit.shapes[view.layer], low.emit.shapes[model.layer]
    if view.axes == model.axes and own == target:
        return view.layer, True
    channels, positions = channel_axes(model)
    kept_c, kept_p = [k for k in channels if axes[k]], [k for k in positions if axes[k]]
    clean = all(len({atom.dimension for atom in axis}) <= 1 for axis in model.axes)
    if not clean or not _is_order(low, model, channels, positions):
        return _moved_like(low, view, model), True
    own_p = joined([atom for k in positions for atom in axes[k]])
    lies = all(atom.dimension == "C" for k in kept_c for atom in axes[k])
    if len(kept_c) < len(channels) and kept_c and lies and own_p in ((), full("P", low.emit.positions(model.layer))):
        fits = own_p == () or own[1:] == target[1:]
        if fits and low.emit.positions(view.layer) in (1, low.emit.positions(model.layer)) and low.steps is None:
            return view.layer, False
    if kept_c and len(kept_c) < len(channels):
        return _moved_like(low, view, model), True
    if kept_p and len(kept_p) < len(positions) and not _rows_or_columns(low, model, positions, kept_p):
        return _moved_like(low, view, model), True
    grid = _grid_of(low, model, positions, kept_p) if len(target) > 1 else None
    return low.placed(view, kept_c, kept_p, grid), True


def _is_order(low: Lowering, model: View, channels: Sequence[int], positions: Sequence[int]) -> bool:
    """Whether the axes in this order are all of the layer's dimensions in raster order."""
    own_c = joined([atom for axis in channels for atom in model.axes[axis]])
    own_p = joined([atom for axis in positions for atom in model.axes[axis]])
    along = full("S", low.steps) if low.steps else full("P", low.emit.positions(model.layer))
    return own_c == full("C", low.emit.channels(model.layer)) and own_p in (along, ())


def _rows_or_columns(low: Lowering, model: View, positions: Sequence[int], kept: Sequence[int]) -> bool:
    """Whether the axes ``kept`` are the rows, or the columns, of the model's grid."""
    rows, columns = low.emit.grid(model.layer)
    sizes = [math.prod(atom.size for atom in model.axes[k]) for k in positions]
    count = math.prod(math.prod(atom.size for atom in model.axes[k]) for k in kept)
    return len(sizes) == 2 and tuple(sizes) == (rows, columns) and count in (rows, columns)


def _grid_of(low: Lowering, model: View, positions: Sequence[int], kept: Sequence[int]) -> tuple[int, int]:
    rows, columns = low.emit.grid(model.layer)
    if list(kept) == list(positions):
        return rows, columns
    if not kept:
        return 1, 1
    return (rows, 1) if kept[0] == positions[0] else (1, columns)


def _moved_like(low: Lowering, view: View, model: View) -> str:
    """The values of ``view`` repeated, and laid out as ``model`` is."""
    if low.steps is not None:
        raise NeedsPositionsError
    target = low.emit.shapes[model.layer]
    key = view, model.axes, target
    if key not in low.likes:
        spec: dict[str, Any] = {"move": list(target), "reads": "whole", "groups": 1, "what": "broadcast"}
        low.likes[key] = low.emit.add(f"{view.layer}.like", spec, target, view.layer)
    return low.likes[key]


def whole_vector(low: Lowering, node: Node, name: str, each: Work, parameters: int = 0) -> None:
    """Work on each value of a result that may need any value of any operand."""
    if low.steps is not None:
        raise NeedsPositionsError
    shape = low.shape(name)
    operands = list(dict.fromkeys(low.views[n].layer for n in node.inputs if n in low.views))
    if not operands:
        raise Unknown("it depends on no input")
    channels = default_channels(shape)
    width = math.prod(shape[k] for k in channels)
    count = math.prod(n for k, n in enumerate(shape) if k not in channels)
    out = low._target(width, count, None)
    spec: dict[str, Any] = {"vector": {unit: n * width for unit, n in each.items()}, "operands": operands}
    spec |= {"shape": list(out), "reads": "whole", "groups": 1, "what": node.op.split(".")[-1].lower()[:40]}
    made = low.emit.add(node.name, spec | ({"parameters": parameters} if parameters else {}), out)
    low.finish(node, low.fresh(made, shape, channels), node.outputs.index(name))


def add_operand(low: Lowering, node: Node, name: str) -> None:
    """Add the operand ``name`` to what is the output of ``node`` so far."""
    out = node.outputs[0]
    inner = Node(f"{node.name}.add", "Add", (out, name), (out,), {})
    binary(low, inner)


def affine(low: Lowering, node: Node) -> None:
    """A scale and a shift by constants: folded into a matrix before it, else vector work."""
    given = node.attributes
    view = low.view(node.inputs[0])
    axis = given["axis"]
    if axis is not None:
        axis %= len(view.axes)
    if _folded(low, node, view, axis) or _into_norm(low, node, view, axis):
        low.finish(node, view)
        return
    scale, shift = given["scale"], given["shift"]
    each: dict[str, int] = {}
    if given["scaled"] or scale is None or not np.allclose(scale, 1):
        each["multiply"] = 1
    if given["shifted"] or shift is None or np.any(shift):
        each["add"] = 1
    width = 1 if axis is None else view.shape[axis]
    parameters = width * (bool(given["scaled"]) + bool(given["shifted"])) if width > 1 else 0
    low.finish(node, View(vector(low, node, view.layer, each or {"add": 1}, (), parameters), view.axes))


def _folded(low: Lowering, node: Node, view: View, axis: int | None) -> bool:
    """Fold a scale and shift into the layer of ``view``, if that has a matrix and nobody else reads it."""
    given = node.attributes
    spec = low.emit.layers[-1] if low.emit.layers else {}
    name = view.layer
    spec = next((s for s in reversed(low.emit.layers) if s["name"] == name), {})
    kind = next((k for k in ("conv", "dense", "linear", "local") if k in spec), "")
    if not kind or spec.get("activation") != "none" or low.net.single_reader(node.inputs[0]) is None:
        return False
    if any(s.get("input") == name or name in _named(s) for s in low.emit.layers):
        return False
    channels = low.emit.channels(name)
    if axis is not None and joined(view.axes[axis]) != full("C", channels):
        return False
    if axis is None and given["shifted"] and given["shift"] is not None and channels > 1 and not spec["bias"]:
        return False  # one shift for all is no bias a channel
    if given["scaled"]:
        if spec.get("batch_norm"):
            return False
        spec["batch_norm"] = True
    elif given["shifted"] and not spec.get("batch_norm"):
        if spec["bias"] and axis is not None and given["shift"] is not None and not np.any(given["shift"]):
            pass
        spec["bias"] = True
    held = low.emit.weights.get(name)
    if held is not None and (given["scale"] is None or given["shift"] is None):
        del low.emit.weights[name]
    elif held is not None:
        groups, _, columns = held["matrix"].shape
        scale = np.broadcast_to(given["scale"], (channels,))
        held["matrix"] = held["matrix"] * scale.reshape(groups, 1, columns)
        held["bias"] = held.get("bias", np.zeros(channels)) * scale + given["shift"]
    return True


def _into_norm(low: Lowering, node: Node, view: View, axis: int | None) -> bool:
    """Make a scale and shift part of the norm before, which has none yet."""
    spec = low.emit.layers[-1] if low.emit.layers else {}
    bare = "norm" in spec and not spec.get("scale", True) and not spec.get("shift", True)
    if not bare or spec["name"] != view.layer or axis is None:
        return False
    if low.net.single_reader(node.inputs[0]) is None:
        return False
    if joined(view.axes[axis]) != full("C", low.emit.channels(view.layer)):
        return False
    given = node.attributes
    spec["scale"], spec["shift"] = bool(given["scaled"]), bool(given["shifted"])
    low.after[spec["name"]] = node
    return True


def _named(spec: Mapping[str, Any]) -> list[str]:
    """All layers that a specification names beside its input."""
    out: list[str] = []
    for key in ("add", "multiply", "subtract", "divide", "maximum", "concat", "operands", "matmul"):
        value = spec.get(key)
        out += value if isinstance(value, list) else [value] if isinstance(value, str) else []
    return out


_ANYWHERE: Final[dict[str, Work]] = {
    "GridSample": {"multiply": 4, "add": 3},
    "RoiAlign": {"multiply": 4, "add": 3},
    "Hardmax": {"max": 1},
    "CumProd": {"multiply": 1},
    "OneHot": {"max": 1},
    "EyeLike": {"add": 1},
}
"""Operators that read any value of their operands, and what they do for each of the result."""


def anywhere(low: Lowering, node: Node) -> None:
    """Work on values from anywhere in the operands."""
    for name in node.outputs:
        if name and (name in low.net.readers or name in low.net.outputs):
            whole_vector(low, node, name, _ANYWHERE[node.op])


def swiglu(low: Lowering, node: Node) -> None:
    """SwiGLU (Shazeer, arXiv:2002.05202): the product of a half and the SiLU of the other."""
    whole_vector(low, node, node.outputs[0], {"sigmoid": 1, "multiply": 2})


RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(_FUNCTIONS, activation),
    **dict.fromkeys(("BiasGelu", "FastGelu"), _bias_gelu),
    **dict.fromkeys(_UNARY, unary),
    "Pow": power,
    **dict.fromkeys(_BINARY, binary),
    **dict.fromkeys(_OTHER, other),
    AFFINE: affine,
    **dict.fromkeys(_ANYWHERE, anywhere),
    "SwiGLU": swiglu,
}
