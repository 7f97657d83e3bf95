"""Buffers: the eDRAM or SRAM of a tile, with banks and a port of limited bandwidth."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from archsim.components.rated import Mover
from archsim.spec.base import Information

__all__ = ["EDRAM", "SRAM"]


class SRAM(Mover):
    """A buffer of ``capacity`` whose port moves ``bandwidth``; reading and writing a byte cost the same."""

    kind: Literal["sram"]
    capacity: Information
    banks: Annotated[int, Field(ge=1)] = 1
    width: Information | None = None
    """The width of the port, for the record; ``bandwidth`` sets the time."""


class EDRAM(SRAM):
    """As :class:`SRAM`, of embedded DRAM; refresh is part of the static share."""

    kind: Literal["edram"]  # type: ignore[assignment]
