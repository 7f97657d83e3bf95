"""Whose time the stages and links of a compiled network take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.compile.network import Compiled, compile_network
from archsim.hardware.causes import faster, interval_parts, latency_parts
from archsim.sim.attribution import Attribution, split
from tests.networks import CONVOLUTIONS, chip, network

OWN = ("host", "least time")
"""What is no component's."""


def compiled(design: str, *overrides: str, layers: tuple[str, ...] = (), shape=(3, 8, 8), net=CONVOLUTIONS) -> Compiled:  # type: ignore[no-untyped-def]
    graph = network(net, shape)
    return compile_network(graph, chip(design, 8, *overrides), 1, "none", component_detail=frozenset(layers))


def stage(made: Compiled, name: str) -> int:
    return [s.name for s in made.program.stages].index(name)


@given(st.integers(0, 10**7), st.lists(st.integers(1, 10**6), min_size=1, max_size=6))
def test_a_split_adds_up_to_the_whole_and_keeps_the_proportions(time: int, weights: list[int]) -> None:
    parts = split(time, tuple(((str(k),), weight) for k, weight in enumerate(weights)))
    assert sum(part for _, part in parts) == time
    for (_, part), weight in zip(parts, weights, strict=True):
        assert abs(part - time * weight / sum(weights)) < 1


@pytest.mark.parametrize("design", ["isaac-ce", "puma"])
@pytest.mark.parametrize("detail", [(), ("two",)])
def test_every_time_of_a_network_has_causes_that_can_be_made_faster(design: str, detail: tuple[str, ...]) -> None:
    made = compiled(design, layers=detail)
    attribution = Attribution(made)
    names: set[str] = set()
    for number in range(len(made.program.stages)):
        for parts in attribution.causes_of_stage(number):
            assert sum(time for _, time in parts) > 0
            names |= {name for cause, _ in parts for name in cause}
    for number in range(len(made.program.links)):
        names |= {name for cause in attribution.causes_of_link(number) for name in cause}
    assert {"core.cycle", "core.adc", "tile.cycle", "noc.bandwidth", "chip.hyper_transport", "host"} <= names
    for name in names - set(OWN):
        assert faster(made.board.chip, [name], 2) != made.board.chip


@pytest.mark.parametrize("design", ["isaac-ce", "puma"])
def test_the_parts_of_an_mvm_stage_are_its_very_times(design: str) -> None:
    made = compiled(design, "tile.core.components.adc.rate=0.5 GHz")
    mvm = stage(made, "one[0.0] mvm")
    interval, latency = Attribution(made).causes_of_stage(mvm)
    assert interval == interval_parts(made.board.chip.tile)
    assert latency == latency_parts(made.board.chip.tile)
    record = made.program.stages[mvm]
    assert sum(time for _, time in interval) == record.interval.at(0)
    assert sum(time for _, time in latency) == record.latency.at(0)


def test_at_component_detail_each_row_has_its_own_time_and_the_rest_is_the_cycles() -> None:
    made = compiled("isaac-ce", layers=("one",))
    attribution = Attribution(made)
    interval, latency = attribution.causes_of_stage(stage(made, "one[0.0] dac"))
    assert interval == ((("core.cycle",), 100_000),)
    assert dict(latency) == {("core.dac",): 1000, ("core.cycle",): 0}
    interval, latency = attribution.causes_of_stage(stage(made, "one[0.0] adc"))
    assert interval == ((("core.cycle", "core.adc"), 100_000),)
    assert latency == interval


def test_a_core_that_runs_instructions_names_its_controller() -> None:
    made = compiled("puma")
    interval, latency = Attribution(made).causes_of_stage(stage(made, "one[0.0] fetch"))
    assert interval == ((("core.control",), 1),)
    assert [cause for cause, time in latency if time] == [("core.control",)]
    _, latency = Attribution(made).causes_of_stage(stage(made, "one[0.c0] out"))
    assert [cause for cause, time in latency if time] == [("core.control",)]


def test_links_are_named_by_what_serves_them() -> None:
    made = compiled("isaac-ce")
    attribution = Attribution(made)
    causes = {
        link.kind: attribution.causes_of_link(n) for n, link in enumerate(made.program.links) if link.kind != "unit"
    }
    router, noc = ("tile.router",), ("noc.bandwidth",)
    assert causes["inject"] == causes["eject"] == (router, noc)
    assert causes["buffer"] == (("tile.buffer",), ("tile.buffer",))
    assert causes["bus"] == (("tile.bus",), ("tile.bus",))
    assert causes["chip-in"] == causes["chip-out"] == (("chip.hyper_transport",), ("chip.hyper_transport",))
    units = {link.name: n for n, link in enumerate(made.program.links) if link.kind == "unit"}
    assert {attribution.causes_of_link(n)[1] for n in units.values()} == {
        (f"tile.{row}",) for row in ("sigmoid", "shift_add", "max_pool")
    }


@pytest.mark.parametrize("design", ["isaac-ce", "puma"])
def test_tokens_between_tiles_lie_in_buffers_and_those_in_a_core_in_registers(design: str) -> None:
    made = compiled(design)
    attribution = Attribution(made)
    first = {f"{flow.name}": int(made.program.end_offsets[k]) for k, flow in enumerate(made.program.flows)}
    assert attribution.room(first["input > one"]) == "buffers"
    assert attribution.room(first["last > host"]) == "buffers"
    assert attribution.room(first["one[0.0] operands"]) == "registers"
    assert attribution.room(first["one[0.c0] sums"]) == "registers"
    both = [*attribution.ends_in("buffers"), *attribution.ends_in("registers")]
    assert sorted(both) == list(range(len(made.program.arrays.end_node)))
