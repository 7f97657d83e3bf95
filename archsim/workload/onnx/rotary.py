"""Rotary position embeddings (Su et al., arXiv:2104.09864), recognised where an exporter writes them in pieces.

x · cos + turned(x) · sin, where turned(x) joins the negated second half of the last axis with the first half, and
cosines and sines are constants or follow from positions: two products and a sum a value, within each head.
"""

from __future__ import annotations

from typing import Any, Final

from archsim.workload.onnx.layout import Atom, View, joined
from archsim.workload.onnx.lower import Lowering, Rule
from archsim.workload.onnx.net import Net
from archsim.workload.onnx.trace import Node

__all__ = ["ROTARY", "RULES", "fuse_rotary", "rotated"]

ROTARY: Final = "Rotary"
"""The operator of a recognised embedding: of a tensor, cosines and sines."""


def fuse_rotary(net: Net) -> None:
    """Replace each rotary embedding in ``net`` by one node."""
    fused = {node.outputs[0]: made for node in net.nodes if (made := _fused(net, node)) is not None}
    net.rewrite([fused.get(node.outputs[0], node) for node in net.nodes], {})


def _fused(net: Net, node: Node) -> Node | None:
    """The embedding whose last node is ``node``, an Add."""
    parts = [net.maker.get(name) for name in node.inputs]
    if node.op != "Add" or len(parts) != 2:
        return None
    for plain, turned in (parts, parts[::-1]):
        first, second = _times_table(net, plain), _times_table(net, turned)
        if first is None or second is None:
            continue
        (x, cosines), (y, sines) = first, second
        if _turned_from(net, y) == x:
            return Node(node.name, ROTARY, (x, cosines, sines), node.outputs, {})
    return None


def _times_table(net: Net, node: Node | None) -> tuple[str, str] | None:
    """The activation and the constant that ``node`` multiplies, where nothing else reads the product."""
    if node is None or node.op != "Mul" or net.single_reader(node.outputs[0]) is None:
        return None
    constant = [net.value(name).constant for name in node.inputs]
    if sum(constant) != 1:
        return None
    k = constant.index(True)
    return node.inputs[1 - k], node.inputs[k]


def _turned_from(net: Net, name: str) -> str | None:
    """The tensor of which ``name`` is the second half of the last axis, negated, and then the first."""
    node = net.maker.get(name)
    if node is None or node.op != "Concat" or len(node.inputs) != 2:
        return None
    rank = len(net.value(name).shape)
    if int(node.attributes["axis"]) % rank != rank - 1:
        return None
    negated = net.maker.get(node.inputs[0])
    if negated is None or negated.op != "Neg":
        return None
    high, low = _half(net, negated.inputs[0]), _half(net, node.inputs[1])
    if high is None or low is None or high[0] != low[0]:
        return None
    length = net.value(high[0]).shape[-1]
    return high[0] if (high[1], low[1]) == (length - length // 2, 0) else None


def _half(net: Net, name: str) -> tuple[str, int] | None:
    """The tensor whose last axis ``name`` is half of, and where that begins."""
    node, value = net.maker.get(name), net.value(name)
    if node is None or node.op not in ("Slice", "Split"):
        return None
    source = net.value(node.inputs[0])
    if source.shape != (*value.shape[:-1], 2 * value.shape[-1]):
        return None
    if node.op == "Split":
        return (source.name, value.shape[-1] * node.outputs.index(name)) if len(node.outputs) == 2 else None
    start = net.value(node.inputs[1]).data if len(node.inputs) > 1 else node.attributes.get("starts")
    return None if start is None or len(start) != 1 else (source.name, int(start[0]) % source.shape[-1])


def rotated(low: Lowering, node: Node, view: View, width: int) -> View:
    """The layer of a rotary embedding of heads of ``width`` values: two products and a sum a value, head by head."""
    shape = low.emit.shapes[view.layer]
    spec: dict[str, Any] = {"vector": {"multiply": 2 * shape[0], "add": shape[0]}, "operands": [view.layer]}
    within = joined(view.axes[-1])[-1:] == (Atom("C", 1, width),) or view.axes[-1][-1:] == (Atom("C", 1, shape[0]),)
    heads = shape[0] // width if within and shape[0] % width == 0 else 1
    return View(low.emit.add(node.name, spec | {"groups": heads, "what": "rotary"}, shape), view.axes)


def _rule(low: Lowering, node: Node) -> None:
    view = low.view(node.inputs[0])
    low.finish(node, rotated(low, node, view, view.shape[-1]))


RULES: Final[dict[str, Rule]] = {ROTARY: _rule}
