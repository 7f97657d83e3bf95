"""``archsim explain``: the bottleneck in a sentence, tables for the terminal, JSON, and the files of ``--out``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from archsim.hardware.causes import CORE_CYCLE, Cause
from archsim.report.hardware import plain_text
from archsim.report.runs import grid, resolved_text, table_files, write_files
from archsim.report.tables import as_csv
from archsim.sim.attribution import REASONS
from archsim.sim.breakdown import Breakdown
from archsim.sim.explain import Explanation, WhatIf
from archsim.sim.whatif import Times
from archsim.units import format_si

__all__ = ["explain_json", "explain_tables", "headline", "write_explanation"]

Records = list[dict[str, Any]]

MOST_ROWS = 12
"""Rows of a table for the terminal."""

LEAST_SHARE = 0.001
"""The share below which a row is left out of the tables for the terminal."""

SHARES = ("between inferences", "one inference", "whole run", "share")
GAINS = ("gain twice", "gain without", "latency gain")


def _joined(cause: Cause) -> str:
    return " = ".join(cause)


def _s(ps: float) -> str:
    return format_si(ps / 1e12, "s")


# -- sentences ----------------------------------------------------------------------------------


def headline(found: Explanation) -> str:
    """What limits, in words."""
    best, unit = found.bottleneck, found.unit
    aim = f"an {unit} every" if unit[0] in "aeiou" else f"a {unit} every"
    aim = aim if found.steady else f"one {unit} in"
    before = _s(found.times.interval_ps)
    cause, ps = next(iter(found.main.by_cause().items()))
    share = ps / found.main.total_ps
    if best is None or best.twice is None:
        return (
            f"nothing alone limits: twice as much of no component and no room brings more than 2 % ({aim} {before}). "
            f"Most of the critical path is {_joined(cause)}, {share:.0%}."
        )
    twice, gain = _s(best.twice.interval_ps), found.gain(best, twice=True)
    without, most = _s(best.without.interval_ps), found.gain(best)
    if best.change.kind == "room":
        return (
            f"{best.name}: stages wait for room there{_most_blocked(found.main)}. With twice as much, {aim} {twice} in "
            f"place of {before}, {gain:.2f}x faster; with room without end {without}, {most:.2f}x. Now {share:.0%} of "
            f"the critical path is {_joined(cause)}."
        )
    return (
        f"{best.name}{_most_in(found.main, best)}: {found.main.share(best.change) or 0:.0%} of the critical path. "
        f"Twice as fast, {aim} {twice} in place of {before}, {gain:.2f}x faster; if it took no time {without}, "
        f"{most:.2f}x, and {best.without.busiest} would be busiest."
    )


def _most_blocked(view: Breakdown) -> str:
    """Who waits for room for longest, as far as a path shows it."""
    blocked = [wait.what for wait in view.waits if "blocked by" in wait.what]
    return f", most of all {blocked[0].rpartition(',')[0]}" if blocked else ""


def _most_in(view: Breakdown, best: WhatIf) -> str:
    """The layer in which a component has most of its time."""
    layers = _layers_of(view, best.change.names)
    if not layers:
        return ""
    layer = max(layers, key=lambda name: layers[name])
    return f", most of it in {layer}" if layers[layer] < sum(layers.values()) else f" in {layer}"


def _layers_of(view: Breakdown, names: tuple[str, ...]) -> dict[str, int]:
    layers: dict[str, int] = {}
    for (cause, layer), ps in view.parts.items():
        if set(cause) <= set(names):
            layers[layer] = layers.get(layer, 0) + ps
    return layers


def _views(found: Explanation) -> dict[str, Breakdown]:
    steady = {"between inferences": found.steady} if found.steady else {}
    return {**steady, "one inference": found.latency, "whole run": found.makespan}


def explained(found: Explanation) -> Records:
    """Which stretches of critical paths the shares are of."""

    def row(name: str, view: Breakdown, what: str) -> dict[str, Any]:
        return {"shares": name, "of": _s(view.total_ps), "which is": what}

    rows = []
    if found.steady:
        stretch = found.steady.stretch
        where = f"a loop through {stretch.place}" if stretch.place else "until the last one came"
        rows.append(
            row(
                "between inferences",
                found.steady,
                f"{stretch.inferences} {found.unit}s, {where}: {_s(stretch.each_ps)} each; the interval of the run is "
                f"{_s(found.times.interval_ps)}",
            )
        )
    rows.append(row("one inference", found.latency, f"one {found.unit} in the empty machine: the latency"))
    rows.append(row("whole run", found.makespan, f"{found.images} {found.unit}s, from the start to the last output"))
    return rows


# -- tables -------------------------------------------------------------------------------------


def _shares(found: Explanation, ps_of: Mapping[str, Mapping[Any, int]], key: Any) -> dict[str, float]:
    return {name: ps_of[name].get(key, 0) / max(1, view.total_ps) for name, view in _views(found).items()}


def reason_records(found: Explanation) -> Records:
    """Shares by reason."""
    ps = {name: view.reasons for name, view in _views(found).items()}
    return [
        {"reason": reason, **_shares(found, ps, reason), "meaning": meaning}
        for reason, meaning in REASONS.items()
        if any(reasons.get(reason) for reasons in ps.values())
    ]


def component_records(found: Explanation) -> Records:
    """Shares by what sets the times, and the layer with most of it."""
    ps = {name: view.by_cause() for name, view in _views(found).items()}
    causes = dict.fromkeys(cause for causes in ps.values() for cause in causes)
    rows = []
    for cause in causes:
        layers = {layer: time for (c, layer), time in found.main.parts.items() if c == cause}
        most = max(layers, key=lambda name: layers[name]) if layers else None
        rows.append({"component": _joined(cause), **_shares(found, ps, cause), "most of it in": most or "-"})
    return rows


def layer_records(found: Explanation) -> Records:
    """Shares by layer."""
    ps = {name: view.by_layer() for name, view in _views(found).items()}
    layers = dict.fromkeys(layer for layers in ps.values() for layer in layers)
    return [{"layer": layer, **_shares(found, ps, layer)} for layer in layers]


def wait_records(found: Explanation) -> Records:
    """What the path waits for, the longest first."""
    total = max(1, found.main.total_ps)
    return [
        {
            "the path waits because": wait.what,
            "share": wait.ps / total,
            "times": wait.times,
            "mostly": _joined(wait.cause),
        }
        for wait in found.main.waits
    ]


def what_if_records(found: Explanation) -> Records:
    """What every change brings; intervals and latencies in seconds."""

    def seconds(times: Times | None) -> float | None:
        return times.interval_ps / 1e12 if times else None

    return [
        {
            "what": what_if.name,
            "kind": what_if.change.kind,
            "share": found.main.share(what_if.change),
            "interval twice": seconds(what_if.twice),
            "gain twice": found.gain(what_if, twice=True) if what_if.twice else None,
            "interval without": seconds(what_if.without),
            "gain without": found.gain(what_if),
            "busiest without": f"{what_if.without.busiest} {what_if.without.busy:.0%}",
            "latency without": what_if.without.latency_ps / 1e12,
            "latency gain": found.times.latency_ps / what_if.without.latency_ps,
        }
        for what_if in found.what_ifs
    ]


def _shown(records: Records) -> Records:
    """As a reader wants them: percent, gains as factors, times with their unit."""

    def cell(key: str, value: Any) -> Any:
        if value is None:
            return "-"
        if key in SHARES:
            return f"{value:.1%}"
        if key in GAINS:
            return f"{value:.2f}x"
        return format_si(value, "s") if isinstance(value, float) else value

    return [{key: cell(key, value) for key, value in record.items()} for record in records]


def _what_ifs_in_short(found: Explanation) -> Records:
    """What every change brings, for the terminal: times with their gains."""
    return [
        {
            "what": f"layer {row['what']}" if row["kind"] == "layer" else row["what"],
            "share": row["share"],
            "twice": f"{row['interval twice']}  {row['gain twice']}" if row["gain twice"] != "-" else "-",
            "without": f"{row['interval without']}  {row['gain without']}",
            "busiest then": row["busiest without"],
            "latency": f"{row['latency without']}  {row['latency gain']}",
        }
        for row in _shown(what_if_records(found))
    ]


def _large(records: Records) -> Records:
    """The first rows, without those whose shares are all next to nothing."""
    return [row for row in records if any(row.get(key, 0) >= LEAST_SHARE for key in SHARES)][:MOST_ROWS]


def explain_tables(found: Explanation) -> Group:
    """What ``archsim explain`` prints."""
    title = plain_text(f"{found.workload} on {found.chips} × {found.chip}")
    title.stylize("bold")
    title.append(
        f"  ({found.engine} engine, detail {found.detail}, {found.images} {found.unit}s, {found.events} events)",
        style="not bold",
    )
    parts: list[RenderableType] = [title, plain_text(headline(found)), grid("What is explained", explained(found))]
    parts.append(grid("Why the critical path takes its time", _shown(_large(reason_records(found)))))
    parts.append(grid("By component", _shown(_large(component_records(found)))))
    parts.append(grid("By layer", _shown(_large(layer_records(found)))))
    parts.append(grid("Waits", _shown(_large(wait_records(found)))))
    parts.append(grid("What if", _what_ifs_in_short(found)))
    note = (
        f"Components joined by = need the same time, so that all of them must get faster together. {CORE_CYCLE} is "
        "what rows without a time of their own take. What if: the same network in the same places, run again. twice: "
        "the interval with the thing twice as fast, or twice the room; '-' where it was not tried. without: the "
        "interval if it took no time (1 ps), or with room without end; the server that is busiest then, and for what "
        "share of the interval; the latency of one inference. A layer's time is that of its stages and of the tokens "
        "that they send."
    )
    return Group(*parts, Text(note, style="italic"))


# -- JSON and files -----------------------------------------------------------------------------


def _view_json(view: Breakdown) -> dict[str, Any]:
    total, stretch = max(1, view.total_ps), view.stretch

    def rows(items: Mapping[Any, int], key: str) -> Records:
        return [{key: list(k) if isinstance(k, tuple) else k, "ps": ps, "share": ps / total} for k, ps in items.items()]

    return {
        "begin_ps": stretch.begin,
        "finish_ps": stretch.finish,
        "inferences": stretch.inferences,
        "each_ps": stretch.each_ps,
        "loop_through": stretch.place or None,
        "reasons": rows(view.reasons, "reason"),
        "components": rows(view.by_cause(), "names"),
        "layers": rows(view.by_layer(), "layer"),
        "parts": [{"names": list(names), "layer": layer, "ps": ps} for (names, layer), ps in view.parts.items()],
        "waits": [{"what": w.what, "ps": w.ps, "times": w.times, "mostly": list(w.cause)} for w in view.waits],
    }


def explain_json(found: Explanation) -> dict[str, Any]:
    """Everything as JSON values; times in whole ps where the key says so, else in seconds."""
    best = found.bottleneck
    return {
        "chip": found.chip,
        "workload": found.workload,
        "chips": found.chips,
        "images": found.images,
        "unit": found.unit,
        "engine": found.engine,
        "detail": found.detail,
        "events": found.events,
        "interval_s": found.times.interval_ps / 1e12,
        "latency_s": found.times.latency_ps / 1e12,
        "makespan_s": found.makespan_ps / 1e12,
        "bottleneck": {
            "names": list(best.change.names) if best else [],
            "kind": best.change.kind if best else None,
            "share": found.main.share(best.change) if best else None,
            "gain_twice": found.gain(best, twice=True) if best else 1.0,
            "gain_without": found.gain(best) if best else 1.0,
            "sentence": headline(found),
        },
        "between_inferences": _view_json(found.steady) if found.steady else None,
        "one_inference": _view_json(found.latency),
        "whole_run": _view_json(found.makespan),
        "what_ifs": [
            {
                "names": list(what_if.change.names),
                "kind": what_if.change.kind,
                "share": found.main.share(what_if.change),
                "twice_interval_s": what_if.twice.interval_ps / 1e12 if what_if.twice else None,
                "without_interval_s": what_if.without.interval_ps / 1e12,
                "without_latency_s": what_if.without.latency_ps / 1e12,
                "without_busiest": what_if.without.busiest,
                "without_busy": what_if.without.busy,
                "gain_twice": found.gain(what_if, twice=True) if what_if.twice else None,
                "gain_without": found.gain(what_if),
            }
            for what_if in found.what_ifs
        ],
        "version": found.version,
        "config_hash": found.config_hash,
    }


def path_records(found: Explanation) -> Records:
    """The critical path of the whole run, piece by piece."""
    program, records = found.program, []
    for piece in found.path.pieces:
        if piece.stage >= 0:
            where, number = program.stages[piece.stage].name, piece.firing
        else:
            link = int(program.arrays.hop_link[piece.token.hop])
            where, number = program.links[link].name, piece.token.number
        flow = None
        if piece.token.hop >= 0:
            flow = program.flows[int(program.arrays.hop_flow[piece.token.hop])].name
        records.append(
            {
                "begin_ps": piece.begin,
                "finish_ps": piece.finish,
                "kind": piece.kind,
                "where": where,
                "firing or token": number,
                "firings": piece.firings,
                "flow": flow,
            }
        )
    return records


def write_explanation(found: Explanation, folder: Path) -> None:
    """``resolved.yaml``, ``bottleneck.txt``, each table as CSV (plain numbers) and Markdown, and the path as CSV."""
    files = {"resolved.yaml": resolved_text(found.resolved), "bottleneck.txt": headline(found) + "\n"}
    tables = {"reasons": reason_records(found), "components": component_records(found)}
    tables |= {"layers": layer_records(found), "waits": wait_records(found), "what-if": what_if_records(found)}
    for name, records in tables.items():
        files |= table_files(name, records, _shown(records))
    files["path.csv"] = as_csv(path_records(found))
    write_files(folder, files, "reasons.md")
