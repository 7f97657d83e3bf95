"""``archsim show`` for workloads: totals and layers as JSON values and as a table, beside published totals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from archsim.errors import ArchsimError, nearest
from archsim.spec.provenance import Published
from archsim.workload import load_graph

__all__ = ["show_workload", "workload_tables"]


def show_workload(name: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON of ``archsim show`` for a workload."""
    graph, loaded = load_graph(name, overrides)
    model, summary = loaded.model, graph.summary()
    out = {"kind": "workload", **summary, "source": model.source}
    out["published"] = [_beside(figure, summary) for figure in model.published]
    out |= {"deviations": list(model.deviations), "assumed": list(model.assumed), "config_hash": loaded.config_hash}
    return out


def _beside(figure: Published, summary: dict[str, Any]) -> dict[str, Any]:
    totals = {key: value for key, value in summary.items() if isinstance(value, int)}
    if figure.metric not in totals:
        hint = nearest(figure.metric, totals) or f"; there are {', '.join(totals)}"
        raise ArchsimError(f"published: no metric {figure.metric!r}{hint}")
    ours = totals[figure.metric]
    return {
        "metric": figure.metric,
        "paper": figure.value,
        "archsim": ours,
        "ratio": ours / figure.value if figure.value else None,
        "status": figure.status,
        "source": figure.source,
        "note": figure.note,
    }


def _shape(shape: Sequence[int]) -> str:
    return " × ".join(str(length) for length in shape)


def _window(layer: dict[str, Any]) -> str:
    """Kernel, stride and padding as papers print them."""
    if "kernel" not in layer:
        return ""
    top, left, bottom, right = layer["pad"]
    pad = layer["pad"] if (top, left) != (bottom, right) else [top, left]
    text = f"{_shape(layer['kernel'])} / {_one(layer['stride'])}"
    text += f", pad {_one(pad)}" if any(pad) else ""
    return text + (f", dilation {_one(layer['dilation'])}" if layer["dilation"] != [1, 1] else "")


def _one(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(set(numbers)) == 1 else str(list(numbers))


def _matrix(layer: dict[str, Any]) -> str:
    matrix = layer.get("matrix")
    if not matrix:
        return ""
    groups = f" × {matrix['groups']} groups" if matrix["groups"] > 1 else ""
    return f"{matrix['rows']} × {matrix['columns']}{groups}"


def _layer_table(out: dict[str, Any]) -> Table:
    table = Table(title="Layers", title_justify="left")
    for heading in ("layer", "op", "kernel / stride", "output"):
        table.add_column(heading, overflow="fold")
    for heading in ("matrix", "windows", "MACs", "parameters"):
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("activation")
    last = out["layers"][-1]
    for layer in out["layers"]:
        counts = [f"{layer['windows']:,}", *(f"{layer[key]:,}" if layer[key] else "" for key in ("macs", "parameters"))]
        activation = layer["activation"] if layer["activation"] != "none" else ""
        cells = [layer["name"], layer["op"], _window(layer), _shape(layer["output_shape"]), _matrix(layer), *counts]
        table.add_row(*cells, activation, end_section=layer is last)
    sums = [f"{out[key]:,}" for key in ("windows", "macs", "parameters")]
    table.add_row("[b]total[/b]", "", "", "", "", *(f"[b]{text}[/b]" for text in sums), "")
    table.caption = "windows: output positions an inference; their total counts the layers with a matrix"
    table.caption_justify = "left"
    return table


def _published_table(out: dict[str, Any]) -> Table:
    table = Table(title="Published beside archsim", title_justify="left")
    table.add_column("metric", overflow="fold")
    for heading in ("published", "archsim", "ratio"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("status", "source"):
        table.add_column(heading, overflow="fold")
    for figure in out["published"]:
        source = figure["source"] + (f" ({figure['note']})" if figure["note"] else "")
        ratio = "" if figure["ratio"] is None else f"{figure['ratio']:.4f}"
        numbers = [f"{figure['paper']:,.0f}", f"{figure['archsim']:,}", ratio]
        table.add_row(figure["metric"], *numbers, figure["status"], Text(source))
    return table


def _headline(out: dict[str, Any]) -> Text:
    text = Text(f"{out['title'] or out['name']}\n", style="bold")
    tokens = f"{out['steps']} tokens of " if out["unit"] == "sequence" or out["steps"] > 1 else ""
    line = f"input {tokens}{_shape(out['input_shape'])}: {out['macs']:,} MACs per {out['unit']}, "
    if out["dynamic_macs"]:
        line += f"{out['dynamic_macs']:,} more between activations, "
    rest = f", {out['constants']:,} in tables and norms" if out["constants"] else ""
    line += f"{out['parameters']:,} parameters ({out['weights']:,} weights, {out['biases']:,} biases{rest})"
    if out["trained_parameters"] != out["parameters"]:
        line += f"; {out['trained_parameters']:,} before the batch norms are folded"
    return text.append(line, style="not bold")


def _list(title: str, lines: Sequence[str]) -> list[RenderableType]:
    bullets = [Padding(Text("• " + line.strip()), (0, 0, 0, 2)) for line in lines]
    return [Text(f"\n{title}", style="italic"), *bullets] if lines else []


def workload_tables(out: dict[str, Any]) -> Group:
    """What ``archsim show`` prints for a workload."""
    parts: list[RenderableType] = [_headline(out), _layer_table(out)]
    if out["published"]:
        parts.append(_published_table(out))
    parts += _list("Deviations from the source", out["deviations"])
    parts += _list("Assumed, no source gives it", out["assumed"])
    parts += _list("Source", [out["source"]])
    return Group(*parts)
