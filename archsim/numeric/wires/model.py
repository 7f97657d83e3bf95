"""What is known of the wires of an array: their resistances and capacitances, and where they are connected."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

from archsim.errors import NumericError

__all__ = ["Wires"]

SMALLEST_OHM = 1e-9
"""The smallest resistance above 0; what is meant as none is written as 0."""

_SIZES = ("block_rows", "block_columns")
_ENDS = ("left_ohm", "right_ohm", "top_ohm", "bottom_ohm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wires:
    """The lines of a crossbar, in ohm and farad.

    A wordline runs along a row and is driven from the left, the right or both; a bitline runs along a column and is
    sensed at the bottom, the top or both.  A segment is the piece of a line between two neighbouring cells.  What
    stands between a driver (or a sense amplifier's virtual ground) and the first cell is the resistance of that end:
    ``math.inf`` where the line is not connected, and 0 where the first cell sits at the terminal itself.

    A segment of 0 ohm makes a line one node, and an end of 0 ohm fixes its node at the voltage of the terminal; neither
    is approximated by a small resistance.
    """

    wordline_ohm: float = 0.0
    """Resistance of one wordline segment."""
    bitline_ohm: float = 0.0
    """Resistance of one bitline segment."""
    left_ohm: float = 0.0
    """Between the driver and the first cell of a wordline; ``inf``: not driven from the left."""
    right_ohm: float = math.inf
    """Between the driver and the last cell of a wordline; ``inf``: not driven from the right."""
    top_ohm: float = math.inf
    """Between the first cell of a bitline and its sense terminal; ``inf``: not sensed at the top."""
    bottom_ohm: float = 0.0
    """Between the last cell of a bitline and its sense terminal; ``inf``: not sensed at the bottom."""
    wordline_f: float = 0.0
    """Capacitance to ground of one wordline segment and the electrode of its cell; only settling depends on it."""
    bitline_f: float = 0.0
    """Capacitance to ground of one bitline segment and the electrode of its cell; only settling depends on it."""
    block_rows: int | None = None
    """Rows of a partition: a larger array is cut into blocks, each with its own drivers and sense terminals."""
    block_columns: int | None = None
    """Columns of a partition."""

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))
        for line, ends in (("wordlines", ("left_ohm", "right_ohm")), ("bitlines", ("top_ohm", "bottom_ohm"))):
            if all(getattr(self, end) == math.inf for end in ends):
                raise NumericError(f"wires: {' and '.join(ends)} are both inf, so the {line} are connected nowhere")

    def blocks(self, rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
        """The partitions of an array of that size, row by row of blocks; the last ones may be smaller."""
        for row in _cuts(rows, self.block_rows):
            for column in _cuts(columns, self.block_columns):
                yield row, column


def _check(name: str, value: object) -> None:
    if name in _SIZES:
        good = value is None or (isinstance(value, int) and value >= 1)
        allowed = "a whole number of at least 1"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        good = value >= 0 and (value < math.inf or name in _ENDS)
        good = good and not (name.endswith("ohm") and 0 < value < SMALLEST_OHM)
        allowed = f"0, or from {SMALLEST_OHM:g} ohm" if name.endswith("ohm") else "0 or more, and finite"
        allowed += ", or inf where the line is not connected" if name in _ENDS else " and finite" * name.endswith("ohm")
    else:
        good, allowed = False, "a number"
    if not good:
        raise NumericError(f"wires: {name} must be {allowed}, got {value!r:.40}")


def _cuts(size: int, block: int | None) -> list[slice]:
    step = block or size
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]
