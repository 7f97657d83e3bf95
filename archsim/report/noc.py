"""``archsim noc``: the table of a latency-load curve, its figure, and the heat map of the channels."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType

from archsim.errors import ArchsimError
from archsim.noc.curve import Curves, Point
from archsim.noc.fabric import Fabric
from archsim.report.files import write_bytes
from archsim.report.hardware import plain_text
from archsim.report.runs import grid, write_tables

__all__ = ["curve_figure", "curve_records", "curve_tables", "heat_map", "png", "require_plot", "write_curve"]

Records = list[dict[str, Any]]


def curve_records(curves: Curves) -> Records:
    """A row for each point; loads in flits a terminal and cycle, times in cycles."""
    whole = {point.load: point for point in curves.packet_level or ()}
    records = []
    for point in curves.points:
        record: dict[str, Any] = {
            "load": point.load,
            "accepted": point.accepted_load,
            "mean latency": point.mean_latency,
            "p50": point.p50_latency,
            "p99": point.p99_latency,
            "in-order wait": point.in_order_wait,
            "hops": point.mean_hops,
            "busiest": point.busiest,
            "saturated": "yes" if point.saturated else "no",
            "cycles": point.cycles,
            "flit-hops": point.flit_hops,
        }
        if curves.packet_level is not None:
            beside = whole.get(point.load)
            record["packet level"] = beside.mean_latency if beside else None
            record["gap"] = _gap(point, beside)
        records.append(record)
    return records


def _gap(point: Point, beside: Point | None) -> float | None:
    if beside is None or beside.mean_latency is None or not point.mean_latency:
        return None
    return beside.mean_latency / point.mean_latency - 1


def curve_tables(title: str, curves: Curves) -> RenderableType:
    """The curve as a table, the saturation point where it was looked for, and where packet level does not hold."""
    parts: list[RenderableType] = [grid(title, curve_records(curves))]
    if curves.saturation is not None:
        parts.append(plain_text(f"saturation: {curves.saturation:.4g} flits a terminal and cycle"))
    at_packet_level = curves.points if curves.whole else curves.packet_level or []
    beyond = [point for point in at_packet_level if point.busiest > curves.valid_use]
    if beyond:
        parts.append(
            plain_text(
                f"from load {beyond[0].load:g} on a channel carries more than {curves.valid_use:g} flits a cycle: "
                "beyond that, packet level gives latencies that are too low"
            )
        )
    return Group(*parts)


def require_plot() -> Any:
    """matplotlib without a display; ArchsimError if it is not installed."""
    try:
        import matplotlib  # noqa: PLC0415
    except ImportError:
        raise ArchsimError("figures need matplotlib: pip install 'archsim[plot]'") from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    return plt


def png(plt: Any, figure: Any) -> bytes:
    """A figure as the bytes of a PNG file, without a date."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=120, metadata={"Software": None})
    plt.close(figure)
    return stream.getvalue()


def curve_figure(
    title: str, curves: Mapping[str, Sequence[tuple[float, float | None]]], saturation: float | None
) -> bytes:
    """Latency against load as a PNG: named curves of (load, mean latency); saturation as a vertical line."""
    plt = require_plot()
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    lowest = min((y for points in curves.values() for _, y in points if y is not None), default=1.0)
    for index, (name, points) in enumerate(curves.items()):
        known = [(x, y) for x, y in points if y is not None]
        style = "o-" if index == 0 else ("x--" if index == 1 else "s:")
        axes.plot([x for x, _ in known], [y for _, y in known], style, label=name, markersize=5)
    if saturation is not None:
        axes.axvline(saturation, color="0.5", linestyle=":", label=f"saturation {saturation:.3g}")
    axes.set(xlabel="offered load (flits / terminal / cycle)", ylabel="mean latency (cycles)", title=title)
    axes.set_ylim(0, 10 * lowest)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend()
    return png(plt, figure)


def heat_map(
    title: str, fabric: Fabric, use: Sequence[float], unit: str, tiles: Mapping[Any, Sequence[str]] | None = None
) -> bytes:
    """The use of each channel between routers on the floor plan, as a PNG; the two of a pair lie side by side.

    ``tiles`` are those at each router, which are ``used``, ``idle`` or ``failed``.
    """
    plt = require_plot()
    from matplotlib.collections import LineCollection  # noqa: PLC0415

    place = {node: data["position"] for node, data in fabric.graph.nodes(data=True)}
    lines, values = [], []
    for edge in fabric.edges:
        (x, y), (to_x, to_y) = place[edge[0]], place[edge[1]]
        length = max(((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5, 1e-9)
        aside = (-(to_y - y) / length * 0.07, (to_x - x) / length * 0.07)
        lines.append([(x + aside[0], y + aside[1]), (to_x + aside[0], to_y + aside[1])])
        values.append(float(use[fabric.between(*edge)]))
    figure, axes = plt.subplots(figsize=(6.4, 5.4), layout="constrained")
    collection = LineCollection(lines, array=values, cmap="viridis_r", linewidths=4, capstyle="butt")
    collection.set_clim(0, max(values, default=1.0) or 1.0)
    axes.add_collection(collection)
    xs, ys = [x for x, _ in place.values()], [y for _, y in place.values()]
    axes.plot(xs, ys, "s", color="0.25", markersize=7 if tiles is None else 4)
    if tiles is not None:
        _draw_tiles(axes, place, tiles)
    axes.set(title=title, xlabel="tile pitches", ylabel="tile pitches", aspect="equal")
    axes.margins(0.08)
    figure.colorbar(collection, ax=axes, label=unit)
    return png(plt, figure)


TILE_COLOURS = {"used": "tab:orange", "idle": "0.85", "failed": "tab:red"}


def _draw_tiles(axes: Any, place: Mapping[Any, tuple[float, float]], tiles: Mapping[Any, Sequence[str]]) -> None:
    """A small square a tile, in a block at the upper right of its router."""
    drawn: dict[str, list[tuple[float, float]]] = {state: [] for state in TILE_COLOURS}
    for router, states in tiles.items():
        across = math.ceil(len(states) ** 0.5)
        step = 0.5 / across
        for index, state in enumerate(states):
            x, y = place[router]
            drawn[state].append((x + 0.22 + step * (index % across), y + 0.22 + step * (index // across)))
    for state, places in drawn.items():
        if places:
            xs, ys = zip(*places, strict=True)
            axes.plot(xs, ys, "s", color=TILE_COLOURS[state], markersize=4, label=f"tile, {state}")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False)


def write_curve(folder: Path, title: str, fabric: Fabric, curves: Curves) -> None:
    """``curve.csv``, ``curve.md``, ``curve.png``, and the use of the channels at the highest load below saturation."""
    drawn = {"packet level" if curves.whole else "flit level": curves.points}
    if curves.packet_level is not None:
        drawn["packet level"] = curves.packet_level
    lines = {name: [(point.load, point.mean_latency) for point in points] for name, points in drawn.items()}
    figure = curve_figure(title, lines, curves.saturation)
    below = [point for point in curves.points if not point.saturated] or curves.points
    use = below[-1].channel_use / below[-1].cycles
    heat = heat_map(f"{title}, load {below[-1].load:g}", fabric, use.tolist(), "flits a cycle")
    write_tables(folder, {"curve": curve_records(curves)}, "curve")
    write_bytes(folder / "curve.png", figure)
    write_bytes(folder / "links.png", heat)
