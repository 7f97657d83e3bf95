"""Rule 8: what a run that can never end says about itself."""

import pickle

import numpy as np
import pytest

from archsim.deadlock import deadlock
from archsim.errors import DeadlockError, Obstacle
from archsim.program import End, Flow, Hop, Link, Program, Sequence, Stage

C = Sequence.constant
EACH = Sequence((1,), 1)
LARGE = 1000


def stage(name, firings):
    return Stage(name, firings, C(10), C(5))


def flow(name, source, *ends, emit=1, initial=0, route=()):
    return Flow(name, source, C(emit), ends, tuple(route), initial)


def end(stage, need=EACH, capacity=LARGE, node=-1):
    return End(stage, need, EACH, capacity, node)


def stop(run, program):
    with pytest.raises(DeadlockError) as caught:
        run(program)
    return caught.value


def residual(skip_capacity):
    """a feeds b, whose windows need three tokens, and past it c, which adds the two paths up."""
    stages = (stage("a", 6), stage("b", 4), stage("c", 4))
    window = Sequence((3,), 1)
    flows = (flow("x", 0, end(1, window)), flow("skip", 0, end(2, capacity=skip_capacity)), flow("y", 1, end(2)))
    return Program(stages, flows)


def test_a_skip_path_one_token_too_small_is_found_as_the_cycle_through_it(run):
    # a starts twice and fills the path; b has two of three tokens; c has nothing from b.
    error = stop(run, residual(2))
    assert error.stuck == (0, 1, 2)
    assert error.cycle == (
        Obstacle(0, 1, 1, "room", have=2, want=3, waits_for=2),
        Obstacle(2, 2, 2, "tokens", have=0, want=1, waits_for=1),
        Obstacle(1, 0, 0, "tokens", have=2, want=3, waits_for=0),
    )
    assert error.chain == error.cycle


def test_the_message_names_the_stuck_stages_and_each_step_of_the_cycle(run):
    assert str(stop(run, residual(2))) == (
        "deadlock: 3 of 3 stages can never go on: 'a' (started 2 of 6 firings), 'b' (started 0 of 4 firings), "
        "'c' (started 0 of 4 firings)\n"
        "  'a' waits for room on flow 'skip' at 'c': 2 of 2 used, needs 1 more\n"
        "  'c' waits for tokens of flow 'y' from 'b': has 0, needs 1\n"
        "  'b' waits for tokens of flow 'x' from 'a': has 2, needs 3\n"
        "  which closes the cycle at 'a'"
    )


def test_one_token_more_of_capacity_lets_the_residual_block_run(run):
    # a: 0, 10, 20.  The third token is at b at 25, its output at c at 30, which frees at 40: so a goes on every 20.
    assert run(residual(3)).stage_last.tolist() == [80, 85, 90]


def test_a_self_loop_with_one_place_waits_for_itself(run):
    error = stop(run, Program((stage("a", 2),), (flow("loop", 0, end(0, capacity=1), initial=1),)))
    assert error.cycle == (Obstacle(0, 0, 0, "room", have=1, want=2, waits_for=0),)


def test_stages_that_only_lead_to_the_cycle_are_in_the_chain_but_not_in_the_cycle(run):
    # Stage 0 waits for stage 1; stages 1 and 2 wait for each other's first token.
    stages = (stage("tail", 1), stage("p", 1), stage("q", 1))
    flows = (flow("out", 1, end(0)), flow("pq", 1, end(2)), flow("qp", 2, end(1)))
    error = stop(run, Program(stages, flows))
    assert [step.stage for step in error.chain] == [0, 1, 2]
    assert [step.stage for step in error.cycle] == [1, 2]
    assert "'tail' waits" not in str(error)


def test_an_unmet_input_is_followed_before_a_lower_flow_without_room(run):
    # p lacks room on flow 0, which nobody empties, and tokens of flow 1.
    stages = (stage("p", 2), stage("sink", 1), stage("q", 2))
    flows = (flow("pq", 0, end(2, Sequence((2,), 1), capacity=1)), flow("qp", 2, end(0), initial=1))
    error = stop(run, Program(stages, flows))
    assert error.stuck == (0, 2)
    assert error.cycle == (
        Obstacle(0, 1, 1, "tokens", have=1, want=2, waits_for=2),
        Obstacle(2, 0, 0, "tokens", have=1, want=2, waits_for=0),
    )


def test_of_several_unmet_inputs_the_lowest_flow_is_followed(run):
    stages = (stage("p", 1), stage("q", 1), stage("r", 1))
    flows = (flow("rp", 2, end(0)), flow("qp", 1, end(0)), flow("pq", 0, end(1)), flow("pr", 0, end(2)))
    error = stop(run, Program(stages, flows))
    assert [(step.stage, step.flow, step.waits_for) for step in error.cycle] == [(0, 0, 2), (2, 3, 0)]


def test_a_chain_that_leads_to_a_finished_stage_ends_there(run):
    # b wants two tokens, a only ever sends one.
    error = stop(run, Program((stage("a", 1), stage("b", 1)), (flow("f", 0, end(1, C(2))),)))
    assert error.stuck == (1,)
    assert error.cycle == ()
    assert error.chain == (Obstacle(1, 0, 0, "tokens", have=1, want=2, waits_for=0),)
    assert str(error) == (
        "deadlock: 1 of 2 stages can never go on: 'b' (started 0 of 1 firings)\n"
        "  'b' waits for tokens of flow 'f' from 'a': has 1, needs 2\n"
        "  but 'a' has finished all its firings"
    )


def test_a_chain_that_leads_to_a_finished_consumer_ends_there(run):
    # b takes one token and is done; its place for a's third is never freed.
    error = stop(run, Program((stage("a", 3), stage("b", 1)), (flow("f", 0, end(1, capacity=1)),)))
    assert error.chain == (Obstacle(0, 0, 0, "room", have=1, want=2, waits_for=1),)
    assert "but 'b' has finished all its firings" in str(error)


def test_initial_tokens_count_in_the_report(run):
    # Two of four tokens lie there; a sends one more.
    error = stop(run, Program((stage("a", 1), stage("b", 1)), (flow("f", 0, end(1, C(4)), initial=2),)))
    assert [(step.have, step.want) for step in error.chain] == [(3, 4)]


def test_tokens_on_their_way_are_delivered_before_the_run_counts_as_stuck(run):
    # b's second token is in the network for 10,000 ps while nothing else happens.
    stages = (stage("a", 2), stage("b", 2))
    f = flow("f", 0, end(1, node=0), route=[Hop(0, 1)])
    assert run(Program(stages, (f,), (Link("far", 10_000),))).stage_last.tolist() == [10, 10_016]


def test_only_the_first_stuck_stages_are_named_and_the_others_counted(run):
    stages = tuple(stage(f"s{n}", 1) for n in range(8))
    flows = tuple(flow(f"f{n}", n, end((n + 1) % 8)) for n in range(8))
    error = stop(run, Program(stages, flows))
    first = str(error).splitlines()[0]
    assert error.stuck == tuple(range(8))
    assert first.startswith("deadlock: 8 of 8 stages can never go on: 's0' (started 0 of 1 firings), 's1'")
    assert first.endswith("'s4' (started 0 of 1 firings), 3 more")


def test_a_long_cycle_is_told_in_part_and_kept_whole():
    stages = tuple(stage(f"s{n}", 1) for n in range(30))
    flows = tuple(flow(f"f{n}", n, end((n + 1) % 30)) for n in range(30))
    none = np.zeros(30, np.int64)
    error = deadlock(Program(stages, flows), fired=none, delivered=none, freed=none, emitted=none)
    assert [step.stage for step in error.cycle] == [0, *range(29, 0, -1)]
    assert str(error).splitlines()[-2:] == ["  and so on, 30 steps in all", "  which closes the cycle at 's0'"]


def test_the_report_is_the_same_from_lists_and_arrays_and_holds_plain_integers():
    # The residual block above: a has started twice.
    state = {"fired": [2, 0, 0], "delivered": [2, 2, 0], "freed": [0, 0, 0], "emitted": [2, 2, 0]}
    arrays = {name: np.array(values) for name, values in state.items()}
    from_lists, from_arrays = deadlock(residual(2), **state), deadlock(residual(2), **arrays)
    assert str(from_lists) == str(from_arrays)
    assert from_lists.cycle == from_arrays.cycle
    assert {type(step.have) for step in from_arrays.cycle} == {int}


def test_the_error_survives_the_way_between_processes():
    state = {"fired": [2, 0, 0], "delivered": [2, 2, 0], "freed": [0, 0, 0], "emitted": [2, 2, 0]}
    error = deadlock(residual(2), **state)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.stuck, copy.cycle) == (str(error), error.stuck, error.cycle)
