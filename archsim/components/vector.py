"""Vector units: element-wise arithmetic in lanes."""

from __future__ import annotations

from typing import ClassVar, Literal

from archsim.components.rated import Operator

__all__ = ["VectorUnit"]


class VectorUnit(Operator):
    """``count`` lanes, each ``rate`` element operations a second."""

    unit_action: ClassVar[str] = "operate"

    kind: Literal["vector"]
