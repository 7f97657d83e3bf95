"""What it takes to load a network into its arrays: pulses, time and energy, as rows of a ledger.

Each cell is programmed until a read finds it within the tolerance, so that there is a read after each operation.
Energy of an operation is V² g t at the target conductance, as the device gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.errors import DeviceError
from archsim.numeric.encode import planes
from archsim.numeric.matrix import ProgrammedMatrix
from archsim.results import Ledger, LedgerRow

__all__ = ["Loading", "loading"]


@dataclass(frozen=True)
class Loading:
    """``ledger``: the rows of one loading of all layers.  ``at_least``: the source of the device does not say how many
    pulses a cell takes, and everything is counted for one pulse a cell.  ``one_by_one_s`` adds up the pulses of all
    cells; ``row_by_row_s`` takes the longest cell of each wordline."""

    ledger: Ledger
    cells: int
    pulses: int
    given_up: int
    one_by_one_s: float
    row_by_row_s: float
    at_least: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        sums = {key: value for key, value in vars(self).items() if key != "ledger"}
        return {**sums, "energy_j": self.ledger.total_j(), "ledger": self.ledger.records()}


def loading(matrices: Mapping[str, ProgrammedMatrix], read_time_s: float | None = None) -> Loading:
    """The loading of ``matrices`` by the name of their layers.

    Reads have a row of their own if ``read_time_s`` says how long one lasts; their time is left out of the sums.
    DeviceError if the device has no pulse, of a width and an amplitude (``pulse_s``, ``pulse_v``).
    """
    rows, at_least = [], False
    cells = pulses = given_up = 0
    one_by_one = row_by_row = 0.0
    for layer, matrix in matrices.items():
        device, done = matrix.config.cell, matrix.cells.programmed
        if device.pulse is None or device.pulse.volts is None:
            raise DeviceError(f"{device.name}: the cost of loading needs pulse_s and pulse_v, which are not given")
        own = slice(0, len(planes(matrix.config.weights)) * matrix.shape[1])  # the columns of the weights
        counts = np.ones(done.g_s.shape, np.int64) if done.pulses is None else done.pulses
        at_least = at_least or done.pulses is None
        counts, target_s = counts[own], matrix.cells.target_s[own]
        total, each_s = int(counts.sum()), device.pulse.width_s
        heat = float((device.pulse.volts**2 * target_s * counts).sum()) * each_s
        rows.append(LedgerRow(f"core.{layer}", device.operation, total, heat / total))
        if read_time_s is not None:
            volts = matrix.config.read_voltage_v
            read = float((volts**2 * done.g_s[own] * counts).sum()) * read_time_s
            rows.append(LedgerRow(f"core.{layer}", "verify read", total, read / total))
        cells, pulses, given_up = cells + counts.size, pulses + total, given_up + int(done.failed[own].sum())
        one_by_one += total * each_s
        row_by_row += int(counts.max(0).sum()) * each_s
    return Loading(Ledger(tuple(rows)), cells, pulses, given_up, one_by_one, row_by_row, at_least)
