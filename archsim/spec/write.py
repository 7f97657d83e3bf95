"""The model of ``core.write``: what it takes to program the cells of a tile's arrays."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from archsim.spec.base import Energy, Status, Strict, Time

__all__ = ["Write"]

AtLeastOne = Annotated[float, Field(ge=1.0)]
Number = Annotated[int, Field(ge=1)]


class Write(Strict):
    """Programming of cells by pulses.  What is left out of pulse, energy, pulses and endurance comes from the device
    of the tile, if its source gives it."""

    pulse: Time | None = None
    """The time of one pulse."""
    energy: Energy | None = None
    """The energy of one pulse in one cell."""
    pulses: AtLeastOne | None = None
    """Pulses a cell, on average: with write-and-verify more than one."""
    verify: Time | None = None
    """The time of the read after each pulse."""
    verify_energy: Energy | None = None
    """The energy of that read, of one cell."""
    cells: Number | None = None
    """Cells of an array that are written at once; by default those of a row."""
    arrays: Number = 1
    """Arrays of a tile that are written at once."""
    endurance: AtLeastOne | None = None
    """Pulses that a cell lasts."""
    source: str
    status: Status
    assumed: list[str] = []
    """The keys that no source gives."""
    note: str = ""
