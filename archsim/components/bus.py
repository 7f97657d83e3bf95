"""The bus of a tile, between its buffer and its cores."""

from __future__ import annotations

from typing import Literal

from archsim.components.rated import Mover
from archsim.spec.base import Information

__all__ = ["Bus"]


class Bus(Mover):
    """A shared bus that moves ``bandwidth``; ``width`` is for the record."""

    kind: Literal["bus"]
    width: Information | None = None
