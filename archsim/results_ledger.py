"""The ledger: one row a component and action, count × energy; a total is the sum of rows, nothing else.

Static power × time is a row of its own for each component, with the action ``static``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Ledger", "LedgerRow"]


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """``count`` actions of ``energy_j`` joules each, for one inference.  ``component`` is ``level.name``."""

    component: str
    action: str
    count: float
    energy_j: float

    @property
    def total_j(self) -> float:
        """Energy of the row in J."""
        return self.count * self.energy_j


@dataclass(frozen=True)
class Ledger:
    """All rows for one inference in steady state."""

    rows: tuple[LedgerRow, ...]

    def total_j(self) -> float:
        """The sum of all rows in J."""
        return sum(self.by_component().values())

    def by_component(self) -> dict[str, float]:
        """J of each component, in the order of the rows."""
        out: dict[str, float] = {}
        for row in self.rows:
            out[row.component] = out.get(row.component, 0.0) + row.total_j
        return out

    def records(self) -> list[dict[str, Any]]:
        """The rows as flat records, for tables."""
        return [
            {
                "component": r.component,
                "action": r.action,
                "count": r.count,
                "energy_j": r.energy_j,
                "total_j": r.total_j,
            }
            for r in self.rows
        ]
