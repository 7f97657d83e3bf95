"""The element-wise work of a layer: which operators on how many values, for one window.

Counted as :mod:`archsim.workload.operators` states it: a pool over k values takes k - 1 comparisons (or additions, and
a multiplication for an average) a value; an LSTM cell three sigmoids, two hyperbolic tangents, three products, one sum.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from archsim.errors import CompileError
from archsim.spec.tile import Operator, Tile
from archsim.workload.graph import Graph, Layer

__all__ = [
    "Operations",
    "accumulating",
    "finishing",
    "layer_operations",
    "operations_by_row",
    "require_units",
    "unit_rate",
    "with_host",
]

Operations = dict[Operator, int]


def layer_operations(layer: Layer, values: int) -> Operations:
    """The operations of ``layer`` on ``values`` of the output values of one window, its activation included."""
    return {operator: -(-count * values // layer.outputs) for operator, count in layer.work}


def accumulating(layer: Layer, values: int, pixels: int) -> Operations:
    """What a layer that accumulates does with one more pixel, of ``pixels``, for ``values`` of its output values."""
    if layer.op == "globalpool":
        return {"max": values} if layer.pool == "max" else {"add": values}
    return {operator: -(-count // pixels) for operator, count in layer_operations(layer, values).items()}


def finishing(layer: Layer, values: int) -> Operations:
    """What a global pool does once, when all pixels have come: the division of a mean."""
    return {"multiply": values} if layer.op == "globalpool" and layer.pool == "average" else {}


def operations_by_row(tile: Tile, operations: Operations) -> dict[str, int]:
    """Operations of each row of functional units, for elements of each operator."""
    rows: dict[str, int] = {}
    for operator, elements in operations.items():
        if elements:
            unit = tile.units[operator]
            rows[unit.row] = rows.get(unit.row, 0) + elements * unit.operations
    return rows


def unit_rate(tile: Tile, row: str) -> Fraction:
    """Operations a second that a tile's row of functional units can do, those of all its cores together."""
    component = tile.components.get(row) or tile.core.components[row]
    cores = 1 if row in tile.components else tile.core.count
    return cores * component.capacity_per_s()  # type: ignore[attr-defined, no-any-return]


def with_host(tile: Tile, graph: Graph) -> Graph:
    """``graph``, in which the host does the layers for which ``tile`` lacks a unit, if the network allows that."""
    if not graph.host:
        return graph
    moved = [layer if layer.matrix or not _missing(tile, layer) else replace(layer, host=True) for layer in graph]
    return replace(graph, layers=tuple(moved))


def _missing(tile: Tile, layer: Layer) -> list[Operator]:
    operators = [operator for operator, _ in layer.work if operator not in tile.units]
    return operators + (["add"] if layer.matrix and "add" not in tile.units else [])


def require_units(tile: Tile, layers: list[Layer]) -> None:
    """CompileError if ``tile`` lacks a unit for an operator that a layer needs, with what could be done."""
    for layer in layers:
        if layer.matrix and layer.host:
            raise CompileError(f"layer {layer.name} ({layer.op}) has weights, which stand on arrays; remove its 'host'")
        missing = [] if layer.host else _missing(tile, layer)
        if missing:
            way = (
                "write its activation as a layer of its own, with 'host: true'"
                if layer.matrix
                else "write 'host: true'"
            )
            raise CompileError(
                f"layer {layer.name} ({layer.op}) needs the operator {missing[0]!r}, for which tile {tile.name!r} has "
                f"no unit; it has {', '.join(sorted(tile.units)) or 'none'} (key: tile.units). To have the host do it, "
                f"{way} in the layer, or --set workload.host=true for every such layer"
            )
