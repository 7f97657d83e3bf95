"""What a change brings is what the changed design does."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.compile.network import Compiled, compile_network, on_chip
from archsim.program import ProgramArrays
from archsim.sim.attribution import Attribution
from archsim.sim.simulate import simulate_network
from archsim.sim.whatif import NO_TIME, REGISTERS, Change, Rerun, changed, rerun
from tests.networks import CONVOLUTIONS, chip, network

COPIES = {"one": 3, "two": 2, "last": 1}
IMAGES = 4
TIMES = {"pool", "q_start", "q_period", "q_increment", "q_offset", "stage_interval", "stage_latency"}
TIMES |= {"flow_emit", "end_need", "end_free", "hop_serialisation", "link_hop"}
"""Arrays that times stand in, and the numbers of sequences, which are counted through with them."""


def compiled(design: str, *overrides: str, detail: frozenset[str] = frozenset()) -> Compiled:
    return compile_network(
        network(CONVOLUTIONS, (3, 8, 8)), chip(design, 8, *overrides), 1, COPIES, component_detail=detail
    )


def differing(one: ProgramArrays, other: ProgramArrays) -> set[str]:
    return {name for name in one._fields if not np.array_equal(getattr(one, name), getattr(other, name))}


def registers(made: Compiled) -> tuple[int, ...]:
    return tuple(Attribution(made).ends_in("registers"))


def tried(made: Compiled, change: Change, factor: int, engine: str = "compiled"):  # type: ignore[no-untyped-def]
    return rerun(Rerun(made, change, factor, IMAGES, engine, registers(made)))  # type: ignore[arg-type]


@pytest.mark.parametrize("design", ["isaac-ce", "puma"])
@pytest.mark.parametrize("detail", [frozenset(), frozenset({"two"})])
def test_on_the_same_chip_the_program_is_the_same(design: str, detail: frozenset[str]) -> None:
    made = compiled(design, detail=detail)
    again = on_chip(made, made.board.chip)
    assert again.program == made.program
    assert (again.lowered, again.work, again.stage_tile) == (made.lowered, made.work, made.stage_tile)
    assert differing(again.program.arrays, made.program.arrays) == set()


@pytest.mark.parametrize("design", ["isaac-ce", "puma"])
@pytest.mark.parametrize("name", ["core.adc", "core.cycle", "tile.cycle", "noc.bandwidth", "chip.hyper_transport"])
def test_a_faster_component_changes_times_and_nothing_else(design: str, name: str) -> None:
    made = compiled(design)
    after = changed(made, Change("component", (name,)), NO_TIME)
    assert differing(made.program.arrays, after.program.arrays) <= TIMES
    assert [s.name for s in after.program.stages] == [s.name for s in made.program.stages]
    assert [f.route for f in after.program.flows if not f.route] == [f.route for f in made.program.flows if not f.route]


@pytest.mark.parametrize("design", ["isaac-ce", "puma"])
@pytest.mark.parametrize(
    ("names", "overrides"),
    [
        (("core.adc",), ["tile.core.components.adc.rate=0.5 GHz"]),
        (("noc.bandwidth",), ["noc.bandwidth=1 GB/s"]),
        (("chip.hyper_transport",), ["components.hyper_transport.bandwidth=1 GB/s"]),
    ],
)
def test_twice_as_fast_is_what_the_override_would_bring(
    design: str, names: tuple[str, ...], overrides: list[str]
) -> None:
    """A design with a row of half the rate, and the row twice as fast; copies are given, so both stand alike."""
    slow = compiled(design, *overrides)
    key, value = overrides[0].split("=")
    number, unit = value.split()
    fast = compiled(design, f"{key}={2 * float(number)} {unit}")
    got = tried(slow, Change("component", names), 2)
    run = simulate_network(fast, images=IMAGES)
    latencies = (got.latency_ps, run.timing.latency_ps)
    if names == ("chip.hyper_transport",):  # the latency of a link is halved as well
        assert latencies[0] < latencies[1]
    else:
        assert latencies[0] == latencies[1]
        assert got.interval_ps == run.timing.interval_ps


def test_what_changes_nothing_is_not_run() -> None:
    assert tried(compiled("isaac-ce"), Change("component", ("core.adc",)), NO_TIME) is None


def test_room_changes_capacities_and_nothing_else() -> None:
    made = compiled("puma")
    inside, before = set(registers(made)), made.program.arrays.end_capacity
    wide = changed(made, Change("room", (REGISTERS,)), 2, registers(made))
    assert differing(made.program.arrays, wide.program.arrays) == {"end_capacity"}
    after = wide.program.arrays.end_capacity
    assert all(after[e] == before[e] * (2 if e in inside else 1) for e in range(len(before)))
    large = changed(made, Change("room", ("tile.data_memory.capacity",)), 4)
    assert differing(made.program.arrays, large.program.arrays) <= {"end_capacity"}
    assert (large.program.arrays.end_capacity >= before).all()
    assert all(large.program.arrays.end_capacity[e] == before[e] for e in inside)


def test_a_layer_without_time_leaves_the_others_theirs() -> None:
    made = compiled("isaac-ce")
    after = changed(made, Change("layer", ("two",)), NO_TIME).program
    for before, stage in zip(made.program.stages, after.stages, strict=True):
        if stage.layer == "two":
            assert (stage.interval.at(0), stage.latency.at(0)) == (1, 1)
        else:
            assert stage == before
    for before, flow in zip(made.program.flows, after.flows, strict=True):
        if made.program.stages[flow.source].layer == "two":
            assert {hop.serialisation for hop in flow.route} <= {1}
        else:
            assert flow == before


def test_both_engines_bring_the_same() -> None:
    made = compiled("puma")
    for change in (Change("component", ("core.cycle", "core.adc", "core.shift_add")), Change("layer", ("one",))):
        assert tried(made, change, 2, "compiled") == tried(made, change, 2, "simpy")
