"""Masks and positions: what a network makes of whole-number inputs alone, before any activation comes in.

A mask of attention, an angle of a rotary embedding or a causal comparison depends on inputs of whole numbers or truth
values that reach the activations only element by element, or as the mask of an attention.  It is the same in all layers
and is known before an inference begins; a machine holds such values beside the operators that use them, as it holds
the weights, and so they are constants here, of unknown value.  An input that anything else is made of is data: words
that choose rows of an embedding, an image of bytes, a time step that a matrix is applied to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from onnx import TensorProto

from archsim.workload.onnx.net import Net
from archsim.workload.onnx.simplify import INTEGERS
from archsim.workload.onnx.tensors import words
from archsim.workload.onnx.trace import Node

__all__ = ["hold_prepared"]

_COMBINES: Final = words("Add Sub Mul Div Max Min Sum Where And Or Pow Mod Equal Greater Less")
_MASKED: Final = words("Attention MultiHeadAttention GroupQueryAttention QAttention RotaryEmbedding")
_MATRICES: Final = words("Conv ConvTranspose LSTM GRU RNN MatMulNBits FusedMatMul FusedGemm FusedConv")


def hold_prepared(net: Net) -> list[str]:
    """Turn what depends on masks and positions alone into constants; the inputs that are masks or positions."""
    read = {name for name in net.inputs if name in net.readers}
    whole = {name for name in read if net.value(name).type in INTEGERS | {TensorProto.BOOL}}
    inputs = {name for name in whole if not _closure(net, {name})[1]}
    made: set[str] = set()
    while inputs:
        made, data = _closure(net, inputs)
        if not data:
            break
        inputs -= data
    if not inputs or inputs == read:
        return []
    for name in made:
        net.values[name] = replace(net.values[name], constant=True, prepared=True, data=None)
    net.prepared = [node for node in net.nodes if node.outputs[0] in made]
    net.rewrite([node for node in net.nodes if node.outputs[0] not in made], {})
    return [name for name in net.inputs if name in inputs]


def _closure(net: Net, inputs: set[str]) -> tuple[set[str], set[str]]:
    """All tensors that are made of ``inputs`` and constants alone, and those of ``inputs`` that are data."""
    roots = {name: {name} for name in inputs}
    chosen: set[str] = set()
    data: set[str] = set()
    for node in net.nodes:
        given = [name for name in node.inputs if name and not net.value(name).constant]
        own = set().union(*(roots.get(name, set()) for name in given))
        if not own:
            continue
        outputs = [name for name in node.outputs if name]
        if all(name in roots for name in given):
            if _applies_weights(net, node):
                data |= own
            roots.update(dict.fromkeys(outputs, own))
            if chosen.intersection(given) or _looks_up(net, node):
                chosen.update(outputs)
        elif not _joins(node, roots) or (chosen.intersection(given) and node.op != "Mul"):
            data |= own  # what is chosen from a table and added is an embedding; a rotation multiplies
    return set(roots), data.union(*(roots.get(name, set()) for name in net.outputs))


def _looks_up(net: Net, node: Node) -> bool:
    """Whether a node chooses entries of a stored table of real numbers."""
    return node.op == "Gather" and net.value(node.inputs[0]).constant and net.value(node.inputs[0]).type not in INTEGERS


def _applies_weights(net: Net, node: Node) -> bool:
    """Whether a node multiplies by weights more than element by element."""
    op = node.op.split(".")[-1]
    if op in ("MatMul", "Einsum", "Gemm"):
        return not any(_outer(net, name) for name in node.inputs[:2])
    return op in _MATRICES or op.endswith("LayerNormalization")


def _outer(net: Net, name: str) -> bool:
    """Whether a constant is a row or a column, whose product with an activation adds nothing up."""
    value = net.value(name)
    return value.constant and 1 in value.shape[-2:]


def _joins(node: Node, prepared: dict[str, set[str]]) -> bool:
    """Whether a node joins prepared values with an activation in a way that any values can."""
    op = node.op.split(".")[-1]
    return op in _COMBINES or (op in _MASKED and node.inputs[0] not in prepared)
