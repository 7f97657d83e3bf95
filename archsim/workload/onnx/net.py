"""A flat network that passes rewrite: its nodes, who makes and who reads each tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from archsim.workload.onnx.tensors import Array, Value
from archsim.workload.onnx.trace import Node, Traced

__all__ = ["Net", "scalar"]


class Net:
    """The nodes of a traced network by the name of their first output, in order."""

    def __init__(self, traced: Traced) -> None:
        self.where = traced.where
        self.values: dict[str, Value] = dict(traced.values)
        self.nodes: list[Node] = list(traced.nodes)
        self.inputs = list(traced.inputs)
        self.outputs = list(traced.outputs)
        self.opset = traced.opset
        self.prepared: list[Node] = []
        """Nodes that make masks and positions, which are held as constants."""
        self.notes: list[str] = []
        """In what the network departs from its file."""
        self.index()

    def index(self) -> None:
        """Work out makers and readers anew, and drop nodes that nothing reads."""
        needed = set(self.outputs)
        kept = []
        for node in reversed(self.nodes):
            if needed.intersection(node.outputs):
                kept.append(node)
                needed.update(node.inputs)
        self.nodes = kept[::-1]
        self.maker = {name: node for node in self.nodes for name in node.outputs if name}
        self.readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                self.readers.setdefault(name, []).append(node)

    def value(self, name: str) -> Value:
        """What is known of a tensor."""
        return self.values[name]

    def optional(self, node: Node, index: int) -> Value | None:
        """An input of a node that may be left out."""
        return self.values[node.inputs[index]] if index < len(node.inputs) and node.inputs[index] else None

    def single_reader(self, name: str) -> Node | None:
        """The one node that reads a tensor, if there is just one and the tensor is no output of the network."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def constant(self, base: str, array: Array | None, like: Value | None = None) -> str:
        """Add a constant under a new name; without ``array`` one like ``like`` whose value is not known."""
        name = base
        while name in self.values:
            name += "'"
        if array is not None:
            kind = like.type if like is not None else 1
            bits = like.bits if like is not None else 0
            self.values[name] = Value(name, kind, tuple(array.shape), array, constant=True, bits=bits)
        else:
            assert like is not None
            self.values[name] = replace(like, name=name)
        return name

    def rewrite(self, nodes: Sequence[Node], renamed: dict[str, str]) -> None:
        """Take ``nodes`` for the old ones, with tensors read under other names."""

        def final(name: str) -> str:
            while name in renamed:
                name = renamed[name]
            return name

        self.nodes = [replace(node, inputs=tuple(final(name) for name in node.inputs)) for node in nodes]
        self.outputs = [final(name) for name in self.outputs]
        self.index()


def scalar(value: Value | None) -> Any:
    """The number that a known constant of one element holds, else None."""
    if value is None or value.data is None or value.data.size != 1 or value.data.dtype.kind not in "fiub":
        return None
    return np.asarray(value.data).reshape(()).item()
