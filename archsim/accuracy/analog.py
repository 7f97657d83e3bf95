"""The weight layers of a network on the arrays of a tile, cell by cell: what the analog arithmetic returns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from archsim.accuracy.layers import Array, WeightLayer
from archsim.accuracy.quantised import Integers, QuantisedLayer
from archsim.compile.slicing import SlotShape
from archsim.errors import NumericError
from archsim.numeric.config import ArrayConfig
from archsim.numeric.encode import planes, row_blocks
from archsim.numeric.matrix import ProgrammedMatrix, program

__all__ = ["NOW", "Analog", "Fidelity", "Moment"]

CALIBRATION_SUMS = 1 << 24
"""Sums of one calibration, at the most; the inputs are as few as that takes."""


@dataclass(frozen=True)
class Moment:
    """When and how warm arrays are read: seconds after programming, and kelvin (None: as in the device's source)."""

    seconds: float = 0.0
    kelvin: float | None = None


NOW = Moment()


@dataclass
class Fidelity:
    """How close the products of a layer are to those of the same whole numbers, and what its converters saw."""

    signal: float = 0.0
    error: float = 0.0
    clipped: int = 0
    conversions: int = 0

    @property
    def snr_db(self) -> float | None:
        """10 log10(Σ product² / Σ error²); None without error."""
        if not (self.error > 0 and self.signal > 0):
            return None
        return 10.0 * math.log10(self.signal / self.error)

    @property
    def saturation(self) -> float:
        """The share of conversions out of range."""
        return self.clipped / self.conversions if self.conversions else 0.0


@dataclass(frozen=True)
class _Part:
    """Neighbouring groups that share arrays, on the diagonal of one matrix."""

    inputs: slice
    outputs: slice
    matrix: ProgrammedMatrix


@dataclass(frozen=True)
class Analog:
    """The network on arrays of ``config``.

    Grouped convolutions stand in the arrays as :mod:`archsim.compile.slicing` lays them out: block-diagonally, as many
    groups as one slot holds; cells off the diagonal are at level 0 and have the errors of such cells.
    """

    config: ArrayConfig
    layers: Mapping[int, QuantisedLayer]
    parts: Mapping[int, Sequence[_Part]]
    fidelity: dict[int, Fidelity] = field(default_factory=dict)

    @classmethod
    def programmed(
        cls,
        config: ArrayConfig,
        slot: SlotShape,
        layers: Mapping[int, QuantisedLayer],
        seed: int,
        moment: Moment = NOW,
    ) -> Analog:
        """All layers programmed with the random numbers of ``seed``, their converters calibrated if the tile says so.

        NumericError names the layer.
        """
        parts = {}
        for index, own in layers.items():
            rng = np.random.default_rng([seed, index])
            try:
                parts[index] = [_program(own, groups, config, rng, moment) for groups in _shared(own.layer, slot)]
            except NumericError as error:
                raise NumericError(f"{own.layer.name}: {error}") from None
        return cls(config, layers, parts)

    def multiply(self, layer: WeightLayer, x: Array, first: int) -> Array:
        """The product as the arrays give it."""
        own = self.layers[layer.index]
        whole = own.inputs(x)
        sums = np.empty((len(x), layer.groups * layer.weights.shape[2]))
        seen = self.fidelity.setdefault(layer.index, Fidelity())
        for part in self.parts[layer.index]:
            reading = part.matrix.read(whole[:, part.inputs], first)
            sums[:, part.outputs] = reading.outputs
            seen.clipped += sum(reading.clipped.values())
            seen.conversions += reading.conversions
        product = own.product(whole)
        seen.signal += float(np.square(product).sum())
        seen.error += float(np.square(sums - product).sum())
        return own.real(sums, x.dtype)

    def ranges(self) -> dict[int, dict[str, tuple[float, float]]]:
        """Of calibrated converters, the range of each group of columns by layer, the widest of its parts."""
        found: dict[int, dict[str, tuple[float, float]]] = {}
        for index, parts in self.parts.items():
            for part in parts:
                for name, (low, high) in (part.matrix.ranges or {}).items():
                    least, most = found.setdefault(index, {}).get(name, (low, high))
                    found[index][name] = min(least, low), max(most, high)
        return found

    def programming(self) -> dict[str, Any]:
        """Cells; pulses, seconds and joules of programming them, None where the device's source does not say."""
        done = [part.matrix.cells.programmed for parts in self.parts.values() for part in parts]

        def total(values: list[Any]) -> float | None:
            return None if any(value is None for value in values) else float(sum(value.sum() for value in values))

        return {
            "cells": sum(d.g_s.size for d in done),
            "pulses": total([d.pulses for d in done]),
            "seconds": total([d.seconds for d in done]),
            "energy_j": total([d.energy_j for d in done]),
        }


def _shared(layer: WeightLayer, slot: SlotShape) -> list[range]:
    """Which groups stand together in one slot."""
    groups, k, m = layer.weights.shape
    along = max(min(slot.rows // k, slot.weights // m), 1) if groups > 1 else 1
    return [range(at, min(at + along, groups)) for at in range(0, groups, along)]


def _program(
    own: QuantisedLayer, groups: range, config: ArrayConfig, rng: np.random.Generator, moment: Moment
) -> _Part:
    first, last = own.layer.columns(groups[0]), own.layer.columns(groups[-1])
    inputs, outputs = slice(first[0].start, last[0].stop), slice(first[1].start, last[1].stop)
    whole = np.zeros((inputs.stop - inputs.start, outputs.stop - outputs.start), np.int64)
    for group in groups:
        rows, columns = own.layer.columns(group)
        at = slice(rows.start - inputs.start, rows.stop - inputs.start)
        whole[at, columns.start - outputs.start : columns.stop - outputs.start] = own.weights[group]
    matrix = program(whole, config, rng).at(moment.seconds or None, moment.kelvin)
    if config.adc.range == "calibrated" and config.adc.bits is not None:
        matrix = matrix.calibrate(_few(own.samples[:, inputs], whole, config))
    return _Part(inputs, outputs, matrix)


def _few(samples: Integers, weights: Integers, config: ArrayConfig) -> Integers:
    """As many of the samples as keep a calibration within ``CALIBRATION_SUMS``."""
    blocks = len(row_blocks(len(weights), config.rows))
    each = config.inputs.steps * len(planes(config.weights)) * weights.shape[1] * blocks
    most = max(CALIBRATION_SUMS // each, 1)
    if len(samples) <= most:
        return samples
    return samples[np.linspace(0, len(samples) - 1, most).astype(np.int64)]
