"""Layers without weights on tiles: what they read, where they work, what is counted, and what the host does."""

from __future__ import annotations

from typing import Any

import pytest

from archsim.compile.network import Compiled, chips_to_fit, compile_network
from archsim.errors import CompileError
from archsim.noc.board import HOST
from archsim.sim.reference import run
from archsim.sim.simulate import simulate_network
from archsim.workload import Graph
from tests.unit.compile.nets import chip, network

PUMA = chip("puma")
TOKENS = (32, 12, 1)
IMAGE = (8, 12, 12)

FIRST = {"linear": 32, "name": "first"}
CONV = {"conv": 8, "kernel": 3, "pad": 1, "name": "first"}


def compiled(graph: Graph, name: str = "puma", *overrides: str) -> Compiled:
    design = chip(name, *overrides)
    return compile_network(graph, design, chips_to_fit(graph, design), "none")


def attention(tokens: int = 12, **keys: Any) -> Graph:
    causal = {"causal": True} if keys.pop("causal", False) else {}
    layers: list[dict[str, Any]] = [
        {"linear": 32, "name": "q"},
        {"linear": 32, "name": "k", "input": "input"},
        {"linear": 32, "name": "v", "input": "input"},
        {"matmul": "k", "input": "q", "heads": 2, "transpose": True, "name": "scores", **causal},
        {"softmax": 2, "name": "shares", **causal},
        {"matmul": "v", "heads": 2, "name": "context", **causal},
        {"linear": 32, "name": "last"},
    ]
    return network((32, tokens, 1), *layers, **keys)


IMAGES: list[list[dict[str, Any]]] = [
    [CONV, {"norm": "instance"}],
    [CONV, {"norm": "group", "groups": 2}],
    [CONV, {"norm": "batch", "activation": "relu"}],
    [CONV, {"convtranspose": 4, "kernel": 3, "stride": 2, "pad": 1}],
    [CONV, {"resize": 24, "mode": "linear"}],
    [CONV, {"pad": [1, 2, 0, -1]}],
    [CONV, {"slice": "channels", "start": 2, "end": 6}],
    [CONV, {"slice": "rows", "start": 3, "end": 9, "step": 2}],
    [CONV, {"shuffle": 2}],
    [CONV, {"spp": [4, 2, 1]}, {"dense": 8}],
    [CONV, {"local": 4, "kernel": 3}, {"flatten": True}, {"dense": 4}],
    [CONV, {"globalpool": "average"}, {"conv": 8, "activation": "sigmoid"}, {"multiply": "first"}],
    [CONV, {"reduce": "mean", "over": "positions"}],
    [CONV, {"flatten": True}, {"vector": {"add": 1152}}],
    [{"pad": [1, 1, 1, 1]}, CONV],
]
SEQUENCES: list[list[dict[str, Any]]] = [
    [FIRST, {"norm": "layer"}],
    [FIRST, {"norm": "rms"}],
    [FIRST, {"softmax": 4}],
    [FIRST, {"reverse": True}],
    [FIRST, {"gru": 10}],
    [FIRST, {"rnn": 10, "direction": "reverse"}],
    [FIRST, {"lstm": 10, "direction": "bidirectional"}],
    [FIRST, {"lstm": 10, "recurrent_projection": 6}],
    [FIRST, {"move": [64, 6, 1]}, {"linear": 8}],
    [FIRST, {"linear": 32, "experts": 4}],
    [FIRST, {"vector": {"add": 32, "lookup": 32}, "operands": ["first", "input"]}],
]


def nets() -> list[Any]:
    cases = [(IMAGE, layers) for layers in IMAGES] + [(TOKENS, layers) for layers in SEQUENCES]
    return [pytest.param(shape, layers, id=" ".join(next(iter(layer)) for layer in layers)) for shape, layers in cases]


@pytest.mark.parametrize(("shape", "layers"), nets())
def test_every_operator_compiles_and_runs_to_its_end(shape: tuple[int, ...], layers: list[dict[str, Any]]) -> None:
    made = compiled(network(shape, *layers))
    outcome = run(made.for_images(2))
    assert outcome.makespan > 0
    output = made.graph[made.graph.outputs[0]]
    to_host = [flow for flow in made.program.flows if flow.name.endswith("> host")]
    values = sum(flow.emit.total(made.program.stages[flow.source].firings) * flow.bits for flow in to_host) / 16
    assert values == output.windows * output.outputs


def test_the_macs_of_an_attention_are_counted_once_each_on_the_vector_unit() -> None:
    made = compiled(attention())
    operations = sum(
        layer.windows * sum(2 * n if op == "mac" else n for op, n in layer.work if op in ("mac", "add", "divide"))
        for layer in made.graph
    )
    # sums of rows that lie in several cores come on top
    assert made.work["core.vector", "operate"] == pytest.approx(operations, rel=0.01)
    assert made.graph.dynamic_macs == 2 * 12 * 12 * 32


def test_a_product_of_activations_reads_its_second_operand_from_the_buffer_for_every_window() -> None:
    made = compiled(attention())
    read = {
        flow.name.split("[")[0]: flow.bits * 12 / 16
        for flow in made.program.flows
        if flow.name.endswith("operand") and made.program.links[flow.route[0].link].kind == "buffer"
    }
    assert set(read) == {"scores", "context"}


def test_keys_wait_for_the_last_token_unless_the_attention_is_causal() -> None:
    firsts = []
    for causal in (False, True):
        made = compiled(attention(48, causal=causal))
        outcome = run(made.for_images(1), records="all")
        bodies = [n for n, stage in enumerate(made.program.stages) if stage.layer == "scores" and "body" in stage.name]
        firsts.append(min(int(outcome.records.starts[n][0]) for n in bodies))
    interval = 128_000 * 18
    assert firsts[0] > 47 * interval
    assert firsts[1] < 10 * interval


def test_what_waits_for_a_whole_image_passes_through_buffers_that_can_hold_it() -> None:
    squeeze = [
        {"conv": 64, "kernel": 3, "pad": 1, "name": "wide"},
        {"globalpool": "average"},
        {"conv": 64, "activation": "sigmoid"},
        {"multiply": "wide"},
    ]
    made = compiled(network((8, 32, 32), *squeeze))
    held = [stage for stage in made.program.stages if stage.component == "hold"]
    assert len({stage.place for stage in held}) > 1
    assert run(made.for_images(2)).makespan > 0


def decoder(steps: int, autoregressive: bool) -> Graph:
    layers: list[dict[str, Any]] = [
        {"linear": 32, "name": "q"},
        {"linear": 32, "name": "k", "input": "input"},
        {"linear": 32, "name": "v", "input": "input"},
        {"cache": 40, "input": "k", "name": "keys"},
        {"cache": 40, "input": "v", "name": "values"},
        {"matmul": "keys", "input": "q", "heads": 2, "transpose": True},
        {"softmax": 2},
        {"matmul": "values", "heads": 2},
        {"linear": 32},
    ]
    return network((32,), *layers, sequence=steps, autoregressive=autoregressive)


def test_a_cache_holds_its_tokens_from_the_start_and_one_more_with_each_step() -> None:
    made = compiled(decoder(3, autoregressive=False))
    caches = [flow for flow in made.program.flows if flow.initial > 0 and flow.name.startswith(("keys", "values"))]
    assert {flow.name.split(" ")[0] for flow in caches} == {"keys", "values"}
    for flow in caches:
        for end in flow.ends:
            assert end.need.at(0) == flow.initial + 1
            assert end.free.at(0) == 1
            assert end.capacity > flow.initial


def test_a_token_of_an_autoregressive_decoder_waits_for_the_one_before() -> None:
    one = run(compiled(decoder(1, autoregressive=True)).for_images(1)).makespan
    four = run(compiled(decoder(4, autoregressive=True)).for_images(1)).makespan
    known = run(compiled(decoder(4, autoregressive=False)).for_images(1)).makespan
    assert four > 3.5 * one
    assert known < 0.9 * four


def test_a_tile_without_the_unit_is_an_error_that_names_operator_layer_and_lever() -> None:
    with pytest.raises(CompileError) as caught:
        compiled(attention(), "isaac-ce")
    text = str(caught.value)
    assert text.startswith(
        "layer scores (matmul) needs the operator 'mac', for which tile 'isaac' has no unit; it has add,"
    )
    assert "write 'host: true' in the layer, or --set workload.host=true" in text


def test_the_host_does_what_the_tiles_cannot_at_its_rate_and_its_values_cross_the_links() -> None:
    made = compiled(attention(host=True), "isaac-ce", "host.rate=1 GHz")
    assert [layer.name for layer in made.graph if layer.host] == ["scores", "shares", "context"]
    stages = {stage.layer: stage for stage in made.program.stages if stage.component == "host"}
    assert stages["scores"].interval.at(0) == 2 * 12 * 16 * 1000  # macs of a window at 1 ns each
    assert made.stage_tile[made.program.stages.index(stages["scores"])] == HOST
    links = simulate_network(made, images=1).bytes_by_link_kind
    assert links["chip-out"] == 2 * (3 * 12 * 32 + 12 * 32)  # q, k and v, and the output, of two bytes each
    assert links["chip-in"] >= 2 * (12 * 32 + 12 * 32)  # input and context


def test_a_layer_with_weights_stays_on_tiles() -> None:
    with pytest.raises(
        CompileError, match=r"^layer first \(linear\) has weights, which stand on arrays; remove its 'host'$"
    ):
        compiled(network(TOKENS, {**FIRST, "host": True}))


def test_what_the_board_cannot_hold_is_an_error_with_demand_and_lever() -> None:
    small = chip("puma", "tiles=4", "noc.columns=1", "noc.rows=1")
    with pytest.raises(CompileError, match=r"^layer scores, to hold .* needs .* of tile buffers, the board has about"):
        compile_network(attention(4096), small, 1, "none")


def test_the_experts_of_a_mixture_share_the_tokens() -> None:
    made = compiled(network(TOKENS, FIRST, {"linear": 32, "experts": 4, "name": "mixed"}))
    assert made.copies["mixed"] == 4
    fired = [stage.firings for stage in made.program.stages if stage.layer == "mixed" and stage.component == "mvm"]
    assert sum(fired) <= 12


def test_a_movement_in_raster_order_reads_every_position_once() -> None:
    made = compiled(network(TOKENS, FIRST, {"move": [64, 6, 1]}, {"linear": 8}))
    body = next(
        n for n, stage in enumerate(made.program.stages) if stage.name.startswith("move1") and "body" in stage.name
    )
    assert made.program.stages[body].firings == 6
    reads = [end for flow in made.program.flows for end in flow.ends if end.stage == body]
    assert [[end.need.at(n) for n in range(6)] for end in reads] == [[2, 4, 6, 8, 10, 12]] * len(reads)


def test_an_image_becomes_tokens_position_by_position() -> None:
    made = compiled(network((8, 4, 4), CONV, {"move": [8, 16, 1]}, {"linear": 8}))
    firings = sum(s.firings for s in made.program.stages if s.name.startswith("move1") and "body" in s.name)
    assert firings == 16


@pytest.mark.parametrize("what", ["concat", "flatten", "globalpool", "input"])
def test_movement_that_is_called_as_an_operator_is_still_movement(what):
    joined = {"move": [8, 24, 1], "operands": ["first", "second"], "reads": "whole", "groups": 1, "what": what}
    graph = network(
        (8, 12, 1),
        {"linear": 8, "name": "first"},
        {"linear": 8, "input": "input", "name": "second"},
        {**joined, "name": "both"},
        {"slice": "rows", "start": 4, "end": 20},
        {"linear": 4},
    )
    assert graph["both"].op == f"{what} by move"
    assert run(compiled(graph).program).makespan > 0
