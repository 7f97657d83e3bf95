"""Registers: a core's input and output registers, a register file."""

from __future__ import annotations

from typing import Literal

from archsim.components.rated import Mover
from archsim.spec.base import Information

__all__ = ["Register"]


class Register(Mover):
    """A small store of ``capacity``; reading and writing a byte cost the same."""

    kind: Literal["register"]
    capacity: Information
