"""Cells that are moved step by step: conductance against the number of pulses, for electrochemical cells.

The step shrinks linearly as the state nears a bound (w is the state on the source's own scale, up to the bounds
w_min < 0 < w_max):

    up:    w += d (1 - gamma_up w / w_max) (1 + sigma z)
    down:  w -= d (1 - gamma_down w / w_min) (1 + sigma z)

with a fresh standard normal z for each pulse, and d the step of that cell, ``step`` (1 + ``step_spread`` y) with one
standard normal y for each cell; w stays within the bounds.  Source: the linear-step device of IBM/aihwkit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from archsim.errors import DeviceError
from archsim.jit import helper
from archsim.numeric._jit import kernel
from archsim.numeric.devices._check import Floats
from archsim.numeric.devices.programming import Outcome

__all__ = ["LinearStep"]

Response = tuple[float, float, float, float, float, float, float]
"""Step, w_min, w_max, gamma_up / w_max, gamma_down / w_min, noise of a step, spread of steps over cells."""


@dataclass(frozen=True, slots=True)
class LinearStep:
    """Linear-step response; the bounds w_min and w_max stand for ``g_min_s`` and ``g_max_s``.

    Every cell starts at ``g_min_s``.  Cells take their random numbers one after another from the generator, so an array
    that is programmed in several calls along its first axis gets the same bytes as in one.
    """

    step: float | None
    """None if the source does not give it: nothing can be programmed then."""
    w_min: float
    w_max: float
    gamma_up: float
    gamma_down: float
    step_noise: float
    step_spread: float
    g_min_s: float
    g_max_s: float

    exact = False

    @property
    def patience(self) -> int:
        """Ten times the pulses of a mean step that span the range."""
        return math.ceil(10 * (self.w_max - self.w_min) / self._step)

    def sigma_s(self, target_s: Floats) -> Floats:
        """Closed form, without the bounds: the mean over cells of a product of independent factors, one a pulse.

        With c = gamma_up d / w_max, s = 1 - gamma_up w / w_max falls by the factor 1 - c (1 + sigma z) a pulse, so
        E[s] = s0 (1 - c)^n and E[s²] = s0² ((1 - c)² + c² sigma²)^n; the mean over d is taken by Gauss-Hermite
        quadrature.  For gamma_up = 0, n steps of d (1 + sigma z) add up.
        """
        n = self.pulses_to(target_s).astype(np.float64)[..., None]
        nodes, weights = np.polynomial.hermite_e.hermegauss(32)
        weights = weights / weights.sum()
        d = self._step * (1.0 + self.step_spread * nodes)
        if self.gamma_up == 0.0:
            mean, square, scale = n * d, (n * d) ** 2 + n * (d * self.step_noise) ** 2, 1.0
        else:
            c, scale = self.gamma_up * d / self.w_max, self.w_max / self.gamma_up
            s0 = 1.0 - self.gamma_up * self.w_min / self.w_max
            mean = s0 * (1.0 - c) ** n
            square = s0**2 * ((1.0 - c) ** 2 + (c * self.step_noise) ** 2) ** n
        variance = (square @ weights) - (mean @ weights) ** 2
        sigma: Floats = np.sqrt(np.maximum(variance, 0.0)) * scale * self._siemens_per_w
        return sigma

    def pulses_to(self, target_s: Floats) -> NDArray[np.int64]:
        """The whole number of mean steps from ``g_min_s`` that comes nearest to the target."""
        w = self._state(target_s)
        if self.gamma_up == 0.0:
            n = (w - self.w_min) / self._step
        else:
            away = self.w_max / self.gamma_up
            n = np.log((away - w) / (away - self.w_min)) / math.log1p(-self._step * self.gamma_up / self.w_max)
        return np.rint(n).astype(np.int64)

    def finished(self, target_s: Floats, tolerance_s: Floats | None, most: int) -> Floats:
        """The pulses of a mean cell from ``g_min_s``, whatever the tolerance: the scatter of steps is left out."""
        counts = np.maximum(self.pulses_to(target_s), 1).reshape(-1)
        share = np.mean(counts[:, None] <= np.arange(int(counts.max()) + 1), axis=0)
        return np.asarray(share, np.float64)

    def one_shot(self, target_s: Floats, rng: Generator) -> Outcome:
        """The pulses that a mean cell would need, without looking."""
        pulses = self.pulses_to(target_s)
        w = np.empty(target_s.shape)
        _count_up(w.reshape(-1), pulses.reshape(-1), self._response, rng)
        return Outcome(self._conductance(w), pulses, np.zeros(target_s.shape, np.bool_))

    def verified(self, target_s: Floats, tolerance_s: Floats, most: int, rng: Generator) -> Outcome:
        """Up or down by single pulses, read after each, until within the tolerance."""
        w = np.ascontiguousarray(self._state(target_s))
        width = np.ascontiguousarray(tolerance_s / self._siemens_per_w)
        pulses, failed = np.empty(w.shape, np.int64), np.empty(w.shape, np.bool_)
        flat = (w.reshape(-1), width.reshape(-1), pulses.reshape(-1), failed.reshape(-1))
        _approach(*flat, most, self._response, rng)
        return Outcome(self._conductance(w), pulses, failed)

    @property
    def _step(self) -> float:
        if self.step is None:
            raise DeviceError("the source gives no conductance step of a pulse; set 'steps', the pulses over the range")
        return self.step

    @property
    def _response(self) -> Response:
        up, down = self.gamma_up / self.w_max, self.gamma_down / self.w_min
        return (self._step, self.w_min, self.w_max, up, down, self.step_noise, self.step_spread)

    @property
    def _siemens_per_w(self) -> float:
        return (self.g_max_s - self.g_min_s) / (self.w_max - self.w_min)

    def _state(self, g_s: Floats) -> Floats:
        return self.w_min + (g_s - self.g_min_s) / self._siemens_per_w

    def _conductance(self, w: Floats) -> Floats:
        return np.clip(self.g_min_s + (w - self.w_min) * self._siemens_per_w, self.g_min_s, self.g_max_s)


@helper
def _moved(state: float, d: float, rise: bool, response: Response, rng: Generator) -> float:
    _, w_min, w_max, up, down, noise, _ = response
    size = d * (1.0 - up * state) if rise else -d * (1.0 - down * state)
    if noise != 0.0:
        size *= 1.0 + noise * rng.standard_normal()
    return min(max(state + size, w_min), w_max)


@helper
def _step_of_a_cell(response: Response, rng: Generator) -> float:
    step, spread = response[0], response[6]
    return step * (1.0 + spread * rng.standard_normal()) if spread != 0.0 else step


@kernel
def _count_up(w: Floats, pulses: NDArray[np.int64], response: Response, rng: Generator) -> None:
    for cell in range(w.size):
        d, state = _step_of_a_cell(response, rng), response[1]
        for _ in range(pulses[cell]):
            state = _moved(state, d, True, response, rng)
        w[cell] = state


@kernel
def _approach(
    w: Floats,
    width: Floats,
    pulses: NDArray[np.int64],
    failed: NDArray[np.bool_],
    most: int,
    response: Response,
    rng: Generator,
) -> None:
    for cell in range(w.size):
        d, state, count = _step_of_a_cell(response, rng), response[1], 0
        while abs(state - w[cell]) > width[cell] and count < most:
            state = _moved(state, d, state < w[cell], response, rng)
            count += 1
        failed[cell] = abs(state - w[cell]) > width[cell]
        w[cell], pulses[cell] = state, count
