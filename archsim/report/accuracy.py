"""``archsim accuracy``: tables for the terminal, JSON, and the files of ``--out``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from archsim.accuracy.results import Accuracy, Outcome, PointResult, mean_sd
from archsim.report.files import make_folder, write_bytes
from archsim.report.hardware import plain_text
from archsim.report.runs import grid, table_files, write_files

__all__ = ["accuracy_json", "accuracy_records", "accuracy_tables", "layer_records", "write_accuracy"]

Records = list[dict[str, Any]]

FIGURES = ("accuracy", "top_3", "sensitivity", "specificity", "precision", "f1", "kappa", "cross_entropy")


def accuracy_records(result: Accuracy) -> Records:
    """A line for the float model, and for each point its digital run and its arrays: means over the seeds, and the
    standard deviation of the accuracy."""
    rows = [_record(result, "-", None, "float", [result.floating])]
    for index, point in enumerate(result.points):
        chip, value = point.point.chip, point.point.value
        known = [p.digital.evaluation for p in result.points[:index]]
        if not any(point.digital.evaluation is before for before in known):
            rows.append(_record(result, chip, None, _bits(point), [point.digital]))
        if point.ideal is not None:
            rows.append(_record(result, chip, value, "ideal arrays", [point.ideal]))
        rows.append(_record(result, chip, value, "arrays", list(point.analog)))
    return rows


def _bits(point: PointResult) -> str:
    """The digital run in the bits of weights and inputs."""
    return f"digital, {point.config.weights.bits}/{point.config.inputs.bits} bits"


def _record(result: Accuracy, chip: str, value: str | None, what: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    row: dict[str, Any] = {"chip": chip}
    if result.sweep is not None:
        row[result.sweep] = value
    row["computed in"] = what
    summaries = [o.metrics.summary() for o in outcomes if o.metrics is not None]
    if summaries:
        for name in (name for name in FIGURES if name in summaries[0]):
            row[name.replace("_", "-")] = math.fsum(s[name] for s in summaries) / len(summaries)
            if name == "accuracy":
                row["sd"] = _sd([s[name] for s in summaries])
        same = [o.agreement for o in outcomes if o.agreement is not None]
        row["as float"] = math.fsum(same) / len(same)
    known = [o.snr_db for o in outcomes if o.snr_db is not None]
    row["output SNR dB"] = math.fsum(known) / len(known) if known else None
    row["runs"] = len(outcomes)
    return row


def _sd(values: Sequence[float]) -> float | None:
    return mean_sd(values)[1] if len(values) > 1 else None


def layer_records(result: Accuracy) -> Records:
    """A line for each layer of weights of each point: its matrix, how close its arrays come to the product of whole
    numbers (mean and standard deviation over the seeds), and the share of conversions out of range."""
    rows = []
    for point in result.points:
        for index, layer in enumerate(point.analog[0].evaluation.layers):
            own = [outcome.evaluation.layers[index] for outcome in point.analog]
            snr = [o.snr_db for o in own if o.snr_db is not None]
            row: dict[str, Any] = {"chip": point.point.chip}
            if result.sweep is not None:
                row[result.sweep] = point.point.value
            row |= {"layer": layer.name, "operator": layer.operator}
            row |= {"rows": layer.rows, "columns": layer.columns, "groups": layer.groups}
            mean: float | str | None = math.fsum(snr) / len(snr) if snr else None
            row |= {"SNR dB": "exact" if all(o.exact for o in own) else mean, "sd": _sd(snr)}
            row["saturation"] = math.fsum(o.saturation for o in own) / len(own)
            row["conversions"] = layer.conversions
            rows.append(row)
    return rows


def _loss_records(result: Accuracy) -> Records:
    return [
        {
            "chip": point.point.label,
            "effect": loss.effect,
            "accuracy, this alone": loss.alone,
            "accuracy, all but this": loss.without,
        }
        for point in result.points
        for loss in point.losses
    ]


def _headline(result: Accuracy) -> Text:
    asked = result.asked
    text = Text.assemble(plain_text(f"{Path(asked.model).stem} on {asked.data}"), style="bold")
    seeds = f"{asked.seeds} seed{'s' if asked.seeds > 1 else ''}"
    what = "samples" if result.labelled else "samples without labels"
    return text.append(f"\n{result.samples} {what}, {seeds}, ranges from {asked.samples} samples", style="not bold")


def accuracy_tables(result: Accuracy) -> Group:
    """What ``archsim accuracy`` prints."""
    parts: list[RenderableType] = [_headline(result), grid("Accuracy", [_brief(r) for r in accuracy_records(result)])]
    if len(result.points) <= 4:
        parts.append(grid("Layers", layer_records(result)))
    if losses := _loss_records(result):
        parts.append(grid("Loss by cause (seed 0)", losses))
    parts += [plain_text(f"warning: {line}") for line in _warnings(result)]
    return Group(*parts)


def _brief(record: dict[str, Any]) -> dict[str, Any]:
    """What of a line there is room for in a terminal."""
    return {key: value for key, value in record.items() if key not in ("specificity", "precision", "f1")}


def _warnings(result: Accuracy) -> Iterator[str]:
    many = len(result.points) > 1
    for point in result.points:
        for warning in point.warnings:
            yield f"{point.point.label}: {warning}" if many else warning


def accuracy_json(result: Accuracy) -> dict[str, Any]:
    """Plain values, the same for the same files and seeds."""
    return {
        "model": Path(result.asked.model).stem,
        "data": Path(result.asked.data).name,
        "samples": result.samples,
        "seeds": result.asked.seeds,
        "sweep": result.sweep,
        "float": _outcome_json(result.floating),
        "points": [_point_json(point) for point in result.points],
    }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    found = {} if outcome.metrics is None else outcome.metrics.to_json()
    return {**found, "agreement": outcome.agreement, "output_snr_db": _tidy(outcome.snr_db)}


def _point_json(point: PointResult) -> dict[str, Any]:
    summary = {}
    if point.analog[0].metrics is not None:
        for name in point.analog[0].metrics.summary():
            mean, sd = point.spread(name) or (0.0, 0.0)
            summary[name] = {"mean": mean, "sd": sd}
    layers = [
        [
            {
                "name": layer.name,
                "operator": layer.operator,
                "rows": layer.rows,
                "columns": layer.columns,
                "groups": layer.groups,
                "snr_db": _tidy(layer.snr_db),
                "saturation": layer.saturation,
                "conversions": layer.conversions,
            }
            for layer in outcome.evaluation.layers
        ]
        for outcome in point.analog
    ]
    return {
        "chip": point.point.chip,
        "value": point.point.value,
        "overrides": list(point.point.overrides),
        "seconds": point.point.moment.seconds,
        "kelvin": point.point.moment.kelvin,
        "digital": _outcome_json(point.digital),
        "ideal": None if point.ideal is None else _outcome_json(point.ideal),
        "analog": {"summary": summary, "seeds": [_outcome_json(outcome) for outcome in point.analog]},
        "layers": layers,
        "programming": point.analog[0].evaluation.programming,
        "losses": [vars(loss) for loss in point.losses],
        "warnings": list(point.warnings),
    }


def _tidy(value: float | None) -> float | None:
    """To nine digits: the last bits of a sum of many squares may differ between machines."""
    return None if value is None else float(f"{value:.9g}")


def calibration_json(result: Accuracy) -> list[dict[str, Any]]:
    """The ranges of each layer of each point, as seed 0 had them: what a step of weights and inputs stands for, and
    the range of calibrated converters in units of a level step of a cell times a step of the DAC."""
    return [
        {
            "chip": point.point.chip,
            "value": point.point.value,
            "layers": [
                {"name": layer.name, "scale": layer.scale, "adc": layer.ranges}
                for layer in point.analog[0].evaluation.layers
            ],
        }
        for point in result.points
    ]


def write_accuracy(result: Accuracy, folder: Path) -> bool:
    """Tables as CSV and Markdown, ``accuracy.json``, ``calibration.json``, confusion matrices and, if Matplotlib is
    there, figures; whether it is."""
    records, layers = accuracy_records(result), layer_records(result)
    files = {**table_files("accuracy", records, records), **table_files("layers", layers, layers)}
    if losses := _loss_records(result):
        files |= table_files("losses", losses, losses)
    files["accuracy.json"] = json.dumps(accuracy_json(result), indent=2, allow_nan=False) + "\n"
    files["calibration.json"] = json.dumps(calibration_json(result), indent=2, allow_nan=False) + "\n"
    if warnings := list(_warnings(result)):
        files["warnings.txt"] = "\n".join(warnings) + "\n"
    figures: dict[str, bytes] = {}
    with suppress(ModuleNotFoundError):
        from archsim.report.accuracy_figures import figures_of  # noqa: PLC0415  an extra

        figures = figures_of(result)
    make_folder(folder)
    write_files(folder, files, "accuracy.md")
    for name, content in figures.items():
        write_bytes(folder / name, content)
    return bool(figures)
