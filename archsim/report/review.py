"""``archsim table review``: the field's comparison table in the terminal, Markdown, LaTeX and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table

from archsim.hardware.rollup import OPERATIONS_PER_MAC
from archsim.hardware.scaling import RULE
from archsim.report.files import make_folder, write_text
from archsim.report.hardware import plain_text
from archsim.report.made import signed
from archsim.report.tables import as_csv, as_latex, as_markdown

__all__ = ["review_tables", "write_review"]

Records = Sequence[dict[str, Any]]

HEADINGS = {
    "design": "design",
    "evidence": "evidence",
    "process_nm": "nm",
    "activation_bits": "act. bits",
    "weight_bits": "weight bits",
    "clock": "clock",
    "workload": "workload",
    "storage": "weight storage",
    "array": "array",
    "adc": "ADC",
    "tops": "TOPS",
    "tops_per_mm2": "TOPS/mm²",
    "tops_per_w": "TOPS/W",
    "area_factor": "area ×",
    "energy_factor": "energy ×",
    "note": "note",
}
"""The columns and their headings."""

FACTORS = ("area_factor", "energy_factor")
NUMBERS = ("process_nm", "tops", "tops_per_mm2", "tops_per_w", *FACTORS)
SCALED = ("design", *NUMBERS, "note")
"""The columns of a scaled table; the others are those of the table as it is."""
AS_IT_IS = tuple(key for key in HEADINGS if key not in FACTORS)


def _views(records: Records) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """File name, title and rows of each of the four tables."""
    node = next(record["scaled_to_nm"] for record in records if record["scaled_to_nm"])
    views = []
    for view in ("published", "simulated"):
        for to, name, title in ((None, view, f"As {view}"), (node, f"{view}-scaled", f"As {view}, at {node:g} nm")):
            rows = [r for r in records if (r["view"], r["scaled_to_nm"]) == (view, to)]
            keys = AS_IT_IS if to is None else SCALED
            views.append((name, title, [{HEADINGS[key]: row[key] for key in keys} for row in rows]))
    return views


def _about(node: str) -> str:
    return (
        f"{OPERATIONS_PER_MAC} operations a multiply-accumulate in every table. As published and as simulated, every "
        f"design is at its own node. Scaled to {node}: {RULE}."
    )


def review_tables(records: Records, node: str) -> Group:
    """What ``archsim table review`` prints."""
    return Group(*(_table(title, rows) for _, title, rows in _views(records)), plain_text(_about(node)))


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    wide = len(rows[0]) > len(SCALED)  # the notes of wide tables are for the files
    headings = [heading for heading in rows[0] if not (wide and heading == HEADINGS["note"])]
    for heading in headings:
        number = heading in {HEADINGS[key] for key in NUMBERS}
        table.add_column(heading, justify="right" if number else "left", overflow="fold", no_wrap=number)
    for row in rows:
        table.add_row(*(plain_text(_cell(row[heading])) for heading in headings))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_review(records: Records, node: str, folder: Path) -> None:
    """Write the tables into ``folder``: each as CSV and LaTeX, all of them in one Markdown file."""
    make_folder(folder)
    lines = ["# Accelerators, as published and as simulated", "", _about(node), ""]
    for name, title, rows in _views(records):
        write_text(folder / f"{name}.csv", as_csv(rows))
        write_text(folder / f"{name}.tex", as_latex(rows))
        lines += [f"## {title}", "", as_markdown(rows)]
    write_text(folder / "review.md", signed("\n".join(lines)))
