"""The layers of a network that hold weights: matrices by which a batch of vectors is multiplied, by some arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arithmetic", "Array", "InFloat", "Recorder", "Seen", "WeightLayer"]

Array = NDArray[Any]

KEPT_ROWS = 512
"""Inputs of a layer that are kept to calibrate converters with, at the most."""


@dataclass(frozen=True)
class WeightLayer:
    """A weight matrix of ``groups`` blocks, ``weights`` [groups, K, M]: inputs [B, groups × K] give [B, groups × M]."""

    index: int
    name: str
    operator: str
    weights: Array

    @property
    def groups(self) -> int:
        """Blocks on the diagonal; 1 for all but grouped convolutions."""
        return int(self.weights.shape[0])

    def columns(self, group: int) -> tuple[slice, slice]:
        """The inputs and the outputs of a group."""
        _, k, m = self.weights.shape
        return slice(group * k, (group + 1) * k), slice(group * m, (group + 1) * m)

    def product(self, x: Array, weights: Array) -> Array:
        """``x`` [B, groups × K] by ``weights``, which are laid out as this layer's own."""
        if self.groups == 1:
            return np.asarray(x @ weights[0])
        split = x.reshape(len(x), self.groups, -1).transpose(1, 0, 2)
        return np.ascontiguousarray((split @ weights).transpose(1, 0, 2)).reshape(len(x), -1)


class Arithmetic(Protocol):
    """How the weight layers of a network are computed."""

    def multiply(self, layer: WeightLayer, x: Array, first: int) -> Array:
        """``x`` [B, groups × K] by the weights of ``layer``: [B, groups × M], of the type of ``x``.

        ``first`` numbers the first of the vectors among all that the layer is ever given, so that noise does not
        depend on how samples are cut into batches.
        """
        ...


class InFloat:
    """The network as its file has it, in the floating point of its tensors."""

    def multiply(self, layer: WeightLayer, x: Array, first: int) -> Array:
        """The product."""
        return layer.product(x, layer.weights.astype(x.dtype, copy=False))


@dataclass
class Seen:
    """What went into a layer: its least and greatest input, and some of the vectors."""

    low: float = np.inf
    high: float = -np.inf
    parts: list[Array] = field(default_factory=list)

    def rows(self) -> Array:
        """At most ``KEPT_ROWS`` of the vectors, evenly over all of them."""
        return _evenly(np.concatenate(self.parts))


@dataclass
class Recorder(InFloat):
    """As the network itself, and keeps what goes into each layer, by its number."""

    seen: dict[int, Seen] = field(default_factory=dict)

    def multiply(self, layer: WeightLayer, x: Array, first: int) -> Array:
        """The product in floating point."""
        own = self.seen.setdefault(layer.index, Seen())
        own.low = min(own.low, float(x.min()))
        own.high = max(own.high, float(x.max()))
        own.parts.append(_evenly(x))
        return super().multiply(layer, x, first)


def _evenly(x: Array) -> Array:
    return x[np.linspace(0, len(x) - 1, KEPT_ROWS).astype(np.int64)] if len(x) > KEPT_ROWS else x
