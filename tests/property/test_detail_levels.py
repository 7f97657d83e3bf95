"""Core and component detail tell the same times, wherever output room never binds and no component has a longer
interval than the first; the ledger and the work of the links are the same everywhere."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from archsim.compile.network import Compiled, compile_network
from archsim.hardware.mvm import MvmTiming, mvm_timing
from archsim.sim import compiled, reference
from archsim.sim.outcome import Outcome
from archsim.spec.chip import Chip
from archsim.spec.loader import load_chip
from archsim.spec.workload import Workload
from archsim.untimed import check
from archsim.workload import Graph, build_graph
from tests.property.results import differences

IMAGES = 2
CORE = "tile.core.components"


class Case(NamedTuple):
    """A network on a chip, at both levels."""

    folded: Compiled
    fine: Compiled
    timing: MvmTiming


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Two to four layers with weights, dense or convolutions, with pools and residual additions between them."""
    layers: list[dict[str, Any]] = []
    size = draw(st.integers(3, 6))
    shape = [draw(st.sampled_from([1, 4, 30])), size, size]
    for k in range(draw(st.integers(1, 3))):
        kernel = draw(st.sampled_from([1, 3]))
        channels = draw(st.sampled_from([4, 20, 40]))
        layers.append({"conv": channels, "kernel": kernel, "pad": kernel // 2, "name": f"c{k}"})
        extra = draw(st.sampled_from(["none", "none", "pool", "residual"]))
        if extra == "pool" and size >= 2:
            layers.append({"maxpool": 2})
            size //= 2
        elif extra == "residual":
            layers.append({"conv": channels, "kernel": 3, "pad": 1, "activation": "none", "name": f"r{k}"})
            layers.append({"add": f"c{k}", "activation": "relu"})
    if draw(st.booleans()):
        layers += [{"flatten": True}, {"dense": draw(st.sampled_from([10, 150])), "name": "d"}]
    keys = {"schema": 1, "kind": "workload", "name": "random", "source": "a test", "input": shape}
    return build_graph(Workload.model_validate({**keys, "layers": layers}))


@st.composite
def overrides(draw: st.DrawFn) -> list[str]:
    """What makes the groups of the pipeline longer or shorter, and MVMs of more or fewer steps."""
    keys = {
        f"{CORE}.dac.bits": ["1", "2", "4", "8"],
        f"{CORE}.crossbar.cell_bits": ["1", "2", "4"],
        f"{CORE}.crossbar.time": ["null", "50 ns", "130 ns"],
        f"{CORE}.adc.rate": ["null", "0.9 GHz", "3 GHz"],
        f"{CORE}.adc.count": ["null", "4"],
        f"{CORE}.shift_add.rate": ["null", "1.7 GHz"],
        "tile.core.cycle": ["null", "77.7 ns", "150 ns"],
        "tile.core.pipeline.overlap": ["true", "false"],
    }
    chosen = {key: draw(st.sampled_from(values)) for key, values in keys.items()}
    return [f"{key}={value}" for key, value in chosen.items() if value != "null"]


@st.composite
def cases(draw: st.DrawFn, *, first_is_slowest: bool) -> Case:
    name, sets = draw(st.sampled_from(["isaac-ce", "puma"])), draw(overrides())
    if first_is_slowest:
        times = mvm_timing(load_chip(name, sets).model.tile).steps_ps
        if max(times) > times[0]:
            sets.append(f"{CORE}.crossbar.time={max(times)} ps")
    chip: Chip = load_chip(name, sets).model
    graph = draw(networks())
    names = [layer.name for layer in graph.matrix_layers]
    detail = frozenset(draw(st.lists(st.sampled_from(names), min_size=1, unique=True)))
    most = draw(st.integers(1, 3))
    copies = {layer.name: min(most, layer.windows) for layer in graph.matrix_layers}
    folded = compile_network(graph, chip, 1, copies)
    return Case(folded, compile_network(graph, chip, 1, copies, component_detail=detail), mvm_timing(chip.tile))


def mvm_stages(case: Case) -> list[int]:
    """The stages that are folded at one level and chains at the other."""
    stages = enumerate(case.folded.program.stages)
    return [k for k, stage in stages if stage.component == "mvm" and stage.layer in case.fine.detail]


def run(compiled_network: Compiled) -> Outcome:
    program = compiled_network.for_images(IMAGES)
    check(program)
    return compiled.run(program, records="all")


def room_binds(case: Case, folded: Outcome) -> bool:
    return bool(folded.stage_blocked[mvm_stages(case)].any())


def differing(case: Case, folded: Outcome, fine: Outcome) -> list[str]:
    """Flows and stages of the folded Program that have other times at component detail."""
    program = case.folded.program
    replaced = set(mvm_stages(case))
    found = []
    for f, flow in enumerate(program.flows):
        for end in range(int(program.end_offsets[f]), int(program.end_offsets[f + 1])):
            if not np.array_equal(folded.records.deliveries[end], fine.records.deliveries[end]):
                found.append(f"deliveries of {flow.name}")
    for k, stage in enumerate(program.stages):
        ours, theirs = fine.records.starts[k], folded.records.starts[k]
        if not np.array_equal(ours[:: case.timing.steps] if k in replaced else ours, theirs):
            found.append(f"starts of {stage.name}")
    return found


@settings(max_examples=150)
@given(cases(first_is_slowest=True))
def test_both_levels_deliver_every_token_at_the_same_time(case: Case) -> None:
    folded = run(case.folded)
    assume(not room_binds(case, folded))
    fine = run(case.fine)
    event(f"overlap {case.timing.overlap}, {len(set(case.timing.steps_ps))} durations")
    assert differing(case, folded, fine) == []
    assert fine.makespan == folded.makespan


@given(cases(first_is_slowest=False))
def test_the_ledger_and_the_work_of_every_link_are_the_same(case: Case) -> None:
    folded, fine = run(case.folded), run(case.fine)
    assert case.fine.work == case.folded.work
    assert np.array_equal(fine.link_tokens, folded.link_tokens)
    assert np.array_equal(fine.link_busy, folded.link_busy)
    ends = len(folded.end_delivered)
    assert np.array_equal(fine.end_delivered[:ends], folded.end_delivered)


@settings(max_examples=25)
@given(cases(first_is_slowest=False))
def test_the_engines_agree_at_component_detail(case: Case) -> None:
    program = case.fine.for_images(1)
    assert differences(compiled.run(program, records="all"), reference.run(program, records="all")) == []


@given(cases(first_is_slowest=False))
def test_without_overlap_the_levels_agree_wherever_output_room_does_not_bind(case: Case) -> None:
    """Also with slower components after the first: the next operands come only when the pipeline is empty."""
    assume(not case.timing.overlap)
    folded = run(case.folded)
    assume(not room_binds(case, folded))
    assert differing(case, folded, run(case.fine)) == []
