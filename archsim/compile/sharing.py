"""Sharing: the layers of a network on tiles whose mac-arrays take turns.

The weights of a digital core stand in a memory, and its arrays work on whatever layer has operands: several layers
share a tile in time, by an array that serves windows in order of arrival.  So each layer is spread over the board, as
``copies`` × ``row pieces`` × ``column pieces``, one part a tile.  With W windows, B blocks of rows and C of columns
a layer takes

    ceil(W / copies) · ceil(B / row pieces) · ceil(C / column pieces)

steps of each tile that it is on, and copies times its weights of the board's memory.  The copies of a layer work on
strips of its input.  Of S bits in it, a chip of M gets about

    S / min(copies, M) - S / M + (halo of its strip)

from others, over its links, and a tile that adds up pieces along the rows gets the sums of others.  What is least is
the time of all steps and of all these bits together, with no more memory than there is; a price for memory, found by
bisection, makes the choice.

Parts of one copy stand next to each other, so that the strip of the image that they read goes to one chip, and copies
in the order of their strips.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from archsim.compile.place import Demand, Mapped, Placement
from archsim.compile.replicate import Copies, most_copies
from archsim.compile.slicing import PARTIALS, Part, Slots, slice_layer, slot_shape
from archsim.components.link import ChipLink
from archsim.errors import CompileError
from archsim.hardware.mac import mac_array, step_cycle_ps, weight_memory, weights_a_tile
from archsim.spec.chip import Chip
from archsim.spec.tile import Tile
from archsim.units import PICOSECONDS
from archsim.workload.graph import Graph, Layer

__all__ = ["SharedAttempt", "SharedPlanner", "require_resident", "shared_attempts"]

PRICES = 40
"""Prices of memory that are tried: each halves the range, from none to where one copy of each layer is the choice."""

NO_DEMAND = Demand(0, 0, 0, 0, 0)
"""Buffers are checked when the Program is known; parts are not moved for them."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """How one layer is cut: copies, pieces along the rows, pieces along the columns (or the groups) of each copy."""

    copies: int
    rows: int
    columns: int

    @property
    def parts(self) -> int:
        return self.copies * self.rows * self.columns


@dataclass(frozen=True, slots=True)
class _Choice:
    grid: _Grid
    time_s: float
    weights: int


class SharedPlanner:
    """Plans the parts of each layer for a board; ``copies`` of :meth:`place` are those of :attr:`grids`."""

    def __init__(self, graph: Graph, chip: Chip, chips: int) -> None:
        self.shape = slot_shape(chip.tile)
        self.room = weights_a_tile(chip.tile)
        self.tiles, self.chips = chips * chip.tiles, chips
        self._step_s = step_cycle_ps(chip.tile) / PICOSECONDS
        link = chip.row(chip.noc.chip_link)
        assert isinstance(link, ChipLink)
        values = chip.tile.core.encoding.input_bits
        self._link_s = values / float(link.bits_per_s())
        self._noc_s = values / float(chip.noc.bandwidth.value)
        self.layers = list(graph.matrix_layers)
        self._slots = {layer.name: slice_layer(layer, self.shape) for layer in self.layers}
        self._choices = {layer.name: self._choices_of(layer) for layer in self.layers}
        self._mapped: dict[tuple[str, _Grid], Mapped] = {}

    # -- how a layer can be cut -----------------------------------------------------------------

    def _choices_of(self, layer: Layer) -> list[_Choice]:
        slots = self._slots[layer.name]
        along = slots.bundles if slots.bundles > 1 else slots.column_blocks
        most = most_copies(layer, 1)
        copies = [layer.copies] if layer.copies else list(range(1, min(most, self.tiles) + 1))
        found = []
        for count in copies:
            for rows in self._row_pieces(slots, count):
                columns = min(along, max(1, self.tiles // (count * rows)))
                for pieces in dict.fromkeys((columns, -(-along // -(-along // columns)))):
                    found.append(self._choice(layer, slots, _Grid(count, rows, pieces)))
        return found

    def _row_pieces(self, slots: Slots, copies: int) -> list[int]:
        """Pieces along the rows: as few as a tile's memory wants, or so many that no tile is left over."""
        if slots.bundles > 1:
            return [1]
        least = -(-slots.row_blocks * self.shape.rows * self.shape.weights // self.room)
        spare = min(self.tiles // (copies * slots.column_blocks), slots.row_blocks)
        return list(dict.fromkeys((least, max(least, spare))))

    def _choice(self, layer: Layer, slots: Slots, grid: _Grid) -> _Choice:
        windows = -(-layer.windows // grid.copies)
        if slots.bundles > 1:
            each = -(-slots.bundles // grid.columns) * slots.row_blocks * slots.column_blocks
        else:
            each = -(-slots.row_blocks // grid.rows) * -(-slots.column_blocks // grid.columns)
        strips = grid.copies * (grid.columns if slots.bundles > 1 else 1)
        sums = windows * min(grid.rows - 1, PARTIALS) * -(-slots.column_blocks // grid.columns) * self.shape.weights
        time_s = windows * each * self._step_s + self._arriving(layer, strips) * self._link_s + sums * self._noc_s
        return _Choice(grid, time_s, grid.copies * layer.weights // layer.experts)

    def _arriving(self, layer: Layer, strips: int) -> float:
        """Values that come to a chip from others, of an input that is read in so many strips."""
        shape = layer.input_shapes[0]
        whole = float(prod(shape))
        cut = min(strips, self.chips)
        halo = (layer.kernel[1] - layer.stride[1]) * shape[0] * shape[1] if len(shape) == 3 and cut > 1 else 0
        return whole / cut - whole / self.chips + max(0, halo)

    def grids(self, price: float) -> dict[str, _Grid]:
        """The grid of each layer that takes the least time if the memory of a weight costs ``price`` seconds; of equals
        the one with the least memory, then with the fewest parts."""
        return {
            name: min(found, key=lambda c: (c.time_s + price * c.weights, c.weights, c.grid.parts)).grid
            for name, found in self._choices.items()
        }

    def top_price(self) -> float:
        """A price at which every layer has as few copies as it can."""
        return float(max(choice.time_s for found in self._choices.values() for choice in found))

    # -- where it stands ------------------------------------------------------------------------

    def mapped(self, grids: dict[str, _Grid]) -> list[Mapped]:
        """Each layer in the parts of its grid."""
        return [self._mapped_as(layer, grids[layer.name]) for layer in self.layers]

    def _mapped_as(self, layer: Layer, grid: _Grid) -> Mapped:
        key = layer.name, grid
        if key not in self._mapped:
            slots = self._slots[layer.name]
            self._mapped[key] = Mapped(layer, slots, tuple(_parts(slots, grid)), NO_DEMAND)
        return self._mapped[key]

    def place(self, grids: dict[str, _Grid]) -> list[Placement] | None:
        """Where every part stands; None if the memories of the tiles cannot take them all.  Layers with the largest
        parts go first."""
        free = [self.room] * self.tiles
        placements: list[Placement] = []
        order = sorted(self.mapped(grids), key=lambda m: -max(part.cells_used for part in m.parts))
        for mapped in order:
            copies = grids[mapped.layer.name].copies
            for copy in range(copies):
                for index, part in enumerate(mapped.parts):
                    number, total = copy * len(mapped.parts) + index, copies * len(mapped.parts)
                    tile = _nearest(free, number * self.tiles // total, part.cells_used)
                    if tile is None:
                        return None
                    free[tile] -= part.cells_used
                    placements.append(Placement(mapped.layer.name, index, copy, 1, tile))
        return sorted(placements, key=lambda p: (p.layer, p.first, p.part))


def _nearest(free: list[int], wanted: int, weights: int) -> int | None:
    """The tile nearest to ``wanted`` with so much memory free."""
    for away in range(len(free)):
        for tile in (wanted + away, wanted - away):
            if 0 <= tile < len(free) and free[tile] >= weights:
                return tile
    return None


def _split(total: int, pieces: int) -> list[tuple[int, int]]:
    return list(pairwise(total * k // pieces for k in range(pieces + 1)))


def _parts(slots: Slots, grid: _Grid) -> Iterator[Part]:
    """One copy cut as ``grid`` says."""
    if slots.bundles > 1:
        for k, piece in enumerate(_split(slots.bundles, grid.columns)):
            yield Part(slots, piece, (0, slots.row_blocks), (0, slots.column_blocks), 0, k)
        return
    for c, columns in enumerate(_split(slots.column_blocks, grid.columns)):
        for r, rows in enumerate(_split(slots.row_blocks, grid.rows)):
            yield Part(slots, (0, 1), rows, columns, r, c, min(grid.rows - 1, PARTIALS), r == grid.rows // 2)


@dataclass(frozen=True)
class SharedAttempt:
    """A way to place a network on mac-arrays that layers share."""

    planner: SharedPlanner
    grids: dict[str, _Grid]

    @property
    def copies(self) -> Copies:
        """Copies of each layer."""
        return {name: grid.copies for name, grid in self.grids.items()}

    def mapped(self) -> list[Mapped]:
        """Each layer in parts."""
        return self.planner.mapped(self.grids)

    def placed(self) -> list[Placement] | None:
        """Where everything stands, None if it does not fit."""
        return self.planner.place(self.grids)


def require_resident(tile: Tile) -> None:
    """CompileError if ``tile`` is digital, unless its weights stand in a memory of its own and its arrays read them
    step by step: how an array that holds blocks divides its time between them is not modelled."""
    if not tile.core.digital:
        return
    name, memory = weight_memory(tile)
    if mac_array(tile.core).dataflow != "adder-tree" or memory.kind == "dram":
        raise CompileError(
            f"tile {tile.name!r}: networks run on mac-arrays with dataflow: adder-tree whose weights stand in an edram "
            f"or sram of the tile; this one is {mac_array(tile.core).dataflow}, with weights in {name} ({memory.kind})"
        )


def shared_attempts(graph: Graph, chip: Chip, chips: int) -> Iterator[SharedAttempt]:
    """The ways to place ``graph``, the fastest first; none if it does not fit."""
    planner = SharedPlanner(graph, chip, chips)
    low, high = 0.0, planner.top_price()
    best = planner.grids(low)
    if planner.place(best) is None:
        best = planner.grids(high)
        if planner.place(best) is None:
            return
        for _ in range(PRICES):
            middle = (low + high) / 2
            grids = planner.grids(middle)
            if planner.place(grids) is None:
                low = middle
            else:
                high, best = middle, grids
    yield SharedAttempt(planner, best)
    fewest = planner.grids(planner.top_price())
    if fewest != best:
        yield SharedAttempt(planner, fewest)
