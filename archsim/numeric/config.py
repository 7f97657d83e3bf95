"""What an array is: codes of weights and inputs, converters, cells and wires, as frozen values.

Every class checks itself when it is made, so that an array that cannot be is refused before anything is computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from archsim.errors import NumericError
from archsim.numeric.devices import Device, device
from archsim.numeric.wires import Wires

__all__ = [
    "EFFECTS",
    "AdcConfig",
    "ArrayConfig",
    "DacConfig",
    "Effect",
    "InputCode",
    "WeightCode",
    "digits",
    "ideal_cell",
]

Effect = Literal[
    "levels",
    "programming",
    "stuck",
    "retention",
    "temperature",
    "read_noise",
    "nonlinear_iv",
    "wires",
    "dac",
    "adc",
    "adc_linearity",
    "adc_noise",
]
EFFECTS: frozenset[Effect] = frozenset(get_args(Effect))
"""All that can take an array away from the integer product; a configuration may switch each off."""

WeightScheme = Literal["offset", "flipped", "differential", "twos-complement"]
InputScheme = Literal["unsigned", "twos-complement", "offset", "two-phase", "sign-magnitude"]
AdcType = Literal["sar", "ramp", "flash", "oscillator", "time-to-digital", "sense-amplifier", "integrate-and-fire"]
Range = Literal["worst-case", "fixed", "calibrated"]
Share = Literal["array", "slice", "power-of-two"]
Accumulate = Literal["none", "steps", "slices", "steps-and-slices"]

MAX_BITS = 16
MAX_SIZE = 65536


def ideal_cell(g_max_s: float = 1e-4) -> Device:
    """A cell that holds what it is told, from 0 to ``g_max_s``."""
    return device("generic", g_min_s=0.0, g_max_s=g_max_s)


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise NumericError(message)


def _choice(name: str, got: object, kind: object) -> None:
    choices = get_args(kind)
    _require(got in choices, f"{name}: expected one of {', '.join(choices)}, got {got!r}")


def _bits(name: str, got: int, low: int = 1, high: int = MAX_BITS) -> None:
    _require(
        isinstance(got, int) and low <= got <= high,
        f"{name}: expected a whole number of {low} to {high} bits, got {got!r}",
    )


def digits(bits: int, each: int) -> tuple[int, ...]:
    """Widths of the digits of a ``bits``-bit number cut into ``each`` bits, the lowest first; all of full width."""
    return (each,) * -(-max(bits, 1) // each)


@dataclass(frozen=True)
class WeightCode:
    """How a whole-number weight stands in cells.

    * ``offset``: u = w + 2^(bits-1) (w itself if not ``signed``), cut into slices of ``cell_bits``; the bias is
      subtracted digitally as 2^(bits-1) Σx.
    * ``flipped``: as offset, and a column of one array whose cells sum to more than half of the highest sum is
      stored complemented, which halves the largest sum (Shafiee et al., ISCA 2016).
    * ``differential``: |w| in slices on a positive or a negative cell; the currents are subtracted before
      conversion (``subtract="analog"``) or converted one by one (``"digital"``).
    * ``twos-complement``: the sign bit in a slice of its own with the weight -2^(bits-1), the others as above.

    ``slice_bits`` gives the widths of the slices, lowest first, instead of ``cell_bits`` for each.
    """

    scheme: WeightScheme = "offset"
    bits: int = 8
    signed: bool = True
    cell_bits: int = 2
    slice_bits: tuple[int, ...] | None = None
    subtract: Literal["analog", "digital"] = "analog"
    reference: Literal["column", "digital"] = "column"
    """How the current of the off-state is removed: by a column of cells at G_min subtracted before conversion, or
    after conversion by its nominal value times Σx.  Differential pairs need neither."""
    unit_column: bool = False
    """Whether Σx comes from a column of cells at level 1 that is converted too, or from a digital adder."""

    def __post_init__(self) -> None:
        _choice("weights.scheme", self.scheme, WeightScheme)
        _bits("weights.bits", self.bits)
        _bits("weights.cell_bits", self.cell_bits)
        _choice("weights.subtract", self.subtract, Literal["analog", "digital"])
        _choice("weights.reference", self.reference, Literal["column", "digital"])
        if self.slice_bits is not None:
            _require(len(self.slice_bits) > 0, "weights.slice_bits: expected at least one slice, got none")
            for width in self.slice_bits:
                _bits("weights.slice_bits", width, 1, self.cell_bits)
            need, have = self.magnitude_bits, sum(self.slice_bits)
            _require(
                have >= need,
                f"weights.slice_bits: {self.scheme} weights of {self.bits} bits need {need} bits in slices, "
                f"got {'+'.join(map(str, self.slice_bits))} = {have}",
            )

    @property
    def magnitude_bits(self) -> int:
        """Bits that the slices have to hold, a sign slice aside."""
        signless = self.scheme in ("differential", "twos-complement") and self.signed
        return max(self.bits - 1, 1) if signless else self.bits

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits of each slice, lowest first, a sign slice aside."""
        return self.slice_bits if self.slice_bits is not None else digits(self.magnitude_bits, self.cell_bits)

    @property
    def low(self) -> int:
        """The lowest weight that can be stored."""
        if not self.signed:
            return 0
        if self.scheme == "differential":
            return -min(1 << self.bits - 1, (1 << sum(self.widths)) - 1)
        return -(1 << self.bits - 1)

    @property
    def high(self) -> int:
        """The highest weight that can be stored."""
        return (1 << self.bits - 1) - 1 if self.signed else (1 << self.bits) - 1


@dataclass(frozen=True)
class InputCode:
    """How a whole-number input is driven onto the wordlines, step by step of ``dac_bits``, lowest first.

    * ``unsigned``; ``twos-complement``: the sign bit in a step of its own, which counts -2^(bits-1);
      ``offset``: x + 2^(bits-1) is driven and 2^(bits-1) Σw subtracted digitally;
      ``two-phase``: first the positive inputs, then the magnitudes of the negative ones, subtracted digitally;
      ``sign-magnitude``: digits of the magnitude driven with the sign of the input (a bipolar driver).
    * ``drive``: a digit is an amplitude, or with ``pulse-width`` the number of unit pulses at the full amplitude.
    """

    scheme: InputScheme = "unsigned"
    bits: int = 8
    dac_bits: int = 1
    drive: Literal["amplitude", "pulse-width"] = "amplitude"

    def __post_init__(self) -> None:
        _choice("inputs.scheme", self.scheme, InputScheme)
        _bits("inputs.bits", self.bits)
        _bits("inputs.dac_bits", self.dac_bits)
        _choice("inputs.drive", self.drive, Literal["amplitude", "pulse-width"])

    @property
    def magnitude_bits(self) -> int:
        """Bits that are cut into digits, a sign step aside."""
        return self.bits if self.scheme in ("unsigned", "offset") else max(self.bits - 1, 1)

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits of each step, lowest first; of one phase, a sign step aside."""
        return digits(self.magnitude_bits, self.dac_bits)

    @property
    def steps(self) -> int:
        """Input steps of one MVM."""
        once = len(self.widths)
        return {"twos-complement": once + 1, "two-phase": 2 * once}.get(self.scheme, once)

    @property
    def low(self) -> int:
        """The lowest input that can be driven."""
        if self.scheme == "unsigned":
            return 0
        if self.scheme in ("two-phase", "sign-magnitude"):
            return -min(1 << self.bits - 1, (1 << sum(self.widths)) - 1)
        return -(1 << self.bits - 1)

    @property
    def high(self) -> int:
        """The highest input that can be driven."""
        return (1 << self.bits) - 1 if self.scheme == "unsigned" else (1 << self.bits - 1) - 1


@dataclass(frozen=True)
class DacConfig:
    """The wordline drivers: integral nonlinearity ``inl`` (a bow of that many steps at mid-scale) and thermal
    ``noise`` (standard deviation in steps, fresh for each drive)."""

    inl: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        _require(self.noise >= 0, f"dac.noise: expected at least 0, got {self.noise!r}")


@dataclass(frozen=True)
class AdcConfig:
    """The converters.

    The sum of a column is measured in units of one level step of a cell times one step of the DAC, so that it is a
    whole number where nothing goes wrong.

    * ``bits``: None converts without error.
    * ``range``: ``worst-case`` covers the largest sum that can occur, with a step of at least one unit;
      ``fixed`` covers ``full_scale`` units, by default one unit a code; ``calibrated`` covers the share ``coverage``
      of the sums that a batch of data makes (:meth:`ProgrammedMatrix.calibrate`).
    * ``share``: whether the array's slices share one range, have each their own, or one a power of two below the
      largest (``worst-case`` and ``fixed`` ranges follow the width of the slice in any case).
    * ``type``: SAR, flash and ramp converters round to the nearest code; an ``oscillator`` counts whole periods, an
      ``integrate-and-fire`` circuit whole spikes, a ``time-to-digital`` converter whole delays, and so these round
      down; a ``sense-amplifier`` has one bit.
    * ``zero``: whether a signed range has a code at 0, or 0 lies midway between two codes of a range cut evenly.
    * ``inl``, ``dnl``: a bow of the transfer curve in steps at mid-scale, and the standard deviation in steps of the
      width of each code, drawn once for all converters of the matrix.  ``noise``: standard deviation in steps, fresh
      for each conversion.
    """

    bits: int | None = None
    range: Range = "worst-case"
    full_scale: float | None = None
    share: Share = "array"
    coverage: float = 1.0
    zero: Literal["code", "between"] = "code"
    type: AdcType = "sar"
    inl: float = 0.0
    dnl: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        _choice("adc.range", self.range, Range)
        _choice("adc.share", self.share, Share)
        _choice("adc.type", self.type, AdcType)
        _choice("adc.zero", self.zero, Literal["code", "between"])
        if self.bits is not None:
            _bits("adc.bits", self.bits)
        _require(
            self.type != "sense-amplifier" or self.bits == 1, f"adc.bits: a sense amplifier has 1 bit, got {self.bits}"
        )
        _require(
            self.full_scale is None or (self.full_scale > 0 and self.range == "fixed"),
            f"adc.full_scale: expected above 0 and with range 'fixed', got {self.full_scale} with {self.range!r}",
        )
        _require(0 < self.coverage <= 1, f"adc.coverage: expected above 0 and at most 1, got {self.coverage!r}")
        for name in ("noise", "dnl"):
            _require(getattr(self, name) >= 0, f"adc.{name}: expected at least 0, got {getattr(self, name)!r}")
        imperfect = self.inl or self.dnl or self.noise
        _require(
            self.bits is not None or not imperfect,
            "adc.bits: a converter with inl, dnl or noise needs a number of bits, got None",
        )


@dataclass(frozen=True)
class ArrayConfig:
    """An array of ``rows`` × ``columns`` cells and all that surrounds it.

    ``slices``: the slices (and the cells of a pair) of a weight stand side by side in one array, or each in an array
    of its own.  ``accumulate``: what is added in the analog domain before it is converted.
    """

    rows: int = 128
    columns: int = 128
    weights: WeightCode = field(default_factory=WeightCode)
    inputs: InputCode = field(default_factory=InputCode)
    adc: AdcConfig = field(default_factory=AdcConfig)
    dac: DacConfig = field(default_factory=DacConfig)
    cell: Device = field(default_factory=ideal_cell)
    wires: Wires | None = None
    slices: Literal["side-by-side", "array-each"] = "side-by-side"
    accumulate: Accumulate = "none"
    read_voltage_v: float = 0.2
    read_time_s: float | None = None
    """How long a read lasts; None: as long as in the source of the device."""
    tolerance: float | None = None
    """Write-and-verify: cells are programmed until they are within this share; None: one shot."""
    tolerance_of: Literal["value", "range"] = "value"
    """Whether that is a share of the target or of Gmax - Gmin."""
    effects: frozenset[Effect] = EFFECTS

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            size = getattr(self, name)
            _require(isinstance(size, int) and 1 <= size <= MAX_SIZE, f"{name}: expected 1 to {MAX_SIZE}, got {size!r}")
        _choice("slices", self.slices, Literal["side-by-side", "array-each"])
        _choice("accumulate", self.accumulate, Accumulate)
        unknown = sorted(set(self.effects) - EFFECTS)
        _require(not unknown, f"effects: unknown {', '.join(unknown)}; there are {', '.join(sorted(EFFECTS))}")
        for name in ("read_voltage_v", "read_time_s"):
            value = getattr(self, name)
            _require(value is None or value > 0, f"{name}: expected above 0, got {value!r}")
        _require(self.tolerance is None or self.tolerance > 0, f"tolerance: expected above 0, got {self.tolerance!r}")
        flipped = self.weights.scheme == "flipped" and "slices" in self.accumulate
        _require(not flipped, "accumulate: flipped columns are flipped slice by slice and cannot be added before that")

    def has(self, effect: Effect) -> bool:
        """Whether an effect is switched on."""
        return effect in self.effects
