"""The untimed check and the capacities that cannot deadlock."""

from dataclasses import replace

import numpy as np
import pytest

from archsim import demand
from archsim.errors import DeadlockError, Obstacle, ProgramError
from archsim.program import End, Flow, Program, Sequence, Stage
from archsim.sim import reference
from archsim.untimed import check, sufficient_capacities

C = Sequence.constant
EACH = Sequence((1,), 1)
LARGE = 1000


def stage(name, firings):
    return Stage(name, firings, C(10), C(5))


def end(stage, need=EACH, free=None, capacity=LARGE):
    return End(stage, need, free or need, capacity)


def flow(name, source, *ends, emit=1, initial=0):
    return Flow(name, source, emit if isinstance(emit, Sequence) else C(emit), ends, initial=initial)


def pair(f, sent=4, taken=4):
    """One flow from a to b."""
    return Program((stage("a", sent), stage("b", taken)), (f,))


def violations(program):
    with pytest.raises(ProgramError) as caught:
        check(program)
    return str(caught.value).splitlines()


def with_capacities(program, capacities):
    ends = iter(capacities)
    flows = tuple(
        replace(flow, ends=tuple(replace(end, capacity=int(next(ends))) for end in flow.ends)) for flow in program.flows
    )
    return replace(program, flows=flows)


def convolution(height, width, kernel, stride=1):
    """need and free of the windows of one image, in raster order; the last window frees what nobody reads."""
    corners = [
        (row, column)
        for row in range(0, height - kernel + 1, stride)
        for column in range(0, width - kernel + 1, stride)
    ]
    need = [(row + kernel - 1) * width + column + kernel for row, column in corners]
    free = [row * width + column for row, column in corners[1:]] + [height * width]
    size = height * width
    return Sequence.of(need, size), Sequence.of(free, size), len(corners)


def residual(height, width, kernel, images=1):
    """a's pixels go to a convolution and past it to an adder, which takes a window's first pixel with its output."""
    need, free, windows = convolution(height, width, kernel)
    skip = Sequence.of([value + 1 for value in [0, *free.table[:-1]]], height * width)
    stages = (stage("a", height * width * images), stage("conv", windows * images), stage("add", windows * images))
    return Program(stages, (flow("x", 0, end(1, need, free), end(2, skip, free)), flow("y", 1, end(2))))


class TestCheck:
    def test_a_program_that_can_run_passes(self):
        assert check(pair(flow("f", 0, end(1, capacity=1)))) is None

    def test_a_program_without_flows_or_stages_passes(self):
        assert check(Program((), ())) is None

    def test_too_few_tokens_for_the_largest_need(self):
        # 1 initial and 3 sent; the fourth firing of b needs 2 + 4.
        f = flow("f", 0, end(1, Sequence.of((2, 3, 4, 6)), C(0)), initial=1)
        assert violations(pair(f, sent=3)) == [
            "flow 'f', stage 'b': got 4 tokens in all (1 initial, 3 from 'a'), expected at least 6"
        ]

    def test_the_largest_need_need_not_be_the_last(self):
        f = flow("f", 0, end(1, Sequence.of((1, 9, 2, 3)), C(0)))
        assert len(violations(pair(f))) == 1

    def test_tokens_sent_are_summed_over_incomplete_periods_too(self):
        # 3 + 1 + 3 + 1 + 3 = 11 from five firings.
        f = flow("f", 0, end(1, C(11), C(11)), emit=Sequence.of((3, 1)))
        assert check(pair(f, sent=5, taken=1)) is None
        f = flow("f", 0, end(1, C(12), C(12)), emit=Sequence.of((3, 1)))
        assert "got 11 tokens in all (0 initial, 11 from 'a')" in violations(pair(f, sent=5, taken=1))[0]

    def test_tokens_that_are_never_freed_must_fit(self):
        # 1 + 6 come, 2 are freed.
        f = flow("f", 0, end(1, capacity=4), initial=1)
        assert violations(pair(f, sent=6, taken=2)) == [
            "flow 'f', stage 'b': got capacity 4, expected at least 5 for tokens that are never freed"
        ]
        assert check(pair(flow("f", 0, end(1, capacity=5), initial=1), sent=6, taken=2)) is None

    def test_tokens_that_are_freed_unread_need_no_room(self):
        assert check(pair(flow("f", 0, end(1, C(1), C(6), capacity=1)), sent=6, taken=1)) is None

    def test_a_window_must_fit(self):
        # Firing 1 needs five when two are freed.
        f = flow("f", 0, end(1, Sequence.of((2, 5)), Sequence.of((2, 5)), capacity=2))
        assert violations(pair(f, sent=5, taken=2)) == [
            "flow 'f', stage 'b': got capacity 2, expected at least 3 for what firing 1 needs"
        ]

    def test_nothing_is_freed_before_the_first_window(self):
        # Firing 0 needs four although later windows need two: need[n] - free[n-1] with free[-1] = 0.
        f = flow("f", 0, end(1, Sequence.of((4, 5, 6)), Sequence.of((3, 4, 6)), capacity=3))
        assert violations(pair(f, sent=6, taken=3)) == [
            "flow 'f', stage 'b': got capacity 3, expected at least 4 for what firing 0 needs"
        ]

    def test_windows_that_grow_from_image_to_image_are_seen_to_the_end(self):
        # Of each period 3 are needed and 2 freed: firing 9 needs 30 when 18 are freed.
        f = flow("f", 0, end(1, Sequence((3,), 3), Sequence((2,), 2), capacity=11))
        assert "expected at least 12 for what firing 9 needs" in violations(pair(f, sent=30, taken=10))[-1]

    def test_periods_of_different_lengths_meet(self):
        # need - free before: n = 1: 3 - 1, 2: 4 - 2, 3: 6 - 3, 4: 7 - 4, 5: 9 - 5 = 4, 6: 10 - 6 = 4.
        need, free = Sequence((1, 3), 3), Sequence((1, 2, 3), 3)
        f = flow("f", 0, end(1, need, free, capacity=3))
        assert "expected at least 4 for what firing 5 needs" in violations(pair(f, sent=10, taken=7))[-1]

    def test_initial_tokens_must_fit(self):
        f = flow("f", 0, end(1, C(0), C(9), capacity=2), emit=0, initial=3)
        assert violations(pair(f, taken=1)) == [
            "flow 'f', stage 'b': got capacity 2, expected at least 3 for the initial tokens"
        ]

    def test_a_stage_that_never_fires_needs_nothing_and_frees_nothing(self):
        assert check(pair(flow("f", 0, end(1, C(99), C(99), capacity=4)), taken=0)) is None
        assert len(violations(pair(flow("f", 0, end(1, C(99), C(99), capacity=3)), taken=0))) == 1

    def test_all_violations_of_all_ends_are_told_a_line_each(self):
        f = flow("f", 0, end(1, C(9), C(0), capacity=2), end(1, capacity=4), end(1, C(5), C(5), capacity=5), initial=3)
        lines = violations(pair(f, sent=1, taken=4))
        assert [line.split(", ")[-1] for line in lines] == [
            "expected at least 9",
            "expected at least 4 for tokens that are never freed",
            "expected at least 9 for what firing 0 needs",
            "expected at least 3 for the initial tokens",
            "expected at least 5",
        ]


class TestCapacities:
    @pytest.mark.parametrize(("width", "kernel"), [(5, 3), (8, 3), (9, 2), (7, 5)])
    def test_a_convolution_and_the_skip_path_around_it_need_rows_up_to_the_last_pixel_of_the_first_window(
        self, width, kernel
    ):
        expected = (kernel - 1) * width + kernel
        assert sufficient_capacities(residual(kernel + 3, width, kernel, images=2)).tolist() == [expected, expected, 1]

    @pytest.mark.parametrize("short", [0, 1, 2])
    def test_a_residual_block_runs_with_them_and_deadlocks_with_one_token_fewer_at_any_end(self, short):
        program = residual(6, 5, 3)
        capacities = sufficient_capacities(program)
        program = with_capacities(program, capacities)
        check(program)
        assert reference.run(program).end_peak.tolist() == capacities.tolist()
        capacities[short] -= 1
        with pytest.raises(DeadlockError):
            reference.run(with_capacities(program, capacities))

    def test_a_self_loop_with_one_token_needs_two_places(self):
        # The output is reserved while the input is still held.
        program = Program((stage("a", 3),), (flow("loop", 0, end(0, capacity=0), initial=1),))
        assert sufficient_capacities(program).tolist() == [2]

    def test_a_chain_needs_one_place_a_flow(self):
        stages = tuple(stage(f"s{n}", 9) for n in range(5))
        flows = tuple(flow(f"f{n}", n, end(n + 1)) for n in range(4))
        assert sufficient_capacities(Program(stages, flows)).tolist() == [1] * 4

    def test_tokens_that_come_together_need_room_together(self):
        assert sufficient_capacities(pair(flow("f", 0, end(1), emit=3), sent=3, taken=9)).tolist() == [3]

    def test_initial_tokens_need_room_even_if_nobody_moves(self):
        assert sufficient_capacities(pair(flow("f", 0, end(1), initial=7), sent=0, taken=0)).tolist() == [7]

    def test_tokens_that_nobody_needs_remain(self):
        # Six come, two are freed.
        assert sufficient_capacities(pair(flow("f", 0, end(1)), sent=6, taken=2)).tolist() == [4]

    def test_tokens_freed_before_they_come_need_no_room(self):
        assert sufficient_capacities(pair(flow("f", 0, end(1, C(1), C(6))), sent=6, taken=1)).tolist() == [1]

    def test_firings_that_nobody_needs_take_no_more_room_before_them(self):
        # c is done after two; b's other four firings still go one by one with a's.
        stages = (stage("a", 6), stage("b", 6), stage("c", 2))
        program = Program(stages, (flow("ab", 0, end(1)), flow("bc", 1, end(2))))
        assert sufficient_capacities(program).tolist() == [1, 4]

    def test_paths_that_a_firing_needs_together_advance_together(self):
        # The host fires once and needs all of x and all of y: neither must wait until the other is through.
        stages = (stage("a", 8), stage("x", 8), stage("y", 8), stage("host", 1))
        flows = (flow("a", 0, end(1), end(2)), flow("x", 1, end(3, C(8))), flow("y", 2, end(3, C(8))))
        assert sufficient_capacities(Program(stages, flows)).tolist() == [1, 1, 8, 8]

    def test_halves_of_an_image_are_worked_on_as_they_come(self):
        # The first four pixels go to x, the others to y; the host needs both halves at once.
        stages = (stage("a", 8), stage("x", 4), stage("y", 4), stage("host", 1))
        first, second = Sequence.of((1,) * 4 + (0,) * 4), Sequence.of((0,) * 4 + (1,) * 4)
        flows = (
            flow("ax", 0, end(1), emit=first),
            flow("ay", 0, end(2), emit=second),
            flow("x", 1, end(3, C(4))),
            flow("y", 2, end(3, C(4))),
        )
        assert sufficient_capacities(Program(stages, flows)).tolist() == [1, 1, 4, 4]

    @pytest.mark.parametrize("sinks", [(1, 2), (2, 1)])
    def test_sinks_that_share_a_source_take_its_tokens_as_they_come(self, sinks):
        # One takes two tokens a firing, the other one.
        stages = (stage("a", 8), stage("b", 8), stage("c", 4))
        need = {1: EACH, 2: Sequence((2,), 2)}
        program = Program(stages, (flow("f", 0, *(end(sink, need[sink]) for sink in sinks)),))
        assert sufficient_capacities(program).tolist() == list(sinks)

    @pytest.mark.parametrize("first", [0, 1])
    def test_a_source_does_not_flood_a_consumer_that_waits_for_another_source(self, first):
        # p feeds a sink of its own and, with r through t, another: p must not run to its end before r begins.
        p, r = first, 1 - first
        stages = (*(stage(name, 8) for name in ("pr", "rp")[:: 1 - 2 * first]), *(stage(name, 8) for name in "tuv"))
        flows = (flow("p", p, end(3), end(4)), flow("r", r, end(2)), flow("t", 2, end(4)))
        assert sufficient_capacities(Program(stages, flows)).tolist() == [1, 1, 1, 1]

    def test_a_ring_without_a_sink_turns(self):
        stages = tuple(stage(name, 4) for name in "abc")
        program = Program(stages, tuple(flow(f"f{s}", s, end((s + 1) % 3), initial=1) for s in range(3)))
        # c goes first with its own initial token, then with b's: three lie before a.  Only then c lacks tokens that
        # b lacks too, and a fires.
        capacities = sufficient_capacities(program)
        assert capacities.tolist() == [1, 1, 3]
        assert reference.run(with_capacities(program, capacities)).stage_last.min() > 0

    def test_needs_that_wait_for_each_other_are_a_deadlock_whatever_the_capacities(self):
        stages = (stage("a", 1), stage("p", 2), stage("q", 2))
        flows = (flow("ap", 0, end(1)), flow("pq", 1, end(2)), flow("qp", 2, end(1)))
        with pytest.raises(DeadlockError, match="'p' waits for tokens of flow 'qp' from 'q': has 0, needs 1") as caught:
            sufficient_capacities(Program(stages, flows))
        assert caught.value.stuck == (1, 2)
        assert [step.stage for step in caught.value.cycle] == [1, 2]

    def test_a_need_beyond_what_a_source_sends_is_a_deadlock(self):
        with pytest.raises(DeadlockError, match="but 'a' has finished all its firings") as caught:
            sufficient_capacities(pair(flow("f", 0, end(1)), sent=3, taken=4))
        assert caught.value.chain == (Obstacle(1, 0, 0, "tokens", have=3, want=4, waits_for=0),)

    def test_stages_beside_a_deadlock_do_all_they_can_before_it_is_told(self):
        # b is stuck; c takes what it can of a's tokens, all that come.
        stages = (stage("a", 3), stage("b", 4), stage("c", 3))
        program = Program(stages, (flow("f", 0, end(1), end(2)),))
        with pytest.raises(DeadlockError) as caught:
            sufficient_capacities(program)
        assert caught.value.stuck == (1,)

    def test_an_empty_program_has_no_capacities(self):
        assert sufficient_capacities(Program((), ())).tolist() == []


@pytest.mark.parametrize(
    "program",
    [
        residual(6, 5, 3, images=3),
        Program((stage("a", 3),), (flow("loop", 0, end(0), initial=1),)),
        Program(tuple(stage(n, 4) for n in "abc"), tuple(flow("f", s, end((s + 1) % 3), initial=1) for s in range(3))),
        Program((stage("a", 3), stage("b", 4), stage("c", 3)), (flow("f", 0, end(1), end(2), emit=2),)),
        Program((stage("a", 3), stage("b", 9)), (flow("f", 0, end(1)),)),
        Program((), ()),
    ],
    ids=["residual", "loop", "ring", "surplus", "stuck", "empty"],
)
def test_compiled_and_plain_python_run_alike(program):
    plain, compiled = (demand.run(program.arrays, compiled=compiled) for compiled in (False, True))
    for name, values in plain._asdict().items():
        np.testing.assert_array_equal(values, getattr(compiled, name), err_msg=name)


def test_large_programs_give_the_same_capacities_as_small_ones():
    # 60 images of 36 x 36 are more than are run as plain Python.
    program = residual(36, 36, 3, images=60)
    assert program.arrays.stage_firings.sum() >= demand.COMPILED_FROM
    assert sufficient_capacities(program).tolist() == [2 * 36 + 3, 2 * 36 + 3, 1]
