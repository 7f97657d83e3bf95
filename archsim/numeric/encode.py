"""Whole-number weights as levels of cells, and back: which cell planes there are and what each counts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archsim.errors import NumericError
from archsim.numeric.config import WeightCode

__all__ = ["Levels", "Plane", "encode", "planes", "row_blocks", "whole_numbers"]

Integers = NDArray[np.int64]


class Plane(NamedTuple):
    """One cell of every weight: its slice, the width of the slice in bits, and what one level of it counts."""

    slice: int
    width: int
    counts: int

    @property
    def top(self) -> int:
        """The highest level."""
        return int(2**self.width) - 1


@dataclass(frozen=True)
class Levels:
    """``cells`` [planes, K, M]: the level of every cell.  ``flipped`` [row blocks, planes, M]: columns that are stored
    complemented.  ``bias``: what a weight is stored above its value."""

    cells: Integers
    flipped: NDArray[np.bool_]
    bias: int


def planes(code: WeightCode) -> tuple[Plane, ...]:
    """The cells of a weight."""
    shifts = [0, *accumulate(code.widths)]
    slices = [Plane(s, width, 2 ** shifts[s]) for s, width in enumerate(code.widths)]
    if code.scheme == "differential":
        return tuple(p for s in slices for p in (s, s._replace(counts=-s.counts)))
    if code.scheme == "twos-complement" and code.signed:
        return (*slices, Plane(len(slices), 1, -(2 ** (code.bits - 1))))
    return tuple(slices)


def row_blocks(rows: int, per_array: int) -> list[slice]:
    """The rows of a matrix in arrays of ``per_array`` rows."""
    return [slice(at, min(at + per_array, rows)) for at in range(0, rows, per_array)]


def whole_numbers(what: str, values: ArrayLike, low: int, high: int, dimensions: int) -> Integers:
    """``values`` as int64; NumericError names the first that is no whole number from ``low`` to ``high``."""
    array = np.asarray(values)
    axes = ("row", "column")[:dimensions] if dimensions == 2 else ("place",)
    if array.ndim != dimensions:
        raise NumericError(f"{what}: expected {dimensions} dimensions, got {array.ndim} (shape {array.shape})")
    if array.size == 0:
        raise NumericError(f"{what}: expected at least one row and one column, got shape {array.shape}")
    if array.dtype.kind not in "iufb":
        raise NumericError(f"{what}: expected numbers, got an array of {array.dtype}")

    def refuse(wrong: NDArray[np.bool_], expected: str) -> None:
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            place = ", ".join(f"{axis} {i}" for axis, i in zip(axes, at, strict=True))
            raise NumericError(f"{what}: expected {expected}, got {array[at]} at {place}")

    if array.dtype.kind == "f":
        refuse(~np.isfinite(array), "finite numbers")
        refuse(array != np.rint(array), "whole numbers; scale and round them first")
    refuse((array < low) | (array > high), f"whole numbers from {low} to {high}")
    return array.astype(np.int64)


def encode(weights: Integers, code: WeightCode, rows: int) -> Levels:
    """The levels of the cells of ``weights`` [K, M] in arrays of ``rows`` rows."""
    cells = np.empty((len(planes(code)), *weights.shape), np.int64)
    bias = 2 ** (code.bits - 1) if code.signed and code.scheme in ("offset", "flipped") else 0
    for j, plane in enumerate(planes(code)):
        stored = weights + bias
        if code.scheme == "differential":
            stored = np.maximum(weights if plane.counts > 0 else -weights, 0)
        elif plane.counts < 0:  # the sign bit, which counts its own place
            cells[j] = weights < 0
            continue
        elif code.scheme == "twos-complement" and code.signed:
            stored = weights & (2 ** (code.bits - 1) - 1)
        cells[j] = (stored // abs(plane.counts)) & plane.top
    blocks = row_blocks(len(weights), rows)
    flipped = np.zeros((len(blocks), len(cells), weights.shape[1]), np.bool_)
    if code.scheme == "flipped":
        for b, block in enumerate(blocks):
            for j, plane in enumerate(planes(code)):
                part = cells[j, block]
                flipped[b, j] = 2 * part.sum(0) > plane.top * len(part)
                cells[j, block] = np.where(flipped[b, j], plane.top - part, part)
    return Levels(cells, flipped, bias)
