"""Place: the copies of all layers onto the tiles of a board.

Copies of spatial layers are dealt over the chips by the region of the image that they work on, so that the producer
and the consumer of a region stand on the same chip; what has a single window fills the room that is left.  Within a
chip the largest parts are placed first, each into the first tile that has the cores and the buffer for it
(first-fit decreasing); tiles follow the network in snake order, so that neighbours stay near each other.

A core holds one layer.  Several copies of a small layer that follow each other share a tile and work together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archsim.compile.slicing import Part, Slots, parts_of
from archsim.workload.graph import Layer

__all__ = ["SHARE_FOR_ONE", "SHARE_FOR_SUMS", "Demand", "Mapped", "Placement", "Room", "place", "plan"]


@dataclass(frozen=True)
class Mapped:
    """A layer with weights as it will be mapped: one copy as parts, and an estimate of what each buffers."""

    layer: Layer
    slots: Slots
    parts: tuple[Part, ...]
    demand: Demand


@dataclass(frozen=True, slots=True)
class Demand:
    """Pixels that a part buffers: ``fixed`` + ``each`` × windows of its strip; of its input channels (but at most
    ``in_most``), and of its output channels for whatever rides on it."""

    in_fixed: float
    in_each: float
    in_most: float
    out_fixed: float
    out_each: float

    def bits(self, part: Part, spatial: int, windows: int, value_bits: int) -> int:
        """Bits that ``part`` needs when its stage works on ``windows`` windows; ``spatial`` matrix rows a channel."""
        channels = (part.inputs[1] - part.inputs[0]) / spatial
        pixels = min(self.in_most, self.in_fixed + self.in_each * windows)
        outputs = part.outputs[1] - part.outputs[0]
        riding = self.out_fixed + self.out_each * windows + part.rows_beside
        return int((channels * pixels + outputs * riding) * value_bits)


@dataclass(frozen=True, slots=True)
class Placement:
    """``copies`` consecutive copies of one part in one tile, from copy ``first`` on."""

    layer: str
    part: int
    first: int
    copies: int
    tile: int


@dataclass(frozen=True, slots=True)
class Room:
    """What a board offers: chips × tiles × cores, slots a core, buffer bits a tile for estimates."""

    chips: int
    tiles: int
    cores: int
    slots_per_core: int
    buffer_bits: int
    value_bits: int


SHARE_FOR_ONE = 0.7
"""The share of a tile's buffer that one part may take, so that others find room beside it."""


SHARE_FOR_SUMS = 0.2
"""The share of a tile's buffer that partial sums from other tiles may take."""


class _Tiles:
    """Free cores and buffer bits of every tile; finds the first tile of a chip that has both."""

    def __init__(self, room: Room, strict: bool) -> None:
        count = room.chips * room.tiles
        self.strict = strict
        self.room = room
        self.cores = [room.cores] * count
        self.bits = [room.buffer_bits] * count
        self._from: dict[tuple[int, int], int] = {}

    def first(self, chip: int, cores: int, bits: int) -> int | None:
        """The first tile of ``chip`` with ``cores`` free cores and ``bits`` of buffer; an empty tile takes any bits."""
        start, end = chip * self.room.tiles, (chip + 1) * self.room.tiles
        tile = self._from.get((chip, cores), start)
        while tile < end and self.cores[tile] < cores:
            tile += 1
        self._from[chip, cores] = tile  # tiles before it stay too full for so many cores
        while tile < end:
            free = self.cores[tile]
            if free >= cores and (self.bits[tile] >= bits or free == self.room.cores):
                return tile
            tile += 1
        return None

    def roomiest(self, cores: int) -> int | None:
        """The tile with ``cores`` free cores that has the most buffer left."""
        fitting = [tile for tile, free in enumerate(self.cores) if free >= cores]
        return max(fitting, key=lambda tile: (self.bits[tile], -tile)) if fitting else None

    def take(self, tile: int, cores: int, bits: int) -> None:
        self.cores[tile] -= cores
        self.bits[tile] -= bits


def plan(slots: Slots, demand: Demand, spatial: int, room: Room, windows: int) -> Mapped:
    """One copy of a layer as parts that fit a tile in cores and, as far as can be estimated, in buffer.

    If the whole input does not fit a tile's buffer, the rows are split over more tiles, each with some channels.
    """
    found: list[tuple[int, tuple[Part, ...]]] = []
    for least in range(1, slots.row_blocks + 1):
        parts = tuple(parts_of(slots, least, SHARE_FOR_SUMS * room.buffer_bits / room.value_bits))
        bits = max(demand.bits(part, spatial, windows, room.value_bits) for part in parts)
        found.append((bits, parts))
        if bits <= SHARE_FOR_ONE * room.buffer_bits:
            break
    best = found[-1][1] if found[-1][0] <= SHARE_FOR_ONE * room.buffer_bits else min(found, key=lambda f: f[0])[1]
    return Mapped(slots.layer, slots, best, demand)


def place(
    layers: Sequence[Mapped], copies: Mapping[str, int], room: Room, spatial: Mapping[str, int], *, strict: bool = True
) -> list[Placement] | None:
    """Where every part of every copy stands; None if the board cannot take them all.

    ``strict`` holds the estimates of buffers against what tiles have; otherwise a part that finds no such tile goes
    where most is left.
    """
    if sum(_least_cores(mapped, copies[mapped.layer.name], room) for mapped in layers) > (
        room.chips * room.tiles * room.cores
    ):
        return None
    tiles = _Tiles(room, strict)
    placements: list[Placement] = []
    order = sorted(layers, key=lambda m: (m.layer.windows == 1, -max(p.count for p in m.parts)))
    for mapped in order:
        for chip, first, end in _bands(copies[mapped.layer.name], room.chips, mapped.layer.windows):
            found = _place_run(mapped, first, end, chip, tiles, room, copies, spatial)
            if found is None:
                return None
            placements += found
    return sorted(placements, key=lambda p: (p.layer, p.first, p.part))


def _least_cores(mapped: Mapped, copies: int, room: Room) -> int:
    if len(mapped.parts) == 1:
        return -(-copies * mapped.parts[0].count // room.slots_per_core)
    return copies * sum(-(-part.count // room.slots_per_core) for part in mapped.parts)


def _bands(copies: int, chips: int, windows: int) -> list[tuple[int, int, int]]:
    """(chip, first copy, end copy): copy c of r goes to the chip of its region, floor((2c + 1) · chips / 2r)."""
    if windows == 1:
        return [(0, 0, copies)]
    runs: list[tuple[int, int, int]] = []
    for copy in range(copies):
        chip = (2 * copy + 1) * chips // (2 * copies)
        if runs and runs[-1][0] == chip:
            runs[-1] = (chip, runs[-1][1], copy + 1)
        else:
            runs.append((chip, copy, copy + 1))
    return runs


def _place_run(
    mapped: Mapped,
    first: int,
    end: int,
    chip: int,
    tiles: _Tiles,
    room: Room,
    copies: Mapping[str, int],
    spatial: Mapping[str, int],
) -> list[Placement] | None:
    """Copies ``first`` … ``end - 1`` of a layer, on ``chip`` or else on the next chips that have room."""
    name = mapped.layer.name
    each = -(-mapped.layer.windows // copies[name])
    found: list[Placement] = []
    if len(mapped.parts) > 1:
        for copy in range(first, end):
            for index, part in enumerate(mapped.parts):
                cores = -(-part.count // room.slots_per_core)
                bits = mapped.demand.bits(part, spatial[name], each, room.value_bits)
                tile = _first_on(tiles, chip, room.chips, cores, bits)
                if tile is None:
                    return None
                tiles.take(tile, cores, bits)
                found.append(Placement(name, index, copy, 1, tile))
        return found
    part = mapped.parts[0]
    while first < end:
        one = -(-part.count // room.slots_per_core)
        bits = mapped.demand.bits(part, spatial[name], each, room.value_bits)
        tile = _first_on(tiles, chip, room.chips, one, bits)
        if tile is None:
            return None
        count = min(end - first, tiles.cores[tile] * room.slots_per_core // part.count)
        while count > 1 and mapped.demand.bits(part, spatial[name], each * count, room.value_bits) > tiles.bits[tile]:
            count -= 1
        bits = mapped.demand.bits(part, spatial[name], each * count, room.value_bits)
        tiles.take(tile, -(-count * part.count // room.slots_per_core), bits)
        found.append(Placement(name, 0, first, count, tile))
        first += count
    return found


def _first_on(tiles: _Tiles, chip: int, chips: int, cores: int, bits: int) -> int | None:
    for step in range(chips):
        tile = tiles.first((chip + step) % chips, cores, bits)
        if tile is not None:
            return tile
    return None if tiles.strict else tiles.roomiest(cores)
