"""The compiled loops of the wire solver.

Each sums in one fixed order and none is threaded or calls BLAS, so that the bytes of a result depend neither on the
number of threads nor on the processor.

Elimination here never subtracts.  A network of conductances in siemens is held as what joins two nodes and what leaks
from a node to ground, and a pivot is the sum of what leaves its node (Grassmann, Taksar and Heyman, Oper. Res. 33,
1985; O'Cinneide, Numer. Math. 65, 1993, shows that each entry of the factors then has a small relative error, however
badly conditioned the matrix is).  So a segment may conduct a billion times better than what it leads to.

A node that is not ``free`` is fixed at the voltage of its terminal and has no equation.  Its inverse pivot is 0:
elimination passes nothing through it, and back substitution leaves its deviation at 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.jit import helper
from archsim.numeric._jit import kernel

__all__ = ["block_inverses", "block_solve", "end_response", "factor_lines", "solve_lines"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@helper
def series(segment: float, leak: float, free: bool) -> float:
    """The conductance to ground of a segment to a node with that leak."""
    return segment * (leak / (segment + leak)) if free else segment


@kernel
def factor_lines(leaks: Array, free: Mask, segment: float, along_rows: bool) -> Array:
    """The inverse pivots of the tridiagonal matrices of all lines, from their first node to the last.

    ``leaks`` are the conductances from each node to anything but its neighbours on the line.  The lines run along the
    rows of the arrays, or along their columns.
    """
    rows, columns = leaks.shape
    inverse = np.zeros((rows, columns))
    seen = leaks.copy()  # what leaks from a node and all before it
    for i in range(rows):
        for j in range(columns):
            last = j + 1 == columns if along_rows else i + 1 == rows
            if along_rows:
                if j > 0:
                    seen[i, j] += series(segment, seen[i, j - 1], free[i, j - 1])
            elif i > 0:
                seen[i, j] += series(segment, seen[i - 1, j], free[i - 1, j])
            if free[i, j]:
                inverse[i, j] = 1.0 / (seen[i, j] if last else seen[i, j] + segment)
    return inverse


@kernel
def solve_lines(inverse: Array, segment: float, right: Array, along_rows: bool) -> Array:
    """Solve all lines for ``right`` with the pivots of :func:`factor_lines`."""
    rows, columns = right.shape
    x = np.empty((rows, columns))
    if along_rows:
        for i in range(rows):
            carried = 0.0
            for j in range(columns):
                x[i, j] = right[i, j] + carried
                carried = segment * (inverse[i, j] * x[i, j])
            carried = 0.0
            for j in range(columns - 1, -1, -1):
                x[i, j] = inverse[i, j] * (x[i, j] + carried)
                carried = segment * x[i, j]
        return x
    x[0] = right[0]
    for i in range(1, rows):
        for j in range(columns):
            x[i, j] = right[i, j] + segment * (inverse[i - 1, j] * x[i - 1, j])
    for j in range(columns):
        x[rows - 1, j] *= inverse[rows - 1, j]
    for i in range(rows - 2, -1, -1):
        for j in range(columns):
            x[i, j] = inverse[i, j] * (x[i, j] + segment * x[i + 1, j])
    return x


@helper
def couple(links: Array, cells: Array, inverse: Array, segment: float, work: Array) -> None:
    """Add to the lower triangle of ``links`` what one bitline puts between its wordline nodes: D T^-1 D.

    D are the conductances ``cells`` and T is the matrix of the bitline with its cells, of which ``inverse`` holds the
    inverse pivots; a single one stands for a bitline that is one node.  The rows of T^-1 follow from each other:
    downwards those of the inverse of the lower factor, upwards those of T^-1.
    """
    size = cells.shape[0]
    if inverse.shape[0] == 1:
        for i in range(size):
            for k in range(i):
                links[i, k] += cells[i] * inverse[0] * cells[k]
        return
    work[0, 0] = 1.0
    for i in range(1, size):
        step = segment * inverse[i - 1]
        for k in range(i):
            work[i, k] = step * work[i - 1, k]
        work[i, i] = 1.0
    for i in range(size - 1, -1, -1):
        for k in range(i + 1):
            below = segment * work[i + 1, k] if i + 1 < size else 0.0
            work[i, k] = inverse[i] * (work[i, k] + below)
        for k in range(i):
            links[i, k] += cells[i] * work[i, k] * cells[k]


@helper
def column_links(
    k: int, following: Array, free: Mask, wordline_s: float, bitlines: Array, bitline_s: float, cells: Array
) -> Array:
    """What joins the wordline nodes of column ``k`` when their bitline and all columns behind are eliminated.

    ``following`` is the inverse of the block behind.  Where each wordline is one node there is only one block, with all
    bitlines.
    """
    rows, columns = cells.shape
    links, work = np.zeros((rows, rows)), np.empty((rows, rows))
    one = free.shape[1] == 1
    for j in range(0 if one else k, columns if one else k + 1):
        couple(links, cells[:, j].copy(), bitlines[:, j].copy(), bitline_s, work)
    if k + 1 < free.shape[1]:
        for i in range(rows):
            for m in range(i):
                links[i, m] += wordline_s * wordline_s * following[i, m]
    return links


@helper
def leak_to_fixed(links: Array, leak: Array, free: Mask) -> None:
    """Count what joins a node to a fixed one among what leaks from it."""
    for i in range(links.shape[0]):
        for m in range(i):
            if not free[m]:
                leak[i] += links[i, m]
            if not free[i]:
                leak[m] += links[i, m]


@helper
def sweep(p: int, links: Array, leaks: Array, free: Mask, row: Array) -> None:
    """Sweep node ``p``; ``row`` is room for its links."""
    size = links.shape[0]
    leaving = leaks[p]
    for k in range(p):
        row[k] = links[p, k]
    for k in range(p, size):
        row[k] = links[k, p]
        if k > p and free[k]:
            leaving += links[k, p]
    inverse = 1.0 / leaving
    for i in range(size):
        if i != p:
            factor = row[i] * inverse
            for k in range(i + 1):
                links[i, k] += factor * row[k]
            if i > p:
                leaks[i] += factor * leaks[p]
    for k in range(p):
        links[p, k] = row[k] * inverse
    for k in range(p + 1, size):
        links[k, p] = row[k] * inverse
    links[p, p] = inverse


@helper
def invert(links: Array, leaks: Array, free: Mask) -> None:
    """Replace ``links`` by the inverse of the matrix of a network; only its lower triangle is read.

    The matrix has -links off its diagonal, and on it all that leaves a node.  One free node after the other is swept
    (Gauss-Jordan that keeps the symmetry): swept nodes hold the inverse of what they were, unswept ones the links that
    remain, and between them stands the share of the current of a swept node that arrives at an unswept one.  All of
    these are positive and only grow.
    """
    size = links.shape[0]
    leaks, row = leaks.copy(), np.empty(size)
    for p in range(size):
        if free[p]:
            sweep(p, links, leaks, free, row)
    for i in range(size):
        for k in range(i + 1):
            value = links[i, k] if free[i] and free[k] else 0.0
            links[i, k] = value
            links[k, i] = value


@helper
def leak_behind(inverse: Array, leak: Array, free: Mask, segment: float) -> Array:
    """What leaks from the nodes in front of a block through the segments to it: s P^-1 leak."""
    size = leak.shape[0]
    out = np.empty(size)
    for i in range(size):
        total = 0.0
        for m in range(size):
            total += inverse[i, m] * leak[m]
        out[i] = segment * total if free[i] else segment
    return out


@helper
def eliminate(
    k: int,
    following: Array,
    behind: Array,
    leaks: Array,
    free: Mask,
    wordline_s: float,
    bitlines: Array,
    bitline_s: float,
    cells: Array,
) -> tuple[Array, Array]:
    """The inverse of the pivot block of column ``k``, and what leaks through it from the column in front."""
    leak = leaks[:, k] + behind
    block = column_links(k, following, free, wordline_s, bitlines, bitline_s, cells)
    leak_to_fixed(block, leak, free[:, k])
    invert(block, leak + wordline_s if k > 0 else leak, free[:, k])
    return block, leak_behind(block, leak, free[:, k], wordline_s)


@kernel
def block_inverses(
    leaks: Array, free: Mask, wordline_s: float, bitlines: Array, bitline_s: float, cells: Array
) -> Array:
    """Eliminate the bitlines, then the wordline nodes column by column from the last: the inverses of the pivot blocks.

    ``leaks`` is what leaks from the wordline nodes, through the ends and through the bitlines; ``bitlines`` the
    inverse pivots of the bitlines with their cells.  With S_k the block of column k alone and s a wordline segment,
    the pivots are P_k = S_k + s - s^2 P_(k+1)^-1.
    Shape: [columns or 1, rows, rows]; rows^3 / 2 multiplications each.
    """
    rows, count = leaks.shape
    inverses = np.empty((count, rows, rows))
    following, behind = np.zeros((rows, rows)), np.zeros(rows)
    for k in range(count - 1, -1, -1):
        following, behind = eliminate(k, following, behind, leaks, free, wordline_s, bitlines, bitline_s, cells)
        inverses[k] = following
    return inverses


@kernel
def block_solve(inverses: Array, segment: float, right: Array) -> Array:
    """Solve for the wordline nodes with the inverses of :func:`block_inverses`; ``right`` is [rows, columns or 1]."""
    count, rows, _ = inverses.shape
    carried, x = right.copy(), np.zeros((rows, count))
    for k in range(count - 1, 0, -1):
        for i in range(rows):
            total = 0.0
            for m in range(rows):
                total += inverses[k, i, m] * carried[m, k]
            carried[i, k - 1] += segment * total
    for k in range(count):
        if k > 0:
            for i in range(rows):
                carried[i, k] += segment * x[i, k - 1]
        for i in range(rows):
            total = 0.0
            for m in range(rows):
                total += inverses[k, i, m] * carried[m, k]
            x[i, k] = total
    return x


@helper
def multiply(left: Array, right: Array, first: int, out: Array) -> None:
    """``out[:, first:] = left @ right[:, first:]``."""
    rows, columns = right.shape
    for i in range(rows):
        for c in range(first, columns):
            out[i, c] = 0.0
        for m in range(0, rows - rows % 4, 4):
            a, b, c4, d = left[i, m], left[i, m + 1], left[i, m + 2], left[i, m + 3]
            for c in range(first, columns):
                out[i, c] += a * right[m, c] + b * right[m + 1, c] + c4 * right[m + 2, c] + d * right[m + 3, c]
        for m in range(rows - rows % 4, rows):
            for c in range(first, columns):
                out[i, c] += left[i, m] * right[m, c]


@kernel
def end_response(
    leaks: Array, free: Mask, wordline_s: float, bitlines: Array, bitline_s: float, cells: Array, sources: Array
) -> Array:
    """The voltages next to the left end of the wordlines for all of ``sources`` at once, [rows, columns].

    Column j of ``sources`` are currents into the wordline nodes of column j alone.  The elimination is that of
    :func:`block_inverses`, but the right-hand sides are carried along, so that no inverse is kept.  Where the first
    nodes are fixed the voltages are those of the second ones, and the column of the first stays 0.
    """
    rows, count = leaks.shape
    carried, x = np.zeros(sources.shape), np.zeros(sources.shape)
    following, behind = np.zeros((rows, rows)), np.zeros(rows)
    for k in range(count - 1, -1 if free[0, 0] else 0, -1):
        following, behind = eliminate(k, following, behind, leaks, free, wordline_s, bitlines, bitline_s, cells)
        if count == 1:
            multiply(following, sources, 0, x)
            continue
        for i in range(rows):
            carried[i, k] = sources[i, k]
            for c in range(k + 1, count):
                carried[i, c] = wordline_s * x[i, c]
        multiply(following, carried, k, x)
    return x
