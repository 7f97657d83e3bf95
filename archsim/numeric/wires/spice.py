"""An array as a SPICE deck, so that any circuit simulator can check what the solver says.

Nodes that a resistance of 0 ohm joins have one name, and what a resistance of ``inf`` leaves apart is left out, because
SPICE replaces resistors of 0 ohm by small ones.  Numbers are written as the shortest text that reads back as the same
float, so that the same array gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from archsim.errors import NumericError
from archsim.numeric.devices.reading import Ohmic, Sinh
from archsim.numeric.wires.cells import Cell, Passive, Selector, Transistor
from archsim.numeric.wires.model import Wires
from archsim.numeric.wires.network import Array
from archsim.numeric.wires.solver import checked_conductances, checked_voltages

__all__ = ["netlist"]

DIGITS = 15
"""Of what ngspice prints."""


def netlist(
    g_s: ArrayLike,
    v_in: ArrayLike,
    wires: Wires,
    *,
    v_out: ArrayLike = 0.0,
    cell: Cell | None = None,
    title: str = "a crossbar",
    comments: tuple[str, ...] = (),
) -> str:
    """The deck of the array that ``solve`` solves with the same arguments: its operating point in ngspice.

    ``vin<row>`` are the drivers and ``vout<column>`` the sense terminals, whose currents are the sense currents; the
    deck prints ``i(vout0)`` and so on, and ``-i(vin0)`` is the current that a driver gives.  A terminal counts once in
    each block of a partitioned array: ``vout3_1`` is that of column 3 in the second row of blocks.  Capacitances are
    written where ``wires`` has them; an operating point does not depend on them.
    """
    g = checked_conductances(g_s)
    rows, columns = g.shape
    drive, sense = checked_voltages("v_in", v_in, rows), checked_voltages("v_out", v_out, columns)
    lines = [f"* {title}", *(f"* {comment}" for comment in comments)]
    outputs = []
    for row, column in wires.blocks(rows, columns):
        deck = _Block(wires, g[row, column], row.start, column.start, _suffixes(wires, row, column))
        lines += deck.terminals(drive[row], sense[column])
        lines += [*deck.lines(), *deck.cells(cell or Passive())]
        outputs += [f"i(v{deck.output(j)})" for j in range(g[row, column].shape[1])]
    lines += [".control", "op", f"set numdgt={DIGITS}", *(f"print {name}" for name in outputs), "quit", ".endc", ".end"]
    return "\n".join(lines) + "\n"


def _suffixes(wires: Wires, row: slice, column: slice) -> tuple[str, str]:
    """What tells apart the drivers of a row, and the terminals of a column, of different blocks."""
    across = "" if wires.block_columns is None else f"_{column.start // wires.block_columns}"
    return across, "" if wires.block_rows is None else f"_{row.start // wires.block_rows}"


class _Block:
    """The elements of one block; ``row`` and ``column`` are where it begins in the array."""

    def __init__(self, wires: Wires, g: Array, row: int, column: int, suffixes: tuple[str, str]) -> None:
        self.wires, self.g, self.row, self.column = wires, g, row, column
        self.of_row, self.of_column = suffixes

    def input(self, i: int) -> str:
        """The terminal of a row."""
        return f"in{self.row + i}{self.of_row}"

    def output(self, j: int) -> str:
        """The terminal of a column."""
        return f"out{self.column + j}{self.of_column}"

    def _wordline(self, i: int, j: int) -> str:
        wires, last = self.wires, self.g.shape[1] - 1
        whole = wires.wordline_ohm == 0
        if (wires.left_ohm == 0 and (whole or j == 0)) or (wires.right_ohm == 0 and (whole or j == last)):
            return self.input(i)
        return f"w{self.row + i}_{self.column + (0 if whole else j)}"

    def _bitline(self, i: int, j: int) -> str:
        wires, last = self.wires, self.g.shape[0] - 1
        whole = wires.bitline_ohm == 0
        if (wires.top_ohm == 0 and (whole or i == 0)) or (wires.bottom_ohm == 0 and (whole or i == last)):
            return self.output(j)
        return f"b{self.row + (0 if whole else i)}_{self.column + j}"

    def terminals(self, drive: Array, sense: Array) -> Iterator[str]:
        """Voltage sources."""
        for i, volt in enumerate(drive):
            yield f"v{self.input(i)} {self.input(i)} 0 {_number(volt)}"
        for j, volt in enumerate(sense):
            yield f"v{self.output(j)} {self.output(j)} 0 {_number(volt)}"

    def lines(self) -> Iterator[str]:
        """Ends, segments and capacitors."""
        wires, (rows, columns) = self.wires, self.g.shape
        for i in range(rows):
            at, name = [self._wordline(i, j) for j in range(columns)], f"{self.row + i}_{self.column}"
            yield from _resistor(f"left{name}", self.input(i), at[0], wires.left_ohm)
            yield from _resistor(f"right{name}", at[-1], self.input(i), wires.right_ohm)
            for j in range(columns - 1):
                yield from _resistor(f"w{self.row + i}_{self.column + j}", at[j], at[j + 1], wires.wordline_ohm)
        for j in range(columns):
            at, name = [self._bitline(i, j) for i in range(rows)], f"{self.row}_{self.column + j}"
            yield from _resistor(f"top{name}", at[0], self.output(j), wires.top_ohm)
            yield from _resistor(f"bottom{name}", at[-1], self.output(j), wires.bottom_ohm)
            for i in range(rows - 1):
                yield from _resistor(f"b{self.row + i}_{self.column + j}", at[i], at[i + 1], wires.bitline_ohm)
        for i, j in np.ndindex(rows, columns):
            name = f"{self.row + i}_{self.column + j}"
            yield from _capacitor(f"w{name}", self._wordline(i, j), wires.wordline_f)
            yield from _capacitor(f"b{name}", self._bitline(i, j), wires.bitline_f)

    def cells(self, cell: Cell) -> Iterator[str]:
        """Memristors with what is in series with them; a cell of 0 siemens is none."""
        for i, j in np.argwhere(self.g > 0):
            name = f"{self.row + i}_{self.column + j}"
            yield from _cell(cell, name, self._wordline(i, j), self._bitline(i, j), float(self.g[i, j]))


def _cell(cell: Cell, name: str, above: str, below: str, g: float) -> Iterator[str]:
    inner = f"m{name}"
    if isinstance(cell, Passive | Ohmic):
        yield f"rm{name} {above} {below} {_number(1 / g)}"
    elif isinstance(cell, Transistor):
        yield f"rm{name} {above} {inner} {_number(1 / g)}"
        yield f"rt{name} {inner} {below} {_number(cell.on_ohm)}"
    elif isinstance(cell, Sinh):
        yield f"bm{name} {above} {below} i={_number(g * cell.v0)}*sinh(v({above},{below})/{_number(cell.v0)})"
    elif isinstance(cell, Selector):
        yield f"rm{name} {above} {inner} {_number(1 / g)}"
        yield f"bs{name} {inner} {below} i={_number(cell.scale_a)}*sinh(v({inner},{below})/{_number(cell.scale_v)})"
    else:
        raise NumericError(
            "wires: a netlist needs cells of a known kind (Passive, Ohmic, Transistor, Sinh, Selector), got "
            f"{type(cell).__name__}"
        )


def _resistor(name: str, one: str, other: str, ohm: float) -> Iterator[str]:
    if 0 < ohm < math.inf:
        yield f"r{name} {one} {other} {_number(ohm)}"


def _capacitor(name: str, node: str, farad: float) -> Iterator[str]:
    if farad > 0:
        yield f"c{name} {node} 0 {_number(farad)}"


def _number(value: float) -> str:
    return repr(float(value))
