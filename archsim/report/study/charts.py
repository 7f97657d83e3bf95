"""What the figures of a study show, apart from how it is drawn: series, bars and floor plans, each with its numbers.

One chart becomes a figure of a paper in :mod:`~archsim.report.study.figures` and an interactive one in
:mod:`~archsim.report.study.html`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archsim import library
from archsim.spec.study import METRICS, Study

__all__ = ["Bars", "Chart", "Lines", "Plans", "Series", "file_name", "label_of", "network", "short", "unit_of"]

Records = Sequence[dict[str, Any]]
Numbers = Sequence[float | None]


@dataclass(frozen=True)
class Series:
    """One series of points, joined by a line or not; ``look`` counts colours and markers, -1 is black.

    ``texts`` say of each point what it is; without a label it stands in no legend.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    look: int = 0
    points: bool = True
    line: bool = False
    dashed: bool = False
    star: bool = False
    pale: bool = False
    texts: Sequence[str] = ()


@dataclass(frozen=True)
class Lines:
    """Series in a plane."""

    name: str
    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    numbers: Records
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Bars:
    """Horizontal bars: for each of ``rows`` one value of each part, stacked or side by side, from ``base`` on.

    ``errors`` are half the width of an interval; ``unit`` goes with SI prefixes.
    """

    name: str
    title: str
    label: str
    rows: Sequence[str]
    parts: Sequence[tuple[str, Numbers]]
    numbers: Records
    stacked: bool = False
    base: float = 0.0
    unit: str = ""
    errors: Sequence[Numbers] = ()
    log: bool = False


@dataclass(frozen=True)
class Plans:
    """Floor plans, each a title and rows of cells from the top; None where nothing stands."""

    name: str
    title: str
    label: str
    panels: Sequence[tuple[str, Sequence[Numbers]]]
    numbers: Records = field(default_factory=list)


Chart = Lines | Bars | Plans


def file_name(*parts: str | None) -> str:
    """A name of a file from words, of which any may be missing."""
    return "-".join("".join(c if c.isalnum() or c in "-_" else "-" for c in part) for part in parts if part)


def network(workload: str) -> str:
    """A network in short: of a file its name."""
    return Path(workload).stem if library.is_path(workload) else workload


def unit_of(metric: str) -> str:
    """The unit of a metric as figures show it; empty for a share."""
    unit = METRICS[metric][0]
    return "" if unit == "-" else unit.replace("mm2", "mm²")


def label_of(metric: str) -> str:
    """A metric in words, with its unit."""
    unit = unit_of(metric)
    return METRICS[metric][1] + (f" ({unit})" if unit else "")


def short(study: Study, record: dict[str, Any]) -> str:
    """A point in a few words: what of it varies in the study."""
    words = [record["design"]] if len(study.designs) > 1 else []
    words += [network(record["workload"])] if len(study.workloads) > 1 else []
    words += [str(record[key]) for key in study.parameters]
    text = ", ".join(words) or record["design"]
    return f"{record['point']}: {text}" if len(text) <= 34 else f"point {record['point']}"
