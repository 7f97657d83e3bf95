"""How far a matrix is from the integer product, and because of what."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archsim.numeric.config import ArrayConfig, Effect

if TYPE_CHECKING:
    from archsim.numeric.cells import Cells
    from archsim.numeric.devices import Device

__all__ = ["WORDS", "Cause", "Report", "active", "causes", "programming", "snr_db", "with_effects"]

Floats = NDArray[np.float64]
ReadWith = Callable[[frozenset[Effect]], Floats]

WORDS: dict[Effect, str] = {
    "levels": "levels of the cell",
    "programming": "programming error",
    "stuck": "stuck cells",
    "retention": "drift and retention",
    "temperature": "temperature",
    "read_noise": "read noise",
    "nonlinear_iv": "nonlinear I-V",
    "wires": "wire resistance",
    "dac": "DAC",
    "adc": "ADC resolution and range",
    "adc_linearity": "ADC nonlinearity",
    "adc_noise": "ADC noise",
}
"""Each effect in words, in the order of tables."""


@dataclass(frozen=True)
class Cause:
    """An effect with all others off: the root mean square of its error in units of the product, its SNR in dB (None if
    there is no error), and its power relative to that of all effects together (None if those make no error)."""

    effect: str
    error_rms: float
    snr_db: float | None
    share: float | None


@dataclass(frozen=True)
class Report:
    """What a batch came to: SNR = Σ product² / Σ error² in dB (None without error), the share of conversions out of
    range, the error of each cause alone, and what programming took."""

    snr_db: float | None
    error_rms: float
    product_rms: float
    saturation_share: float
    clipped: dict[str, int]
    conversions: int
    causes: tuple[Cause, ...]
    programming: dict[str, Any]
    grid: tuple[float, ...]
    """The resolution of the conductances in level steps, by row block."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        causes = [vars(cause) for cause in self.causes]
        return {**vars(self), "causes": causes, "grid": list(self.grid)}


def snr_db(product: Floats, outputs: Floats) -> float | None:
    """10 log10 (Σ product² / Σ (outputs - product)²); None without error."""
    error = float(np.square(outputs - product).sum())
    signal = float(np.square(product).sum())
    return 10.0 * math.log10(signal / error) if error > 0 and signal > 0 else None


def active(config: ArrayConfig, seconds: float, kelvin: float | None) -> list[Effect]:
    """The effects that are on and can do something in this configuration."""
    here: dict[Effect, bool] = {effect: effect in config.cell.effects for effect in WORDS}
    here["retention"] = here["retention"] and seconds > 0
    here["temperature"] = here["temperature"] and kelvin is not None
    here["wires"] = config.wires is not None
    here["dac"] = config.dac.inl != 0 or config.dac.noise > 0
    here["adc"] = config.adc.bits is not None
    here["adc_linearity"] = config.adc.inl != 0 or config.adc.dnl > 0
    here["adc_noise"] = config.adc.noise > 0
    return [effect for effect in WORDS if here[effect] and config.has(effect)]


def causes(effects: list[Effect], product: Floats, outputs: Floats, read: ReadWith) -> tuple[Cause, ...]:
    """Each of ``effects`` alone; ``read`` gives the outputs with some effects only."""
    total = float(np.square(outputs - product).sum())
    out = []
    for effect in effects:
        alone = read(frozenset({effect}))
        power = float(np.square(alone - product).sum())
        rms = math.sqrt(power / product.size)
        out.append(Cause(effect, rms, snr_db(product, alone), power / total if total else None))
    return tuple(out)


def programming(cells: Cells, device: Device) -> dict[str, Any]:
    """Operations, seconds, joules, given-up and worn-out cells of programming; None where the device's source does not
    say.  ``seconds`` adds up the pulses of all cells, as if they were programmed one after the other."""
    done = cells.programmed
    knows_wear = done.pulses is not None and device.endurance is not None
    return {
        "cells": int(done.g_s.size),
        "pulses": None if done.pulses is None else int(done.pulses.sum()),
        "most_pulses": None if done.pulses is None else int(done.pulses.max()),
        "seconds": None if done.seconds is None else float(done.seconds.sum()),
        "energy_j": None if done.energy_j is None else float(done.energy_j.sum()),
        "failed": int(done.failed.sum()),
        "worn": int(device.worn(done.pulses).sum()) if done.pulses is not None and knows_wear else None,
    }


def with_effects(config: ArrayConfig, effects: frozenset[Effect]) -> ArrayConfig:
    """``config`` with these effects and no others."""
    return replace(config, effects=effects & config.effects)
