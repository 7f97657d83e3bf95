"""``archsim mvm``: the error budget of an array as tables, files and a figure."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from archsim.hardware.read import MvmRun
from archsim.numeric.report import WORDS
from archsim.report.hardware import plain_text
from archsim.report.runs import grid, table_files, write_files

__all__ = ["budget_figure", "budget_records", "mvm_tables", "write_mvm"]

Records = list[dict[str, Any]]


def budget_records(run: MvmRun) -> Records:
    """A line for each cause alone, the largest error first, and one for all of them together.

    ``error``: root mean square, relative to that of the product.  ``of total``: its power over that of all together.
    """
    report = run.report
    ordered = sorted(report.causes, key=lambda cause: -cause.error_rms)
    rows = [(WORDS[cause.effect], cause.error_rms, cause.snr_db, cause.share) for cause in ordered]  # type: ignore[index]
    rows.append(("all together", report.error_rms, report.snr_db, 1.0 if report.error_rms else None))
    size = report.product_rms or 1.0
    return [{"cause": w, "error": rms / size, "SNR dB": snr, "of total": share} for w, rms, snr, share in rows]


def _headline(run: MvmRun, speed: dict[str, float] | None) -> Text:
    report, config = run.report, run.matrix.config
    rows, columns = run.matrix.shape
    snr = "exact" if report.error_rms == 0 else f"SNR {report.snr_db:.1f} dB"
    bits = "no ADC" if config.adc.bits is None else f"{config.adc.bits}-bit ADC"
    text = Text.assemble(plain_text(run.tile.model.title or run.tile.model.name), style="bold")
    lines = [
        f"{rows} × {columns} weights of {config.weights.bits} bits, {config.weights.scheme}, in {config.rows} × "
        f"{config.columns} cells of {config.weights.cell_bits} bits, {bits}, cell {config.cell.name}",
        f"{snr}, {report.saturation_share:.3g} of {report.conversions} conversions out of range, "
        f"{len(run.inputs)} inputs",
    ]
    if speed:
        lines.append(
            f"{speed['mvm_per_cpu_s']:.4g} MVM per CPU-second; the plain float32 product of the same shapes: "
            f"{speed['float32_product_per_cpu_s']:.4g} (ratio {speed['ratio']:.2f})"
        )
    return text.append("\n" + "\n".join(lines), style="not bold")


def mvm_tables(run: MvmRun, speed: dict[str, float] | None = None) -> Group:
    """What ``archsim mvm`` prints."""
    parts: list[RenderableType] = [_headline(run, speed), grid("Error by cause, each alone", budget_records(run))]
    done = run.report.programming
    if done["pulses"] is not None:
        parts.append(plain_text(_programming(done)))
    return Group(*parts)


def _programming(done: dict[str, Any]) -> str:
    text = f"programming: {done['cells']} cells, {done['pulses']} operations, at most {done['most_pulses']} a cell"
    text += f", {done['failed']} given up" if done["failed"] else ""
    text += "" if done["seconds"] is None else f", {done['seconds']:.4g} s"
    return text + ("" if done["energy_j"] is None else f", {done['energy_j']:.4g} J")


def write_mvm(run: MvmRun, folder: Path) -> bool:
    """``resolved.yaml``, the budget as CSV, Markdown and, if Matplotlib is there, ``budget.svg``; whether it is."""
    records = budget_records(run)
    files = {"resolved.yaml": run.tile.resolved_yaml(), **table_files("budget", records, records)}
    with suppress(ModuleNotFoundError):
        files["budget.svg"] = budget_figure(run)
    write_files(folder, files, "budget.md")
    return "budget.svg" in files


def budget_figure(run: MvmRun) -> str:
    """The error budget as bars, in SVG; the same bytes for the same run."""
    from matplotlib import rc_context  # noqa: PLC0415  an extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    records = [record for record in budget_records(run) if record["error"] > 0]
    if not records:
        records = budget_records(run)[-1:]
    with rc_context({"svg.hashsalt": "archsim", "font.size": 9}):
        figure = Figure(figsize=(6.4, 1.3 + 0.34 * len(records)), layout="constrained")
        axes = figure.subplots()
        places = range(len(records))
        values = [100 * record["error"] for record in records]
        colours = ["0.25" if record["cause"] == "all together" else "tab:blue" for record in records]
        bars = axes.barh(places, values, color=colours)
        words = ["exact" if r["SNR dB"] is None else f"{r['SNR dB']:.1f} dB" for r in records]
        axes.bar_label(bars, words, padding=3)
        axes.set_yticks(places, [record["cause"] for record in records])
        axes.invert_yaxis()
        axes.set_xlim(0, 1.18 * max(values) or 1)
        axes.set_xlabel("error, root mean square, in % of that of the exact product")
        rows, columns = run.matrix.shape
        axes.set_title(f"{run.tile.model.name}: {rows} × {columns}, each cause alone", loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()
