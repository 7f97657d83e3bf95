"""``archsim validate``: paper against archsim as tables in the terminal, Markdown, LaTeX and CSV, and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from archsim.report.files import make_folder, write_json, write_text
from archsim.report.hardware import plain_text
from archsim.report.made import signed
from archsim.report.published import AGREES, TOLERANCE, VERDICTS, WITH_READING, Validation
from archsim.report.study.figures import COLOURS, MARKERS, paper_figure
from archsim.report.tables import as_csv, as_latex, as_markdown

__all__ = ["validation_tables", "write_validation"]

Records = list[dict[str, Any]]

SHORT = dict(zip(VERDICTS, ("agrees", "with reading", "differs", "not enough", "recalled"), strict=True))
"""The verdicts as headings."""

COLUMNS = ("design", "metric", "paper", "archsim", "ratio", "verdict", "reason", "source")


def _design_records(validation: Validation) -> Records:
    return [
        {
            "design": design.design,
            "title": design.title,
            **{SHORT[verdict]: count for verdict, count in validation.counts(design.design).items()},
            "inputs": design.inputs,
            "assumed": design.assumed,
            "missing": design.missing,
        }
        for design in validation.designs
    ]


def validation_tables(validation: Validation) -> Group:
    """What ``archsim validate`` prints."""
    parts: list[RenderableType] = [
        _table("Published beside archsim", validation.to_json(), COLUMNS),
        _table("Designs", _design_records(validation), None),
    ]
    if validation.disagreements:
        parts.append(_table("Disagreements inside and between papers", list(validation.disagreements), None))
    return Group(*parts)


def _table(title: str, records: Records, columns: Sequence[str] | None) -> Table:
    table = Table(title=title, title_justify="left")
    keys = list(columns or (records[0] if records else ()))
    for key in keys:
        number = all(isinstance(record[key], int | float | None) for record in records)
        table.add_column(key, justify="right" if number else "left", overflow="fold")
    for record in records:
        table.add_row(*(plain_text(_cell(record[key])) for key in keys))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_validation(validation: Validation, folder: Path) -> list[str]:
    """Write tables and figure into ``folder``; the names of the files."""
    findings, designs = validation.to_json(), _design_records(validation)
    make_folder(folder)
    points = [f for f in findings if f["ratio"]]
    if points:
        _scatter(points, folder)
    write_json(folder / "validation.json", findings)
    for name, records in (("validation", findings), ("designs", designs)):
        write_text(folder / f"{name}.csv", as_csv(records))
        write_text(folder / f"{name}.tex", as_latex(records))
    write_text(folder / "validation.md", _markdown(validation, findings, designs, bool(points)))
    names = ["validation.md", "validation.json", "validation.csv", "validation.tex", "designs.csv", "designs.tex"]
    return [*names, *(f"scatter.{ending}" for ending in ("pdf", "png", "csv") if points)]


def _markdown(validation: Validation, findings: Records, designs: Records, figure: bool) -> str:
    total = {verdict: sum(f["verdict"] == verdict for f in findings) for verdict in VERDICTS}
    lines = ["# Published designs, and how near archsim comes to each", ""]
    lines += [f"{len(findings)} published figures of {len(designs)} designs. "]
    lines[-1] += "; ".join(f"{verdict}: {count}" for verdict, count in total.items()) + "."
    lines += [f"To agree is to lie within {TOLERANCE:.0%} of the paper.", ""]
    if figure:
        lines += ["![archsim against paper](scatter.png)", ""]
    lines += ["## Designs", "", as_markdown(designs)]
    lines += ["## Figures", "", as_markdown(findings)]
    if validation.disagreements:
        lines += ["## Disagreements inside and between papers", "", as_markdown(list(validation.disagreements))]
    noted = [design for design in validation.designs if design.deviations]
    if noted:
        lines += ["## Where a model departs from its paper, or a paper from itself", ""]
        for design in noted:
            lines += [f"{design.title}:", "", *(f"* {line.strip()}" for line in design.deviations), ""]
    return signed("\n".join(lines))


def _scatter(points: Records, folder: Path) -> None:
    """archsim against paper, both on logarithmic axes; on the line they are equal."""
    numbers = [
        {key: point[key] for key in ("design", "metric", "paper", "archsim", "ratio", "verdict")} for point in points
    ]
    with paper_figure(folder, "scatter", 3.4, numbers) as axes:
        ends = [f(min(p["paper"], p["archsim"]) for p in points) for f in (min, max)]
        ends[1] = max(max(p["paper"], p["archsim"]) for p in points)
        axes.plot(ends, ends, color="black", linewidth=0.5)
        for index, design in enumerate(dict.fromkeys(point["design"] for point in points)):
            of = [point for point in points if point["design"] == design]
            marker = MARKERS[(index + index // 8) % 8]  # from the ninth design on, colours come with other markers
            look = {"marker": marker, "color": COLOURS[index % 8], "linestyle": "none"}
            for agrees in (True, False):
                these = [p for p in of if (p["verdict"] in (AGREES, WITH_READING)) == agrees]
                fill = {"fillstyle": "full" if agrees else "none", "markersize": 3, "markeredgewidth": 0.6}
                axes.plot([p["paper"] for p in these], [p["archsim"] for p in these], **fill, **look)
            axes.plot([], [], label=design, **look)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(f"paper, each figure in its own unit (hollow: not within {TOLERANCE:.0%})")
        axes.set_ylabel("archsim")
        axes.figure.legend(loc="outside upper center", ncols=3, fontsize=6, handlelength=1.0)
