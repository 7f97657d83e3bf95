"""Sigmoid and other look-up units for non-linear functions."""

from __future__ import annotations

from typing import ClassVar, Literal

from archsim.components.rated import Operator

__all__ = ["LookupUnit"]


class LookupUnit(Operator):
    """``count`` units, each ``rate`` function values a second."""

    unit_action: ClassVar[str] = "lookup"

    kind: Literal["lookup"]
