"""The cells of a matrix: what they were programmed to, what they came to, and what they are later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.numeric.config import ArrayConfig
from archsim.numeric.devices import Programmed
from archsim.numeric.devices.device import EFFECTS
from archsim.numeric.encode import Levels, planes

__all__ = ["Cells", "State", "generator", "program_cells"]

Floats = NDArray[np.float64]

PROGRAM, STUCK, LATER, EDGES = range(4)
"""What a stream derived from the seed is for: effects that are switched on or off leave the others as they were."""

EXTRA = 2
"""Columns beside those of the weights: the unit column and the reference column."""


def generator(seed: int, purpose: int) -> np.random.Generator:
    """A stream of its own for each purpose."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, purpose], np.uint64)))


class State(NamedTuple):
    """Conductances of the weights' cells [planes, K, M] and of the extra columns [2, K], and the deviation of a read of
    each [planes × M + 2, K], None where reads have no noise."""

    g_s: Floats
    extra_s: Floats
    sigma_s: Floats | None


@dataclass(frozen=True)
class Cells:
    """Targets and conductances in siemens [planes × M + 2, K], and what programming took."""

    shape: tuple[int, int, int]
    target_s: Floats
    programmed: Programmed
    stuck_s: Floats | None

    def state(self, config: ArrayConfig, seconds: float, kelvin: float | None, seed: int) -> State:
        """The cells ``seconds`` after programming, at ``kelvin``."""
        device = config.cell.only(*_device_effects(config))
        g_s = self.programmed.g_s
        if not (config.has("temperature") and "temperature" in config.cell.effects):
            kelvin = None
        if seconds > 0 or kelvin is not None:
            g_s = device.at(g_s, self.target_s, seconds, kelvin, generator(seed, LATER))
        if self.stuck_s is not None:
            g_s = np.where(np.isnan(self.stuck_s), g_s, self.stuck_s)
        sigma_s = None
        if "read_noise" in device.effects:
            sigma_s = device.read_sigma_s(g_s, self.target_s, seconds, config.read_time_s)
        count, rows, outputs = self.shape
        weights = g_s[:-EXTRA].reshape(count, outputs, rows).transpose(0, 2, 1)
        return State(weights, g_s[-EXTRA:], sigma_s)


def _device_effects(config: ArrayConfig) -> list[str]:
    """Those that are not switched off; what a device's source does not give is refused where it is asked for."""
    return [effect for effect in EFFECTS if effect in config.effects]


def program_cells(levels: Levels, config: ArrayConfig, seed: int) -> Cells:
    """Program the cells of ``levels``, the unit column to level 1 and the reference column to Gmin."""
    device = config.cell.only(*_device_effects(config))
    count, rows, outputs = levels.cells.shape
    tops = np.array([plane.top for plane in planes(config.weights)])
    share = (levels.cells / tops[:, None, None]).transpose(0, 2, 1).reshape(-1, rows)
    extra = np.array([1.0 / tops[0], 0.0])[:, None] * np.ones(rows)
    span = device.g_max_s - device.g_min_s
    target_s = np.minimum(device.g_min_s + np.concatenate([share, extra]) * span, device.g_max_s)
    if "levels" in device.effects:
        target_s = device.quantised(target_s)
    rng = generator(seed, PROGRAM)
    programmed = (
        device.programmed(target_s, rng)
        if config.tolerance is None
        else device.written(target_s, config.tolerance, rng, of=config.tolerance_of)
    )
    stuck_s = device.stuck_s(target_s.shape, generator(seed, STUCK)) if "stuck" in device.effects else None
    return Cells((count, rows, outputs), target_s, programmed, stuck_s)
