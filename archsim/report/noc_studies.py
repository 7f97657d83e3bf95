"""Tables and figures of what failed links cost, and of what multicast and reduction on the way save."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import RenderableType

from archsim.noc.studies import Collective, Failures
from archsim.report.files import write_bytes
from archsim.report.noc import png, require_plot
from archsim.report.runs import grid, write_tables

__all__ = [
    "collective_records",
    "collective_tables",
    "failure_records",
    "failure_tables",
    "write_collectives",
    "write_failures",
]

Records = list[dict[str, Any]]


def failure_records(found: Sequence[Failures]) -> Records:
    """A row for each share; throughputs in flits a terminal and cycle, over the networks that hold together."""
    whole = next((float(np.mean(each.connected)) for each in found if each.share == 0), None)
    records = []
    for each in found:
        loads = each.connected
        mean = float(np.mean(loads)) if loads else None
        records.append(
            {
                "failed": each.share,
                "links": each.links,
                "networks": len(each.throughput),
                "disconnected": each.throughput.count(None),
                "throughput": mean,
                "least": min(loads, default=None),
                "most": max(loads, default=None),
                "of the whole": mean / whole if mean is not None and whole else None,
            }
        )
    return records


def failure_tables(title: str, found: Sequence[Failures]) -> RenderableType:
    """What the command prints."""
    return grid(f"{title}: throughput with failed links", failure_records(found))


def write_failures(folder: Path, title: str, found: Sequence[Failures]) -> None:
    """``failures.csv``, ``failures.md`` and ``failures.png``."""
    plt = require_plot()
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    held = [each for each in found if each.connected]
    shares = [100 * each.share for each in held]
    axes.plot(shares, [np.mean(each.connected) for each in held], "o-", label="mean")
    low, high = ([pick(each.connected) for each in held] for pick in (min, max))
    axes.fill_between(shares, low, high, alpha=0.2, label="least to most of the draws")
    axes.set(xlabel="failed links (%)", ylabel="throughput (flits / terminal / cycle)", title=title)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    drawn = png(plt, figure)
    write_tables(folder, {"failures": failure_records(found)}, "failures")
    write_bytes(folder / "failures.png", drawn)


def collective_records(found: Sequence[Collective]) -> Records:
    """A row for each kind and number of tiles; cycles from the creation to the delivery of the last packet."""
    return [
        {
            "traffic": each.kind,
            "tiles": each.tiles,
            "flit-hops, unicast": each.hops_alone,
            "flit-hops, shared": each.hops_shared,
            "saving": 1 - each.hops_shared / each.hops_alone,
            "cycles, unicast": each.cycles_alone,
            "cycles, shared": each.cycles_shared,
        }
        for each in found
    ]


def collective_tables(title: str, found: Sequence[Collective]) -> RenderableType:
    """What the command prints."""
    return grid(title, collective_records(found))


def write_collectives(folder: Path, title: str, found: Sequence[Collective]) -> None:
    """``multicast.csv``, ``multicast.md`` and ``multicast.png``."""
    plt = require_plot()
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.2), layout="constrained")
    for kind, colour in (("multicast", "tab:blue"), ("reduction", "tab:orange")):
        mine = [each for each in found if each.kind == kind]
        tiles = [each.tiles for each in mine]
        for axes, alone, shared in ((left, "hops_alone", "hops_shared"), (right, "cycles_alone", "cycles_shared")):
            axes.plot(tiles, [getattr(each, alone) for each in mine], "x--", color=colour, label=f"{kind}, unicast")
            axes.plot(tiles, [getattr(each, shared) for each in mine], "o-", color=colour, label=f"{kind}, shared")
    left.set(xlabel="tiles", ylabel="flit-hops", xscale="log", yscale="log", title=title)
    right.set(xlabel="tiles", ylabel="cycles to the last delivery", xscale="log", yscale="log")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    left.legend()
    drawn = png(plt, figure)
    write_tables(folder, {"multicast": collective_records(found)}, "multicast")
    write_bytes(folder / "multicast.png", drawn)
