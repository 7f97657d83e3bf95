"""Random small networks on boards that may be too small: phases lose nothing, and both engines run them alike."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archsim.compile.network import fits
from archsim.compile.phases import PhasePlan, compile_phases
from archsim.errors import CompileError
from archsim.sim.reprogram import simulate_phases
from archsim.spec.chip import Chip
from archsim.spec.loader import load_chip
from archsim.workload import Graph
from tests.property.test_compile import networks

IMAGES = 2


@st.composite
def cut(draw: st.DrawFn) -> tuple[Graph, Chip, tuple[PhasePlan, ...]]:
    """A network in phases on a chip of one to three small tiles."""
    graph, name = draw(networks()), draw(st.sampled_from(["isaac-ce", "puma"]))
    overrides = [f"tiles={draw(st.integers(1, 3))}", f"tile.core.count={draw(st.sampled_from([1, 2, 4]))}"]
    chip = load_chip(name, overrides).model
    try:
        return graph, chip, compile_phases(graph, chip, 1)
    except CompileError:
        assume(False)
        raise


@settings(max_examples=25)
@given(cut())
def test_phases_hold_every_layer_once_and_conserve_its_work(made: tuple[Graph, Chip, tuple[PhasePlan, ...]]):
    graph, chip, plans = made
    assert sum(plan.compiled.graph.macs for plan in plans) == graph.macs
    assert sum(plan.compiled.graph.weights for plan in plans) == graph.weights
    named = [layer.split("[")[0] for plan in plans for layer in plan.layers]
    assert list(dict.fromkeys(named)) == [layer.name for layer in graph.matrix_layers]
    assert (len(plans) == 1) == fits(graph, chip, 1)


def plain(run: Any) -> Any:
    return run.timing, run.ledger, run.loading, run.waiting, run.bottleneck, run.bytes_by_link_kind


@settings(max_examples=15)
@given(cut())
def test_both_engines_run_phases_alike(made: tuple[Graph, Chip, tuple[PhasePlan, ...]]):
    graph, _, plans = made
    fast, slow = (simulate_phases(graph, plans, images=IMAGES, engine_name=name) for name in ("compiled", "simpy"))
    assert plain(fast) == plain(slow)
    assert fast.loading is not None
    assert fast.timing.makespan_ps >= IMAGES
    if len(plans) > 1:
        assert fast.timing.makespan_ps == sum(phase.time_ps for phase in fast.phases)
