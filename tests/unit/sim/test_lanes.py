"""Where stages and links stand, and what a tile's buffer holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archsim.compile import capacity
from archsim.compile.builder import UNBOUNDED
from archsim.compile.network import compile_network
from archsim.compile.planner import buffer_bits
from archsim.noc.board import HOST
from archsim.program import Program
from archsim.sim.engines import engine
from archsim.sim.lanes import buffered_ends, lanes_of, records_for
from archsim.sim.levels import bits_held, tokens_held
from archsim.sim.outcome import FOREVER
from tests.networks import CONVOLUTIONS, chip, network

GRAPH = network(CONVOLUTIONS, (3, 8, 8))


def test_lanes_come_host_first_then_chip_by_chip_and_tile_by_tile_parts_together() -> None:
    compiled = compile_network(GRAPH, chip("isaac-ce", 12), 2, component_detail=frozenset({"two"}))
    lanes = lanes_of(compiled)
    assert [lane.chip for lane in lanes] == sorted(lane.chip for lane in lanes)
    assert [lane.name for lane in lanes if lane.chip == HOST] == ["host in", "host out last"]
    assert {lane.kind for lane in lanes if lane.chip != HOST and lane.tile == HOST} <= {
        "channel",
        "chip-in",
        "chip-out",
    }
    for tile in {lane.tile for lane in lanes} - {HOST}:
        inside = [lane for lane in lanes if lane.tile == tile]
        assert lanes_of(compiled, frozenset({tile})) == inside
        kinds = [lane.link is not None for lane in inside]
        assert kinds == sorted(kinds), "stages stand before links"
    chain = [lane.kind for lane in lanes if lane.name.startswith("two[0.0]")]
    assert chain == ["fetch", "dac", "crossbar", "sample_hold", "adc", "shift_add"]


@pytest.mark.parametrize("design", ["isaac-ce", "puma"])
def test_a_buffer_holds_the_ends_that_its_capacity_was_dealt_to(design: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dealt: list[int] = []
    real = capacity.with_capacities

    def spy(program: Program, stage_tile: list[int], bits: int, **options: Any) -> Program:
        a = program.arrays
        tile = np.array(stage_tile)[a.end_stage]
        dealt[:] = np.flatnonzero((a.end_capacity == UNBOUNDED) & (tile >= 0)).tolist()
        return real(program, stage_tile, bits, **options)

    monkeypatch.setattr("archsim.compile.network.with_capacities", spy)
    compiled = compile_network(GRAPH, chip(design, 12), 1)
    held = buffered_ends(compiled.program, range(compiled.board.tiles))
    assert sorted(end for ends in held.values() for end in ends) == dealt
    a = compiled.program.arrays
    for tile, ends in held.items():
        assert {compiled.stage_tile[a.end_stage[end]] for end in ends} <= {tile}
        bits = [compiled.program.flows[a.end_flow[end]].bits for end in ends]
        assert (a.end_capacity[ends] * bits).sum() <= buffer_bits(compiled.board.chip.tile)


@pytest.mark.parametrize("design", ["isaac-ce", "puma"])
def test_the_bits_in_a_buffer_are_the_sum_over_its_ends_at_all_times(design: str) -> None:
    compiled = compile_network(GRAPH, chip(design, 12), 1)
    program = compiled.for_images(2)
    records = engine("compiled")(program, records="all").records
    for ends in buffered_ends(program, range(compiled.board.tiles)).values():
        times, bits = bits_held(program, records, ends)
        expected = np.zeros(len(times), np.int64)
        for end in ends:
            own_times, tokens = tokens_held(program, records, end)
            at = np.searchsorted(own_times, times, side="right") - 1
            expected += tokens[at] * program.flows[int(program.arrays.end_flow[end])].bits
        assert bits.tolist() == expected.tolist()
        assert np.all(np.diff(bits) != 0), "only changes are listed"


def test_records_for_a_tile_are_those_of_its_lanes_and_of_what_fills_its_buffer() -> None:
    compiled = compile_network(GRAPH, chip("isaac-ce", 12), 1)
    program = compiled.program
    tile = compiled.stage_tile[max(s for s, stage in enumerate(program.stages) if stage.layer == "two")]
    lanes = lanes_of(compiled, frozenset({tile}))
    wanted = records_for(program, lanes, 5, FOREVER, 7)
    inside = {lane.stage for lane in lanes if lane.stage is not None}
    outside = wanted.stages - inside
    ends = buffered_ends(program, [tile])[tile]
    assert outside
    assert outside == {program.flows[int(program.arrays.end_flow[end])].source for end in ends} - inside
    links = {lane.link for lane in lanes}
    assert {int(program.arrays.hop_link[hop]) for hop in wanted.hops} <= links
    assert (wanted.ends, wanted.since, wanted.until, wanted.most) == (frozenset(), 5, FOREVER, 7)
