"""Voltages and currents everywhere in an array, for one vector of voltages at its terminals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from archsim.errors import NumericError
from archsim.numeric.wires.cells import Cell, Current, LinearCell, Passive, memristor_voltage
from archsim.numeric.wires.ends import end_currents
from archsim.numeric.wires.linear import linear_system
from archsim.numeric.wires.model import Wires
from archsim.numeric.wires.network import Array, Mask, Network, build

__all__ = ["Solution", "checked_conductances", "checked_voltages", "solve"]

CORRECTIONS = 100
TARGET, ACCEPTED = 1e-12, 1e-9
"""Of the largest deviation: the estimated error at which a solution is finished, and the largest that is accepted."""


@dataclass(frozen=True)
class Solution:
    """The operating point of an array of rows × columns cells; volt, ampere, watt.

    Currents of rows count from the drivers into the array, those of columns from the array into the sense terminals.
    The ends have one row of entries for each block along the line, one if the array is not partitioned.
    """

    wordline_v: Array
    """Of the wordline at each cell, [rows, columns]."""
    bitline_v: Array
    """Of the bitline at each cell."""
    cell_v: Array
    """Across each cell: wordline less bitline."""
    cell_a: Array
    """Through each cell."""
    device_v: Array
    """Across each memristor: ``cell_v`` less what its transistor or selector takes."""
    left_a: Array
    """From the left drivers, [blocks, rows]; 0 where they are not connected."""
    right_a: Array
    """From the right drivers."""
    top_a: Array
    """Into the upper sense terminals, [blocks, columns]."""
    bottom_a: Array
    """Into the lower sense terminals."""
    drive_w: float
    """Power that the drivers and the sense terminals feed in, all that is dissipated."""

    @property
    def drive_a(self) -> Array:
        """The current of each row, all its drivers together."""
        return np.asarray((self.left_a + self.right_a).sum(axis=0))

    @property
    def sense_a(self) -> Array:
        """The current of each column, all its sense terminals together."""
        return np.asarray((self.top_a + self.bottom_a).sum(axis=0))

    @property
    def device_w(self) -> Array:
        """Power in each memristor."""
        return self.device_v * self.cell_a

    @property
    def wire_w(self) -> float:
        """Power in all wires and ends."""
        return self.drive_w - float((self.cell_v * self.cell_a).sum())


def checked_conductances(g_s: ArrayLike) -> Array:
    """``g_s`` as a matrix of floats; an error if it is none, or holds what is no conductance."""
    array = np.asarray(g_s, dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise NumericError(f"wires: conductances must be a matrix of rows × columns, got the shape {array.shape}")
    bad = ~(np.isfinite(array) & (array >= 0))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise NumericError(
            f"wires: a conductance must be 0 or more and finite, got {array[row, column]} S at row {row}, column "
            f"{column}"
        )
    return array


def checked_voltages(name: str, values: ArrayLike, lines: int) -> Array:
    """``values`` as one voltage for each line; an error if they are none."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape not in ((), (lines,)):
        raise NumericError(f"wires: {name} must hold {lines} voltages, got the shape {array.shape}")
    if not np.isfinite(array).all():
        raise NumericError(f"wires: {name} must hold finite voltages, got {array[~np.isfinite(array)].flat[0]}")
    return np.broadcast_to(array, (lines,))


def _mask(name: str, values: ArrayLike | None, lines: int) -> Mask:
    if values is None:
        return np.zeros(lines, dtype=bool)
    array = np.asarray(values)
    if array.shape != (lines,) or array.dtype != np.bool_:
        got = f"the shape {array.shape} of {array.dtype}"
        raise NumericError(f"wires: {name} must hold {lines} values true or false, got {got}")
    return array


def solve(
    g_s: ArrayLike,
    v_in: ArrayLike,
    wires: Wires,
    *,
    v_out: ArrayLike = 0.0,
    cell: Cell | None = None,
    gates: ArrayLike | None = None,
    open_rows: ArrayLike | None = None,
    open_columns: ArrayLike | None = None,
) -> Solution:
    """The operating point of an array of memristors of ``g_s`` siemens, [rows, columns].

    ``v_in`` are the voltages of the drivers, one for each row; ``v_out`` those of the sense terminals, one for each
    column or one for all.  ``cell`` is passive if not given.  ``gates`` says for each row whether the transistors are
    on.  The drivers of ``open_rows`` and the terminals of ``open_columns`` are switched off, and the lines float.

    Solved to an estimated error of 1e-9 of the largest voltage drop or better; a NumericError says if it cannot be.
    """
    g = checked_conductances(g_s)
    rows, columns = g.shape
    v_rows, v_columns = checked_voltages("v_in", v_in, rows), checked_voltages("v_out", v_out, columns)
    if gates is not None:
        g = np.where(_mask("gates", gates, rows)[:, None], g, 0.0)
    off_rows, off_columns = _mask("open_rows", open_rows, rows), _mask("open_columns", open_columns, columns)
    if cell is None:
        cell = Passive()
    blocks = list(wires.blocks(rows, columns))
    parts = []
    for r, c in blocks:
        part = np.ascontiguousarray(g[r, c])
        _check_open_lines(part, off_rows[r], off_columns[c])
        network = build(part.shape, wires, off_rows[r], off_columns[c])
        parts.append(_operating_point(network, part, v_rows[r], v_columns[c], cell))
    return _joined(parts, len({r.start for r, _ in blocks}))


def _check_open_lines(g: Array, open_rows: Mask, open_columns: Mask) -> None:
    """Conducting cells have to join each open line to one that is held, over other open lines if need be."""
    conducting, rows, columns = g > 0, ~open_rows, ~open_columns
    while True:
        more_rows = rows | (conducting & columns).any(axis=1)
        more_columns = columns | (conducting & more_rows[:, None]).any(axis=0)
        if (more_rows == rows).all() and (more_columns == columns).all():
            break
        rows, columns = more_rows, more_columns
    for name, held in (("row", rows), ("column", columns)):
        if not held.all():
            at = int(np.argmin(held))
            raise NumericError(f"wires: {name} {at} floats, and no conducting cells join it to a line that is held")


def _operating_point(network: Network, g: Array, v_in: Array, v_out: Array, cell: Cell) -> Solution:
    applied = v_in[:, None] - v_out[None, :]
    if isinstance(cell, LinearCell):
        x_w, x_b, cell_a, slope_s = _linear(network, cell.conductance(g), applied)
    else:
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # a trial step may lead anywhere
                x_w, x_b, cell_a, slope_s = _newton(network, cell, g, applied)
        except ZeroDivisionError:
            raise NumericError(
                "wires: a line floats whose cells do not conduct at the voltages that they get"
            ) from None
    cell_v = applied + x_w - x_b
    left, right = end_currents(network.wordlines, -x_w, cell_a, slope_s)
    top, bottom = end_currents(network.bitlines, x_b, cell_a, slope_s)
    return Solution(
        wordline_v=np.broadcast_to(v_in[:, None] + x_w, g.shape),
        bitline_v=np.broadcast_to(v_out[None, :] + x_b, g.shape),
        cell_v=cell_v,
        cell_a=cell_a,
        device_v=memristor_voltage(cell, cell_v, cell_a, g),
        left_a=left[None],
        right_a=right[None],
        top_a=top[None],
        bottom_a=bottom[None],
        drive_w=float((v_in * (left + right)).sum() - (v_out * (top + bottom)).sum()),
    )


Planes = tuple[Array, Array]
Point = tuple[Array, Array, Array, Array]
"""Deviations of both planes, and the currents of the cells with their derivatives."""


def _linear(network: Network, cells_s: Array, applied: Array) -> Point:
    """Solve once and correct by the residual; each correction shows how good the one before was."""
    system = linear_system(network, cells_s)
    x_w, x_b = np.zeros(network.wordlines.free.shape), np.zeros(network.bitlines.free.shape)
    size = np.inf
    for correction in range(CORRECTIONS):
        missing = network.imbalance(x_w, x_b, cells_s * (applied + x_w - x_b))
        step_w, step_b = system.solve(-missing[0], -missing[1])
        x_w, x_b = x_w + step_w, x_b + step_b
        before, size = size, max(_largest(step_w), _largest(step_b))
        largest = max(_largest(x_w), _largest(x_b))
        uncertain = size * min(1.0, size / before) if correction else size
        if uncertain <= TARGET * largest or size > before / 2:
            break
    if not uncertain <= ACCEPTED * largest:
        raise NumericError(
            f"wires: the solution is uncertain by {uncertain:.1e} V at a largest drop of {largest:.1e} V; "
            "the resistances or conductances differ by too many orders of magnitude"
        )
    return x_w, x_b, cells_s * (applied + x_w - x_b), cells_s


def _newton(network: Network, cell: Current, g: Array, applied: Array) -> Point:
    """Damped Newton.

    With rising currents the imbalance is the gradient of a convex function of the node voltages (the co-content:
    W. Millar, Phil. Mag. 42, 1150, 1951), and a line search along each step leads to its only minimum.
    """

    def missing(x: Planes) -> Planes:
        return network.imbalance(*x, cell.current_a(g, applied + x[0] - x[1]))

    x = np.zeros(network.wordlines.free.shape), np.zeros(network.bitlines.free.shape)
    for _ in range(CORRECTIONS):
        start, slope = missing(x), cell.slope_s(g, applied + x[0] - x[1])
        if not all(np.isfinite(values).all() for values in (*start, slope)):
            raise NumericError("wires: the current of a cell is not finite at the voltages that it gets")
        if (slope < 0).any():
            raise NumericError("wires: the current of a cell must not fall as its voltage rises")
        step = linear_system(network, slope).solve(-start[0], -start[1])
        last = max(map(_largest, step)) <= ACCEPTED * max(map(_largest, x))
        x = _moved(x, 1.0 if last else _line_search(missing, x, step, start), step)
        if last:  # what is left is the square of the step
            cell_v = applied + x[0] - x[1]
            return *x, cell.current_a(g, cell_v), cell.slope_s(g, cell_v)
    size = max(map(_largest, step))
    raise NumericError(f"wires: no solution after {CORRECTIONS} Newton steps; the last one was {size:.1e} V")


def _line_search(gradient: Callable[[Planes], Planes], x: Planes, step: Planes, start: Planes) -> float:
    """The share of ``step`` at which the slope along it has at least halved; the whole step if that is downhill."""
    first = _along(start, step)
    low, high, share = 0.0, 1.0, 1.0
    for _ in range(60):
        slope = _along(gradient(_moved(x, share, step)), step)
        if abs(slope) <= -first / 2 or (share == 1.0 and slope <= 0):
            break
        low, high = (share, high) if slope < 0 else (low, share)
        share = (low + high) / 2
    return share


def _moved(x: Planes, share: float, step: Planes) -> Planes:
    return x[0] + share * step[0], x[1] + share * step[1]


def _along(gradient: Planes, step: Planes) -> float:
    return float((gradient[0] * step[0]).sum() + (gradient[1] * step[1]).sum())


def _largest(values: Array) -> float:
    return float(np.abs(values).max())


def _joined(parts: list[Solution], down: int) -> Solution:
    """The blocks of an array put together; ``parts`` go row by row of blocks, of which there are ``down``."""
    if len(parts) == 1:
        return parts[0]
    across = len(parts) // down
    grid = [parts[k * across : (k + 1) * across] for k in range(down)]

    def whole(name: str) -> Array:
        return np.block([[getattr(part, name) for part in row] for row in grid])

    def along_rows(name: str) -> Array:
        return np.block([[getattr(row[m], name) for row in grid] for m in range(across)])

    planes = {name: whole(name) for name in ("wordline_v", "bitline_v", "cell_v", "cell_a", "device_v")}
    ends = {"top_a": whole("top_a"), "bottom_a": whole("bottom_a")}
    ends |= {name: along_rows(name) for name in ("left_a", "right_a")}
    return Solution(**planes, **ends, drive_w=sum(part.drive_w for part in parts))
