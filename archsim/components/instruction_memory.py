"""Instruction memories of cores and tiles."""

from __future__ import annotations

from typing import ClassVar, Literal

from archsim.components.rated import Operator
from archsim.spec.base import Information

__all__ = ["InstructionMemory"]


class InstructionMemory(Operator):
    """A store of ``capacity``; one action ``fetch`` reads one instruction."""

    unit_action: ClassVar[str] = "fetch"

    kind: Literal["instruction-memory"]
    capacity: Information
