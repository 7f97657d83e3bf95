"""The timing and the work of one matrix-vector multiplication (MVM) in a core, from its components.

An MVM passes the groups of ``core.pipeline``: those of ``before`` and ``after`` once, those of ``steps`` once
for each input step.  A group takes one cycle; one of ``steps`` takes as long as its members need for one input step,
where that is longer.  The groups are pipelined, so that with S steps and groups of equal duration d

    interval = S d                              (with overlap)
    latency  = (before + S + steps - 1 + after) d

Where sums add up over all input steps before they are converted, the converters work on them while those of the next
MVM add up: the interval is the same, and S - 1 more steps pass before the last is converted.

ISAAC (Shafiee et al., ISCA 2016, Fig. 4): 1 + (16 + 3 - 1) + 3 = 22 cycles of 100 ns, a new one every 16.
PUMA (Ankit et al., ASPLOS 2019): 16 + 3 - 1 = 18 stages of 128 ns = 2304 ns.

In a core with a mac-array, which has no input steps, an MVM is one block of weights: see :mod:`archsim.hardware.mac`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from archsim.components.adc import ADC
from archsim.components.crossbar import Crossbar
from archsim.components.dac import DAC
from archsim.components.rated import Operator
from archsim.errors import CompileError
from archsim.hardware.mac import mac_array, step_cycle_ps
from archsim.spec.base import kept
from archsim.spec.component import Component
from archsim.spec.tile import Core, Tile
from archsim.units import duration_ps

__all__ = [
    "MvmTiming",
    "adc",
    "arrays_in_use",
    "cells_per_weight",
    "conversions_per_read",
    "crossbar",
    "dac",
    "input_steps",
    "mvm_timing",
    "reading_share",
    "reads_per_step",
    "row_groups",
    "step_ps",
]


def crossbar(core: Core) -> Crossbar:
    """The array row of a core; CompileError for one with a mac-array."""
    if core.digital:
        raise CompileError("core.components: a mac-array has no crossbar, and its values are exact")
    row = core.the("crossbar")[1]
    assert isinstance(row, Crossbar)
    return row


def adc(core: Core) -> ADC:
    """The ADC row of a core."""
    row = core.the("adc")[1]
    assert isinstance(row, ADC)
    return row


def dac(core: Core) -> DAC:
    """The DAC row of a core."""
    row = core.the("dac")[1]
    assert isinstance(row, DAC)
    return row


def row_groups(core: Core) -> int:
    """Groups of rows of an array, which are driven one after another."""
    rows = crossbar(core).rows
    return -(-rows // min(core.encoding.rows_at_once or rows, rows))


def input_steps(core: Core) -> int:
    """Input steps of one MVM: ceil(input bits / DAC bits), twice that of the magnitude for inputs in two phases, and
    all of them again for each further group of rows."""
    return core.encoding.input_steps(dac(core).bits) * row_groups(core)


def cells_per_weight(core: Core) -> int:
    """Cells of one weight: its bit slices, ceil(weight bits / cell bits), of a differential pair two of each."""
    return core.encoding.cells(crossbar(core).cell_bits)


def arrays_in_use(core: Core) -> int:
    """Arrays of a core that hold weights: where each slice has an array of its own, whole sets of them."""
    count = crossbar(core).count
    if core.encoding.slices == "side-by-side":
        return count
    return count // cells_per_weight(core) * cells_per_weight(core)


def reading_share(core: Core) -> Fraction:
    """The share of its arrays that a core reads in an input step, on average: all but for Karatsuba's products."""
    return core.encoding.reading(crossbar(core).cell_bits, dac(core).bits)[0]


def conversions_per_read(core: Core, used_columns: int | None = None) -> Fraction:
    """ADC conversions for one array and one input step, on average; all columns are in use unless ``used_columns``
    says so.

    Differential pairs that are subtracted before conversion take one for two columns.  Sums that are accumulated in
    the analog domain over all slices of a weight take ``conversions_per_output`` for one weight, over all input steps
    as many once an MVM.  Karatsuba's products and speculation leave some out.
    """
    encoding = core.encoding
    return _sums(core, used_columns) * reading_share(core) * encoding.converting(dac(core).bits)


def _sums(core: Core, used_columns: int | None = None) -> Fraction:
    """The sums of an array that is read, which are converted as they are or after accumulation."""
    encoding, columns = core.encoding, crossbar(core).columns
    if used_columns is not None and not encoding.convert_unused_columns:
        columns = used_columns
    if "slices" in encoding.accumulate:
        return Fraction(columns * (encoding.conversions_per_output or 1), cells_per_weight(core))
    units = encoding.unit_columns if encoding.convert_unit_columns else 0
    return Fraction(encoding.conversions(columns) + units)


def _most_conversions(core: Core) -> Fraction:
    """Conversions for one array in the input step that takes the most; accumulated sums are converted evenly over all
    steps of the next MVM."""
    encoding = core.encoding
    most = encoding.reading(crossbar(core).cell_bits, dac(core).bits)[1]
    return _sums(core) * most * (encoding.converting(dac(core).bits) if "steps" in encoding.accumulate else 1)


def reads_per_step(core: Core, used_columns: int | None = None) -> int:
    """How often an array is read in one input step: once, or for each conversion that its converter has to do."""
    if not core.encoding.drive_again:
        return 1
    converters = Fraction(adc(core).count, crossbar(core).count)
    return math.ceil(conversions_per_read(core, used_columns) / converters)


@dataclass(frozen=True)
class MvmTiming:
    """Durations in ps of the groups of a core's pipeline, and what follows for one MVM."""

    before_ps: tuple[int, ...]
    steps_ps: tuple[int, ...]
    after_ps: tuple[int, ...]
    steps: int
    overlap: bool
    passes: int = 1
    """How often all input steps pass until the last sum is converted: twice if they are accumulated before."""

    @property
    def latency_ps(self) -> int:
        """From the start of the first group to the end of the last, for a single MVM."""
        return sum(self.before_ps) + self.core_latency_ps + sum(self.after_ps)

    @property
    def core_latency_ps(self) -> int:
        """The part of the latency between the groups ``before`` and ``after``."""
        return sum(self.steps_ps) + self.passes * (self.steps - 1) * max(self.steps_ps)

    @property
    def interval_ps(self) -> int:
        """Between the starts of two MVMs in the same arrays."""
        if not self.overlap:
            return self.latency_ps
        return max(self.steps * max(self.steps_ps), *self.before_ps, *self.after_ps, 1)

    @property
    def core_interval_ps(self) -> int:
        """Between the starts of two MVMs behind the groups ``before``.

        Without overlap an MVM gives way when it has left the groups ``after``; those of ``before`` follow then.
        """
        return self.interval_ps if self.overlap else self.latency_ps - sum(self.before_ps)


@kept
def mvm_timing(tile: Tile) -> MvmTiming:
    """The timing of one MVM that fills the arrays of a core of ``tile``."""
    core = tile.core

    def durations(groups: list[list[str]], stepped: bool) -> tuple[int, ...]:
        return tuple(_group_ps(tile, group, stepped) for group in groups)

    pipeline = core.pipeline
    if core.digital:
        cycles = (step_cycle_ps(tile),) * mac_array(core).step_cycles
        return MvmTiming(durations(pipeline.before, False), cycles, durations(pipeline.after, False), 1, True)
    return MvmTiming(
        durations(pipeline.before, False),
        durations(pipeline.steps, True),
        durations(pipeline.after, False),
        input_steps(core),
        pipeline.overlap,
        2 if "steps" in core.encoding.accumulate else 1,
    )


def _group_ps(tile: Tile, group: list[str], stepped: bool) -> int:
    needed = sum(step_ps(tile.core, tile.row(name)) for name in group) if stepped else 0
    return max(tile.core.cycle_ps, needed)


def step_ps(core: Core, row: Component) -> int:
    """The time in ps that a row needs for one input step of all arrays of the core; 0 where its time is not given."""
    arrays = arrays_in_use(core)
    if isinstance(row, ADC):
        return duration_ps(_most_conversions(core) * arrays, row.actions_per_s(core.cycle_ps))
    if row.kind == "shift-add" and isinstance(row, Operator):
        return duration_ps(_most_conversions(core) * arrays, row.capacity_per_s())
    if row.kind == "transimpedance" and row.time is not None:
        return -(-arrays * crossbar(core).columns // row.count) * row.time_ps(core.cycle_ps)
    pulses = 2**row.bits - 1 if isinstance(row, DAC) and core.encoding.drive == "pulse-width" else 1
    reads = reads_per_step(core) if row.kind in ("dac", "crossbar") else 1
    return pulses * reads * row.time_ps(core.cycle_ps) if row.time is not None else 0
