"""Plan: how each layer is cut for any number of copies, what a tile is thought to need for it, and what then to try.

Estimates of buffers are rough, and first fit has its luck.  So there are several ways to place a network, and they are
tried by the interval that they promise, until one keeps within the tiles' buffers when these are worked out exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache, partial
from heapq import heapify, heappop, heappush

from archsim.compile.elementwise import layer_operations, operations_by_row, unit_rate
from archsim.compile.place import Demand, Mapped, Order, Placement, Room, cut, least_cores, place, plan
from archsim.compile.replicate import Copies, balanced, copies_at, most_copies
from archsim.compile.slicing import ECONOMIES, Economy, Part, SlotShape, slice_layer, slot_shape
from archsim.compile.tensors import layer_window, rows_per_channel
from archsim.hardware.mvm import mvm_timing
from archsim.spec.chip import Chip
from archsim.spec.tile import Operator, Tile
from archsim.units import PICOSECONDS
from archsim.workload.graph import INPUT, Depth, Graph, Layer

__all__ = ["Attempt", "Planner", "attempts", "buffer_bits", "once", "planners"]

BUFFER_SHARES = (0.9, 0.6, 0.4)
"""Shares of a tile's buffer that placement counts on."""

TILES_AN_AREA = 24
"""Tiles of a chip that make an area, about."""

ORDERS: dict[Order, float] = {"network": 1.0, "largest": 1.1, "dense": 1.2}
"""The orders in which layers are placed, and by what factor the interval must be smaller for one to be preferred."""

SOFT = 1.05
"""By what factor the interval must be smaller for a placement against the estimates of buffers to be preferred."""

COARSER = 1.25
"""The ratio of intervals between two attempts when buffers came out too small in all before."""


KEPT = 32
"""The placements that are kept of each way to plan."""

KEPT_BOARDS = 4
"""The boards that are kept with the ways to plan a network on them."""


def once(graph: Graph) -> Copies:
    """One copy of each layer, or of each of its experts."""
    return {layer.name: layer.copies or 1 for layer in graph.matrix_layers}


def buffer_bits(tile: Tile) -> int:
    """The buffer of a tile in bits."""
    buffer = tile.components[tile.memory.buffer]
    return int(buffer.count * buffer.capacity.value)  # type: ignore[attr-defined]


def _input_size(graph: Graph, layer: Layer) -> tuple[int, int]:
    """Rows and columns of what a layer reads, looking through flatten."""
    source = graph[layer.inputs[0]]
    while source.op == "flatten":
        source = graph[source.inputs[0]]
    return source.grid


def _spatial(graph: Graph) -> dict[str, int]:
    """Matrix rows a channel of the input, for each layer with weights."""
    return {
        layer.name: rows_per_channel(layer, high * wide)
        for layer in graph.matrix_layers
        for high, wide in [_input_size(graph, layer)]
    }


def _riders(graph: Graph) -> dict[str, list[Layer]]:
    """The layers without weights in the tiles of each layer that has them: those that read it last."""
    order = {layer.name: k for k, layer in enumerate(graph.layers)}
    host: dict[str, str] = {}
    riders: dict[str, list[Layer]] = {layer.name: [] for layer in graph.layers}
    for layer in graph.layers:
        if layer.op == INPUT:
            continue
        main = max(layer.inputs, key=order.__getitem__)
        host[layer.name] = layer.name if layer.matrix else host.get(main, main)
        if not layer.matrix and not layer.host and not layer.dynamic:
            riders[host[layer.name]].append(layer)
    return riders


def _demands(graph: Graph, tile: Tile) -> tuple[Demand, ...]:
    """What the parts of each layer with weights need."""
    riders, units = _riders(graph), _Units(tile)
    return tuple(_demand(graph, layer, riders[layer.name], units) for layer in graph.matrix_layers)


def _demand(graph: Graph, layer: Layer, riders: list[Layer], units: _Units) -> Demand:
    """Estimated pixels that a part buffers: k rows of its strip, of which one to run freely; riders likewise."""
    rows, columns = _input_size(graph, layer)
    if layer.one_by_one:
        return Demand(4, 0, 4, 4, 0)
    window = layer_window(layer, rows, columns)
    (high, wide), across = window.kernel, window.stride[1]
    high += _rows_before(layer.depth, (0, rows))
    shape = layer.output_shape
    heights = shape[1] if len(shape) == 3 else 1
    fixed = each = 0.0
    for rider in riders:
        if rider.op in ("maxpool", "avgpool", "add"):
            high_too = rider.kernel[0] + _rows_before(rider.depth, rider.input_shapes[0])
            fixed += rider.kernel[1] * high_too + 4
            each += (2 if rider.op == "add" else high_too) / heights
    if layer.private:
        pixels = high * (wide + 16 * across)  # positions that follow each other share most of what they read
        return Demand(pixels, 0, pixels, fixed, each)
    if layer.windows == 1:
        return Demand(rows * columns, 0, rows * columns, fixed, each)
    loads = units.add_load, units.out_load(layer, riders)
    return Demand(high * wide, high * across / heights, rows * columns, fixed, each, *loads)


def _rows_before(depth: Depth | None, shape: Sequence[int]) -> int:
    """Rows of the frames of a volume of ``shape`` under a kernel, those of the last frame left out."""
    return (depth.kernel - 1) * depth.dilation * (shape[1] // depth.frames) if depth else 0


class _Units:
    """The time of functional units as shares of the interval of an MVM."""

    def __init__(self, tile: Tile) -> None:
        self._tile = tile
        self._interval = Fraction(mvm_timing(tile).interval_ps, PICOSECONDS)
        self._an_interval: dict[str, Fraction] = {}

    @cached_property
    def add_load(self) -> float:
        """Of one addition."""
        adding: dict[Operator, int] = {"add": 1}
        return self._load(operations_by_row(self._tile, adding), 1)

    def out_load(self, layer: Layer, riders: list[Layer]) -> float:
        """Of all that is done with one output value of ``layer``, on the busiest unit."""
        work: dict[str, int] = {}
        for one in (layer, *riders):
            for row, amount in operations_by_row(self._tile, layer_operations(one, 1)).items():
                work[row] = work.get(row, 0) + amount * one.windows
        return self._load(work, layer.windows)

    def _load(self, work: dict[str, int], windows: int) -> float:
        """The largest share of operations by row in so many windows."""
        for row in work.keys() - self._an_interval.keys():
            self._an_interval[row] = unit_rate(self._tile, row) * self._interval
        return float(max((amount / (windows * self._an_interval[row]) for row, amount in work.items()), default=0))


@dataclass(frozen=True)
class Ground:
    """All that planning hangs on beside the network; boards that differ in times only may be equal in it."""

    chips: int
    tiles: int
    cores: int
    shape: SlotShape
    buffer_bits: int
    value_bits: int
    failed: frozenset[int]
    demands: tuple[Demand, ...]

    @classmethod
    def of(cls, graph: Graph, chip: Chip, chips: int) -> Ground:
        """A board of so many chips for ``graph``."""
        tile, failed = chip.tile, frozenset(chip.noc.failed)
        sizes = chips, chip.tiles, tile.core.count, slot_shape(tile), buffer_bits(tile), tile.core.encoding.input_bits
        return cls(*sizes, failed, _demands(graph, tile))

    def room(self, share: float) -> Room:
        """What the board offers, where ``share`` of a tile's buffer is counted on."""
        areas = max(1, round(self.tiles / TILES_AN_AREA))
        bits, slots = int(share * self.buffer_bits), self.shape.per_core
        return Room(self.chips, self.tiles, self.cores, slots, bits, self.value_bits, areas, self.failed)


class Planner:
    """Plans the parts of each layer for any numbers of copies: the more copies, the narrower the strip of each.

    ``share`` is that of a tile's buffer to count on, ``economy`` how sparing copies are with room.
    """

    def __init__(self, graph: Graph, ground: Ground, share: float, economy: Economy = ECONOMIES[0]) -> None:
        self.room = ground.room(share)
        self.spatial = _spatial(graph)
        self.layers = list(graph.matrix_layers)
        self.economy = economy
        names = [layer.name for layer in self.layers]
        self._slots = {layer.name: slice_layer(layer, ground.shape) for layer in self.layers}
        self._demand = dict(zip(names, ground.demands, strict=True))
        self._parts: dict[tuple[str, int], tuple[Part, ...]] = {}
        self._plans: dict[tuple[str, int], Mapped] = {}
        self._placed: dict[tuple[tuple[int, ...], Order, bool], list[Placement] | None] = {}
        self._balanced: dict[tuple[tuple[int, ...], Order, bool], Copies] = {}
        self._least_pace: int | None = None

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
            name, parts = layer.name, partial(self._cut, layer.name)
            self._plans[key] = plan(
                self._slots[name], self._demand[name], self.spatial[name], self.room, windows, parts
            )
        return self._plans[key]

    def _cut(self, name: str, least: int) -> tuple[Part, ...]:
        key = name, least
        if key not in self._parts:
            self._parts[key] = cut(self._slots[name], least, self.room, self.economy)
        return self._parts[key]

    def place(self, copies: Copies, order: Order, *, strict: bool) -> list[Placement] | None:
        """Where everything stands; None if it does not fit.  The latest answers are kept: the search for balanced
        copies asks for what is then tried, and attempts at ever fewer copies come to be the same."""
        key = tuple(copies[layer.name] for layer in self.layers), order, strict
        if key not in self._placed:
            found = place(self.mapped(copies), copies, self.room, self.spatial, order, strict=strict)
            for kind in (strict, not strict) if found.either_way else (strict,):
                while len(self._placed) >= KEPT:
                    del self._placed[next(iter(self._placed))]
                self._placed[*key[:2], kind] = found.placements
        return self._placed[key]

    def balanced(self, copies: Copies, order: Order, *, strict: bool) -> Copies:
        """The copies with the smallest interval at which everything fits; ``copies`` if even they do not."""

        def fits(tried: Copies) -> bool:
            return self.place(tried, order, strict=strict) is not None

        key = tuple(copies[layer.name] for layer in self.layers), order, strict
        if key not in self._balanced:
            found = fits(copies)
            self._balanced[key] = (
                balanced(self.layers, self.most_copies(), fits, self.least_pace()) if found else copies
            )
        return dict(self._balanced[key])

    def least_pace(self) -> int:
        """The smallest windows an image of each copy for which the board has cores enough."""
        if self._least_pace is None:
            cores = self.room.all_cores
            found = balanced(
                self.layers,
                self.most_copies(),
                lambda copies: (
                    sum(least_cores(m, copies[m.layer.name], self.room) for m in self.mapped(copies)) <= cores
                ),
            )
            self._least_pace = self.pace(found)
        return self._least_pace

    def pace(self, copies: Copies) -> int:
        """The windows an image of the copy that has most."""
        return max(-(-layer.windows // copies[layer.name]) for layer in self.layers)


def planners(graph: Graph, chip: Chip, chips: int, copies: Copies) -> list[Planner]:
    """A planner for each share of the buffers, as generous with room as lets ``copies`` fit; none if they do not."""
    return list(_planners(graph, Ground.of(graph, chip, chips), tuple(copies.items())))


@lru_cache(maxsize=KEPT_BOARDS)
def _planners(graph: Graph, ground: Ground, copies: tuple[tuple[str, int], ...]) -> tuple[Planner, ...]:
    """Kept with what they have planned: the search for chips, the compilation after it, and compilations of the same
    network for boards that differ in nothing that planning hangs on ask for the same."""
    for economy in ECONOMIES:
        found = tuple(Planner(graph, ground, share, economy) for share in BUFFER_SHARES)
        if any(found[0].place(dict(copies), order, strict=False) is not None for order in ORDERS):
            return found
    return ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A way to place a network: so many copies, in which order, and whether estimates of what tiles have must hold."""

    planner: Planner
    copies: Copies
    order: Order
    strict: bool

    def mapped(self) -> list[Mapped]:
        """Each layer in parts."""
        return self.planner.mapped(self.copies)

    def placed(self) -> list[Placement] | None:
        """Where everything stands, None if it does not fit."""
        return self.planner.place(self.copies, self.order, strict=self.strict)

    @property
    def cost(self) -> float:
        """The interval that it promises, with what it risks by longer ways and full buffers."""
        return self.planner.pace(self.copies) * _weight(self.order, self.strict)


def _weight(order: Order, strict: bool) -> float:
    return ORDERS[order] * (1.0 if strict else SOFT)


def attempts(ways: list[Planner], copies: Copies, *, balance: bool) -> Iterator[Attempt]:
    """The ways to place a network, the most promising first; with ``copies``, or balanced ones."""
    kinds: list[tuple[Order, bool]] = [(order, strict) for strict in (True, False) for order in ORDERS]
    if not balance:
        yield from (Attempt(planner, copies, *kind) for planner in ways for kind in kinds)
        return
    for planner in ways:
        first = _balanced(planner, copies, *kinds[0])
        best = first.cost <= SOFT * planner.least_pace()
        if best:
            yield first  # no other can promise more
        yield from _by_cost(planner, copies, kinds[1:], [] if best else [first])
    layers, pace, most = ways[0].layers, 1, max(layer.windows for layer in ways[0].layers)
    while pace < most:
        pace = min(most, int(pace * COARSER) + 1)
        for planner in ways:
            yield Attempt(planner, copies_at(layers, pace, planner.most_copies()), "largest", strict=False)


def _by_cost(
    planner: Planner, copies: Copies, kinds: list[tuple[Order, bool]], known: list[Attempt]
) -> Iterator[Attempt]:
    """The balanced attempts of ``kinds`` and those ``known``, by cost and, of equals, as they are given; none is worked
    out before what it can cost at the least comes next."""
    least = planner.least_pace()
    coming: list[tuple[float, int, Attempt | None]] = [(attempt.cost, k, attempt) for k, attempt in enumerate(known)]
    coming += [(least * _weight(*kind), k, None) for k, kind in enumerate(kinds, len(known))]
    heapify(coming)
    while coming:
        _, k, attempt = heappop(coming)
        if attempt is not None:
            yield attempt
        else:
            found = _balanced(planner, copies, *kinds[k - len(known)])
            heappush(coming, (found.cost, k, found))


def _balanced(planner: Planner, copies: Copies, order: Order, strict: bool) -> Attempt:
    return Attempt(planner, planner.balanced(copies, order, strict=strict), order, strict)
