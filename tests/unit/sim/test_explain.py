"""The bottleneck that was planted is the one that is named; and every figure adds up."""

from __future__ import annotations

import dataclasses

import pytest

from archsim.compile.network import Compiled, compile_network
from archsim.errors import ArchsimError
from archsim.sim import explain as module
from archsim.sim.explain import Explanation, explain_network, require_memory
from archsim.sim.simulate import simulate_network
from archsim.sim.whatif import REGISTERS
from tests.networks import CONVOLUTIONS, chip, network

SHAPE = (3, 16, 16)

RESIDUAL = (
    {"conv": 16, "kernel": 1, "name": "first"},
    {"conv": 16, "kernel": 1, "name": "a"},
    {"conv": 16, "kernel": 1, "name": "b"},
    {"conv": 16, "kernel": 1, "name": "c", "activation": "none"},
    {"add": "first", "name": "sum"},
    {"globalpool": "average"},
    {"flatten": True},
    {"dense": 10, "activation": "none", "name": "last"},
)
"""A block whose short way must hold what is on the long one."""

ROWS = {"isaac-ce": ("buffer", "bus"), "puma": ("data_memory", "memory_bus")}
TOGETHER = ("core.cycle", "core.adc", "core.shift_add")
"""What both designs are made to need alike."""


def explained(design: str, *overrides: str, layers=CONVOLUTIONS, shape=SHAPE, copies="balanced", **how) -> Explanation:  # type: ignore[no-untyped-def]
    made = compile_network(network(layers, shape), chip(design, 8, *overrides), 1, copies)
    return explain_network(made, **how)


def named(found: Explanation) -> tuple[str, ...]:
    return found.bottleneck.change.names if found.bottleneck else ()


# -- planted bottlenecks ----------------------------------------------------------------------------


@pytest.mark.parametrize("design", list(ROWS))
def test_a_slow_adc_is_named(design: str) -> None:
    rate = {"isaac-ce": 1.28, "puma": 1.0}[design] / 8
    found = explained(design, f"tile.core.components.adc.rate={rate} GHz")
    assert named(found) == ("core.adc",) == found.what_ifs[0].change.names
    assert found.gain(found.what_ifs[0], twice=True) > 1.9
    assert found.steady is not None
    assert found.steady.by_cause()["core.adc",] > 0.9 * found.steady.total_ps


@pytest.mark.parametrize("design", list(ROWS))
def test_a_narrow_network_is_named(design: str) -> None:
    found = explained(design, "noc.bandwidth=0.02 GB/s")
    assert named(found) == ("noc.bandwidth",) == found.what_ifs[0].change.names
    assert found.gain(found.what_ifs[0], twice=True) > 1.9
    assert found.steady is not None
    assert found.steady.reasons["queue"] > 0.9 * found.steady.total_ps


@pytest.mark.parametrize("design", list(ROWS))
def test_a_narrow_bus_is_named(design: str) -> None:
    bus = ROWS[design][1]
    found = explained(design, f"tile.components.{bus}.bandwidth=0.05 GB/s")
    assert named(found) == (f"tile.{bus}",) == found.what_ifs[0].change.names
    assert found.gain(found.what_ifs[0], twice=True) > 1.8


@pytest.mark.parametrize("design", list(ROWS))
def test_a_small_buffer_is_named(design: str) -> None:
    buffer = ROWS[design][0]
    room = (f"tile.{buffer}.capacity",)
    small = explained(
        design, f"tile.components.{buffer}.capacity=320 B", layers=RESIDUAL, shape=(16, 16, 16), copies="none"
    )
    assert named(small) == room
    assert small.bottleneck is not None
    assert small.gain(small.bottleneck) > 1.5
    large = explained(design, layers=RESIDUAL, shape=(16, 16, 16), copies="none")
    assert named(large) == TOGETHER
    assert small.bottleneck.without.interval_ps == pytest.approx(large.times.interval_ps, rel=1e-3)


@pytest.mark.parametrize("design", list(ROWS))
@pytest.mark.parametrize(("layers", "copies"), [(CONVOLUTIONS, "balanced"), (CONVOLUTIONS, "none"), (RESIDUAL, "none")])
def test_none_of_them_is_named_where_it_was_not_planted(design: str, layers, copies: str) -> None:  # type: ignore[no-untyped-def]
    buffer, bus = ROWS[design]
    shape = (16, 16, 16) if layers is RESIDUAL else SHAPE
    found = explained(design, layers=layers, copies=copies, shape=shape)
    planted = {("core.adc",), ("noc.bandwidth",), (f"tile.{bus}",), (f"tile.{buffer}.capacity",)}
    assert named(found) not in planted
    assert found.what_ifs[0].change.names not in planted


def test_an_adc_that_is_no_slower_than_the_cycle_brings_nothing_alone() -> None:
    found = explained("isaac-ce", copies="none")
    gains = {what_if.change.names: found.gain(what_if) for what_if in found.what_ifs}
    assert gains["core.adc",] == gains["core.cycle",] == gains["core.shift_add",] == 1.0
    assert gains[TOGETHER] > 10


# -- figures ------------------------------------------------------------------------------------


CASES = [
    ("isaac-ce", {}),
    ("puma", {}),
    ("isaac-ce", {"images": 1}),
    ("puma", {"images": 2}),
    ("isaac-ce", {"images": 5, "engine_name": "simpy"}),
]


@pytest.mark.parametrize(("design", "how"), CASES)
def test_shares_add_up_to_the_stretch_that_they_are_of(design: str, how: dict[str, object]) -> None:
    found = explained(design, shape=(3, 8, 8), **how)
    views = [found.latency, found.makespan, *([found.steady] if found.steady else [])]
    for view in views:
        assert view.total_ps > 0
        for parts in (view.reasons.values(), view.parts.values(), view.by_cause().values(), view.by_layer().values()):
            assert sum(parts) == view.total_ps
        assert sum(wait.ps for wait in view.waits) == view.total_ps
    assert found.latency.total_ps == found.times.latency_ps
    assert found.makespan.total_ps == found.makespan_ps == found.path.finish
    assert (found.steady is None) == (found.images == 1)


@pytest.mark.parametrize("design", list(ROWS))
def test_interval_and_latency_are_those_of_a_run(design: str) -> None:
    made = compile_network(network(CONVOLUTIONS, SHAPE), chip(design, 8), 1)
    run, found = simulate_network(made, images=6), explain_network(made, images=6)
    assert found.times[:3] == (run.timing.interval_ps, run.timing.latency_ps, run.bottleneck.server)
    assert found.times.busy == pytest.approx(run.bottleneck.share)
    assert found.events == run.timing.events
    single = explain_network(made, images=1)
    assert single.times[:2] == (run.timing.latency_ps, run.timing.latency_ps)
    assert single.main is single.latency


def test_a_loop_of_a_steady_network_takes_its_interval() -> None:
    found = explained("isaac-ce", copies="none", images=8)
    assert found.steady is not None
    assert found.steady.stretch.place
    assert found.steady.stretch.each_ps == pytest.approx(found.times.interval_ps, rel=1e-6)


def test_without_a_loop_the_second_half_of_the_inferences_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "longest_loop", lambda *_: None)
    found = explained("isaac-ce", shape=(3, 8, 8), images=6)
    assert found.steady is not None
    assert (found.steady.stretch.place, found.steady.stretch.inferences) == ("", 3)
    assert found.steady.stretch.finish == found.makespan_ps


def test_both_engines_and_any_number_of_processes_explain_alike() -> None:
    def comparable(found: Explanation) -> Explanation:
        return dataclasses.replace(found, engine="compiled")

    one = explained("puma", shape=(3, 8, 8), images=3)
    other = explained("puma", shape=(3, 8, 8), images=3, engine_name="simpy")
    several = explained("puma", shape=(3, 8, 8), images=3, each=lambda function, items: [function(i) for i in items])
    assert comparable(one) == comparable(other) == comparable(several)


def test_component_detail_names_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    made = compile_network(
        network(({"dense": 16, "name": "only"},), (128,)),
        chip("isaac-ce", 4, "tile.core.components.adc.rate=0.16 GHz"),
        1,
        component_detail=frozenset({"only"}),
    )
    found = explain_network(made, images=4)
    assert named(found) == ("core.adc",)
    assert any(wait.what.startswith("only adc") for wait in found.main.waits)


def test_what_ifs_stand_in_the_order_of_what_they_bring() -> None:
    found = explained("puma")
    gains = [(found.gain(w, twice=True), found.gain(w)) for w in found.what_ifs]
    assert gains == sorted(gains, reverse=True)
    kinds = {w.change.kind for w in found.what_ifs}
    assert kinds == {"component", "room", "layer"}
    assert (REGISTERS,) in {w.change.names for w in found.what_ifs}
    assert all(w.twice is not None for w in found.what_ifs if w.change.kind != "layer" and found.gain(w) > 1.05)


# -- memory ---------------------------------------------------------------------------------------


def small(images: int) -> Compiled:
    return compile_network(network(CONVOLUTIONS, (3, 8, 8)), chip("isaac-ce", 8), 1)


def test_records_that_would_take_too_much_memory_are_refused_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    made = small(8)
    each = module.records_bytes(made.program)
    monkeypatch.setattr(module, "MOST_RECORDS", 5 * each)
    require_memory(made.for_images(5), 5, "image")
    with pytest.raises(ArchsimError) as caught:
        explain_network(made, images=8)
    assert str(caught.value) == (
        f"explain: the records of 8 images take {8 * each / 2**30:.3g} GiB, the limit is "
        f"{5 * each / 2**30:.3g} GiB; fewer inferences (--images 5), fewer chips or fewer copies take less"
    )
    monkeypatch.setattr(module, "MOST_RECORDS", each // 2)
    with pytest.raises(ArchsimError, match="not even one fits"):
        explain_network(made, images=1)
