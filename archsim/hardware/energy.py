"""The power of a row at the chip's peak, also of rows that are given by the energy of an action.

A row with a ``power`` takes that.  One with an ``energy`` takes it for every action: those of an MVM that fills the
arrays of the core, each interval between two MVMs,

    crossbar        arrays · steps reads                       sample-and-hold   arrays · columns · steps samples
    DAC             count · steps drives                       integrator, ADC,  arrays · conversions · steps
                                                               shift-add
    transimpedance amplifier, analog buffer                    arrays · columns · steps

(reads and drives as often as ``drive_again`` has it; drives of one group of rows at a time; of Karatsuba's products the
arrays that are read), and every other row as many actions a second as its rate or bandwidth allows.
"""

from __future__ import annotations

from fractions import Fraction

from archsim.hardware.mvm import (
    arrays_in_use,
    conversions_per_read,
    crossbar,
    input_steps,
    mvm_timing,
    reading_share,
    reads_per_step,
    row_groups,
)
from archsim.spec.component import Component
from archsim.spec.tile import Core, Tile
from archsim.units import PICOSECONDS

__all__ = ["actions_per_mvm", "peak_power_w"]

EACH_COLUMN = ("sample-hold", "transimpedance", "analog-buffer")
"""Kinds that act once for each column and input step."""

EACH_CONVERSION = ("integrator", "adc", "shift-add")
"""Kinds that act once for each column that is converted, and input step."""

PER_MVM = ("crossbar", "dac", *EACH_COLUMN, *EACH_CONVERSION)
"""Kinds of which an MVM takes a number of actions that its arrays and steps determine."""


def actions_per_mvm(core: Core, row: Component) -> Fraction:
    """Unit actions of ``row``, one of the kinds PER_MVM, in one MVM of all arrays of ``core``."""
    array, steps, reads = crossbar(core), input_steps(core), reads_per_step(core)
    arrays = arrays_in_use(core)
    if row.kind in EACH_CONVERSION:
        return steps * arrays * conversions_per_read(core)
    drives = Fraction(row.count * reads * arrays, row_groups(core) * array.count)
    each = {"crossbar": Fraction(arrays * reads), "dac": drives}
    return steps * reading_share(core) * each.get(row.kind, Fraction(arrays * array.columns))


def peak_power_w(tile: Tile, level: str, row: Component) -> float:
    """Power in W of ``row`` of ``level`` (core, tile or chip) with every array of ``tile`` busy."""
    if not row.by_action:
        return row.power_w()
    cycle_ps = tile.core.cycle_ps if level == "core" else tile.cycle_ps
    rate = row.actions_per_s(cycle_ps)
    if level == "core" and row.kind in PER_MVM:
        rate = actions_per_mvm(tile.core, row) * PICOSECONDS / mvm_timing(tile).interval_ps
    return row.energies_j(cycle_ps)[row.unit_action] * float(rate) / row.shared_by
