"""Real weights on differential pairs of devices: what they can be, what is programmed for them, what is held then.

A weight is a share of the range, w = (g+ - g-) / (g_max - g_min), and the device of a pair that is not needed stays at
g_min.  Where one device of a pair is known to be stuck at s, the other makes up for it as far as its own range reaches:
with g+ stuck, w lies between (s - g_max) and (s - g_min), both over the range, and g- = s - w (g_max - g_min).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from archsim.accuracy.training import Errors
from archsim.errors import NumericError
from archsim.numeric.devices import Device
from archsim.numeric.matrix import ProgrammedMatrix

__all__ = ["Pairs", "device_errors", "stuck_cells"]

Floats = NDArray[np.float64]


def stuck_cells(matrix: ProgrammedMatrix) -> Floats:
    """Where the cells of the pairs of ``matrix`` are stuck, in siemens: [2, K, M], positive cells first, NaN for sound
    ones.  A test of the arrays before anything is trained for them would find the same."""
    if matrix.config.weights.scheme != "differential" or len(matrix.config.weights.widths) != 1:
        raise NumericError("stuck cells of pairs: expected differential weights of one slice")
    rows, outputs = matrix.shape
    if matrix.cells.stuck_s is None:
        return np.full((2, rows, outputs), np.nan)
    return matrix.cells.stuck_s[: 2 * outputs].reshape(2, outputs, rows).transpose(0, 2, 1)


@dataclass(frozen=True)
class Pairs:
    """The pairs of a matrix: their device, and where its cells are known to be stuck ([2, …, K, M] in siemens, NaN for
    sound cells; None if nothing is known)."""

    device: Device
    stuck_s: Floats | None = None

    @property
    def span_s(self) -> float:
        """The range of a device."""
        return self.device.g_max_s - self.device.g_min_s

    def limits(self) -> tuple[Floats | float, Floats | float]:
        """The lowest and the highest weight of each pair."""
        if self.stuck_s is None:
            return -1.0, 1.0
        low = np.where(np.isnan(self.stuck_s), self.device.g_min_s, self.stuck_s)
        high = np.where(np.isnan(self.stuck_s), self.device.g_max_s, self.stuck_s)
        return (low[0] - high[1]) / self.span_s, (high[0] - low[1]) / self.span_s

    def command(self, weights: Floats) -> Floats:
        """The weights to program, in a pair of sound devices, so that each pair comes to ``weights`` with the devices
        that are stuck; the sound device of such a pair gets what the stuck one leaves to do."""
        if self.stuck_s is None:
            return weights
        above = (self.stuck_s - self.device.g_min_s) / self.span_s
        known = np.where(np.isnan(above), 0.0, above)
        asked = np.where(np.isnan(above).all(0), weights, weights - known[0] + known[1])
        return np.asarray(np.clip(asked, -1.0, 1.0))

    def targets_s(self, weights: Floats) -> Floats:
        """Target conductances [2, …, K, M] of the weights that are programmed."""
        both = np.stack([np.maximum(weights, 0.0), np.maximum(-weights, 0.0)])
        return np.minimum(self.device.g_min_s + both * self.span_s, self.device.g_max_s)

    def held(self, conductances_s: Floats) -> Floats:
        """The weights of conductances [2, …, K, M]; cells that are known to be stuck stay where they are."""
        g_s = conductances_s
        if self.stuck_s is not None:
            g_s = np.where(np.isnan(self.stuck_s), g_s, self.stuck_s)
        return np.asarray((g_s[0] - g_s[1]) / self.span_s)


def device_errors(pairs: Sequence[Pairs], rng: Generator, tolerance: float | None = None) -> Errors:
    """The errors of programming for noise-aware training: at each call, weights of all layers as devices that are
    programmed anew would hold them.

    With ``tolerance`` (a share of the value) cells are written and verified, else programmed once.  Cells that are
    known to be stuck are so each time.  If a layer's are not known, the device's share of cells is stuck, elsewhere
    each time.
    """

    def drawn(weights: tuple[Floats, ...]) -> tuple[Floats, ...]:
        return tuple(_programmed(layer, w, rng, tolerance) for layer, w in zip(pairs, weights, strict=True))

    return drawn


def _programmed(layer: Pairs, weights: Floats, rng: Generator, tolerance: float | None) -> Floats:
    targets = layer.targets_s(layer.command(weights))
    device = layer.device
    done = device.programmed(targets, rng) if tolerance is None else device.written(targets, tolerance, rng)
    g_s = done.g_s
    if layer.stuck_s is None and "stuck" in device.effects:
        stuck_s = device.stuck_s(targets.shape, rng)
        g_s = np.where(np.isnan(stuck_s), g_s, stuck_s)
    return layer.held(g_s)
