"""What loading a network onto a board takes: once before the first inference, or before each phase of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from archsim.results_ledger import Ledger

__all__ = ["BREAK_EVEN", "Loading", "inferences_until"]

BREAK_EVEN = 0.01
"""The share of all time or energy below which loading is called small."""


def inferences_until(loading: float, inference: float, share: float = BREAK_EVEN) -> int | None:
    """The inferences from which on ``loading`` is at most ``share`` of the total: L / (L + N e) <= s, so
    N = L (1 - s) / (s e); None if an inference takes nothing."""
    return ceil(loading * (1.0 - share) / (share * inference)) if inference > 0.0 else None


@dataclass(frozen=True)
class Loading:
    """One loading.  ``weights`` counts copies, and so does ``cells``, which is 0 where there are no arrays.

    ``missing`` names what nobody gives: ``time`` and ``energy`` that need it are None, never 0.
    """

    weights: int
    cells: int
    bytes_sent: float
    """Over the links into the chips."""
    transfer_ps: int
    write_ps: int | None
    ledger: Ledger
    """All rows of what is known; kept apart from that of an inference."""
    pulses_a_cell: float | None
    """On average; None where there are no cells, or where it is not known."""
    endurance: float | None
    """Pulses that a cell lasts."""
    source: str
    assumed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    writes: int = 1
    """How often a cell is written: with several phases, by as many as use the tile that most of them use."""
    total_ps: int | None = None
    """Of several loadings the sum of their times."""

    @property
    def time_ps(self) -> int | None:
        """Weights arrive while others are written."""
        if self.total_ps is not None:
            return self.total_ps
        return None if self.write_ps is None else max(self.transfer_ps, self.write_ps)

    @property
    def time_s(self) -> float | None:
        """The same in seconds."""
        return None if self.time_ps is None else self.time_ps / 1e12

    @property
    def energy_j(self) -> float | None:
        """The sum of the ledger; None if the energy of the pulses is not known."""
        return None if {"energy", "pulses", "pulse"} & set(self.missing) else self.ledger.total_j()

    @property
    def lifetime(self) -> float | None:
        """Loadings that a cell lasts, with phases batches; None where nothing wears out, or where it is not known."""
        if not self.endurance or not self.pulses_a_cell:
            return None
        return self.endurance / (self.pulses_a_cell * self.writes)

    def to_json(self) -> dict[str, Any]:
        """Plain values, in SI units unless the key says otherwise; None for what is not published."""
        energy, time = self.energy_j, self.time_s
        return {
            "weights": self.weights,
            "cells": self.cells,
            "pulses_per_cell": self.pulses_a_cell,
            "pulses": None if self.pulses_a_cell is None else self.cells * self.pulses_a_cell,
            "bytes_sent": self.bytes_sent,
            "time_s": time,
            "transfer_s": self.transfer_ps / 1e12,
            "write_s": None if self.write_ps is None else self.write_ps / 1e12,
            "energy_j": energy,
            "average_power_w": energy / time if energy is not None and time else None,
            "writes_per_cell": self.writes if self.cells else None,
            "endurance_pulses": self.endurance,
            "lifetime_loadings": self.lifetime,
            "source": self.source,
            "assumed": list(self.assumed),
            "not_published": list(self.missing),
            "energy_breakdown_j": self.ledger.by_component(),
            "ledger": self.ledger.records(),
        }
