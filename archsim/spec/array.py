"""The models of an array in value: how weights and inputs stand on it, its cells, its wires."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archsim.spec.base import Resistance, Share, Strict, Time, Voltage
from archsim.units import Quantity, QuantityOf

__all__ = ["Device", "Encoding", "Speculation", "Wires"]

Bits = Annotated[int, Field(ge=1, le=32)]
Positive = Annotated[float, Field(gt=0)]
Line = Annotated[Quantity, QuantityOf("resistance")]
Inputs = Literal["unsigned", "twos-complement", "offset", "two-phase", "sign-magnitude"]


class Speculation(Strict):
    """Inputs are tried in a few wide slices before they are driven bit by bit (RAELLA, Andrulis et al., ISCA 2023).

    A column whose sum is within the range of its converter is done with; of the others the bits are converted one by
    one.  All steps are driven and read: ``slices`` and then one for each bit.
    """

    slices: Annotated[int, Field(ge=1, le=16)]
    recovered: Share
    """The share of the columns whose bits are converted one by one; it depends on the data."""


class Encoding(Strict):
    """How weights and inputs stand on the arrays.

    ``offset``: weights are stored with a bias that is subtracted digitally.  ``flipped``: as offset, and a
    column whose largest sum would need one more ADC bit is stored complemented (ISAAC).  ``differential``: a
    positive and a negative cell for each slice.  ``twos-complement``: the sign bit has a slice of its own.
    ``digital``: as whole words in a memory beside a mac-array.
    ``slices``: the slices of a weight stand side by side in one array, or each in an array of its own.
    """

    scheme: Literal["offset", "flipped", "differential", "twos-complement", "digital"]
    weight_bits: Bits
    input_bits: Bits
    slices: Literal["side-by-side", "array-each"] = "side-by-side"
    slice_bits: list[Annotated[int, Field(ge=1, le=16)]] | None = None
    """Widths of the slices, lowest first; by default each has the bits of a cell."""
    subtract: Literal["analog", "digital"] = "analog"
    """Of differential pairs: whether currents are subtracted before conversion, or codes after it."""
    reference: Literal["column", "digital"] = "column"
    """How the current of cells in the off-state is removed: by a column of such cells, or after conversion."""
    inputs: Inputs | None = None
    """By default two's complement for 1-bit DACs, and offset (biased) inputs for wider ones."""
    drive: Literal["amplitude", "pulse-width"] = "amplitude"
    """What a step of a DAC of several bits is: an amplitude, or a number of unit pulses."""
    accumulate: Literal["none", "steps", "slices", "steps-and-slices"] = "none"
    """What is added up in the analog domain before it is converted: the sums of all input steps, which are then
    converted while those of the next MVM add up; or those of a weight's slices; or both."""
    conversions_per_output: Annotated[int, Field(ge=1, le=64)] | None = None
    """With slices accumulated: in how many parts the sum of an output is converted; by default in one."""
    rows_at_once: Annotated[int, Field(ge=1)] | None = None
    """Rows that are driven together; each further group of rows takes all input steps again, and its sums are added
    digitally.  By default all rows of an array."""
    product: Literal["whole", "karatsuba"] = "whole"
    """``karatsuba``: halves of inputs and weights are multiplied in three products instead of four (Karatsuba and
    Ofman, 1962): low by low and high by high side by side, and then the sums of the halves."""
    speculation: Speculation | None = None
    unit_columns: Annotated[int, Field(ge=0, le=16)] = 0
    """Columns beside those of the weights, which sum the inputs."""
    convert_unit_columns: bool = False
    """Whether the conversion of the unit columns takes ADC time."""
    drive_again: bool = False
    """Whether inputs are driven, and arrays read, anew for each column that a converter works through: so it is where
    nothing holds the sums, as with converters that integrate while the inputs last."""
    convert_unused_columns: bool = True
    """Whether an ADC converts also the columns that hold no weight."""

    def input_scheme(self, dac_bits: int) -> Inputs:
        """How inputs are driven."""
        return self.inputs or ("twos-complement" if dac_bits == 1 else "offset")

    def slice_widths(self, cell_bits: int) -> tuple[int, ...]:
        """Bits of each slice of a weight, lowest first."""
        if self.slice_bits is not None:
            return tuple(self.slice_bits)
        magnitude = (
            max(self.weight_bits - 1, 1) if self.scheme in ("differential", "twos-complement") else self.weight_bits
        )
        return (cell_bits,) * -(-magnitude // cell_bits)

    def cells(self, cell_bits: int) -> int:
        """Cells of one weight."""
        if self.karatsuba:
            return sum(cells for cells, _ in self._products(cell_bits, 1))
        slices = len(self.slice_widths(cell_bits))
        return {"differential": 2 * slices, "twos-complement": slices + 1}.get(self.scheme, slices)

    def conversions(self, columns: int) -> int:
        """Sums to convert of that many columns: one for two, where pairs are subtracted before conversion."""
        return -(-columns // 2) if self.scheme == "differential" and self.subtract == "analog" else columns

    def _products(self, cell_bits: int, dac_bits: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Karatsuba's products, as cells of a weight and input steps: those of the halves with themselves, which go
        side by side, and that of the sums of the halves, which have a bit more."""
        weight, value = self.weight_bits // 2, self.input_bits // 2
        halves = 2 * -(-weight // cell_bits), -(-value // dac_bits)
        return halves, (-(-(weight + 1) // cell_bits), -(-(value + 1) // dac_bits))

    def reading(self, cell_bits: int, dac_bits: int) -> tuple[Fraction, Fraction]:
        """The share of a weight's cells that are read in an input step, on average and at the most."""
        if not self.karatsuba:
            return Fraction(1), Fraction(1)
        products, cells = self._products(cell_bits, dac_bits), self.cells(cell_bits)
        total = sum(used * steps for used, steps in products)
        steps = sum(steps for _, steps in products)
        return Fraction(total, cells * steps), Fraction(max(used for used, _ in products), cells)

    def converting(self, dac_bits: int) -> Fraction:
        """The share of the sums that are read which are converted, on average over the input steps."""
        if "steps" in self.accumulate:
            return Fraction(1, self.input_steps(dac_bits))
        if self.speculation is None:
            return Fraction(1)
        tried, steps = self.speculation.slices, self.input_steps(dac_bits)
        return (tried + (steps - tried) * Fraction(str(self.speculation.recovered))) / steps

    def input_steps(self, dac_bits: int) -> int:
        """Input steps of one MVM, of one group of rows."""
        if self.karatsuba:
            return sum(steps for _, steps in self._products(1, dac_bits))
        return self.plain_steps(dac_bits) + (self.speculation.slices if self.speculation else 0)

    def plain_steps(self, dac_bits: int) -> int:
        """Input steps without what is tried before and with the product in one piece."""
        scheme = self.input_scheme(dac_bits)
        bits = self.input_bits if scheme in ("unsigned", "offset") else max(self.input_bits - 1, 1)
        once = -(-bits // dac_bits)
        return {"twos-complement": once + 1, "two-phase": 2 * once}.get(scheme, once)

    @property
    def karatsuba(self) -> bool:
        """Whether there are three products of halves."""
        return self.product == "karatsuba"

    @model_validator(mode="after")
    def _whole(self) -> Encoding:
        if self.slice_bits is not None:
            signless = self.scheme in ("differential", "twos-complement")
            need = max(self.weight_bits - 1, 1) if signless else self.weight_bits
            if (got := sum(self.slice_bits)) < need:
                message = "slice_bits must sum to at least {need} for {bits}-bit weights, got {got}"
                raise PydanticCustomError("encoding", message, {"need": need, "bits": self.weight_bits, "got": got})
        self._fits_together()
        return self

    def _fits_together(self) -> None:
        """Refuses what has no meaning together."""
        odd = self.weight_bits % 2 or self.input_bits % 2
        rules = (
            ("product", self.karatsuba and bool(odd), "karatsuba needs an even number of bits of weights and inputs"),
            ("product", self.karatsuba and self.scheme != "offset", "karatsuba needs the scheme 'offset'"),
            ("product", self.karatsuba and self.slice_bits is not None, "karatsuba does not go with slice_bits"),
            ("product", self.karatsuba and self.accumulate != "none", "karatsuba does not go with accumulate"),
            ("speculation", self.speculation is not None and self.karatsuba, "does not go with karatsuba"),
            ("speculation", self.speculation is not None and self.accumulate != "none", "does not go with accumulate"),
            (
                "conversions_per_output",
                self.conversions_per_output is not None and "slices" not in self.accumulate,
                "needs slices in accumulate",
            ),
        )
        for key, broken, why in rules:
            if broken:
                raise PydanticCustomError("encoding", "{why}", {"why": why, "at": key})


class Device(Strict):
    """The memristor cell that the numerical core reads: a device by name, and what is changed of it.

    ``model`` is one of ``archsim.numeric.devices``, ``set`` its settings there (``sigma``, ``levels``, ``nu``, …).
    """

    model: str
    r_on: Resistance | None = None
    r_off: Resistance | None = None
    set: dict[str, float | int | str] = {}
    tolerance: Positive | None = None
    """Write-and-verify: until a cell is within this share of its range; by default one programming operation."""
    tolerance_of: Literal["value", "range"] = "range"
    read_voltage: Voltage | None = None
    read_time: Time | None = None
    source: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> Device:
        if self.r_off is not None and self.r_on is not None and self.r_off.value <= self.r_on.value:
            values = {"on": str(self.r_on), "off": str(self.r_off)}
            raise PydanticCustomError("device", "r_off must be above r_on, got {off} and {on}", values)
        return self


class Wires(Strict):
    """The lines of an array: the resistance of a segment between two cells, and that of each end that is connected.

    Wordlines are driven from the ends that have a resistance, bitlines sensed at those that have one; a resistance
    of 0 is written ``0 ohm``.
    """

    wordline: Line
    bitline: Line
    left: Line | None = None
    right: Line | None = None
    top: Line | None = None
    bottom: Line | None = None
    block_rows: Annotated[int, Field(ge=1)] | None = None
    """Rows of a partition with drivers and sense terminals of its own."""
    block_columns: Annotated[int, Field(ge=1)] | None = None
    source: str = ""
