"""``archsim accuracy-study``: the losses from software to hardware beside the paper's, as tables, JSON and a figure."""

from __future__ import annotations

import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group

from archsim._version import __version__
from archsim.accuracy.letters_study import CASES, Letters, LettersStudy
from archsim.report.files import write_bytes, write_json
from archsim.report.hardware import plain_text
from archsim.report.noc import require_plot
from archsim.report.runs import grid, table_files, write_files

__all__ = ["PUBLISHED", "SETS", "loss_records", "study_json", "study_tables", "target_records", "write_study"]

Records = list[dict[str, Any]]
Floats = NDArray[np.float64]

SETS = ("training", "test")
"""The drawn patterns and the flipped ones."""

PUBLISHED: dict[str, dict[str, float]] = {
    "software": {"training": 100.0, "test": 82.34},
    "defects unknown": {"training": 95.0, "test": 79.06},
    "defects known": {"training": 100.0, "test": 81.4},
}
"""Percent classified right, in the text of Merrikh Bayat et al., Nat. Commun. 9, 2331 (2018)."""

CENTRAL = (5.0, 50.0, 95.0)
"""The percentiles that are shown; between the outer ones lie 90 % of the networks."""

COLOURS = {"bars": "#56B4E9", "interval": "0.9", "paper": "#D55E00"}


def _published_loss(case: str, which: str) -> float | None:
    """Percentage points that the paper loses."""
    if case not in PUBLISHED:
        return None
    return round(PUBLISHED["software"][which] - PUBLISHED[case][which], 2)


def loss_records(letters: Letters) -> Records:
    """A row for each case and set: losses in percentage points, and the paper's."""
    records = []
    for case in letters.hardware:
        for index, which in enumerate(SETS):
            loss = letters.losses(case)[index]
            low, median, high = (float(value) for value in np.percentile(loss, CENTRAL))
            paper = _published_loss(case, which)
            records.append(
                {
                    "case": case,
                    "patterns": which,
                    "software %": float(letters.software[index].mean()),
                    "hardware %": float(letters.hardware[case][index].mean()),
                    "loss": float(loss.mean()),
                    "sd": float(loss.std(ddof=1)) if len(loss) > 1 else 0.0,
                    "5 %": low,
                    "median": median,
                    "95 %": high,
                    "width": high - low,
                    "paper": paper,
                    "within": None if paper is None else ("yes" if low <= paper <= high else "no"),
                }
            )
    return records


def target_records(study: LettersStudy) -> Records:
    """A row for each target that was tried, and the chosen one with weights that do not fill their range."""
    records = []
    for letters in study.by_target:
        record: dict[str, Any] = {
            "target": letters.target,
            "range filled": "yes" if letters.filled else "no",
            "learned at once %": float(100.0 * letters.learned.mean()),
            **{f"weights {layer + 1} rms": rms for layer, rms in enumerate(letters.weights_rms)},
            "software test %": float(letters.software[1].mean()),
        }
        for row in loss_records(letters):
            for key in ("5 %", "median", "95 %"):
                record[f"{row['case']}, {row['patterns']}, {key}"] = row[key]
        records.append(record)
    return records


def _targets_shown(study: LettersStudy) -> Records:
    """The same with the percentiles of a loss in one column."""
    shown = []
    for record in target_records(study):
        row = {key: value for key, value in record.items() if "," not in key}
        for key in (key for key in record if key.endswith(", median")):
            name = key.removesuffix(", median")
            low, median, high = (record[f"{name}, {part}"] for part in ("5 %", "median", "95 %"))
            row[name] = f"{low:.1f} … {median:.1f} … {high:.1f}"
        shown.append(row)
    return shown


def network_records(study: LettersStudy) -> Records:
    """A row for each network and its chip: percent classified right, in software and in every case."""
    chosen, records = study.chosen, []
    for number, stuck in enumerate(study.stuck):
        record: dict[str, Any] = {"network": number, "stuck devices": int(stuck)}
        for index, which in enumerate(SETS):
            record[f"software, {which}"] = float(chosen.software[index][number])
        for case, read in chosen.hardware.items():
            for index, which in enumerate(SETS):
                record[f"{case}, {which}"] = float(read[index][number])
        records.append(record)
    return records


def study_json(study: LettersStudy) -> dict[str, Any]:
    """Plain values, the same for the same seed and number of networks."""
    cell = study.hardware.cell
    return {
        "study": "merrikh-bayat-2018",
        "version": __version__,
        "networks": len(study.stuck),
        "seed": study.seed,
        "target": study.chosen.target,
        "hardware": asdict(study.hardware),
        "device": {"name": cell.name, "source": cell.source, "limits": list(cell.limits)},
        "cases": {
            name: {"network": case.network, "effects": sorted(case.effects), "stuck_share": case.stuck_share}
            for name, case in CASES.items()
        },
        "published_percent": PUBLISHED,
        "losses": loss_records(study.chosen),
        "targets": target_records(study),
        "loading": study.loading.to_json(),
    }


def _loading_line(study: LettersStudy) -> str:
    found = study.loading
    least = "at least " if found.at_least else ""
    return (
        f"loading: {found.cells} devices, {least}{found.pulses} pulses, {least}{found.one_by_one_s:.4g} s one by one, "
        f"{least}{found.ledger.total_j():.4g} J"
        + ("; its source does not say how many pulses a device takes" * bool(least))
    )


def study_tables(study: LettersStudy) -> Group:
    """What the command prints."""
    records = loss_records(study.chosen)
    losses = [{key: row[key] for key in row if key not in ("software %", "sd", "width")} for row in records]
    title = (
        f"Letters on two passive crossbars, {len(study.stuck)} networks trained for {study.chosen.target:g} of the full"
        " output: percentage points lost from software to hardware"
    )
    targets = [
        {key: row[key] for key in row if "rms" not in key and "known, training" not in key}
        for row in _targets_shown(study)
    ]
    words = "Targets: losses on the test patterns, 5 % … median … 95 % of the networks"
    return Group(grid(title, losses), grid(words, targets), plain_text(_loading_line(study)))


def write_study(study: LettersStudy, folder: Path) -> None:
    """``losses``, ``targets``, ``loading`` as CSV and Markdown, ``networks.csv``, ``study.json``, ``losses.png``."""
    picture = loss_figure(study)
    losses, ledger = loss_records(study.chosen), study.loading.ledger.records()
    files = {
        **table_files("losses", losses, losses),
        **table_files("targets", target_records(study), _targets_shown(study)),
        **table_files("loading", ledger, ledger),
    }
    files["networks.csv"] = table_files("networks", network_records(study), [])["networks.csv"]
    write_files(folder, files, "losses.md")
    write_json(folder / "study.json", study_json(study))
    write_bytes(folder / "losses.png", picture)


def loss_figure(study: LettersStudy) -> bytes:
    """The losses of all networks as histograms, with the paper's one chip as a line: a PNG."""
    plt = require_plot()
    cases = [case for case in study.chosen.hardware if case in PUBLISHED]
    style = {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}
    with plt.rc_context(style):
        figure, axes = plt.subplots(len(cases), 2, figsize=(6.6, 4.6), layout="constrained", sharex=True, squeeze=False)
        for row, case in enumerate(cases):
            for column, which in enumerate(SETS):
                _histogram(axes[row, column], study.chosen.losses(case)[column], _published_loss(case, which))
                axes[row, column].set_title(f"{case}, {which} patterns", loc="left", fontsize=8)
            axes[row, 0].set_ylabel("networks")
        for place in axes[-1]:
            place.set_xlabel("loss from software to hardware (percentage points)")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=150, metadata={"Software": None})
        plt.close(figure)
    return stream.getvalue()


def _histogram(axes: Any, loss: Floats, paper: float | None) -> None:
    low, _, high = np.percentile(loss, CENTRAL)
    edges = np.arange(np.floor(loss.min() / 2.5) - 0.5, np.ceil(loss.max() / 2.5) + 1.0) * 2.5
    axes.axvspan(low, high, color=COLOURS["interval"], linewidth=0, label="central 90 % of the networks")
    axes.hist(loss, edges, color=COLOURS["bars"], edgecolor="white", linewidth=0.5, label="simulated chips")
    if paper is not None:
        axes.axvline(paper, color=COLOURS["paper"], linewidth=1.5, label="the paper's chip")
    axes.margins(x=0.02)
