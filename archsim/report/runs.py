"""``archsim run`` and ``archsim compare``: tables for the terminal, and the files of ``--out``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import indent
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from archsim.report.files import make_folder, write_text
from archsim.report.hardware import plain_text
from archsim.report.loading import comparison_loading, loading_records, phase_records
from archsim.report.made import signed
from archsim.report.tables import as_csv, as_markdown
from archsim.results import Run, Timing, per
from archsim.units import format_si

__all__ = [
    "COMPARE_COLUMNS",
    "compare_row",
    "comparison_record",
    "comparison_tables",
    "grid",
    "resolved_text",
    "run_tables",
    "statistics",
    "table_files",
    "write_comparison",
    "write_files",
    "write_run",
    "write_tables",
]

Records = list[dict[str, Any]]

SHARES = ("share", "loading share", "mean busy", "largest busy", "busy", "starved", "blocked")
"""Keys of records whose values are shares, shown in percent."""


def grid(title: str, records: Records) -> Table:
    """Records as a table for the terminal, numbers to four digits."""
    table = Table(title=plain_text(title), title_justify="left")
    for key, value in (records[0] if records else {}).items():
        table.add_column(plain_text(key), justify="left" if isinstance(value, str) else "right", overflow="fold")
    for record in records:
        table.add_row(*(plain_text(_cell(value)) for value in record.values()))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _shown(records: Records) -> Records:
    """The same records with their shares in percent."""
    return [
        {key: f"{value:.1%}" if key in SHARES and value is not None else value for key, value in record.items()}
        for record in records
    ]


STEADY = 0.1
"""The spread of intervals, over their mean, up to which a run is called steady."""


def _steadiness(timing: Timing) -> str:
    if timing.images == 1:
        return "not measured, only one was simulated"
    return "steady" if timing.interval_spread <= STEADY else "uneven: more --images give a better mean"


def headline(run: Run) -> Records:
    """The figures that a run is read for, each with its unit and what it means."""

    def row(name: str, value: str, meaning: str) -> dict[str, Any]:
        return {"figure": name, "value": value, "meaning": meaning}

    timing, unit = run.timing, run.unit
    alone, full, between = (
        f"one {unit} in the empty machine, first token in to last out",
        "the same with the pipeline full",
        f"between two {unit}s, {_steadiness(timing)}; spread {timing.interval_spread:.2%}",
    )
    if len(run.phases) > 1:
        alone = f"one {unit} through {len(run.phases)} phases, each loaded before"
        full, between = f"a batch of {timing.images}", "the time of a batch over what is in it"
    return [
        row("latency", format_si(run.latency_s, "s"), alone),
        row("steady latency", format_si(timing.steady_latency_ps / 1e12, "s"), full),
        row("interval", format_si(run.interval_s, "s"), between),
        row(
            "throughput",
            f"{run.throughput_per_s:.5g} {unit}/s",
            f"{run.effective_tops:.4g} of {run.peak['tops']:.4g} TOPS",
        ),
        row("energy, gated", format_si(run.energy_j, "J"), f"per {unit}: actions, and stated static power × interval"),
        row("energy, always on", format_si(run.energy_always_on_j, "J"), f"per {unit}: every component at full power"),
        row("average power", format_si(run.average_power_w, "W"), f"gated; always on {run.always_on_w:.5g} W"),
        row(
            "area",
            f"{run.area_mm2:.5g} mm²",
            f"{run.chips} chip{'s' if run.chips > 1 else ''}, {run.tiles['used']} of {run.tiles['board']} tiles in use",
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
    return [{"component": name, "energy": format_si(j, "J"), "share": j / total} for name, j in parts]


def link_records(run: Run) -> Records:
    """Bytes and busy time by kind of link; a functional unit's tokens carry no bytes."""
    return [
        {
            "kind": kind,
            "links": int(busy["links"]),
            "bytes": run.bytes_by_link_kind.get(kind),
            "mean busy": busy["mean"],
            "largest busy": busy["max"],
        }
        for kind, busy in run.busy_by_link_kind.items()
    ]


def layer_records(run: Run) -> Records:
    """Copies and waiting of each layer."""
    return [
        {
            "layer": layer,
            "copies": run.replication.get(layer),
            "busy": waiting.busy,
            "starved": waiting.starved,
            "blocked": waiting.blocked,
        }
        for layer, waiting in run.waiting.items()
    ]


def run_tables(run: Run) -> Group:
    """What ``archsim run`` prints."""
    title = plain_text(f"{run.workload} on {run.chips} × {run.chip}")
    title.stylize("bold")
    title.append(
        f"  ({run.engine} engine, detail {run.detail}, {run.timing.images} {run.unit}s, {run.timing.events} events)",
        style="not bold",
    )
    parts: list[RenderableType] = [title, grid("Result", headline(run)), grid("Energy", _shown(energy_records(run)))]
    if phases := phase_records(run):
        parts.append(grid("Phases", _shown(phases)))
    if loading := loading_records(run):
        parts.append(grid("Loading", loading))
    parts += [grid("Links", _shown(link_records(run))), grid("Layers", _shown(layer_records(run)))]
    note = (
        "Links and 'limited by' are shares of the interval. Layers: shares of the whole run, its filling and draining "
        "included, on average over a layer's MVM or pooling stages; the rest of the time a stage has nothing left to "
        "do. steady latency: from the first token offered to the last one out, waiting in full buffers included. Links "
        "are named by kind and place: a tile, or chip and router coordinates."
    )
    parts += [plain_text(f"Note: {said}") for said in run.notes]
    return Group(*parts, Text(note, style="italic"))


def statistics(run: Run) -> str:
    """Flat statistics, one ``name value unit`` a line, ``-`` where there is no unit; the ledger has a table of its
    own.  A name holds no white space, and a value no line break."""
    lines: list[str] = []

    def walk(path: tuple[str, ...], value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk((*path, re.sub(r"\s+", "_", str(key))), inner)
        elif not isinstance(value, list):
            lines.append(f"{'.'.join(path)} {' '.join(str(value).split())} {_unit(path, run)}")

    figures = run.to_json()
    for name in run.wall:  # seconds of this machine's clock: the files of a run are the same each time
        del figures[f"{name}_s"]
    walk((), figures)
    return "\n".join(lines) + "\n"


UNITS = {
    "bytes_by_link_kind": "B",
    "energy_breakdown_j": "J",
    "energy_j_per_inference": "J",
    "energy_always_on_j_per_inference": "J",
    "effective_tops": "TOPS",
    "macs": "MAC",
    "peak.tops": "TOPS",
    "peak.power_w": "W",
    "peak.area_mm2": "mm2",
    "peak.tops_per_w": "TOPS/W",
    "peak.tops_per_mm2": "TOPS/mm2",
}
"""Units of statistics whose name does not end in theirs."""


def _unit(path: tuple[str, ...], run: Run) -> str:
    if path == ("throughput_per_s",):
        return f"{run.unit}/s"
    for name in (".".join(path), path[0]):
        if name in UNITS:
            return UNITS[name]
    ending = path[-1].rpartition("_")[2] if len(path) == 1 or path[0] == "loading" else ""
    return {"s": "s", "w": "W", "mm2": "mm2", "j": "J"}.get(ending, "-")


def write_run(run: Run, folder: Path) -> None:
    """``resolved.yaml``, ``stats.txt``, and each table as CSV (plain numbers) and Markdown, in ``folder``."""
    write_files(folder, run_files(run), "result.md")


def run_files(run: Run) -> dict[str, str]:
    """The text of each file of a run by its name."""
    files = {"resolved.yaml": resolved_text(run.resolved), "stats.txt": statistics(run)}
    tables = {"result": headline(run), "ledger": run.ledger.records(), "links": link_records(run)}
    tables["layers"] = layer_records(run)
    if run.loading is not None:
        tables |= {"loading": loading_records(run), "loading_ledger": run.loading.ledger.records()}
    if phases := phase_records(run):
        tables["phases"] = phases
    for name, records in tables.items():
        files |= table_files(name, records, _shown(records))
    return files


def resolved_text(resolved: Mapping[str, str]) -> str:
    """The resolved documents and the options of a run in one YAML file, a key for each."""
    return "".join(f"{key}:\n{indent(text, '  ')}" for key, text in resolved.items())


def table_files(name: str, records: Records, shown: Records) -> dict[str, str]:
    """The texts of a table as CSV and, with the records that people see, as Markdown."""
    return {f"{name}.csv": as_csv(records), f"{name}.md": as_markdown(shown)}


def write_tables(folder: Path, tables: dict[str, Records], main: str) -> None:
    """Each table as CSV (plain numbers) and Markdown in ``folder``, which is made; ``main`` says what made them."""
    files: dict[str, str] = {}
    for name, records in tables.items():
        files |= table_files(name, records, records)
    write_files(folder, files, f"{main}.md")


def write_files(folder: Path, files: dict[str, str], main: str | None = None) -> None:
    """Write all files, whose texts are ready, so that little can come between the first and the last.

    The one called ``main``, in Markdown, gets a line that says what made them.
    """
    make_folder(folder)
    for name, text in files.items():
        write_text(folder / name, signed(text) if name == main else text)


COMPARE_COLUMNS = (
    "workload",
    "chip",
    "chips",
    "area mm2",
    "copies",
    "dense",
    "per s",
    "spread",
    "unit",
    "latency",
    "energy",
    "always on",
    "TOPS",
    "per s mm2",
    "per s W",
    "limited by",
)


COMPARE_TABLES = {
    "Boards": ("chips", "area mm2", "copies", "dense", "limited by"),
    "Comparison": ("per s", "unit", "latency", "energy", "always on"),
    "Efficiency": ("TOPS", "per s mm2", "per s W", "spread"),
}
"""The columns of a comparison as it is printed: in tables that a terminal of 80 characters holds."""


def comparison_record(run: Run) -> dict[str, Any]:
    """One line of a comparison as plain numbers, in SI units unless the key says otherwise."""
    return {
        "workload": run.workload,
        "chip": run.chip,
        "chips": run.chips,
        "area_mm2": run.area_mm2,
        "most_copies": _most_copies(run),
        "dense_share": run.dense_share,
        "throughput_per_s": run.throughput_per_s,
        "throughput_unit": run.unit,
        "latency_s": run.latency_s,
        "interval_s": run.interval_s,
        "interval_spread": run.timing.interval_spread,
        "energy_j_per_inference": run.energy_j,
        "energy_always_on_j_per_inference": run.energy_always_on_j,
        "effective_tops": run.effective_tops,
        "throughput_per_s_mm2": per(run.throughput_per_s, run.area_mm2),
        "throughput_per_s_w": per(run.throughput_per_s, run.average_power_w),
        "bottleneck": run.bottleneck.server,
        "bottleneck_share": run.bottleneck.share,
        **comparison_loading(run),
    }


def _most_copies(run: Run) -> int:
    return max(run.replication.values(), default=1)


def compare_row(run: Run) -> dict[str, Any]:
    """One line of a comparison, to be read."""
    values = (
        run.workload,
        run.chip,
        run.chips,
        run.area_mm2,
        _most_copies(run),
        f"{run.dense_share:.0%}",
        run.throughput_per_s,
        f"{run.timing.interval_spread:.0%}",
        run.unit,
        format_si(run.latency_s, "s"),
        format_si(run.energy_j, "J"),
        format_si(run.energy_always_on_j, "J"),
        run.effective_tops,
        per(run.throughput_per_s, run.area_mm2),
        per(run.throughput_per_s, run.average_power_w),
        f"{run.bottleneck.server} {run.bottleneck.share:.0%}",
    )
    return dict(zip(COMPARE_COLUMNS, values, strict=True))


def comparison_tables(runs: Sequence[Run], ratios: Records) -> Group:
    """What ``archsim compare`` prints at the end."""
    rows = [compare_row(run) for run in runs]
    parts: list[RenderableType] = [
        grid(title, [{key: row[key] for key in ("workload", "chip", *keys)} for row in rows])
        for title, keys in COMPARE_TABLES.items()
    ]
    if ratios:
        parts.append(grid(f"Relative to {ratios[0]['over']}", ratios))
    note = (
        "spread: largest less smallest interval between inferences, over the mean; where it is large, more --images "
        "give a better mean. copies: the most that any layer has. dense: share of the arrays in use that hold dense "
        "layers. energy: gated "
        "(actions, and stated static power × interval); always on: every component at full power all the time. "
        "per s W: inferences a second over the gated average power, the inverse of the gated energy; since what is "
        "idle counts for nothing there, it can exceed what the chip's peak figures suggest. TOPS: done, 2 operations a "
        "MAC. "
        "Without --chips, boards have the smallest silicon area at which every chip holds every network of this "
        "comparison once, rounded to whole chips: other networks beside it make other boards."
    )
    parts.append(Text(note, style="italic"))
    return Group(*parts)


def write_comparison(runs: Sequence[Run], ratios: Records, folder: Path) -> None:
    """The comparison's tables, and a folder for each run."""
    files = table_files("comparison", [comparison_record(run) for run in runs], [compare_row(run) for run in runs])
    if ratios:
        files |= table_files("ratios", ratios, ratios)
    each = {folder_name(run): run_files(run) for run in runs}
    write_files(folder, files, "comparison.md")
    for name, of_run in each.items():
        write_files(folder / name, of_run)


def folder_name(run: Run) -> str:
    """The name of a run's folder: names come from files that anybody may have written, so no path gets in."""
    return re.sub(r"[^\w.+-]", "_", f"{run.chip}-{run.workload}").lstrip(".")[:200]
