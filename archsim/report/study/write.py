"""``archsim report``: the tables and figures of a study from its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archsim.errors import ArchsimError, nearest
from archsim.report.files import make_folder, write_text
from archsim.report.made import signed
from archsim.report.noc import require_plot
from archsim.report.study.analysis import Front, best_of_each, comparison, fronts, sensitivity
from archsim.report.study.figures import write_figures
from archsim.report.study.html import html_report, require_plotly
from archsim.report.study.indices import indices
from archsim.report.study.read import read_results
from archsim.report.study.views import charts
from archsim.report.tables import as_csv, as_latex, as_markdown
from archsim.spec.study import SAMPLINGS, Study

__all__ = ["FORMATS", "write_report"]

FORMATS = ("md", "csv", "latex", "html")
MOST_ROWS = 100
"""How many points stand in report.md; table.csv has all."""

INDICES = {
    "sobol": "Shares of the variance that a parameter explains alone (first order) and with all others (total order).",
    "morris": "Mean size and standard deviation of the change over the whole of a parameter, in the metric's unit.",
}

_ENDINGS = {"csv": "csv", "latex": "tex"}

Records = list[dict[str, Any]]


def write_report(folder: Path, to: str, out: Path) -> list[str]:
    """Write the report of the study in ``folder`` into ``out``; the names of its files."""
    if to not in FORMATS:
        raise ArchsimError(f"--to: expected {', '.join(FORMATS)}, got {to!r:.80}{nearest(to, FORMATS)}")
    require_plotly() if to == "html" else require_plot()
    results = read_results(folder)
    study, records = results.study, results.records
    found = fronts(study, records)
    tables = {
        "points": _without_key(records)[: MOST_ROWS if to == "md" else None],
        "pareto": _pareto_records(study, found),
        "best": best_of_each(study, records),
        "sensitivity": sensitivity(study, records),
        "indices": indices(study, records, results.shares) if study.method.name in SAMPLINGS else [],
        "comparison": comparison(study, records),
    }
    tables = {name: rows for name, rows in tables.items() if rows}
    make_folder(out)
    drawn = charts(results, tables)
    if to == "html":
        write_text(out / "report.html", html_report(results, tables, found, drawn))
        return ["report.html"]
    figures = write_figures(drawn, out)
    if to == "md":
        write_text(out / "report.md", signed(_markdown(study, records, tables, found, figures), results.command))
        names = ["report.md"]
    else:
        as_text = as_csv if to == "csv" else as_latex
        for name, rows in tables.items():
            write_text(out / f"{name}.{_ENDINGS[to]}", as_text(rows))
        names = [f"{name}.{_ENDINGS[to]}" for name in tables]
    drawings = [f"{name}.{ending}" for name in figures for ending in ("pdf", "png", "csv")]
    return list(dict.fromkeys([*names, *drawings]))


def _without_key(records: Records) -> Records:
    """The table without what every row has in common with all others, or with none."""
    quiet = {"key", *(name for name in ("reason", "status") if len({record[name] for record in records}) == 1)}
    return [{name: value for name, value in record.items() if name not in quiet} for record in records]


def _pareto_records(study: Study, found: Sequence[Front]) -> Records:
    labels = ["point", "design", *(["workload"] if study.workloads else []), *study.parameters, *study.objectives]
    return [
        {**{key: record[key] for key in labels}, "knee": "knee" if record is front.knee else None}
        for front in found
        for record in front.records
    ]


def _markdown(
    study: Study, records: Records, tables: dict[str, Records], found: Sequence[Front], figures: Sequence[str]
) -> str:
    failed = [record for record in records if record["status"] != "ok"]
    events = sum(record["events"] or 0 for record in records)
    lines = [f"# {study.title or study.name}", ""]
    lines += [f"{len(records)} points, {len(failed)} without figures, {events} events simulated.", ""]
    if found:
        goals = ", ".join(f"{metric} ({goal})" for metric, goal in study.objectives.items())
        lines += ["## Best points", "", f"None is better in every objective: {goals}.", ""]
        for front in found:
            where = f"{front.workload}: " if front.workload else ""
            lines += [f"* {where}hypervolume {front.hypervolume:.4f}, knee at point {front.knee['point']}"]
        lines += ["", as_markdown(tables["pareto"])]
    if study.method.name in SAMPLINGS and "indices" not in tables:
        lines += ["There are no indices of sensitivity: they need the figures of every point.", ""]
    for name, title, what in (
        (
            "best",
            "Best for each value",
            "Of all points with this value, the one that is best in the first objective.",
        ),
        (
            "sensitivity",
            "Sensitivity",
            "Largest over smallest value where only this parameter differs, over all points.",
        ),
        ("indices", "Indices of sensitivity", INDICES.get(study.method.name, "")),
        (
            "comparison",
            "Designs over the first",
            "Geometric mean over the settings of the parameters, and over networks.",
        ),
        ("points", "Points", f"All of them, up to {MOST_ROWS} here, are in table.csv of the study."),
    ):
        if name in tables:
            lines += [f"## {title}", "", *([what, ""] if what else []), as_markdown(tables[name])]
    if figures:
        lines += ["## Figures", "", *(f"![{name}]({name}.png)\n" for name in figures)]
    return "\n".join(lines)
