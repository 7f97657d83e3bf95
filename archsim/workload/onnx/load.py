"""From an ONNX file to a workload and its graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archsim.errors import Problem, SpecError, WorkloadError
from archsim.library import shown
from archsim.spec.loader import Loaded, from_plain
from archsim.spec.workload import Workload
from archsim.workload.build import build_graph
from archsim.workload.graph import Graph
from archsim.workload.onnx import (
    attention,
    rotary,
    rules_matrix,
    rules_norm,
    rules_pool,
    rules_recurrent,
    rules_shape,
    rules_vector,
)
from archsim.workload.onnx.emit import FUSED, CacheError
from archsim.workload.onnx.inputs import place_inputs
from archsim.workload.onnx.layout import View
from archsim.workload.onnx.lower import MALFORMED, BatchError, Lowering, NeedsPositionsError, Rule
from archsim.workload.onnx.model import Model, bound_inputs, read_model
from archsim.workload.onnx.net import Net
from archsim.workload.onnx.prepared import hold_prepared
from archsim.workload.onnx.recognise import recognise
from archsim.workload.onnx.rotary import fuse_rotary
from archsim.workload.onnx.scores import scale_queries
from archsim.workload.onnx.simplify import simplify
from archsim.workload.onnx.tensors import Array
from archsim.workload.onnx.trace import Node, trace

__all__ = ["Imported", "import_onnx"]

RULES: dict[str, Rule] = {
    **rules_shape.RULES,
    **rules_vector.RULES,
    **rules_norm.RULES,
    **rules_pool.RULES,
    **rules_matrix.RULES,
    **rules_recurrent.RULES,
    **rotary.RULES,
    **dict.fromkeys(("Attention", "MultiHeadAttention", "QAttention", "GroupQueryAttention"), attention.attention),
    "RotaryEmbedding": attention.rotary,
}

Bindings = Mapping[str, int | tuple[int, ...]]


@dataclass(frozen=True)
class Imported:
    """A network read from an ONNX file: as a workload, as a graph, and how its tensors lie in the layers."""

    loaded: Loaded[Workload]
    graph: Graph
    weights: Mapping[str, Mapping[str, Array]] = field(repr=False)
    """The arrays of the layers with a matrix, where weights were asked for."""
    weight_bits: Mapping[str, int] = field(repr=False)
    """Bits a weight, where the model quantises them."""
    views: Mapping[str, View] = field(repr=False)
    """How the tensors of the model lie in the layers."""
    nodes: Mapping[str, Node] = field(repr=False)
    """The node that each layer is from."""
    net: Net = field(repr=False)


def import_onnx(
    path: Path,
    bind: Bindings | None = None,
    overrides: Sequence[str] = (),
    *,
    weights: bool = False,
    map_unknown: bool = False,
) -> Imported:
    """Read the network in the ONNX file ``path``.

    ``bind`` gives symbolic sizes, ``overrides`` change keys of the workload, as ``name=mine``.  Weights are read only
    if ``weights`` says so.  With ``map_unknown`` an operator that archsim does not know is one look-up an output value.
    WorkloadError says what is wrong with the file.
    """
    try:
        return _imported(read_model(path), bind or {}, overrides, weights=weights, map_unknown=map_unknown)
    except MALFORMED as error:
        what = f"{type(error).__name__}: {error!s:.100}".strip().splitlines()[0]
        message = f"a node lacks what its operator must have, or has it in another form ({what})"
        raise WorkloadError(f"{shown(path)}: {message}") from error


def _imported(model: Model, bind: Bindings, overrides: Sequence[str], *, weights: bool, map_unknown: bool) -> Imported:
    shapes: dict[str, tuple[int, ...]] = {}
    while True:
        try:
            net = _flat(model, bind, shapes, weights=weights)
            low, sequence = _lowered(net, map_unknown)
        except BatchError as error:
            shapes = _unbatched(model, bind, shapes, error)
        else:
            if shapes:
                low.emit.note("the model takes several inputs at once; the figures are of one")
            return _built(model, low, sequence, overrides)


def _flat(model: Model, bind: Bindings, shapes: Mapping[str, tuple[int, ...]], *, weights: bool) -> Net:
    try:
        net = Net(trace(model, bind, weights=weights, shapes=shapes))
    except WorkloadError as error:
        if not shapes:
            raise
        raise WorkloadError(f"{error}\n(with a batch of 1 for the model's own, which archsim needs)") from None
    simplify(net)
    recognise(net)
    simplify(net)
    for name in hold_prepared(net):
        net.notes.append(f"the input {name:.90} is known beforehand: what is made of it alone is held where it is used")
    fuse_rotary(net)
    scale_queries(net)
    return net


def _unbatched(
    model: Model, bind: Bindings, shapes: Mapping[str, tuple[int, ...]], error: BatchError
) -> dict[str, tuple[int, ...]]:
    """The inputs with a batch of 1 in place of the size that ``error`` is about."""
    found = dict(shapes)
    for value in bound_inputs(model, bind):
        shape = list(found.get(value.name, value.shape))
        axis = next((k for k in (0, 1) if len(shape) > k + 1 and shape[k] == error.size), None)
        if axis is not None:
            shape[axis] = 1
            found[value.name] = tuple(shape)
    if found == shapes:
        message = f"{model.where}: node {error.title} takes {error.size} images at once; export it for one"
        raise WorkloadError(message)
    return found


def _lowered(net: Net, map_unknown: bool, *, caches: bool = True) -> tuple[Lowering, int | None]:
    """The network with its steps one by one if it is recurrent and nothing looks at one of them, else as positions."""
    steps = _sequence(net)
    if steps is not None:
        try:
            return _run(net, steps, map_unknown=map_unknown, caches=caches), steps
        except NeedsPositionsError:
            pass
    try:
        return _run(net, None, map_unknown=map_unknown, caches=caches), None
    except CacheError:
        return _run(net, None, map_unknown=map_unknown, caches=False), None


def _run(net: Net, steps: int | None, *, map_unknown: bool, caches: bool) -> Lowering:
    low = Lowering(net, RULES, steps, map_unknown=map_unknown, caches=caches)
    place_inputs(low)
    for text in net.notes:
        low.emit.note(text)
    low.run()
    return low


def _sequence(net: Net) -> int | None:
    """The length of the sequence that recurrent layers read, if there are any and all read the same."""
    lengths = {
        net.values[node.inputs[0]].shape[1 if node.attributes.get("layout") else 0]
        for node in net.nodes
        if node.op in ("LSTM", "GRU", "RNN")
    }
    return lengths.pop() if len(lengths) == 1 else None


def _built(model: Model, low: Lowering, sequence: int | None, overrides: Sequence[str]) -> Imported:
    where = model.where
    outputs = []
    for name in low.net.outputs:
        if name in low.views and low.views[name].layer in low.emit.cached:
            continue
        if name in low.views:
            outputs.append(low.views[name].layer)
        else:
            low.emit.note(f"the output {name:.100} is a constant or a state and is left out")
    outputs = [_copied(low, name) for name in dict.fromkeys(outputs)]
    if not outputs or not low.emit.layers:
        raise WorkloadError(f"{where}: no output of the model depends on its inputs by any operation")
    renamed = _fuse(low, outputs)
    outputs = list(dict.fromkeys(renamed.get(name, name) for name in outputs))
    _drop_unread(low, outputs)
    if len(low.emit.layers) > 20_000:
        raise WorkloadError(f"{where}: the network has {len(low.emit.layers)} layers, more than 20000")
    _note_bits(low)
    document = _document(model, low, outputs, sequence)
    loaded = _checked(document, where, overrides)
    graph = build_graph(loaded.model, lambda path: f"{where}: {'.'.join(str(step) for step in path)}")
    views = {name: View(renamed.get(v.layer, v.layer), v.axes) for name, v in low.views.items()}
    weights = {renamed.get(name, name): arrays for name, arrays in low.emit.weights.items()}
    bits = {renamed.get(name, name): count for name, count in low.emit.bits.items()}
    return Imported(loaded, graph, weights, bits, views, low.provenance, low.net)


def _checked(document: dict[str, Any], where: str, overrides: Sequence[str]) -> Loaded[Workload]:
    """``document`` as a workload; what is wrong in a layer is told by its name, since the file has no lines."""
    names = [layer["name"] for layer in document["layers"]]

    def named(problem: Problem) -> Problem:
        if problem.where != where:  # in an override, which is told as it was written
            return problem
        text = re.sub(r"^layers\.(\d+)\.", lambda found: f"layer {names[int(found[1])]!r:.100}: ", problem.message)
        return Problem(where, text)

    try:
        return from_plain("workload", document, Workload, where, overrides)
    except SpecError as error:
        raise SpecError([named(problem) for problem in error.problems]) from None


def _note_bits(low: Lowering) -> None:
    """Say how many layers have weights of how many bits in the file; the chip decides what it stores."""
    for bits in sorted(set(low.emit.bits.values())):
        count = sum(other == bits for other in low.emit.bits.values())
        low.emit.note(
            f"the model's weights have {bits} bits in {count} layers; a chip stores as many as its encoding says"
        )


def _copied(low: Lowering, name: str) -> str:
    """A layer in place of an input that is an output as it is."""
    if name not in low.emit.inputs:
        return name
    shape = low.emit.shapes[name]
    return low.emit.add(f"{name}.copy", {"move": list(shape), "what": "copy"}, shape, name)


def _document(model: Model, low: Lowering, outputs: list[str], sequence: int | None) -> dict[str, Any]:
    proto = model.proto
    name = model.path.stem
    producer = " ".join(part for part in (proto.producer_name, proto.producer_version) if part)
    source = f"ONNX file {model.path.name}" + (f", written by {producer:.100}" if producer else "")
    document: dict[str, Any] = {"schema": 1, "kind": "workload", "name": name, "title": proto.graph.name[:200] or name}
    document |= {"source": source, "deviations": list(low.emit.notes)}
    inputs = low.emit.inputs
    document |= {"input": list(next(iter(inputs.values())))} if list(inputs) == ["input"] else {}
    if "input" not in document:
        document["inputs"] = {key: list(shape) for key, shape in inputs.items()}
    if outputs != [low.emit.layers[-1]["name"]]:
        document["outputs"] = outputs
    if sequence is not None:
        document["sequence"] = sequence
    return document | {"layers": low.emit.layers}


def _fuse(low: Lowering, outputs: list[str]) -> dict[str, str]:
    """Make each activation part of the layer before it, where nothing else reads that; the layers that went."""
    by_name = {spec["name"]: spec for spec in low.emit.layers}
    readers: dict[str, int] = dict.fromkeys(outputs, 1)
    for spec in low.emit.layers:
        for name in reads_of(spec):
            readers[name] = readers.get(name, 0) + 1
    renamed: dict[str, str] = {}
    kept = []
    for spec in low.emit.layers:
        for key in ("input",):
            if key in spec:
                spec[key] = renamed.get(spec[key], spec[key])
        _rename(spec, renamed)
        before = by_name.get(spec.get("input", ""))
        if _is_activation(spec) and before is not None and _takes(before) and readers[before["name"]] == 1:
            before["activation"] = spec["activation"]
            renamed[spec["name"]] = before["name"]
            readers[before["name"]] = readers.get(spec["name"], 0)
        else:
            kept.append(spec)
    low.emit.layers = kept
    return renamed


def _is_activation(spec: Mapping[str, Any]) -> bool:
    return set(spec) == {"name", "input", "activation"} and spec["activation"] != "softmax"


def _takes(spec: Mapping[str, Any]) -> bool:
    return bool(FUSED & spec.keys()) and spec.get("activation", "none") == "none"


_LISTS = ("add", "multiply", "subtract", "divide", "maximum", "concat", "operands", "matmul")


def reads_of(spec: Mapping[str, Any]) -> list[str]:
    """The layers that a specification reads."""
    names = [spec["input"]] if "input" in spec else []
    for key in _LISTS:
        value = spec.get(key)
        names += value if isinstance(value, list) else [value] if isinstance(value, str) else []
    return names


def _rename(spec: dict[str, Any], renamed: Mapping[str, str]) -> None:
    for key in _LISTS:
        value = spec.get(key)
        if isinstance(value, list):
            spec[key] = [renamed.get(name, name) for name in value]
        elif isinstance(value, str):
            spec[key] = renamed.get(value, value)


def _drop_unread(low: Lowering, outputs: list[str]) -> None:
    """Leave out layers and inputs that nothing reads, such as pieces of a tensor that were not needed."""
    needed = set(outputs)
    kept = []
    for spec in reversed(low.emit.layers):
        if spec["name"] in needed:
            kept.append(spec)
            needed.update(reads_of(spec))
    low.emit.layers = kept[::-1]
    unread = [name for name in low.emit.inputs if name not in needed]
    for name in unread:
        del low.emit.inputs[name]
        low.emit.note(f"the input {name} is not read")
