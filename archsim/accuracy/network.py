"""An ONNX model that runs batch by batch, its weight layers by an arithmetic of choice.

``onnx.reference`` gives each operator its meaning, control flow included; :mod:`~archsim.accuracy.operators` stands in
for those that hold weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import inliner, numpy_helper
from onnx.reference import ReferenceEvaluator

from archsim.accuracy.layers import Arithmetic, InFloat, WeightLayer
from archsim.accuracy.operators import operators
from archsim.errors import WorkloadError
from archsim.workload.onnx.model import read_model
from archsim.workload.onnx.tensors import initialiser

__all__ = ["Input", "Network", "load_network"]

Array = NDArray[Any]

CALL_BITS = 34
"""Vectors of one call of a layer that can be numbered; the calls of a run (the steps of a sequence) count above."""

CALLS = 1 << 10

_UNSTEADY = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
_FAULTS = (ValueError, TypeError, IndexError, KeyError, RuntimeError, AttributeError, ZeroDivisionError)


@dataclass(frozen=True)
class Input:
    """An input of the model: sizes that are not fixed are None."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


class Network:
    """A model in memory.  ``arithmetic`` says how its weight layers are computed, which are known after a first run."""

    def __init__(self, model: onnx.ModelProto, where: str) -> None:
        if model.functions:
            model = inliner.inline_local_functions(model)
        self.where = where
        self.constants = _constants(model.graph, frozenset())
        self.layers: list[WeightLayer] = []
        self.arithmetic: Arithmetic = InFloat()
        self._calls: dict[int, int] = {}
        self._first = 0
        self._share = (0, 1)
        given = {tensor.name for tensor in model.graph.initializer}
        self.inputs = tuple(_input(entry) for entry in model.graph.input if entry.name not in given)
        self.outputs = tuple(entry.name for entry in model.graph.output)
        try:
            self._evaluator = ReferenceEvaluator(model, new_ops=operators(self))
        except (*_FAULTS, NotImplementedError) as error:
            raise WorkloadError(f"{where}: cannot be evaluated: {_line(error)}") from None

    def run(self, feeds: Mapping[str, Array], first: int = 0, samples: int = 1) -> list[Array]:
        """The outputs for one batch of ``samples``, the first of which is number ``first`` of all."""
        self._calls.clear()
        self._share = (first, max(samples, 1))
        try:
            with np.errstate(all="ignore"):  # what overflows shows in the outputs
                return [np.asarray(value) for value in self._evaluator.run(None, dict(feeds))]
        except (*_FAULTS, NotImplementedError) as error:
            shapes = ", ".join(f"{name} {list(np.shape(value))}" for name, value in feeds.items())
            raise WorkloadError(f"{self.where}: cannot be evaluated on {shapes}: {_line(error)}") from None

    def new_layer(self, name: str, operator: str, weights: Array) -> WeightLayer:
        """A layer of that name, or of one with a number behind it if there is such a layer."""
        names = {layer.name for layer in self.layers}
        number = 1
        while (own := name if number == 1 else f"{name}#{number}") in names:
            number += 1
        layer = WeightLayer(len(self.layers), own, operator, np.ascontiguousarray(weights))
        self.layers.append(layer)
        return layer

    def multiply(self, layer: WeightLayer, x: Array, start: int, total: int) -> Array:
        """Rows ``start`` and on, of ``total`` that a call has, by the weights of a layer.

        The rows of a call are numbered sample by sample, on from those of the samples before this batch.
        """
        if start == 0:
            self._calls[layer.index] = self._calls.get(layer.index, -1) + 1
        first, samples = self._share
        number = first * max(total // samples, 1) + start
        number += (self._calls[layer.index] % CALLS) << CALL_BITS
        return self.arithmetic.multiply(layer, x, number)


def load_network(path: Path) -> Network:
    """The network in the ONNX file ``path``, weights and all.

    WorkloadError if the file is no such model, or holds no weights.
    """
    model = read_model(path)
    for tensor in _tensors(model.proto.graph):
        if not tensor.external_data:
            continue
        value = initialiser(tensor, path, weights=True)
        if value.data is None:
            message = f"the tensor {tensor.name!r:.100} has no values; accuracy needs trained weights"
            raise WorkloadError(f"{model.where}: {message}")
        tensor.CopyFrom(numpy_helper.from_array(value.data, tensor.name))
    for tensor in model.proto.graph.initializer:
        if math.prod(tensor.dims) and not numpy_helper.to_array(tensor).size:
            message = f"the tensor {tensor.name!r:.100} has no values; accuracy needs trained weights"
            raise WorkloadError(f"{model.where}: {message}")
    return Network(model.proto, model.where)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """All tensors with values, those of nodes and of inner graphs included."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            for inner in _graphs(attribute):
                yield from _tensors(inner)


def _graphs(attribute: onnx.AttributeProto) -> Sequence[onnx.GraphProto]:
    return [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _constants(graph: onnx.GraphProto, outer: frozenset[str]) -> frozenset[str]:
    """The names whose values no input can change, those of inner graphs included."""
    found = set(outer) | {tensor.name for tensor in graph.initializer}
    changing: set[str] = {entry.name for entry in graph.input} - {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        inner = [own for attribute in node.attribute for own in _graphs(attribute)]
        named = [name for name in node.input if name]
        if not inner and node.op_type not in _UNSTEADY and all(name in found for name in named):
            found.update(name for name in node.output if name)
        else:
            changing.update(node.output)
        for own in inner:
            found |= _constants(own, frozenset(found))
    return frozenset(found - changing)


def _input(entry: onnx.ValueInfoProto) -> Input:
    kind = entry.type.tensor_type
    shape = tuple(int(d.dim_value) if d.dim_value > 0 else None for d in kind.shape.dim)
    return Input(entry.name, shape, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)))


def _line(error: BaseException) -> str:
    return f"{' '.join(str(error).split()) or type(error).__name__:.400}"
