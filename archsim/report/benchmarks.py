"""The benchmark tables of papers: for the terminal, and as CSV, Markdown and LaTeX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from archsim.report.runs import grid, table_files, write_files
from archsim.report.tables import as_latex, as_markdown

__all__ = ["benchmark_tables", "write_benchmarks"]

NOTE = (
    "energy gated: the actions of an inference, and stated static power × interval; always on: every component at full "
    "power all the time. Ratios are how many times a design's throughput, peak and power are those of the other, and "
    "how many times less its latency and energy. throughput = peak × share of peak, of the whole boards; the share is "
    "of the peak as the paper counts it. Means are over the networks that both run. limited by: the server that is "
    "busy for the largest share of the interval."
)

SHOWN = ("network", "design", "chips", "TOPS", "share of peak", "latency_s", "energy_gated_j", "energy_always_on_j")
"""Columns for the terminal and LaTeX; the other files have all."""


TITLES = {
    "networks": "Networks",
    "ratios": "Normalised to {}",
    "published": "The paper's figures beside archsim's means",
}


def benchmark_tables(found: dict[str, Any]) -> Group:
    """What ``archsim table`` prints for a suite: ``found`` has its title, baseline, readings and tables."""
    parts: list[RenderableType] = [Text(found["title"], style="bold")]
    narrow = found | {"networks": [{key: row[key] for key in (*SHOWN, "limited by")} for row in found["networks"]]}
    parts += [grid(title.format(found["baseline"]), narrow[name]) for name, title in TITLES.items()]
    parts += [Text(line) for line in found["readings"]]
    return Group(*parts, Text(NOTE, style="italic"))


def write_benchmarks(found: dict[str, Any], folder: Path) -> None:
    """Each table as CSV and Markdown, the networks also as LaTeX, and a page with all of it."""
    files: dict[str, str] = {}
    for name in TITLES:
        files |= table_files(name, found[name], found[name])
    files["networks.tex"] = as_latex([{key: row[key] for key in SHOWN} for row in found["networks"]])
    page = [f"# {found['title']}", "", *(f"* {line}" for line in found["readings"]), "", NOTE, ""]
    for name, title in TITLES.items():
        page += [f"## {title.format(found['baseline'])}", "", as_markdown(found[name])]
    files["report.md"] = "\n".join(page)
    write_files(folder, files, "report.md")
