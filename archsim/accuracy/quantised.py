"""Weights and inputs as the whole numbers that a tile takes, and the network computed in them without arrays.

A weight w stands as round(w / s_w), with s_w so that the largest magnitude of the output's column, or of the layer, is
the largest number; an input x as round(x / s_x) + z, cut off at the ends of the range that a few samples showed.  z is
0 but for unsigned codes of inputs that can be negative.  Then

    Σ x w ≈ s_x s_w (Σ X W - z Σ W)

with whole numbers X, W, whose sums are exact in float64 up to 2^53.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.accuracy.layers import Array, Recorder, WeightLayer
from archsim.errors import NumericError
from archsim.numeric.config import ArrayConfig

__all__ = ["Quantised", "QuantisedLayer", "Scale", "quantised_layers"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SCALE_BITS = 12
"""Bits of a scale: what the last bits of a library's sums come to does not reach them."""


@dataclass(frozen=True)
class Scale:
    """What one step of a layer's weights, by output, and of its inputs stands for; and the input that stands for 0."""

    weight: Floats
    input: float
    zero: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        steps = self.weight.tolist()
        return {"weight": steps if len(set(steps)) > 1 else steps[0], "input": self.input, "zero": self.zero}


@dataclass(frozen=True)
class QuantisedLayer:
    """A layer in whole numbers: ``weights`` [groups, K, M]; ``samples`` [B, groups × K]: inputs to calibrate with."""

    layer: WeightLayer
    scale: Scale
    weights: Integers
    samples: Integers
    range: tuple[int, int]

    def inputs(self, x: Array) -> Integers:
        """Inputs in whole numbers, cut off at the ends of their range."""
        steps = np.rint(np.asarray(x, np.float64) / self.scale.input) + self.scale.zero
        return np.asarray(np.clip(steps, *self.range), np.int64)

    def product(self, whole: Integers) -> Floats:
        """The exact product of whole inputs."""
        return np.asarray(self.layer.product(whole.astype(np.float64), self.weights.astype(np.float64)), np.float64)

    def real(self, sums: Floats, dtype: Any) -> Array:
        """Sums of whole numbers as what they stand for, in ``dtype``."""
        if self.scale.zero:
            sums = sums - self.scale.zero * self.weights.sum(1).reshape(-1).astype(np.float64)
        return (sums * (self.scale.input * self.scale.weight)).astype(dtype)


@dataclass(frozen=True)
class Quantised:
    """The network in whole numbers, by digital arithmetic."""

    layers: Mapping[int, QuantisedLayer]

    def multiply(self, layer: WeightLayer, x: Array, first: int) -> Array:
        """The product of the rounded numbers."""
        own = self.layers[layer.index]
        return own.real(own.product(own.inputs(x)), x.dtype)


def quantised_layers(
    layers: list[WeightLayer], record: Recorder, config: ArrayConfig, by_column: bool = True
) -> dict[int, QuantisedLayer]:
    """All ``layers`` in the numbers of ``config``, their ranges from what ``record`` saw.

    The weights of each output have a step of their own, or with ``by_column`` off those of a layer one for all.
    NumericError if a layer was not reached, or has weights or inputs that are no finite numbers.
    """
    return {layer.index: _quantised(layer, record, config, by_column) for layer in layers}


def _quantised(layer: WeightLayer, record: Recorder, config: ArrayConfig, by_column: bool) -> QuantisedLayer:
    if layer.index not in record.seen:
        raise NumericError(f"{layer.name}: no sample reached the layer, so the range of its inputs is unknown")
    seen, code = record.seen[layer.index], config.inputs
    largest = float(np.abs(layer.weights).max()) if layer.weights.size else 0.0
    if not (math.isfinite(largest) and math.isfinite(seen.low) and math.isfinite(seen.high)):
        raise NumericError(
            f"{layer.name}: expected finite weights and inputs, got {largest} and {seen.low}, {seen.high}"
        )
    top = min(config.weights.high, -config.weights.low) or 1
    sizes = np.abs(layer.weights).max(1) if by_column else np.full(layer.weights.shape[::2], largest)
    weight = np.array([_tidy(float(size) / top) for size in sizes.ravel()])
    if code.scheme == "unsigned":
        low, high = min(seen.low, 0.0), max(seen.high, 0.0)
        step = _tidy((high - low) / code.high)
        zero = round(-low / step)
    else:
        step, zero = _tidy(max(seen.high, -seen.low) / max(code.high, 1)), 0
    scale = Scale(weight, step, zero)
    whole = np.clip(np.rint(layer.weights.astype(np.float64) / weight.reshape(sizes.shape)[:, None]), -top, top).astype(
        np.int64
    )
    own = QuantisedLayer(layer, scale, whole, np.zeros((0, 0), np.int64), (code.low, code.high))
    return QuantisedLayer(layer, scale, whole, own.inputs(seen.rows()), own.range)


def _tidy(step: float) -> float:
    """The next number of ``SCALE_BITS`` bits that is not below ``step``; 1 for 0."""
    if step == 0.0:
        return 1.0
    mantissa, exponent = math.frexp(step)
    return math.ldexp(math.ceil(math.ldexp(mantissa, SCALE_BITS)), exponent - SCALE_BITS)
