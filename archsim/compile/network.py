"""``compile``: a network on a board becomes a Program, with all that results need to know of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from archsim.compile.builder import Builder
from archsim.compile.capacity import with_capacities
from archsim.compile.detail import require_layers, with_components
from archsim.compile.elementwise import require_units
from archsim.compile.lower import Lowered, layer_window, lower
from archsim.compile.place import Demand, Mapped, Placement, Room, place, plan
from archsim.compile.replicate import Copies, balanced, given, most_copies
from archsim.compile.slicing import SlotShape, slice_layer, slot_shape
from archsim.errors import CompileError
from archsim.noc.board import HOST, Board
from archsim.program import Program, Stage
from archsim.spec.chip import Chip
from archsim.spec.tile import Tile
from archsim.workload.graph import Graph, Layer

__all__ = ["Compiled", "Replication", "arrays_needed", "chips_to_fit", "compile_network"]

Replication = Literal["balanced", "none"] | Mapping[str, int]
"""How many copies: balanced for the smallest interval, one of each, or a user's own factors."""

BUFFER_SHARES = (0.9, 0.6, 0.4)
"""Shares of a tile's buffer that placement counts on, tried in turn: its estimates of buffers are rough."""


@dataclass(frozen=True)
class Compiled:
    """A network on a board.  ``program`` is for one image; :meth:`for_images` gives that of several.

    ``work`` counts the actions of one image by (``level.component``, action); tokens over links are counted from the
    Program itself.
    """

    graph: Graph
    board: Board
    copies: Copies
    mapped: dict[str, Mapped]
    placements: tuple[Placement, ...]
    program: Program
    lowered: Lowered
    stage_tile: tuple[int, ...]
    work: dict[tuple[str, str], float] = field(repr=False)
    detail: frozenset[str] = frozenset()
    """Layers whose MVMs are simulated component by component; see :mod:`archsim.compile.detail`."""

    def for_images(self, images: int) -> Program:
        """The Program of ``images`` images, one after the other: only the firings differ."""
        return self.program.repeated(images)

    @cached_property
    def tiles_used(self) -> int:
        """Tiles that hold a weight."""
        return len({placement.tile for placement in self.placements})

    @cached_property
    def arrays_used(self) -> int:
        """Arrays that hold a weight."""
        return sum(
            p.copies * self.mapped[p.layer].parts[p.part].count * self.mapped[p.layer].slots.shape.arrays
            for p in self.placements
        )

    @cached_property
    def weights_held(self) -> int:
        """Weights on the board, copies counted."""
        return sum(p.copies * self.mapped[p.layer].parts[p.part].cells_used for p in self.placements)


def arrays_needed(graph: Graph, chip: Chip) -> dict[str, int]:
    """Arrays that hold each layer once."""
    shape = slot_shape(chip.tile.core)
    return {layer.name: slice_layer(layer, shape).arrays for layer in graph.matrix_layers}


def chips_to_fit(graph: Graph, chip: Chip) -> int:
    """The chips of the smallest board that holds every layer once."""
    core, shape = chip.tile.core, slot_shape(chip.tile.core)
    per_chip = chip.tiles * core.count * core.the("crossbar")[1].count
    if not shape.per_core:
        raise CompileError(f"tile {chip.tile.name!r}: a core has too few arrays for the slices of one weight")
    chips = -(-sum(arrays_needed(graph, chip).values()) // per_chip)
    while _Planner(graph, chip, chips, 1.0).place(_once(graph), strict=False) is None:
        chips += 1
    return chips


def _once(graph: Graph) -> Copies:
    return {layer.name: 1 for layer in graph.matrix_layers}


def _input_size(graph: Graph, layer: Layer) -> tuple[int, int]:
    """Rows and columns of what a layer reads, looking through flatten."""
    source = graph[layer.inputs[0]]
    while source.op == "flatten":
        source = graph[source.inputs[0]]
    shape = source.output_shape
    return (shape[1], shape[2]) if len(shape) == 3 else (1, source.steps)


def _spatial(graph: Graph) -> dict[str, int]:
    """Matrix rows a channel of the input, for each layer with weights."""
    out = {}
    for layer in graph.matrix_layers:
        rows, columns = _input_size(graph, layer)
        out[layer.name] = layer.kernel[0] * layer.kernel[1] if layer.op == "conv" else rows * columns
        if layer.steps > 1:
            out[layer.name] = 1
    return out


def _demand(graph: Graph, layer: Layer) -> Demand:
    """Estimated pixels that a part buffers: (k - 1) rows of its strip, and a row more to run freely; riders likewise."""
    rows, columns = _input_size(graph, layer)
    if layer.steps > 1:
        return Demand(4, 0, 4, 4, 0)
    window = layer_window(layer, rows, columns)
    (high, wide), (down, across) = window.kernel, window.stride
    shape = layer.output_shape
    heights = shape[1] if len(shape) == 3 else 1
    fixed = each = 0.0
    for name in graph.consumers(layer.name):
        rider = graph[name]
        if rider.op in ("maxpool", "avgpool", "add"):
            fixed += rider.kernel[1] * rider.kernel[0] + 4
            each += (2 if rider.op == "add" else rider.kernel[0]) / heights
    if layer.windows == 1:
        return Demand(rows * columns, 0, rows * columns, fixed, each)
    return Demand(high * wide, high * across / heights, rows * columns, fixed, each)


class _Planner:
    """Plans the parts of each layer for any numbers of copies: the more copies, the narrower the strip of each."""

    def __init__(self, graph: Graph, chip: Chip, chips: int, share: float) -> None:
        tile = chip.tile
        shape: SlotShape = slot_shape(tile.core)
        bits = int(share * _buffer_bits(tile))
        self.room = Room(chips, chip.tiles, tile.core.count, shape.per_core, bits, tile.core.encoding.input_bits)
        self.spatial = _spatial(graph)
        self.layers = list(graph.matrix_layers)
        self._slots = {layer.name: slice_layer(layer, shape) for layer in self.layers}
        self._demand = {layer.name: _demand(graph, layer) for layer in self.layers}
        self._plans: dict[tuple[str, int], Mapped] = {}

    def most_copies(self) -> Copies:
        """The copies of each layer above which its strips would get too narrow."""
        tile = self.room.cores * self.room.slots_per_core
        return {layer.name: most_copies(layer, tile // self._slots[layer.name].count) for layer in self.layers}

    def mapped(self, copies: Copies) -> list[Mapped]:
        """Each layer in parts, with so many copies."""
        return [self._plan(layer, -(-layer.windows // copies[layer.name])) for layer in self.layers]

    def _plan(self, layer: Layer, windows: int) -> Mapped:
        key = layer.name, windows
        if key not in self._plans:
            name = layer.name
            self._plans[key] = plan(self._slots[name], self._demand[name], self.spatial[name], self.room, windows)
        return self._plans[key]

    def place(self, copies: Copies, *, strict: bool = True) -> list[Placement] | None:
        """Where everything stands; None if it does not fit."""
        return place(self.mapped(copies), copies, self.room, self.spatial, strict=strict)


def _buffer_bits(tile: Tile) -> int:
    buffer = tile.components[tile.memory.buffer]
    return int(buffer.count * buffer.capacity.value)  # type: ignore[attr-defined]


def compile_network(
    graph: Graph,
    chip: Chip,
    chips: int,
    replication: Replication = "balanced",
    *,
    check_buffers: bool = True,
    component_detail: frozenset[str] = frozenset(),
) -> Compiled:
    """Compile ``graph`` onto a board of ``chips`` chips.  CompileError says what does not fit, and by how much.

    The MVMs of the layers in ``component_detail`` are simulated component by component.
    """
    require_layers(graph, component_detail)
    require_units(chip.tile, list(graph.layers))
    failure: CompileError | None = None
    for share in BUFFER_SHARES:
        try:
            compiled = _compiled(graph, chip, chips, replication, share, check_buffers)
            return _detailed(compiled, component_detail)
        except _BufferError as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _detailed(compiled: Compiled, layers: frozenset[str]) -> Compiled:
    program = with_components(compiled.program, compiled.board.chip.tile, layers)
    return replace(compiled, program=program, stage_tile=tuple(_stage_tiles(program.stages)), detail=layers)


def _stage_tiles(stages: Iterable[Stage]) -> list[int]:
    return [HOST if stage.place == "host" else int(stage.place.removeprefix("tile ")) for stage in stages]


class _BufferError(CompileError):
    """The buffers came out too small with this placement; another may do."""


def _compiled(
    graph: Graph, chip: Chip, chips: int, replication: Replication, share: float, check_buffers: bool
) -> Compiled:
    planner = _Planner(graph, chip, chips, share)
    copies = _copies(graph, planner, replication, chip)
    placements = planner.place(copies) or planner.place(copies, strict=False)
    assert placements is not None
    board = Board(chip, chips)
    builder = Builder(board, chip.tile.core.encoding.input_bits)
    mapped = {m.layer.name: m for m in planner.mapped(copies)}
    lowered = lower(builder, graph, mapped, placements, copies)
    stage_tile = _stage_tiles(builder.stages)
    try:
        program = with_capacities(builder.program(), stage_tile, _buffer_bits(chip.tile), check=check_buffers)
    except CompileError as error:
        raise _BufferError(str(error)) from None
    work = dict(builder.work.counts)
    return Compiled(graph, board, copies, mapped, tuple(placements), program, lowered, tuple(stage_tile), work)


def _copies(graph: Graph, planner: _Planner, replication: Replication, chip: Chip) -> Copies:
    def fits(copies: Copies) -> bool:
        return planner.place(copies) is not None

    copies = _once(graph) if isinstance(replication, str) else given(planner.layers, replication)
    if planner.place(copies, strict=False) is None:
        raise _does_not_fit(graph, chip, planner.room.chips, copies)
    most = planner.most_copies()
    return balanced(planner.layers, most, fits) if replication == "balanced" and fits(copies) else copies


def _does_not_fit(graph: Graph, chip: Chip, chips: int, copies: Copies) -> CompileError:
    needed = sum(count * copies[name] for name, count in arrays_needed(graph, chip).items())
    core = chip.tile.core
    have = chips * chip.tiles * core.count * core.the("crossbar")[1].count
    cells = core.encoding.weight_bits
    return CompileError(
        f"{graph.name} does not fit {chips} × {chip.name}: it needs {needed} arrays in whole cores, the board has {have}, "
        f"{max(0, needed - have)} too few. {chips_to_fit(graph, chip)} chips hold it once; fewer than {cells} weight bits, "
        "more bits a cell or fewer copies need fewer arrays."
    )
