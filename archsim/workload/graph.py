"""The network graph: frozen records that ``compile`` and ``accuracy`` read.

A shape is (C, H, W) for an image and (F,) for features.  In a network that reads a sequence all shapes are of one
step and every layer works once a step.

A layer works in **windows**: positions of its output.  An image has H·W of them, features have one; times the steps
of the sequence.  A convolution, dense layer or LSTM applies its matrix once a window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

__all__ = ["INPUT", "Graph", "Layer", "Matrix", "Shape"]

Shape = tuple[int, ...]

INPUT = "input"
"""Name and operator of the layer that stands for the input of the network."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A weight matrix: ``groups`` blocks of ``rows`` × ``columns``, block-diagonal where there are several.

    Rows are inputs, columns are outputs.  A convolution has k_h·k_w·C_in/groups rows and C_out/groups columns a group;
    a dense layer has its features; an LSTM has one for all four gates, with input and state as rows.
    """

    rows: int
    columns: int
    groups: int = 1

    @property
    def weights(self) -> int:
        """The number of weights."""
        return self.rows * self.columns * self.groups


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer with all its shapes and counts.

    ``op`` is one of input, conv, dense, maxpool, avgpool, globalpool, add, concat, activation, flatten, lstm.
    A batch norm is folded: its scale into the weights of the layer before, its shift into that layer's bias.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    """The layers that it reads, in order; :data:`INPUT` is the input of the network."""
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    steps: int = 1
    """How often it works an inference: the length of the sequence, else 1."""
    activation: str = "none"
    """Applied to its output: none, relu, relu6, sigmoid, tanh, gelu or softmax; the gates of an LSTM are apart."""
    kernel: tuple[int, int] = (1, 1)
    """Height and width; those of the whole input for a globalpool."""
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Top, left, bottom, right."""
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    pool: str = ""
    """What a pooling layer takes of a window: average or max."""
    matrix: Matrix | None = None
    biases: int = 0
    trained_parameters: int = 0
    """Parameters before folding: weights, biases, and scale and shift of each batch norm."""
    state: int = 0
    """Values that an LSTM feeds back to its own input each step: its last rows of the matrix."""
    state_from: str = ""
    """The layer whose output is fed back: the LSTM itself, or its recurrent projection."""
    element_ops: int = 0
    """Operations a window on vector and look-up units, see :mod:`archsim.workload.operators`; without the matrix."""
    lookups: int = 0
    """Those of ``element_ops`` that evaluate a function: sigmoid, tanh, gelu or exp."""

    @property
    def positions(self) -> int:
        """Positions of the output in one step: H·W of an image, 1 for features."""
        return self.output_shape[1] * self.output_shape[2] if len(self.output_shape) == 3 else 1

    @property
    def windows(self) -> int:
        """Output positions an inference; how often the matrix is applied, if there is one."""
        return self.positions * self.steps

    @property
    def outputs(self) -> int:
        """Values that one window gives: channels or features."""
        return self.output_shape[0]

    @property
    def weights(self) -> int:
        """Weights in the matrix."""
        return self.matrix.weights if self.matrix else 0

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations an inference, those with padding included."""
        return self.weights * self.windows

    @property
    def parameters(self) -> int:
        """Weights and biases, after folding."""
        return self.weights + self.biases

    def summary(self) -> dict[str, Any]:
        """The layer as JSON values."""
        out: dict[str, Any] = {"name": self.name, "op": self.op, "inputs": list(self.inputs)}
        out |= {"macs": self.macs, "parameters": self.parameters, "windows": self.windows}
        out |= {"input_shapes": [list(shape) for shape in self.input_shapes], "output_shape": list(self.output_shape)}
        if self.matrix:
            out["matrix"] = {"rows": self.matrix.rows, "columns": self.matrix.columns, "groups": self.matrix.groups}
        if self.op in ("conv", "maxpool", "avgpool", "globalpool"):
            out |= {key: list(getattr(self, key)) for key in ("kernel", "stride", "pad", "dilation")}
        if self.state:
            out |= {"state": self.state, "state_from": self.state_from}
        out |= {"weights": self.weights, "biases": self.biases, "trained_parameters": self.trained_parameters}
        return out | {"activation": self.activation, "element_ops": self.element_ops, "lookups": self.lookups}


@dataclass(frozen=True)
class Graph:
    """A network: ``layers`` in topological order, the input first.

    The state that an LSTM feeds back (``state_from``) is no edge of the graph.
    """

    name: str
    title: str
    unit: str
    """What one inference is called: image, sequence, sample, ..."""
    steps: int
    """The length of the sequence, 1 where there is none."""
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    """The layers whose outputs leave the network."""

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    @cached_property
    def _consumers(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {layer.name: [] for layer in self.layers}
        for layer in self.layers:
            for name in layer.inputs:
                found[name].append(layer.name)
        return {name: tuple(readers) for name, readers in found.items()}

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, name: str) -> Layer:
        """The layer called ``name``; KeyError if there is none."""
        return self._by_name[name]

    def consumers(self, name: str) -> tuple[str, ...]:
        """The layers that read the layer called ``name``, in topological order."""
        return self._consumers[name]

    @property
    def input(self) -> Layer:
        """The layer that stands for the input."""
        return self.layers[0]

    @property
    def matrix_layers(self) -> tuple[Layer, ...]:
        """The layers that have weights."""
        return tuple(layer for layer in self.layers if layer.matrix)

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations an inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def weights(self) -> int:
        """Weights in all matrices."""
        return sum(layer.weights for layer in self.layers)

    @property
    def biases(self) -> int:
        """Biases, batch norms folded."""
        return sum(layer.biases for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Weights and biases, batch norms folded."""
        return self.weights + self.biases

    @property
    def trained_parameters(self) -> int:
        """Parameters before folding: weights, biases, and scale and shift of each batch norm."""
        return sum(layer.trained_parameters for layer in self.layers)

    @property
    def windows(self) -> int:
        """How often a weight matrix is applied an inference, over all layers that have one."""
        return sum(layer.windows for layer in self.matrix_layers)

    def summary(self) -> dict[str, Any]:
        """The network as JSON values; the layers without the input."""
        out: dict[str, Any] = {"name": self.name, "title": self.title, "unit": self.unit, "steps": self.steps}
        out |= {"input_shape": list(self.input.output_shape), "outputs": list(self.outputs)}
        keys = ("macs", "parameters", "windows", "weights", "biases", "trained_parameters")
        out |= {key: getattr(self, key) for key in keys}
        return out | {"layers": [layer.summary() for layer in self.layers[1:]]}
