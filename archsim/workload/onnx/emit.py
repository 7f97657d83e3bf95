"""Collects the layers of a workload, one specification after the other, with names that a workload file may have."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, Final

from archsim.workload.graph import Shape
from archsim.workload.onnx.tensors import Array

__all__ = ["FUSED", "CacheError", "Emitter"]

_ALLOWED: Final = re.compile(r"[^A-Za-z0-9_.-]+")
FUSED: Final = frozenset(
    ["conv", "dense", "linear", "convtranspose", "local", "add", "multiply", "subtract", "divide", "maximum", "vector"]
)
"""Operators that an activation after them can be part of."""


class CacheError(Exception):
    """Something else than a product reads a cache."""


@dataclass
class Emitter:
    """The layers so far.  ``weights`` has the arrays of those with a matrix, where weights are read."""

    layers: list[dict[str, Any]] = field(default_factory=list)
    inputs: dict[str, Shape] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    weights: dict[str, dict[str, Array]] = field(default_factory=dict)
    bits: dict[str, int] = field(default_factory=dict)
    """Bits a weight where the model quantises them."""
    cached: dict[str, int] = field(default_factory=dict)
    """Tokens that a cache gives: its positions to a product, though a step puts out one."""

    def input(self, name: str, shape: Shape) -> str:
        """Add an input of the network."""
        own = self.name(name)
        self.inputs[own] = self.shapes[own] = shape
        return own

    def name(self, wanted: str) -> str:
        """A name like ``wanted`` that no layer has yet."""
        base = _ALLOWED.sub("_", wanted.strip("/").replace("/", ".").replace(":", "_")).lstrip("0123456789_.-")[:90]
        base = base.rstrip(".") or "layer"
        if base == "input":
            base = "input-layer"
        own, number = base, 1
        while own in self.shapes:
            number += 1
            own = f"{base}-{number}"
        return own

    def add(self, name: str, spec: dict[str, Any], shape: Shape, source: str | None = None) -> str:
        """Add the layer of ``spec``, which reads ``source`` (None: the operands that it names) and gives ``shape``."""
        if "matmul" not in spec and any(layer in self.cached for layer in (source, *spec.get("operands", ()))):
            raise CacheError
        own = self.name(name)
        first = {"name": own} | ({"input": source} if source is not None else {})
        self.layers.append(first | spec)
        self.shapes[own] = shape
        return own

    def grid(self, layer: str) -> tuple[int, int]:
        """Rows and columns of a layer's output; 1 × 1 for features."""
        shape = self.shapes[layer]
        return (shape[1], shape[2]) if len(shape) == 3 else (1, 1)

    def channels(self, layer: str) -> int:
        """Channels or features of a layer's output."""
        return self.shapes[layer][0]

    def positions(self, layer: str) -> int:
        """Positions of a layer's output."""
        return self.cached.get(layer) or math.prod(self.grid(layer))

    def note(self, text: str) -> None:
        """Say once in what the network departs from its file."""
        self.notes[text] = None
