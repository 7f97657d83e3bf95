"""The memristor array: rows × columns of cells that multiply and add in the analog domain."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archsim.spec.component import Component

__all__ = ["Crossbar"]

Size = Annotated[int, Field(ge=1, le=65536)]


class Crossbar(Component):
    """``count`` arrays in a core; one action ``read`` is one array for one input step.

    Power and area follow the number of cells from ``rated_rows`` × ``rated_columns``.
    """

    unit_action: ClassVar[str] = "read"

    kind: Literal["crossbar"]
    rows: Size
    columns: Size
    cell_bits: Annotated[int, Field(ge=1, le=16)]
    rated_rows: Size | None = None
    rated_columns: Size | None = None

    def _cells(self) -> float:
        return (self.rows / (self.rated_rows or self.rows)) * (self.columns / (self.rated_columns or self.columns))

    def power_scale(self) -> float:
        """Proportional to count and to cells."""
        return super().power_scale() * self._cells()

    def area_scale(self) -> float:
        """Proportional to count and to cells."""
        return super().area_scale() * self._cells()
