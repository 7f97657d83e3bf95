"""Puts a Program together: stages, links by key, flows between sources and sinks, and the work that all of it does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable
from collections.abc import Sequence as Seq
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from archsim.compile.connect import Sink, Source
from archsim.compile.elementwise import operations_by_row, unit_rate
from archsim.compile.gates import Gates
from archsim.compile.known import known
from archsim.compile.regions import Cells
from archsim.flat import Columns, Ends, Route
from archsim.noc.board import HOST, Board, LinkKey
from archsim.noc.topology import merged
from archsim.program import NO_NODE, Hop, Link, Program, Sequence, Stage
from archsim.spec.tile import Operator, Tile
from archsim.units import duration_ps

__all__ = ["UNBOUNDED", "Builder", "Work"]

Ints = NDArray[np.int64]

UNBOUNDED = 2**40
"""A capacity that never binds, until capacities are computed."""

ONE = Sequence((1,))
"""One token a firing."""

EACH = Sequence((1,), 1)
"""The running total of one token a firing."""

MEMORY_HOP = 1
"""ps for a head to cross a buffer port, a bus or a functional unit: their time is all serialisation."""


class Work:
    """How often each action happens in one image, keyed by (``level.component``, action)."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], float] = defaultdict(float)
        self._same: dict[Hashable, list[tuple[tuple[str, str], float]]] = {}
        self._noted: list[tuple[tuple[str, str], float]] | None = None

    def add(self, component: str, action: str, count: float) -> None:
        """Count ``count`` more of an action."""
        if count:
            self.counts[component, action] += count
            if self._noted is not None:
                self._noted.append(((component, action), count))

    def same(self, key: Hashable, count: Callable[[], None]) -> None:
        """Count what ``count`` does, which is asked but once of all that have this key."""
        if key in self._same:
            for action, amount in self._same[key]:
                self.counts[action] += amount
            return
        self._noted = []
        count()
        self._same[key], self._noted = self._noted, None


class Builder:
    """Collects the parts of a Program for one image; ``value_bits`` is the size of an activation."""

    def __init__(self, board: Board, value_bits: int) -> None:
        self.board = board
        self.tile: Tile = board.chip.tile
        self.value_bits = value_bits
        self.work = Work()
        self.stages: list[Stage] = []
        self.flows = Columns()
        self.links: list[Link] = []
        self._link_index: dict[LinkKey, int] = {}
        self._rates: list[Fraction] = []
        self._tile_rates: dict[tuple[object, object], Fraction] = {}
        self._services: dict[Fraction, dict[int, int]] = {}
        self._service_of: list[dict[int, int]] = []  # of each link: the time of an amount, shared by equal rates
        self._paths: dict[tuple[int, int, int | None, int | None], tuple[int, ...]] = {}
        self._between: dict[tuple[int, object, object], tuple[int, ...]] = {}
        self._leaving: dict[tuple[int, int | None], tuple[int, ...]] = {}
        self._entering: dict[tuple[int, int | None], tuple[int, ...]] = {}
        self.gates = Gates(board)
        self.known = known()
        self._constants: dict[int, Sequence] = {}

    # -- stages and links -----------------------------------------------------------------------

    def stage(self, name: str, firings: int, interval: int, latency: int, *, layer: str, tile: int, kind: str) -> int:
        """A stage of ``firings`` firings an image; its number."""
        place = "host" if tile == HOST else f"tile {tile}"
        self.stages.append(Stage(name, firings, self._constant(interval), self._constant(latency), layer, place, kind))
        return len(self.stages) - 1

    def _constant(self, value: int) -> Sequence:
        return self._constants.setdefault(value, Sequence((value,)))

    def link(self, key: LinkKey) -> int:
        """The link of that key, made when first asked for."""
        number = self._link_index.get(key)
        if number is None:
            hop, rate = self._model(key)
            number = self._link_index[key] = len(self.links)
            self._service_of.append(self._services.setdefault(rate, {}))
            self._rates.append(rate)
            self.links.append(Link(" ".join(str(part) for part in key), hop, str(key[0])))
        return number

    def _model(self, key: LinkKey) -> tuple[int, Fraction]:
        model = self.board.model(key)
        if model is not None:
            return model.hop, model.bits_per_s
        kind = key[0], key[2] if key[0] == "unit" else None
        if kind not in self._tile_rates:
            self._tile_rates[kind] = self._tile_rate(*kind)
        return MEMORY_HOP, self._tile_rates[kind]

    def _tile_rate(self, kind: object, unit: object) -> Fraction:
        """The rate of a functional unit, or of the buffer or the bus of a tile."""
        if kind == "unit":
            return unit_rate(self.tile, str(unit))
        memory = self.tile.memory
        row = self.tile.components[memory.buffer if kind == "buffer" else memory.bus]
        return row.count * row.bandwidth.value  # type: ignore[attr-defined,no-any-return]

    def rate(self, key: LinkKey) -> Fraction:
        """The bits a second (operations, at a functional unit) of the link of that key."""
        return self._model(key)[1]

    def hop(self, key: LinkKey, amount: int, parent: int = NO_NODE) -> Hop:
        """A hop over the link of ``key`` for tokens of ``amount`` bits (operations, at a functional unit)."""
        link = self.link(key)
        return Hop(link, self._service_of[link].get(amount) or self._service(link, amount), parent)

    def _service(self, link: int, amount: int) -> int:
        """The time of an amount at a link, kept for the next time."""
        time = self._service_of[link][amount] = duration_ps(amount, self._rates[link])
        return time

    # -- element-wise work ----------------------------------------------------------------------

    def unit_hops(self, tile: int, operations: dict[Operator, int]) -> list[Hop]:
        """Hops over the functional units that ``operations`` (elements of each operator, for one token)
        need in ``tile``."""
        hops: list[Hop] = []
        for row, amount in operations_by_row(self.tile, operations).items():
            hops.append(self.hop(("unit", tile, row), amount, len(hops) - 1 if hops else NO_NODE))
        return hops

    def count_units(self, operations: dict[Operator, int], times: int) -> None:
        """Count ``operations`` of the functional units, ``times`` an image."""
        for row, amount in operations_by_row(self.tile, operations).items():
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

    def local(
        self, name: str, source: int, target: int, firings: int, bits: int, hops: Seq[Hop], capacity: int
    ) -> None:
        """A flow inside a tile of one token a firing, from one stage to another that takes one a firing."""
        ends = Ends([target], [EACH], [EACH], [capacity], [len(hops) - 1 if hops else NO_NODE])
        self.flows.flow(name, source, ONE, ends, Route.of(hops), bits=bits)

    def keep(self, name: str, stage: int, begun: Ints, ended: Ints, bits: int) -> None:
        """Room in the tile of ``stage`` for values of ``bits`` bits that it keeps from one firing to another: up to and
        with each firing so many are ``begun`` and ``ended``.

        They are tokens that the stage sends itself.
        """
        before = np.concatenate(([0], begun[:-1]))
        known = self.known.sequences
        need, free = (known.of_bytes(totals.tobytes(), int(begun[-1])) for totals in (before, ended))
        emit = known.of_bytes(np.diff(begun, prepend=0).tobytes())
        ends = Ends([stage], [need], [free], [UNBOUNDED], [NO_NODE])
        self.flows.flow(name, stage, emit, ends, Route(), bits=bits)

    def gather(self, name: str, source: int, start: Seq[Hop], tiles: tuple[int, int], target: int, bits: int) -> None:
        """A flow of one token a firing to a stage that takes one a firing, from one of ``tiles`` to the other; it
        crosses the links of ``start`` first."""
        routed, (at,) = self._routed(tiles[0], [tiles[1]], bits, self.stages[source].firings)
        before, shift = Route.of(start), len(start)
        route = Route(
            [*before.links, *routed.links],
            [*before.serialisations, *routed.serialisations],
            [*before.parents, *(parent + shift for parent in routed.parents)],
        )
        ends = Ends([target], [EACH], [EACH], [UNBOUNDED], [at + shift])
        self.flows.flow(name, source, ONE, ends, route, bits=bits)

    def _routed(self, source: int, targets: list[int], bits: int, tokens: int) -> tuple[Route, list[int]]:
        """The route tree of ``tokens`` tokens an image from a tile to others, each ending in the write into its tile's
        buffer; where each hangs."""
        distinct = list(dict.fromkeys(targets))
        leave, entries = self.gates.ways(source, distinct, bits * tokens)
        known, services = self._paths, self._service_of
        ways = [(source, target, entry, leave) for target, entry in zip(distinct, entries, strict=True)]
        nodes, hangs = merged([known.get(way) or self._path(*way) for way in ways])
        links = [link for link, _ in nodes]
        times = [services[link].get(bits) or self._service(link, bits) for link in links]
        at = dict(zip(distinct, hangs, strict=True))
        return Route(links, times, [parent for _, parent in nodes]), [at[target] for target in targets]

    def _path(self, source: int, target: int, entry: int | None, leave: int | None) -> tuple[int, ...]:
        """The links from one tile to another, the target's buffer the last of them.

        Ways between chips are put together from their two halves, and those on a chip from the ways between routers:
        of both there are few.
        """
        board = self.board
        if source == target:
            path = self._numbers((), target)
        elif board.on_one_chip(source, target):
            first = self.link(("inject", source))
            way = board.chip_of(source), board.router_of(source), board.router_of(target)
            if (inner := self._between.get(way)) is None:
                inner = self._between[way] = self._numbers(board.channels(*way), HOST)
            path = first, *inner, *self._numbers((("eject", target),), target)
        else:
            if (out := self._leaving.get((source, leave))) is None:
                out = self._leaving[source, leave] = self._numbers(board.leaving(source, leave), HOST)
            if (into := self._entering.get((target, entry))) is None:
                into = self._entering[target, entry] = self._numbers(board.entering(target, entry), target)
            path = out + into
        self._paths[source, target, entry, leave] = path
        return path

    def _numbers(self, links: Seq[LinkKey], target: int) -> tuple[int, ...]:
        """The numbers of links, and of the buffer of ``target`` if that is not the host."""
        keys = links if target == HOST else (*links, ("buffer", target))
        return tuple([self.link(link) for link in keys])

    def connect(
        self, name: str, sources: Seq[Source], sinks: Seq[Sink], pixels: int, cells: Cells | None = None
    ) -> None:
        """Flows that take every pixel and channel that a sink reads from the source that makes it.

        ``pixels`` are those of the image that lies between them, ``cells`` the pieces of it in which pixels travel
        together where each has readers of its own.
        """
        for bundle in self.known.bundles(sources, sinks, pixels, cells):
            source, bits = sources[bundle.source], bundle.channels * self.value_bits
            reading = [sinks[each.sink] for each in bundle.readings]
            route, at = self._routed(source.tile, [sink.tile for sink in reading], bits, sum(bundle.emit.table))
            each = bundle.readings
            ends = Ends(
                [sink.stage for sink in reading],
                [one.need for one in each],
                [one.free for one in each],
                [UNBOUNDED] * len(each),
                at,
            )
            self.flows.flow(name, source.stage, bundle.emit, ends, route, bundle.initial, bits)

    def program(self) -> Program:
        """The Program of one image."""
        return Program.of_columns(tuple(self.stages), self.flows, tuple(self.links))
