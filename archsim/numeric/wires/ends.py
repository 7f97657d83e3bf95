"""The currents through the ends of lines, from the voltages at their nodes."""

from __future__ import annotations

import numpy as np

from archsim.numeric.wires.network import Array, Lines

__all__ = ["end_currents", "through_ends"]

Ends = tuple[Array, Array]
"""The currents through the first and the last end of each line, the way the cells' currents go through it."""


def through_ends(lines: Lines, x: Array, cell_a: Array) -> Ends:
    """The currents through both ends at the deviations ``x`` of the nodes, whether or not currents balance elsewhere.

    Where an end fixes its node, its current is that of the node's own cell and of the segment beside it.  A line
    without resistance that is fixed has one current, and two ends that fix it divide each cell's current as those of
    any uniform line do: inversely to the distances.
    """
    x, cell_a = np.moveaxis(x, lines.axis, 0), np.moveaxis(cell_a, lines.axis, 0)
    first_fixed, last_fixed = np.isinf(lines.first_s), np.isinf(lines.last_s)
    if len(x) > 1:
        first = np.where(first_fixed, cell_a[0] + lines.segment_s * x[1], _ohmic(lines.first_s, x[0]))
        return first, np.where(last_fixed, cell_a[-1] + lines.segment_s * x[-2], _ohmic(lines.last_s, x[-1]))
    count, total = len(cell_a), cell_a.sum(axis=0)
    nearness = np.linspace(1.0, 0.0, count) if count > 1 else np.array([0.5])
    share = np.where(last_fixed, (cell_a * nearness[:, None]).sum(axis=0), total)
    first = np.where(first_fixed, share, np.where(last_fixed, 0.0, _ohmic(lines.first_s, x[0])))
    return first, np.where(last_fixed, total - first, np.where(first_fixed, 0.0, _ohmic(lines.last_s, x[0])))


def _ohmic(end_s: Array, x: Array) -> Array:
    return np.where(np.isinf(end_s), 0.0, end_s) * x


def end_currents(lines: Lines, x: Array, cell_a: Array, slope_s: Array) -> Ends:
    """As :func:`through_ends` where currents balance: both ends of a line carry the currents of all of its cells.

    Node voltages have an error, and whichever of the two sums has the smaller conductance passes less of it on.
    """
    first, last = through_ends(lines, x, cell_a)
    first_s, last_s = (np.where(np.isinf(end_s), lines.segment_s, end_s) for end_s in (lines.first_s, lines.last_s))
    by_cells = first_s + last_s > slope_s.sum(axis=lines.axis)
    total = cell_a.sum(axis=lines.axis)
    return (
        np.where(by_cells & (first_s > last_s), total - last, first),
        np.where(by_cells & (first_s <= last_s), total - first, last),
    )
