"""Flows cross what they are given and then the board, and what is counted again is what was counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archsim.compile.builder import Builder, Work
from archsim.noc.board import HOST, Board
from archsim.units import duration_ps
from tests.unit.compile.nets import chip

BOARD = Board(chip(), 3)
PLACES = st.one_of(st.just(HOST), st.integers(0, BOARD.tiles - 1))


@given(st.lists(st.tuples(PLACES, PLACES, st.integers(1, 4)), min_size=1, max_size=12))
def test_a_flow_crosses_its_own_hops_first_and_then_the_board(flows):
    builder = Builder(BOARD, 16)
    stages = [builder.stage(name, 3, 1, 1, layer="", tile=0, kind="") for name in "ab"]
    for number, (source, target, hops) in enumerate(flows):
        start = builder.chain(*[(("bus", k), 8) for k in range(hops)])
        if number % 2:
            builder.local(f"flow {number}", *stages, 3, 64, start, 1)
        else:
            builder.gather(f"flow {number}", stages[0], start, (source, target), stages[1], 64)
    program = builder.program()
    for number, ((source, target, hops), flow) in enumerate(zip(flows, program.flows, strict=True)):
        kinds = [program.links[hop.link].kind for hop in flow.route]
        assert flow.name == f"flow {number}"
        assert kinds[:hops] == ["bus"] * hops
        assert [hop.parent for hop in flow.route] == list(range(-1, len(kinds) - 1))
        assert flow.ends[0].node == len(kinds) - 1
        for hop in flow.route[hops:]:
            rate = builder.rate(next(key for key, link in builder._link_index.items() if link == hop.link))
            assert hop.serialisation == duration_ps(64, rate)
        if number % 2 or (source == HOST and target == HOST):
            assert len(kinds) == hops
        elif source == target or BOARD.on_one_chip(source, target):
            assert kinds[hops:] == [*(key[0] for key in BOARD.path(source, target)), "buffer"]


def test_the_work_of_what_is_alike_is_asked_once_and_counted_each_time():
    asked = []
    work, plain = Work(), Work()

    def count(of: Work) -> None:
        asked.append(of)
        for amount in (0.1, 0.0, 0.7):
            of.add("core.adc", "convert", amount)
        of.add("core.dac", "drive", 3)

    for key in ("a", "b", "a", "a"):
        work.same(key, lambda: count(work))
        count(plain)
    assert list(work.counts.items()) == list(plain.counts.items())
    assert asked.count(work) == 2
