"""Cutting a network into phases that each fit a board."""

from __future__ import annotations

import pytest

from archsim.compile.cut import blocks_of, part_of, pieces_of
from archsim.compile.network import fits
from archsim.compile.phases import compile_phases
from archsim.errors import CompileError
from archsim.workload.graph import INPUT, Graph
from tests.networks import CONVOLUTIONS, chip, network

WIDE = tuple({"dense": 256, "name": f"d{k}"} for k in range(6))
"""Six layers of 256 x 256: 32 arrays of ISAAC each, four cores."""


def names(graph: Graph) -> list[str]:
    return [layer.name for layer in graph]


def test_blocks_begin_at_weights_or_at_the_flatten_before_them() -> None:
    graph = network(CONVOLUTIONS, (3, 8, 8))
    kinds = [[layer.op for layer in block] for block in blocks_of(graph)]
    assert kinds == [["conv", "maxpool"], ["conv", "globalpool"], ["flatten", "dense"]]


def test_a_recurrent_layer_stays_with_the_one_that_feeds_it_back() -> None:
    graph = network(
        ({"lstm": 64, "recurrent_projection": 16, "name": "l"}, {"dense": 8, "name": "d"}), (32,), sequence=3
    )
    blocks = blocks_of(graph)
    assert len(blocks) == 2
    assert [layer.name for layer in blocks[1]] == ["d"]


def test_what_crosses_a_cut_leaves_and_enters() -> None:
    layers = (
        {"conv": 8, "kernel": 3, "pad": 1, "name": "a"},
        {"conv": 8, "kernel": 3, "pad": 1, "name": "b"},
        {"add": "a", "activation": "relu", "name": "sum"},
        {"conv": 4, "kernel": 1, "name": "c"},
    )
    graph = network(layers, (3, 6, 6))
    first, second, third = (part_of(graph, block) for block in blocks_of(graph))
    assert (names(first), first.outputs) == (["input", "a"], ("a",))
    assert names(second) == ["a", "b", "sum"]
    assert [layer.name for layer in second.inputs] == ["a"]
    assert (second["a"].op, second["a"].output_shape) == (INPUT, (8, 6, 6))
    assert (names(third), third.outputs) == (["sum", "c"], ("c",))
    assert sum(part.macs for part in (first, second, third)) == graph.macs
    # a and b together: a is read by the sum in the same part, and by nothing later
    both = part_of(graph, [layer for block in blocks_of(graph)[:2] for layer in block])
    assert both.outputs == ("sum",)
    assert part_of(graph, [layer for layer in graph if layer.op != INPUT]) is graph


def test_pieces_share_a_layer_along_its_outputs() -> None:
    graph = network(({"conv": 10, "kernel": 3, "pad": 1, "name": "c"},), (3, 6, 6))
    pieces = pieces_of(graph["c"], 3)
    assert [piece.name for piece in pieces] == ["c[0:3]", "c[3:6]", "c[6:10]"]
    for key in ("weights", "macs", "biases", "trained_parameters", "element_ops"):
        assert sum(getattr(piece, key) for piece in pieces) == getattr(graph["c"], key), key
    assert [piece.output_shape for piece in pieces] == [(3, 6, 6), (3, 6, 6), (4, 6, 6)]


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        (({"lstm": 16, "name": "x"},), "its steps feed back all of its outputs"),
        (({"dense": 16, "activation": "softmax", "name": "x"},), "its softmax is over all of its outputs"),
        (({"dense": 1, "name": "x"},), "it has 1 outputs"),
    ],
)
def test_layers_whose_outputs_belong_together_are_not_cut(layers: tuple[dict[str, object], ...], why: str) -> None:
    graph = network(layers, (8,), sequence=2 if "lstm" in layers[0] else None)
    with pytest.raises(CompileError, match=f"x does not fit the board by itself and is not cut: {why}"):
        pieces_of(graph["x"], 2)


def test_a_network_that_fits_is_one_phase_and_itself() -> None:
    graph = network(CONVOLUTIONS, (3, 8, 8))
    (only,) = compile_phases(graph, chip("isaac-ce", 4), 1)
    assert only.compiled.graph.layers == graph.layers
    assert only.layers == ("one", "two", "last")


def test_no_way_has_fewer_phases() -> None:
    """One tile has twelve cores, which hold three of the six layers."""
    graph, board = network(WIDE, (256,)), chip("isaac-ce", 1)
    plans = compile_phases(graph, board, 1)
    assert [plan.layers for plan in plans] == [("d0", "d1", "d2"), ("d3", "d4", "d5")]
    assert not fits(graph, board, 1)


def test_of_the_ways_with_fewest_phases_the_fastest_is_taken() -> None:
    """Two convolutions over many windows, and dense layers: as many as fit beside them would take their room."""
    layers = (
        {"conv": 32, "kernel": 3, "pad": 1, "name": "c0"},
        {"conv": 32, "kernel": 3, "pad": 1, "name": "c1"},
        {"globalpool": "average"},
        {"flatten": True},
        {"dense": 256, "name": "d0"},
        *WIDE[1:3],
        {"dense": 10, "name": "last"},
    )
    plans = compile_phases(network(layers, (16, 16, 16)), chip("isaac-ce", 1), 1)
    assert [plan.layers for plan in plans] == [("c0", "c1"), ("d0", "d1", "d2", "last")]


def test_a_layer_that_is_too_big_is_cut_into_pieces() -> None:
    """1024 x 512 takes 256 arrays of ISAAC, a tile has 96."""
    layers = ({"dense": 512, "name": "big"}, {"dense": 10, "name": "last"})
    plans = compile_phases(network(layers, (1024,)), chip("isaac-ce", 1), 1)
    assert [plan.layers for plan in plans] == [("big[0:170]",), ("big[170:341]",), ("big[341:512]",), ("last",)]
    last = plans[-1].compiled.graph
    assert [(layer.name, layer.output_shape) for layer in last.inputs] == [("big", (512,))]
    assert sum(plan.compiled.graph.macs for plan in plans) == network(layers, (1024,)).macs


def test_what_follows_a_layer_that_is_cut_goes_with_the_next() -> None:
    layers = (
        {"conv": 256, "kernel": 3, "pad": 1, "name": "big"},
        {"maxpool": 2, "stride": 2, "name": "pool"},
        {"flatten": True, "name": "flat"},
        {"dense": 10, "name": "last"},
    )
    graph = network(layers, (128, 4, 4))
    plans = compile_phases(graph, chip("isaac-ce", 1), 1)
    assert all(plan.layers[0].startswith("big[") for plan in plans[:-1])
    assert names(plans[-1].compiled.graph) == ["big", "pool", "flat", "last"]


def test_a_layer_of_which_not_even_one_output_fits_is_an_error() -> None:
    """2000 rows are sixteen blocks, and the only core has eight arrays."""
    graph = network(({"dense": 9, "name": "long"},), (2000,))
    why = "long does not fit 1 × isaac-ce by itself, nor does one of its 9 outputs, whose sum is not cut"
    with pytest.raises(CompileError, match=why):
        compile_phases(graph, chip("isaac-ce", 1, "tile.core.count=1"), 1)


def test_a_loop_through_the_host_is_not_cut() -> None:
    layers = tuple({"dense": 256, "name": f"d{k}"} for k in range(6))
    graph = network(layers, (256,), sequence=3)
    auto = Graph(**{**vars(graph), "autoregressive": True})
    with pytest.raises(CompileError, match=r"does not fit 1 × isaac-ce and is autoregressive: each step needs"):
        compile_phases(auto, chip("isaac-ce", 1), 1)


def test_digital_chips_have_phases_too() -> None:
    layers = tuple({"dense": 1024, "name": f"d{k}"} for k in range(4))
    plans = compile_phases(network(layers, (1024,)), chip("dadiannao", 2, "noc.concentration=2"), 1)
    assert [plan.layers for plan in plans] == [("d0", "d1"), ("d2", "d3")]
