"""The scale of attention scores, taken into the weights that make the queries, as compilers do.

s · (Q K^T) = (s Q) K^T, and s goes through what is linear in Q and reads nothing else, to the matrix that makes it.
Where the queries come from something else, the scale stays where it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from archsim.workload.onnx.net import Net
from archsim.workload.onnx.rotary import ROTARY
from archsim.workload.onnx.simplify import AFFINE
from archsim.workload.onnx.tensors import words
from archsim.workload.onnx.trace import Node

__all__ = ["scale_queries"]

_LINEAR: Final = words("Reshape Transpose Squeeze Unsqueeze Identity Flatten") | {ROTARY}


def scale_queries(net: Net) -> None:
    """Move the scales of scores in ``net`` to where queries are made."""
    after: dict[str, Node] = {}
    gone: dict[str, str] = {}
    for node in net.nodes:
        product = net.maker.get(node.inputs[0]) if node.inputs else None
        if product is None or product.op != "MatMul" or not _scales(node) or not _alone(net, product.outputs[0]):
            continue
        made = next((m for name in product.inputs if (m := _made_by_weights(net, name)) is not None), None)
        if made is None or made in after or any(net.value(name).constant for name in product.inputs):
            continue
        after[made] = node
        gone[node.outputs[0]] = node.inputs[0]
    nodes = []
    for node in net.nodes:
        scale = after.get(node.outputs[0])
        if scale is not None:
            name = node.outputs[0]
            plain = f"{name}.unscaled"
            net.values[plain] = replace(net.value(name), name=plain)
            nodes.append(replace(node, outputs=(plain, *node.outputs[1:])))
            nodes.append(replace(scale, inputs=(plain,), outputs=(name,)))
        elif node.outputs[0] not in gone:
            nodes.append(node)
    net.rewrite(nodes, gone)


def _scales(node: Node) -> bool:
    """Whether a node is a product with one known number."""
    given = node.attributes
    if node.op != AFFINE or given["axis"] is not None or given["scale"] is None or given["shift"] is None:
        return False
    return given["scale"].size == 1 and not np.any(given["shift"])


def _alone(net: Net, name: str) -> bool:
    return net.single_reader(name) is not None


def _made_by_weights(net: Net, name: str) -> str | None:
    """The tensor that a matrix makes and of which ``name`` is a linear function that nothing else reads."""
    node = net.maker.get(name)
    while node is not None and _alone(net, node.outputs[0]):
        if node.op in ("MatMul", "Gemm") and sum(net.value(n).constant for n in node.inputs[:2]) == 1:
            return node.outputs[0]
        if node.op == AFFINE:
            before = net.maker.get(node.inputs[0])
            weighs = before is not None and before.op in ("MatMul", "Gemm") and _made_by_weights(net, node.inputs[0])
            return node.outputs[0] if weighs else None
        if node.op not in _LINEAR:
            return None
        node = net.maker.get(node.inputs[0])
    return None
