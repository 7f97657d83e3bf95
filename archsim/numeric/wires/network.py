"""The nodal equations of an array.

A cell joins node (i, j) of its wordline to node (i, j) of its bitline.  Let x be the deviation of each node from the
voltage of its line's terminals: v_i on wordline i, v_j on bitline j.  Kirchhoff's current law at all nodes, with L the
Laplacians of the lines with their ends, and I(u + x_w - x_b) the cell currents, u = v_i - v_j, then reads

    L_w x_w + I = 0        L_b x_b - I = 0

In these variables ideal wires are x = 0 and small drops are as accurate as large ones, relative to themselves.  A node
that is fixed has no equation and x = 0.  A line without resistance is one node: its array has length 1 along the line,
currents into it are summed and its voltage is broadcast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.numeric.wires.kernels import factor_lines, solve_lines
from archsim.numeric.wires.model import Wires

__all__ = ["Array", "Lines", "Mask", "Network", "Pivots", "build"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Lines:
    """All wordlines, or all bitlines, of an array of ``shape``."""

    axis: int
    """The axis along a line: 1 for wordlines, 0 for bitlines."""
    shape: tuple[int, int]
    segment_s: float
    """Conductance between neighbouring nodes; 0 where a line has only one node."""
    first_s: Array
    """Conductance of the left or upper end of each line, ``inf`` where it fixes its node."""
    last_s: Array
    """Conductance of the right or lower end."""
    end_s: Array
    """Conductance from each node to a terminal, 0 where there is none and where the node is fixed."""
    free: Mask
    """Whether a node has an equation."""

    def collect(self, currents: Array) -> Array:
        """Currents of the cells [rows, columns] into the nodes."""
        return currents if currents.shape == self.free.shape else currents.sum(axis=self.axis, keepdims=True)

    def laplacian(self, x: Array) -> Array:
        """The currents that leave the nodes through segments and ends at the deviations ``x``; 0 at fixed nodes.

        From differences of neighbours, which are exact where these are close.
        """
        out = self.end_s * x
        if x.shape[self.axis] > 1:
            low, high = _sides(self.axis)
            flow = self.segment_s * (x[low] - x[high])
            out[low] += flow
            out[high] -= flow
        out[~self.free] = 0.0
        return out

    def transposed(self) -> Lines:
        """The same lines as those of the transposed array."""
        ends = (self.first_s, self.last_s, self.end_s.T.copy(), self.free.T.copy())
        return Lines(1 - self.axis, self.shape[::-1], self.segment_s, *ends)

    def mirrored(self) -> Lines:
        """The same lines as those of the array with its columns in the reverse order."""
        first, last = (self.last_s, self.first_s) if self.axis == 1 else (self.first_s[::-1], self.last_s[::-1])
        nodes = self.end_s[:, ::-1].copy(), self.free[:, ::-1].copy()
        return Lines(self.axis, self.shape, self.segment_s, first, last, *nodes)


def _sides(axis: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The indices of all nodes with a successor, and of all with a predecessor."""
    low, high, every = slice(None, -1), slice(1, None), slice(None)
    return ((low, every), (high, every)) if axis == 0 else ((every, low), (every, high))


def _lines(axis: int, shape: tuple[int, int], segment_ohm: float, first_s: Array, last_s: Array) -> Lines:
    nodes = shape[axis] if segment_ohm > 0 else 1
    size = (shape[0], nodes) if axis == 1 else (nodes, shape[1])
    segment_s = 1 / segment_ohm if nodes > 1 else 0.0
    to_terminal, free = np.zeros(size), np.ones(size, dtype=bool)
    for node, conductance in ((0, first_s), (-1, last_s)):
        at = (slice(None), node) if axis == 1 else (node, slice(None))
        to_terminal[at] += np.where(np.isinf(conductance), 0.0, conductance)
        free[at] &= ~np.isinf(conductance)
    to_terminal[~free] = 0.0
    return Lines(axis, shape, segment_s, first_s, last_s, to_terminal, free)


@dataclass(frozen=True)
class Network:
    """Both planes of an array without its cells."""

    wordlines: Lines
    bitlines: Lines

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.wordlines.shape

    def transposed(self) -> Network:
        """The network whose wordlines are the bitlines of this one."""
        return Network(self.bitlines.transposed(), self.wordlines.transposed())

    def mirrored(self) -> Network:
        """The network of the array with its columns in the reverse order."""
        return Network(self.wordlines.mirrored(), self.bitlines.mirrored())

    def imbalance(self, x_w: Array, x_b: Array, cell_a: Array) -> tuple[Array, Array]:
        """The left-hand sides of the nodal equations: current in A that is missing at each node."""
        missing_w, missing_b = self.wordlines.collect(cell_a), self.bitlines.collect(cell_a)
        return (
            self.wordlines.laplacian(x_w) + np.where(self.wordlines.free, missing_w, 0.0),
            self.bitlines.laplacian(x_b) - np.where(self.bitlines.free, missing_b, 0.0),
        )


def _end_s(ohm: float, lines: int, open_lines: Mask | None) -> Array:
    conductance = math.inf if ohm == 0 else 1 / ohm
    return np.where(np.zeros(lines, dtype=bool) if open_lines is None else open_lines, 0.0, conductance)


def build(
    shape: tuple[int, int], wires: Wires, open_rows: Mask | None = None, open_columns: Mask | None = None
) -> Network:
    """The network of one block of ``shape``; the ends of open lines are not connected."""
    rows, columns = shape
    left, right = (_end_s(ohm, rows, open_rows) for ohm in (wires.left_ohm, wires.right_ohm))
    top, bottom = (_end_s(ohm, columns, open_columns) for ohm in (wires.top_ohm, wires.bottom_ohm))
    return Network(_lines(1, shape, wires.wordline_ohm, left, right), _lines(0, shape, wires.bitline_ohm, top, bottom))


@dataclass(frozen=True)
class Pivots:
    """The tridiagonal systems of all lines of a plane, with the conductances of their cells on the diagonal."""

    lines: Lines
    inverse: Array

    @classmethod
    def of(cls, lines: Lines, cells_s: Array) -> Pivots:
        """Factor L + diag(cells)."""
        leaks = lines.end_s + lines.collect(cells_s)
        return cls(lines, factor_lines(leaks, lines.free, lines.segment_s, lines.axis == 1))

    def solve(self, right: Array) -> Array:
        """Solve all lines; 0 at fixed nodes."""
        return solve_lines(self.inverse, self.lines.segment_s, right, self.lines.axis == 1)

    def share_to_terminals(self) -> Array:
        """The share of a current into each node that reaches a terminal, and not the far ends of the cells.

        It is the voltage for 1 V at the terminals, (L + D)^-1 L 1; 1 at a node that a terminal fixes.
        """
        lines = self.lines
        fixed = np.where(lines.free, 0.0, 1.0)
        return np.where(lines.free, self.solve(lines.end_s - lines.laplacian(fixed)), 1.0)
