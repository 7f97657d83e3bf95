"""Puts a Program together: stages, links by key, flows between sources and sinks, and the work that all of it does.

A **source** is a stage that puts out a range of channels of a range of pixels in raster order, some a firing.  A
**sink** is a stage that reads channels of a set of pixels.  :meth:`Builder.connect` joins them: pixels of a source that
go to the same sinks with the same channels are one flow, a multicast along a route tree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from archsim.compile.reads import Intervals, Reads
from archsim.noc.board import HOST, Board, LinkKey
from archsim.program import NO_NODE, End, Flow, Hop, Link, Program, Sequence, Stage
from archsim.spec.tile import Operator, Tile
from archsim.units import duration_ps

__all__ = ["UNBOUNDED", "Builder", "Sink", "Source", "Work"]

UNBOUNDED = 2**40
"""A capacity that never binds, until capacities are computed."""

MEMORY_HOP = 1
"""ps for a head to cross a buffer port, a bus or a functional unit: their time is all serialisation."""


@dataclass(frozen=True, slots=True)
class Source:
    """``stage`` on ``tile`` puts out channels [lo, hi) of ``pixels``, ``each`` of them a firing, ``firings`` an image.

    ``share`` is the part of the width, 0 to 1, that the pixels were dealt by.
    """

    stage: int
    tile: int
    channels: tuple[int, int]
    pixels: Intervals
    share: tuple[Fraction, Fraction]
    each: int
    firings: int
    at_end: bool = False
    """All pixels are put out by the last firing of an image."""


@dataclass(frozen=True, slots=True)
class Sink:
    """``stage`` on ``tile`` reads channels [lo, hi) of what ``reads`` says, ``initial`` pixels lying ready before."""

    stage: int
    tile: int
    channels: tuple[int, int]
    reads: Reads
    initial: int = 0


class Work:
    """How often each action happens in one image, keyed by (``level.component``, action)."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], float] = defaultdict(float)

    def add(self, component: str, action: str, count: float) -> None:
        """Count ``count`` more of an action."""
        if count:
            self.counts[component, action] += count


class Builder:
    """Collects the parts of a Program for one image; ``value_bits`` is the size of an activation."""

    def __init__(self, board: Board, value_bits: int) -> None:
        self.board = board
        self.tile: Tile = board.chip.tile
        self.value_bits = value_bits
        self.work = Work()
        self.stages: list[Stage] = []
        self.flows: list[Flow] = []
        self.links: list[Link] = []
        self._link_index: dict[LinkKey, int] = {}
        self._rates: dict[int, Fraction] = {}

    # -- stages and links -----------------------------------------------------------------------

    def stage(self, name: str, firings: int, interval: int, latency: int, *, layer: str, tile: int, kind: str) -> int:
        """A stage of ``firings`` firings an image; its number."""
        place = "host" if tile == HOST else f"tile {tile}"
        constant = Sequence.constant
        self.stages.append(Stage(name, firings, constant(interval), constant(latency), layer, place, kind))
        return len(self.stages) - 1

    def link(self, key: LinkKey) -> int:
        """The link of that key, made when first asked for."""
        if key not in self._link_index:
            kind = str(key[0])
            hop, rate = self._model(key)
            self._link_index[key] = len(self.links)
            self._rates[len(self.links)] = rate
            self.links.append(Link(" ".join(str(part) for part in key), hop, kind))
        return self._link_index[key]

    def _model(self, key: LinkKey) -> tuple[int, Fraction]:
        if key[0] in self.board.models:
            model = self.board.models[str(key[0])]
            return model.hop, model.bits_per_s
        if key[0] == "unit":
            return MEMORY_HOP, self.unit_rate(str(key[2]))
        memory = self.tile.memory
        row = self.tile.components[memory.buffer if key[0] == "buffer" else memory.bus]
        return MEMORY_HOP, row.count * row.bandwidth.value  # type: ignore[attr-defined, no-any-return]

    def unit_rate(self, row: str) -> Fraction:
        """Operations a second that a tile's row of functional units can do, those of all its cores together."""
        core = self.tile.core
        component = self.tile.components.get(row) or core.components[row]
        cores = 1 if row in self.tile.components else core.count
        return cores * component.capacity_per_s()  # type: ignore[attr-defined, no-any-return]

    def hop(self, key: LinkKey, amount: int, parent: int = NO_NODE) -> Hop:
        """A hop over the link of ``key`` for tokens of ``amount`` bits (operations, at a functional unit)."""
        number = self.link(key)
        return Hop(number, duration_ps(amount, self._rates[number]), parent)

    # -- element-wise work ----------------------------------------------------------------------

    def _by_row(self, operations: dict[Operator, int]) -> dict[str, int]:
        """Operations of each row of functional units, for elements of each operator."""
        rows: dict[str, int] = {}
        for operator, elements in operations.items():
            if elements:
                unit = self.tile.units[operator]
                rows[unit.row] = rows.get(unit.row, 0) + elements * unit.operations
        return rows

    def unit_hops(self, tile: int, operations: dict[Operator, int]) -> list[Hop]:
        """Hops over the functional units that ``operations`` (elements of each operator, for one token) need in ``tile``."""
        hops: list[Hop] = []
        for row, amount in self._by_row(operations).items():
            hops.append(self.hop(("unit", tile, row), amount, len(hops) - 1 if hops else NO_NODE))
        return hops

    def count_units(self, operations: dict[Operator, int], times: int) -> None:
        """Count ``operations`` of the functional units, ``times`` an image."""
        for row, amount in self._by_row(operations).items():
            level = "tile" if row in self.tile.components else "core"
            component = self.tile.components.get(row) or self.tile.core.components[row]
            self.work.add(f"{level}.{row}", component.unit_action, amount * times)

    def delay(self, hops: Seq[Hop]) -> int:
        """The time in ps for a token to cross a chain of hops with nothing else on them."""
        total = 0
        for k, now in enumerate(hops):
            onward = hops[k + 1].serialisation if k + 1 < len(hops) else 0
            total += self.links[now.link].hop + max(0, now.serialisation - onward)
        return total

    # -- flows ----------------------------------------------------------------------------------

    def local(self, name: str, source: int, target: int, firings: int, bits: int, hops: Seq[Hop], capacity: int) -> None:
        """A flow inside a tile of one token a firing, from one stage to another that takes one a firing."""
        one = Sequence((1,))
        running = Sequence((1,), 1)
        end = End(target, running, running, capacity, len(hops) - 1 if hops else NO_NODE)
        self.flows.append(Flow(name, source, one, (end,), tuple(hops), 0, bits))

    def gather(self, name: str, source: int, start: Seq[Hop], tiles: tuple[int, int], target: int, bits: int) -> None:
        """A flow of one token a firing to a stage that takes one a firing, from one of ``tiles`` to the other; it
        crosses the links of ``start`` first."""
        running = Sequence((1,), 1)
        routed, at = self._routed(tiles[0], [tiles[1]], bits)
        shift = len(start)
        hops = [*start, *(Hop(h.link, h.serialisation, h.parent + shift) for h in routed)]
        at = [node + shift for node in at]
        end = End(target, running, running, UNBOUNDED, at[0])
        self.flows.append(Flow(name, source, Sequence((1,)), (end,), tuple(hops), 0, bits))

    def _routed(self, source: int, targets: list[int], bits: int) -> tuple[list[Hop], list[int]]:
        """The route tree from a tile to others, each ending in the write into its tile's buffer."""
        distinct = list(dict.fromkeys(targets))
        nodes, hangs = self.board.tree(source, distinct)
        hops = [self.hop(key, bits, parent) for key, parent in nodes]
        at = {}
        for target, node in zip(distinct, hangs, strict=True):
            if target != HOST:
                hops.append(self.hop(("buffer", target), bits, node))
                node = len(hops) - 1
            at[target] = node
        return hops, [at[target] for target in targets]

    def connect(self, name: str, sources: Seq[Source], sinks: Seq[Sink], columns: int) -> None:
        """Flows that take every pixel and channel that a sink reads from the source that makes it.

        ``columns`` is the width of the image that lies between them.
        """
        readers: dict[tuple[int, tuple[int, int], int], list[Sink]] = defaultdict(list)
        for sink in sinks:
            readers[id(sink.reads), sink.channels, sink.initial].append(sink)
        classes = list(readers.values())
        pixels = [members[0].reads.pixels for members in classes]
        spans = np.array([p.column_span(columns) for p in pixels], np.int64).reshape(-1, 2)
        channels = np.array([members[0].channels for members in classes], np.int64).reshape(-1, 2)
        for source in sources:
            left, right = source.pixels.column_span(columns)
            near = np.flatnonzero(
                (spans[:, 0] < right)
                & (spans[:, 1] > left)
                & (channels[:, 0] < source.channels[1])
                & (channels[:, 1] > source.channels[0])
            )
            overlaps: dict[tuple[int, int, int], list[int]] = defaultdict(list)
            for k in near.tolist():
                low = max(int(channels[k, 0]), source.channels[0])
                high = min(int(channels[k, 1]), source.channels[1])
                overlaps[low, high, classes[k][0].initial].append(k)
            for (low, high, initial), members in overlaps.items():
                for chosen, intervals in _segments(source.pixels, members, pixels):
                    ends = [sink for k in chosen for sink in classes[k]]
                    self._flow(name, source, ends, intervals, (high - low) * self.value_bits, initial)

    def _flow(self, name: str, source: Source, sinks: list[Sink], pixels: Intervals, bits: int, initial: int) -> None:
        edges = np.minimum(source.each * np.arange(source.firings + 1, dtype=np.int64), source.pixels.size)
        if source.at_end:
            edges[:-1] = 0
        emitted = np.diff(pixels.below(source.pixels.at(edges)))
        hops, at = self._routed(source.tile, [sink.tile for sink in sinks], bits)
        counted: dict[int, tuple[Sequence, Sequence]] = {}
        ends = []
        for sink, node in zip(sinks, at, strict=True):
            key = id(sink.reads)
            if key not in counted:
                counted[key] = _totals(sink.reads, pixels, initial)
            need, free = counted[key]
            ends.append(End(sink.stage, need, free, UNBOUNDED, node))
        emit = Sequence.of(emitted)
        self.flows.append(Flow(name, source.stage, emit, tuple(ends), tuple(hops), initial, bits))

    def program(self) -> Program:
        """The Program of one image."""
        return Program(tuple(self.stages), tuple(self.flows), tuple(self.links))


def _totals(reads: Reads, pixels: Intervals, initial: int) -> tuple[Sequence, Sequence]:
    """``need`` and ``free`` of a flow that carries ``pixels``, as running totals of its tokens; all go in the end.

    Initial tokens stand before the first pixel.  A firing that reads nothing waits for none of them: the first step of
    a sequence starts from a state of its own.
    """
    need, free = pixels.below(reads.need), pixels.below(reads.free) + initial
    need = np.where(need > 0, need + initial, 0)
    free[-1] = pixels.size + initial
    return Sequence.of(need, pixels.size), Sequence.of(free, pixels.size)


def _segments(
    own: Intervals, members: list[int], pixels: list[Intervals]
) -> list[tuple[tuple[int, ...], Intervals]]:
    """The pixels of ``own`` by the set of members that read them: (members, pixels) pairs, pixels that nobody reads
    left out."""
    if len(members) == 1:
        intervals = Intervals.of(own.common(pixels[members[0]]))
        return [(tuple(members), intervals)] if intervals.size else []
    changes: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for k in members:
        for low, high in own.common(pixels[k]):
            changes[low].append((k, 1))
            changes[high].append((k, -1))
    found: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
    active: set[int] = set()
    edges = sorted(changes)
    for low, high in zip(edges, edges[1:], strict=False):
        for k, step in changes[low]:
            if step < 0:
                active.discard(k)
        for k, step in changes[low]:
            if step > 0:
                active.add(k)
        if active:
            found[tuple(sorted(active))].append((low, high))
    return [(chosen, Intervals.of(pairs)) for chosen, pairs in found.items()]
