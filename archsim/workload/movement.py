"""Data movement: layers that put values elsewhere, or take them from several positions, and do little with them."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

from archsim.errors import WorkloadError
from archsim.spec.layer import OperatorLayer
from archsim.spec.layer_vector import Pad, Resize, Reverse, Shuffle, Slice, Spp
from archsim.workload.graph import Access, Layer
from archsim.workload.shapes import charged, divides, image, volume

__all__ = ["moved", "spp"]


def spp(spec: Spp, base: Layer) -> tuple[Layer, ...]:
    """A pool for each grid of n × n cells, cell y over the rows from floor(y·H/n) to ceil((y + 1)·H/n)."""
    channels, high, wide = image(base)
    pools = []
    for cells in spec.spp:
        if cells > min(high, wide):
            message = f"layer {base.name!r} has a grid of {cells} × {cells} cells over an image of {high} × {wide}"
            raise WorkloadError(f"{message}; expected at most as many cells as rows and columns")
        kernel = _most_covered(high, cells), _most_covered(wide, cells)
        pool = replace(
            base,
            name=f"{base.name}.{cells}",
            op="pyramid pool",
            output_shape=(channels, cells, cells),
            kernel=kernel,
            stride=(high, wide),
            upscale=(cells, cells),
            pool="max",
            reads=(Access("window", channels),),
        )
        pools.append(charged(pool, {"max": channels * (kernel[0] * kernel[1] - 1)}))
    shapes = tuple(pool.output_shape for pool in pools)
    ends = list(accumulate(volume(shape) for shape in shapes))
    joined = replace(
        base,
        inputs=tuple(pool.name for pool in pools),
        input_shapes=shapes,
        output_shape=(ends[-1],),
        reads=tuple(Access("whole", 1, at=at) for at in (0, *ends[:-1])),
    )
    return *pools, joined


def _most_covered(length: int, cells: int) -> int:
    """The rows that the largest of ``cells`` cells of ``length`` rows covers."""
    return max(-(-(k + 1) * length // cells) - k * length // cells for k in range(cells))


def moved(spec: OperatorLayer, base: Layer) -> Layer:
    """The layer of an operator that only moves data."""
    match spec:
        case Reverse():
            return replace(base, reads=(Access("reverse", base.outputs),))
        case Shuffle():
            divides(base, spec.shuffle)
            return replace(base, reads=(Access("same", 1),))
        case Slice():
            return _slice(spec, base)
        case Pad():
            return _pad(spec, base)
        case Resize():
            return _resize(spec, base)
        case _:
            raise AssertionError(f"no layer of operator {spec.operator!r}")


def _slice(spec: Slice, base: Layer) -> Layer:
    shape = base.input_shapes[0]
    axis = {"channels": 0, "rows": 1, "columns": 2}[spec.slice]
    if axis >= len(shape) or spec.end > shape[axis] or spec.start >= spec.end:
        message = f"layer {base.name!r} takes {spec.slice} {spec.start} to {spec.end} of {shape}"
        raise WorkloadError(f"{message}; expected a range within them")
    length = -(-(spec.end - spec.start) // spec.step)
    out = (*shape[:axis], length, *shape[axis + 1 :])
    if axis == 0:
        even = length * spec.step <= shape[0] - spec.start
        channels = spec.start, spec.start + length * spec.step if even else spec.end
        return replace(base, output_shape=out, reads=(Access("same", length if even else 1, channels),))
    before, apart = [0, 0], [1, 1]
    before[axis - 1], apart[axis - 1] = -spec.start, spec.step
    pad, stride = (before[0], before[1], 0, 0), (apart[0], apart[1])
    return replace(base, output_shape=out, pad=pad, stride=stride, reads=(Access("window", shape[0]),))


def _pad(spec: Pad, base: Layer) -> Layer:
    channels, high, wide = image(base)
    top, left, bottom, right = spec.pad
    out = (channels, high + top + bottom, wide + left + right)
    if min(out) < 1:
        raise WorkloadError(f"layer {base.name!r} cuts {base.input_shapes[0]} down to {out}")
    return replace(base, output_shape=out, pad=(top, left, bottom, right), reads=(Access("window", channels),))


def _resize(spec: Resize, base: Layer) -> Layer:
    """Output row y of R lies over row (y + 1/2)·H/R - 1/2 of H, and reads the 2 (linear) or 4 (cubic) around it."""
    channels, *sizes = image(base)
    kernel = {"nearest": 1, "linear": 2, "cubic": 4}[spec.mode]
    layer = replace(
        base,
        output_shape=(channels, *spec.resize),
        kernel=(kernel, kernel),
        reads=(Access("window", channels),),
    )
    (high, wide), (rows, columns) = sizes, spec.resize
    if spec.mode == "nearest":
        return replace(layer, stride=(high, wide), upscale=(rows, columns))
    more = 2 if spec.mode == "cubic" else 0
    pad = (rows - high + more * rows, columns - wide + more * columns, 0, 0)
    layer = replace(layer, stride=(2 * high, 2 * wide), upscale=(2 * rows, 2 * columns), pad=pad)
    values = channels * kernel * kernel
    return charged(layer, {"multiply": values, "add": values - channels})
