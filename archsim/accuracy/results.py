"""What ``archsim accuracy`` is asked for, and what comes of it: frozen records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from archsim.accuracy.analog import Moment
from archsim.accuracy.evaluate import Evaluation
from archsim.accuracy.metrics import Metrics
from archsim.numeric.config import ArrayConfig

__all__ = ["Accuracy", "Asked", "Loss", "Outcome", "Point", "PointResult", "mean_sd"]


@dataclass(frozen=True)
class Point:
    """A chip with overrides at a moment; ``value`` is that of the sweep, None without one."""

    chip: str
    overrides: tuple[str, ...]
    moment: Moment
    value: str | None = None

    @property
    def label(self) -> str:
        """The point in a few words."""
        return self.chip if self.value is None else f"{self.chip}, {self.value}"


@dataclass(frozen=True)
class Asked:
    """What ``archsim accuracy`` is asked for."""

    model: str
    data: str
    images: int | None = None
    seeds: int = 3
    samples: int = 64
    causes: bool = False
    ideal: bool = False
    by_column: bool = True
    carry: tuple[tuple[str, str], ...] = ()
    constants: tuple[tuple[str, float], ...] = ()
    jobs: int = 1


@dataclass(frozen=True)
class Outcome:
    """What one run of the network came to; ``metrics`` and ``agreement`` (with the float model) where there are
    classes; ``snr_db`` of the outputs against those of the float model, None if they are the same."""

    evaluation: Evaluation
    metrics: Metrics | None
    agreement: float | None
    snr_db: float | None


@dataclass(frozen=True)
class Loss:
    """How accurate the network is with one effect alone, and with all but that one."""

    effect: str
    alone: float
    without: float


@dataclass(frozen=True)
class PointResult:
    """A point: the digital run in its numbers, one run on arrays for each seed, and what was found out about losses."""

    point: Point
    config: ArrayConfig
    digital: Outcome
    analog: tuple[Outcome, ...]
    ideal: Outcome | None = None
    losses: tuple[Loss, ...] = ()
    warnings: tuple[str, ...] = ()

    def spread(self, name: str) -> tuple[float, float] | None:
        """Mean and standard deviation (n - 1; 0 for one seed) over the seeds of a figure of :meth:`Metrics.summary`."""
        values = [o.metrics.summary()[name] for o in self.analog if o.metrics is not None]
        return mean_sd(values) if values else None


@dataclass(frozen=True)
class Accuracy:
    """All of a run; ``sweep`` is the name of what was swept."""

    asked: Asked
    samples: int
    labelled: bool
    sweep: str | None
    floating: Outcome
    points: tuple[PointResult, ...]


def mean_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n - 1; 0 for one value)."""
    mean = math.fsum(values) / len(values)
    if max(values) == min(values):
        return mean, 0.0
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
