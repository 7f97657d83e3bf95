"""Loops of a critical path."""

from __future__ import annotations

import pytest

from archsim.program import End, Flow, Hop, Link, Program, Sequence, Stage
from archsim.sim import compiled
from archsim.sim.critical import critical_path
from archsim.sim.stretch import Stretch, longest_loop

EACH = Sequence((1,), 1)
MANY = 10**6


def constant(name: str, firings: int, interval: int, latency: int) -> Stage:
    return Stage(name, firings, Sequence((interval,)), Sequence((latency,)))


def loop(program: Program, images: int, saturated: int | None = None) -> Stretch | None:
    outcome = compiled.run(program, records="all")
    last = len(program.stages) - 1
    path = critical_path(program, outcome, (last, program.stages[last].firings - 1), saturated=saturated)
    return longest_loop(path, program, outcome, images)


def test_the_slowest_stage_is_the_loop() -> None:
    # 2 firings an image; a's start every 10, b every 30
    flow = Flow("f", 0, Sequence((1,)), (End(1, EACH, EACH, MANY),))
    program = Program((constant("a", 2, 10, 5), constant("b", 2, 30, 5)), (flow,)).repeated(4)
    found = loop(program, 4)
    assert found == Stretch(35, 215, 3, "b")  # from b's second firing to its last
    assert found.each_ps == 2 * 30


def test_a_round_trip_for_room_is_a_loop() -> None:
    # room for one: a waits for b's interval, b for a's latency; a firing every 5 + 20
    flow = Flow("f", 0, Sequence((1,)), (End(1, EACH, EACH, 1),))
    program = Program((constant("a", 1, 1, 5), constant("b", 1, 20, 5)), (flow,)).repeated(6)
    found = loop(program, 6)
    assert found is not None
    assert (found.inferences, found.each_ps) == (5, 25)


def test_the_queue_of_a_busy_link_is_a_loop() -> None:
    # two flows share a link that serves 7 for each; the stages are faster
    links = (Link("bus", 1),)
    flows = tuple(Flow(f"f{s}", s, Sequence((1,)), (End(2, EACH, EACH, MANY, 0),), (Hop(0, 7),)) for s in range(2))
    stages = (constant("a", 1, 3, 1), constant("b", 1, 3, 1), constant("c", 1, 1, 1))
    found = loop(Program(stages, flows, links).repeated(8), 8, saturated=14)
    assert found is not None
    assert (found.place, found.inferences, found.each_ps) == ("bus", 6, 14)  # the first image is not held up yet


@pytest.mark.parametrize("images", [1, 3])
def test_a_path_that_comes_by_no_place_twice_has_no_loop(images: int) -> None:
    # three stages in a row, each fires once in all
    flows = tuple(Flow(f"f{s}", s, Sequence((1,)), (End(s + 1, EACH, EACH, MANY),)) for s in range(2))
    program = Program(tuple(constant(name, 1, 1, 5) for name in "abc"), flows)
    assert loop(program, images) is None
