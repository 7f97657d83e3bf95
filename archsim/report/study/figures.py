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
from archsim.report.study.charts import Bars, Chart, Lines, Plans, Series
from archsim.report.tables import as_csv

__all__ = ["COLOURS", "COLUMN_INCHES", "MARKERS", "PALE", "paper_figure", "write_figures"]

COLUMN_INCHES = 3.5
"""The width of a column of an IEEE or ACM page, 88.9 mm."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
PALE = "#C4C4C4"
MARKERS = "os^Dv<>P"
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++++", "----", "oooo")
Records = Sequence[dict[str, Any]]


def write_figures(charts: Sequence[Chart], folder: Path) -> list[str]:
    """Draw ``charts`` into ``folder``; the names of the figures, without their endings."""
    for chart in charts:
        if isinstance(chart, Lines):
            _lines(chart, folder)
        elif isinstance(chart, Bars):
            _bars(chart, folder)
        else:
            _plans(chart, folder)
    return [chart.name for chart in charts]


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


def _lines(chart: Lines, folder: Path) -> None:
    with paper_figure(folder, chart.name, 2.4, chart.numbers) as axes:
        for series in chart.series:
            axes.plot(series.x, series.y, label=series.label or "_", **_style(series))
        if chart.log_x:
            _logarithmic(axes.xaxis)
        if chart.log_y:
            _logarithmic(axes.yaxis)
        axes.set_xlabel(chart.x_label)
        axes.set_ylabel(chart.y_label)
        axes.legend(fontsize=6)


def _logarithmic(axis: Any) -> None:
    """A logarithmic axis; over little more than a decade its ticks are plain numbers."""
    axis._set_axes_scale("log")
    low, high = axis.get_view_interval()
    if high < 30 * low:
        from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

        steps = (1, 2, 5) if high > 4 * low else range(1, 10)
        axis.set_major_locator(LogLocator(subs=steps))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())


def _style(series: Series) -> dict[str, Any]:
    colour = "black" if series.look < 0 else COLOURS[series.look % len(COLOURS)]
    line = ":" if series.dashed else "-"
    if series.pale:
        return {"color": PALE, "linestyle": "none", "marker": ".", "markersize": 3, "markeredgewidth": 0, "zorder": 0}
    style: dict[str, Any] = {"color": colour, "linestyle": line if series.line else "none", "linewidth": 0.6}
    if series.star:
        return style | {"marker": "*", "markersize": 9}
    if not series.points:
        return style
    if series.look < 0:
        return style | {"marker": "o", "fillstyle": "none", "markersize": 6}
    return style | {"marker": MARKERS[series.look % len(MARKERS)], "alpha": 0.7, "markeredgewidth": 0}


def _bars(chart: Bars, folder: Path) -> None:
    thick = 0.75 if chart.stacked else 0.8 / len(chart.parts)
    inches = 0.2 if chart.stacked else 0.05 + 0.08 * (1 + len(chart.parts))
    longest = max(len(label) for label, _ in chart.parts)
    columns = 3 if longest <= 22 else 2 if longest <= 34 else 1
    above = 0.12 * -(-len(chart.parts) // columns)
    with paper_figure(folder, chart.name, 0.6 + above + inches * len(chart.rows), chart.numbers) as axes:
        left = [chart.base] * len(chart.rows)
        for index, (label, values) in enumerate(chart.parts):
            # from the base to a value that is above it or, for a ratio, below
            widths = [(value or 0.0) - (chart.base if chart.log and value else 0.0) for value in values]
            errors = [error or 0.0 for error in chart.errors[index]] if chart.errors else None
            places = [place + (0 if chart.stacked else index * thick) for place in range(len(chart.rows))]
            look = {"color": COLOURS[index], "hatch": HATCHES[index], "edgecolor": "white", "linewidth": 0.3}
            look |= {"xerr": errors, "error_kw": {"elinewidth": 0.6}} if errors else {}
            axes.barh(places, widths, left=left, height=thick, label=label, **look)
            if chart.stacked:
                left = [at + width for at, width in zip(left, widths, strict=True)]
        middle = 0.0 if chart.stacked else 0.4 - thick / 2
        axes.set_yticks([place + middle for place in range(len(chart.rows))], chart.rows)
        axes.invert_yaxis()
        axes.set_xlabel(chart.label)
        if chart.log:
            _logarithmic(axes.xaxis)
            axes.axvline(chart.base, color="black", linewidth=0.5)
        if chart.unit:
            from matplotlib.ticker import EngFormatter

            axes.xaxis.set_major_formatter(EngFormatter(chart.unit))
        small = {"fontsize": 6, "handlelength": 1.0, "columnspacing": 0.8}
        axes.figure.legend(loc="outside upper center", ncols=columns, **small)


def _plans(chart: Plans, folder: Path) -> None:
    """All panels in one row; idle tiles are pale, places without a tile are left white."""
    from matplotlib import colormaps

    with paper_figure(folder, chart.name, 0.9 + 2.4 / len(chart.panels), chart.numbers) as axes:
        figure = axes.figure
        subplots = [axes] if len(chart.panels) == 1 else _row_of(axes, len(chart.panels))
        for place, (subplot, (title, cells)) in enumerate(zip(subplots, chart.panels, strict=True)):
            shown = [[float("nan") if cell is None else cell for cell in row] for row in cells]
            image = subplot.imshow(shown, cmap=colormaps["cividis"], vmin=0.0, vmax=1.0, interpolation="nearest")
            subplot.set_title(title, fontsize=7)
            subplot.set_xticks([])
            subplot.set_yticks([])
            if not place:
                subplot.set_ylabel("tiles")
        bar = figure.colorbar(image, ax=subplots, location="bottom", shrink=0.8, aspect=30)
        bar.set_label(chart.label)


def _row_of(axes: Any, count: int) -> list[Any]:
    """``count`` axes side by side in place of one."""
    figure = axes.figure
    axes.remove()
    return list(figure.subplots(1, count))
