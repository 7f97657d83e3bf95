"""The figures of ``archsim accuracy``: SVG and PNG, the same bytes for the same run."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from archsim.accuracy.results import Accuracy, PointResult

__all__ = ["figures_of"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^Dv<>"
STYLE: dict[Any, Any] = {"svg.hashsalt": "archsim", "font.size": 9}
STYLE |= {"axes.spines.top": False, "axes.spines.right": False}
MANY_STEPS = 200
"""Outputs from which on they are drawn as lines without markers."""


def figures_of(result: Accuracy) -> dict[str, bytes]:
    """The contents of each file by its name."""
    drawn: dict[str, bytes] = {}
    if result.labelled:
        draw = _sweep if result.sweep is not None else _beside
        drawn |= _files("accuracy", (6.4, 3.6), lambda axes: draw(axes, result))
        if result.sweep is None and len(result.points) == 1:
            drawn |= _files("confusion", (4.6, 4.2), lambda axes: _confusion(axes, result))
    else:
        drawn |= _files("outputs", (7.2, 3.6), lambda axes: _outputs(axes, result))
    return drawn


def _files(name: str, size: tuple[float, float], draw: Callable[[Any], None]) -> dict[str, bytes]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        out = {}
        for ending, about in (("svg", {"Date": None, "Creator": None}), ("png", {"Software": None})):
            stream = io.BytesIO()
            figure.savefig(stream, format=ending, dpi=150, metadata=about)
            out[f"{name}.{ending}"] = stream.getvalue()
    return out


def _title(result: Accuracy) -> str:
    return f"{Path(result.asked.model).stem}, {result.samples} samples of {Path(result.asked.data).stem}"


def _runs(result: Accuracy) -> int:
    """The most runs of any point: 1 where nothing in the arrays is random, however many seeds were asked for."""
    return max(len(point.analog) for point in result.points)


def _percent(point: PointResult) -> tuple[float, float]:
    mean, sd = point.spread("accuracy") or (0.0, 0.0)
    return 100 * mean, 100 * sd


def _sweep(axes: Any, result: Accuracy) -> None:
    """Accuracy against what is swept, with the standard deviation over the seeds as error bars."""
    chips = list(dict.fromkeys(point.point.chip for point in result.points))
    values = list(dict.fromkeys(point.point.value or "" for point in result.points))
    try:
        places = [float(value) for value in values]
    except ValueError:
        places = [float(k) for k in range(len(values))]
        axes.set_xticks(places, values)
    else:
        positive = [place for place in places if place > 0]
        if len(positive) > 2 and max(positive) / min(positive) >= 100:
            if min(places) >= 0:
                axes.set_xscale("symlog", linthresh=min(positive))
                axes.set_xticks(places, values)
                axes.minorticks_off()
        elif np.diff(sorted(places)).min(initial=np.inf) >= 0.07 * (max(places) - min(places)):
            axes.set_xticks(places, values)
    where = dict(zip(values, places, strict=True))
    for number, chip in enumerate(chips):
        own = [point for point in result.points if point.point.chip == chip]
        x = [where[point.point.value or ""] for point in own]
        look = {"color": COLOURS[number % 7], "marker": MARKERS[number % 7], "markersize": 5}
        means, deviations = zip(*map(_percent, own), strict=True)
        bars = deviations if _runs(result) > 1 else None
        axes.errorbar(x, means, yerr=bars, capsize=3, label=f"{chip}, arrays", **look)
        digital = [100 * (p.digital.metrics.accuracy if p.digital.metrics else 0.0) for p in own]
        axes.plot(x, digital, linestyle=":", color=COLOURS[number % 7], label=f"{chip}, digital in whole numbers")
    _float_line(axes, result)
    axes.set_xlabel(f"{result.sweep}{_unit(result.sweep)}")
    _finish(axes, result)


def _unit(sweep: str | None) -> str:
    words = {"time": " (s)", "temperature": " (K)", "programming-error": " (relative)", "stuck": " (share of cells)"}
    return words.get(sweep or "", "")


def _beside(axes: Any, result: Accuracy) -> None:
    """The arrays of each chip, with the standard deviation over the seeds, beside its digital run."""
    for number, point in enumerate(result.points):
        mean, sd = _percent(point)
        digital = 100 * (point.digital.metrics.accuracy if point.digital.metrics else 0.0)
        names = ("digital in whole numbers", "arrays") if number == 0 else (None, None)
        axes.plot(number - 0.12, digital, "D", color="0.6", label=names[0])
        look = {"color": COLOURS[0], "marker": "o", "linestyle": "none", "capsize": 3}
        axes.errorbar(number + 0.12, mean, yerr=sd, label=names[1], **look)
        axes.annotate(f"{mean:.1f}", (number + 0.12, mean), (6, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_xticks(range(len(result.points)), [point.point.chip for point in result.points])
    axes.set_xlim(-0.5, len(result.points) - 0.3)
    _float_line(axes, result)
    _finish(axes, result)


def _float_line(axes: Any, result: Accuracy) -> None:
    if result.floating.metrics is not None:
        accuracy = 100 * result.floating.metrics.accuracy
        axes.axhline(accuracy, color="black", linewidth=0.8, linestyle="--", label=f"float, {accuracy:.1f} %")


def _finish(axes: Any, result: Accuracy) -> None:
    axes.set_ylabel("accuracy (%)")
    runs = _runs(result)
    note = f"; mean ± standard deviation of {runs} seeds" if runs > 1 else ""
    axes.set_title(_title(result) + note, loc="left", fontsize=9)
    axes.figure.legend(fontsize=8, loc="outside lower center", ncols=3, frameon=False)


def _confusion(axes: Any, result: Accuracy) -> None:
    """True against predicted classes, the mean over the seeds."""
    found = [o.metrics.confusion for o in result.points[0].analog if o.metrics is not None]
    mean = np.mean(found, axis=0)
    share = mean / np.maximum(mean.sum(1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    if len(mean) <= 20:
        for row, column in np.ndindex(*mean.shape):
            if mean[row, column] >= 0.05:
                colour = "white" if share[row, column] > 0.5 else "black"
                text = f"{mean[row, column]:.3g}"
                axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
        axes.set_xticks(range(len(mean)))
        axes.set_yticks(range(len(mean)))
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.spines[:].set_visible(False)
    axes.set_title(f"{result.points[0].point.chip}: {_title(result)}", loc="left", fontsize=9)


def _outputs(axes: Any, result: Accuracy) -> None:
    """The first value of the output, sample after sample: digital runs beside the arrays of each seed."""
    exact = result.floating.evaluation.outputs
    lines = exact.reshape(len(exact), -1)
    steps = lines if len(exact) > 1 else lines.T
    x = np.arange(len(steps))
    marker = None if len(x) > MANY_STEPS else "."

    def first(values: Any) -> Any:
        flat = values.reshape(len(values), -1)
        return flat[:, 0] if len(values) > 1 else flat[0]

    for number, point in enumerate(result.points):
        colour = COLOURS[number % 7]
        runs = np.stack([first(outcome.evaluation.outputs) for outcome in point.analog])
        label = f"{point.point.label}, arrays"
        axes.plot(x, runs.mean(0), color=colour, linewidth=1.2, marker=marker, label=label)
        if len(runs) > 1:
            axes.fill_between(x, runs.min(0), runs.max(0), color=colour, alpha=0.25, linewidth=0)
        digital = first(point.digital.evaluation.outputs)
        name = f"{point.point.label}, digital in whole numbers"
        axes.plot(x, digital, color=colour, linewidth=0.9, linestyle=":", label=name)
    axes.plot(x, first(exact), color="black", linewidth=0.9, linestyle="--", label="float")
    axes.set_xlabel("sample")
    axes.set_ylabel("output")
    seeds = _runs(result)
    axes.set_title(_title(result) + (f"; mean and range of {seeds} seeds" if seeds > 1 else ""), loc="left", fontsize=9)
    axes.figure.legend(fontsize=8, loc="outside lower center", ncols=3, frameon=False)
