"""How well one cell of an array can be written and read when its neighbours are there.

Writing biases every line, so that the selected cell gets the whole voltage and no other more than a half or a third of
it (Y. Deng et al., IEEE Trans. Electron Devices 60, 719, 2013, compare these schemes).  Drops along the lines take from
the selected cell and leave the cells near the drivers with what was meant for them: that difference is the margin.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from archsim.errors import NumericError, nearest
from archsim.numeric.wires.cells import Cell
from archsim.numeric.wires.model import Wires
from archsim.numeric.wires.network import Array
from archsim.numeric.wires.solver import Solution, checked_conductances, solve

__all__ = ["ReadMargin", "ReadScheme", "WriteMargin", "WriteScheme", "read_margin", "write_margin"]

WriteScheme = Literal["V/2", "V/3"]
ReadScheme = Literal["ground", "V/2", "float"]


@dataclass(frozen=True)
class WriteMargin:
    """What the cells get when one of them is written; volt, ampere, watt."""

    cell: tuple[int, int]
    """Row and column of the selected cell."""
    selected_v: float
    """Across the selected memristor."""
    row_v: float
    """The largest magnitude across another memristor of its row, 0 where there is none."""
    column_v: float
    """The largest magnitude across another memristor of its column."""
    others_v: float
    """The largest magnitude across a memristor of neither."""
    current_a: float
    """From the drivers of the selected row."""
    power_w: float
    """Of the whole array."""

    @property
    def disturbed_v(self) -> float:
        """The largest magnitude across a memristor that is not selected."""
        return max(self.row_v, self.column_v, self.others_v)

    @property
    def margin_v(self) -> float:
        """What the selected memristor gets more than any other: the room for the spread of their thresholds."""
        return abs(self.selected_v) - self.disturbed_v


def write_margin(
    g_s: ArrayLike,
    v_write: float,
    wires: Wires,
    *,
    scheme: WriteScheme = "V/2",
    at: tuple[int, int] | None = None,
    cell: Cell | None = None,
) -> WriteMargin:
    """The margin of writing the cell ``at`` with ``v_write`` volt between its row and its column.

    ``V/2``: all other lines at half of it.  ``V/3``: other rows at one and other columns at two thirds of it.
    Without ``at`` it is the margin of the cell that gets least among those at the corners, at the middles of the edges
    and in the middle, where the cell with the longest way to its terminals is.
    """
    _known("scheme", scheme, get_args(WriteScheme))
    g = checked_conductances(g_s)
    rows, columns = g.shape
    if at is not None:
        places = [_place(at, g.shape)]
    else:
        places = sorted(product({0, rows // 2, rows - 1}, {0, columns // 2, columns - 1}))
    margins = [_written(g, v_write, wires, scheme, place, cell) for place in places]
    return min(margins, key=lambda margin: abs(margin.selected_v))


def _written(
    g: Array, v_write: float, wires: Wires, scheme: WriteScheme, place: tuple[int, int], cell: Cell | None
) -> WriteMargin:
    i, j = place
    share_rows, share_columns = (1 / 2, 1 / 2) if scheme == "V/2" else (1 / 3, 2 / 3)
    v_in, v_out = np.full(g.shape[0], v_write * share_rows), np.full(g.shape[1], v_write * share_columns)
    v_in[i], v_out[j] = v_write, 0.0
    found = solve(g, v_in, wires, v_out=v_out, cell=cell)
    size = np.abs(found.device_v)
    own_row, own_column = np.delete(size[i], j), np.delete(size[:, j], i)
    others = np.delete(np.delete(size, i, axis=0), j, axis=1)
    return WriteMargin(
        cell=place,
        selected_v=float(found.device_v[i, j]),
        row_v=float(own_row.max(initial=0.0)),
        column_v=float(own_column.max(initial=0.0)),
        others_v=float(others.max(initial=0.0)),
        current_a=float(found.drive_a[i]),
        power_w=found.drive_w,
    )


@dataclass(frozen=True)
class ReadMargin:
    """The current of a column when one of its cells is read, with that cell on and off; ampere."""

    on_a: float
    off_a: float

    @property
    def margin(self) -> float:
        """The difference as a share of the current of the cell that is on."""
        return (self.on_a - self.off_a) / self.on_a


def read_margin(
    g_s: ArrayLike,
    v_read: float,
    wires: Wires,
    *,
    at: tuple[int, int],
    on_s: float,
    off_s: float,
    scheme: ReadScheme = "ground",
    cell: Cell | None = None,
) -> ReadMargin:
    """The currents of the column of the cell ``at``, read with ``v_read`` volt, when it has ``on_s`` and ``off_s``.

    All other cells are as in ``g_s``; where all of them are on, the lines drop most and the most current sneaks by.
    ``ground``: other rows and all columns at 0 V.  ``V/2``: other lines at half of the voltage.  ``float``: the drivers
    and terminals of other lines are switched off, and current sneaks through three cells in a row.
    """
    _known("scheme", scheme, get_args(ReadScheme))
    g = checked_conductances(g_s)
    i, j = _place(at, g.shape)
    currents = []
    for state in (on_s, off_s):
        g = g.copy()
        g[i, j] = state
        currents.append(float(_read(checked_conductances(g), v_read, wires, scheme, (i, j), cell).sense_a[j]))
    return ReadMargin(*currents)


def _read(
    g: Array, v_read: float, wires: Wires, scheme: ReadScheme, place: tuple[int, int], cell: Cell | None
) -> Solution:
    others = v_read / 2 if scheme == "V/2" else 0.0
    v_in, v_out = np.full(g.shape[0], others), np.full(g.shape[1], others)
    v_in[place[0]], v_out[place[1]] = v_read, 0.0
    if scheme != "float":
        return solve(g, v_in, wires, v_out=v_out, cell=cell)
    open_rows, open_columns = np.arange(g.shape[0]) != place[0], np.arange(g.shape[1]) != place[1]
    return solve(g, v_in, wires, cell=cell, open_rows=open_rows, open_columns=open_columns)


def _place(at: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int]:
    if not all(isinstance(k, int) and 0 <= k < size for k, size in zip(at, shape, strict=True)):
        raise NumericError(f"wires: at must be a row and a column of the {shape[0]} × {shape[1]} array, got {at!r:.60}")
    return at


def _known(name: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise NumericError(f"wires: {name} must be one of {', '.join(words)}, got {word!r:.40}{nearest(word, words)}")
