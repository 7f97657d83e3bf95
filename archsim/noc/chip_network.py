"""The network of one chip: its graph, what has failed, where the tiles and the links to other chips stand, its routes.

The same object serves both levels of detail: paths for the Program of a compiled network, and a Fabric for flits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

from archsim.components.link import ChipLink
from archsim.components.router import Router as RouterRow
from archsim.errors import ArchsimError, CompileError
from archsim.noc.drawn import drawn_graph
from archsim.noc.fabric import Fabric
from archsim.noc.failures import around_failures, named_link, router_name, without_links
from archsim.noc.routing import Routing, routing
from archsim.noc.topology import TOPOLOGIES, Graph, snake
from archsim.noc.ways import Ways
from archsim.spec.chip import Chip
from archsim.spec.flit import FlitRouter
from archsim.spec.noc import GRIDS, Noc

__all__ = ["ChipNetwork", "channel", "chip_network", "flit_router"]

USUAL = FlitRouter()

KEPT_WAYS = 1 << 16
"""The pairs of routers whose ways are kept."""


@dataclass(frozen=True)
class ChipNetwork:
    """``routers[t]`` is the router of tile t, failed ones included; ``ports`` are those of the links to other chips.

    A router's ``terminals`` are its tiles that have not failed, in their order, then the links to other chips there.
    """

    graph: Graph
    routing: Routing
    routers: tuple[Any, ...]
    ports: tuple[Any, ...]
    keys: FlitRouter
    failed: frozenset[int]
    _ports_of: dict[Any, int] = field(default_factory=dict, init=False, repr=False, compare=False)
    _ways: dict[tuple[Any, Any], tuple[tuple[object, ...], ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def port_of(self, tile: int) -> int:
        """The number of the link to other chips that is nearest to a tile, the lowest of equals."""
        router = self.routers[tile]
        if router not in self._ports_of:
            ways = [len(self.routing.path(router, port)) for port in self.ports]
            self._ports_of[router] = ways.index(min(ways))
        return self._ports_of[router]

    def way(self, start: Any, end: Any) -> tuple[tuple[object, ...], ...]:
        """The channels from one router to another, as :func:`channel` names them."""
        found = self._ways.get((start, end))
        if found is None:
            routers = [start, *(node for node, _ in self.routing.path(start, end))]
            found = tuple(channel(a, b) for a, b in pairwise(routers))
            if len(self._ways) >= KEPT_WAYS:
                self._ways.clear()
            self._ways[start, end] = found
        return found

    @cached_property
    def fabric(self) -> Fabric:
        """The network flit by flit.  CompileError that prints the cycle if its routes can deadlock."""
        return Fabric(self.graph, self.routing, self.keys)

    @cached_property
    def ways(self) -> Ways:
        """The ways between its routers by numbers."""
        return Ways(self.routers, self.ports, self.way, self.graph.number_of_edges())

    @cached_property
    def _terminals(self) -> tuple[dict[int, int], dict[int, int]]:
        """The terminal of each working tile and of each port."""
        at: dict[Any, list[tuple[bool, int]]] = {node: [] for node in self.graph}
        for tile, node in enumerate(self.routers):
            if tile not in self.failed:
                at[node].append((False, tile))
        for port, node in enumerate(self.ports):
            at[node].append((True, port))
        numbered = list(enumerate(what for node in self.graph for what in at[node]))
        tiles = {index: number for number, (is_port, index) in numbered if not is_port}
        return tiles, {index: number for number, (is_port, index) in numbered if is_port}

    def terminal_of_tile(self, tile: int) -> int:
        """The terminal of a tile of this chip."""
        return self._terminals[0][tile]

    def terminal_of_port(self, port: int) -> int:
        """The terminal at which a link to other chips is."""
        return self._terminals[1][port]


def channel(a: Any, b: Any) -> tuple[object, ...]:
    """A channel as it is named within a chip: by the coordinates of its routers in a plane, or by their names."""
    return (*_named(a), *_named(b))


def _named(router: Any) -> tuple[object, ...]:
    plane = isinstance(router, tuple) and len(router) == 2 and all(isinstance(part, int) for part in router)
    return router if plane else (router_name(router),)


def chip_network(chip: Chip) -> ChipNetwork:
    """The network of a chip, checked.

    CompileError if its routes can deadlock, if what has failed cuts it in two, or if there is no such link.
    """
    link, router = chip.row(chip.noc.chip_link), chip.row(chip.noc.router)
    assert isinstance(link, ChipLink)
    assert isinstance(router, RouterRow)
    text = chip.noc.model_dump_json(exclude={"bandwidth"})
    return _network(_Asked(text, chip.tiles, link.count, router.cycles, chip.noc))


@dataclass(frozen=True)
class _Asked:
    """What a network is made of; ``text`` stands for ``noc``, which cannot be hashed."""

    text: str
    tiles: int
    links: int
    cycles: int
    noc: Noc = field(compare=False)


@lru_cache(maxsize=64)
def _network(asked: _Asked) -> ChipNetwork:
    """Kept, since a board is made anew for every question that is asked of a design."""
    noc = asked.noc
    graph = _graph(noc)
    routers = tuple(_routers(noc, graph)[: asked.tiles])
    ports = tuple(_ports(noc, list(dict.fromkeys(routers)), asked.links))
    terminals = dict.fromkeys(graph, 0)
    for node in [router for tile, router in enumerate(routers) if tile not in noc.failed] + list(ports):
        terminals[node] += 1
    for node, count in terminals.items():
        graph.nodes[node]["terminals"] = count
    rule = _routing(noc, graph)
    if noc.failed_links:
        whole = graph
        graph = without_links(whole, [_failed_link(whole, text) for text in noc.failed_links])
        rule = around_failures(graph, rule)
    network = ChipNetwork(graph, rule, routers, ports, flit_router(noc, asked.cycles), noc.failed)
    network.fabric  # noqa: B018 - checks the routes
    return network


def flit_router(noc: Noc, cycles: int) -> FlitRouter:
    """The router flit by flit: as the chip says, or the usual one with a pipeline of ``cycles``, but no shorter than
    its stages."""
    if noc.flit is not None:
        return noc.flit
    return FlitRouter(routing_cycles=max(0, cycles - USUAL.pipeline_cycles), link_cycles=noc.link_cycles)


def _graph(noc: Noc) -> Graph:
    if noc.graph is not None:
        return drawn_graph(noc.graph)
    graph = TOPOLOGIES[noc.topology][1](noc.extents, noc.concentration)
    graph.graph["kind"] = noc.topology
    return graph


def _routers(noc: Noc, graph: Graph) -> list[Any]:
    """The routers in the order in which tiles fill them, each as often as it takes a tile: along a snake in a grid."""
    order = snake(noc.extents) if noc.topology in GRIDS else list(graph)
    return [node for node in order for _ in range(graph.nodes[node]["terminals"])]


def _ports(noc: Noc, order: list[Any], count: int) -> list[Any]:
    """The routers at which a chip's links stand: the corners of a grid of two dimensions first; else evenly along the
    routers that have tiles."""
    corners: list[Any] = []
    if noc.topology in GRIDS and len(noc.extents) == 2:
        right, top = noc.extents[0] - 1, noc.extents[1] - 1
        corners = [(0, 0), (right, top), (right, 0), (0, top)]
        order = snake(noc.extents)
    every = max(1, len(order) // count)
    return [corners[k] if k < len(corners) else order[(k * every) % len(order)] for k in range(count)]


def _routing(noc: Noc, graph: Graph) -> Routing:
    drawn = noc.graph.routing if noc.graph is not None else None
    return routing(graph, noc.routing or drawn)


def _failed_link(graph: Graph, text: str) -> tuple[Any, Any]:
    try:
        return named_link(graph, text)
    except ArchsimError as error:
        raise CompileError(f"noc.failed_links: {error}") from None
