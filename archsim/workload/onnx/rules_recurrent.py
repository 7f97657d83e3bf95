"""Rules for LSTM, GRU and RNN."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from archsim.workload.onnx.layout import Atom, View, full, joined
from archsim.workload.onnx.lower import Lowering, NeedsPositionsError, Rule, Unknown
from archsim.workload.onnx.tensors import Value
from archsim.workload.onnx.trace import Node

__all__ = ["RULES"]


def recurrent(low: Lowering, node: Node) -> None:
    """LSTM, GRU and RNN over the tokens of a sequence, forward, backward or both."""
    given = node.attributes
    direction = str(given.get("direction", "forward"))
    weight, state = low.value(node.inputs[1]), low.value(node.inputs[2])
    bias = low.net.optional(node, 3)
    if not (weight.constant and state.constant):
        raise Unknown("its weights are no constants")
    if low.net.optional(node, 7) is not None:
        raise Unknown("it has peepholes")
    cells = int(given.get("hidden_size") or state.shape[2])
    ways = 2 if direction == "bidirectional" else 1
    view = low.view(node.inputs[0])
    time, batch = (1, 0) if given.get("layout") else (0, 1)
    if view.shape[batch] != 1:
        low.batched(view.shape[batch])
    length = view.shape[time]
    layer = low.placed(view, [2], [time], None if low.steps is not None else (length, 1))
    kind = node.op.split(".")[-1].lower()
    spec: dict[str, Any] = {kind: cells, "bias": bias is not None}
    spec |= {"direction": direction} if direction != "forward" else {}
    spec |= {"recurrent_bias": True} if bias is not None and _has_state_bias(bias) else {}
    if kind == "rnn" and str((given.get("activations") or ["Tanh"])[0]) == "Relu":
        spec["activation"] = "relu"
    shape = (ways * cells, *low.emit.shapes[layer][1:])
    made = low.emit.add(node.name, spec, shape, layer)
    if weight.data is not None and state.data is not None:
        held = {"input": weight.data.astype(np.float64), "state": state.data.astype(np.float64)}
        held |= {"bias": bias.data.astype(np.float64)} if bias is not None and bias.data is not None else {}
        low.emit.weights[made] = held
    if any(low.net.optional(node, k) is not None and not low.value(node.inputs[k]).constant for k in (5, 6)):
        low.emit.note(f"{made}: the state starts at zero, not at what the model is given")
    _recurrent_views(low, node, made, (length, cells, ways), direction)


def _has_state_bias(bias: Value) -> bool:
    """Whether the second half, the bias of the state, is more than zeros."""
    if bias.data is None:
        return True
    return bool(bias.data.reshape(bias.shape[0], 2, -1)[:, 1].any())


def _recurrent_views(low: Lowering, node: Node, made: str, sizes: tuple[int, int, int], direction: str) -> None:
    """Y of (length, ways, batch, cells), and Y_h, the last state of each way."""
    length, cells, ways = sizes
    along = full("S" if low.steps is not None else "P", length)
    inner = full("C", cells)
    outer = (Atom("C", cells, 2),) if ways == 2 else ()
    layout = bool(node.attributes.get("layout"))
    axes = ((), along, outer, inner) if layout else (along, outer, (), inner)
    if low.wanted(node, 0):
        low.finish(node, View(made, tuple(joined(axis) for axis in axes)))
    if low.wanted(node, 1):
        last = _last_state(low, node, made, length, cells, direction)
        low.finish(node, View(last, ((), outer, inner) if layout else (outer, (), inner)), 1)
    if low.wanted(node, 2):
        if low.steps is not None:
            raise NeedsPositionsError
        spec = {"move": [ways * cells, 1, 1], "operands": [made], "reads": "whole", "groups": 1, "what": "cell state"}
        cell = low.emit.add(f"{node.name}.cell", spec, (ways * cells, 1, 1))
        low.finish(node, View(cell, ((), outer, inner) if layout else (outer, (), inner)), 2)


def _last_state(low: Lowering, node: Node, made: str, length: int, cells: int, direction: str) -> str:
    """The layer that gives the state at the end of the sequence: the first position of a backward way."""
    if length == 1:
        return made
    if low.steps is not None:
        raise NeedsPositionsError

    def at(source: str, row: int, tag: str) -> str:
        shape = (low.emit.channels(source), 1, 1)
        return low.emit.add(f"{node.name}.{tag}", {"slice": "rows", "start": row, "end": row + 1}, shape, source)

    if direction != "bidirectional":
        return at(made, 0 if direction == "reverse" else length - 1, "last")
    halves = []
    for way, row in ((0, length - 1), (1, 0)):
        spec = {"slice": "channels", "start": way * cells, "end": (way + 1) * cells}
        half = low.emit.add(f"{node.name}.way{way}", spec, (cells, length, 1), made)
        halves.append(at(half, row, f"last{way}"))
    return low.emit.add(f"{node.name}.last", {"concat": halves}, (2 * cells, 1, 1))


RULES: Final[dict[str, Rule]] = {**dict.fromkeys(("LSTM", "GRU", "RNN"), recurrent)}
