"""Which axes of the network's inputs are channels, and which positions or steps."""

from __future__ import annotations

import math
from typing import Final

from archsim.workload.onnx.layout import View, full, raster
from archsim.workload.onnx.lower import Lowering, NeedsPositionsError, _grid
from archsim.workload.onnx.net import Net
from archsim.workload.onnx.tensors import words

__all__ = ["place_inputs"]

_SECOND: Final = words(
    "Conv ConvTranspose FusedConv MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool "
    "InstanceNormalization GroupNormalization LRN Resize Upsample DepthToSpace SpaceToDepth"
)
"""Operators that have channels as their second axis."""

_THROUGH: Final = words("Affine Relu Clip Add Mul Sub Div Pad Tanh Sigmoid LeakyRelu Cast Abs Sqrt Log Exp Pow")
"""Operators whose output has the axes of their input."""

Axes = tuple[int | None, ...]


def place_inputs(low: Lowering) -> None:
    """Give each input of the network a view."""
    net = low.net
    read = [name for name in net.inputs if name in net.readers or name in net.outputs]
    for name in read:
        shape = net.values[name].shape
        if math.prod(shape) == 0:
            low.emit.note(f"the input {name} is empty")
            continue
        channels = _channels(net, name, tuple(range(len(shape))), 0)
        _place(low, name, shape, channels, alone=len(read) == 1)


def _place(low: Lowering, name: str, shape: tuple[int, ...], channels: list[int], *, alone: bool) -> None:
    rest = [axis for axis in range(len(shape)) if axis not in channels and shape[axis] > 1]
    width = math.prod(shape[axis] for axis in channels)
    count = math.prod(shape[axis] for axis in rest)
    own = "input" if alone else name
    if low.steps is not None and count not in (1, low.steps):
        raise NeedsPositionsError
    if low.steps is not None and count == low.steps:
        layer = _add(low, own, (width,), alone)
        axes = [full("S", shape[axis]) if axis in rest else () for axis in range(len(shape))]
    else:
        lengths = [shape[axis] for axis in rest]
        grid = (lengths[0], lengths[1]) if len(lengths) == 2 and max(lengths) <= 65536 else _grid(count)
        image = count > 1 or len(shape) >= 3
        layer = _add(low, own, (width, *grid) if image else (width,), alone)
        axes = [()] * len(shape)
        for axis, atoms in zip(rest, raster("P", lengths), strict=True):
            axes[axis] = atoms
    for axis, atoms in zip(channels, raster("C", [shape[axis] for axis in channels]), strict=True):
        axes[axis] = atoms
    low.views[name] = View(layer, tuple(axes))


def _add(low: Lowering, name: str, shape: tuple[int, ...], alone: bool) -> str:
    if alone:
        low.emit.inputs[name] = low.emit.shapes[name] = shape
        return name
    return low.emit.input(name, shape)


def _channels(net: Net, name: str, axes: Axes, depth: int) -> list[int]:
    """The axes of an input that the first operator with channels takes for them; else the last.

    ``axes`` tells which axis of the input each axis of the tensor ``name`` is.
    """
    found = _search(net, name, axes, depth)
    if found is not None:
        return found
    real = [axis for axis in axes if axis is not None]
    return [max(real)] if real else []


def _search(net: Net, name: str, axes: Axes, depth: int) -> list[int] | None:
    if depth > 40:
        return None
    for node in net.readers.get(name, []):
        if node.op.removeprefix("com.microsoft.") in _SECOND and len(axes) >= 3 and node.inputs[0] == name:
            return [axes[1]] if axes[1] is not None else []
        if node.op == "Gather" and net.values[node.inputs[0]].constant and node.inputs[1] == name:
            return []
        if node.op.endswith("EmbedLayerNormalization"):
            return []
        after = _followed(net, node.op, node.attributes, axes, node)
        if after is not None and (found := _search(net, node.outputs[0], after, depth + 1)) is not None:
            return found
    return None


def _followed(net: Net, op: str, attributes: object, axes: Axes, node: object) -> Axes | None:
    """Which axis of the input each axis of a node's output is, where that can be told."""
    from archsim.workload.onnx.trace import Node  # noqa: PLC0415

    assert isinstance(node, Node)
    out = net.values[node.outputs[0]].shape
    if op == "Transpose":
        order = node.attributes.get("perm") or list(range(len(axes)))[::-1]
        return tuple(axes[k] for k in order)
    if op in _THROUGH and len(out) == len(axes):
        return axes
    if op in ("Unsqueeze", "Squeeze", "Reshape"):
        before = net.values[node.inputs[0]].shape
        if [n for n in before if n > 1] != [n for n in out if n > 1]:
            return None
        left = [axis for axis, n in zip(axes, before, strict=True) if n > 1]
        return tuple(left.pop(0) if n > 1 else None for n in out)
    return None
