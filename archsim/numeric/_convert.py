"""The compiled loops around the matrix product: drive the wordlines, convert the sums, shift and add.

All that Numba compiles for them stands in this one file, since its cache on disk notices a change of the file of a
function only.  Every operation is an elementary one in a fixed order, so that the bytes of a result are those of any
other machine.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from archsim.jit import helper
from archsim.numeric._jit import kernel

__all__ = ["AS_IS", "NEGATIVE", "POSITIVE", "SIGNED", "accumulate", "convert", "convert_by_edges", "drive"]

Ints = NDArray[np.integer]
Sums = NDArray[np.floating]
Floats = NDArray[np.float64]

AS_IS: Final = 0
POSITIVE: Final = 1
NEGATIVE: Final = 2
SIGNED: Final = 3
"""What of an input a step drives: its bits, those of max(x, 0), of max(-x, 0), or those of |x| with the sign of x."""


@kernel
def drive(x: Ints, kinds: Ints, shifts: Ints, masks: Ints, out: Sums) -> None:
    """The wordline values of all steps: ``out`` [samples × steps, rows] from int32 ``x`` [samples, rows].

    Step t drives (u >> shifts[t]) & masks[t], where ``kinds[t]`` says what u is.
    """
    steps = kinds.shape[0]
    for b in range(x.shape[0]):
        values = x[b]
        for t in range(steps):
            row = out[b * steps + t]
            shift, mask, kind = shifts[t], masks[t], kinds[t]
            for r in range(values.shape[0]):
                value = values[r]
                minus = np.int32(-value)
                size = value if value > 0 else minus
                if kind == 0:
                    size = value
                elif kind == 1:
                    size = value if value > 0 else np.int32(0)
                elif kind == 2:
                    size = minus if minus > 0 else np.int32(0)
                digit = np.int32(np.int32(size >> shift) & mask)
                row[r] = -digit if kind == 3 and value < 0 else digit


@helper
def _row(
    sums: Sums, scale: np.floating, shift: np.floating, top: np.floating, weight: np.integer, part: Ints
) -> np.int32:
    """Add ``weight`` times the code of each sum to ``part``; returns how many sums were out of range."""
    zero = top - top  # of the type of the sums: a literal would widen them
    over = top + np.float32(1)
    out = np.int32(0)
    for m in range(part.shape[0]):
        u = sums[m] * scale + shift
        out += np.int32(u < zero) + np.int32(u >= over)
        c = u if u > zero else zero
        c = c if c < top else top
        part[m] += weight * np.int32(c)
    return out


@kernel
def convert(
    sums: Sums, start: int, weights: Ints, curve: Sums, low: float, step: float, coef: Floats, out: Floats
) -> int:
    """Convert a group of columns of ``sums`` [samples × steps, columns], shift and add over the steps.

    The group are the columns from ``start`` on, as many as ``coef`` and ``out`` have.

    The code of a sum y is c = low + floor(min(max(y scale + shift, 0), top)) with ``curve`` = (scale, shift, top) in
    the type of the sums; ``out`` [samples, columns] grows by coef step Σ_t weights[t] c.  ``weights`` are int32 or
    int64, and so is the sum of codes.  Returns how many sums were out of range.
    """
    steps, columns = weights.shape[0], coef.shape[0]
    scale, shift, top = curve[0], curve[1], curve[2]
    part = np.empty(columns, weights.dtype)
    base = low * weights.sum()
    clipped = 0
    for b in range(out.shape[0]):
        part[:] = 0
        for t in range(steps):
            clipped += int(_row(sums[b * steps + t, start : start + columns], scale, shift, top, weights[t], part))
        row = out[b]
        for m in range(columns):
            row[m] += coef[m] * (step * (part[m] + base))
    return clipped


@kernel
def convert_by_edges(
    sums: Sums,
    start: int,
    weights: Ints,
    curve: Sums,
    edges: Floats,
    low: float,
    step: float,
    coef: Floats,
    out: Floats,
) -> int:
    """As :func:`convert` for a converter whose code k begins at ``edges[k]`` and not at k; ``edges`` never fall."""
    steps, columns = weights.shape[0], coef.shape[0]
    scale, shift, top = curve[0], curve[1], int(curve[2])
    base = low * weights.sum()
    clipped = 0
    for b in range(out.shape[0]):
        for m in range(columns):
            part = 0
            for t in range(steps):
                u = float(sums[b * steps + t, start + m] * scale + shift)
                clipped += (u < 0.0) + (u >= top + 1.0)
                c = int(min(max(u, 0.0), float(top)))
                while c < top and u >= edges[c + 1]:
                    c += 1
                while c > 0 and u < edges[c]:
                    c -= 1
                part += weights[t] * c
            out[b, m] += coef[m] * (step * (part + base))
    return clipped


@kernel
def accumulate(sums: Sums, start: int, weights: Ints, coef: Floats, out: Floats) -> None:
    """As :func:`convert` without conversion: ``out`` grows by coef Σ_t weights[t] y."""
    steps, columns = weights.shape[0], coef.shape[0]
    part = np.empty(columns)
    for b in range(out.shape[0]):
        part[:] = 0.0
        for t in range(steps):
            row, weight = sums[b * steps + t, start : start + columns], float(weights[t])
            for m in range(columns):
                part[m] += weight * row[m]
        row_out = out[b]
        for m in range(columns):
            row_out[m] += coef[m] * part[m]
