"""What the models of layers are made of: names, sizes, activation functions, and the bases of all layers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from archsim.spec.base import Strict
from archsim.spec.functions import Activation

__all__ = [
    "MAX_CHANNELS",
    "MAX_EXTENT",
    "Channels",
    "DepthSpec",
    "LayerSpec",
    "Name",
    "Pair",
    "Present",
    "Reference",
    "References",
    "Sides",
    "Weighted",
    "at_least_two",
]

MAX_CHANNELS = 2**24
"""The most channels or features."""

MAX_EXTENT = 65536
"""The largest height, width, kernel, stride, padding or dilation."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        message = "expected a name of letters, digits, -, _ and ., a letter first, got {got}"
        raise PydanticCustomError("name", message, {"got": repr(value)[:80]})
    if value == "input":
        raise PydanticCustomError("name", "'input' already names the input of the network or block")
    return value


def _references(value: Any) -> Any:
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(name, str) for name in listed):
        message = "expected the name of a layer, or a list of names, got {got}"
        raise PydanticCustomError("references", message, {"got": repr(value)[:80]})
    return listed


def at_least_two(value: Any) -> Any:
    """``value`` if it is a list of two names or more."""
    if not isinstance(value, list) or len(value) < 2:
        message = "expected a list of at least two names, got {got}"
        raise PydanticCustomError("references", message, {"got": repr(value)[:80]})
    return _references(value)


Channels = Annotated[int, Field(ge=1, le=MAX_CHANNELS)]
Name = Annotated[str, AfterValidator(_name)]
Reference = str
"""The name of a layer, or of the n-th use of a block (``bottleneck.2``)."""
References = Annotated[
    list[Reference], BeforeValidator(_references, json_schema_input_type=Reference | list[Reference])
]
"""The name of a layer, or a list of names."""


@dataclass(frozen=True)
class _Integers:
    """Reads ``n`` or a list of integers from ``least`` up as a tuple; ``spread`` makes it of its full length."""

    least: int
    expected: str
    spread: Callable[[list[int]], tuple[int, ...] | None]
    lengths: tuple[int, ...]

    def _read(self, value: Any) -> tuple[int, ...]:
        numbers = list(value) if isinstance(value, list | tuple) else [value]
        fine = all(isinstance(n, int) and not isinstance(n, bool) and self.least <= n <= MAX_EXTENT for n in numbers)
        if fine and (full := self.spread(numbers)) is not None:
            return full
        values = {"expected": self.expected, "least": self.least, "most": MAX_EXTENT, "got": repr(value)[:80]}
        raise PydanticCustomError("integers", "expected {expected}, each from {least} to {most}, got {got}", values)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        serialise = core_schema.plain_serializer_function_ser_schema(list)
        return core_schema.no_info_plain_validator_function(self._read, serialization=serialise)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        number = {"type": "integer", "minimum": self.least, "maximum": MAX_EXTENT}
        lists = [{"type": "array", "items": number, "minItems": n, "maxItems": n} for n in self.lengths]
        return {"anyOf": [number, *lists]}


def _pair(numbers: list[int]) -> tuple[int, ...] | None:
    return {1: (*numbers, *numbers), 2: tuple(numbers)}.get(len(numbers))


def _sides(numbers: list[int]) -> tuple[int, ...] | None:
    return {1: (*numbers,) * 4, 2: (*numbers, *numbers), 4: tuple(numbers)}.get(len(numbers))


Pair = Annotated[tuple[int, int], _Integers(1, "a whole number or [height, width]", _pair, (2,))]
Sides = Annotated[
    tuple[int, int, int, int],
    _Integers(0, "a whole number, [height, width] or [top, left, bottom, right]", _sides, (2, 4)),
]


def _ends(numbers: list[int]) -> tuple[int, ...] | None:
    return {1: (*numbers, *numbers), 2: tuple(numbers)}.get(len(numbers))


Ends = Annotated[tuple[int, int], _Integers(0, "a whole number or [front, back]", _ends, (2,))]


class DepthSpec(Strict):
    """The third dimension of a convolution or pool over a volume, whose ``frames`` stand one below the other as the
    rows of an image."""

    frames: Annotated[int, Field(ge=1, le=MAX_EXTENT)]
    """Frames of the input."""
    kernel: Annotated[int, Field(ge=1, le=MAX_EXTENT)] = 1
    stride: Annotated[int, Field(ge=1, le=MAX_EXTENT)] | None = None
    """By default 1, and the kernel's size of a pool."""
    pad: Ends = (0, 0)
    dilation: Annotated[int, Field(ge=1, le=MAX_EXTENT)] = 1
    output_pad: Annotated[int, Field(ge=0, le=MAX_EXTENT)] = 0
    """Frames more than the kernels of a transposed convolution cover."""


def _only_true(value: Any) -> Any:
    if value is not True:
        raise PydanticCustomError("only_true", "expected true, got {got}", {"got": repr(value)[:80]})
    return value


Present = Annotated[Literal[True], BeforeValidator(_only_true)]
"""The value of an operator that has no size."""


class LayerSpec(Strict):
    """One entry of a list of layers.  ``operator`` is the key that tells its kind."""

    operator: ClassVar[str]

    name: Name | None = None
    input: Reference | None = None
    """The layer that it reads; by default the one before."""
    host: bool | None = None
    """Whether the host does it."""


class Weighted(LayerSpec):
    """A layer with a weight matrix, and so one that a batch norm can be folded into."""

    activation: Activation = "relu"
    batch_norm: bool = False
    bias: bool | None = None
    """By default true, and false where a batch norm, which has a shift of its own, is folded in."""
