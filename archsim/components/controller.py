"""Control units: the pipeline of a core, the control unit of a tile."""

from __future__ import annotations

from typing import ClassVar, Literal

from archsim.components.rated import Operator

__all__ = ["Controller"]


class Controller(Operator):
    """One action ``issue`` is one instruction, or one step of a static schedule."""

    unit_action: ClassVar[str] = "issue"

    kind: Literal["controller"]
