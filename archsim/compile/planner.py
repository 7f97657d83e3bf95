"""Plan: how each layer is cut for any number of copies, what a tile is thought to need for it, and what then to try.

Estimates of buffers are rough, and first fit has its luck.  So there are several ways to place a network, and they are
tried by the interval that they promise, until one keeps within the tiles' buffers when these are worked out exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from archsim.compile.elementwise import layer_operations, operations_by_row, unit_rate
from archsim.compile.lower import layer_window
from archsim.compile.place import Demand, Mapped, Placement, Room, place, plan
from archsim.compile.replicate import Copies, balanced, copies_at, most_copies
from archsim.compile.slicing import SLACK, SlotShape, slice_layer, slot_shape
from archsim.hardware.mvm import mvm_timing
from archsim.spec.chip import Chip
from archsim.spec.tile import Operator, Tile
from archsim.units import PICOSECONDS
from archsim.workload.graph import Graph, Layer

__all__ = ["Attempt", "Planner", "attempts", "buffer_bits", "once", "planners"]

BUFFER_SHARES = (0.9, 0.6, 0.4)
"""Shares of a tile's buffer that placement counts on."""

TILES_AN_AREA = 24
"""Tiles of a chip that make an area, about."""

FINER = 1.08
"""The ratio of intervals between two strict placements that are tried."""

COARSER = 1.25
"""The ratio of intervals between two attempts when buffers came out too small in all before."""


def once(graph: Graph) -> Copies:
    """One copy of each layer."""
    return {layer.name: 1 for layer in graph.matrix_layers}


def buffer_bits(tile: Tile) -> int:
    """The buffer of a tile in bits."""
    buffer = tile.components[tile.memory.buffer]
    return int(buffer.count * buffer.capacity.value)  # type: ignore[attr-defined]


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


def _riders(graph: Graph) -> dict[str, list[Layer]]:
    """The layers without weights in the tiles of each layer that has them: those that read it last."""
    order = {layer.name: k for k, layer in enumerate(graph.layers)}
    host: dict[str, str] = {}
    riders: dict[str, list[Layer]] = {layer.name: [] for layer in graph.layers}
    for layer in graph.layers[1:]:
        main = max(layer.inputs, key=order.__getitem__)
        host[layer.name] = layer.name if layer.matrix else host.get(main, main)
        if not layer.matrix:
            riders[host[layer.name]].append(layer)
    return riders


def _demand(graph: Graph, layer: Layer, riders: list[Layer], tile: Tile) -> Demand:
    """Estimated pixels that a part buffers: k rows of its strip, of which one to run freely; riders likewise."""
    rows, columns = _input_size(graph, layer)
    if layer.steps > 1:
        return Demand(4, 0, 4, 4, 0)
    window = layer_window(layer, rows, columns)
    (high, wide), across = window.kernel, window.stride[1]
    shape = layer.output_shape
    heights = shape[1] if len(shape) == 3 else 1
    fixed = each = 0.0
    for rider in riders:
        if rider.op in ("maxpool", "avgpool", "add"):
            fixed += rider.kernel[1] * rider.kernel[0] + 4
            each += (2 if rider.op == "add" else rider.kernel[0]) / heights
    if layer.windows == 1:
        return Demand(rows * columns, 0, rows * columns, fixed, each)
    loads = _loads(layer, riders, tile)
    return Demand(high * wide, high * across / heights, rows * columns, fixed, each, *loads)


def _loads(layer: Layer, riders: list[Layer], tile: Tile) -> tuple[float, float]:
    """The time of one addition, and of all that is done with one output value, as shares of the interval of an MVM."""
    interval = Fraction(mvm_timing(tile).interval_ps, PICOSECONDS)
    busy: dict[str, Fraction] = {}
    for one in (layer, *riders):
        for row, amount in operations_by_row(tile, layer_operations(one, 1)).items():
            often = Fraction(amount * one.windows, layer.windows)
            busy[row] = busy.get(row, Fraction(0)) + often / unit_rate(tile, row)
    adding: dict[Operator, int] = {"add": 1}
    add = sum(amount / unit_rate(tile, row) for row, amount in operations_by_row(tile, adding).items())
    return float(add / interval), float(max(busy.values(), default=Fraction(0)) / interval)


class Planner:
    """Plans the parts of each layer for any numbers of copies: the more copies, the narrower the strip of each.

    ``share`` is that of a tile's buffer to count on, ``slack`` the cores that a copy may take for less traffic.
    """

    def __init__(self, graph: Graph, chip: Chip, chips: int, share: float, slack: float = SLACK) -> None:
        tile = chip.tile
        shape: SlotShape = slot_shape(tile.core)
        areas = max(1, round(chip.tiles / TILES_AN_AREA))
        bits, values = int(share * buffer_bits(tile)), tile.core.encoding.input_bits
        self.room = Room(chips, chip.tiles, tile.core.count, shape.per_core, bits, values, areas)
        self.spatial = _spatial(graph)
        self.layers = list(graph.matrix_layers)
        self.slack = slack
        riders = _riders(graph)
        self._slots = {layer.name: slice_layer(layer, shape) for layer in self.layers}
        self._demand = {layer.name: _demand(graph, layer, riders[layer.name], tile) for layer in self.layers}
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
            self._plans[key] = plan(
                self._slots[name], self._demand[name], self.spatial[name], self.room, windows, self.slack
            )
        return self._plans[key]

    def place(self, copies: Copies, *, strict: bool = True) -> list[Placement] | None:
        """Where everything stands; None if it does not fit."""
        return place(self.mapped(copies), copies, self.room, self.spatial, strict=strict)

    def pace(self, copies: Copies) -> int:
        """The windows an image of the copy that has most."""
        return max(-(-layer.windows // copies[layer.name]) for layer in self.layers)


def planners(graph: Graph, chip: Chip, chips: int, copies: Copies) -> list[Planner]:
    """A planner for each share of the buffers, with as much slack as lets ``copies`` fit; none if they do not."""
    for slack in (SLACK, 1.0):
        found = [Planner(graph, chip, chips, share, slack) for share in BUFFER_SHARES]
        if found[0].place(copies, strict=False) is not None:
            return found
    return []


@dataclass(frozen=True, slots=True)
class Attempt:
    """A way to place a network: so many copies, and whether estimates of what tiles have must hold."""

    planner: Planner
    copies: Copies
    strict: bool

    def placed(self) -> list[Placement] | None:
        """Where everything stands, None if it does not fit."""
        return self.planner.place(self.copies, strict=self.strict)


def attempts(ways: list[Planner], copies: Copies, *, balance: bool) -> Iterator[Attempt]:
    """The ways to place a network, those with the smallest interval first; with ``copies``, or balanced ones."""
    if not balance:
        yield from (Attempt(planner, copies, strict) for strict in (True, False) for planner in ways)
        return
    first, most = ways[0], max(layer.windows for layer in ways[0].layers)
    soft = Attempt(first, _smallest(first, copies, strict=False), strict=False)
    bound = first.pace(soft.copies)
    strict = Attempt(first, _finest(first, copies, bound), strict=True)
    if first.pace(strict.copies) <= bound:
        yield strict
    rest = [Attempt(planner, _finest(planner, copies, bound), strict=True) for planner in ways[1:]]
    yield from sorted([strict, *rest, soft], key=lambda a: (a.planner.pace(a.copies), not a.strict))
    pace = bound
    while pace < most:
        pace = min(most, int(pace * COARSER) + 1)
        for planner in ways:
            yield Attempt(planner, copies_at(planner.layers, pace, planner.most_copies()), strict=False)


def _smallest(planner: Planner, copies: Copies, *, strict: bool) -> Copies:
    """The copies with the smallest interval at which everything fits, by bisection; ``copies`` if even they do not."""

    def fits(tried: Copies) -> bool:
        return planner.place(tried, strict=strict) is not None

    return balanced(planner.layers, planner.most_copies(), fits) if fits(copies) else copies


def _finest(planner: Planner, copies: Copies, bound: int) -> Copies:
    """The copies with the smallest interval at which estimates hold of what tiles have; ``bound`` is the smallest pace
    that cores allow.

    First fit is not monotone: it may fail with some copies and go well with more.  What bisection finds is therefore
    compared with smaller intervals.
    """
    found = _smallest(planner, copies, strict=True)
    pace, most = bound, planner.most_copies()
    while pace < planner.pace(found):
        tried = copies_at(planner.layers, pace, most)
        if planner.place(tried) is not None:
            return tried
        pace = max(pace + 1, int(pace * FINER))
    return found
