"""Links: channels between routers, and links between chips."""

from __future__ import annotations

from typing import Literal

from archsim.components.rated import Mover
from archsim.spec.base import Time

__all__ = ["ChipLink", "NocLink"]


class NocLink(Mover):
    """A channel of the network on chip, of ``bandwidth`` in each direction."""

    kind: Literal["link"]


class ChipLink(Mover):
    """``count`` links that leave a chip, each ``bandwidth``; ``latency`` is the time for a head to cross one."""

    kind: Literal["chip-link"]
    latency: Time
