"""Slice: the weight matrix of a layer into arrays, and one copy of a layer into parts that each fit a tile.

A matrix of K rows and N columns, with s cells a weight (its bit slices, in differential pairs two of each) on arrays of
R × C cells, takes

    side by side:   ceil(K / R) · ceil(N s / C)  arrays          (ISAAC)
    array each:     s · ceil(K / R) · ceil(N / C)  arrays        (PUMA)

A **slot** is what holds one block of the matrix: one array, or s of them where each slice has its own.  Groups of a
grouped convolution stand block-diagonally: as many in one slot as fit along its diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import NamedTuple

from archsim.hardware.mac import mac_array, weights_a_tile
from archsim.hardware.mvm import cells_per_weight, crossbar
from archsim.spec.tile import Tile
from archsim.workload.graph import Layer

__all__ = ["ECONOMIES", "PARTIALS", "Economy", "Part", "SlotShape", "Slots", "parts_of", "slice_layer", "slot_shape"]


PARTIALS = 2
"""Partial sums of other tiles that one tile adds to its own: parts are summed along a binary tree."""


class Economy(NamedTuple):
    """How sparing a grid of parts is with room: at most ``slack`` times the cores of the tightest grid, for less
    traffic; or of the tiles, counting what parts leave of a tile as taken."""

    slack: float = 1.03
    whole_tiles: bool = False


ECONOMIES = (Economy(), Economy(whole_tiles=True), Economy(slack=1.0, whole_tiles=True))
"""From the most generous to the tightest."""


@dataclass(frozen=True, slots=True)
class SlotShape:
    """A slot of a core: rows × weights, the arrays it takes, and how many of it a core and a tile have."""

    rows: int
    weights: int
    arrays: int
    per_core: int
    per_tile: int


def slot_shape(tile: Tile) -> SlotShape:
    """The slots of a core; a core with fewer arrays than a weight has slices cannot hold a weight.

    Those of a mac-array are the blocks of weights in its memory; all cores of a tile work on them as one.
    """
    core = tile.core
    if core.digital:
        array = mac_array(core)
        held = -(-weights_a_tile(tile) // (array.inputs * array.outputs))
        return SlotShape(array.inputs, array.outputs, 1, held, held)
    grid, cells = crossbar(core), cells_per_weight(core)
    if core.encoding.slices == "side-by-side":
        return SlotShape(grid.rows, grid.columns // cells, 1, grid.count, grid.count * core.count)
    per_core = grid.count // cells
    return SlotShape(grid.rows, grid.columns, cells, per_core, per_core * core.count)


@dataclass(frozen=True)
class Slots:
    """One copy of a layer's matrix in slots: ``bundles`` independent blocks of ``row_blocks`` × ``column_blocks``.

    A bundle is one group of the layer, or ``groups_per_slot`` of them on the diagonal of one slot.
    """

    layer: Layer
    shape: SlotShape
    bundles: int
    groups_per_slot: int
    row_blocks: int
    column_blocks: int

    @property
    def count(self) -> int:
        """Slots of one copy."""
        return self.bundles * self.row_blocks * self.column_blocks

    @property
    def arrays(self) -> int:
        """Arrays of one copy."""
        return self.count * self.shape.arrays


def slice_layer(layer: Layer, shape: SlotShape) -> Slots:
    """The slots of one copy of ``layer``."""
    matrix = layer.matrix
    assert matrix is not None
    along = min(shape.rows // matrix.rows, shape.weights // matrix.columns) if matrix.groups > 1 else 1
    if along > 1:
        return Slots(layer, shape, -(-matrix.groups // along), along, 1, 1)
    blocks = -(-matrix.rows // shape.rows), -(-matrix.columns // shape.weights)
    return Slots(layer, shape, matrix.groups, 1, *blocks)


@dataclass(frozen=True)
class Part:
    """The slots of one copy that one tile holds: bundles × row blocks × column blocks, each a half-open range.

    ``row`` and ``column`` number the part in the grid of its bundles: parts with the same ``column`` add up to the
    same outputs.
    """

    slots: Slots
    bundles: tuple[int, int]
    row_range: tuple[int, int]
    column_range: tuple[int, int]
    row: int
    column: int
    rows_beside: int = 0
    """Partial sums that come to the part from others, at the most."""
    is_root: bool = True
    """Whether the sum over its column of parts ends in it."""

    @cached_property
    def count(self) -> int:
        """Slots of the part."""
        return _length(self.bundles) * _length(self.row_range) * _length(self.column_range)

    @cached_property
    def rows_used(self) -> int:
        """Σ over its slots of the rows that hold weights."""
        matrix = self.slots.layer.matrix
        assert matrix is not None
        if self.slots.groups_per_slot > 1:
            return self._groups() * matrix.rows
        rows = _clip(self.row_range, self.slots.shape.rows, matrix.rows)
        return _length(self.bundles) * _length(rows) * _length(self.column_range)

    @cached_property
    def cells_used(self) -> int:
        """The weights that the part holds."""
        matrix = self.slots.layer.matrix
        assert matrix is not None
        if self.slots.groups_per_slot > 1:
            return self._groups() * matrix.rows * matrix.columns
        rows = _clip(self.row_range, self.slots.shape.rows, matrix.rows)
        columns = _clip(self.column_range, self.slots.shape.weights, matrix.columns)
        return _length(self.bundles) * _length(rows) * _length(columns)

    @property
    def sizes(self) -> tuple[int, ...]:
        """All that the work of its MVMs hangs on: parts of a layer with the same sizes do as much."""
        outputs = self.outputs[1] - self.outputs[0]
        return self.count, self.rows_used, self.cells_used, outputs, _length(self.bundles), _length(self.column_range)

    @cached_property
    def additions(self) -> int:
        """Additions a window outside the cores: a column whose blocks lie in c cores takes c - 1 a value."""
        high, per_core = _length(self.row_range), self.slots.shape.per_core
        split = sum(
            ((column + 1) * high - 1) // per_core - column * high // per_core for column in range(self.count // high)
        )
        return split * self.slots.shape.weights

    @cached_property
    def likeness(self) -> tuple[int, ...]:
        """All that it takes of a tile hangs on: parts of a copy that are equal in it take as much."""
        inputs, outputs = _length(self.inputs), _length(self.outputs)
        return self.count, inputs, outputs, self.additions, self.rows_beside, self.is_root

    def _groups(self) -> int:
        matrix, along = self.slots.layer.matrix, self.slots.groups_per_slot
        assert matrix is not None
        return min(self.bundles[1] * along, matrix.groups) - self.bundles[0] * along

    @cached_property
    def inputs(self) -> tuple[int, int]:
        """The half-open range of rows of the whole input vector that the part reads; channel-major for images.

        Private kernels each have a vector of their own; the range is that within each.
        """
        return self._span(self.row_range, self.slots.shape.rows, "rows")

    @cached_property
    def outputs(self) -> tuple[int, int]:
        """The half-open range of output columns to which the part contributes."""
        return self._span(self.column_range, self.slots.shape.weights, "columns")

    def _span(self, blocks: tuple[int, int], size: int, what: str) -> tuple[int, int]:
        matrix, along = self.slots.layer.matrix, self.slots.groups_per_slot
        assert matrix is not None
        each: int = getattr(matrix, what)
        if self.slots.layer.private:
            return _clip(blocks, size, each)
        if along > 1:
            return self.bundles[0] * along * each, min(self.bundles[1] * along, matrix.groups) * each
        low, high = _clip(blocks, size, each)
        return self.bundles[0] * each + low, (self.bundles[1] - 1) * each + high


def _length(span: tuple[int, int]) -> int:
    return span[1] - span[0]


def _clip(blocks: tuple[int, int], size: int, most: int) -> tuple[int, int]:
    return min(blocks[0] * size, most), min(blocks[1] * size, most)


def _split(total: int, pieces: int) -> list[tuple[int, int]]:
    """``total`` in ``pieces`` contiguous ranges whose sizes differ by at most one."""
    return list(pairwise(total * k // pieces for k in range(pieces + 1)))


def parts_of(
    slots: Slots, least_rows: int = 1, most_partial: float = inf, economy: Economy = ECONOMIES[0]
) -> list[Part]:
    """One copy as parts that each fit a tile, in ``least_rows`` or more pieces along the rows.

    The partial sums that come together at a part, of at most two others, are at most ``most_partial`` values where a
    grid allows that.

    Of all grids, those that take as little room as ``economy`` asks; of those, the one that moves the fewest values:
    each input goes to every piece along the columns, each output is added over the pieces along the rows.
    """
    shape = slots.shape
    if slots.row_blocks * slots.column_blocks * least_rows <= shape.per_tile and least_rows == 1:
        each = shape.per_tile // (slots.row_blocks * slots.column_blocks)
        pieces = _split(slots.bundles, -(-slots.bundles // each))
        whole = (0, slots.row_blocks), (0, slots.column_blocks)
        return [Part(slots, piece, *whole, 0, k) for k, piece in enumerate(pieces)]
    rows, columns = _grid(slots, least_rows, most_partial, economy)
    row_pieces, column_pieces = _split(slots.row_blocks, rows), _split(slots.column_blocks, columns)
    return [
        Part(
            slots,
            (bundle, bundle + 1),
            row_piece,
            column_piece,
            r,
            bundle * columns + c,
            min(rows - 1, PARTIALS),
            r == rows // 2,
        )
        for bundle in range(slots.bundles)
        for c, column_piece in enumerate(column_pieces)
        for r, row_piece in enumerate(row_pieces)
    ]


def _grid(slots: Slots, least_rows: int, most_partial: float, economy: Economy) -> tuple[int, int]:
    shape = slots.shape
    found = []
    for rows in range(min(least_rows, slots.row_blocks), slots.row_blocks + 1):
        high = -(-slots.row_blocks // rows)
        if high > shape.per_tile:
            continue
        columns = -(-slots.column_blocks // (shape.per_tile // high))
        wide = -(-slots.column_blocks // columns)
        each = -(-high * wide // shape.per_core)
        size = rows * columns * each
        if economy.whole_tiles:
            size = -(-rows * columns // (shape.per_tile // shape.per_core // each))
        moved = columns * slots.row_blocks * shape.rows + (rows - 1) * slots.column_blocks * shape.weights
        found.append((size, moved, rows, columns, min(rows - 1, PARTIALS) * wide * shape.weights))
    found = [grid for grid in found if grid[4] <= most_partial] or [min(found, key=lambda grid: grid[4])]
    fewest = min(grid[0] for grid in found)
    return min((moved, size, r, c) for size, moved, r, c, _ in found if size <= economy.slack * fewest)[2:]
