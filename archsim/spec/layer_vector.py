"""The models of layers without weights beyond pooling and addition, and of layers for sequences.

Two general records say everything, and the others are short for them: ``vector`` is work on the vector units, counted
by operator; ``move`` is data movement.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archsim.spec.functions import Activation, Operator
from archsim.spec.layer_base import (
    MAX_EXTENT,
    Channels,
    DepthSpec,
    LayerSpec,
    Pair,
    Present,
    Reference,
    References,
    Sides,
    Weighted,
)

__all__ = [
    "Cache",
    "Combine",
    "ConvTranspose",
    "Divide",
    "Embedding",
    "Gru",
    "Linear",
    "Local",
    "Matmul",
    "Maximum",
    "Move",
    "Multiply",
    "Norm",
    "Pad",
    "Recurrent",
    "Reduce",
    "Resize",
    "Reverse",
    "Rnn",
    "Shuffle",
    "Slice",
    "Softmax",
    "Spp",
    "Subtract",
    "Vector",
]

Positive = Annotated[int, Field(ge=1, le=2**40)]
Extent = Annotated[int, Field(ge=1, le=MAX_EXTENT)]
Reads = Literal["same", "whole", "past", "raster", "reverse"]
ShapeOf = Annotated[tuple[Annotated[int, Field(ge=1, le=2**24)], ...], Field(min_length=1, max_length=4, strict=False)]


class Linear(Weighted):
    """A dense layer applied to the channels of every position: to every token of a sequence (D, S, 1)."""

    operator: ClassVar[str] = "linear"

    linear: Channels
    activation: Activation = "none"
    experts: Extent = 1
    """Matrices of which each position uses one, chosen by the router of a mixture of experts."""


class ConvTranspose(Weighted):
    """A transposed convolution: each position of the input adds a kernel's size of outputs, ``stride`` apart."""

    operator: ClassVar[str] = "convtranspose"

    convtranspose: Channels
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    pad: Sides = (0, 0, 0, 0)
    output_pad: Sides = (0, 0, 0, 0)
    """Rows and columns more than the kernels cover; of its four sides bottom and right count."""
    groups: Channels = 1
    depth: DepthSpec | None = None


class Local(Weighted):
    """A locally connected layer: a convolution with private kernels, others at every position."""

    operator: ClassVar[str] = "local"

    local: Channels
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    pad: Sides = (0, 0, 0, 0)
    groups: Channels = 1


class Spp(LayerSpec):
    """Spatial pyramid pooling: the largest value of each channel in each cell of several grids, as features."""

    operator: ClassVar[str] = "spp"

    spp: Annotated[list[Extent], Field(min_length=1, max_length=16)]


class Vector(LayerSpec):
    """Any element-wise work: ``vector`` counts the operations of one window (output position), by operator."""

    operator: ClassVar[str] = "vector"

    vector: dict[Operator, Positive]
    operands: Annotated[list[Reference], Field(min_length=1)] | None = None
    """What it reads, in order; by default ``input`` or the layer before."""
    shape: ShapeOf | None = None
    """Of the output; by default that of the first operand."""
    reads: Reads | list[Reads] = "same"
    """Positions that one window reads of each operand: the same (scaled where sizes differ), the whole, all up to its
    own, the same in raster order, or the same counted from the end."""
    groups: Extent | list[Extent] | None = None
    """Groups of channels that depend on each other only, for each operand: 1 where every output channel needs all; by
    default channel by channel where numbers agree, else 1."""
    parameters: Annotated[int, Field(ge=0, le=2**40)] = 0
    accumulate: bool = False
    """Whether it takes its input position by position and gives one position at the end."""
    activation: Activation = "none"
    what: str = ""
    """The name of the operator, for tables."""


class Move(LayerSpec):
    """Data movement without arithmetic, to ``move``, the shape of the output."""

    operator: ClassVar[str] = "move"

    move: ShapeOf
    operands: Annotated[list[Reference], Field(min_length=1)] | None = None
    reads: Reads | list[Reads] = "raster"
    groups: Extent | list[Extent] | None = None
    parameters: Annotated[int, Field(ge=0, le=2**40)] = 0
    what: str = ""


class Combine(LayerSpec):
    """Two or more layers element by element; a length of 1 is repeated."""

    activation: Activation = "none"

    @property
    def named(self) -> list[str]:
        """The layers beside its input."""
        names: list[str] = getattr(self, self.operator)
        return names


class Multiply(Combine):
    """Products element by element."""

    operator: ClassVar[str] = "multiply"

    multiply: References


class Subtract(Combine):
    """Differences element by element."""

    operator: ClassVar[str] = "subtract"

    subtract: References


class Divide(Combine):
    """Quotients element by element."""

    operator: ClassVar[str] = "divide"

    divide: References


class Maximum(Combine):
    """The largest value, element by element."""

    operator: ClassVar[str] = "maximum"

    maximum: References


class Softmax(LayerSpec):
    """Softmax over the channels or features, in ``softmax`` groups: one for each head of an attention."""

    operator: ClassVar[str] = "softmax"

    softmax: Extent
    causal: bool = False
    """Whether position t has t + 1 values in each group, as the scores of causal attention."""


class Norm(LayerSpec):
    """A normalisation by statistics of the input itself; ``batch``, by trained ones, where no ``batch_norm`` can be
    folded into a layer before."""

    operator: ClassVar[str] = "norm"

    norm: Literal["layer", "rms", "group", "instance", "batch"]
    groups: Extent = 1
    """Groups of channels of a group norm."""
    scale: bool = True
    shift: bool | None = None
    """By default true, but false for rms."""
    activation: Activation = "none"


class Reduce(LayerSpec):
    """One value of many: over all ``channels``, or over all ``positions`` of an image."""

    operator: ClassVar[str] = "reduce"

    reduce: Literal["sum", "mean", "max", "min", "product", "l1", "l2", "sum_square", "log_sum_exp"]
    over: Literal["channels", "positions", "all"] = "channels"


class Matmul(LayerSpec):
    """The product of two activations, its input and the named layer, in ``heads`` groups of channels.

    With ``transpose`` both have channels in common: queries (D, M, 1) and keys (D, N, 1) give scores (heads·N, M, 1).
    Without it, the input's channels of a head are the positions of the other: scores (heads·N, M, 1) and values
    (D, N, 1) give (D, M, 1).  ``kv_heads`` groups of the second serve all ``heads`` (grouped-query attention).
    ``causal``: position t uses positions 0 … t of the second.
    """

    operator: ClassVar[str] = "matmul"

    matmul: Reference
    heads: Extent = 1
    kv_heads: Extent | None = None
    transpose: bool = False
    causal: bool = False


class Cache(LayerSpec):
    """The last ``cache`` tokens of its input, the newest included: the keys or values of a decoder."""

    operator: ClassVar[str] = "cache"

    cache: Extent


class Embedding(LayerSpec):
    """Rows of tables that token numbers choose, one row of each table, added up; the host holds the tables."""

    operator: ClassVar[str] = "embedding"

    embedding: Channels
    """The length of a row."""
    rows: Channels | list[Channels]
    """Rows of the table, or of each of several."""


class Resize(LayerSpec):
    """The image to another height and width."""

    operator: ClassVar[str] = "resize"

    resize: Pair
    mode: Literal["nearest", "linear", "cubic"] = "nearest"


class Pad(LayerSpec):
    """Rows and columns added around an image; negative numbers cut them off."""

    operator: ClassVar[str] = "pad"

    pad: list[Annotated[int, Field(ge=-MAX_EXTENT, le=MAX_EXTENT)]]

    @model_validator(mode="after")
    def _four(self) -> Pad:
        if len(self.pad) != 4:
            message = "expected [top, left, bottom, right], got {got}"
            raise PydanticCustomError("pad", message, {"got": repr(self.pad)[:80]})
        return self


class Slice(LayerSpec):
    """From the first (included) to the last (not included) of the channels, rows or columns, each ``step``-th."""

    operator: ClassVar[str] = "slice"

    slice: Literal["channels", "rows", "columns"]
    start: Annotated[int, Field(ge=0, le=2**24)] = 0
    end: Annotated[int, Field(ge=1, le=2**24)]
    step: Extent = 1


class Shuffle(LayerSpec):
    """Channels of ``shuffle`` groups interleaved, as in ShuffleNet."""

    operator: ClassVar[str] = "shuffle"

    shuffle: Extent


class Reverse(LayerSpec):
    """The positions, or steps, from the last to the first."""

    operator: ClassVar[str] = "reverse"

    reverse: Present


class Recurrent(LayerSpec):
    """A recurrent layer over the steps of a sequence, or the positions of (D, S, 1)."""

    bias: bool = True
    direction: Literal["forward", "reverse", "bidirectional"] = "forward"
    recurrent_bias: bool = False
    """Whether the state has biases of its own beside those of the input."""


class Gru(Recurrent):
    """A gated recurrent unit of ``gru`` cells."""

    operator: ClassVar[str] = "gru"

    gru: Channels


class Rnn(Recurrent):
    """A plain recurrent layer of ``rnn`` cells."""

    operator: ClassVar[str] = "rnn"

    rnn: Channels
    activation: Literal["tanh", "relu"] = "tanh"
