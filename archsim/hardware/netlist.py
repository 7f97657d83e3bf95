"""The array of a tile as a SPICE deck: random whole-number weights in its cells, random digits at its drivers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from archsim._version import __version__
from archsim.errors import ArchsimError
from archsim.hardware.array import array_config
from archsim.numeric.config import ArrayConfig
from archsim.numeric.encode import planes
from archsim.numeric.matrix import ProgrammedMatrix, program
from archsim.numeric.wires import Current, Passive, Solution, Wires, netlist, solve
from archsim.numeric.wires.network import Array
from archsim.spec.loader import Loaded, document_kind, load_chip, load_tile

__all__ = ["Deck", "array_deck"]

MAX_CELLS = 10**6
"""Of one deck; each takes about 150 bytes, and a circuit simulator far more."""


@dataclass(frozen=True)
class Deck:
    """An array as a deck, and what archsim says of it.

    ``g_s`` [rows, columns]: its cells.  ``v_in`` [rows]: its drivers.  ``found``: its operating point.
    """

    document: Loaded[Any]
    seed: int
    wires: Wires
    g_s: Array
    v_in: Array
    found: Solution
    text: str

    @property
    def title(self) -> str:
        """What the deck and its picture are headed with."""
        rows, columns = self.g_s.shape
        return f"{self.document.model.name}: {rows} × {columns} cells, seed {self.seed}"

    def to_json(self) -> dict[str, Any]:
        """Plain values, the same for the same document and seed."""
        return {
            "name": self.document.model.name,
            "config_hash": self.document.config_hash,
            "rows": self.g_s.shape[0],
            "columns": self.g_s.shape[1],
            "seed": self.seed,
            "sense_a": self.found.sense_a.tolist(),
            "ideal_a": (self.v_in[:, None] * self.g_s).sum(axis=0).tolist(),
            "power_w": self.found.drive_w,
        }


def array_deck(
    name: str,
    overrides: Sequence[str] = (),
    rows: int | None = None,
    columns: int | None = None,
    seed: int = 0,
    wire_ohm: float | None = None,
) -> Deck:
    """The deck of an array of ``rows`` × ``columns`` cells of a tile, or of a chip's tile; None: as large as its own.

    Weights and one step of inputs are uniform over their ranges.  ``wire_ohm`` is the resistance of the segments of
    both kinds of lines, in place of what the tile says.
    """
    document = _document(name, overrides)
    tile = document.model if document.model.kind == "tile" else document.model.tile
    config = array_config(tile)
    config = replace(config, rows=rows or config.rows, columns=columns or config.columns)
    if (cells := config.rows * config.columns) > MAX_CELLS:
        raise ArchsimError(f"rows, cols: a deck takes at most {MAX_CELLS} cells, got {cells}")
    wires = config.wires or Wires()
    if wire_ohm is not None:
        wires = replace(wires, wordline_ohm=wire_ohm, bitline_ohm=wire_ohm)
    rng = np.random.default_rng(seed)
    g_s = _array(config, rng)
    top = int(2**config.inputs.dac_bits) - 1
    v_in = config.read_voltage_v * (rng.integers(0, top, config.rows, endpoint=True) / top)
    cell = _cell(config)
    comments = (
        f"archsim {__version__}, configuration {document.config_hash}, seed {seed}",
        f"{config.rows} rows x {config.columns} columns; vin<row> drive and vout<column> sense, numbered from 0",
        "i(vout<column>) is the sense current of a column",
    )
    text = netlist(g_s, v_in, wires, cell=cell, title=f"an array of {document.model.name}", comments=comments)
    return Deck(document, seed, wires, g_s, v_in, solve(g_s, v_in, wires, cell=cell), text)


def _document(name: str, overrides: Sequence[str]) -> Loaded[Any]:
    kind = document_kind(name)
    if kind == "workload":
        raise ArchsimError(f"{name!r:.100} is a workload; a netlist is that of an array of a tile or a chip")
    return load_chip(name, overrides) if kind == "chip" else load_tile(name, overrides)


def _array(config: ArrayConfig, rng: np.random.Generator) -> Array:
    """The conductances of an array that is full of weights; columns in which no whole weight fits are at Gmin."""
    count = len(planes(config.weights))
    side = config.slices == "side-by-side"
    outputs = config.columns // count if side else config.columns
    weights = rng.integers(config.weights.low, config.weights.high, (config.rows, max(outputs, 1)), endpoint=True)
    g_s = _cells(program(weights, config, rng))
    columns = g_s.transpose(1, 2, 0).reshape(config.rows, -1) if side else g_s[0]
    array = np.full((config.rows, config.columns), config.cell.g_min_s)
    array[:, : columns.shape[1]] = columns
    return array


def _cells(matrix: ProgrammedMatrix) -> Array:
    """Conductances [planes, rows, outputs]."""
    return matrix.cells.state(matrix.config, 0.0, None, matrix.seed).g_s


def _cell(config: ArrayConfig) -> Passive | Current:
    return config.cell.current if config.has("nonlinear_iv") else Passive()
