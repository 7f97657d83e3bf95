"""Linear systems with the matrix of an array, [L_w + D, -D; -D, L_b + D], D the conductances of the cells.

Either plane can be eliminated exactly, line by line, because its block is tridiagonal.  What remains for the wordlines,

    S = L_w + D - D (L_b + D)^-1 D,

is solved in one of two ways: by block elimination, column after column, where the array is small; else by conjugate
gradients with L_w + D as preconditioner.  The eigenvalues of the preconditioned S lie in (0, 1], and only as many are
far from 1 as there are smooth voltage profiles that the lines cannot hold against the cells, which is why few
iterations are enough.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from archsim.errors import NumericError
from archsim.numeric.wires.kernels import block_inverses, block_solve
from archsim.numeric.wires.network import Array, Network, Pivots

__all__ = ["BlockElimination", "ConjugateGradients", "LinearSystem", "linear_system"]

MAX_ITERATIONS = 2_000
DIRECT_UP_TO = 64
"""The smaller dimension up to which block elimination is used; measured by ``benchmarks.wires``."""


class LinearSystem(Protocol):
    """Solves for both planes."""

    def solve(self, right_w: Array, right_b: Array) -> tuple[Array, Array]:
        """The deviations of the wordline and bitline nodes for currents into them."""


class _Reduced:
    """What both ways share: the elimination of the bitlines."""

    def __init__(self, network: Network, cells_s: Array) -> None:
        self.network, self.cells_s = network, cells_s
        self.bitlines = Pivots.of(network.bitlines, cells_s)

    def through_bitlines(self, currents_b: Array) -> Array:
        """The currents that arrive at the wordline nodes when these flow into the bitline nodes."""
        return self.network.wordlines.collect(self.cells_s * self.bitlines.solve(currents_b))

    def _wordlines(self, right: Array) -> Array:
        raise NotImplementedError

    def solve(self, right_w: Array, right_b: Array) -> tuple[Array, Array]:
        """The deviations of the wordline and bitline nodes for currents into them."""
        if self.network.wordlines.free.any():
            right = np.where(self.network.wordlines.free, right_w + self.through_bitlines(right_b), 0.0)
            x_w = self._wordlines(right)
        else:
            x_w = np.zeros(right_w.shape)
        return x_w, self.bitlines.solve(right_b + self.network.bitlines.collect(self.cells_s * x_w))


class BlockElimination(_Reduced):
    """Direct: eliminates S column after column; columns × rows^3 / 2 multiplications and columns × rows^2 numbers."""

    def __init__(self, network: Network, cells_s: Array) -> None:
        super().__init__(network, cells_s)
        lines, segment_s = network.wordlines, network.bitlines.segment_s
        leaks = lines.end_s + lines.collect(cells_s * self.bitlines.share_to_terminals())
        self.inverses = block_inverses(leaks, lines.free, lines.segment_s, self.bitlines.inverse, segment_s, cells_s)

    def _wordlines(self, right: Array) -> Array:
        return block_solve(self.inverses, self.network.wordlines.segment_s, right)


class ConjugateGradients(_Reduced):
    """Iterative: each iteration solves all bitlines and all wordlines once.

    Stops when the preconditioned residual has fallen by ``tolerance``; ``iterations`` counts all so far.
    """

    def __init__(self, network: Network, cells_s: Array, tolerance: float = 1e-8) -> None:
        super().__init__(network, cells_s)
        self.wordlines = Pivots.of(network.wordlines, cells_s)
        self.tolerance, self.iterations = tolerance, 0

    def _apply(self, x: Array) -> Array:
        """S x: what leaves the wordline nodes, through the cells into the bitlines included."""
        lines = self.network.wordlines
        across = self.bitlines.solve(self.network.bitlines.collect(self.cells_s * x))
        out = lines.laplacian(x) + lines.collect(self.cells_s * (x - across))
        out[~lines.free] = 0.0
        return out

    def _wordlines(self, right: Array) -> Array:
        x, residual = np.zeros(right.shape), right.copy()
        direction = preconditioned = self.wordlines.solve(residual)
        size = _dot(residual, preconditioned)
        goal = self.tolerance**2 * size
        for _ in range(MAX_ITERATIONS):
            if size <= goal:
                return x
            applied = self._apply(direction)
            step = size / _dot(direction, applied)
            x += step * direction
            residual -= step * applied
            preconditioned = self.wordlines.solve(residual)
            before, size = size, _dot(residual, preconditioned)
            direction = preconditioned + (size / before) * direction
            self.iterations += 1
        reached = math.sqrt(size * self.tolerance**2 / goal)
        raise NumericError(
            f"wires: no solution after {MAX_ITERATIONS} iterations: the residual fell to {reached:.1e} of the first "
            f"one, and not to {self.tolerance:.0e}"
        )


def _dot(a: Array, b: Array) -> float:
    """The inner product, added in an order that does not depend on threads."""
    return float((a * b).sum())


def linear_system(network: Network, cells_s: Array, tolerance: float = 1e-8) -> LinearSystem:
    """The solver that suits the size of the array; ``tolerance`` is that of an iterative one."""
    rows, columns = network.shape
    if min(rows, columns) > DIRECT_UP_TO:
        return ConjugateGradients(network, cells_s, tolerance)
    return BlockElimination(network, cells_s) if rows <= columns else _Transposed(network, cells_s)


class _Transposed:
    """Block elimination along the rows."""

    def __init__(self, network: Network, cells_s: Array) -> None:
        self.system = BlockElimination(network.transposed(), np.ascontiguousarray(cells_s.T))

    def solve(self, right_w: Array, right_b: Array) -> tuple[Array, Array]:
        """As :meth:`LinearSystem.solve`."""
        x_b, x_w = self.system.solve(np.ascontiguousarray(right_b.T), np.ascontiguousarray(right_w.T))
        return np.ascontiguousarray(x_w.T), np.ascontiguousarray(x_b.T)
