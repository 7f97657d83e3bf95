"""Multiply-accumulate arrays without memristors: lanes with an adder tree each, a systolic array, fixed weights."""

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
    ``weight-stationary``: a step is over within its cycle, and its block stays in the lanes for the steps that follow,
    as in the switched-capacitor neurons of a binary network (Bankman et al., JSSC 54, 2019).

    With ``serial_bits`` weights come so many bits a cycle, and a step takes ceil(weight bits / serial_bits) cycles, as
    in bit-serial arrays (UNPU, Lee et al., JSSC 54, 2019).
    """

    unit_action: ClassVar[str] = "lane"

    kind: Literal["mac-array"]
    inputs: Size
    outputs: Size
    dataflow: Literal["adder-tree", "systolic", "weight-stationary"] = "adder-tree"
    serial_bits: Annotated[int, Field(ge=1, le=32)] | None = None
    """Bits of each weight that are worked on in a cycle; by default all of them."""
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

    def serial_cycles(self, weight_bits: int) -> int:
        """Cycles between two steps, with weights of ``weight_bits``."""
        return 1 if self.serial_bits is None else -(-weight_bits // self.serial_bits)

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates of the whole row in a step of every array, as its paper counts them."""
        return self.count * (self.inputs * self.outputs + self.other_macs)
