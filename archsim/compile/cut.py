"""Cut: a part of a network as a network of its own, and a layer into pieces.

A part is a run of layers in topological order.  What it reads of earlier layers are inputs of its own, and what later
layers read of it, or the host, are its outputs; the host keeps them in between.  A layer is cut along its outputs:
each piece is a layer of fewer columns that reads the same input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from archsim.errors import CompileError
from archsim.workload.graph import INPUT, Graph, Layer

__all__ = ["blocks_of", "part_of", "pieces_of"]


def blocks_of(graph: Graph) -> list[tuple[Layer, ...]]:
    """The layers of ``graph`` without its inputs, in runs that stay together: one layer with weights, the flatten that
    it reads, and what follows without weights; and a recurrent layer with all up to the one that feeds it back."""
    layers = [layer for layer in graph if layer.op != INPUT]
    number = {layer.name: k for k, layer in enumerate(layers)}
    starts = []
    for k, layer in enumerate(layers):
        if layer.matrix:
            flat = k > 0 and layers[k - 1].op == "flatten" and layers[k - 1].name in layer.inputs
            starts.append(k - 1 if flat else k)
    for layer in layers:
        if layer.state_from:
            low, high = sorted((number[layer.name], number[layer.state_from]))
            starts = [start for start in starts if not low < start <= high]
    return [tuple(layers[low:high]) for low, high in pairwise([0, *starts[1:], len(layers)])]


def part_of(graph: Graph, layers: Sequence[Layer], without: str = "") -> Graph:
    """``layers`` of ``graph`` as a network of their own; all of them are the network itself.

    Layers that ``graph`` does not have, such as pieces, are outputs; ``without`` is a layer whose reading is no reason
    for an output.
    """
    own, known = {layer.name for layer in layers}, {layer.name for layer in graph}
    if own == {layer.name for layer in graph if layer.op != INPUT}:
        return graph
    read = list(dict.fromkeys(name for layer in layers for name in layer.inputs if name not in own))
    inputs = [
        graph[name] if graph[name].op == INPUT else Layer(name, INPUT, (), (), graph[name].output_shape, graph.steps)
        for name in read
    ]

    def leaves(name: str) -> bool:
        return (
            name not in known
            or name in graph.outputs
            or any(reader not in own and reader != without for reader in graph.consumers(name))
        )

    outputs = tuple(layer.name for layer in layers if leaves(layer.name))
    return replace(graph, layers=(*inputs, *layers), outputs=outputs)


def pieces_of(layer: Layer, count: int) -> list[Layer]:
    """``layer`` in ``count`` pieces along its outputs, whose sizes differ by at most one.

    CompileError for a layer whose outputs depend on each other, or on a part of its input only.
    """
    matrix = layer.matrix
    assert matrix is not None
    why = {
        "its steps feed back all of its outputs": bool(layer.state or layer.in_loop or layer.gates > 1),
        "its groups read different inputs": matrix.groups > 1,
        "its experts are matrices of their own": layer.experts > 1,
        "its softmax is over all of its outputs": layer.activation == "softmax",
        f"it has {matrix.columns} outputs": count > matrix.columns,
    }
    for reason, holds in why.items():
        if holds:
            raise CompileError(f"{layer.name} does not fit the board by itself and is not cut: {reason}")
    bounds = [matrix.columns * k // count for k in range(count + 1)]
    return [_piece(layer, low, high) for low, high in pairwise(bounds)]


def _piece(layer: Layer, low: int, high: int) -> Layer:
    matrix = layer.matrix
    assert matrix is not None

    def share(amount: int) -> int:
        return amount * high // matrix.columns - amount * low // matrix.columns

    return replace(
        layer,
        name=f"{layer.name}[{low}:{high}]",
        matrix=replace(matrix, columns=high - low),
        output_shape=(high - low, *layer.output_shape[1:]),
        biases=share(layer.biases),
        constants=share(layer.constants),
        trained_parameters=share(layer.trained_parameters),
        work=tuple((operator, share(amount)) for operator, amount in layer.work if share(amount)),
    )
