"""Place: the copies of all layers onto the tiles of a board.

A board is cut into **areas**, runs of tiles that are neighbours on one chip.  Copies of spatial layers are dealt over
the areas by the region of the image that they work on, so that the producer and the consumer of a region stand near
each other and the channels of the whole network share the traffic; what has a single window fills the room that is
left.  Each part goes into the first tile of its area that has the cores for it, the buffer, and time on its functional
units (first fit); what finds no room in its area goes to the nearest that has some.

A core holds one layer.  Several copies of a small layer that follow each other share a tile and work together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from archsim.compile.slicing import Economy, Part, Slots, parts_of
from archsim.workload.graph import Layer

__all__ = [
    "SHARE_FOR_ONE",
    "SHARE_FOR_SUMS",
    "Demand",
    "Mapped",
    "Order",
    "Placed",
    "Placement",
    "Room",
    "cut",
    "least_cores",
    "place",
    "plan",
]


@dataclass(frozen=True)
class Mapped:
    """A layer with weights as it will be mapped: one copy as parts, and an estimate of what each buffers."""

    layer: Layer
    slots: Slots
    parts: tuple[Part, ...]
    demand: Demand

    @cached_property
    def counts(self) -> dict[int, int]:
        """How many parts have so many slots."""
        return Counter(part.count for part in self.parts)


@dataclass(frozen=True, slots=True)
class Demand:
    """Pixels that a part buffers: ``fixed`` + ``each`` × windows of its strip; of its input channels (but at most
    ``in_most``), and of its output channels for whatever rides on it.

    ``add_load`` is the time of one addition, ``out_load`` that of all element-wise work on one output value at the end
    of a sum, per window and on the busiest unit, both as shares of the time between two windows of a copy.
    """

    in_fixed: float
    in_each: float
    in_most: float
    out_fixed: float
    out_each: float
    add_load: float = 0.0
    out_load: float = 0.0

    def bits(self, part: Part, spatial: int, windows: int, value_bits: int) -> int:
        """Bits that ``part`` needs when its stage works on ``windows`` windows; ``spatial`` matrix rows a channel."""
        channels = (part.inputs[1] - part.inputs[0]) / spatial
        pixels = min(self.in_most, self.in_fixed + self.in_each * windows)
        outputs = part.outputs[1] - part.outputs[0]
        riding = self.out_fixed + self.out_each * windows + part.rows_beside
        return int((channels * pixels + outputs * riding) * value_bits)

    def load(self, part: Part) -> float:
        """The share of time for which one copy of ``part`` keeps functional units of its tile busy."""
        outputs = part.outputs[1] - part.outputs[0]
        additions = part.additions + part.rows_beside * outputs
        return self.add_load * additions + (self.out_load * outputs if part.is_root else 0.0)


class Placement(NamedTuple):
    """``copies`` consecutive copies of one part in one tile, from copy ``first`` on."""

    layer: str
    part: int
    first: int
    copies: int
    tile: int


class Placed(NamedTuple):
    """Where every part stands, None if the board cannot take them all; ``either_way`` if that is so whether estimates
    of buffers and unit times must hold or not."""

    placements: list[Placement] | None
    either_way: bool


@dataclass(frozen=True)
class Room:
    """What a board offers: chips × tiles × cores, slots a core, buffer bits a tile for estimates, areas a chip."""

    chips: int
    tiles: int
    cores: int
    slots_per_core: int
    buffer_bits: int
    value_bits: int
    areas: int = 1
    failed: frozenset[int] = frozenset()
    """Tiles of every chip that take nothing."""

    @property
    def all_cores(self) -> int:
        """The cores of the board, without those of tiles that have failed."""
        return self.chips * (self.tiles - len(self.failed)) * self.cores

    def area(self, number: int) -> range:
        """The tiles of an area; areas are counted through all chips."""
        chip, part = divmod(number, self.areas)
        start = chip * self.tiles
        return range(start + self.tiles * part // self.areas, start + self.tiles * (part + 1) // self.areas)

    @cached_property
    def _orders(self) -> dict[int, list[int]]:
        return {}

    def nearest(self, area: int) -> list[int]:
        """All tiles: those of ``area``, then of the areas next to it, and so on."""
        if area not in self._orders:
            areas = sorted(range(self.chips * self.areas), key=lambda other: (abs(other - area), -other))
            self._orders[area] = [tile for other in areas for tile in self.area(other)]
        return self._orders[area]


Order = Literal["network", "largest", "dense"]
"""The order in which layers are placed: that of the network, which keeps neighbours together; or those with the largest
parts first, which packs tighter; with layers of a single window last, or among the others."""

SHARE_FOR_ONE = 0.7
"""The share of a tile's buffer that one part may take, so that others find room beside it."""


SHARE_FOR_SUMS = 0.2
"""The share of a tile's buffer that partial sums from other tiles may take."""

UNIT_LOAD = 0.9
"""The share of time for which the functional units of a tile may be busy."""


class _Piece(NamedTuple):
    """What a part of one or more copies takes of a tile."""

    cores: int
    bits: int
    load: float


class _Tiles:
    """Free cores, buffer bits and unit time of every tile; finds a tile that has enough of each.

    What is free only falls.  A search for an equal piece therefore goes on where the last one ended.
    """

    def __init__(self, room: Room, strict: bool) -> None:
        count = room.chips * room.tiles
        self.strict = strict
        self.room = room
        self.cores = [0 if tile % room.tiles in room.failed else room.cores for tile in range(count)]
        self.bits = [room.buffer_bits] * count
        self.load = [UNIT_LOAD] * count
        self._reached: dict[tuple[int, _Piece], int] = {}
        self._roomy: dict[tuple[int, int], int] = {}
        self.estimates_decide = False
        """Whether a piece would have gone elsewhere, or nowhere, if they had to hold, or had not."""

    def nearest(self, area: int, piece: _Piece) -> int | None:
        """The first tile that takes ``piece`` in ``area`` or the nearest area; where none does, unless placement is
        strict, the one with the most buffer left of those with enough cores.

        An empty tile takes any bits and load.
        """
        order, cores = self.room.nearest(area), self.cores
        least, bits, load = piece.cores, piece.bits, piece.load
        start, end = self._roomy.get((area, least), 0), len(order)
        while start < end and cores[order[start]] < least:
            start += 1
        self._roomy[area, least] = start
        key, whole, bits_left, load_left = (area, piece), self.room.cores, self.bits, self.load
        for place in range(max(start, self._reached.get(key, 0)), end):
            tile = order[place]
            free = cores[tile]
            if free >= least and (free == whole or (bits_left[tile] >= bits and load_left[tile] >= load)):
                self._reached[key] = place
                return tile
        self._reached[key] = end
        found = self._roomiest(least)
        self.estimates_decide |= found is not None
        return None if self.strict else found

    def _roomiest(self, cores: int) -> int | None:
        fitting = [tile for tile, free in enumerate(self.cores) if free >= cores]
        return max(fitting, key=lambda tile: (self.bits[tile], -tile)) if fitting else None

    def take(self, tile: int, piece: _Piece) -> None:
        self.cores[tile] -= piece.cores
        self.bits[tile] -= piece.bits
        self.load[tile] -= piece.load


def cut(slots: Slots, least: int, room: Room, economy: Economy) -> tuple[Part, ...]:
    """One copy of a layer as parts that fit a tile in cores, in ``least`` or more pieces along the rows."""
    return tuple(parts_of(slots, least, SHARE_FOR_SUMS * room.buffer_bits / room.value_bits, economy))


def plan(
    slots: Slots, demand: Demand, spatial: int, room: Room, windows: int, cut: Callable[[int], tuple[Part, ...]]
) -> Mapped:
    """One copy of a layer as parts, as ``cut`` gives them for a number of pieces along the rows, that fit a tile in
    cores and, as far as can be estimated, in buffer.

    If the whole input does not fit a tile's buffer, the rows are split over more tiles, each with some channels.
    """
    found: list[tuple[int, tuple[Part, ...]]] = []
    for least in range(1, slots.row_blocks + 1):
        parts = cut(least)
        different = {part.likeness: part for part in parts}.values()
        bits = max(demand.bits(part, spatial, windows, room.value_bits) for part in different)
        found.append((bits, parts))
        if bits <= SHARE_FOR_ONE * room.buffer_bits:
            break
    best = found[-1][1] if found[-1][0] <= SHARE_FOR_ONE * room.buffer_bits else min(found, key=lambda f: f[0])[1]
    return Mapped(slots.layer, slots, best, demand)


def place(
    layers: Sequence[Mapped],
    copies: Mapping[str, int],
    room: Room,
    spatial: Mapping[str, int],
    order: Order,
    *,
    strict: bool = True,
) -> Placed:
    """Where every part of every copy stands.  ``layers`` are in the order of the network.

    ``strict`` holds the estimates of buffers and unit times against what tiles have; otherwise a part that finds no
    such tile goes where most is left.
    """
    if sum(least_cores(mapped, copies[mapped.layer.name], room) for mapped in layers) > room.all_cores:
        return Placed(None, True)
    keys: dict[Order, Callable[[Mapped], tuple[int, ...]]] = {
        "network": lambda m: (m.layer.windows == 1,),
        "largest": lambda m: (m.layer.windows == 1, -_largest(m)),
        "dense": lambda m: (-_largest(m),),
    }
    return _placed(sorted(layers, key=keys[order]), copies, room, spatial, strict)


def _largest(mapped: Mapped) -> int:
    return max(mapped.counts)


def _placed(
    layers: Sequence[Mapped], copies: Mapping[str, int], room: Room, spatial: Mapping[str, int], strict: bool
) -> Placed:
    """All parts, layer by layer in the order given."""
    tiles = _Tiles(room, strict)
    placements: list[Placement] = []
    pace = max(-(-mapped.layer.windows // copies[mapped.layer.name]) for mapped in layers)
    for mapped in layers:
        count = copies[mapped.layer.name]
        run = _Run(mapped, tiles, room, spatial[mapped.layer.name], -(-mapped.layer.windows // count), pace)
        for area, first, end in _bands(count, room.chips * room.areas, mapped.layer.windows):
            found = run.several(area, first, end) if len(mapped.parts) == 1 else run.split(area, first, end)
            if found is None:
                return Placed(None, not tiles.estimates_decide)
            placements += found
    return Placed(sorted(placements, key=lambda p: (p.layer, p.first, p.part)), not tiles.estimates_decide)


def least_cores(mapped: Mapped, copies: int, room: Room) -> int:
    """The cores that so many copies of a layer take at least."""
    if len(mapped.parts) == 1:
        return -(-copies * mapped.parts[0].count // room.slots_per_core)
    return copies * sum(often * -(-count // room.slots_per_core) for count, often in mapped.counts.items())


def _bands(copies: int, areas: int, windows: int) -> list[tuple[int, int, int]]:
    """(area, first copy, end copy): copy c of r goes to the area of its region, floor((2c + 1) · areas / 2r)."""
    if windows == 1:
        return [(0, 0, copies)]
    runs: list[tuple[int, int, int]] = []
    for copy in range(copies):
        area = (2 * copy + 1) * areas // (2 * copies)
        if runs and runs[-1][0] == area:
            runs[-1] = (area, runs[-1][1], copy + 1)
        else:
            runs.append((area, copy, copy + 1))
    return runs


class _Run:
    """Places copies of one layer, each of ``windows`` windows; the slowest of all layers has ``pace`` windows."""

    def __init__(self, mapped: Mapped, tiles: _Tiles, room: Room, spatial: int, windows: int, pace: int) -> None:
        self.name, self.parts, self.demand = mapped.layer.name, mapped.parts, mapped.demand
        self.tiles, self.room, self.spatial = tiles, room, spatial
        self.windows, self.pace = windows, pace
        self._several: dict[int, _Piece] = {}

    def _piece(self, part: Part, copies: int) -> _Piece:
        bits = self.demand.bits(part, self.spatial, self.windows * copies, self.room.value_bits)
        cores = -(-copies * part.count // self.room.slots_per_core)
        return _Piece(cores, bits, copies * self.demand.load(part) * self.windows / self.pace)

    @cached_property
    def _pieces(self) -> list[_Piece]:
        """One copy of each part."""
        alike: dict[tuple[int, ...], _Piece] = {}
        for part in self.parts:
            if part.likeness not in alike:
                alike[part.likeness] = self._piece(part, 1)
        return [alike[part.likeness] for part in self.parts]

    def _copies(self, count: int) -> _Piece:
        """So many copies of the only part: many numbers are asked for again."""
        if count not in self._several:
            self._several[count] = self._piece(self.parts[0], count)
        return self._several[count]

    def split(self, area: int, first: int, end: int) -> list[Placement] | None:
        """Copies ``first`` … ``end - 1`` in several parts each."""
        found: list[Placement] = []
        nearest, take = self.tiles.nearest, self.tiles.take
        for copy in range(first, end):
            for index, piece in enumerate(self._pieces):
                tile = nearest(area, piece)
                if tile is None:
                    return None
                take(tile, piece)
                found.append(Placement(self.name, index, copy, 1, tile))
        return found

    def several(self, area: int, first: int, end: int) -> list[Placement] | None:
        """Copies ``first`` … ``end - 1`` that fit a tile each, as many in one tile as it takes."""
        found: list[Placement] = []
        tiles, slots, each, one = self.tiles, self.room.slots_per_core, self.parts[0].count, self._copies(1)
        while first < end:
            tile = tiles.nearest(area, one)
            if tile is None:
                return None
            count = min(end - first, tiles.cores[tile] * slots // each)
            bits, load, piece = tiles.bits[tile], tiles.load[tile], self._copies(count)
            while count > 1 and (piece.bits > bits or piece.load > load):
                count -= 1
                piece = self._copies(count)
            tiles.take(tile, piece)
            found.append(Placement(self.name, 0, first, count, tile))
            first += count
        return found
