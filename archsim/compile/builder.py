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
from archsim.compile.known import known
from archsim.compile.regions import Cells
from archsim.compile.routes import Requests, forest, gates, keys_of, number_of_buffers, places
from archsim.flat import Columns, Ends, Route, Rows, Trees
from archsim.noc.board import HOST, Board, LinkKey
from archsim.program import NO_NODE, Link, Program, Sequence, Stage
from archsim.sequences import first_uses, ints, starts
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
        self.known = known()
        self.stages: list[Stage] = []
        self.flows = Columns(self.known.sequences)
        self.links: list[Link] = []
        self._link_index: dict[LinkKey, int] = {}
        self._rates: list[Fraction] = []  # all different
        self._services: list[dict[int, int]] = []  # of each rate: the time of an amount
        self._rate_of: list[int] = []  # of each link
        self._by_model: dict[int, int] = {}
        self._by_kind: dict[tuple[object, object], int] = {}
        self._routed = Rows(3)  # flows that await their routes: number, tile, bits that they carry
        self._to = Rows(1)  # the tile of each of their ends
        self._constants: dict[int, Sequence] = {}
        self._one, self._each = self.known.sequences.of([ONE, EACH]).tolist()

    # -- stages and links -----------------------------------------------------------------------

    def stage(self, name: str, firings: int, interval: int, latency: int, *, layer: str, tile: int, kind: str) -> int:
        """A stage of ``firings`` firings an image; its number."""
        place = "host" if tile == HOST else f"tile {tile}"
        self.stages.append(Stage(name, firings, self._constant(interval), self._constant(latency), layer, place, kind))
        return len(self.stages) - 1

    def _constant(self, value: int) -> Sequence:
        if value not in self._constants:
            self._constants[value] = Sequence((value,))
        return self._constants[value]

    def link(self, key: LinkKey) -> int:
        """The link of that key, made when first asked for."""
        number = self._link_index.get(key)
        if number is None:
            hop, rate = self._model(key)
            number = self._link_index[key] = len(self.links)
            self._rate_of.append(rate)
            self.links.append(Link(" ".join([str(part) for part in key]), hop, str(key[0])))
        return number

    def _model(self, key: LinkKey) -> tuple[int, int]:
        """The hop of a link, and the number of its rate."""
        model = self.board.model(key)
        if model is not None:
            number = self._by_model.get(id(model))  # the board keeps them
            if number is None:
                number = self._by_model[id(model)] = self._number(model.bits_per_s)
            return model.hop, number
        kind = key[0], key[2] if key[0] == "unit" else None
        if kind not in self._by_kind:
            self._by_kind[kind] = self._number(self._tile_rate(*kind))
        return MEMORY_HOP, self._by_kind[kind]

    def _number(self, rate: Fraction) -> int:
        if rate not in self._rates:
            self._rates.append(rate)
            self._services.append({})
        return self._rates.index(rate)

    def _tile_rate(self, kind: object, unit: object) -> Fraction:
        """The rate of a functional unit, or of the buffer or the bus of a tile."""
        if kind == "unit":
            return unit_rate(self.tile, str(unit))
        memory = self.tile.memory
        row = self.tile.components[memory.buffer if kind == "buffer" else memory.bus]
        return row.count * row.bandwidth.value  # type: ignore[attr-defined,no-any-return]

    def rate(self, key: LinkKey) -> Fraction:
        """The bits a second (operations, at a functional unit) of the link of that key."""
        return self._rates[self._model(key)[1]]

    def chain(self, *hops: tuple[LinkKey, int]) -> Route:
        """One hop after the other, each given by the key of its link and the bits (operations, at a functional unit)
        of a token there."""
        links = [self.link(key) for key, _ in hops]
        services = [self._service(self._rate_of[link], amount) for link, (_, amount) in zip(links, hops, strict=True)]
        return Route(links, services, range(-1, len(links) - 1))

    def _service(self, rate: int, amount: int) -> int:
        """The time of an amount at that rate, by its number."""
        times = self._services[rate]
        time = times.get(amount)
        if time is None:
            time = times[amount] = duration_ps(amount, self._rates[rate])
        return time

    # -- element-wise work ----------------------------------------------------------------------

    def unit_hops(self, tile: int, operations: dict[Operator, int]) -> Route:
        """Hops over the functional units that ``operations`` (elements of each operator, for one token)
        need in ``tile``."""
        rows = operations_by_row(self.tile, operations)
        return self.chain(*[(("unit", tile, row), amount) for row, amount in rows.items()])

    def count_units(self, operations: dict[Operator, int], times: int) -> None:
        """Count ``operations`` of the functional units, ``times`` an image."""
        for row, amount in operations_by_row(self.tile, operations).items():
            level = "tile" if row in self.tile.components else "core"
            component = self.tile.components.get(row) or self.tile.core.components[row]
            self.work.add(f"{level}.{row}", component.unit_action, amount * times)

    def delay(self, hops: Route) -> int:
        """The time in ps for a token to cross a chain of hops with nothing else on them."""
        total = after = 0
        for link, service in zip(reversed(hops.links), reversed(hops.serialisations), strict=True):
            total += self.links[link].hop + max(0, service - after)
            after = service
        return total

    # -- flows ----------------------------------------------------------------------------------

    def local(self, name: str, source: int, target: int, firings: int, bits: int, hops: Route, capacity: int) -> None:
        """A flow inside a tile of one token a firing, from one stage to another that takes one a firing."""
        ends = Ends([target], [self._each], [self._each], [capacity], [len(hops.links) - 1])
        self.flows.flow(name, source, self._one, ends, hops, bits=bits)

    def keep(self, name: str, stage: int, begun: Ints, ended: Ints, bits: int) -> None:
        """Room in the tile of ``stage`` for values of ``bits`` bits that it keeps from one firing to another: up to and
        with each firing so many are ``begun`` and ``ended``.

        They are tokens that the stage sends itself.
        """
        before = np.concatenate(([0], begun[:-1]))
        values, edges = np.concatenate((before, ended, np.diff(begun, prepend=0))), len(begun) * np.arange(4)
        need, free, emit = self.known.sequences.number(values, edges, ints([begun[-1], begun[-1], 0])).tolist()
        ends = Ends([stage], [need], [free], [UNBOUNDED], [NO_NODE])
        self.flows.flow(name, stage, emit, ends, Route(), bits=bits)

    def gather(self, name: str, source: int, start: Route, tiles: tuple[int, int], target: int, bits: int) -> None:
        """A flow of one token a firing to a stage that takes one a firing, from one of ``tiles`` to the other; it
        crosses the links of ``start`` first."""
        self._routed.extend((len(self.flows.names), tiles[0], bits * self.stages[source].firings))
        self._to.extend((tiles[1],))
        ends = Ends([target], [self._each], [self._each], [UNBOUNDED], [NO_NODE])
        self.flows.flow(name, source, self._one, ends, start, bits=bits)

    def connect(
        self, name: str, sources: Seq[Source], sinks: Seq[Sink], pixels: int, cells: Cells | None = None
    ) -> None:
        """Flows that take every pixel and channel that a sink reads from the source that makes it.

        ``pixels`` are those of the image that lies between them, ``cells`` the pieces of it in which pixels travel
        together where each has readers of its own.
        """
        made = self.known.bundles(sources, sinks, pixels, cells)
        flows, readings = len(made.source), len(made.sink)
        bits = made.channels * self.value_bits
        tiles = ints([source.tile for source in sources])[made.source]
        self._routed.put(np.arange(flows) + len(self.flows.names), tiles, bits * made.tokens)
        self._to.put(ints([sink.tile for sink in sinks])[made.sink])
        stages = ints([sink.stage for sink in sinks])[made.sink]
        ends = stages, made.need, made.free, np.full(readings, UNBOUNDED), np.full(readings, NO_NODE)
        origins = ints([source.stage for source in sources])[made.source]
        self.flows.flows([name] * flows, origins, made.emit, np.diff(made.edges), ends, made.initial, bits)

    def program(self) -> Program:
        """The Program of one image."""
        trees = self._trees()
        return Program.of_columns(tuple(self.stages), self.flows, tuple(self.links), trees)

    def _trees(self) -> Trees:
        """The routes of all flows between tiles, in their order."""
        flows, source, carried = self._routed.columns
        counts = self.flows.end_counts[flows]
        asked = Requests(source, starts(counts), self._to.columns[0], carried)
        found = forest(self.board, asked, gates(self.board, asked))
        links = self._links_of(found.place)
        bits = np.repeat(self.flows.bits[flows], np.diff(found.edges))
        return Trees(flows, found.edges, links, self._times(links, bits), found.parent, found.hangs)

    def _links_of(self, place: Ints) -> Ints:
        """The link at each place, made when it is first met."""
        number = np.full(places(self.board), -1, np.int64)
        buffers = number_of_buffers(self.board)
        for key, link in self._link_index.items():
            if key[0] == "buffer":
                number[buffers + int(str(key[1]))] = link
        met = first_uses(place, len(number))
        new = met[number[met] < 0]
        number[new] = [self.link(key) for key in keys_of(self.board, new.tolist())]
        return number[place]

    def _times(self, links: Ints, bits: Ints) -> Ints:
        """The time for which a token of so many ``bits`` keeps each of ``links`` busy."""
        sizes, size = np.unique(bits, return_inverse=True)
        pair = ints(self._rate_of)[links] * len(sizes) + size
        times = np.zeros(len(self._rates) * len(sizes), np.int64)
        for used in first_uses(pair, len(times)).tolist():
            rate, which = divmod(used, len(sizes))
            times[used] = self._service(rate, int(sizes[which]))
        return np.asarray(times[pair], np.int64)
