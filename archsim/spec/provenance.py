"""Published figures, which are only ever shown beside archsim's, and other readings of a paper."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

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


class Reading(Strict):
    """Another way to read the paper: the roll-up is made once more with the keys of ``set`` changed."""

    name: Annotated[str, Field(min_length=1)]
    why: str
    set: Annotated[dict[str, Any], Field(min_length=1)]
