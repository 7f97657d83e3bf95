"""``archsim show`` for chips and tiles: the roll-up as JSON values and as tables like the papers'."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from archsim.errors import ArchsimError, Problem, SpecError, nearest
from archsim.hardware.rollup import Rollup, chip_rollup, tile_rollup
from archsim.report.published import Metrics, beside, metrics
from archsim.spec.chip import Chip
from archsim.spec.component import Component
from archsim.spec.loader import Loaded, load_chip, load_tile
from archsim.spec.provenance import Published, Reading
from archsim.spec.tile import Tile

__all__ = ["hardware_tables", "plain_text", "print_wide", "show_hardware"]

_HIDDEN = (
    "kind",
    "count",
    "power",
    "area",
    "source",
    "status",
    "assumed",
    "note",
    "by_bits",
    "resolutions",
    "static_share",
)


def _load(kind: str, name: str, overrides: Sequence[str]) -> Loaded[Any]:
    return load_chip(name, overrides) if kind == "chip" else load_tile(name, overrides)


def _rollup(model: Chip | Tile) -> Rollup:
    return chip_rollup(model) if isinstance(model, Chip) else tile_rollup(model)


def show_hardware(kind: str, name: str, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], Rollup, Loaded[Any]]:
    """The JSON of ``archsim show`` for a chip or tile, its roll-up and its specification."""
    loaded = _load(kind, name, overrides)
    rollup = _rollup(loaded.model)
    summary = rollup.summary()
    again = partial(_changed, loaded, kind, name, overrides)
    readings = [_reading(r, again(r.set, ("readings", i, "set"))) for i, r in enumerate(loaded.model.readings)]
    out = {"kind": kind, "name": loaded.model.name, "title": loaded.model.title, **summary}
    out["published"] = _published(loaded, summary, readings, again)
    out["readings"] = [{key: value for key, value in r.items() if key != "summary"} for r in readings]
    out["deviations"] = list(loaded.model.deviations)
    if isinstance(loaded.model, Chip):
        out["deviations"] += loaded.model.tile.deviations
    out["assumed"] = sorted(f"{row.key}.{key}" for row in rollup.rows for key in row.component.assumed)
    out["config_hash"] = loaded.config_hash
    return out, rollup, loaded


def _changed(
    loaded: Loaded[Any], kind: str, name: str, overrides: Sequence[str], changes: dict[str, Any], where: tuple[Any, ...]
) -> dict[str, Any]:
    """The summary with some keys changed, as the file says at ``where``."""
    more = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in changes.items()]
    try:
        return _rollup(_load(kind, name, [*overrides, *more]).model).summary()
    except SpecError as error:
        key, mark = ".".join(str(step) for step in where), str(loaded.node.find(where))
        problems = [Problem(mark, f"{key}: {problem.message}") for problem in error.problems]
        raise SpecError(problems) from None


def _reading(reading: Reading, summary: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": reading.name,
        "why": reading.why,
        "set": dict(reading.set),
        "peak": summary["peak"],
        "mvm": summary["mvm"],
        "summary": summary,
    }


def _published(
    loaded: Loaded[Any], summary: dict[str, Any], readings: list[dict[str, Any]], again: Callable[..., dict[str, Any]]
) -> list[dict[str, Any]]:
    ours = metrics(summary)
    others = {reading["name"]: metrics(reading["summary"]) for reading in readings}
    problems = []
    for index, figure in enumerate(loaded.model.published):
        for key, known in (("metric", ours), ("reading", others)):
            named = getattr(figure, key)
            if named is not None and named not in known and not (key == "metric" and figure.missing):
                where = loaded.node.value_mark(("published", index, key))
                message = f"published.{index}.{key}: no {key} {named!r:.100}{nearest(named, known)}"
                problems.append(Problem(str(where), message))
    if problems:
        raise SpecError(problems)
    at = [ours if f.at is None else metrics(again(f.at, ("published", i, "at"))) for i, f in _numbered(loaded)]
    out = []
    for i, figure in _numbered(loaded):
        under = _over(loaded, i, figure)
        readings_of = {name: _ratios(of, under) for name, of in others.items()}
        out.append(beside(figure, _ratios(at[i], under), loaded.model.readings, readings_of))
    return out


def _over(loaded: Loaded[Any], index: int, figure: Published) -> Metrics | None:
    """The metrics of the chip that a figure is a ratio to; None for a figure that is none."""
    if figure.over is None:
        return None
    try:
        other = load_chip(figure.over)
    except ArchsimError as error:
        where = loaded.node.value_mark(("published", index, "over"))
        raise SpecError([Problem(str(where), f"published.{index}.over: {error}")]) from None
    if figure.over_at is None:
        return metrics(_rollup(other.model).summary())
    at = ("published", index, "over_at")
    return metrics(_changed(loaded, "chip", figure.over, (), figure.over_at, at))


def _ratios(ours: Metrics, over: Metrics | None) -> Metrics:
    """Each metric over that of another chip, where both have it and it is not 0."""
    if over is None:
        return ours
    return {key: value / by if value is not None and (by := over.get(key)) else None for key, value in ours.items()}


def _numbered(loaded: Loaded[Any]) -> list[tuple[int, Published]]:
    return list(enumerate(loaded.model.published))


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
    table.add_column("verdict", overflow="fold")
    table.add_column("status", overflow="fold")
    table.add_column("source", overflow="fold")
    for figure in out["published"]:
        ratio = "" if figure["ratio"] is None else f"{figure['ratio']:.3f}"
        others = [_number(value) for value in figure["readings"].values()]
        numbers = [_number(figure["paper"]), _number(figure["archsim"]), ratio, *others]
        source = figure["source"] + (f" ({figure['note']})" if figure["note"] else "")
        words = figure["metric"] + (f" ({figure['when']})" if figure["when"] else "")
        table.add_row(plain_text(words), *numbers, figure["verdict"], figure["status"], plain_text(source))
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
