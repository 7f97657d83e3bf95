"""The work of single servers, and what is tried when links have more of it than stages."""

from __future__ import annotations

from archsim.compile.bound import busiest_link_ps, busiest_stage_ps
from archsim.compile.network import compile_network
from archsim.compile.planner import Attempt, attempts, once, planners
from archsim.program import End, Flow, Hop, Link, Program, Sequence, Stage
from archsim.workload import load_graph
from tests.unit.compile.nets import chip

ONE, EACH = Sequence.constant(1), Sequence((1,), 1)


def test_a_link_works_for_its_tokens_times_their_serialisation_and_a_stage_for_its_firings_times_its_interval():
    stages = (Stage("a", 6, Sequence.constant(5), ONE), Stage("b", 6, Sequence.constant(7), ONE))
    first = Flow("f", 0, Sequence((1, 0, 2)), (End(1, EACH, EACH, 9, 1),), (Hop(0, 10), Hop(1, 3, 0)))
    second = Flow("g", 0, ONE, (End(1, EACH, EACH, 9, 0),), (Hop(1, 4),))
    program = Program(stages, (first, second), (Link("l", 1), Link("m", 1)))
    assert busiest_link_ps(program) == max(6 * 10, 6 * 3 + 6 * 4)
    assert busiest_stage_ps(program) == 6 * 7


def test_a_program_without_links_has_no_busy_link():
    assert busiest_link_ps(Program((Stage("a", 2, ONE, ONE),), ())) == 0
    assert busiest_stage_ps(Program((), ())) == 0


def tried(name: str, chips: int) -> list[Attempt]:
    graph = load_graph(name)[0]
    ways = planners(graph, chip(), chips, once(graph))
    return [a for _, a in zip(range(6), attempts(ways, once(graph), balance=True), strict=False)]


def test_the_first_attempts_promise_the_smallest_intervals():
    found = tried("resnet18", 1)
    assert [a.cost for a in found] == sorted(a.cost for a in found)
    assert len({(a.planner, a.order, a.strict) for a in found}) == 6


def test_a_board_with_room_to_spare_is_used_for_copies_even_where_estimates_of_buffers_never_hold():
    made = compile_network(load_graph("resnet50")[0], chip(), 1)
    assert made.copies["conv1"] > 20
    assert max(-(-layer.windows // made.copies[layer.name]) for layer in made.graph.matrix_layers) < 500


def test_vgg16_on_five_chips_has_two_copies_of_its_middle_layers():
    """8450 of 10,080 cores hold it once; conv8 to conv10 with 784 windows then have two copies."""
    made = compile_network(load_graph("vgg16")[0], chip(), 5)
    assert [made.copies[name] for name in ("conv7", "conv8", "conv10", "conv11")] == [7, 2, 2, 1]
