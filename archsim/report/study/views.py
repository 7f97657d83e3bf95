"""The charts of a study's table: fronts, parts of energy, power, area and latency, sensitivities, designs compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from archsim.report.study.analysis import Front, best_points, fronts
from archsim.report.study.charts import Bars, Chart, Lines, Series, file_name, label_of, network, short
from archsim.report.study.machine import floor_plans, rooflines, scaling
from archsim.report.study.read import Results
from archsim.spec.study import Study

__all__ = ["MOST_BARS", "charts"]

PARTS = {
    "energy_j": ("energy an inference", "J"),
    "power_w": ("power", "W"),
    "area_mm2": ("area (mm²)", ""),
    "latency_s": ("latency, by what sets the time", "s"),
}
"""What is broken down: its name on the axis, and its unit if prefixes go with it."""

MOST_BARS = 16
"""The most points of a network of which a breakdown is drawn."""

Record = dict[str, Any]
Records = Sequence[Record]


def charts(results: Results, tables: dict[str, list[Record]]) -> list[Chart]:
    """Every chart that the results have figures for."""
    study = results.study
    found: list[Chart] = []
    if len(study.objectives) >= 2:
        found += [_pareto(study, results.records, front) for front in fronts(study, results.records)]
    found += _breakdowns(results)
    if rows := tables.get("sensitivity"):
        found.append(_sensitivity(study, rows))
    found += _indices(study, tables.get("indices", []))
    if rows := tables.get("comparison"):
        found.append(_comparison(study, rows))
    return [*found, *rooflines(results), *floor_plans(results), *scaling(results)]


def _pareto(study: Study, records: Records, front: Front) -> Lines:
    """All points in the plane of the first two objectives; the front as a line, the knee as a star."""
    x, y = list(study.objectives)[:2]
    shown = [r for r in records if r.get("workload") == front.workload and r[x] is not None and r[y] is not None]
    best = {record["point"] for record in front.records}
    labels = ["point", "design", *study.parameters]
    numbers = [
        {**{key: r[key] for key in labels}, x: r[x], y: r[y], "feasible": r["feasible"], "front": r["point"] in best}
        for r in shown
    ]

    def series(label: str, of: Records, look: int, **style: bool) -> Series:
        texts = [", ".join(f"{key}: {r[key]}" for key in labels) for r in of]
        return Series(label, [r[x] for r in of], [r[y] for r in of], look, texts=texts, **style)

    drawn = (
        [series("not feasible", beyond, 0, pale=True)] if (beyond := [r for r in shown if not r["feasible"]]) else []
    )
    for index, design in enumerate(study.designs):
        drawn.append(series(design.shown, [r for r in shown if r["feasible"] and r["design"] == design.shown], index))
    if len(study.objectives) == 2:
        line = sorted(front.records, key=lambda r: r[x])
        drawn.append(series("front", line, -1, line=True, dashed=True))
    drawn.append(series("knee", [front.knee], -1, star=True))
    work = network(front.workload) if front.workload else None
    name, title = file_name("pareto", work), "Best points" + (f" on {work}" if work else "")
    return Lines(name, title, label_of(x), label_of(y), drawn, numbers)


def _breakdowns(results: Results) -> Iterator[Bars]:
    study = results.study
    networks: list[str | None] = [*study.workloads] or [None]
    for column in PARTS:
        having = {part["point"] for part in results.parts if part[column]}
        for workload in networks:
            records = [r for r in results.records if r.get("workload") == workload and r["point"] in having]
            if records:
                yield _breakdown(study, best_points(study, records, MOST_BARS), results.parts, column, workload)


def _breakdown(study: Study, chosen: Records, parts: Records, column: str, workload: str | None) -> Bars:
    """Stacked bars, the seven largest components and the rest."""
    points = [r["point"] for r in chosen]
    numbers = [
        {"point": p["point"], "component": p["component"], column: p[column]}
        for p in parts
        if p["point"] in points and p[column]
    ]
    sums: dict[str, float] = {}
    by: dict[tuple[int, str], float] = {}
    for part in numbers:
        sums[part["component"]] = sums.get(part["component"], 0.0) + part[column]
        by[part["point"], part["component"]] = part[column]
    largest = sorted(sums, key=lambda name: -sums[name])
    groups = [(name, [name]) for name in largest[:7]] + ([("others", largest[7:])] if largest[7:] else [])
    values = [(label, [sum(by.get((p, name), 0.0) for name in names) for p in points]) for label, names in groups]
    work = network(workload) if workload is not None and len(study.workloads) > 1 else None
    name = file_name("breakdown", column.partition("_")[0], work)
    what, unit = PARTS[column]
    rows = [short(study, r) for r in chosen]
    title = what.capitalize() if column == "latency_s" else f"{what.partition(' (')[0]}, by component".capitalize()
    title += f" on {work}" if work else ""
    return Bars(name, title, what, rows, values, numbers, stacked=True, unit=unit)


def _sensitivity(study: Study, sensitivities: Records) -> Bars:
    """How much each parameter alone changes each objective, or else each of the first metrics."""
    metrics = (list(study.objectives) or study.columns)[:4]
    shown = [row for row in sensitivities if row["metric"] in metrics]
    names = list(dict.fromkeys(row["parameter"] for row in shown))
    by = {(row["parameter"], row["metric"]): row["mean ratio"] - 1 for row in shown}
    parts = [(label_of(metric), [by.get((name, metric)) for name in names]) for metric in metrics]
    label = "largest over smallest value, one parameter at a time"
    return Bars("sensitivity", "Sensitivity", label, [_last(name) for name in names], parts, shown, base=1.0)


def _indices(study: Study, rows: Records) -> Iterator[Bars]:
    """The indices of each objective, or else of each of the first metrics, with their confidence intervals."""
    metrics = (list(study.objectives) or study.columns)[:4]
    measures = [key for key in (rows[0] if rows else {}) if f"{key} ±" in rows[0]]
    for workload in dict.fromkeys(row.get("workload") for row in rows):
        for metric in metrics:
            of = [r for r in rows if r["metric"] == metric and r.get("workload") == workload]
            if not of or any(row[measure] is None for row in of for measure in measures):
                continue
            title = f"{study.method.name.capitalize()} indices of the {label_of(metric).partition(' (')[0]}"
            yield Bars(
                file_name("indices", metric, network(workload) if workload else None),
                title + (f" on {network(workload)}" if workload else ""),
                "share of the variance" if study.method.name == "sobol" else f"elementary effect, {label_of(metric)}",
                [_last(row["parameter"]) for row in of],
                [(measure, [row[measure] for row in of]) for measure in measures],
                of,
                errors=[[row[f"{measure} ±"] for row in of] for measure in measures],
            )


def _comparison(study: Study, rows: Records) -> Bars:
    """Each design over the first in each objective, or else each of the first metrics: by network and on average."""
    metrics = (list(study.objectives) or study.columns)[:4]
    columns = [*(study.workloads or ["chip"]), *(["geometric mean"] if len(study.workloads) > 1 else [])]
    shown = [row for row in rows if row["metric"] in metrics]
    names = [
        f"{network(column)}: {row['design']}" for row in shown if row["metric"] == metrics[0] for column in columns
    ]
    parts = [
        (label_of(metric), [row[column] for row in shown if row["metric"] == metric for column in columns])
        for metric in metrics
    ]
    first = study.designs[0].shown
    return Bars("comparison", f"Over {first}", f"over {first}", names, parts, shown, base=1.0, log=True)


def _last(key: str) -> str:
    """The end of a dotted key, which tells it from others."""
    return ".".join(key.split(".")[-2:])
