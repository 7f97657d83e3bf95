"""``archsim show`` for workloads: totals and layers as JSON values and as a table, beside published totals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from archsim.compile.network import arrays_needed, chips_to_fit
from archsim.errors import ArchsimError, CompileError, nearest
from archsim.report.files import write_text
from archsim.report.graph_svg import graph_svg
from archsim.spec.chip import Chip
from archsim.spec.loader import Loaded, load_chip
from archsim.spec.provenance import Published
from archsim.spec.workload import Workload
from archsim.workload import ImportOptions, load_graph
from archsim.workload.graph import INPUT, Graph, Layer
from archsim.workload.shapes import volume

__all__ = ["show_and_write", "show_workload", "workload_json", "workload_tables"]


def show_workload(
    name: str, overrides: Sequence[str] = (), imports: ImportOptions | None = None, on: str | None = None
) -> dict[str, Any]:
    """The JSON of ``archsim show`` for a workload; with the arrays that it needs ``on`` a chip."""
    return workload_json(*load_graph(name, overrides, imports), load_chip(on).model if on is not None else None)


def show_and_write(
    name: str,
    overrides: Sequence[str],
    imports: ImportOptions | None,
    on: str | None,
    graph_file: Path | None,
    yaml_file: Path | None,
) -> dict[str, Any]:
    """As :func:`show_workload`, and the layers drawn into ``graph_file``, the workload written to ``yaml_file``."""
    graph, loaded = load_graph(name, overrides, imports)
    out = workload_json(graph, loaded, load_chip(on).model if on is not None else None)
    if graph_file is not None:
        write_text(graph_file, graph_svg(graph))
    if yaml_file is not None:
        write_text(yaml_file, loaded.plain_yaml())
    return out


def workload_json(graph: Graph, loaded: Loaded[Workload], chip: Chip | None = None) -> dict[str, Any]:
    """A loaded workload as JSON values, with the arrays that it needs on ``chip``."""
    model, summary = loaded.model, graph.summary()
    for entry, layer in zip(summary["layers"], (layer for layer in graph if layer.op != INPUT), strict=True):
        entry["intensity"] = _intensity([layer])
    out = {"kind": "workload", **summary, "intensity": _intensity(graph.layers), "source": model.source}
    if chip is not None:
        out["on"] = _on(graph, chip)
    out["published"] = [_beside(figure, summary) for figure in model.published]
    out |= {"deviations": list(model.deviations), "assumed": list(model.assumed), "config_hash": loaded.config_hash}
    return out


def _on(graph: Graph, chip: Chip) -> dict[str, Any]:
    """The arrays that hold each layer once, and the chips of the smallest board; why there is none, if so."""
    arrays = arrays_needed(graph, chip)
    out: dict[str, Any] = {"chip": chip.name, "arrays": sum(arrays.values()), "chips": None, "problem": ""}
    try:
        out["chips"] = chips_to_fit(graph, chip)
    except CompileError as error:
        out["problem"] = str(error)
    return out | {"by_layer": arrays}


def _intensity(layers: Sequence[Layer]) -> float:
    """Arithmetic intensity: MACs for each value moved, those of weights once, of inputs and outputs as they come."""
    macs = sum(layer.macs + layer.dynamic_macs for layer in layers)
    moved = sum(
        layer.parameters
        + layer.steps * (volume(layer.output_shape) + sum(volume(shape) for shape in layer.input_shapes))
        for layer in layers
        if layer.op != INPUT
    )
    return macs / moved if moved else 0.0


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
    kernel, stride, dilation, depth = layer["kernel"], layer["stride"], layer["dilation"], layer.get("depth")
    if depth:
        kernel, stride = [depth["kernel"], *kernel], [depth["stride"], *stride]
        front, back = depth["pad"]
        pad = [front, *pad] if front == back and len(pad) == 2 else [front, *layer["pad"][:2], back, *layer["pad"][2:]]
        dilation = [depth["dilation"], *dilation]
    text = f"{_shape(kernel)} / {_one(stride)}"
    text += f", pad {_one(pad)}" if any(pad) else ""
    return text + (f", dilation {_one(dilation)}" if set(dilation) != {1} else "")


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
    arrays = out["on"]["by_layer"] if "on" in out else {}
    if "on" in out:
        table.add_column(f"arrays of {out['on']['chip']}", justify="right")
    last = out["layers"][-1]
    for layer in out["layers"]:
        counts = [f"{layer['windows']:,}", *(f"{layer[key]:,}" if layer[key] else "" for key in ("macs", "parameters"))]
        activation = layer["activation"] if layer["activation"] != "none" else ""
        cells = [layer["name"], layer["op"], _window(layer), _shape(layer["output_shape"]), _matrix(layer), *counts]
        held = [f"{arrays[layer['name']]:,}" if layer["name"] in arrays else ""] if "on" in out else []
        table.add_row(*cells, activation, *held, end_section=layer is last)
    total = [f"[b]{out['on']['arrays']:,}[/b]"] if "on" in out else []
    sums = [f"{out[key]:,}" for key in ("windows", "macs", "parameters")]
    table.add_row("[b]total[/b]", "", "", "", "", *(f"[b]{text}[/b]" for text in sums), "", *total)
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
    line += f"\n{out['intensity']:.1f} MACs for each value of weights, inputs and outputs"
    if "on" in out:
        on = out["on"]
        line += f"; {on['arrays']:,} arrays of {on['chip']}"
        if on["chips"] is None:
            line += f", which does not run it: {on['problem']}"
        else:
            line += f", on {on['chips']} chip{'s' * (on['chips'] > 1)}"
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
