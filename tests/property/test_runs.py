"""Random small networks on random small chips: nothing is lost, nothing is counted twice, slower is never sooner."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archsim.compile.network import Compiled, chips_to_fit, compile_network
from archsim.errors import CompileError, DeadlockError, ProgramError
from archsim.hardware.mvm import cells_per_weight, crossbar, input_steps
from archsim.program import Program, Sequence
from archsim.sim import compiled as engine
from archsim.sim.ledger import link_bytes, make_ledger
from archsim.sim.simulate import simulate_network
from archsim.workload.graph import Graph, Layer
from tests.networks import chip, network
from tests.property.programs import programs

CHIPS = {
    (name, tiles, size): chip(name, tiles, f"tile.core.components.crossbar.columns={size}")
    for name in ("isaac-ce", "puma")
    for tiles in (6, 9)
    for size in (128, 64)
}


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Convolutions (strided, grouped, residual), pools, dense layers and an LSTM, each small."""
    if draw(st.integers(0, 4)) == 0:
        size = draw(st.integers(4, 40))
        layers: list[dict[str, Any]] = [{"lstm": draw(st.integers(3, 24))}, {"dense": draw(st.integers(1, 9))}]
        return network(layers, [size], sequence=draw(st.integers(1, 4)))
    if draw(st.integers(0, 3)) == 0:
        layers = [{"dense": draw(st.integers(1, 150))} for _ in range(draw(st.integers(1, 3)))]
        return network(layers, [draw(st.integers(1, 300))])
    layers = [{"conv": draw(st.sampled_from([4, 12, 20])), "kernel": draw(st.sampled_from([1, 3])), "pad": 1}]
    for _ in range(draw(st.integers(0, 2))):
        match draw(st.integers(0, 3)):
            case 0:
                layers.append({"maxpool": 2, "stride": draw(st.integers(1, 2))})
            case 1:
                channels = layers[0]["conv"]
                layers.append({"conv": channels, "kernel": 3, "pad": 1, "groups": draw(st.sampled_from([1, 2]))})
            case 2:
                layers.append({"conv": layers[0]["conv"], "kernel": 3, "stride": 2, "pad": 1})
            case _:
                layers[-1]["name"] = f"main{len(layers)}"
                before = layers[-1]["name"]
                layers.append({"conv": layers[0]["conv"], "kernel": 3, "pad": 1, "activation": "none"})
                layers.append({"add": before, "activation": "relu"})
    if draw(st.booleans()):
        layers += [{"globalpool": "average"}, {"flatten": True}, {"dense": draw(st.integers(1, 20))}]
    side = draw(st.integers(4, 8))
    return network(layers, [draw(st.integers(1, 3)), side, side + draw(st.integers(0, 2))])


@st.composite
def compiled_networks(draw: st.DrawFn) -> Compiled:
    graph = draw(networks())
    design = CHIPS[draw(st.sampled_from(sorted(CHIPS)))]
    replication: Any = draw(st.sampled_from(["balanced", "none"]))
    chips = chips_to_fit(graph, design) + draw(st.integers(0, 1))
    try:
        return compile_network(graph, design, chips, replication)
    except CompileError:
        assume(False)
        raise


def mvm_reads(result: Compiled, layer: Layer) -> int:
    """Array reads of one image: windows × row blocks × column blocks × arrays a slot × input steps, each group."""
    core, matrix = result.board.chip.tile.core, layer.matrix
    assert matrix is not None
    array, cells = crossbar(core), cells_per_weight(core)
    beside = core.encoding.slices == "side-by-side"
    wide, arrays = (array.columns // cells, 1) if beside else (array.columns, cells)
    along = min(array.rows // matrix.rows, wide // matrix.columns) if matrix.groups > 1 else 1
    if along > 1:
        blocks = -(-matrix.groups // along)
    else:
        blocks = matrix.groups * -(-matrix.rows // array.rows) * -(-matrix.columns // wide)
    return layer.windows * blocks * arrays * input_steps(core)


@settings(max_examples=40)
@given(result=compiled_networks())
def test_mvm_actions_are_windows_by_row_blocks_by_column_blocks(result: Compiled) -> None:
    reads = sum(mvm_reads(result, layer) for layer in result.graph.matrix_layers)
    columns = crossbar(result.board.chip.tile.core).columns
    assert result.work["core.crossbar", "read"] == reads
    assert result.work["core.adc", "convert"] == reads * columns
    assert result.work["core.sample_hold", "sample"] == reads * columns


@settings(max_examples=40)
@given(result=compiled_networks(), images=st.integers(1, 3))
def test_every_token_sent_is_delivered_once_at_each_end(result: Compiled, images: int) -> None:
    program = result.for_images(images)
    outcome = engine.run(program)
    sent = [flow.emit.total(program.stages[flow.source].firings) for flow in program.flows]
    expected = [tokens for flow, tokens in zip(program.flows, sent, strict=True) for _ in flow.ends]
    assert outcome.end_delivered.tolist() == expected
    crossed = np.zeros(len(program.links), np.int64)
    for flow, tokens in zip(program.flows, sent, strict=True):
        for hop in flow.route:
            crossed[hop.link] += tokens
    assert outcome.link_tokens.tolist() == crossed.tolist()


@settings(max_examples=30)
@given(result=compiled_networks())
def test_bytes_of_the_ledger_are_the_bits_of_the_tokens_that_crossed_the_links(result: Compiled) -> None:
    program = result.program
    outcome = engine.run(program)
    kinds = sorted({link.kind for link in program.links} - {"unit"})
    # each link on its own: what its flows carry, as the run counted their tokens at one end of each
    carried = dict.fromkeys(kinds, 0)
    for number, flow in enumerate(program.flows):
        tokens = int(outcome.end_delivered[int(program.end_offsets[number])])
        for hop in flow.route:
            if (kind := program.links[hop.link].kind) != "unit":
                carried[kind] += tokens * flow.bits
    assert link_bytes(result) == {kind: bits / 8 for kind, bits in carried.items()}
    counts = {(row.component, row.action): row.count for row in make_ledger(result, 1e-6).rows}
    between = sum(carried.get(kind, 0) for kind in ("chip-in", "chip-out")) / 8
    assert counts["chip.hyper_transport", "byte"] == between
    assert counts[f"tile.{result.board.chip.tile.memory.bus}", "byte"] == carried["bus"] / 8


@settings(max_examples=30)
@given(result=compiled_networks())
def test_the_rows_of_the_ledger_add_up_to_the_energy(result: Compiled) -> None:
    value = simulate_network(result, images=3).to_json()
    energy = value["energy_j_per_inference"]
    assert sum(row["total_j"] for row in value["ledger"]) == pytest.approx(energy, rel=1e-12)
    assert sum(row["count"] * row["energy_j"] for row in value["ledger"]) == pytest.approx(energy, rel=1e-12)
    assert sum(value["energy_breakdown_j"].values()) == pytest.approx(energy, rel=1e-12)
    assert value["average_power_w"] * value["interval_s"] == pytest.approx(energy, rel=1e-12)
    assert 0 < energy <= value["energy_always_on_j_per_inference"]
    assert 0 < value["utilisation"]["cells"] <= 1
    assert 0 < value["utilisation"]["time"] <= 1 + 1e-9
    assert value["effective_tops"] <= value["peak"]["tops"]


@settings(max_examples=30)
@given(result=compiled_networks())
def test_the_work_of_an_inference_does_not_hang_on_the_number_of_images(result: Compiled) -> None:
    def actions(images: int) -> dict[tuple[str, str], tuple[float, float]]:
        ledger = simulate_network(result, images=images).ledger
        return {(r.component, r.action): (r.count, r.energy_j) for r in ledger.rows if r.action != "static"}

    assert actions(1) == actions(2) == actions(5)


@settings(max_examples=20)
@given(result=compiled_networks())
def test_two_runs_give_the_same(result: Compiled) -> None:
    again = compile_network(
        result.graph, result.board.chip, result.board.chips, result.copies
    )  # the same copies, placed anew
    first, second = (simulate_network(result, images=2).to_json() for _ in range(2))
    first.pop("simulate_s")
    second.pop("simulate_s")
    assert first == second
    assert again.work == result.work


def starts(program: Program) -> dict[int, list[int]]:
    return {stage: times.tolist() for stage, times in engine.run(program, records="all").records.starts.items()}


@settings(max_examples=150)
@given(program=programs(), data=st.data())
def test_without_shared_servers_a_slower_stage_makes_no_firing_earlier(program: Program, data: st.DataObject) -> None:
    alone = dataclasses.replace(
        program,
        flows=tuple(
            dataclasses.replace(f, route=(), ends=tuple(dataclasses.replace(e, node=-1) for e in f.ends))
            for f in program.flows
        ),
        links=(),
    )
    number = data.draw(st.integers(0, len(alone.stages) - 1), label="slower stage")
    stage, more = alone.stages[number], data.draw(st.integers(1, 9), label="by")
    key = data.draw(st.sampled_from(["latency", "interval"]), label="in its")
    own = getattr(stage, key)
    changed = Sequence(tuple(value + more for value in own.table), own.increment, own.offset)
    slower = dataclasses.replace(
        alone,
        stages=tuple(dataclasses.replace(s, **{key: changed}) if s is stage else s for s in alone.stages),
    )
    try:
        before = starts(alone)
    except (DeadlockError, ProgramError):
        assume(False)
        raise
    after = starts(slower)
    for stage_number, times in before.items():
        for firing, (early, late) in enumerate(zip(times, after[stage_number], strict=True)):
            assert late >= early, (stage_number, firing)
