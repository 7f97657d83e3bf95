"""The model of a workload file: a network as a list of layers, with named blocks that are repeated.

The layers and their defaults are described in :mod:`archsim.spec.layer`.

With ``sequence: N`` the network reads N tokens of shape ``input`` one after the other, and every layer works once
on each; only an LSTM remembers what was before.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from archsim.spec.base import Strict
from archsim.spec.layer import AnyLayer
from archsim.spec.layer_base import MAX_CHANNELS, MAX_EXTENT, Name, Reference
from archsim.spec.provenance import Published

__all__ = ["Workload"]

Layers = Annotated[list[AnyLayer], Field(min_length=1)]


def _input_shape(value: Any) -> tuple[int, ...]:
    most = (MAX_CHANNELS, MAX_EXTENT, MAX_EXTENT)
    if isinstance(value, list | tuple) and len(value) in (1, 3):
        pairs = zip(value, most, strict=False)
        if all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= limit for n, limit in pairs):
            return tuple(value)
    message = "expected [features] or [channels, height, width], got {got}"
    raise PydanticCustomError("input", message, {"got": repr(value)[:80]})


InputShape = Annotated[tuple[int, ...], BeforeValidator(_input_shape), Field(strict=False)]


class Workload(Strict):
    """A network, of one input and one output, the last layer's, unless it names more."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    kind: Literal["workload"]
    name: Annotated[str, Field(min_length=1)]
    title: str = ""
    source: Annotated[str, Field(min_length=1)]
    """The paper or code that the layers are from."""
    bibtex: str = ""
    deviations: list[str] = []
    assumed: list[str] = []
    """What no source gives."""
    published: list[Published] = []
    """Totals to be held to; ``metric`` is a key of the JSON of ``archsim show``."""
    input: InputShape | None = None
    """[features] or [channels, height, width], of one token where there is a ``sequence``."""
    inputs: dict[Name, InputShape] = {}
    """In place of ``input``, several by name."""
    outputs: list[Reference] = []
    """The layers whose outputs leave the network; by default the last."""
    autoregressive: bool = False
    """Whether each step of the ``sequence`` starts when the output of the one before is known."""
    host: bool = False
    """Whether the host does what a tile has no functional unit for."""
    sequence: Annotated[int, Field(ge=1, le=10**6)] | None = None
    """Tokens an inference."""
    unit: Name | None = None
    """What one inference is called in a throughput."""
    blocks: dict[Name, Layers] = {}
    layers: Layers

    @property
    def throughput_unit(self) -> str:
        """``unit``, or else sequence, image or sample, by the input."""
        if self.unit is not None:
            return self.unit
        if self.sequence is not None:
            return "sequence"
        return "image" if len(next(iter(self.input_shapes.values()))) == 3 else "sample"

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """The inputs by name; the only one is called ``input``."""
        return {"input": self.input} if self.input is not None else dict(self.inputs)

    @model_validator(mode="after")
    def _some_input(self) -> Workload:
        if (self.input is None) == (not self.inputs):
            message = "expected 'input: [features] or [channels, height, width]', or 'inputs' by name; got {got}"
            raise PydanticCustomError("input", message, {"got": "both" if self.inputs else "neither"})
        return self
