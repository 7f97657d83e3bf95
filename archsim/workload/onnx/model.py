"""The model in a file: its skeleton parsed and checked, its inputs bound to sizes, its nodes in order."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import defs, helper

from archsim.errors import WorkloadError, nearest
from archsim.library import shown
from archsim.workload.onnx.tensors import Value, check_shape
from archsim.workload.onnx.wire import skeleton

__all__ = ["MIN_OPSET", "Model", "bound_inputs", "in_order", "outer_names", "read_model"]

MIN_OPSET: Final = 7
_NAME: Final = re.compile(r"[A-Za-z_][\w.\-/:]*")

FunctionKey = tuple[str, str]


@dataclass(frozen=True)
class Model:
    """A checked ModelProto without its large payloads, and where it lies."""

    path: Path
    proto: onnx.ModelProto
    opsets: Mapping[str, int]
    functions: Mapping[FunctionKey, onnx.FunctionProto] = field(repr=False)

    @property
    def where(self) -> str:
        """The file as messages show it."""
        return shown(self.path)


def read_model(path: Path) -> Model:
    """The model in the file ``path``.  WorkloadError if it is none, or one of an opset that archsim does not read."""
    where = shown(path)
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(skeleton(path))
    except DecodeError:
        raise WorkloadError(f"{where}: the data is corrupt, nested too deep, or no ONNX model") from None
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output):
        raise WorkloadError(f"{where}: expected an ONNX model, got one without a graph")
    opsets = opset_versions(proto.opset_import, where)
    functions = {(domain_of(f.domain), f.name): f for f in proto.functions}
    return Model(path, proto, opsets, functions)


def domain_of(domain: str) -> str:
    """The domain, with the empty text for ONNX's own."""
    return "" if domain == "ai.onnx" else domain


def opset_versions(imports: Iterable[onnx.OperatorSetIdProto], where: str) -> dict[str, int]:
    """The version of each operator set; WorkloadError for one that the installed onnx package does not know."""
    found = {domain_of(entry.domain): int(entry.version) for entry in imports}
    if any(not 0 < number < 2**31 for number in found.values()):
        raise WorkloadError(
            f"{where}: the operator sets have the versions {list(found.values())}; expected small numbers"
        )
    version = found.setdefault("", MIN_OPSET) if not found else found.get("", 0)
    newest = defs.onnx_opset_version()
    if version and not MIN_OPSET <= version <= newest:
        message = f"{where}: the model is of opset {version}; archsim reads {MIN_OPSET} to {newest}"
        raise WorkloadError(message + (", and a newer onnx package more" if version > newest else ""))
    return found


# -- inputs ---------------------------------------------------------------------------------------


def bound_inputs(model: Model, bind: Mapping[str, int | tuple[int, ...]]) -> list[Value]:
    """The inputs of the network with their sizes; a symbolic size takes its value from ``bind``.

    WorkloadError lists all sizes that have none, and a name in ``bind`` that the model does not have.
    """
    graph = model.proto.graph
    given = {tensor.name for tensor in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    inputs: list[Value] = []
    known: dict[str, None] = {}
    missing: dict[str, str] = {}
    for entry in graph.input:
        if entry.name in given:
            continue
        if entry.type.WhichOneof("value") != "tensor_type":
            raise WorkloadError(f"{model.where}: the input {entry.name!r:.100} is no tensor")
        shape = _input_shape(entry, bind, known, missing, model.where)
        check_shape(shape, f"{model.where}: the input {entry.name!r:.100}")
        inputs.append(_given(Value(entry.name, entry.type.tensor_type.elem_type, shape), bind))
    for name in bind:
        if name not in known:
            hint = nearest(name, known) or f"; the symbolic sizes are {', '.join(known) or 'none'}"
            raise WorkloadError(f"--bind {name}: the model has no such size{hint[:400]}")
    if missing:
        listed = ", ".join(f"{name} (of {source})" for name, source in missing.items())
        example = " ".join(f"--bind {name}=1" for name in missing)
        raise WorkloadError(
            f"{model.where}: symbolic sizes without a value: {listed}; give each one, as {example}"[:2000]
        )
    return inputs


def _given(value: Value, bind: Mapping[str, int | tuple[int, ...]]) -> Value:
    """An input, constant if it is a single number that ``bind`` gives, such as a sampling rate."""
    number = bind.get(value.name)
    if not isinstance(number, int):
        return value
    if value.size != 1:
        raise WorkloadError(f"--bind {value.name}: the input has the shape {list(value.shape)} and is no single number")
    dtype = helper.tensor_dtype_to_np_dtype(value.type)
    return replace(value, data=np.full(value.shape, number, dtype), constant=True)


def _input_shape(
    entry: onnx.ValueInfoProto,
    bind: Mapping[str, int | tuple[int, ...]],
    known: dict[str, None],
    missing: dict[str, str],
    where: str,
) -> tuple[int, ...]:
    kind = entry.type.tensor_type
    known[entry.name] = None
    whole = bind.get(entry.name)
    if isinstance(whole, tuple):
        return whole
    if not kind.HasField("shape"):
        message = f"the input {entry.name!r:.100} has no shape; give one, as --bind {entry.name}=1x3x224x224"
        raise WorkloadError(f"{where}: {message}")
    shape = []
    for axis, dim in enumerate(kind.shape.dim):
        if dim.dim_value > 0:
            shape.append(int(dim.dim_value))
            continue
        name = dim.dim_param if _NAME.match(dim.dim_param) else f"{entry.name}.{axis}"
        length = _symbol(name, bind, known)
        if length is None:
            for part in _terms(name):
                if part not in bind:
                    missing.setdefault(part, entry.name)
            length = 1
        shape.append(length)
    return tuple(shape)


def _terms(name: str) -> list[str]:
    """The symbols of a sum such as ``past_sequence_length + sequence_length``, else the name itself."""
    parts = [part.strip() for part in name.split("+")]
    return [p for p in parts if not p.isdigit()] if all(p.isdigit() or _NAME.fullmatch(p) for p in parts) else [name]


def _symbol(name: str, bind: Mapping[str, int | tuple[int, ...]], known: dict[str, None]) -> int | None:
    known[name] = None
    direct = bind.get(name)
    if isinstance(direct, int):
        return direct
    parts = [part.strip() for part in name.split("+")]
    if len(parts) == 1:
        return None
    for part in _terms(name):
        known[part] = None
    lengths = [int(part) if part.isdigit() else bind.get(part) for part in parts]
    return sum(n for n in lengths if isinstance(n, int)) if all(isinstance(n, int) for n in lengths) else None


# -- order ----------------------------------------------------------------------------------------


def outer_names(node: onnx.NodeProto) -> set[str]:
    """All names that a node reads, those that its subgraphs take from outside included."""
    names = {name for name in node.input if name}
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            names |= _free_names(graph)
    return names


def _free_names(graph: onnx.GraphProto) -> set[str]:
    inside = {entry.name for entry in graph.input} | {tensor.name for tensor in graph.initializer}
    read: set[str] = {entry.name for entry in graph.output}
    for node in graph.node:
        inside.update(node.output)
        read |= outer_names(node)
    return read - inside


def in_order(nodes: Sequence[onnx.NodeProto], wanted: Iterable[str], where: str) -> list[onnx.NodeProto]:
    """The nodes that ``wanted`` needs, each after those that it reads; WorkloadError if they form a cycle."""
    maker: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in node.output:
            if name and maker.setdefault(name, index) != index:
                message = f"the nodes {title(nodes[maker[name]])} and {title(node)} both make {name!r:.100}"
                raise WorkloadError(f"{where}: {message}")
    reads = [[maker[name] for name in outer_names(node) if name in maker] for node in nodes]
    needed: set[int] = set()
    stack = [maker[name] for name in wanted if name in maker]
    while stack:
        index = stack.pop()
        if index not in needed:
            needed.add(index)
            stack += reads[index]
    readers: dict[int, list[int]] = {index: [] for index in needed}
    open_inputs = Counter({index: len(set(reads[index])) for index in needed})
    for index in sorted(needed):
        for source in set(reads[index]):
            readers[source].append(index)
    if all(source < index for index in needed for source in reads[index]):
        return [nodes[index] for index in sorted(needed)]
    ready = deque(index for index in sorted(needed) if not open_inputs[index])
    order = []
    while ready:
        order.append(index := ready.popleft())
        for reader in readers[index]:
            open_inputs[reader] -= 1
            if not open_inputs[reader]:
                ready.append(reader)
    if len(order) < len(needed):
        stuck = ", ".join(title(nodes[index]) for index in sorted(needed - set(order))[:5])
        raise WorkloadError(f"{where}: the graph has a cycle, among the nodes {stuck}")
    return [nodes[index] for index in order]


def title(node: onnx.NodeProto) -> str:
    """A node as messages name it."""
    name = node.name or (node.output[0] if node.output else "")
    return f"{name!r:.100} ({node.op_type:.60})"
