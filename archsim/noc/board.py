"""A board: equal chips and a host, joined by their chip-to-chip links; routes between tiles as trees of links.

A tile puts tokens into its router by an ``inject`` link and takes them by an ``eject`` link; routers are joined by
``channel`` links.  A chip's links leave from routers spread over its corners, each by a ``chip-out`` and a
``chip-in`` link; what joins them is taken to be an ideal switch.  The host is at that switch.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from archsim.components.link import ChipLink
from archsim.components.router import Router as RouterRow
from archsim.noc.chip_network import channel, chip_network
from archsim.noc.topology import merged
from archsim.spec.chip import Chip
from archsim.units import duration_ps

__all__ = ["HOST", "Board", "LinkKey", "LinkModel"]

HOST = -1
"""The place of the host, where places of tiles count from 0 through all chips."""

Router: TypeAlias = Any
"""A router: its coordinates in a grid, a name in a graph."""

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
    """``chips`` chips of one kind.  CompileError if the routes of the network on chip can deadlock, or if what has
    failed of it cuts it in two."""

    def __init__(self, chip: Chip, chips: int) -> None:
        noc = chip.noc
        self.chip = chip
        self.chips = chips
        self.tiles_per_chip = chip.tiles
        self.network = chip_network(chip)
        router, link = chip.row(noc.router), chip.row(noc.chip_link)
        assert isinstance(router, RouterRow)
        assert isinstance(link, ChipLink)
        self._cycle = duration_ps(1, router.clock.value)
        self._router_cycles = router.cycles
        onward = (router.cycles + noc.link_cycles) * self._cycle
        self.models = {
            "inject": LinkModel(noc.link_cycles * self._cycle, noc.bandwidth.value),
            "channel": LinkModel(onward, noc.bandwidth.value),
            "eject": LinkModel(onward, noc.bandwidth.value),
            "chip-out": LinkModel(duration_ps(1, 1 / link.latency.value), link.bandwidth.value),
            "chip-in": LinkModel(duration_ps(1, 1 / link.latency.value), link.bandwidth.value),
        }
        self.ports = self.network.ports
        self._own = self._own_models()

    def _own_models(self) -> dict[LinkKey, LinkModel]:
        """The channels with a latency or a bandwidth of their own, on any chip."""
        own = {}
        for a, b, link in self.network.graph.edges(data=True):
            cycles, period = link.get("cycles"), link.get("period") or 1
            if cycles is not None or period > 1:
                hop = (self._router_cycles + (cycles or self.chip.noc.link_cycles)) * self._cycle
                own[channel(a, b)] = LinkModel(hop, self.chip.noc.bandwidth.value / period)
        return own

    def model(self, key: LinkKey) -> LinkModel | None:
        """How a link of the board serves; None for what is none of its links."""
        own = self._own.get(key[2:]) if key[0] == "channel" and self._own else None
        return own or self.models.get(str(key[0]))

    def wires(self) -> dict[str, tuple[float, float | None]]:
        """By its name on a chip, the length of each channel in tile pitches, and the J a flit that are its own."""
        edges = self.network.graph.edges(data=True)
        return {" ".join(map(str, channel(a, b))): (link["length"], link.get("energy")) for a, b, link in edges}

    @property
    def tiles(self) -> int:
        """Tiles on the whole board."""
        return self.chips * self.tiles_per_chip

    def failed(self, tile: int) -> bool:
        """Whether a tile takes nothing."""
        return tile % self.tiles_per_chip in self.network.failed

    def chip_of(self, tile: int) -> int:
        """The chip on which a tile stands."""
        return tile // self.tiles_per_chip

    def on_one_chip(self, source: int, target: int) -> bool:
        """Whether a token stays on a chip between two places; the host is on none."""
        return HOST not in (source, target) and self.chip_of(source) == self.chip_of(target)

    def router_of(self, tile: int) -> Router:
        """The router of a tile, on its own chip."""
        return self.network.routers[tile % self.tiles_per_chip]

    def _port_of(self, tile: int) -> int:
        """The nearest of its chip's links to a tile."""
        return self.network.port_of(tile % self.tiles_per_chip)

    def path(self, source: int, target: int, entry: int | None = None, leave: int | None = None) -> tuple[LinkKey, ...]:
        """The links from one tile (or the host) to another, in order; empty inside one tile.

        ``entry`` is the chip-to-chip link by which a token enters the target's chip, by default the nearest to it;
        ``leave`` that by which it leaves its own, likewise.
        """
        if source == target:
            return ()
        if self.on_one_chip(source, target):
            chip = self.chip_of(source)
            inner = self.channels(chip, self.router_of(source), self.router_of(target))
            return (("inject", source), *inner, ("eject", target))
        return (*self.leaving(source, leave), *self.entering(target, entry))

    def leaving(self, source: int, leave: int | None = None) -> tuple[LinkKey, ...]:
        """The links from a tile to the switch between the chips, by the chip-to-chip link ``leave`` as in :meth:`path`;
        none from the host, which is at it."""
        if source == HOST:
            return ()
        chip, port = self.chip_of(source), self._port_of(source) if leave is None else leave
        inner = self.channels(chip, self.router_of(source), self.ports[port])
        return (("inject", source), *inner, ("chip-out", chip, port))

    def entering(self, target: int, entry: int | None = None) -> tuple[LinkKey, ...]:
        """The links from that switch to a tile, by the chip-to-chip link ``entry`` as in :meth:`path`."""
        if target == HOST:
            return ()
        chip, port = self.chip_of(target), self._port_of(target) if entry is None else entry
        inner = self.channels(chip, self.ports[port], self.router_of(target))
        return (("chip-in", chip, port), *inner, ("eject", target))

    def channels(self, chip: int, start: Router, end: Router) -> tuple[LinkKey, ...]:
        """The channels from one router of a chip to another."""
        return tuple(("channel", chip, *step) for step in self.network.way(start, end))

    def entries(self, targets: list[int]) -> list[int | None]:
        """The chip-to-chip link by which a multicast enters the chip of each target: into one chip all its tokens
        take one link, that nearest to the chip's first target."""
        entries: dict[int, int] = {}
        for target in targets:
            if target != HOST and (chip := self.chip_of(target)) not in entries:
                entries[chip] = self._port_of(target)
        return [None if target == HOST else entries[self.chip_of(target)] for target in targets]

    def tree(self, source: int, targets: list[int]) -> tuple[list[tuple[LinkKey, int]], list[int]]:
        """The route tree to several tiles: links with the index of their parent (-1 for a first), and the index of the
        link at which each target hangs (-1 inside one tile)."""
        entries = self.entries(targets)
        return merged(self.path(source, target, entry) for target, entry in zip(targets, entries, strict=True))
