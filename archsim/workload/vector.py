"""Layers without weights: what each reads, how many operations of functional units it takes, and pure data movement.

Counted a window, over C channels of the output:

* multiply, subtract, divide, maximum of m layers: C·(m - 1).
* softmax in G groups: C exp, C - G additions, C divisions.  If causal, position t has t + 1 values in each group; all
  positions are charged their mean, rounded up.
* layer norm: mean (C - 1 additions, a product), C differences, C squares, their mean likewise, a root and a quotient, C
  products, and C products and C additions for scale and shift.  RMS norm: without mean and differences.
* batch norm that cannot be folded: a product and an addition a value.
* instance and group norm: first the statistics as positions come, two additions and a product a value; then a product
  and an addition a value, by a scale and shift in which the statistics are folded.
* matmul: a ``mac`` a product, on average if causal.
* resize: nothing if nearest, 4 products and 3 additions a value if linear, 16 and 15 if cubic.
* embedding: an addition a value and further table.
* reduce over k values: k - 1 additions, products or comparisons, and what else its name says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archsim.errors import WorkloadError
from archsim.spec.functions import Operator
from archsim.spec.layer import OperatorLayer
from archsim.spec.layer_vector import (
    Cache,
    Combine,
    Embedding,
    Matmul,
    Move,
    Norm,
    Reduce,
    Softmax,
    Spp,
    Vector,
)
from archsim.workload.graph import Access, Layer, Matrix, Shape
from archsim.workload.movement import moved, spp
from archsim.workload.shapes import charged, divides, function_work, image, with_function

__all__ = ["vector_layers"]

_COMBINES: dict[str, Operator] = {"multiply": "multiply", "subtract": "add", "divide": "divide", "maximum": "max"}


def vector_layers(spec: OperatorLayer, base: Layer, inputs: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers that ``spec`` makes of ``inputs``; ``base`` has their shapes, and that of the first as its output."""
    match spec:
        case Vector():
            return (_vector(spec, base),)
        case Move():
            return (_move(spec, base),)
        case Combine():
            return (_combine(spec, base),)
        case Softmax():
            return (_softmax(spec, base),)
        case Norm():
            return _norm(spec, base)
        case Reduce():
            return (_reduce(spec, base),)
        case Matmul():
            return (_matmul(spec, base, inputs[1].cached),)
        case Cache():
            return (_cache(spec, base),)
        case Embedding():
            return (_embedding(spec, base),)
        case Spp():
            return spp(spec, base)
        case _:
            return (moved(spec, base),)


def _same(shapes: Sequence[Shape], channels: int) -> tuple[Access, ...]:
    """Each operand read at the same position, channel by channel or its only channel by all."""
    return tuple(Access("same", channels if shape[0] == channels else 1) for shape in shapes)


# -- the two general records ---------------------------------------------------------------------


def _accesses(spec: Vector | Move, base: Layer, shape: Shape) -> tuple[Access, ...]:
    count = len(base.inputs)
    spans = spec.reads if isinstance(spec.reads, list) else [spec.reads] * count
    groups = spec.groups if isinstance(spec.groups, list) else [spec.groups] * count
    for key, listed in (("reads", len(spans)), ("groups", len(groups))):
        if listed != count:
            message = f"layer {base.name!r} has {count} operands and {listed} entries in {key!r}"
            raise WorkloadError(f"{message}; expected one entry, or one for each operand")
    out = []
    for span, given, name, read in zip(spans, groups, base.inputs, base.input_shapes, strict=True):
        parts = given or (shape[0] if read[0] == shape[0] else 1)
        if shape[0] % parts or read[0] % parts:
            message = f"layer {base.name!r} reads {name!r} of {read[0]} channels in {parts} groups"
            raise WorkloadError(f"{message}; they must divide these and its {shape[0]} channels")
        out.append(Access(span, parts))
    return tuple(out)


_LOWERED = frozenset(("input", "flatten", "concat", "globalpool"))
"""Operators that compiling knows by their names."""


def _called(spec: Vector | Move, base: Layer) -> str:
    """What tables call a layer of a general record: never as an operator that is compiled in its own way."""
    what = spec.what or base.op
    return f"{what} by {base.op}" if what in _LOWERED else what


def _vector(spec: Vector, base: Layer) -> Layer:
    shape = spec.shape or base.output_shape
    layer = replace(
        base,
        op=_called(spec, base),
        output_shape=shape,
        reads=_accesses(spec, base, shape),
        constants=spec.parameters,
        trained_parameters=spec.parameters,
        accumulates=spec.accumulate,
    )
    if spec.accumulate and layer.positions > 1:
        raise WorkloadError(f"layer {base.name!r} accumulates and so gives one position, got shape {shape}")
    return with_function(layer, spec.activation, spec.vector)


def _move(spec: Move, base: Layer) -> Layer:
    shape = spec.move
    return replace(
        base,
        op=_called(spec, base),
        output_shape=shape,
        reads=_accesses(spec, base, shape),
        constants=spec.parameters,
        trained_parameters=spec.parameters,
    )


# -- element by element --------------------------------------------------------------------------


def _broadcast(base: Layer) -> Shape:
    """The common shape of all operands, lengths of 1 repeated."""
    rank = max(len(shape) for shape in base.input_shapes)
    shapes = [shape + (1,) * (rank - len(shape)) for shape in base.input_shapes]
    out = tuple(max(lengths) for lengths in zip(*shapes, strict=True))
    for name, given, shape in zip(base.inputs, base.input_shapes, shapes, strict=True):
        if any(length not in (1, most) for length, most in zip(shape, out, strict=True)):
            message = f"layer {base.name!r} combines {base.inputs[0]!r} of shape {base.input_shapes[0]} and {name!r}"
            raise WorkloadError(f"{message} of shape {given}; lengths must be equal, or 1")
    return out


def _combine(spec: Combine, base: Layer) -> Layer:
    shape = _broadcast(base)
    layer = replace(base, output_shape=shape, reads=_same(base.input_shapes, shape[0]))
    return with_function(layer, spec.activation, {_COMBINES[spec.operator]: shape[0] * (len(base.inputs) - 1)})


def _softmax(spec: Softmax, base: Layer) -> Layer:
    divides(base, spec.softmax)
    values = base.outputs
    if spec.causal:
        values = -(-values * (base.positions + 1) // (2 * base.positions))
    layer = replace(base, reads=(Access("same", spec.softmax),))
    return charged(layer, function_work("softmax", values, min(values, spec.softmax)))


# -- statistics ----------------------------------------------------------------------------------


def _norm(spec: Norm, base: Layer) -> tuple[Layer, ...]:
    channels = base.outputs
    shift = spec.norm != "rms" if spec.shift is None else spec.shift
    constants = channels * (spec.scale + shift)
    layer = replace(base, op=f"{spec.norm} norm", constants=constants, trained_parameters=constants)
    if spec.norm == "batch":
        layer = replace(layer, reads=(Access("same", channels),))
        return (with_function(layer, spec.activation, {"multiply": channels, "add": channels}),)
    if spec.norm in ("layer", "rms"):
        centred = spec.norm == "layer"
        work: dict[Operator, int] = {
            "add": (channels - 1) + 1 + (2 * channels - 1) * centred + channels * shift,
            "multiply": 2 * channels + 1 + centred + channels * spec.scale,
            "sqrt": 1,
            "divide": 1,
        }
        return (with_function(replace(layer, reads=(Access("same", 1),)), spec.activation, work),)
    image(base)
    groups = channels if spec.norm == "instance" else spec.groups
    divides(base, groups)
    size = base.positions * channels
    statistics = replace(
        base,
        name=f"{base.name}.statistics",
        op="statistics",
        output_shape=(2 * groups, 1, 1),
        reads=(Access("whole", groups),),
        accumulates=True,
    )
    statistics = charged(statistics, {"add": 2 * size, "multiply": size + 2 * groups, "sqrt": groups, "divide": groups})
    reads = Access("same", channels), Access("same", groups)
    names, shapes = (*base.inputs, statistics.name), (*base.input_shapes, statistics.output_shape)
    applied = replace(layer, inputs=names, input_shapes=shapes, reads=reads)
    return statistics, with_function(applied, spec.activation, {"multiply": channels, "add": channels})


_REDUCES: dict[str, tuple[dict[Operator, int], Operator, dict[Operator, int]]] = {
    "sum": ({}, "add", {}),
    "mean": ({}, "add", {"multiply": 1}),
    "max": ({}, "max", {}),
    "min": ({}, "max", {}),
    "product": ({}, "multiply", {}),
    "l1": ({"max": 1}, "add", {}),
    "l2": ({"multiply": 1}, "add", {"sqrt": 1}),
    "sum_square": ({"multiply": 1}, "add", {}),
    "log_sum_exp": ({"exp": 1}, "add", {"log": 1}),
}
"""What is done with each value, with what values are joined, and what is done with the result."""


def _reduce(spec: Reduce, base: Layer) -> Layer:
    shape = base.input_shapes[0]
    each, join, last = _REDUCES[spec.reduce]
    over_channels = spec.over != "positions"
    channels = 1 if over_channels else shape[0]
    positions = 1 if spec.over == "channels" else base.positions
    size = (shape[0] if over_channels else 1) * positions
    work: dict[Operator, int] = {operator: count * size * channels for operator, count in each.items()}
    work[join] = work.get(join, 0) + (size - 1) * channels
    for operator, count in last.items():
        work[operator] = work.get(operator, 0) + count * channels
    kept = shape[1:] if spec.over == "channels" else (1,) * (len(shape) - 1)
    whole = spec.over != "channels"
    layer = replace(
        base,
        op=f"reduce {spec.reduce}",
        output_shape=(channels, *kept),
        reads=(Access("whole" if whole else "same", channels),),
        accumulates=whole,
    )
    return charged(layer, work)


# -- sequences -----------------------------------------------------------------------------------


def _matmul(spec: Matmul, base: Layer, cached: int) -> Layer:
    (own, *grid), other = base.input_shapes
    heads, kv_heads = spec.heads, spec.kv_heads or spec.heads
    names = f"layer {base.name!r} multiplies {base.inputs[0]!r} {base.input_shapes[0]} and {base.inputs[1]!r} {other}"
    if heads % kv_heads or own % heads or other[0] % kv_heads:
        raise WorkloadError(f"{names}; {heads} heads over {kv_heads} must divide each other and the channels")
    if len(other) != 3 and not cached:
        raise WorkloadError(f"{names}; the second has one position only, write its tokens as (D, S, 1) or a cache")
    tokens = cached or other[1] * other[2]
    rows, columns = own // heads, tokens
    if not spec.transpose:
        rows, columns = tokens, other[0] // kv_heads
    if (own // heads, rows) != ((other[0] // kv_heads,) * 2 if spec.transpose else (tokens,) * 2):
        want = other[0] // kv_heads if spec.transpose else tokens
        raise WorkloadError(
            f"{names}: {own // heads} channels a head of the first, {want} of the second; must be equal"
        )
    macs = heads * rows * columns
    if spec.causal and not cached:
        windows = base.positions
        if windows > tokens:
            raise WorkloadError(f"{names}; causal needs as many tokens in the second, got {tokens} for {windows}")
        macs = -(-macs * (2 * tokens - windows + 1) // (2 * tokens))
    layer = replace(
        base,
        output_shape=(heads * columns, *grid),
        dynamic=Matrix(rows, columns, heads),
        reads=(
            Access("same", heads),
            Access("past" if spec.causal or cached else "whole", kv_heads, keyed=spec.transpose),
        ),
    )
    return charged(layer, {"mac": macs})


def _cache(spec: Cache, base: Layer) -> Layer:
    if base.positions > 1:
        raise WorkloadError(f"layer {base.name!r} takes one token a step, got {base.output_shape}")
    return replace(base, cached=spec.cache, reads=(Access("same", base.outputs),))


def _embedding(spec: Embedding, base: Layer) -> Layer:
    tables = spec.rows if isinstance(spec.rows, list) else [spec.rows]
    constants = sum(tables) * spec.embedding
    layer = replace(
        base,
        output_shape=(spec.embedding, *base.output_shape[1:]),
        constants=constants,
        trained_parameters=constants,
        reads=(Access("same", 1),),
        host=True,
    )
    return charged(layer, {"add": spec.embedding * (len(tables) - 1)})
