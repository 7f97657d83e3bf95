"""Digital multiply-accumulate arrays: lanes with an adder tree each, or a systolic array."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archsim.components.rated import Operator

__all__ = ["MacArray"]

Size = Annotated[int, Field(ge=1, le=65536)]


class MacArray(Operator):
    """``count`` arrays in a core of ``outputs`` lanes, each of ``inputs`` multiply-accumulates a cycle of ``rate``.

    One action ``lane`` is one lane in one cycle: ``inputs`` multiply-accumulates for one output, or one element-wise
    operation.  A block of ``inputs`` × ``outputs`` weights and one vector of ``inputs`` values is a **step**.

    ``adder-tree``: a step is over within its cycle, as in the neural functional unit of DaDianNao (Chen et al.,
    MICRO 2014).  ``systolic``: values move by one cell a cycle, so that a step leaves ``inputs`` + ``outputs`` - 1
    cycles after it came, with a new one each cycle (Kung, Computer 15, 1982; the TPU, Jouppi et al., ISCA 2017).
    """

    unit_action: ClassVar[str] = "lane"

    kind: Literal["mac-array"]
    inputs: Size
    outputs: Size
    dataflow: Literal["adder-tree", "systolic"] = "adder-tree"
    other_macs: Annotated[int, Field(ge=0)] = 0
    """Multiply-accumulates a cycle of an array that a paper counts into its peak, and no matrix can use."""

    def actions_per_s(self, cycle_ps: int) -> Fraction:
        """Lanes × ``activity``."""
        return self.outputs * super().actions_per_s(cycle_ps)

    def capacity_per_s(self) -> Fraction:
        """Lane cycles per second of the whole row."""
        return self.outputs * super().capacity_per_s()

    @property
    def step_cycles(self) -> int:
        """Cycles from the first operand of a step to its last result."""
        return self.inputs + self.outputs - 1 if self.dataflow == "systolic" else 1

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates of the whole row a cycle, as its paper counts them."""
        return self.count * (self.inputs * self.outputs + self.other_macs)
