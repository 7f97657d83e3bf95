"""``archsim run`` and ``archsim compare``: tables for the terminal, and the files of ``--out``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from archsim.report.files import write_text
from archsim.report.tables import as_csv, as_markdown
from archsim.results import Run
from archsim.units import format_si

__all__ = ["COMPARE_COLUMNS", "compare_row", "comparison_tables", "run_tables", "write_comparison", "write_run"]

Records = list[dict[str, Any]]


def _grid(title: str, records: Records) -> Table:
    table = Table(title=title, title_justify="left")
    for key, value in (records[0] if records else {}).items():
        table.add_column(key, justify="left" if isinstance(value, str) else "right", overflow="fold")
    for record in records:
        table.add_row(*(value if isinstance(value, str) else f"{value:.4g}" for value in record.values()))
    return table


def headline(run: Run) -> Records:
    """The figures that a run is read for, each with its unit and what it means."""

    def row(name: str, value: str, meaning: str) -> dict[str, Any]:
        return {"figure": name, "value": value, "meaning": meaning}

    timing, unit = run.timing, run.unit
    return [
        row("latency", format_si(run.latency_s, "s"), f"one {unit} in the empty machine, first token in to last out"),
        row("steady latency", format_si(timing.steady_latency_ps * 1e-12, "s"), "the same with the pipeline full"),
        row(
            "interval",
            format_si(run.interval_s, "s"),
            f"between two {unit}s, steady; spread {timing.interval_spread:.2%}",
        ),
        row(
            "throughput",
            f"{run.throughput_per_s:.5g} {unit}/s",
            f"{run.effective_tops:.4g} of {run.peak['tops']:.4g} TOPS",
        ),
        row("energy, gated", format_si(run.energy_j, "J"), f"per {unit}: actions, and stated static power × interval"),
        row("energy, always on", format_si(run.energy_always_on_j, "J"), f"per {unit}: every component at full power"),
        row(
            "average power", format_si(run.energy_j / run.interval_s, "W"), f"gated; always on {run.always_on_w:.5g} W"
        ),
        row(
            "area",
            f"{run.area_mm2:.5g} mm²",
            f"{run.chips} chips, {run.tiles['used']} of {run.tiles['board']} tiles in use",
        ),
        row(
            "cells in use",
            f"{run.cells['cells']:.1%}",
            f"of the arrays in use; {run.cells['cells_of_board']:.1%} of all",
        ),
        row("time in use", f"{run.time_utilisation:.1%}", "MVM time over interval, mean over the arrays in use"),
        row("limited by", run.bottleneck.layer, run.bottleneck.reason),
    ]


def energy_records(run: Run) -> Records:
    """The ledger by component, largest first."""
    total = run.energy_j or 1.0
    parts = sorted(run.ledger.by_component().items(), key=lambda item: -item[1])
    return [{"component": name, "energy": format_si(j, "J"), "share": f"{j / total:.1%}"} for name, j in parts]


def link_records(run: Run) -> Records:
    """Bytes and busy time by kind of link."""
    return [
        {
            "kind": kind,
            "links": int(busy["links"]),
            "bytes": float(run.bytes_by_link_kind.get(kind, 0.0)),
            "mean busy": f"{busy['mean']:.1%}",
            "largest busy": f"{busy['max']:.1%}",
        }
        for kind, busy in run.busy_by_link_kind.items()
    ]


def layer_records(run: Run) -> Records:
    """Copies and waiting of each layer."""
    return [
        {
            "layer": layer,
            "copies": run.replication.get(layer, ""),
            "busy": f"{waiting.busy:.1%}",
            "starved": f"{waiting.starved:.1%}",
            "blocked": f"{waiting.blocked:.1%}",
        }
        for layer, waiting in run.waiting.items()
    ]


def run_tables(run: Run) -> Group:
    """What ``archsim run`` prints."""
    title = Text(f"{run.workload} on {run.chips} × {run.chip}", style="bold")
    title.append(
        f"  ({run.engine} engine, detail {run.detail}, {run.timing.images} {run.unit}s, {run.timing.events} events)",
        style="not bold",
    )
    parts: list[RenderableType] = [title, _grid("Result", headline(run)), _grid("Energy", energy_records(run))]
    parts += [_grid("Links", link_records(run)), _grid("Layers", [_text(r) for r in layer_records(run)])]
    return Group(*parts)


def _text(record: dict[str, Any]) -> dict[str, Any]:
    return {key: str(value) for key, value in record.items()}


def statistics(run: Run) -> str:
    """Flat statistics, one ``name value unit`` a line."""
    units = {"_s": "s", "_j": "J", "_w": "W", "_mm2": "mm2", "_per_s": "1/s", "_per_inference": "J", "_tops": "TOPS"}
    lines: list[str] = []

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), inner)
        elif not isinstance(value, list):
            ending = max((end for end in units if prefix.endswith(end)), key=len, default="")
            lines.append(f"{prefix} {value} {units.get(ending, '-')}")

    walk("", run.to_json())
    return "\n".join(lines) + "\n"


def write_run(run: Run, folder: Path) -> None:
    """``resolved.yaml``, ``stats.txt``, and each table as CSV and Markdown, in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    resolved = yaml.safe_dump(dict(run.resolved), sort_keys=False, allow_unicode=True, width=120)
    write_text(folder / "resolved.yaml", resolved)
    write_text(folder / "stats.txt", statistics(run))
    tables = {"result": headline(run), "ledger": run.ledger.records(), "links": link_records(run)}
    tables["layers"] = layer_records(run)
    _write_tables(folder, tables)


def _write_tables(folder: Path, tables: dict[str, Records]) -> None:
    for name, records in tables.items():
        write_text(folder / f"{name}.csv", as_csv(records))
        write_text(folder / f"{name}.md", as_markdown(records))


COMPARE_COLUMNS = (
    "workload",
    "chip",
    "chips",
    "area mm2",
    "copies",
    "dense",
    "per s",
    "unit",
    "latency",
    "energy",
    "always on",
    "TOPS",
    "per s mm2",
    "per s W",
    "limited by",
)


def compare_row(run: Run) -> dict[str, Any]:
    """One line of a comparison."""
    watts = run.energy_j / run.interval_s
    values = (
        run.workload,
        run.chip,
        run.chips,
        run.area_mm2,
        max(run.replication.values()),
        f"{run.dense_share:.0%}",
        run.throughput_per_s,
        run.unit,
        format_si(run.latency_s, "s"),
        format_si(run.energy_j, "J"),
        format_si(run.energy_always_on_j, "J"),
        run.effective_tops,
        run.throughput_per_s / run.area_mm2,
        run.throughput_per_s / watts,
        f"{run.bottleneck.server} {run.bottleneck.share:.0%}",
    )
    return dict(zip(COMPARE_COLUMNS, values, strict=True))


def comparison_tables(runs: Sequence[Run], ratios: Records) -> Group:
    """What ``archsim compare`` prints at the end."""
    parts: list[RenderableType] = [_grid("Comparison", [compare_row(run) for run in runs])]
    if ratios:
        parts.append(_grid(f"Relative to {ratios[0]['over']}", ratios))
    note = (
        "copies: the most that any layer has. dense: share of the arrays in use that hold dense layers. energy: gated "
        "(actions, and stated static power × interval); always on: every component at full power all the time. "
        "per s W: inferences a second over the gated average power. TOPS: done, 2 operations a MAC."
    )
    parts.append(Text(note, style="italic"))
    return Group(*parts)


def write_comparison(runs: Sequence[Run], ratios: Records, folder: Path) -> None:
    """The comparison's tables, and a folder for each run."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_tables(folder, {"comparison": [compare_row(run) for run in runs], "ratios": ratios})
    for run in runs:
        write_run(run, folder / f"{run.chip}-{run.workload}")
