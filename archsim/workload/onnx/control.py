"""If, Loop and Scan written out where what they depend on is constant.

A branch is taken by a constant condition; a loop runs as often as its constant trip count says, or until its condition
becomes a constant false; a scan once for each slice of what it scans.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper

from archsim.workload.onnx.infer import attribute_values

if TYPE_CHECKING:
    from archsim.workload.onnx.trace import Scope, _Tracer

__all__ = ["write_out"]

MAX_TRIPS = 10_000


def write_out(
    tracer: _Tracer, node: onnx.NodeProto, scope: Scope, prefix: str, opsets: Mapping[str, int], depth: int
) -> None:
    """Trace what ``node``, an If, Loop or Scan, does."""
    writer = _Writer(tracer, node, scope, f"{prefix}{node.name or node.output[0]}/", opsets, depth)
    {"If": writer.branch, "Loop": writer.loop, "Scan": writer.scan}[node.op_type](attribute_values(node))


class _Writer:
    def __init__(
        self,
        tracer: _Tracer,
        node: onnx.NodeProto,
        scope: Scope,
        prefix: str,
        opsets: Mapping[str, int],
        depth: int,
    ) -> None:
        self.tracer, self.node, self.scope = tracer, node, scope
        self.prefix, self.opsets, self.depth = prefix, opsets, depth

    def constant(self, flat: str, what: str) -> Any:
        """The single value of a tensor that must be constant."""
        data = self.tracer.values[flat].data
        if data is None or data.size != 1:
            message = f"has a {what} that depends on data; archsim takes those that are fixed (--bind can fix an input)"
            raise self.tracer.error(self.node, message)
        return data.reshape(()).item()

    def graph(self, body: onnx.GraphProto, inner: Scope, step: str) -> list[str]:
        return self.tracer.graph(body, {**self.scope, **inner}, self.prefix + step, self.opsets, self.depth + 1)

    def put(self, nodes: list[onnx.NodeProto], scope: Scope) -> None:
        for each in nodes:
            self.tracer.node(each, scope, self.prefix, self.opsets, self.depth)

    def deliver(self, flat: list[str]) -> None:
        """The outputs of the node, in order."""
        for name, made in zip(self.node.output, flat, strict=False):
            if name:
                self.scope[name] = made

    def branch(self, given: dict[str, Any]) -> None:
        taken = self.constant(self.scope[self.node.input[0]], "condition")
        self.deliver(self.graph(given["then_branch" if taken else "else_branch"], {}, ""))

    def loop(self, given: dict[str, Any]) -> None:
        body: onnx.GraphProto = given["body"]
        limit, condition = (self.scope[n] if n else "" for n in (*self.node.input[:2], "", "")[:2])
        trips = int(self.constant(limit, "trip count")) if limit else MAX_TRIPS + 1
        running = bool(self.constant(condition, "condition")) if condition else True
        carried = [self.scope[name] for name in self.node.input[2:]]
        size = max(1, len(body.node))
        if limit and running and min(trips, 2**62) * size > 100_000:
            raise self.tracer.error(self.node, f"runs {trips} times {size} nodes; archsim writes out at most 100000")
        collected: list[list[str]] = [[] for _ in body.output[1 + len(carried) :]]
        trip = 0
        while running and trip < trips:
            if trip > MAX_TRIPS:
                raise self.tracer.error(self.node, f"does not end within {MAX_TRIPS} trips")
            inner: Scope = {}
            count, go = f"{self.prefix}trip{trip}", f"{self.prefix}go{trip}"
            names: Scope = {}
            self.put([_fixed(count, np.int64(trip)), _fixed(go, np.bool_(True))], names)
            inner[body.input[0].name], inner[body.input[1].name] = names[count], names[go]
            inner |= {entry.name: flat for entry, flat in zip(body.input[2:], carried, strict=False)}
            made = self.graph(body, inner, f"{trip}/")
            running = bool(self.constant(made[0], "condition"))
            carried = made[1 : 1 + len(carried)]
            for rows, flat in zip(collected, made[1 + len(carried) :], strict=True):
                rows.append(flat)
            trip += 1
        self.deliver([*carried, *(self.stacked(rows, 0) if rows else "" for rows in collected)])

    def scan(self, given: dict[str, Any]) -> None:
        body: onnx.GraphProto = given["body"]
        scanned = int(given["num_scan_inputs"])
        names = [self.scope[name] for name in self.node.input if name]
        carried, sources = names[: len(names) - scanned], names[len(names) - scanned :]
        outputs = len(body.output) - len(carried)
        in_axes = list(given.get("scan_input_axes") or [0] * scanned)
        in_back = list(given.get("scan_input_directions") or [0] * scanned)
        out_axes = list(given.get("scan_output_axes") or [0] * outputs)
        out_back = list(given.get("scan_output_directions") or [0] * outputs)
        trips = self.tracer.values[sources[0]].shape[in_axes[0]]
        if trips * max(1, len(body.node)) > 100_000:
            raise self.tracer.error(self.node, f"scans {trips} slices; archsim writes out at most 100000 nodes")
        collected: list[list[str]] = [[] for _ in range(outputs)]
        for trip in range(trips):
            inner = {entry.name: flat for entry, flat in zip(body.input, carried, strict=False)}
            for k, (source, axis) in enumerate(zip(sources, in_axes, strict=True)):
                at = trips - 1 - trip if in_back[k] else trip
                inner[body.input[len(carried) + k].name] = self.slice_at(source, axis, at, f"in{trip}.{k}")
            made = self.graph(body, inner, f"{trip}/")
            carried = made[: len(carried)]
            for rows, flat in zip(collected, made[len(carried) :], strict=True):
                rows.append(flat)
        joined = []
        for rows, axis, back in zip(collected, out_axes, out_back, strict=True):
            joined.append(self.stacked(rows[::-1] if back else rows, axis))
        self.deliver([*carried, *joined])

    def slice_at(self, source: str, axis: int, at: int, name: str) -> str:
        scope = {source: source}
        index = _fixed(f"{name}.index", np.int64(at))
        self.put([index, helper.make_node("Gather", [source, f"{name}.index"], [name], axis=axis)], scope)
        return scope[name]

    def stacked(self, rows: list[str], axis: int) -> str:
        scope = {flat: flat for flat in rows}
        whole = f"{rows[0]}.stacked"
        modern = self.opsets.get("", 13) >= 13
        nodes = [_fixed("axes", np.array([axis], np.int64))] if modern else []
        for k, flat in enumerate(rows):
            parts = [flat, "axes"] if modern else [flat]
            old: dict[str, Any] = {} if modern else {"axes": [axis]}
            nodes.append(helper.make_node("Unsqueeze", parts, [f"row{k}"], **old))
        nodes.append(helper.make_node("Concat", [f"row{k}" for k in range(len(rows))], [whole], axis=axis))
        self.put(nodes, scope)
        return scope[whole]


def _fixed(name: str, array: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(np.asarray(array)))
