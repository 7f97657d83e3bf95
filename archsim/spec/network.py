"""The model of a network file: routers and links as a user draws them, beside the built-in topologies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archsim.errors import nearest
from archsim.spec.base import Energy, Strict

__all__ = ["Drawn", "Network", "NetworkLink", "NetworkRouter"]

Coordinate = Annotated[float, Field(ge=-1e6, le=1e6, strict=False)]


class NetworkRouter(Strict):
    """A router with ``terminals`` attached to it, at a place in tile pitches (by default on a circle)."""

    terminals: Annotated[int, Field(ge=0, le=1024)] = 1
    position: Annotated[list[Coordinate], Field(min_length=2, max_length=2)] | None = None


class NetworkLink(Strict):
    """Channels between two routers, one each way unless ``one_way``."""

    ends: Annotated[list[str], Field(min_length=2, max_length=2)]
    cycles: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Latency; by default the router's ``link_cycles``."""
    period: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Cycles between two flits: 4 is a quarter of the bandwidth."""
    off_chip: bool = False
    energy: Energy | None = None
    """Of one flit on the link."""
    one_way: bool = False


class Drawn(Strict):
    """Routers by name, and the links between them; terminals are numbered in the order of the routers."""

    routing: Literal["shortest", "up-down"] = "shortest"
    routers: Annotated[dict[str, NetworkRouter], Field(min_length=1, max_length=1024)]
    links: Annotated[list[NetworkLink], Field(max_length=8192)]

    @model_validator(mode="after")
    def _links_join_routers(self) -> Drawn:
        joined: set[tuple[str, str]] = set()
        for index, link in enumerate(self.links):
            for name in link.ends:
                if name not in self.routers:
                    hint = nearest(name, self.routers) or f"; there are {', '.join(list(self.routers)[:20])}"
                    values = {"name": repr(name), "hint": hint, "at": f"links.{index}.ends"}
                    raise PydanticCustomError("network", "no router named {name}{hint}", values)
            a, b = link.ends
            pairs = {(a, b)} if link.one_way else {(a, b), (b, a)}
            if a == b or pairs & joined:
                message = "a router is joined to itself" if a == b else f"{a} and {b} are joined twice"
                raise PydanticCustomError("network", "{message}", {"message": message, "at": f"links.{index}.ends"})
            joined |= pairs
        return self


class Network(Drawn):
    """A network file."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    kind: Literal["network"]
    name: Annotated[str, Field(min_length=1)]
