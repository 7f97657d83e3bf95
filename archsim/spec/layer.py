"""The models of the layers in a workload file.

A layer is a mapping with the key of one operator.  What is not written has this default:

===================== ===================================================================================
``conv: 64``          output channels; ``kernel: 1``, ``stride: 1``, ``pad: 0``, ``dilation: 1``, ``groups: 1``,
                      ``activation: relu``, ``batch_norm: false``, ``bias: true`` (``false`` under a batch norm)
``dense: 10``         output features; ``activation: relu``, ``batch_norm`` and ``bias`` as for conv
``maxpool: 3``        the kernel; ``stride`` as the kernel, ``pad: 0``; sizes are rounded down; also ``avgpool``,
                      which divides by the kernel's size, padding included
``globalpool: max``   or ``average``: over all of an image, which leaves (C, 1, 1)
``add: NAME``         or a list of names: these and the layer before, all of one shape; ``activation: none``
``concat: [A, B]``    along the channels or features, in this order; the layer before only if it is named
``activation: tanh``  a function by itself
``flatten: true``     (C, H, W) to (C·H·W,)
``batch_norm: true``  folded into the conv or dense layer that it reads, which must have ``activation: none``;
                      ``activation: none``
``lstm: 8192``        size of the cell state; ``bias: true``; with ``recurrent_projection: 1024`` the output is
                      projected to that size and the projection is what is fed back.  A projection that is not
                      fed back is a dense layer after it.
``linear: 768``       a dense layer on the channels of every position; ``activation: none``
``block: NAME``       the layers of ``blocks: {NAME: …}``, ``repeat: 1`` times
===================== ===================================================================================

The operators of :mod:`archsim.spec.layer_vector` stand beside these.

A folded batch norm leaves one bias an output channel and counts as that; what was trained is counted beside it.

``depth`` of a conv, convtranspose or pool makes it one over a volume of C × D × H × W, which stands as an image of
C × (D·H) × W, one frame below the other: ``{frames: D, kernel: 1, stride: 1, pad: 0, dilation: 1}``.

``kernel``, ``stride`` and ``dilation`` are a number or [height, width]; ``pad`` also [top, left, bottom, right].

A layer reads the one before it, or the one that its ``input`` names.  ``input`` as a name is the input of the
network, within a block that of the block.  A layer is called by its ``name``, else by its operator and a number that
counts the layers of that operator in the list (``conv1``, ``conv2``); the n-th use of a block is ``NAME.n``, or what
the use is named.  Names count within their list; from outside, only the last layer of a block can be read.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from archsim.errors import nearest
from archsim.spec.base import Strict, schema_alone
from archsim.spec.functions import Activation, Function
from archsim.spec.layer_base import (
    MAX_CHANNELS,
    MAX_EXTENT,
    Channels,
    DepthSpec,
    LayerSpec,
    Name,
    Pair,
    Present,
    Reference,
    References,
    Sides,
    Weighted,
    at_least_two,
)
from archsim.spec.layer_vector import (
    Cache,
    ConvTranspose,
    Divide,
    Embedding,
    Gru,
    Linear,
    Local,
    Matmul,
    Maximum,
    Move,
    Multiply,
    Norm,
    Pad,
    Recurrent,
    Reduce,
    Resize,
    Reverse,
    Rnn,
    Shuffle,
    Slice,
    Softmax,
    Spp,
    Subtract,
    Vector,
)

__all__ = [
    "MAX_CHANNELS",
    "MAX_EXTENT",
    "OPERATORS",
    "Activate",
    "Add",
    "AnyLayer",
    "AvgPool",
    "BatchNorm",
    "BlockUse",
    "Concat",
    "Conv",
    "Dense",
    "Flatten",
    "GlobalPool",
    "LayerModel",
    "LayerSpec",
    "Lstm",
    "MaxPool",
    "Name",
    "OperatorLayer",
    "Pool",
    "Weighted",
]


class Conv(Weighted):
    """A convolution over an image, grouped or depthwise by ``groups``."""

    operator: ClassVar[str] = "conv"

    conv: Channels
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    pad: Sides = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: Channels = 1
    depth: DepthSpec | None = None


class Dense(Weighted):
    """A fully connected layer over features."""

    operator: ClassVar[str] = "dense"

    dense: Channels


class Pool(LayerSpec):
    """Pooling over windows of an image, which are the kernel's size."""

    stride: Pair | None = None
    pad: Sides = (0, 0, 0, 0)
    depth: DepthSpec | None = None

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of a window."""
        size: tuple[int, int] = getattr(self, self.operator)
        return size


class MaxPool(Pool):
    """The largest value of each window."""

    operator: ClassVar[str] = "maxpool"

    maxpool: Pair


class AvgPool(Pool):
    """The mean of each window."""

    operator: ClassVar[str] = "avgpool"

    avgpool: Pair


class GlobalPool(LayerSpec):
    """One value a channel: the mean or the largest of the image."""

    operator: ClassVar[str] = "globalpool"

    globalpool: Literal["average", "max"]


class Add(LayerSpec):
    """The element-wise sum of its input and the named layers."""

    operator: ClassVar[str] = "add"

    add: References
    activation: Activation = "none"


class Concat(Strict):
    """The named layers one after the other along the channels or features."""

    operator: ClassVar[str] = "concat"

    name: Name | None = None
    concat: Annotated[list[Reference], Field(min_length=2), BeforeValidator(at_least_two)]


class Activate(LayerSpec):
    """An activation function by itself."""

    operator: ClassVar[str] = "activation"

    activation: Function


class Flatten(LayerSpec):
    """An image as features."""

    operator: ClassVar[str] = "flatten"

    flatten: Present


class BatchNorm(LayerSpec):
    """A batch norm, folded into the layer that it reads."""

    operator: ClassVar[str] = "batch_norm"

    batch_norm: Present
    activation: Activation = "none"


class Lstm(Recurrent):
    """A long short-term memory (without peepholes) of ``lstm`` cells."""

    operator: ClassVar[str] = "lstm"

    lstm: Channels
    recurrent_projection: Channels | None = None


class BlockUse(LayerSpec):
    """A named block in place of its layers."""

    operator: ClassVar[str] = "block"

    block: str
    repeat: Annotated[int, Field(ge=1, le=4096)] = 1


OperatorLayer = (
    Conv
    | Dense
    | MaxPool
    | AvgPool
    | GlobalPool
    | Add
    | Concat
    | Activate
    | Flatten
    | BatchNorm
    | Lstm
    | Gru
    | Rnn
    | Linear
    | ConvTranspose
    | Local
    | Spp
    | Vector
    | Move
    | Multiply
    | Subtract
    | Divide
    | Maximum
    | Softmax
    | Norm
    | Reduce
    | Matmul
    | Cache
    | Embedding
    | Resize
    | Pad
    | Slice
    | Shuffle
    | Reverse
)
LayerModel = OperatorLayer | BlockUse
OPERATORS: dict[str, type[LayerModel]] = {cls.operator: cls for cls in LayerModel.__args__}
"""The model of each operator, by its key."""

_ALSO_KEYS = ("batch_norm", "activation", "pad")
"""Operators that are keys of others too; a layer is theirs if its first key says so."""


class _ByOperator:
    """Validates a layer by the model of its operator."""

    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, LayerModel):
            return value
        if not isinstance(value, dict):
            message = "expected a mapping such as {example}, got {value}"
            values = {"example": "{conv: 64, kernel: 3}", "value": repr(value)[:80]}
            raise PydanticCustomError("mapping", message, values)
        return OPERATORS[cls._operator(value)].model_validate(value)

    @staticmethod
    def _operator(layer: dict[str, Any]) -> str:
        first = next((key for key in layer if key not in ("name", "input")), None)
        if first is None:
            values = {"operators": ", ".join(OPERATORS)}
            raise PydanticCustomError("operator", "the layer has no operator; the operators are {operators}", values)
        for key in OPERATORS:
            if key in layer and key not in _ALSO_KEYS:
                return key
        if first in _ALSO_KEYS:
            return first
        hint = nearest(first, OPERATORS) or f"; the operators are {', '.join(OPERATORS)}"
        problem = PydanticCustomError("unknown_key", "unknown operator{hint}", {"hint": hint})
        raise ValidationError.from_exception_data("layer", [InitErrorDetails(type=problem, loc=(first,), input=layer)])

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        serialise = core_schema.plain_serializer_function_ser_schema(
            lambda layer: layer.model_dump(mode="json", exclude_none=True)
        )
        return core_schema.no_info_plain_validator_function(cls._read, serialization=serialise)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"oneOf": [schema_alone(model) for model in OPERATORS.values()]}


AnyLayer = Annotated[LayerModel, _ByOperator]
"""A layer of any operator."""
