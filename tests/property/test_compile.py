"""Random small networks on small chips: whatever is compiled runs, loses nothing, and does the work that was asked."""

from __future__ import annotations

from collections import Counter
from math import ceil
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archsim.compile.network import Compiled, compile_network
from archsim.compile.planner import buffer_bits
from archsim.errors import CompileError
from archsim.hardware.mvm import input_steps
from archsim.noc.board import HOST
from archsim.sim import compiled, reference
from archsim.spec.loader import load_chip
from archsim.spec.workload import Workload
from archsim.untimed import check
from archsim.workload import Graph, build_graph
from tests.property.results import differences

IMAGES = 2
BUFFERS = {"isaac-ce": "buffer", "puma": "data_memory"}


@st.composite
def image_layers(draw: st.DrawFn, channels: int) -> list[dict[str, Any]]:
    """Convolutions, pools, residual blocks and concatenations, that keep the size of the image or halve it."""
    layers: list[dict[str, Any]] = []
    for k in range(draw(st.integers(1, 3))):
        kernel = draw(st.sampled_from([1, 3]))
        kinds = ["conv", "grouped", "pool", "residual", "concat"]
        kind = draw(st.sampled_from(kinds if k else kinds[:1]))
        conv = {"conv": channels, "kernel": kernel, "pad": kernel // 2}
        if kind == "conv":
            channels = draw(st.sampled_from([4, 20, 40]))
            layers.append({**conv, "conv": channels, "stride": draw(st.sampled_from([1, 1, 2])), "name": f"c{k}"})
        elif kind == "grouped":
            layers.append({**conv, "groups": draw(st.sampled_from([2, channels])), "name": f"c{k}"})
        elif kind == "pool":
            layers.append({draw(st.sampled_from(["maxpool", "avgpool"])): 3, "stride": 2, "pad": 1, "name": f"c{k}"})
        else:
            last = layers[-1]["name"]
            layers.append({**conv, "activation": "none", "name": f"b{k}"})
            if kind == "residual":
                layers.append({"add": last, "activation": "relu", "name": f"c{k}"})
            else:
                layers.append({"concat": [f"b{k}", last], "name": f"c{k}"})
                channels *= 2
    return layers


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Image networks with or without private kernels, a pyramid and a classifier, dense networks, recurrent ones."""
    keys = {"schema": 1, "kind": "workload", "name": "random", "source": "a test"}
    kind = draw(st.sampled_from(["image", "image", "image", "dense", "lstm"]))
    if kind == "image":
        channels, size = draw(st.sampled_from([2, 30])), draw(st.integers(2, 7))
        layers = draw(image_layers(channels))
        if draw(st.integers(0, 3)) == 0:
            layers.append({"local": 4, "kernel": draw(st.integers(1, 2)), "pad": 1})
        flat = [[{"flatten": True}], [{"globalpool": "average"}, {"flatten": True}], [{"spp": [1]}]]
        tail = draw(st.sampled_from([[], *flat]))
        layers += [*tail, {"dense": 17}] if tail else []
        keys["input"] = [channels, size, draw(st.integers(2, 7))]
    else:
        keys["input"] = [draw(st.sampled_from([5, 300, 2500]))]
        widths = draw(st.lists(st.sampled_from([3, 40, 400]), min_size=1, max_size=3))
        layers = [{"dense": width} for width in widths]
        if kind == "lstm":
            layers.insert(0, {"lstm": draw(st.sampled_from([3, 40, 200]))})
            keys["sequence"] = draw(st.integers(1, 4))
    return build_graph(Workload.model_validate({**keys, "layers": layers}))


@st.composite
def compilations(draw: st.DrawFn) -> Compiled:
    """A network on one to three small chips; what does not fit them is another test's matter."""
    graph, name = draw(networks()), draw(st.sampled_from(["isaac-ce", "puma"]))
    overrides = [
        f"tiles={draw(st.sampled_from([2, 5, 9, 30]))}",
        f"tile.core.count={draw(st.sampled_from([2, 4, 12]))}",
        f"tile.components.{BUFFERS[name]}.capacity={draw(st.sampled_from(['2 KiB', '8 KiB', '64 KiB', '1 MiB']))}",
    ]
    replication = draw(st.sampled_from(["balanced", "balanced", "none"]))
    try:
        return compile_network(graph, load_chip(name, overrides).model, draw(st.integers(1, 3)), replication)
    except CompileError:
        assume(False)
        raise


@settings(max_examples=50)
@given(compilations())
def test_a_compiled_network_runs_to_its_end_and_both_engines_agree(made: Compiled):
    program = made.for_images(IMAGES)
    check(program)
    assert differences(compiled.run(program, records="all"), reference.run(program, records="all")) == []


@settings(max_examples=80)
@given(compilations())
def test_arrays_are_read_windows_times_blocks_times_steps(made: Compiled):
    """Σ over layers of windows × slots × arrays a slot × input steps, with slots counted by the ceil formulas."""
    core = made.board.chip.tile.core
    expected = 0
    for layer in made.graph.matrix_layers:
        slots = made.mapped[layer.name].slots
        matrix, shape = layer.matrix, slots.shape
        if slots.groups_per_slot == 1:
            count = matrix.groups * ceil(matrix.rows / shape.rows) * ceil(matrix.columns / shape.weights)
        else:
            count = ceil(matrix.groups / slots.groups_per_slot)
        expected += layer.windows * count * shape.arrays * input_steps(core)
    assert made.work["core.crossbar", "read"] == expected


@settings(max_examples=80)
@given(compilations())
def test_no_tile_holds_more_than_its_buffer_or_its_cores(made: Compiled):
    tile = made.board.chip.tile
    held: Counter[int] = Counter()
    for flow in made.program.flows:
        for end in flow.ends:
            place = made.stage_tile[end.stage]
            internal = flow.source != end.stage and made.stage_tile[flow.source] == place and not _buffered(made, flow)
            if place != HOST and not internal:
                held[place] += end.capacity * flow.bits
    assert all(bits <= buffer_bits(tile) for bits in held.values())
    cores: Counter[int] = Counter()
    for p in made.placements:
        part = made.mapped[p.layer].parts[p.part]
        cores[p.tile] += ceil(p.copies * part.count / made.mapped[p.layer].slots.shape.per_core)
    assert all(count <= tile.core.count for count in cores.values())


def _buffered(made: Compiled, flow: Any) -> bool:
    """Whether a flow inside a tile goes to its buffer: from the output of a layer, or a partial sum."""
    return made.program.stages[flow.source].component in ("out", "sum") or flow.name.endswith("partial")


@settings(max_examples=40)
@given(compilations())
def test_every_token_sent_is_delivered_once_at_each_end_and_crosses_each_link_once(made: Compiled):
    program = made.for_images(IMAGES)
    outcome, a = compiled.run(program), program.arrays
    sent = np.array([f.emit.total(program.stages[f.source].firings) for f in program.flows])
    assert np.array_equal(outcome.end_delivered, sent[a.end_flow])
    assert np.array_equal(outcome.link_tokens, np.bincount(a.hop_link, sent[a.hop_flow], len(a.link_hop)))
    assert (outcome.end_peak <= a.end_capacity).all()


@settings(max_examples=40)
@given(compilations())
def test_every_layer_does_each_of_its_windows_once(made: Compiled):
    for layer in made.graph.matrix_layers:
        for index in range(len(made.mapped[layer.name].parts)):
            own = [p for p in made.placements if (p.layer, p.part) == (layer.name, index)]
            copies = sorted(c for p in own for c in range(p.first, p.first + p.copies))
            assert copies == list(range(made.copies[layer.name]))
    for out, name in zip(made.lowered.host_out, made.graph.outputs, strict=True):
        layer = made.graph[name]
        values = 0
        for flow in made.program.flows:
            if any(end.stage == out for end in flow.ends):
                tokens = flow.emit.total(made.program.stages[flow.source].firings)
                values += tokens * flow.bits // made.board.chip.tile.core.encoding.input_bits
        assert values == layer.positions * layer.steps * layer.outputs or layer.op == "flatten"


@settings(max_examples=30)
@given(compilations(), st.data())
def test_compiling_twice_gives_equal_programs(made: Compiled, data: st.DataObject):
    again = compile_network(made.graph, made.board.chip, made.board.chips, made.copies)
    if again.placements == made.placements:
        assert again.program == made.program
    assert again.copies == made.copies
