"""The network on chip in a chip file: its topology, routing, what has failed, and what a flit costs."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archsim.spec.base import Bandwidth, Energy, Length, Status, Strict
from archsim.spec.flit import FlitRouter
from archsim.spec.network import Drawn

__all__ = ["GRIDS", "MAX_ROUTERS", "Noc", "NocEnergy"]

MAX_ROUTERS = 4096
"""The routers of the largest network; a mesh in a chip file may have more."""

CONCENTRATED = 4
"""The terminals at each router of a ``cmesh``, where nothing else is said."""

GRIDS = ("mesh", "cmesh", "torus")
"""Topologies whose routers have coordinates, from ``columns`` and ``rows`` or a ``shape``."""
_SHAPES = {"tree": "[arity, levels]", "fat-tree": "[arity, levels]"}

Extent = Annotated[int, Field(ge=1, le=1024)]


class NocEnergy(Strict):
    """What the actions of the network cost, each for one flit; ``link_mm`` for a flit and millimetre of wire.

    With it the ledger counts these actions one by one, in place of the action ``flit`` of the router's row.  A link
    with an ``energy`` of its own costs that.  ``pitch`` is the way between routers one tile pitch apart.
    """

    buffer_write: Energy
    buffer_read: Energy
    crossbar: Energy
    arbitration: Energy
    """Of one grant: the switch for each flit, and a virtual channel for each packet."""
    link_mm: Energy
    pitch: Length
    source: str
    status: Status
    assumed: list[str] = []


class Noc(Strict):
    """The network on chip: routers that each have ``concentration`` tiles, numbered along a snake in a grid.

    ``router`` and ``chip_link`` name rows of the chip or its tile.  A router passes a head in its ``cycles``,
    a link in ``link_cycles``, of the router's clock; a channel moves ``bandwidth`` each way.
    """

    topology: Literal["mesh", "cmesh", "torus", "ring", "tree", "fat-tree", "star", "point-to-point", "graph"]
    columns: Extent | None = None
    rows: Extent | None = None
    shape: Annotated[list[Extent], Field(min_length=1, max_length=8)] | None = None
    """In place of ``columns`` and ``rows``: the extents of a mesh or torus of any number of dimensions, the arity and
    the levels of a tree, the routers of the others."""
    graph: Drawn | None = None
    """The routers and links of a ``graph``: a mapping, or the name of a network file."""
    routing: Literal["dimension-order", "fat-tree", "shortest", "up-down"] | None = None
    """By default the usual one of the topology."""
    concentration: Annotated[int, Field(ge=1, le=1024)] = 1
    router: str
    chip_link: str
    bandwidth: Bandwidth
    link_cycles: Annotated[int, Field(ge=1, le=1000)] = 1
    flit: FlitRouter | None = None
    """The router flit by flit; by default with a pipeline as long as the row's ``cycles``."""
    energy: NocEnergy | None = None
    failed_links: list[str] | None = None
    """Links that fail on every chip, both ways, by their routers: ``0.0-1.0``."""
    failed_tiles: list[Annotated[int, Field(ge=0)]] | None = None
    """Tiles that fail on every chip; their routers go on."""
    source: str
    assumed: list[str] = []

    @model_validator(mode="before")
    @classmethod
    def _concentrated(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("topology") == "cmesh" and "concentration" not in data:
            return {**data, "concentration": CONCENTRATED}
        return data

    @property
    def extents(self) -> tuple[int, ...]:
        """The shape, as the topology takes it."""
        if self.graph is not None:
            return (len(self.graph.routers),)
        return tuple(self.shape) if self.shape is not None else (self.columns or 0, self.rows or 0)

    @property
    def places(self) -> int:
        """How many tiles there is a place for."""
        if self.graph is not None:
            return sum(router.terminals for router in self.graph.routers.values())
        ends = self.extents[0] ** self.extents[1] if self.topology in _SHAPES else prod(self.extents)
        return ends * self.concentration

    @property
    def failed(self) -> frozenset[int]:
        """The tiles of every chip that have failed."""
        return frozenset(self.failed_tiles or ())

    @model_validator(mode="after")
    def _shaped(self) -> Noc:
        problem = self._graph_problem() or self._shape_problem() or self._size_problem()
        if problem:
            key, message = problem
            raise PydanticCustomError("noc", "{message}", {"message": message, "at": key})
        return self

    def _graph_problem(self) -> tuple[str, str] | None:
        """What does not fit a graph, or is a graph where none belongs, with its key."""
        if self.topology != "graph":
            return ("graph", f"only topology: graph has one, this is a {self.topology}") if self.graph else None
        if self.graph is None:
            return "topology", "a graph needs the key 'graph': routers and links, or the name of a network file"
        others = [key for key in ("columns", "rows", "shape") if getattr(self, key) is not None]
        others += ["concentration"] if self.concentration != 1 else []
        if others:
            return others[0], "a graph says itself what it is joined to: its routers have 'terminals'"
        return None

    def _shape_problem(self) -> tuple[str, str] | None:
        """Extents that are missing, too many, or those of another topology, with their key."""
        name, flat = self.topology, [key for key in ("columns", "rows") if getattr(self, key) is not None]
        if name == "graph":
            return None
        if name in GRIDS:
            if flat and self.shape is not None:
                return flat[0], "give either columns and rows, or shape"
            if self.shape is None and len(flat) < 2:
                return "topology", "the key 'rows' is missing" if flat == [
                    "columns"
                ] else "the key 'columns' is missing"
            return None
        if flat:
            return flat[0], f"a {name} has a shape"
        wanted = _SHAPES.get(name, "[routers]")
        if self.shape is None:
            return "topology", f"a {name} needs shape: {wanted}, got nothing"
        if len(self.shape) != 1 + wanted.count(","):
            return "shape", f"a {name} needs shape: {wanted}, got {self.shape}"
        return None

    def _size_problem(self) -> tuple[str, str] | None:
        """More routers than there may be, or a routing for another topology, with its key."""
        if self.topology not in ("mesh", "cmesh") and self._size() > MAX_ROUTERS:
            return (
                "shape" if self.shape else "columns",
                f"a {self.topology} of so many: more than {MAX_ROUTERS} routers",
            )
        if self.routing in ("dimension-order", "fat-tree") and self.routing != self._made_for():
            return "routing", f"{self.routing} needs a topology made for it, this is a {self.topology}"
        return None

    def _size(self) -> int:
        """Routers; of all pairs joined, sixteen channels count as one."""
        if self.topology == "point-to-point":
            return prod(self.extents) ** 2 // 16
        if self.topology == "tree":
            return sum(int(self.extents[0] ** level) for level in range(self.extents[1]))
        if self.topology == "fat-tree":
            return int(self.extents[1] * self.extents[0] ** (self.extents[1] - 1))
        return prod(self.extents)

    def _made_for(self) -> str | None:
        grids = dict.fromkeys((*GRIDS, "ring"), "dimension-order")
        return {**grids, "fat-tree": "fat-tree"}.get(self.topology)
