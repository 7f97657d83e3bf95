"""The shift-and-add units that put the partial results of bit slices and input steps together."""

from __future__ import annotations

from typing import ClassVar, Literal

from archsim.components.rated import Operator

__all__ = ["ShiftAdd"]


class ShiftAdd(Operator):
    """``count`` units; one action ``add`` shifts and adds one converted value."""

    unit_action: ClassVar[str] = "add"

    kind: Literal["shift-add"]
