"""Published figures, which are only ever shown beside archsim's, and other readings of a paper."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archsim.spec.base import Status, Strict

__all__ = ["Published", "Reading"]


class Published(Strict):
    """A figure that the paper prints.  ``metric`` is a path in the JSON of ``archsim show``; nothing computes with it.

    ``value`` is in the unit of that metric.
    """

    metric: Annotated[str, Field(min_length=1)]
    value: float
    source: str
    status: Status
    note: str = ""
    at: Annotated[dict[str, Any], Field(min_length=1)] | None = None
    """Keys changed to what the figure was taken at, as ``tile.core.components.adc.bits: 3``."""
    over: str | None = None
    """Another chip: ``value`` is the ratio of the metric to that chip's."""
    over_at: Annotated[dict[str, Any], Field(min_length=1)] | None = None
    """Keys of that chip changed to what the paper compares with."""
    when: str = ""
    """The same in words, as tables show it."""
    reading: str | None = None
    """The name of the reading of the paper under which archsim is held to the figure, if it does not agree as it is."""
    reason: str = ""
    """Why archsim's value differs.  A figure without it is one that agrees, and is held to that."""
    missing: str = ""
    """What is not published without which the figure cannot be computed; it is then not compared."""

    @model_validator(mode="after")
    def _one_word(self) -> Published:
        if self.missing and (self.reason or self.reading):
            raise PydanticCustomError("missing", "a figure that cannot be computed has no reason and no reading", {})
        if (self.at or self.over_at) and not self.when:
            raise PydanticCustomError("when", "'at' and 'over_at' need their words in 'when'", {})
        if self.over_at is not None and self.over is None:
            raise PydanticCustomError("over", "'over_at' needs 'over', the chip that it is about", {"at": "over_at"})
        return self


class Reading(Strict):
    """Another way to read the paper: the roll-up is made once more with the keys of ``set`` changed."""

    name: Annotated[str, Field(min_length=1)]
    why: str
    set: Annotated[dict[str, Any], Field(min_length=1)]
