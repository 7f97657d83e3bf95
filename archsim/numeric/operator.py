"""From conductances to the matrices that a batch is multiplied by: one for each block of rows.

A sum is measured in units: the current of one level step (Gmax - Gmin) / (2^width - 1) at one step of the DAC.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.errors import NumericError
from archsim.numeric.config import ArrayConfig
from archsim.numeric.drive import Steps
from archsim.numeric.encode import planes, row_blocks
from archsim.numeric.grid import Gridded, on_grid
from archsim.numeric.sums import UNIT, Group

__all__ = ["DRIVE_BITS", "Block", "blocks_of", "leakage_of", "read_levels"]

Floats = NDArray[np.float64]

DRIVE_BITS = 12
"""Bits behind the point of wordline values that imperfect drivers make."""

COARSEST = 2.0**-6
"""The coarsest grid of conductances in units of a level step for which float32 is taken."""

TIDY_BITS = 40
"""Behind these bits stands what rounding leaves of whole levels on their way through siemens."""

UNIT_COLUMN, REFERENCE_COLUMN = 0, 1


@dataclass(frozen=True)
class Block:
    """A block of rows: the matrix [rows × read levels, columns] of its sums, groups one after the other, and that of
    their variances [rows, columns], if cells are read with noise."""

    rows: slice
    matrix: Gridded
    variance: Gridded | None


def leakage_of(config: ArrayConfig) -> float:
    """Gmin / (Gmax - Gmin) where the current of the off-state reaches the converters, else 0."""
    removed = config.weights.reference == "column"
    if config.weights.scheme == "differential":
        removed = config.weights.subtract == "analog"
    return 0.0 if removed else config.cell.g_min_s / (config.cell.g_max_s - config.cell.g_min_s)


def read_levels(config: ArrayConfig) -> tuple[int, ...]:
    """The wordline digits that need a matrix of their own: all of them where the current is not linear in voltage."""
    top = int(2**config.inputs.dac_bits) - 1
    if _linear(config) or config.inputs.drive == "pulse-width" or top == 1:
        return (top,)
    if top > 15:
        raise NumericError(
            f"cell {config.cell.name}: its current is not linear in voltage, which is simulated for amplitudes of up "
            f"to 4 bits, got {config.inputs.dac_bits}; drive pulse widths, or switch the effect 'nonlinear_iv' off"
        )
    return tuple(range(1, top + 1))


def blocks_of(
    config: ArrayConfig, groups: tuple[Group, ...], steps: Steps, g_s: Floats, extra_s: Floats, sigma_s: Floats | None
) -> tuple[Block, ...]:
    """The blocks of a matrix of conductances.

    ``g_s`` [planes, K, M]; ``extra_s`` [2, K]: the unit and the reference column; ``sigma_s`` [planes × M + 2, K]: the
    deviation of one read of each of these cells, in that order, or None.
    """
    flat = np.concatenate([g_s.transpose(0, 2, 1).reshape(-1, g_s.shape[1]), extra_s])  # [columns, K]
    out = []
    for rows in row_blocks(g_s.shape[1], config.rows):
        at_levels, ratios = [], None
        for level in read_levels(config):
            linear = _at_level(config, flat[:, rows], level)
            through = _through_wires(config, linear, g_s.shape[2])
            at_levels.append(_sums(config, groups, through, g_s.shape[2]))
            ratios = np.divide(through, linear, out=np.ones_like(linear), where=linear > 0)
        spare = DRIVE_BITS if _analog_drive(config) else 0
        matrix = on_grid(np.concatenate(at_levels), float(steps.top), spare, COARSEST)
        variance = None
        if sigma_s is not None and ratios is not None:
            cells = np.square(sigma_s[:, rows] * ratios)
            spread = _sums(config, groups, cells, g_s.shape[2], squared=True)
            top = float(steps.square_top(config.inputs.drive == "pulse-width"))
            variance = on_grid(spread, top, 0, max(float(spread.max()) / 256.0, 2.0**-30))
        out.append(Block(rows, matrix, variance))
    return tuple(out)


def _linear(config: ArrayConfig) -> bool:
    return not config.has("nonlinear_iv") or "nonlinear_iv" not in config.cell.effects


def _analog_drive(config: ArrayConfig) -> bool:
    return config.has("dac") and (config.dac.inl != 0 or config.dac.noise > 0)


def _at_level(config: ArrayConfig, g_s: Floats, level: int) -> Floats:
    """The conductances as they are at the voltage of a wordline digit: I(V) / V."""
    if _linear(config):
        return g_s
    top = int(2**config.inputs.dac_bits) - 1
    pulses = config.inputs.drive == "pulse-width"
    volts = config.read_voltage_v * (1.0 if pulses else level / top)
    return config.cell.current_a(g_s, volts) / volts


def _through_wires(config: ArrayConfig, columns: Floats, outputs: int) -> Floats:
    """The columns [columns, rows] as the wires let them be read, array by array."""
    if config.wires is None or not config.has("wires"):
        return columns
    from archsim.numeric.wires import transfer_matrix  # noqa: PLC0415

    out = columns.copy()
    for members in _arrays(config, outputs):
        array = np.full((config.rows, max(config.columns, len(members))), config.cell.g_min_s)
        array[: columns.shape[1], : len(members)] = columns[members].T
        out[members] = transfer_matrix(array, config.wires)[: columns.shape[1], : len(members)].T
    return out


def _arrays(config: ArrayConfig, outputs: int) -> list[NDArray[np.int64]]:
    """The columns that stand in each array, as indices plane × outputs + output; extra columns in the first."""
    cells = len(planes(config.weights))
    index = np.arange(cells * outputs).reshape(cells, outputs)
    if config.slices == "side-by-side":
        each = config.columns // cells
        arrays = [index[:, at : at + each].T.ravel() for at in range(0, outputs, each)]
    else:
        arrays = [row[at : at + config.columns] for row in index for at in range(0, outputs, config.columns)]
    extra = [cells * outputs + UNIT_COLUMN] if config.weights.unit_column else []
    extra += [cells * outputs + REFERENCE_COLUMN] if _subtracts(config) else []
    return [np.concatenate([arrays[0], np.array(extra, np.int64)]), *arrays[1:]]


def _subtracts(config: ArrayConfig) -> bool:
    """Whether a column of cells at Gmin is subtracted before conversion."""
    return config.weights.scheme != "differential" and config.weights.reference == "column"


def _sums(
    config: ArrayConfig, groups: tuple[Group, ...], columns: Floats, outputs: int, squared: bool = False
) -> Floats:
    """The matrix [rows, columns of all groups] in units, or in units² for ``squared`` deviations, which add up."""
    cells = planes(config.weights)
    span = config.cell.g_max_s - config.cell.g_min_s
    split = columns[: len(cells) * outputs].reshape(len(cells), outputs, -1)
    unit, reference = columns[-2:]
    out = []
    for group in groups:
        width = cells[0] if group.name == UNIT else None
        total = np.zeros((columns.shape[1], 1 if width else outputs))
        factors = 0.0
        for k, weight in zip(group.planes, group.weights, strict=True):
            cell = width or cells[k]
            factor = weight * cell.top / span
            part = unit[:, None] if width else split[k].T
            total += (factor**2 if squared else factor) * part
            factors += factor
        if _subtracts(config):
            total += (factors**2 if squared else -factors) * reference[:, None]
        out.append(np.ldexp(np.rint(np.ldexp(total, TIDY_BITS)), -TIDY_BITS))
    return np.concatenate(out, axis=1)
