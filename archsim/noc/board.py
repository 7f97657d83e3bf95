"""A board: equal chips and a host, joined by their chip-to-chip links; routes between tiles as trees of links.

A tile puts tokens into its router by an ``inject`` link and takes them by an ``eject`` link; routers are joined by
``channel`` links.  A chip's links leave from routers spread over its corners, each by a ``chip-out`` and a
``chip-in`` link; what joins them is taken to be an ideal switch.  The host is at that switch.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from archsim.components.link import ChipLink
from archsim.components.router import Router as RouterRow
from archsim.noc.routing import xy_path
from archsim.noc.topology import Router, merged, mesh, snake
from archsim.spec.chip import Chip
from archsim.units import duration_ps

__all__ = ["HOST", "Board", "LinkKey", "LinkModel"]

HOST = -1
"""The place of the host, where places of tiles count from 0 through all chips."""

LinkKey = tuple[object, ...]
"""What identifies a link: its kind, then where it is."""


@dataclass(frozen=True, slots=True)
class LinkModel:
    """How a kind of link serves: time for a head to cross it in ps, and its bandwidth in bits a second."""

    hop: int
    bits_per_s: Fraction

    def serialisation(self, bits: int) -> int:
        """The ps for which ``bits`` bits keep it busy."""
        return duration_ps(bits, self.bits_per_s)


class Board:
    """``chips`` chips of one kind."""

    def __init__(self, chip: Chip, chips: int) -> None:
        noc = chip.noc
        self.chip = chip
        self.chips = chips
        self.tiles_per_chip = chip.tiles
        self.graph = mesh(noc)
        self._order = snake(noc)
        router, link = chip.row(noc.router), chip.row(noc.chip_link)
        assert isinstance(router, RouterRow)
        assert isinstance(link, ChipLink)
        cycle = duration_ps(1, router.clock.value)
        onward = (router.cycles + noc.link_cycles) * cycle
        self.models = {
            "inject": LinkModel(noc.link_cycles * cycle, noc.bandwidth.value),
            "channel": LinkModel(onward, noc.bandwidth.value),
            "eject": LinkModel(onward, noc.bandwidth.value),
            "chip-out": LinkModel(duration_ps(1, 1 / link.latency.value), link.bandwidth.value),
            "chip-in": LinkModel(duration_ps(1, 1 / link.latency.value), link.bandwidth.value),
        }
        self.ports = self._spread(link.count)
        self._nearest: dict[int, int] = {}

    def _spread(self, count: int) -> list[Router]:
        """The routers at which a chip's links stand: its corners first, then evenly along the snake."""
        right, top = self.chip.noc.columns - 1, self.chip.noc.rows - 1
        corners = [(0, 0), (right, top), (right, 0), (0, top)]
        every = max(1, len(self._order) // count)
        return [corners[k] if k < len(corners) else self._order[(k * every) % len(self._order)] for k in range(count)]

    @property
    def tiles(self) -> int:
        """Tiles on the whole board."""
        return self.chips * self.tiles_per_chip

    def chip_of(self, tile: int) -> int:
        """The chip on which a tile stands."""
        return tile // self.tiles_per_chip

    def router_of(self, tile: int) -> Router:
        """The router of a tile, on its own chip; tiles fill routers in snake order."""
        return self._order[(tile % self.tiles_per_chip) // self.chip.noc.concentration]

    def _port(self, router: Router) -> int:
        """The nearest of the chip's links to a router, the lowest number first."""
        distances = [abs(x - router[0]) + abs(y - router[1]) for x, y in self.ports]
        return distances.index(min(distances))

    def _port_of(self, tile: int) -> int:
        """The nearest of its chip's links to a tile."""
        place = tile % self.tiles_per_chip
        port = self._nearest.get(place)
        if port is None:
            port = self._nearest[place] = self._port(self.router_of(tile))
        return port

    def path(self, source: int, target: int, entry: int | None = None) -> tuple[LinkKey, ...]:
        """The links from one tile (or the host) to another, in order; empty inside one tile.

        ``entry`` is the chip-to-chip link by which a token enters the target's chip, by default the nearest to it.
        """
        if source == target:
            return ()
        if HOST not in (source, target) and self.chip_of(source) == self.chip_of(target):
            chip = self.chip_of(source)
            inner = self._channels(chip, self.router_of(source), self.router_of(target))
            return (("inject", source), *inner, ("eject", target))
        out: list[LinkKey] = []
        if source != HOST:
            chip, start = self.chip_of(source), self.router_of(source)
            port = self._port_of(source)
            out += [("inject", source), *self._channels(chip, start, self.ports[port]), ("chip-out", chip, port)]
        if target != HOST:
            chip, end = self.chip_of(target), self.router_of(target)
            port = self._port_of(target) if entry is None else entry
            out += [("chip-in", chip, port), *self._channels(chip, self.ports[port], end), ("eject", target)]
        return tuple(out)

    def _channels(self, chip: int, start: Router, end: Router) -> tuple[LinkKey, ...]:
        path = xy_path(start, end)
        return tuple(("channel", chip, *a, *b) for a, b in pairwise(path))

    def entries(self, targets: list[int]) -> list[int | None]:
        """The chip-to-chip link by which a multicast enters the chip of each target: into one chip all its tokens
        take one link, that nearest to the chip's first target."""
        entries: dict[int, int] = {}
        return [
            None if target == HOST else entries.setdefault(self.chip_of(target), self._port_of(target))
            for target in targets
        ]

    def tree(self, source: int, targets: list[int]) -> tuple[list[tuple[LinkKey, int]], list[int]]:
        """The route tree to several tiles: links with the index of their parent (-1 for a first), and the index of the
        link at which each target hangs (-1 inside one tile)."""
        entries = self.entries(targets)
        return merged(self.path(source, target, entry) for target, entry in zip(targets, entries, strict=True))
