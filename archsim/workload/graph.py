"""The network graph: frozen records that ``compile`` and ``accuracy`` read.

A shape is (C, H, W) for an image and (F,) for features.  In a network that reads a sequence all shapes are of one
step and every layer works once a step.

A volume of C × D × H × W stands as an image (C, D·H, W), its frames one below the other; a layer whose windows reach
over several frames has a :class:`Depth`.

A layer works in **windows**: positions of its output.  An image has H·W of them, features have one; times the steps
of the sequence.  A convolution, dense layer or LSTM applies its matrix once a window.  The tokens of a sequence may
also stand as positions of an image (D, S, 1), which attention needs: a token then sees others.

Beside the matrix a layer has its **work**, operations of vector units counted by operator, and its **reads**, which
positions and channels one window takes of each input.  All operators without weights are made of these two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from archsim.spec.functions import LOOKUPS, Operator

__all__ = ["INPUT", "Access", "Depth", "Graph", "Layer", "Matrix", "Shape", "Span", "Work"]

Shape = tuple[int, ...]

INPUT = "input"
"""Operator of a layer that stands for an input of the network, and the name of the only one."""


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


Work = tuple[tuple[Operator, int], ...]
"""Operations of one window, over all its output values, by operator."""

Span = Literal["same", "window", "whole", "past", "raster", "reverse"]
"""The positions of an input that a window reads: the same (scaled where the sizes differ, so that a length of 1 is
repeated); those under its kernel; all; all up to its own; its own in raster order, scaled; its own from the end."""


@dataclass(frozen=True, slots=True)
class Access:
    """What one window reads of one input."""

    span: Span = "same"
    groups: int = 1
    """Groups of channels that depend on each other only: the k-th of the input makes the k-th of the output."""
    channels: tuple[int, int] | None = None
    """The half-open range of the input's channels that counts; None for all."""
    keyed: bool = False
    """Whether an output channel, within its group, reads only the position of its own number: keys of a matmul."""
    at: int | None = None
    """Where the input stands among the outputs, flattened channel by channel, if all that is done is to put it there:
    its first output."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How windows lie along the third dimension of a volume; sizes within a frame are those of the layer."""

    frames: int
    """Frames of the input."""
    frames_out: int
    rows_out: int
    """Rows of a frame of the output."""
    kernel: int = 1
    stride: int = 1
    pad: tuple[int, int] = (0, 0)
    """In front and behind."""
    dilation: int = 1
    upscale: int = 1


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer with all its shapes and counts.

    ``op`` is the key of its operator in a workload file, or what an imported network calls it.  Nothing but tables
    reads it where ``reads`` is given; without, it is one of input, conv, linear, dense, lstm, gru, rnn, maxpool,
    avgpool, globalpool, add, concat, activation, flatten.
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
    """Applied to its output, a key of :data:`~archsim.spec.functions.FUNCTIONS` or softmax; the gates of an LSTM are
    apart."""
    kernel: tuple[int, int] = (1, 1)
    """Height and width; those of the whole input for a globalpool."""
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Top, left, bottom, right; below 0 where rows or columns are cut off."""
    dilation: tuple[int, int] = (1, 1)
    upscale: tuple[int, int] = (1, 1)
    """Window y begins at floor((y · stride - pad) / upscale): above 1 in a transposed convolution and in a resize."""
    depth: Depth | None = None
    """Of a layer whose windows reach over several frames of a volume."""
    groups: int = 1
    pool: str = ""
    """What a pooling layer takes of a window: average or max."""
    matrix: Matrix | None = None
    """A locally connected layer has one a position: ``groups`` of them, each applied once."""
    private: bool = False
    """Whether the groups of the matrix are private kernels, one a position."""
    experts: int = 1
    """Matrices of this shape of which each window uses one: a mixture of experts, over which the windows are spread
    evenly."""
    biases: int = 0
    constants: int = 0
    """Parameters that are neither weights of the matrix nor biases: tables of embeddings, scales and shifts."""
    trained_parameters: int = 0
    """Parameters before folding: weights, biases, and scale and shift of each batch norm."""
    state: int = 0
    """Values that an LSTM feeds back to its own input each step: its last rows of the matrix."""
    state_from: str = ""
    """The layer whose output is fed back: the LSTM itself, or its recurrent projection."""
    in_loop: bool = False
    """Whether what it puts out is fed back, by itself or by the layer after it."""
    gates: int = 1
    """Columns of the matrix that make one output value: 4 of an LSTM, 3 of a GRU."""
    work: Work = ()
    """Operations a window on functional units, see :mod:`archsim.workload.operators`; without the matrix."""
    reads: tuple[Access, ...] = ()
    """What a window reads of each input; empty where ``op`` says it."""
    dynamic: Matrix | None = None
    """The product of two activations: rows are summed over, ``groups`` are heads.  Its MACs are in ``work``."""
    accumulates: bool = False
    """Whether it takes its input position by position as it comes, and gives one position at the end."""
    cached: int = 0
    """Tokens of its input that it keeps, the newest included: keys or values of a decoder."""
    host: bool = False
    """Whether the host does it."""

    @property
    def kernel_size(self) -> int:
        """Positions under the kernel of one window, with those in padding."""
        return self.kernel[0] * self.kernel[1] * (self.depth.kernel if self.depth else 1)

    @property
    def element_ops(self) -> int:
        """Operations a window on vector and look-up units."""
        return sum(count for _, count in self.work)

    @property
    def lookups(self) -> int:
        """Those of ``element_ops`` that evaluate a function."""
        return sum(count for operator, count in self.work if operator in LOOKUPS)

    @property
    def dynamic_macs(self) -> int:
        """Multiply-accumulate operations an inference between two activations, on vector units."""
        return self.windows * sum(count for operator, count in self.work if operator == "mac")

    @property
    def one_by_one(self) -> bool:
        """Whether its windows follow each other, as the steps of a sequence do: it then has one copy."""
        return self.steps > 1 or self.in_loop

    @property
    def copies(self) -> int:
        """The copies that it has to have, whatever the room: one for each expert that works; 0 where it may have any
        number."""
        if self.one_by_one:
            return 1
        return min(self.experts, self.windows) if self.experts > 1 else 0

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the output's positions; the steps of a sequence are columns."""
        return (self.output_shape[1], self.output_shape[2]) if len(self.output_shape) == 3 else (1, self.steps)

    @property
    def positions(self) -> int:
        """Positions of the output in one step: H·W of an image, 1 for features."""
        return self.output_shape[1] * self.output_shape[2] if len(self.output_shape) == 3 else 1

    @property
    def windows(self) -> int:
        """Output positions an inference; how often the matrix is applied, if there is one: private kernels once."""
        return self.steps if self.private else self.positions * self.steps

    @property
    def outputs(self) -> int:
        """Values that one window gives: channels or features."""
        return self.output_shape[0]

    @property
    def weights(self) -> int:
        """Weights in the matrix, those of all experts together."""
        return self.matrix.weights * self.experts if self.matrix else 0

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations an inference, those with padding included."""
        return self.matrix.weights * self.windows if self.matrix else 0

    @property
    def parameters(self) -> int:
        """Weights, biases and constants, after folding."""
        return self.weights + self.biases + self.constants

    def summary(self) -> dict[str, Any]:
        """The layer as JSON values."""
        out: dict[str, Any] = {"name": self.name, "op": self.op, "inputs": list(self.inputs)}
        out |= {"macs": self.macs, "parameters": self.parameters, "windows": self.windows}
        out |= {"input_shapes": [list(shape) for shape in self.input_shapes], "output_shape": list(self.output_shape)}
        if self.matrix:
            out["matrix"] = {"rows": self.matrix.rows, "columns": self.matrix.columns, "groups": self.matrix.groups}
        if self.op in ("conv", "maxpool", "avgpool", "globalpool"):
            out |= {key: list(getattr(self, key)) for key in ("kernel", "stride", "pad", "dilation")}
        if self.depth:
            d = self.depth
            out["depth"] = {"frames": d.frames, "frames_out": d.frames_out, "kernel": d.kernel, "stride": d.stride}
            out["depth"] |= {"pad": list(d.pad), "dilation": d.dilation}
        if self.state:
            out |= {"state": self.state, "state_from": self.state_from}
        if self.dynamic:
            product = self.dynamic
            out["dynamic"] = {"rows": product.rows, "columns": product.columns, "groups": product.groups}
            out["dynamic_macs"] = self.dynamic_macs
        out |= {key: getattr(self, key) for key in ("constants", "cached", "host") if getattr(self, key)}
        out |= {"weights": self.weights, "biases": self.biases, "trained_parameters": self.trained_parameters}
        out |= {"activation": self.activation, "element_ops": self.element_ops, "lookups": self.lookups}
        return out | {"work": dict(self.work)}


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
    host: bool = False
    """Whether the host does what the tiles have no unit for."""
    autoregressive: bool = False
    """Whether the next step of the input is known only when the output of the one before has left."""

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
        """The layer that stands for the input, the first where there are several."""
        return self.layers[0]

    @property
    def inputs(self) -> tuple[Layer, ...]:
        """The layers that stand for inputs."""
        return tuple(layer for layer in self.layers if layer.op == INPUT)

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
    def constants(self) -> int:
        """Parameters that are neither weights of matrices nor biases: tables, scales and shifts."""
        return sum(layer.constants for layer in self.layers)

    @property
    def dynamic_macs(self) -> int:
        """Multiply-accumulate operations an inference between two activations, on vector units."""
        return sum(layer.dynamic_macs for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Weights, biases and constants, batch norms folded."""
        return self.weights + self.biases + self.constants

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
        keys = ("macs", "dynamic_macs", "parameters", "windows", "weights", "biases", "constants", "trained_parameters")
        out |= {key: getattr(self, key) for key in keys}
        return out | {"layers": [layer.summary() for layer in self.layers if layer.op != INPUT]}
