"""Pooling units: the largest of the values in a window, one comparison at a time."""

from __future__ import annotations

from typing import ClassVar, Literal

from archsim.components.rated import Operator

__all__ = ["PoolingUnit"]


class PoolingUnit(Operator):
    """``count`` units, each ``rate`` comparisons a second."""

    unit_action: ClassVar[str] = "compare"

    kind: Literal["pooling"]
