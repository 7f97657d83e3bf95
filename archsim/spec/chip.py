"""The model of a chip file: how many of which tile, the network on chip, what leaves the chip."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archsim.errors import nearest
from archsim.spec.base import Frequency, Strict
from archsim.spec.component import AnyComponent, Component
from archsim.spec.noc import Noc
from archsim.spec.provenance import Published, Reading
from archsim.spec.tile import Tile
from archsim.units import Quantity

__all__ = ["Chip", "Host"]


class Host(Strict):
    """What stands at the other end of the chip-to-chip links and does the layers with ``host: true``: ``rate``
    element operations a second, whatever the operator."""

    rate: Frequency = Quantity.parse("1 THz", "frequency")
    source: str = "assumed: 32 processor cores of 16 lanes at 2 GHz"


class Chip(Strict):
    """A chip of ``tiles`` tiles; a board is one or more of them."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    kind: Literal["chip"]
    name: Annotated[str, Field(min_length=1)]
    title: str = ""
    tile: Tile
    tiles: Annotated[int, Field(ge=1, le=65536)]
    components: dict[str, AnyComponent] = {}
    """Rows of the chip itself; ``shared_by: n`` in one of them means one for every n tiles."""
    noc: Noc
    host: Host = Host()
    bibtex: str = ""
    deviations: list[str] = []
    published: list[Published] = []
    readings: list[Reading] = []

    def row(self, name: str) -> Component:
        """The row of that name, of the chip first, else of its tile."""
        return self.components[name] if name in self.components else self.tile.components[name]

    def row_name(self, name: str) -> str:
        """``level.name`` of that row."""
        return f"chip.{name}" if name in self.components else f"tile.{name}"

    @model_validator(mode="after")
    def _network_fits(self) -> Chip:
        rows = {**self.tile.components, **self.components}
        for key, kind in (("router", "router"), ("chip_link", "chip-link")):
            name = getattr(self.noc, key)
            fitting = [row for row in rows if rows[row].kind == kind]
            if name not in fitting:
                hint = nearest(name, fitting) or f"; there are {', '.join(fitting) or 'none'}"
                values = {"kind": kind, "name": repr(name), "hint": hint, "at": f"noc.{key}"}
                raise PydanticCustomError("noc", "must name a row of kind {kind}, got {name}{hint}", values)
        places = self.noc.places
        if places < self.tiles:
            message = f"the noc has places for {places} tiles, the chip has {self.tiles}"
            raise PydanticCustomError("noc", "{message}", {"message": message, "at": "tiles"})
        self._require_tiles()
        return self

    def _require_tiles(self) -> None:
        wrong = [tile for tile in self.noc.failed if tile >= self.tiles]
        if wrong:
            message = f"the chip has tiles 0 to {self.tiles - 1}, got {min(wrong)}"
        elif len(self.noc.failed) == self.tiles:
            message = "no tile is left"
        else:
            return
        raise PydanticCustomError("noc", "{message}", {"message": message, "at": "noc.failed_tiles"})

    @property
    def working_tiles(self) -> int:
        """The tiles that have not failed."""
        return self.tiles - len(self.noc.failed)
