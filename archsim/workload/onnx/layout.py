"""How a tensor of ONNX lies in the output of a layer: each of its axes as a row of atoms of the layer's dimensions.

A layer's output has the dimensions C (channels or features), P (positions, in raster order) and S (steps).  An
:class:`Atom` is a part of one of them: of P = H·W, the rows are the atom with stride W and size H.  Axes of length 1
have no atoms; R is repetition, an axis that the layer does not have.  Transposing and most reshaping change the atoms
alone and so cost nothing; a layer that moves data is needed only where the next operator wants another order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Atom", "Axes", "View", "full", "joined", "raster", "regrouped"]

Dimension = Literal["C", "P", "S", "R"]


@dataclass(frozen=True, slots=True)
class Atom:
    """``size`` entries of a dimension, ``stride`` apart."""

    dimension: Dimension
    stride: int
    size: int


Axis = tuple[Atom, ...]
Axes = tuple[Axis, ...]


@dataclass(frozen=True, slots=True)
class View:
    """A tensor: the output of ``layer``, seen along ``axes``."""

    layer: str
    axes: Axes

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return tuple(math.prod(atom.size for atom in axis) for axis in self.axes)


def full(dimension: Dimension, size: int) -> Axis:
    """All of a dimension."""
    return (Atom(dimension, 1, size),) if size > 1 else ()


def joined(atoms: Sequence[Atom]) -> Axis:
    """The same order of entries in as few atoms as possible."""
    out: list[Atom] = []
    for atom in atoms:
        if atom.size == 1:
            continue
        last = out[-1] if out else None
        if (
            last
            and last.dimension == atom.dimension
            and last.stride == atom.stride * atom.size
            and atom.dimension != "R"
        ):
            out[-1] = Atom(atom.dimension, atom.stride, last.size * atom.size)
        else:
            out.append(atom)
    return tuple(out)


def raster(dimension: Dimension, lengths: Sequence[int]) -> list[Axis]:
    """Axes of these ``lengths`` that are a dimension in raster order."""
    out: list[Axis] = []
    stride = math.prod(lengths)
    for length in lengths:
        stride //= max(1, length)
        out.append((Atom(dimension, stride, length),) if length > 1 else ())
    return out


def regrouped(axes: Sequence[Axis], shape: Sequence[int]) -> Axes | None:
    """The atoms of ``axes`` in their order as axes of ``shape``; None if an atom would have to be cut unevenly."""
    left = [atom for axis in axes for atom in joined(axis)]
    left = list(joined(left))
    out: list[Axis] = []
    for length in shape:
        need, axis = length, []
        while need > 1:
            if not left:
                return None
            atom = left.pop(0)
            if need % atom.size == 0:
                axis.append(atom)
                need //= atom.size
                continue
            if atom.size % need:
                return None
            inner = atom.size // need
            outer_stride = atom.stride * inner if atom.dimension != "R" else 1
            axis.append(Atom(atom.dimension, outer_stride, need))
            left.insert(0, Atom(atom.dimension, atom.stride, inner))
            need = 1
        out.append(joined(axis))
    return tuple(out) if not left else None
