"""Recurrent layers: all gates of a cell as one matrix over input and state, the columns of one cell side by side.

Element-wise operations a step for H cells, beside those of an LSTM (:mod:`~archsim.workload.operators`):

* GRU: two sigmoid gates and a tanh; r·(U h) and n + z·(h - n) as three products and three sums.  The candidate's
  input and state parts are summed apart, which the additions count.  3·H look-ups, 6·H more.
* plain RNN: its function.

A projection that is fed back is a dense layer of its own.  A layer that runs backward stands between two that reverse
the order of positions; a bidirectional one is a forward and a backward one, joined.
"""

from __future__ import annotations

from dataclasses import replace

from archsim.spec.functions import Operator
from archsim.spec.layer_vector import Recurrent
from archsim.workload.graph import Access, Layer, Matrix
from archsim.workload.shapes import sequence_features, with_function

__all__ = ["recurrent_layers"]

_GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def recurrent_layers(spec: Recurrent, base: Layer) -> tuple[Layer, ...]:
    """The layers of a recurrent ``spec``; the last gives its output."""
    if spec.direction == "forward":
        return _one(spec, base)
    turned = _reversed(base, f"{base.name}.turned", base.inputs[0], base.input_shapes[0])
    reading = replace(base, name=f"{base.name}.backward", inputs=(turned.name,))
    backward = _one(spec, reading)
    last = backward[-1]
    if spec.direction == "reverse":
        return turned, *backward, _reversed(base, base.name, last.name, last.output_shape)
    again = _reversed(base, f"{base.name}.returned", last.name, last.output_shape)
    forward = _one(spec, replace(base, name=f"{base.name}.forward"))
    shapes = forward[-1].output_shape, again.output_shape
    both = (2 * shapes[0][0], *shapes[0][1:])
    joined = Layer(base.name, "concat", (forward[-1].name, again.name), shapes, both, base.steps)
    return *forward, turned, *backward, again, joined


def _reversed(base: Layer, name: str, source: str, shape: tuple[int, ...]) -> Layer:
    return Layer(name, "reverse", (source,), (shape,), shape, base.steps, reads=(Access("reverse", shape[0]),))


def _one(spec: Recurrent, base: Layer) -> tuple[Layer, ...]:
    cells: int = getattr(spec, spec.operator)
    projected: int | None = getattr(spec, "recurrent_projection", None)
    state = cells if projected is None else projected
    gates = _GATES[spec.operator]
    matrix = Matrix(sequence_features(base) + state, gates * cells)
    biases = gates * cells * (1 + spec.recurrent_bias) if spec.bias else 0
    projection = f"{base.name}.projection"
    shape = base.input_shapes[0]
    layer = replace(
        base,
        output_shape=(cells, *shape[1:]),
        matrix=matrix,
        biases=biases,
        trained_parameters=matrix.weights + biases,
        state=state,
        state_from=base.name if projected is None else projection,
        gates=gates,
        in_loop=True,
    )
    layer = with_function(layer, "none", _work(spec, cells))
    if projected is None:
        return (layer,)
    weights = Matrix(cells, projected)
    fed_back = Layer(
        projection,
        "linear" if len(shape) == 3 else "dense",
        (base.name,),
        (layer.output_shape,),
        (projected, *shape[1:]),
        base.steps,
        matrix=weights,
        trained_parameters=weights.weights,
        in_loop=True,
    )
    return layer, fed_back


def _work(spec: Recurrent, cells: int) -> dict[Operator, int]:
    match spec.operator:
        case "lstm":
            return {"sigmoid": 3 * cells, "tanh": 2 * cells, "multiply": 3 * cells, "add": cells}
        case "gru":
            return {"sigmoid": 2 * cells, "tanh": cells, "multiply": 3 * cells, "add": 3 * cells}
        case _:
            function: Operator = getattr(spec, "activation")  # noqa: B009  only a plain RNN has one
            return {function: cells}
