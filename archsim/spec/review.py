"""The model of a review: what is published of many designs, in one table, with a model in archsim or without."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archsim.spec.base import Length, Status, Strict
from archsim.spec.provenance import Published

__all__ = ["Review", "ReviewRow"]


class ReviewRow(Strict):
    """One design as it is published: the columns of the field's comparison tables.

    ``tops`` and what is made of it count ``operations_per_mac`` operations a multiply-accumulate.  ``chip`` names
    archsim's model; a design without one says what is ``missing`` for it.
    """

    name: Annotated[str, Field(min_length=1)]
    title: Annotated[str, Field(min_length=1)]
    chip: str | None = None
    missing: str = ""
    evidence: Literal["model", "silicon", "unknown"]
    """``model``: the paper's figures are computed; ``silicon``: they are measured, or projected from a chip."""
    node: Length | None = None
    activation_bits: str = ""
    weight_bits: str = ""
    clock: str = ""
    workload: str = ""
    storage: str = ""
    array: str = ""
    adc: str = ""
    tops: Annotated[float, Field(gt=0)] | None = None
    tops_per_mm2: Annotated[float, Field(gt=0)] | None = None
    tops_per_w: Annotated[float, Field(gt=0)] | None = None
    operations_per_mac: Literal[1, 2] = 2
    source: str
    status: Status
    note: str = ""
    not_simulated: dict[Literal["tops", "tops_per_mm2", "tops_per_w"], str] = {}
    """Columns that archsim leaves empty although it has a sum: what the sum leaves out."""
    figures: list[Published] = []
    """What else is published of a design without a model."""

    @model_validator(mode="after")
    def _modelled_or_not(self) -> ReviewRow:
        if (self.chip is None) != bool(self.missing):
            raise PydanticCustomError("missing", "a row has a chip, or else says what is missing for one", {})
        if self.chip is not None and self.figures:
            message = "the figures of a design with a model stand in the file of its chip"
            raise PydanticCustomError("figures", message, {"at": "figures"})
        return self


class Disagreement(Strict):
    """Two published statements that cannot both hold, inside a paper or between papers."""

    design: str
    what: str
    source: str


class Review(Strict):
    """Published designs side by side."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    kind: Literal["review"]
    name: Annotated[str, Field(min_length=1)]
    title: str = ""
    designs: Annotated[list[ReviewRow], Field(min_length=1)]
    disagreements: list[Disagreement] = []
