"""The figures of a study as a paper takes them: vector PDF and PNG at column width, each beside its numbers as CSV.

Fonts are embedded as TrueType, which publishers ask for.  Colours are those of Okabe and Ito, which people with any
kind of colour vision tell apart; markers and hatches differ as well, for print in grey.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archsim.report.files import write_text, written
from archsim.report.noc import require_plot
from archsim.report.study.analysis import fronts
from archsim.report.tables import as_csv
from archsim.spec.study import METRICS, Study

__all__ = ["COLOURS", "COLUMN_INCHES", "MARKERS", "paper_figure", "write_figures"]

COLUMN_INCHES = 3.5
"""The width of a column of an IEEE or ACM page, 88.9 mm."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
MARKERS = "os^Dv<>P"
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++", "----", "oooo")
PARTS = {"energy_j": ("energy an inference", "J"), "power_w": ("power", "W"), "area_mm2": ("area (mm²)", "")}
"""What is broken down: its name on the axis, and its unit if prefixes go with it."""

MOST_BARS = 16
"""The points of which a breakdown is drawn: those of the front, or else the first."""

Records = Sequence[dict[str, Any]]


def write_figures(study: Study, records: Records, parts: Records, sensitivities: Records, folder: Path) -> list[str]:
    """Draw what the study has figures for into ``folder``; the names of the figures, without their endings."""
    names: list[str] = []
    if len(study.objectives) >= 2:
        for front in fronts(study, records):
            name = f"pareto-{_file_name(front.workload)}" if front.workload else "pareto"
            _pareto(study, records, front, folder, name)
            names.append(name)
    for column in PARTS:
        if any(part[column] for part in parts):
            names.append(_breakdown(study, records, parts, column, folder))
    if sensitivities:
        _sensitivity(study, sensitivities, folder)
        names.append("sensitivity")
    return names


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(name).stem)


@contextmanager
def paper_figure(folder: Path, name: str, height: float, numbers: Records) -> Iterator[Any]:
    """Axes of a figure that is written as PDF and PNG, the same bytes each time, with its numbers as CSV."""
    plt = require_plot()
    style = {"font.size": 7, "axes.linewidth": 0.5, "pdf.fonttype": 42, "ps.fonttype": 42, "legend.frameon": False}
    style |= {"hatch.linewidth": 0.4, "axes.spines.top": False, "axes.spines.right": False, "lines.markersize": 4}
    with plt.rc_context(style):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(COLUMN_INCHES, height), layout="constrained")
        yield figure.add_subplot()
        for ending, about in (("pdf", {"CreationDate": None}), ("png", {"Software": None})):
            with written(folder / f"{name}.{ending}") as stream:
                figure.savefig(stream, format=ending, dpi=300, metadata=about)
    write_text(folder / f"{name}.csv", as_csv(numbers))


def _label(metric: str) -> str:
    unit, words = METRICS[metric]
    return words if unit == "-" else f"{words} ({unit.replace('mm2', 'mm²')})"


def _pareto(study: Study, records: Records, front: Any, folder: Path, name: str) -> None:
    """All points in the plane of the first two objectives; the front as a line, the knee as a star."""
    x, y = list(study.objectives)[:2]
    shown = [r for r in records if r.get("workload") == front.workload and r[x] is not None and r[y] is not None]
    best = {record["point"] for record in front.records}
    labels = ["point", "design", *study.parameters]
    numbers = [
        {**{key: r[key] for key in labels}, x: r[x], y: r[y], "feasible": r["feasible"], "front": r["point"] in best}
        for r in shown
    ]
    with paper_figure(folder, name, 2.4, numbers) as axes:
        for index, design in enumerate(study.designs):
            of = [r for r in shown if r["design"] == design.shown]
            style = {"marker": MARKERS[index % 8], "color": COLOURS[index % 8], "linestyle": "none"}
            axes.plot([r[x] for r in of], [r[y] for r in of], alpha=0.6, markeredgewidth=0, label=design.shown, **style)
        line = sorted(front.records, key=lambda r: r[x])
        if len(study.objectives) == 2:
            look = {"color": "black", "linewidth": 0.5, "linestyle": ":", "marker": "o", "fillstyle": "none"}
            axes.plot([r[x] for r in line], [r[y] for r in line], markersize=6, label="front", **look)
        axes.plot(front.knee[x], front.knee[y], marker="*", markersize=9, color="black", linestyle="none", label="knee")
        axes.set_xlabel(_label(x))
        axes.set_ylabel(_label(y))
        axes.legend()


def _breakdown(study: Study, records: Records, parts: Records, column: str, folder: Path) -> str:
    """Stacked bars, the seven largest components and the rest; the name of the figure."""
    best = [r for front in fronts(study, records) for r in front.records]
    chosen = (best or [r for r in records if r["status"] == "ok"])[:MOST_BARS]
    wanted = {r["point"]: r for r in chosen}
    numbers = [dict(part) for part in parts if part["point"] in wanted and part[column]]
    sums: dict[str, float] = {}
    by: dict[tuple[int, str], float] = {}
    for part in numbers:
        sums[part["component"]] = sums.get(part["component"], 0.0) + part[column]
        by[part["point"], part["component"]] = part[column]
    largest = sorted(sums, key=lambda name: -sums[name])
    groups = [[name] for name in largest[:7]] + ([largest[7:]] if largest[7:] else [])
    kept = [{"point": n["point"], "component": n["component"], column: n[column]} for n in numbers]
    name, _, _ = f"breakdown-{column}".partition("_")
    with paper_figure(folder, name, 1.0 + 0.2 * len(wanted), kept) as axes:
        left = dict.fromkeys(wanted, 0.0)
        for index, group in enumerate(groups):
            widths = [sum(by.get((point, name), 0.0) for name in group) for point in wanted]
            label = group[0] if len(group) == 1 else "others"
            look = {"color": COLOURS[index], "hatch": HATCHES[index], "edgecolor": "white", "linewidth": 0.3}
            axes.barh(range(len(wanted)), widths, left=list(left.values()), height=0.75, label=label, **look)
            left = {point: left[point] + width for point, width in zip(wanted, widths, strict=True)}
        axes.set_yticks(range(len(wanted)), [_short(study, record) for record in wanted.values()])
        axes.invert_yaxis()
        axes.set_xlabel(PARTS[column][0])
        if unit := PARTS[column][1]:
            from matplotlib.ticker import EngFormatter

            axes.xaxis.set_major_formatter(EngFormatter(unit))
        axes.figure.legend(loc="outside upper center", ncols=3, fontsize=6, handlelength=1.0, columnspacing=0.8)
    return name


def _short(study: Study, record: dict[str, Any]) -> str:
    """A point in a few words: what of it varies in the study."""
    words = [record["design"]] if len(study.designs) > 1 else []
    words += [Path(record["workload"]).stem] if len(study.workloads) > 1 else []
    words += [str(record[key]) for key in study.parameters]
    text = ", ".join(words) or record["design"]
    return f"{record['point']}: {text}" if len(text) <= 34 else f"point {record['point']}"


def _sensitivity(study: Study, sensitivities: Records, folder: Path) -> None:
    """How much each parameter alone changes each objective, or else each of the first metrics."""
    metrics = (list(study.objectives) or study.columns)[:4]
    shown = [row for row in sensitivities if row["metric"] in metrics]
    names = list(dict.fromkeys(row["parameter"] for row in shown))
    by = {(row["parameter"], row["metric"]): row for row in shown}
    with paper_figure(folder, "sensitivity", 0.9 + 0.25 * len(names), shown) as axes:
        height = 0.8 / len(metrics)
        for index, metric in enumerate(metrics):
            rows = [by.get((name, metric)) for name in names]
            widths = [row["mean ratio"] - 1 if row else 0.0 for row in rows]
            places = [place + index * height for place in range(len(names))]
            look = {"color": COLOURS[index], "hatch": HATCHES[index], "edgecolor": "white", "linewidth": 0.3}
            axes.barh(places, widths, left=1.0, height=height, label=_label(metric), **look)
        axes.set_yticks([place + 0.4 - height / 2 for place in range(len(names))], [_last(name) for name in names])
        axes.invert_yaxis()
        axes.set_xlabel("largest over smallest value, one parameter at a time")
        axes.figure.legend(loc="outside upper center", ncols=2)


def _last(key: str) -> str:
    """The end of a dotted key, which tells it from others."""
    return ".".join(key.split(".")[-2:])
