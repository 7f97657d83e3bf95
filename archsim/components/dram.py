"""Channels of memory outside the chip: DRAM on a board, stacks of HBM in the package."""

from __future__ import annotations

from typing import Literal

from archsim.components.rated import Mover
from archsim.spec.base import Information

__all__ = ["DRAM"]


class DRAM(Mover):
    """``count`` channels of ``bandwidth`` each, with ``capacity`` behind each; reading and writing a byte cost the
    same.  Refresh is part of the static share."""

    kind: Literal["dram"]
    capacity: Information
    standard: str = ""
    """What it is, for the record: DDR3-2133, HBM2."""
