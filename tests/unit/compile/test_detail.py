"""Component detail: the figures of the papers come out of stages that know only what a component needs for one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from archsim.compile.detail import latencies_ps, require_layers, with_components
from archsim.compile.network import Compiled, compile_network
from archsim.errors import CompileError
from archsim.hardware.mvm import input_steps
from archsim.program import End, Flow, Program, Sequence, Stage
from archsim.sim import compiled, reference
from archsim.sim.outcome import Outcome
from archsim.spec.loader import load_chip, load_tile
from archsim.spec.workload import Workload
from archsim.untimed import check
from archsim.workload import Graph, build_graph

CYCLE = 100_000
ENGINES = pytest.mark.parametrize("run", [compiled.run, reference.run], ids=["compiled", "simpy"])
BOTH = frozenset({"conv1", "conv2"})
ACCUMULATE = "tile.core.encoding.accumulate=steps"
SLOW_ADC = "tile.core.components.adc.rate=0.64 GHz"


def network(*layers: dict[str, Any]) -> Graph:
    """By default two layers of one array each and 16 windows, which stand in one tile."""
    document = {"schema": 1, "kind": "workload", "name": "two", "source": "a test", "input": [8, 4, 4]}
    return build_graph(Workload.model_validate({**document, "layers": list(layers) or [{"conv": 8}, {"conv": 8}]}))


def on(chip: str, *overrides: str, detail: frozenset[str] = BOTH) -> Compiled:
    return compile_network(network(), load_chip(chip, overrides).model, 1, "none", component_detail=detail)


def number(program: Program, name: str) -> int:
    return [stage.name for stage in program.stages].index(name)


def delivered(program: Program, outcome: Outcome, flow: str) -> NDArray[np.int64]:
    """When the tokens of a flow with one end came there."""
    index = [f.name for f in program.flows].index(flow)
    return outcome.records.deliveries[int(program.end_offsets[index])]


def left(program: Program, outcome: Outcome, name: str) -> NDArray[np.int64]:
    """When the output of each firing of a stage was there."""
    stage = number(program, name)
    return outcome.records.starts[stage] + program.stages[stage].latency.at(0)


# -- what the papers fix ----------------------------------------------------------------------------


@ENGINES
def test_an_isaac_mvm_takes_22_cycles_from_buffer_to_buffer_and_a_new_one_starts_every_16(
    run: Callable[..., Outcome],
) -> None:
    program = on("isaac-ce").program
    outcome = run(program, records="all")
    fetched = outcome.records.starts[number(program, "conv1[0.0] fetch")]
    written = delivered(program, outcome, "conv1 > conv2")  # into the same tile's buffer
    assert written[0] - fetched[0] == 22 * CYCLE
    first = outcome.records.starts[number(program, "conv1[0.0] dac")][::16]
    assert np.all(np.diff(first) == 16 * CYCLE)
    assert np.all(np.diff(written) == 16 * CYCLE)
    assert np.all(written - (first - CYCLE) == 22 * CYCLE)  # the operands of later ones wait in the input register


@ENGINES
def test_the_cycles_of_an_isaac_mvm_are_those_of_the_paper(run: Callable[..., Outcome]) -> None:
    """Fig. 4: buffer read in cycle 1, input bit t on the array in 2 + t, converted in 3 + t, added in 4 + t; output
    register 20, activation 21, buffer write 22."""
    program = on("isaac-ce").program
    outcome = run(program, records="all")
    starts = outcome.records.starts
    began = starts[number(program, "conv1[0.0] fetch")][0]

    def cycles(row: str) -> object:
        steps = starts[number(program, f"conv1[0.0] {row}")][:16] - began
        assert np.all(steps % CYCLE == 0)
        return (1 + steps // CYCLE).tolist()

    assert cycles("dac") == [2 + t for t in range(16)]
    assert cycles("adc") == [3 + t for t in range(16)]
    assert cycles("shift_add") == [4 + t for t in range(16)]
    assert left(program, outcome, "conv1[0.0] shift_add")[15] - began == 19 * CYCLE
    assert delivered(program, outcome, "conv1 > conv2")[0] - began == 22 * CYCLE


@ENGINES
def test_a_puma_mvm_takes_2304_ns_from_its_operands_to_its_result(run: Callable[..., Outcome]) -> None:
    program = on("puma").program
    outcome = run(program, records="all")
    operands = delivered(program, outcome, "conv1[0.0] operands")
    result = left(program, outcome, "conv1[0.0] output_register")[15::16]
    assert np.all(result - operands == 2_304_000)
    for name in ("input_register", "adc", "shift_add"):  # each of the three stages is busy for 16 x 128 ns of it
        stage = program.stages[number(program, f"conv1[0.0] {name}")]
        assert 16 * stage.interval.at(0) == 2_048_000


@ENGINES
def test_a_puma_mvm_starts_when_the_last_one_has_left_and_its_operands_are_loaded(run: Callable[..., Outcome]) -> None:
    """8 loads of 16 values for an array slot at 1 GHz, issued when the pipeline is free: 2304 + 8 ns."""
    program = on("puma").program
    outcome = run(program, records="all")
    fetched = outcome.records.starts[number(program, "conv1[0.0] fetch")]
    result = left(program, outcome, "conv1[0.0] output_register")[15::16]
    assert np.array_equal(fetched[1:], result[:-1])
    assert np.all(np.diff(result) == 2_304_000 + 8_000)


@ENGINES
def test_an_isaac_pipeline_without_overlap_takes_a_new_mvm_every_22_cycles(run: Callable[..., Outcome]) -> None:
    for detail in (BOTH, frozenset[str]()):
        program = on("isaac-ce", "tile.core.pipeline.overlap=false", detail=detail).program
        outcome = run(program, records="all")
        written = delivered(program, outcome, "conv1 > conv2")
        assert np.all(written - outcome.records.starts[number(program, "conv1[0.0] fetch")] == 22 * CYCLE)
        assert np.all(np.diff(written) == 22 * CYCLE)


@pytest.mark.parametrize(("bits", "steps"), [(1, 16), (2, 8), (4, 4)])
def test_wider_dacs_take_fewer_steps_in_the_run(bits: int, steps: int) -> None:
    program = on("isaac-ce", f"tile.core.components.dac.bits={bits}").program
    outcome = compiled.run(program, records="all")
    first = outcome.records.starts[number(program, "conv1[0.0] dac")][::steps]
    assert np.all(left(program, outcome, "conv1[0.0] shift_add")[steps - 1 :: steps] - first == (steps + 2) * CYCLE)
    assert np.all(np.diff(first) == steps * CYCLE)


# -- what stands in the Program ---------------------------------------------------------------------


def test_the_chain_has_a_stage_for_each_row_and_fires_once_a_step() -> None:
    result = on("isaac-ce", detail=frozenset({"conv2"}))
    rows = [s for s in result.program.stages if s.layer == "conv2" and s.component not in ("fetch", "out", "host")]
    assert [stage.component for stage in rows] == ["dac", "crossbar", "sample_hold", "adc", "shift_add"]
    assert [stage.firings for stage in rows] == [256] * 5
    assert [stage.interval.at(0) for stage in rows] == [CYCLE] * 5
    assert [stage.latency.at(0) for stage in rows] == [1_000, 98_000, 1_000, CYCLE, CYCLE]
    assert len({stage.name for stage in result.program.stages}) == len(result.program.stages)
    assert [stage.component for stage in result.program.stages if stage.layer == "conv1"] == ["fetch", "mvm", "out"]
    assert result.detail == {"conv2"}
    assert on("isaac-ce", detail=frozenset()).detail == frozenset()


def test_stages_and_flows_of_the_rest_keep_their_numbers_and_capacities() -> None:
    fine, folded = on("puma"), on("puma", detail=frozenset())
    assert fine.lowered == folded.lowered
    assert len(fine.stage_tile) == len(fine.program.stages)
    for k, stage in enumerate(folded.program.stages):
        assert (stage == fine.program.stages[k]) == (stage.component != "mvm")
        assert fine.stage_tile[k] == folded.stage_tile[k]
    for k, flow in enumerate(folded.program.flows):
        other = fine.program.flows[k]
        assert (flow.name, flow.route, flow.bits) == (other.name, other.route, other.bits)
        assert [end.capacity for end in flow.ends] == [end.capacity for end in other.ends]
    check(fine.for_images(3))


def test_a_layer_that_is_not_there_is_named_with_the_nearest() -> None:
    graph = network({"conv": 8}, {"maxpool": 2}, {"conv": 8})
    with pytest.raises(CompileError, match=r"^component detail: two has no layer 'conv3'; did you mean 'conv[12]'\?"):
        require_layers(graph, ["conv3"])
    with pytest.raises(CompileError, match=r"'maxpool1' \(maxpool\) has no weights.*\(layers with .*: conv1, conv2\)$"):
        require_layers(graph, ["conv1", "maxpool1"])
    with pytest.raises(CompileError, match="has no layer 'x'"):
        on("isaac-ce", detail=frozenset({"x"}))
    require_layers(graph, ["conv1", "conv2"])


def test_the_ledger_is_the_same_at_both_levels() -> None:
    for chip in ("isaac-ce", "puma"):
        assert on(chip).work == on(chip, detail=frozenset()).work


@pytest.mark.parametrize("chip", ["isaac-ce", "puma"])
def test_the_steps_that_the_arrays_fire_are_the_reads_that_the_ledger_counts(chip: str) -> None:
    result = on(chip)
    reads = 0
    for placement in result.placements:
        part = result.mapped[placement.layer].parts[placement.part]
        name = f"{placement.layer}[{placement.first}.{placement.part}] crossbar"
        reads += result.program.stages[number(result.program, name)].firings * part.count * part.slots.shape.arrays
    assert result.work["core.crossbar", "read"] == reads > 0


# -- how the rows of a group share its time ---------------------------------------------------------


def shares(group: list[str], duration: int, *overrides: str, tile: str = "isaac") -> list[int]:
    return latencies_ps(load_tile(tile, overrides).model, group, duration)


def test_a_row_takes_its_own_time_and_those_without_one_share_the_rest() -> None:
    assert shares(["dac", "crossbar", "sample_hold"], 100_000) == [1_000, 98_000, 1_000]
    assert shares(["adc"], 100_000) == [100_000]
    assert shares(["input_register", "dac", "crossbar"], 128_000, tile="puma") == [63_500, 1_000, 63_500]
    assert shares(["input_register", "dac", "crossbar"], 128_001, tile="puma") == [63_501, 1_000, 63_500]


def test_a_row_that_is_done_early_holds_its_output_until_the_cycle_ends() -> None:
    assert shares(["adc"], 100_000, "core.components.adc.rate=2.56 GHz") == [100_000]
    assert shares(["adc", "shift_add"], 250_000) == [100_000, 150_000]


def test_where_no_time_is_left_a_row_takes_1_ps_from_the_longest() -> None:
    assert shares(["sample_hold", "adc"], 128_000, tile="puma") == [1, 127_999]
    assert shares(["dac", "crossbar", "sample_hold"], 3) == [1, 1, 1]
    with pytest.raises(CompileError, match=r"^tile 'isaac': component detail needs at least 1 ps for each of dac, cr"):
        shares(["dac", "crossbar", "sample_hold"], 2)


@pytest.mark.parametrize("chip", ["newton", "raella", "forms", "pipelayer"])
def test_products_tries_and_groups_of_rows_take_the_same_time_at_both_levels(chip: str) -> None:
    folded, chain = (on(chip, detail=detail).program for detail in (frozenset[str](), BOTH))
    assert compiled.run(folded).makespan == compiled.run(chain).makespan


def test_sums_that_wait_for_all_steps_come_a_pass_later_and_as_often() -> None:
    plain, waiting = (on("isaac-ce", *keys, detail=frozenset()).program for keys in ([], [ACCUMULATE]))
    at = [compiled.run(p, records="all").records.starts[number(p, "conv1[0.0] mvm")][4:] for p in (plain, waiting)]
    assert np.all(np.diff(at[0]) == 16 * CYCLE)
    assert np.all(np.diff(at[1]) == 16 * CYCLE)
    first = [delivered(p, compiled.run(p, records="all"), "conv1 > conv2")[0] for p in (plain, waiting)]
    assert first[1] - first[0] == 15 * CYCLE


def test_sums_that_are_accumulated_over_steps_have_no_chain() -> None:
    with pytest.raises(CompileError) as caught:
        on("isaac-ce", ACCUMULATE)
    assert str(caught.value) == (
        "tile 'isaac': component detail has no chain for sums that are accumulated over input steps "
        "(core.encoding.accumulate: steps); simulate them at core detail"
    )


# -- any sequences ----------------------------------------------------------------------------------


def test_inputs_are_held_to_the_last_step_and_outputs_leave_with_it() -> None:
    """Also where the folded stage takes and gives several tokens, in a pattern of three firings."""
    one = Sequence.constant(1)
    stages = (Stage("fetch", 6, one, one), Stage("x mvm", 6, one, one, "x", "tile 0", "mvm"), Stage("out", 6, one, one))
    into = End(1, Sequence((1, 1, 3), 3), Sequence((0, 1, 3), 3), 3)
    flows = (
        Flow("in", 0, one, (into,)),
        Flow("out", 1, Sequence((0, 2, 0)), (End(2, Sequence((0, 2, 2), 2), Sequence((0, 2, 2), 2), 4),)),
    )
    tile = load_tile("isaac", ["core.components.dac.bits=8"]).model
    assert input_steps(tile.core) == 2
    program = with_components(Program(stages, flows), tile, frozenset({"x"}))
    (end,) = program.flows[0].ends
    assert end.need.values(12).tolist() == [1, 1, 1, 1, 3, 3, 4, 4, 4, 4, 6, 6]
    assert end.free.values(12).tolist() == [0, 0, 0, 1, 1, 3, 3, 3, 3, 4, 4, 6]
    assert program.flows[1].emit.values(12).tolist() == [0, 0, 0, 2, 0, 0] * 2
    assert program.stages[program.flows[1].source].component == "shift_add"
    assert with_components(Program(stages, flows), tile, frozenset({"y"})) == Program(stages, flows)


# -- where the levels differ ------------------------------------------------------------------------


def test_with_a_slower_adc_results_come_at_the_same_times_and_operands_are_given_back_earlier() -> None:
    fine, folded = (on("isaac-ce", SLOW_ADC, detail=detail).program for detail in (BOTH, frozenset[str]()))
    outcomes = [compiled.run(program, records="all") for program in (fine, folded)]
    for flow in ("conv1 > conv2", "conv2 > host"):
        ours, theirs = (delivered(program, out, flow) for program, out in zip((fine, folded), outcomes, strict=True))
        assert np.array_equal(ours, theirs)
        assert np.all(np.diff(ours[:-1]) == 16 * 2 * CYCLE)
    ours, theirs = (delivered(program, out, "conv1[0.0] operands")
                    for program, out in zip((fine, folded), outcomes, strict=True))  # fmt: skip
    # With room for two tokens between two rows, the DACs start step t when the ADC starts step t - 4: the last step is
    # over 16 * 200 ns - (100 + 11 * 200 + 100) ns before the core stage gives back its operands.
    assert np.array_equal(ours[:2], theirs[:2])
    assert set((theirs - ours)[3:].tolist()) == {8 * CYCLE}


def test_only_the_core_level_reserves_room_for_the_result_when_an_mvm_starts() -> None:
    """With one step an MVM, three MVMs are in the pipeline at once and the register for results has room for two: the
    folded stage waits for it, the chain reserves room with its last row only."""
    overrides = "tile.core.components.dac.bits=16"
    fine, folded = (on("isaac-ce", overrides, detail=detail).program for detail in (BOTH, frozenset[str]()))
    ours, theirs = (compiled.run(program) for program in (fine, folded))
    assert theirs.stage_blocked[number(folded, "conv1[0.0] mvm")] > 0
    assert ours.makespan < theirs.makespan
