"""``archsim show`` for chips and tiles: the roll-up as JSON values and as tables like the papers'."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from archsim.errors import Problem, SpecError, nearest
from archsim.hardware.rollup import Rollup, chip_rollup, tile_rollup
from archsim.spec.chip import Chip
from archsim.spec.component import Component
from archsim.spec.loader import Loaded, load_chip, load_tile
from archsim.spec.provenance import Published
from archsim.spec.tile import Tile

__all__ = ["hardware_tables", "plain_text", "print_wide", "show_hardware"]

Metrics = dict[str, float | None]

_HIDDEN = ("kind", "count", "power", "area", "source", "status", "assumed", "note", "by_bits", "static_share")


def _load(kind: str, name: str, overrides: Sequence[str]) -> Loaded[Any]:
    return load_chip(name, overrides) if kind == "chip" else load_tile(name, overrides)


def _rollup(model: Chip | Tile) -> Rollup:
    return chip_rollup(model) if isinstance(model, Chip) else tile_rollup(model)


def show_hardware(kind: str, name: str, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], Rollup, Loaded[Any]]:
    """The JSON of ``archsim show`` for a chip or tile, its roll-up and its specification."""
    loaded = _load(kind, name, overrides)
    rollup = _rollup(loaded.model)
    summary = rollup.summary()
    readings = [_reading(loaded, index, kind, name, overrides) for index in range(len(loaded.model.readings))]
    out = {"kind": kind, "name": loaded.model.name, "title": loaded.model.title, **summary}
    out["published"] = _published(loaded, summary, readings)
    out["readings"] = [{key: value for key, value in r.items() if key != "summary"} for r in readings]
    out["deviations"] = list(loaded.model.deviations)
    if isinstance(loaded.model, Chip):
        out["deviations"] += loaded.model.tile.deviations
    out["assumed"] = sorted(f"{row.key}.{key}" for row in rollup.rows for key in row.component.assumed)
    out["config_hash"] = loaded.config_hash
    return out, rollup, loaded


def _reading(loaded: Loaded[Any], index: int, kind: str, name: str, overrides: Sequence[str]) -> dict[str, Any]:
    reading = loaded.model.readings[index]
    changes = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in reading.set.items()]
    try:
        summary = _rollup(_load(kind, name, [*overrides, *changes]).model).summary()
    except SpecError as error:
        where = str(loaded.node.find(("readings", index, "set")))
        problems = [Problem(where, f"readings.{index}.set: {problem.message}") for problem in error.problems]
        raise SpecError(problems) from None
    return {
        "name": reading.name,
        "why": reading.why,
        "set": dict(reading.set),
        "peak": summary["peak"],
        "mvm": summary["mvm"],
        "summary": summary,
    }


def _published(loaded: Loaded[Any], summary: dict[str, Any], readings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ours = _metrics(summary)
    others = {reading["name"]: _metrics(reading["summary"]) for reading in readings}
    problems = []
    for index, figure in enumerate(loaded.model.published):
        if figure.metric not in ours:
            where = loaded.node.value_mark(("published", index, "metric"))
            message = f"published.{index}.metric: no metric {figure.metric!r:.100}{nearest(figure.metric, ours)}"
            problems.append(Problem(str(where), message))
    if problems:
        raise SpecError(problems)
    return [_beside(figure, ours, others) for figure in loaded.model.published]


def _beside(figure: Published, ours: Metrics, others: dict[str, Metrics]) -> dict[str, Any]:
    value = ours[figure.metric]
    return {
        "metric": figure.metric,
        "paper": figure.value,
        "archsim": value,
        "ratio": value / figure.value if figure.value and value is not None else None,
        "status": figure.status,
        "source": figure.source,
        "note": figure.note,
        "readings": {name: metrics.get(figure.metric) for name, metrics in others.items()},
    }


def _metrics(summary: dict[str, Any], prefix: str = "") -> Metrics:
    """Every number of the summary by its dotted path; None is a ratio to a sum of 0."""
    found: Metrics = {}
    for key, value in summary.items():
        found |= _metrics(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


def _parameters(row: Component) -> str:
    """The keys of a row that size it, as the papers print them."""
    dump = row.model_dump(mode="json", exclude_none=True)
    shown = [f"{key.replace('_', ' ')} {value}" for key, value in dump.items() if key not in _HIDDEN]
    return ", ".join(text for text in shown if not text.startswith("rated ") and text != "shared by 1")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _component_table(rollup: Rollup) -> Table:
    table = Table(title="From components to chip", title_justify="left", expand=False)
    for heading, justify in (("level", "left"), ("component", "left"), ("count", "right"), ("parameters", "left")):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    table.add_column("power mW", justify="right", no_wrap=True)
    table.add_column("area mm²", justify="right", no_wrap=True)
    table.add_column("status", overflow="fold")
    top = list(rollup.power_w)
    for level in top:
        if level != top[0]:
            below = top[top.index(level) - 1]
            rows = [r for r in rollup.rows if r.level == below]
            often = rows[0].times / next((r.times for r in rollup.rows if r.level == level), 1)
            if level == "chip":
                often = rows[0].times
            power, area = rollup.power_w[below] * often, rollup.area_mm2[below] * often
            table.add_row(level, f"{below}s", f"{often:g}", "", _number(power * 1e3), _number(area), "sum")
        for row in (r for r in rollup.rows if r.level == level):
            scale = row.times if level == "chip" else 1
            shared = row.component.shared_by if level == "chip" else 1
            count = f"{row.component.count * scale / shared:g}"
            cells = [_number(row.power_w * scale * 1e3), _number(row.area_mm2 * scale)]
            words = (plain_text(word) for word in (row.name, count, _parameters(row.component)))
            table.add_row(level, *words, *cells, row.component.status)
        sums = [_number(rollup.power_w[level] * 1e3), _number(rollup.area_mm2[level])]
        table.add_row(f"[b]{level}[/b]", "[b]total[/b]", "", "", *(f"[b]{s}[/b]" for s in sums), "", end_section=True)
    return table


def _published_table(out: dict[str, Any]) -> Table:
    table = Table(title="Published beside archsim", title_justify="left")
    table.add_column("metric", overflow="fold")
    names = [Text("paper"), Text("archsim"), Text("ratio"), *(plain_text(r["name"]) for r in out["readings"])]
    for heading in names:
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("status", overflow="fold")
    table.add_column("source", overflow="fold")
    for figure in out["published"]:
        ratio = "" if figure["ratio"] is None else f"{figure['ratio']:.3f}"
        others = [_number(value) for value in figure["readings"].values()]
        numbers = [_number(figure["paper"]), _number(figure["archsim"]), ratio, *others]
        source = figure["source"] + (f" ({figure['note']})" if figure["note"] else "")
        table.add_row(plain_text(figure["metric"]), *numbers, figure["status"], plain_text(source))
    return table


def _headline(out: dict[str, Any]) -> Text:
    peak, mvm = out["peak"], out["mvm"]
    text = Text.assemble(plain_text(out["title"] or out["name"]), "\n", style="bold")
    line = (
        f"peak {peak['tops']:.4g} TOPS ({peak['operations_per_mac']} operations a MAC), {peak['power_w']:.4g} W, "
        f"{peak['area_mm2']:.4g} mm²: {_number(peak['tops_per_w'])} TOPS/W, "
        f"{_number(peak['tops_per_mm2'])} TOPS/mm²\n"
        f"one MVM in {mvm['latency_ns']:g} ns, a new one every {mvm['interval_ns']:g} ns; "
        f"{out['storage']['arrays']} arrays hold {out['storage']['weights_mib']:.4g} MiB"
    )
    return text.append(line, style="not bold")


def _list(title: str, lines: Sequence[str]) -> list[RenderableType]:
    if not lines:
        return []
    bullets = [Padding(plain_text("• " + line), (0, 0, 0, 2)) for line in lines]
    return [Text(f"\n{title}", style="italic"), *bullets]


def hardware_tables(out: dict[str, Any], rollup: Rollup) -> Group:
    """What ``archsim show`` prints for a chip or tile."""
    parts: list[RenderableType] = [_headline(out), _component_table(rollup)]
    if out["published"]:
        parts.append(_published_table(out))
    parts += _list("Other readings", [f"{r['name']}: {r['why']}" for r in out["readings"]])
    parts += _list("Deviations from the paper", [line.strip() for line in out["deviations"]])
    if out["assumed"]:
        parts += _list("Assumed, no source gives it", [", ".join(out["assumed"])])
    return Group(*parts)


def plain_text(words: str) -> Text:
    """Words out of a file as they are: no markup, and nothing that would steer the terminal."""
    return Text("".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in words))


def print_wide(content: RenderableType) -> None:
    """Print to standard output; where that is no terminal, wide enough that no number is cut."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(content)
