"""What loading a placed network writes: cells by tile and row, and the weights that cross each link on their way.

The host sends each part of a layer once; a tree of links takes it to all tiles that hold a copy of it, as it takes a
token (:meth:`archsim.noc.board.Board.tree`).  Matrices of experts differ, and each is sent for itself.

On arrays, a row of a part has its weights' cells and the unit columns of the encoding.  Where groups of a grouped
convolution share a slot, what lies beside their diagonal is written too: it has to be zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from archsim.compile.network import Compiled
from archsim.compile.place import Placement
from archsim.compile.slicing import Part
from archsim.hardware.mvm import cells_per_weight
from archsim.noc.board import HOST, LinkKey
from archsim.spec.tile import Core

__all__ = ["Arrival", "Rows", "arrivals", "rows_of", "written"]

Rows = dict[int, int]
"""Rows of arrays by the cells of each that are written."""


@dataclass(frozen=True)
class Arrival:
    """Weights that are sent once: their bits, the links that they cross, and how many copies each tile writes."""

    bits: int
    links: tuple[LinkKey, ...]
    copies: dict[int, int]


def rows_of(part: Part, core: Core) -> Rows:
    """The rows of one copy of ``part`` in the arrays of ``core``, by their cells."""
    side_by_side, units = core.encoding.slices == "side-by-side", core.encoding.unit_columns
    rows: Rows = defaultdict(int)
    beside = cells_per_weight(core) if side_by_side else 1
    for high, wide, slots in _blocks(part):
        rows[wide * beside + units] += slots * high * part.slots.shape.arrays
    return dict(rows)


def _blocks(part: Part) -> Iterator[tuple[int, int, int]]:
    """Rows and columns of weights in the slots of a part, and how many slots have them."""
    slots, matrix, shape = part.slots, part.slots.layer.matrix, part.slots.shape
    assert matrix is not None
    along = slots.groups_per_slot
    if along > 1:
        for slot in range(*part.bundles):
            groups = min(along, matrix.groups - slot * along)
            yield groups * matrix.rows, groups * matrix.columns, 1
        return
    bundles = part.bundles[1] - part.bundles[0]
    high = sum(_filled(part.row_range, shape.rows, matrix.rows))
    for wide in _filled(part.column_range, shape.weights, matrix.columns):
        yield high, wide, bundles


def _filled(blocks: tuple[int, int], size: int, most: int) -> list[int]:
    """How much of each block of ``size`` holds something."""
    return [min((block + 1) * size, most) - block * size for block in range(*blocks)]


def written(compiled: Compiled) -> dict[int, Rows]:
    """The rows that loading writes in each tile, copies counted."""
    core, of_part = compiled.board.chip.tile.core, {}
    tiles: dict[int, Rows] = {}
    for placement in compiled.placements:
        key = placement.layer, placement.part
        if key not in of_part:
            of_part[key] = rows_of(compiled.mapped[placement.layer].parts[placement.part], core)
        own = tiles.setdefault(placement.tile, {})
        for cells, rows in of_part[key].items():
            own[cells] = own.get(cells, 0) + rows * placement.copies
    return dict(sorted(tiles.items()))


def arrivals(compiled: Compiled) -> Iterator[Arrival]:
    """Everything that the host sends, each with its way."""
    board, bits = compiled.board, compiled.board.chip.tile.core.encoding.weight_bits

    def sent(placement: Placement) -> tuple[str, int, int]:
        experts = compiled.graph[placement.layer].experts > 1
        return placement.layer, placement.part, placement.first if experts else 0

    for (layer, part, _), members in groupby(sorted(compiled.placements, key=sent), sent):
        copies: dict[int, int] = defaultdict(int)
        for placement in members:
            copies[placement.tile] += placement.copies
        tiles = sorted(copies)
        ways = (board.path(HOST, tile, entry) for tile, entry in zip(tiles, board.entries(tiles), strict=True))
        links = dict.fromkeys(key for way in ways for key in way)
        yield Arrival(compiled.mapped[layer].parts[part].cells_used * bits, tuple(links), dict(copies))
