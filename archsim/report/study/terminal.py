"""What ``archsim study`` prints: what became of the points, and the best of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from archsim.report.hardware import plain_text
from archsim.report.study.analysis import front
from archsim.spec.study import METRICS, Study

__all__ = ["study_tables"]

SHOWN = 20
"""How many points, and how many reasons of failures, are printed."""

Records = Sequence[dict[str, Any]]


def study_tables(study: Study, records: Records, run: int, out: Path) -> Group:
    """How many points there are, the best of them by the objectives or else the first, and why others failed."""
    failed = [record for record in records if record["status"] != "ok"]
    text = f"{study.name}: {len(records)} points, {run} run now, {len(failed)} without figures; {out / 'table.csv'}"
    parts: list[RenderableType] = [plain_text(text)]
    best = front(study, records) if study.objectives else [r for r in records if r["status"] == "ok"]
    title = "Best points, none better in every objective" if study.objectives else "Points"
    if best:
        parts.append(_points(study, best[:SHOWN], f"{title} ({len(best)})"))
    for reason, count in Counter(str(record["reason"]) for record in failed).most_common(SHOWN):
        parts.append(plain_text(f"{count} × {reason}"))
    return Group(*parts)


def _points(study: Study, records: Records, title: str) -> Table:
    table = Table(title=Text(title), title_justify="left")
    labels = ["point", "design", *(["workload"] if study.workloads else []), *study.parameters]
    metrics = list(study.objectives) or study.columns[:6]
    for label in labels:
        table.add_column(plain_text(label), overflow="fold")
    for metric in metrics:
        table.add_column(plain_text(f"{metric} ({METRICS[metric][0]})"), justify="right")
    for record in records:
        numbers = ["-" if record[metric] is None else f"{record[metric]:.5g}" for metric in metrics]
        table.add_row(*(plain_text(str(record[label])) for label in labels), *numbers)
    return table
