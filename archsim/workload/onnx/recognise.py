"""Functions that exporters write as many small nodes, recognised by what they compute.

The nodes between one tensor and another that work element by element, or along one axis, with single constants, are a
function of one tensor.  It is evaluated on sample values and compared with the functions that archsim knows, so that
the order and form in which an exporter writes them does not matter.  GELU in both forms (Hendrycks and Gimpel,
arXiv:1606.08415), SiLU, hard swish (Howard et al., arXiv:1905.02244), Mish, softmax, layer norm (Ba et al.,
arXiv:1607.06450) and RMS norm (Zhang and Sennrich, arXiv:1910.07467) are found this way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

import numpy as np
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from archsim.workload.onnx.net import Net
from archsim.workload.onnx.simplify import AFFINE
from archsim.workload.onnx.tensors import Array, words
from archsim.workload.onnx.trace import Node

__all__ = ["recognise"]

MAX_NODES: Final = 14
SAMPLES: Final = np.linspace(-8.0, 8.0, 161)
TOLERANCE: Final = 2e-3
"""Larger than what GELU by the hyperbolic tangent is away from GELU (5e-4), and than an epsilon of 1e-5 makes."""

_ELEMENTWISE: Final = words(
    "Abs Add Affine Clip Div Elu Erf Exp HardSigmoid HardSwish LeakyRelu Log Max Min Mul Neg Pow Reciprocal "
    "Relu Sigmoid Softplus Sqrt Sub Sum Tanh"
)
_REDUCE: Final = frozenset(["ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2", "ReduceSumSquare"])


def _erf(x: Array) -> Array:
    return np.asarray(np.vectorize(math.erf)(x))


_FUNCTIONS: Final[dict[str, Callable[[Array], Array]]] = {
    "Relu": lambda x: np.maximum(x, 0),
    "Relu6": lambda x: np.clip(x, 0, 6),
    "Gelu": lambda x: x * 0.5 * (1 + _erf(x / math.sqrt(2))),
    "Silu": lambda x: x / (1 + np.exp(-x)),
    "QuickGelu": lambda x: x / (1 + np.exp(-1.702 * x)),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "HardSwish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "HardSigmoid6": lambda x: np.clip(x + 3, 0, 6) / 6,
    "Mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "Softplus": lambda x: np.log1p(np.exp(x)),
    "Abs": np.abs,
}


def recognise(net: Net) -> None:
    """Replace what is recognised in ``net`` by one node each, the largest first."""
    gone: set[str] = set()
    renamed: dict[str, Node] = {}
    place = {node.outputs[0]: k for k, node in enumerate(net.nodes)}
    for node in reversed(net.nodes):
        if node.outputs[0] in gone or node.op not in (_ELEMENTWISE - {"Relu", "Sigmoid", "Softplus", "Abs"}):
            continue
        for source, inside in reversed(list(_regions(net, node, place))):
            found = _named(net, source, node, inside)
            if found:
                op, attributes = found
                gone.update(other.outputs[0] for other in inside if other is not node)
                renamed[node.outputs[0]] = Node(node.name, op, (source,), node.outputs, attributes)
                break
    kept = [renamed.get(n.outputs[0], n) for n in net.nodes if n.outputs[0] not in gone]
    net.rewrite(kept, {})


def _regions(net: Net, last: Node, place: Mapping[str, int]) -> Iterator[tuple[str, list[Node]]]:
    """Tensors of which ``last`` is a function alone, each with the nodes in between, growing."""
    inside = [last]
    frontier = {name for name in last.inputs if name and not net.value(name).constant}
    while len(inside) <= MAX_NODES:
        if not _fixed_inputs(net, inside[-1]):
            return
        if len(frontier) == 1:
            yield next(iter(frontier)), list(inside)
        made = [name for name in frontier if name in net.maker]
        if not made:
            return
        name = max(made, key=lambda n: place[net.maker[n].outputs[0]])
        node = net.maker[name]
        if node.op not in _ELEMENTWISE | _REDUCE or name in net.outputs:
            return
        if any(reader not in inside for reader in net.readers[name]):
            return
        inside.append(node)
        frontier.remove(name)
        frontier |= {n for n in node.inputs if n and not net.value(n).constant}


def _fixed_inputs(net: Net, node: Node) -> bool:
    """Whether the constants of a node are known, and single values if they are operands."""
    if node.op == AFFINE:
        given = node.attributes
        return given["axis"] is None and given["scale"] is not None and given["shift"] is not None
    for index, name in enumerate(node.inputs):
        value = net.value(name) if name else None
        if value is not None and value.constant:
            if value.data is None:
                return False
            if value.data.size != 1 and not (node.op in _REDUCE and index == 1):
                return False
    return True


def _named(net: Net, source: str, last: Node, inside: list[Node]) -> tuple[str, dict[str, Any]] | None:
    """The operator that the nodes ``inside`` are together, and its attributes."""
    shape = net.value(source).shape
    if shape != net.value(last.outputs[0]).shape or (len(inside) < 2 and last.op not in ("Clip", "Min", "Max")):
        return None
    if any(node.op in _REDUCE for node in inside):
        return _along_axis(net, source, last, inside)
    got = _evaluate(net, source, last, inside, SAMPLES)
    if got is None:
        return None
    for name in _FUNCTIONS:
        with np.errstate(all="ignore"):
            if np.allclose(got, _table(name), atol=TOLERANCE):
                return name, {}
    return None


@cache
def _table(name: str) -> Array:
    return _FUNCTIONS[name](SAMPLES)


def _along_axis(net: Net, source: str, last: Node, inside: list[Node]) -> tuple[str, dict[str, Any]] | None:
    """Softmax, layer norm or RMS norm along one axis."""
    rank = len(net.value(source).shape)
    if rank < 1:
        return None
    axes = {_axis(net, node, rank) for node in inside if node.op in _REDUCE}
    axis = axes.pop() if len(axes) == 1 else None
    if axis is None:
        return None
    # widths of a few values that differ, so that no function of another axis passes
    sample = np.random.default_rng(0).normal(1.0, 2.0, tuple(5 if k == axis else 2 for k in range(rank)))
    got = _evaluate(net, source, last, inside, sample)
    if got is None or got.shape != sample.shape:
        return None
    mean = sample.mean(axis, keepdims=True)
    shifted = np.exp(sample - sample.max(axis, keepdims=True))
    known = {
        "Softmax": shifted / shifted.sum(axis, keepdims=True),
        "LayerNormalization": (sample - mean) / np.sqrt(sample.var(axis, keepdims=True)),
        "RMSNormalization": sample / np.sqrt((sample**2).mean(axis, keepdims=True)),
        "LpNormalization": sample / np.sqrt((sample**2).sum(axis, keepdims=True)),
    }
    for name, expected in known.items():
        if np.allclose(got, expected, atol=TOLERANCE):
            extra = {"only": True} if name in ("LayerNormalization", "RMSNormalization") else {}
            return name, {"axis": axis, **extra}
    return None


def _axis(net: Net, node: Node, rank: int) -> int | None:
    axes = node.attributes.get("axes")
    if axes is None and len(node.inputs) > 1 and node.inputs[1]:
        data = net.value(node.inputs[1]).data
        axes = None if data is None else data.reshape(-1).tolist()
    if not axes or len(axes) != 1 or not node.attributes.get("keepdims", 1):
        return None
    return int(axes[0]) % rank


def _evaluate(net: Net, source: str, last: Node, inside: list[Node], sample: Array) -> Array | None:
    """What the nodes ``inside`` make of ``sample``."""
    nodes = []
    constants: dict[str, Any] = {}
    for node in reversed(inside):
        if node.op == AFFINE:
            scale, shift = f"{node.outputs[0]}.scale", f"{node.outputs[0]}.shift"
            constants |= {scale: np.asarray(node.attributes["scale"], np.float64)}
            constants |= {shift: np.asarray(node.attributes["shift"], np.float64)}
            scaled = f"{node.outputs[0]}.scaled"
            nodes.append(helper.make_node("Mul", [node.inputs[0], scale], [scaled]))
            nodes.append(helper.make_node("Add", [scaled, shift], [node.outputs[0]]))
            continue
        nodes.append(helper.make_node(node.op, node.inputs, node.outputs[:1], **node.attributes))
        for name in node.inputs:
            data = net.value(name).data if name else None
            if data is not None and net.value(name).constant:
                constants[name] = data.astype(np.float64) if data.dtype.kind == "f" else data
    info = [helper.make_tensor_value_info(source, 11, sample.shape)]
    out = [helper.make_tensor_value_info(last.outputs[0], 11, None)]
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(_sorted(nodes, source, constants), "sample", info, out, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", max(net.opset, 7))])
    try:
        with np.errstate(all="ignore"):
            (made,) = ReferenceEvaluator(model).run(None, {source: sample.astype(np.float64)})
    except Exception:
        return None
    return np.asarray(made)


def _sorted(nodes: list[Any], source: str, constants: dict[str, Any]) -> list[Any]:
    """``nodes``, each after those that it reads."""
    ready = {source, "", *constants}
    waiting = list(nodes)
    order = []
    while waiting:
        able = [node for node in waiting if all(name in ready for name in node.input)]
        if not able:
            return nodes
        order += able
        ready.update(name for node in able for name in node.output)
        waiting = [node for node in waiting if node not in able]
    return order
