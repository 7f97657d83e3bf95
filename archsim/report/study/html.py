"""One HTML file of a study with interactive figures, which needs no other file and asks no host for anything."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from archsim._version import __version__
from archsim.errors import ArchsimError
from archsim.report.study.analysis import Front
from archsim.report.study.charts import Bars, Chart, Lines, Plans, Series
from archsim.report.study.figures import COLOURS, PALE
from archsim.report.study.read import Results

__all__ = ["html_report", "require_plotly"]

Records = list[dict[str, Any]]

SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "triangle-left", "triangle-right", "cross")
PATTERNS = ("", "/", ".", "x", "\\", "+", "-", "|")

MOST_ROWS = 500
"""How many rows of a table are shown; table.csv has all."""

CONFIG = {"displaylogo": False, "responsive": True, "toImageButtonOptions": {"format": "svg"}}

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #ccc; }
.chart { margin: 1rem 0; } .chart > div { width: 100%; }
.table { overflow: auto; max-height: 34rem; border: 1px solid #ddd; }
table { border-collapse: collapse; font-size: 13px; } td, th { padding: 2px 8px; white-space: nowrap; }
th { position: sticky; top: 0; background: #f2f2f2; text-align: left; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } tr:nth-child(even) { background: #fafafa; }
footer { margin-top: 3rem; color: #666; font-size: 13px; }
"""

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
"""What the browser may load: nothing from anywhere but the file itself."""


def require_plotly() -> Any:
    """Plotly's graph objects; ArchsimError if it is not installed."""
    try:
        import plotly.graph_objects as objects
    except ImportError:
        raise ArchsimError("a report in HTML needs Plotly: pip install 'archsim[html]'") from None
    return objects


def html_report(results: Results, tables: dict[str, Records], found: Sequence[Front], charts: Sequence[Chart]) -> str:
    """The whole file: figures first, then the tables.  The same results give the same text."""
    from plotly.offline import get_plotlyjs

    study, records = results.study, results.records
    failed = sum(record["status"] != "ok" for record in records)
    events = sum(record["events"] or 0 for record in records)
    lines = [f"<p>{len(records)} points, {failed} without figures, {events} events simulated.</p>"]
    if found:
        goals = ", ".join(f"{metric} ({goal})" for metric, goal in study.objectives.items())
        lines += [f"<p>Objectives: {escape(goals)}. None of the best points is better in every one.</p>", "<ul>"]
        lines += [
            f"<li>{escape(each.workload or 'the chip')}: hypervolume {each.hypervolume:.4f}, "
            f"knee at point {each.knee['point']}</li>"
            for each in found
        ]
        lines.append("</ul>")
    lines += [f'<div class="chart">{_div(chart)}</div>' for chart in charts]
    for name, rows in tables.items():
        lines += [f"<h2>{escape(name.capitalize())}</h2>", _table(rows)]
    title = escape(study.title or study.name)
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}\n<title>{title}</title>\n<style>{STYLE}</style>\n'
        f"<script>{get_plotlyjs()}</script></head>\n<body><h1>{title}</h1>\n"
        + "\n".join(lines)
        + f"\n<footer>Made by archsim {__version__}: <code>{escape(results.command)}</code></footer></body></html>\n"
    )


def _div(chart: Chart) -> str:
    """The place of a chart and the script that draws it."""
    from plotly.io import to_html

    figure = _lines(chart) if isinstance(chart, Lines) else _bars(chart) if isinstance(chart, Bars) else _plans(chart)
    figure.update_layout(template="plotly_white", margin={"l": 10, "r": 10, "t": 70, "b": 40}, font={"size": 13})
    figure.update_layout(title={"text": escape(chart.title), "font": {"size": 17}})
    text: str = to_html(figure, include_plotlyjs=False, full_html=False, div_id=f"chart-{chart.name}", config=CONFIG)
    return text


def _colour(look: int) -> str:
    return "#000000" if look < 0 else COLOURS[look % len(COLOURS)]


def _lines(chart: Lines) -> Any:
    objects = require_plotly()
    figure = objects.Figure([objects.Scatter(**_trace(series)) for series in chart.series])
    figure.update_xaxes(title_text=escape(chart.x_label), type="log" if chart.log_x else "linear")
    figure.update_yaxes(title_text=escape(chart.y_label), type="log" if chart.log_y else "linear")
    return figure.update_layout(height=480)


def _trace(series: Series) -> dict[str, Any]:
    marker: dict[str, Any] = {"color": _colour(series.look), "size": 8, "opacity": 0.8}
    marker["symbol"] = SYMBOLS[series.look % len(SYMBOLS)] if series.look >= 0 else "circle-open"
    if series.pale:
        marker = {"color": PALE, "size": 5}
    if series.star:
        marker |= {"symbol": "star", "size": 15}
    mode = "+".join(["markers"] * (series.points or series.star) + ["lines"] * series.line)
    return {
        "x": list(series.x),
        "y": list(series.y),
        "name": escape(series.label),
        "showlegend": bool(series.label),
        "mode": mode,
        "marker": marker,
        "line": {"color": _colour(series.look), "width": 1.5, "dash": "dot" if series.dashed else "solid"},
        "hovertext": [escape(text) for text in series.texts] or None,
    }


def _bars(chart: Bars) -> Any:
    objects = require_plotly()
    figure = objects.Figure()
    for index, (label, values) in enumerate(chart.parts):
        figure.add_trace(
            objects.Bar(
                y=[escape(row) for row in chart.rows],
                x=[_width(chart, value) for value in values],
                base=chart.base if not chart.stacked else None,
                orientation="h",
                name=escape(label),
                customdata=list(values),
                hovertemplate="%{y}: %{customdata:.4s}" + escape(chart.unit) + f"<extra>{escape(label)}</extra>",
                marker={"color": COLOURS[index], "pattern": {"shape": PATTERNS[index], "solidity": 0.2}},
                error_x={"type": "data", "array": list(chart.errors[index])} if chart.errors else None,
            )
        )
    figure.update_xaxes(
        title_text=escape(chart.label), ticksuffix=escape(chart.unit), type="log" if chart.log else "linear"
    )
    figure.update_yaxes(autorange="reversed", automargin=True)
    height = 190 + len(chart.rows) * (26 if chart.stacked else 12 + 14 * len(chart.parts))
    return figure.update_layout(
        barmode="stack" if chart.stacked else "group", height=height, legend={"traceorder": "normal"}
    )


def _width(chart: Bars, value: float | None) -> float | None:
    """The length of a bar: of a ratio from the base, since what is drawn is base + length."""
    return value if value is None or not chart.log else value - chart.base


def _plans(chart: Plans) -> Any:
    from plotly.subplots import make_subplots

    objects = require_plotly()
    figure = make_subplots(1, len(chart.panels), subplot_titles=[escape(title) for title, _ in chart.panels])
    for place, (_, cells) in enumerate(chart.panels, start=1):
        heat = objects.Heatmap(
            z=[list(row) for row in cells],
            zmin=0,
            zmax=1,
            colorscale="Cividis",
            showscale=place == 1,
            colorbar={"title": {"text": escape(chart.label), "side": "right"}},
            hovertemplate="column %{x}, row %{y}: %{z:.1%}<extra></extra>",
            xgap=1,
            ygap=1,
        )
        figure.add_trace(heat, 1, place)
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, autorange="reversed")
    for place in range(1, len(chart.panels) + 1):
        figure.update_yaxes(scaleanchor=f"x{place if place > 1 else ''}", row=1, col=place)
    return figure.update_layout(height=460)


def _table(rows: Records) -> str:
    """A table; numbers to six digits, None as a dash."""
    head = "".join(f"<th>{escape(key)}</th>" for key in rows[0])
    body = "".join("<tr>" + "".join(_cell(value) for value in row.values()) + "</tr>\n" for row in rows[:MOST_ROWS])
    more = f"<p>{len(rows) - MOST_ROWS} more in table.csv.</p>" if len(rows) > MOST_ROWS else ""
    return f'<div class="table"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>{more}'


def _cell(value: Any) -> str:
    if value is None:
        return '<td class="n">–</td>'
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td class="n">{value:.6g}</td>' if isinstance(value, float) else f'<td class="n">{value}</td>'
    return f"<td>{escape(str(value))}</td>"
