"""Traces a model into one flat list of nodes: functions, If, Loop and Scan written out, shapes and constants known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from archsim.errors import WorkloadError
from archsim.workload.onnx.infer import Inference, attribute_values
from archsim.workload.onnx.model import Model, bound_inputs, domain_of, in_order, opset_versions, title
from archsim.workload.onnx.tensors import Value, initialiser

__all__ = ["Node", "Traced", "trace"]

MAX_NODES: Final = 100_000
"""The most nodes, functions and loops written out."""

MAX_DEPTH: Final = 24


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the flat network.  ``op`` has its domain in front where that is not ONNX's own."""

    name: str
    op: str
    inputs: tuple[str, ...]
    """Names of tensors; empty for an optional input that is left out."""
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """As messages name it."""
        return f"{self.name!r:.100} ({self.op:.60})"


@dataclass
class Traced:
    """A flat network: the tensors by name, the nodes in order, the names of inputs and outputs."""

    where: str
    values: dict[str, Value]
    nodes: list[Node]
    inputs: list[str]
    outputs: list[str]
    opset: int


def trace(
    model: Model,
    bind: Mapping[str, int | tuple[int, ...]],
    *,
    weights: bool,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Traced:
    """The flat network of ``model``, its symbolic sizes from ``bind``.  WorkloadError names the node it is about.

    ``shapes`` are those of inputs that are taken for others than the model's.
    """
    tracer = _Tracer(model, weights=weights)
    inputs = [replace(value, shape=(shapes or {}).get(value.name, value.shape)) for value in bound_inputs(model, bind)]
    names = tracer.run(inputs)
    return Traced(model.where, tracer.values, tracer.nodes, [v.name for v in inputs], names, model.opsets.get("", 0))


Scope = dict[str, str]
"""What the names of one graph mean: those of the flat network."""


class _Tracer:
    def __init__(self, model: Model, *, weights: bool) -> None:
        self.model = model
        self.weights = weights
        self.values: dict[str, Value] = {}
        self.nodes: list[Node] = []
        self.count = 0
        self.sizes: dict[tuple[str, str], int] = {}
        declared = {
            entry.name: tuple(int(dim.dim_value) for dim in entry.type.tensor_type.shape.dim)
            for entry in (*model.proto.graph.value_info, *model.proto.graph.output)
            if all(dim.dim_value > 0 for dim in entry.type.tensor_type.shape.dim)
            and entry.type.tensor_type.HasField("shape")
        }
        self.inference = Inference(model.opsets, weights=weights, declared=declared)

    def error(self, node: onnx.NodeProto | None, message: str) -> WorkloadError:
        what = f"node {title(node)} " if node is not None else ""
        return WorkloadError(f"{self.model.where}: {what}{message}")

    def run(self, inputs: Sequence[Value]) -> list[str]:
        graph = self.model.proto.graph
        for value in inputs:
            self.values[value.name] = value
        scope = {value.name: value.name for value in inputs}
        return self.graph(graph, scope, "", self.model.opsets, 0)

    # -- graphs -----------------------------------------------------------------------------------

    def graph(
        self, graph: onnx.GraphProto, scope: Scope, prefix: str, opsets: Mapping[str, int], depth: int
    ) -> list[str]:
        """Trace a graph whose inputs are in ``scope``; the flat names of its outputs."""
        if depth > MAX_DEPTH:
            raise self.error(None, f"graphs and functions stand in each other more than {MAX_DEPTH} deep")
        for tensor in graph.initializer:
            if tensor.name not in scope or not prefix:
                self.define(scope, prefix, initialiser(tensor, self.model.path, weights=self.weights))
        for sparse in graph.sparse_initializer:
            if depth == 0 or sparse.values.name not in scope:
                values = sparse.values
                shape = tuple(int(n) for n in sparse.dims)
                self.define(scope, prefix, Value(values.name, values.data_type, shape, None, constant=True))
        wanted = [entry.name for entry in graph.output]
        self.body(graph.node, wanted, scope, prefix, opsets, depth)
        return [self.resolve(name, scope, None) for name in wanted]

    def body(
        self,
        nodes: Sequence[onnx.NodeProto],
        wanted: Sequence[str],
        scope: Scope,
        prefix: str,
        opsets: Mapping[str, int],
        depth: int,
    ) -> None:
        for node in in_order(nodes, wanted, self.model.where):
            self.node(node, scope, prefix, opsets, depth)

    def define(self, scope: Scope, prefix: str, value: Value) -> None:
        """Add a tensor under its name in this scope."""
        flat = prefix + value.name
        while flat in self.values and prefix:
            flat += "'"
        self.values[flat] = value.named(flat)
        scope[value.name] = flat

    def resolve(self, name: str, scope: Scope, node: onnx.NodeProto | None) -> str:
        if name not in scope:
            raise self.error(
                node, f"reads {name!r:.100}, which nothing makes" if node else f"{name!r:.100} is not made"
            )
        return scope[name]

    # -- nodes ------------------------------------------------------------------------------------

    def node(self, node: onnx.NodeProto, scope: Scope, prefix: str, opsets: Mapping[str, int], depth: int) -> None:
        self.count += 1
        if self.count > MAX_NODES:
            raise self.error(node, f"is one of more than {MAX_NODES}, functions and loops written out")
        if node.domain == "ai.onnx":
            node.domain = ""
        for name in outer_inputs(node):
            self.resolve(name, scope, node)
        function = self.model.functions.get((node.domain, node.op_type))
        if function is not None:
            self.call(function, node, scope, prefix, depth)
        elif node.domain == "" and node.op_type in ("If", "Loop", "Scan"):
            from archsim.workload.onnx.control import write_out  # noqa: PLC0415 (each needs the other)

            write_out(self, node, scope, prefix, opsets, depth)
        elif node.domain == "" and node.op_type == "Constant":
            self.define(scope, prefix, self.constant(node))
        else:
            self.plain(node, scope, prefix, opsets)

    def plain(self, node: onnx.NodeProto, scope: Scope, prefix: str, opsets: Mapping[str, int]) -> None:
        """Infer a node of a single operator and keep it, unless it is constant."""
        if not node.output[0]:
            node.output[0] = f"{node.name}{next(n for n in node.output if n)}.first"
        inputs = [self.values[scope[name]] if name else None for name in node.input]
        opset = opsets.get(node.domain, 1 if node.domain else self.model.opsets.get("", 0))
        try:
            made = self.inference.outputs(node, inputs, opset)
        except WorkloadError as error:
            raise self.error(node, str(error)) from None
        for value in made:
            self.define(scope, prefix, value)
        if made and all(value.constant for value in made):
            return
        flat_inputs = tuple(scope[name] if name else "" for name in node.input)
        flat_outputs = tuple(scope.get(name, "") if name else "" for name in node.output)
        op = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        name = prefix + (node.name or next((n for n in node.output if n), ""))
        self.nodes.append(Node(name, op, flat_inputs, flat_outputs, attribute_values(node)))

    def constant(self, node: onnx.NodeProto) -> Value:
        (name,) = node.output
        given = attribute_values(node)
        if not given:
            raise self.error(node, "has no value")
        key, value = next(iter(given.items()))
        if isinstance(value, TensorProto):
            tensor = TensorProto()
            tensor.CopyFrom(value)
            tensor.name = name
            return initialiser(tensor, self.model.path, weights=self.weights)
        kinds = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
        if key not in kinds:
            if key in ("value_string", "value_strings"):
                return Value(name, TensorProto.STRING, np.shape(value), None, constant=True)
            raise self.error(node, f"has a value of the kind {key!r}, which is not read")
        array = np.asarray(value, kinds[key])
        return Value(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape, array, constant=True)

    # -- functions --------------------------------------------------------------------------------

    def call(self, function: onnx.FunctionProto, node: onnx.NodeProto, scope: Scope, prefix: str, depth: int) -> None:
        """Write out a function of the model's own."""
        if depth > MAX_DEPTH:
            raise self.error(node, f"calls functions more than {MAX_DEPTH} deep")
        if self.size_of((domain_of(function.domain), function.name), ()) > MAX_NODES:
            raise self.error(node, f"is more than {MAX_NODES} nodes, functions written out")
        inner: Scope = {}
        for name, given in zip(function.input, node.input, strict=False):
            if given:
                inner[name] = scope[given]
        attributes = {a.name: a for a in function.attribute_proto} | {a.name: a for a in node.attribute}
        body = [_substituted(each, attributes) for each in function.node]
        for each in body:
            for position, name in enumerate(each.input):
                if name in function.input and name not in inner:
                    each.input[position] = ""  # an optional input that is left out
        opsets = {**self.model.opsets, **opset_versions(function.opset_import, self.model.where)}
        own = f"{prefix}{node.name or node.output[0]}/"
        wanted = [name for name, given in zip(function.output, node.output, strict=False) if given]
        self.body(body, wanted, inner, own, opsets, depth + 1)
        for name, given in zip(function.output, node.output, strict=False):
            if given:
                scope[given] = self.resolve(name, inner, node)

    def size_of(self, key: tuple[str, str], within: tuple[tuple[str, str], ...]) -> int:
        """The nodes of a function, those that it calls written out; WorkloadError if functions call each other."""
        if key in within:
            ring = " -> ".join(name for _, name in (*within[within.index(key) :], key))
            raise self.error(None, f"functions call each other: {ring:.300}")
        if len(within) > MAX_DEPTH:
            raise self.error(None, f"functions call each other more than {MAX_DEPTH} deep")
        if key not in self.sizes:
            function = self.model.functions.get(key)
            inner = [(domain_of(n.domain), n.op_type) for n in function.node] if function else []
            self.sizes[key] = 1 + sum(self.size_of(k, (*within, key)) for k in inner)
        return self.sizes[key]


def outer_inputs(node: onnx.NodeProto) -> list[str]:
    """The inputs that a node names itself."""
    return [name for name in node.input if name]


def _substituted(node: onnx.NodeProto, given: Mapping[str, onnx.AttributeProto]) -> onnx.NodeProto:
    """A node of a function with the attributes of its call; one that the call leaves out is left out."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            if attribute.ref_attr_name in given:
                new = copy.attribute.add()
                new.CopyFrom(given[attribute.ref_attr_name])
                new.name = attribute.name
                new.ref_attr_name = ""
            continue
        new = copy.attribute.add()
        new.CopyFrom(attribute)
        for graph in (*([new.g] if new.HasField("g") else []), *new.graphs):
            inside = [_substituted(each, given) for each in graph.node]
            del graph.node[:]
            graph.node.extend(inside)
    return copy
