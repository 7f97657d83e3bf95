"""The rules of docs/timing.md, one by one, with times worked out by hand.

Unless a test says otherwise: a stage has interval 10 and latency 5, a consumer takes one token a firing and
frees it at the firing's end, and capacities do not bind.
"""

import numpy as np
import pytest

from archsim.errors import RecordsError
from archsim.program import NO_NODE, End, Flow, Hop, Link, Program, Sequence, Stage
from archsim.sim.outcome import BY_ITSELF, Wanted

C = Sequence.constant
LARGE = 1000


def each(tokens=1, initial=0):
    """The running total of ``tokens`` a firing."""
    return Sequence((tokens,), tokens, initial)


def stage(name, firings, interval=10, latency=5):
    as_sequence = [
        value if isinstance(value, Sequence) else Sequence.of(np.atleast_1d(value)) for value in (interval, latency)
    ]
    return Stage(name, firings, *as_sequence)


def end(stage, need=None, free=None, capacity=LARGE, node=NO_NODE):
    need = need or each()
    return End(stage, need, free or need, capacity, node)


def flow(source, *ends, emit=1, route=(), initial=0, name="f"):
    emit = emit if isinstance(emit, Sequence) else Sequence.of(np.atleast_1d(emit))
    return Flow(name, source, emit, ends, tuple(route), initial)


def program(stages, flows=(), links=()):
    return Program(tuple(stages), tuple(flows), tuple(links))


def starts(outcome, number):
    return outcome.records.starts[number].tolist()


def deliveries(outcome, number):
    return outcome.records.deliveries[number].tolist()


def link_starts(outcome, hop):
    return outcome.records.link_starts[hop].tolist()


def waiting(outcome, number):
    """(starved, blocked, bound) of each firing of a stage."""
    records = outcome.records
    columns = (records.starved[number], records.blocked[number], records.bound[number])
    return list(zip(*(column.tolist() for column in columns), strict=True))


class TestFiring:
    """Rule 1."""

    def test_the_interval_of_a_firing_separates_it_from_the_next(self, run):
        # interval[0] = 3 lies between firings 0 and 1; read as interval[n] the starts would be 0, 7, 10, 17, 20.
        outcome = run(program([stage("a", 5, interval=(3, 7))]), records="all")
        assert starts(outcome, 0) == [0, 3, 10, 13, 20]

    def test_initial_tokens_count_in_what_a_firing_needs(self, run):
        # Two of the tokens needed lie there: firings 0 and 1 start at 0 and 1.  Firings 2 and 3 need a third and a
        # fourth, which arrive at 0 + 5 and 10 + 5.
        stages = [stage("a", 2), stage("b", 4, interval=1)]
        outcome = run(program(stages, [flow(0, end(1), initial=2)]), records="all")
        assert starts(outcome, 1) == [0, 1, 5, 15]

    def test_initial_tokens_take_room_and_count_in_what_a_firing_frees(self, run):
        # a: 2 + 1 - 0 <= 3 at once; its next firing lacks a place until b, started at 0, frees one at 10; then 20.
        stages = [stage("a", 3, interval=1), stage("b", 5)]
        outcome = run(program(stages, [flow(0, end(1, capacity=3), initial=2)]), records="all")
        assert starts(outcome, 0) == [0, 10, 20]

    def test_a_firing_needs_room_for_all_of_its_tokens(self, run):
        # Three tokens at 1; b starts at 1, 11, 21 and frees at 11, 21.  a's second three need 6 - freed <= 4, so two
        # freed: 21.  With room asked for one token only a would start at 1, or at 11.
        stages = [stage("a", 2, interval=1, latency=1), stage("b", 6)]
        outcome = run(program(stages, [flow(0, end(1, capacity=4), emit=3)]), records="all")
        assert starts(outcome, 0) == [0, 21]

    def test_room_is_reserved_at_the_start_not_when_tokens_arrive(self, run):
        # The tokens are 100 on their way and hold their two places; b gets the first at 100 and frees it at 110.
        stages = [stage("a", 3, interval=1, latency=100), stage("b", 3)]
        outcome = run(program(stages, [flow(0, end(1, capacity=2))]), records="all")
        assert starts(outcome, 0) == [0, 1, 110]

    def test_every_end_of_a_flow_must_have_room(self, run):
        # b frees its token at 5 + 10, c at 5 + 70.
        stages = [stage("a", 2), stage("b", 2), stage("c", 2, interval=70)]
        outcome = run(program(stages, [flow(0, end(1, capacity=1), end(2, capacity=1))]), records="all")
        assert starts(outcome, 0) == [0, 75]

    def test_a_firing_that_emits_nothing_does_not_wait_for_room(self, run):
        # Firings 0 and 2 emit; the one between starts at 10 on a full buffer.  b frees at 5 + 100.
        stages = [stage("a", 3), stage("b", 2, interval=100)]
        outcome = run(program(stages, [flow(0, end(1, capacity=1), emit=(1, 0))]), records="all")
        assert starts(outcome, 0) == [0, 10, 105]

    def test_every_input_must_hold(self, run):
        # From a at 5, 15; from b at 12, 42.
        stages = [stage("a", 2), stage("b", 2, interval=30, latency=12), stage("c", 2, interval=1)]
        outcome = run(program(stages, [flow(0, end(2)), flow(1, end(2))]), records="all")
        assert starts(outcome, 2) == [12, 42]

    def test_a_window_waits_for_its_last_token_only(self, run):
        # Windows of three tokens that move by two: needs 3 and 5, which arrive at 25 and 45.
        need, free = Sequence((3,), 2), Sequence((2,), 2)
        stages = [stage("a", 5), stage("b", 2, interval=1)]
        outcome = run(program(stages, [flow(0, end(1, need, free))]), records="all")
        assert starts(outcome, 1) == [25, 45]


class TestCredits:
    """Rule 2."""

    def test_tokens_are_freed_after_the_interval_not_at_the_start_or_the_output(self, run):
        # b starts at 5; its interval ends at 45, its output comes at 12.
        stages = [stage("a", 2), stage("b", 2, interval=40, latency=7)]
        outcome = run(program(stages, [flow(0, end(1, capacity=1))]), records="all")
        assert starts(outcome, 0) == [0, 45]

    def test_nothing_is_freed_before_the_first_firing_has_ended(self, run):
        # free[0] = 1 takes effect at 10 although the initial token lies there from the beginning.
        stages = [stage("a", 1), stage("b", 2)]
        outcome = run(program(stages, [flow(0, end(1, capacity=1), initial=1)]), records="all")
        assert starts(outcome, 0) == [10]

    def test_tokens_freed_before_they_arrive_take_no_room(self, run):
        # b's only firing needs one token, frees six, and ends at 1 + 10.  From then on 6 - 6 <= 1 places are used.
        stages = [stage("a", 6, interval=1, latency=1), stage("b", 1)]
        outcome = run(program(stages, [flow(0, end(1, C(1), C(6), capacity=1))]), records="all")
        assert starts(outcome, 0) == [0, 11, 12, 13, 14, 15]
        assert deliveries(outcome, 0) == [1, 12, 13, 14, 15, 16]
        assert outcome.end_delivered.tolist() == [6]
        assert outcome.end_peak.tolist() == [1]

    def test_tokens_freed_before_they_are_sent_leave_their_places_to_later_ones(self, run):
        # b frees four at 11 when one has been sent: 4 + 1 may be sent before the next wait, for b's second end.
        need = Sequence.of((1, 5))
        stages = [stage("a", 6, interval=1, latency=1), stage("b", 2, interval=10)]
        outcome = run(program(stages, [flow(0, end(1, need, Sequence.of((4, 6)), capacity=1))]), records="all")
        # The fifth arrives at 14 + 1 but b is busy until 11 only: it starts at 15 and frees at 25.
        assert starts(outcome, 0) == [0, 11, 12, 13, 14, 25]

    def test_a_self_loop_with_one_token_needs_two_places(self, run):
        # The stage reserves the new token's place while it still holds the old one; latency 25 sets the pace.
        loop = flow(0, end(0, capacity=2), initial=1)
        outcome = run(program([stage("a", 3, latency=25)], [loop]), records="all")
        assert starts(outcome, 0) == [0, 25, 50]
        assert outcome.end_peak.tolist() == [2]


class TestLeaving:
    """Rule 3."""

    def test_a_shorter_latency_does_not_overtake_on_the_same_flow(self, run):
        # Outputs at 0 + 20, 5 + 2, 10 + 20: the second token leaves with the first.
        stages = [stage("a", 3, interval=5, latency=(20, 2)), stage("b", 3)]
        outcome = run(program(stages, [flow(0, end(1))]), records="all")
        assert deliveries(outcome, 0) == [20, 20, 30]

    def test_a_shorter_latency_overtakes_on_another_flow(self, run):
        # Firing 0 sends on flow 0 at 20, firing 1 on flow 1 at 5 + 2.
        stages = [stage("a", 2, interval=5, latency=(20, 2)), stage("b", 1), stage("c", 1)]
        flows = [flow(0, end(1), emit=(1, 0)), flow(0, end(2), emit=(0, 1))]
        outcome = run(program(stages, flows), records="all")
        assert deliveries(outcome, 0) == [20]
        assert deliveries(outcome, 1) == [7]

    def test_a_firing_without_tokens_does_not_hold_back_the_next(self, run):
        # Firing 0 emits nothing: its late output (at 90) is no token's leave time.
        stages = [stage("a", 2, latency=(90, 2)), stage("b", 1)]
        outcome = run(program(stages, [flow(0, end(1), emit=(0, 1))]), records="all")
        assert deliveries(outcome, 0) == [12]

    def test_the_tokens_of_a_firing_leave_together(self, run):
        stages = [stage("a", 2), stage("b", 6)]
        outcome = run(program(stages, [flow(0, end(1), emit=3)]), records="all")
        assert deliveries(outcome, 0) == [5, 5, 5, 15, 15, 15]


class TestLinks:
    """Rule 4."""

    def test_tokens_that_leave_together_cross_a_link_one_after_another(self, run):
        # On the link at 5 and 8; each arrives hop 2 and serialisation 3 later.
        stages = [stage("a", 1), stage("b", 2)]
        f = flow(0, end(1, node=0), emit=2, route=[Hop(0, 3)])
        outcome = run(program(stages, [f], [Link("l", 2)]), records="all")
        assert link_starts(outcome, 0) == [5, 8]
        assert deliveries(outcome, 0) == [10, 13]
        assert outcome.link_tokens.tolist() == [2]
        assert outcome.link_busy.tolist() == [6]
        assert outcome.link_waited.tolist() == [3]

    def test_a_fast_link_after_a_slow_one_waits_for_the_tail(self, run):
        # At the second link at 5 + 2 + (10 - 4) = 13, delivered at 13 + 3 + 4.  Without the wait: 14, when the tail
        # has not left the first link; with store and forward: 24.
        stages = [stage("a", 1), stage("b", 1)]
        f = flow(0, end(1, node=1), route=[Hop(0, 10), Hop(1, 4, 0)])
        outcome = run(program(stages, [f], [Link("slow", 2), Link("fast", 3)]), records="all")
        assert link_starts(outcome, 1) == [13]
        assert deliveries(outcome, 0) == [20]

    def test_a_slow_link_after_a_fast_one_starts_with_the_head(self, run):
        # On the first link at 5, 9; heads at the second at 7, 11; it is busy for 10 each: 7, 17.
        stages = [stage("a", 1), stage("b", 2)]
        f = flow(0, end(1, node=1), emit=2, route=[Hop(0, 4), Hop(1, 10, 0)])
        outcome = run(program(stages, [f], [Link("fast", 2), Link("slow", 3)]), records="all")
        assert link_starts(outcome, 1) == [7, 17]
        assert deliveries(outcome, 0) == [20, 30]

    def test_a_tree_gives_each_child_link_the_head_by_its_own_speed(self, run):
        # Root at 5.  x: 5 + 1 + (6 - 2) = 10, delivered 10 + 2 + 2.  y: 5 + 1 = 6, delivered 6 + 3 + 9.
        # The end on the root itself: 5 + 1 + 6.
        stages = [stage("a", 1), stage("b", 1), stage("c", 1), stage("d", 1)]
        route = [Hop(0, 6), Hop(1, 2, 0), Hop(2, 9, 0)]
        f = flow(0, end(1, node=1), end(2, node=2), end(3, node=0), route=route)
        outcome = run(program(stages, [f], [Link("root", 1), Link("x", 2), Link("y", 3)]), records="all")
        assert [deliveries(outcome, e) for e in range(3)] == [[14], [18], [12]]
        assert outcome.link_tokens.tolist() == [1, 1, 1]

    def test_several_ends_on_one_link_share_its_service(self, run):
        stages = [stage("a", 1), stage("b", 1), stage("c", 1)]
        f = flow(0, end(1, node=0), end(2, node=0), route=[Hop(0, 3)])
        outcome = run(program(stages, [f], [Link("l", 2)]), records="all")
        assert [deliveries(outcome, e) for e in range(2)] == [[10], [10]]
        assert outcome.link_tokens.tolist() == [1]

    def test_several_first_links_and_an_end_in_place_all_get_the_token_when_it_leaves(self, run):
        # It leaves at 5: in place at once; over x 5 + 1 + 2; over y 5 + 3 + 4.
        stages = [stage("a", 1), stage("b", 1), stage("c", 1), stage("d", 1)]
        f = flow(0, end(1, node=1), end(2), end(3, node=0), route=[Hop(0, 2), Hop(1, 4)])
        outcome = run(program(stages, [f], [Link("x", 1), Link("y", 3)]), records="all")
        assert [deliveries(outcome, e) for e in range(3)] == [[12], [5], [8]]

    def test_a_link_serves_in_order_of_arrival(self, run):
        # Flow 1 arrives at 4, flow 0 at 5: the link is flow 1's until 14.
        stages = [stage("a", 1, latency=5), stage("b", 1, latency=4), stage("c", 1), stage("d", 1)]
        flows = [flow(0, end(2, node=0), route=[Hop(0, 10)]), flow(1, end(3, node=0), route=[Hop(0, 10)])]
        outcome = run(program(stages, flows, [Link("l", 1)]), records="all")
        assert [link_starts(outcome, h) for h in range(2)] == [[14], [4]]
        assert outcome.link_waited.tolist() == [9]

    def test_tokens_that_arrive_together_are_served_in_order_of_flows_not_of_stages(self, run):
        # Both arrive at 5.  Flow 0 comes from the higher stage.
        stages = [stage("a", 1), stage("b", 1), stage("c", 2), stage("d", 2)]
        flows = [
            flow(1, end(2, node=0), emit=2, route=[Hop(0, 10)]),
            flow(0, end(3, node=0), emit=2, route=[Hop(0, 3)]),
        ]
        outcome = run(program(stages, flows, [Link("l", 1)]), records="all")
        assert [link_starts(outcome, h) for h in range(2)] == [[5, 15], [25, 28]]

    def test_tokens_that_arrive_together_are_served_in_order_of_flows_not_of_leaving(self, run):
        # Flow 1 goes on its way at 0 and arrives at 50; flow 0, sent at 40, arrives at 50 too and is first.
        stages = [stage("a", 1, latency=40), stage("b", 1, latency=50), stage("c", 1, latency=10), stage("d", 1)]
        flows = [
            flow(2, end(3, node=0), route=[Hop(0, 7)]),
            flow(1, end(3, node=0), route=[Hop(0, 7)]),
            flow(0, end(2)),
        ]
        outcome = run(program(stages, flows, [Link("l", 1)]), records="all")
        assert [link_starts(outcome, h) for h in range(2)] == [[50], [57]]

    def test_another_flow_comes_between_tokens_that_a_slow_link_has_spread(self, run):
        # Flow 0's two tokens are on link x at 5 and 15, at link y at 5 + 1 + 9 = 15 and 25.  Flow 1 is there at 20.
        stages = [stage("a", 1), stage("b", 1, latency=20), stage("c", 2), stage("d", 1)]
        flows = [
            flow(0, end(2, node=1), emit=2, route=[Hop(0, 10), Hop(1, 1, 0)]),
            flow(1, end(3, node=0), route=[Hop(1, 8)]),
        ]
        outcome = run(program(stages, flows, [Link("x", 1), Link("y", 1)]), records="all")
        assert link_starts(outcome, 1) == [15, 28]
        assert link_starts(outcome, 2) == [20]

    def test_a_token_that_arrives_as_the_link_becomes_free_does_not_wait(self, run):
        # The first is on the link from 5 to 15; the second leaves at 10 + 5.
        stages = [stage("a", 2), stage("b", 2)]
        outcome = run(program(stages, [flow(0, end(1, node=0), route=[Hop(0, 10)])], [Link("l", 1)]), records="all")
        assert link_starts(outcome, 0) == [5, 15]
        assert outcome.link_waited.tolist() == [0]

    def test_a_full_buffer_does_not_hold_tokens_back_in_the_network(self, run):
        # Both were admitted by the capacity of two; b, busy until 1010, does not slow the second one down.
        stages = [stage("a", 2), stage("b", 2, interval=1000)]
        f = flow(0, end(1, capacity=2, node=0), route=[Hop(0, 3)])
        outcome = run(program(stages, [f], [Link("l", 2)]), records="all")
        assert deliveries(outcome, 0) == [10, 20]


class TestPhases:
    """Rule 5."""

    def test_a_stage_starts_at_the_time_of_the_delivery_that_it_waits_for(self, run):
        stages = [stage("a", 1), stage("b", 1)]
        assert starts(run(program(stages, [flow(0, end(1))]), records="all"), 1) == [5]

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_deliveries_at_one_time_all_come_before_the_start(self, run, order):
        # c is ready at 15, when the second tokens of both inputs arrive: it waited for neither.
        stages = [stage("a", 2), stage("b", 2), stage("c", 2)]
        outcome = run(program(stages, [flow(order[0], end(2)), flow(order[1], end(2))]), records="all")
        assert starts(outcome, 2) == [5, 15]
        assert waiting(outcome, 2)[1] == (0, 0, BY_ITSELF)

    @pytest.mark.parametrize("consumer_first", [False, True])
    def test_a_place_freed_and_taken_at_one_time_is_never_counted_twice(self, run, consumer_first):
        # b frees at 15, 25 what a replaces at 15, 25.
        a, b = (1, 0) if consumer_first else (0, 1)
        outcome = run(program([stage("a", 3), stage("b", 3)], [flow(a, end(b, capacity=1))]), records="all")
        assert starts(outcome, a) == [0, 15, 30]
        assert outcome.end_peak.tolist() == [1]

    def test_a_place_freed_as_the_next_token_is_reserved_is_free_even_with_room_to_spare(self, run):
        # b frees at 5 + 10 what a reserves anew at 15; c, slower, lags behind and holds two.
        stages = [stage("a", 3, interval=15), stage("b", 3), stage("c", 3, interval=20)]
        outcome = run(program(stages, [flow(0, end(1), end(2))]), records="all")
        assert starts(outcome, 0) == [0, 15, 30]
        assert outcome.end_peak.tolist() == [1, 2]

    def test_a_ring_of_full_buffers_turns_at_one_time(self, run):
        # Each of three stages holds one token, needs it, and needs the place that the next frees: capacity two, one
        # initial.  All start at 0, output at 5, free at 10, and all start again at 10.
        stages = [stage(name, 3) for name in "abc"]
        flows = [flow(s, end((s + 1) % 3, capacity=2), initial=1) for s in range(3)]
        outcome = run(program(stages, flows), records="all")
        assert [starts(outcome, s) for s in range(3)] == [[0, 10, 20]] * 3


class TestEnd:
    """Rule 6."""

    def test_makespan_is_the_last_output_of_a_stage_that_sends_nothing(self, run):
        # Started at 5, output 90 later; its interval would end at 1005.
        stages = [stage("a", 1), stage("b", 1, interval=1000, latency=90)]
        assert run(program(stages, [flow(0, end(1))])).makespan == 95

    def test_makespan_is_the_arrival_of_the_last_token_even_if_nobody_wants_it(self, run):
        # b is done at 60 + 5; the second token arrives at 10 + 5 + 100 + 1.
        stages = [stage("a", 2), stage("b", 1)]
        f = flow(0, end(1, node=0), route=[Hop(0, 1)])
        outcome = run(program(stages, [f], [Link("l", 100)]))
        assert outcome.makespan == 116
        assert outcome.end_delivered.tolist() == [2]
        assert outcome.end_last.tolist() == [116]

    def test_events_are_firings_entries_into_links_and_deliveries(self, run):
        # 2 firings of a, 3 of b; 4 tokens over 2 links; 4 deliveries at each of two ends; 1 initial is no event.
        stages = [stage("a", 2), stage("b", 3), stage("c", 0)]
        f = flow(0, end(1, node=1), end(2, node=0), emit=2, route=[Hop(0, 3), Hop(1, 3, 0)], initial=1)
        outcome = run(program(stages, [f], [Link("x", 1), Link("y", 1)]))
        assert outcome.events == 2 + 3 + 4 * 2 + 4 * 2

    def test_an_empty_program_ends_at_once(self, run):
        outcome = run(program([]))
        assert (outcome.makespan, outcome.events) == (0, 0)

    def test_totals_of_a_stage_are_its_first_and_last_start_and_the_sum_of_its_intervals(self, run):
        stages = [stage("a", 3, interval=(3, 7)), stage("b", 3, interval=1)]
        outcome = run(program(stages, [flow(0, end(1))]))
        assert outcome.stage_first.tolist() == [0, 5]
        assert outcome.stage_last.tolist() == [10, 15]
        assert outcome.stage_own_time.tolist() == [3 + 7 + 3, 3]


class TestWaiting:
    """Rule 7."""

    def test_a_firing_is_starved_from_when_it_is_ready_until_its_inputs_hold(self, run):
        # b: from 0 to 5, and from 5 + 3 to 15.
        stages = [stage("a", 2), stage("b", 2, interval=3)]
        outcome = run(program(stages, [flow(0, end(1))]), records="all")
        assert waiting(outcome, 0) == [(0, 0, BY_ITSELF), (0, 0, BY_ITSELF)]
        assert waiting(outcome, 1) == [(5, 0, 0), (7, 0, 0)]
        assert outcome.stage_starved.tolist() == [0, 12]
        assert outcome.end_waited.tolist() == [12]

    def test_a_firing_is_blocked_from_when_its_inputs_hold_until_there_is_room(self, run):
        # a is ready at 10; b frees at 5 + 40.
        stages = [stage("a", 2), stage("b", 2, interval=40)]
        outcome = run(program(stages, [flow(0, end(1, capacity=1))]), records="all")
        assert waiting(outcome, 0) == [(0, 0, BY_ITSELF), (0, 35, 0)]
        assert outcome.stage_blocked.tolist() == [35, 0]
        assert outcome.end_held.tolist() == [35]

    def test_a_firing_that_was_starved_and_then_blocked_is_bound_by_the_output(self, run):
        # b's second firing: ready at 15; its input (end 0) holds at 65; c frees end 1 at 10 + 100.
        # 50 of the wait are end 0's, 45 are end 1's.
        stages = [stage("a", 2, interval=60), stage("b", 2), stage("c", 2, interval=100)]
        flows = [flow(0, end(1)), flow(1, end(2, capacity=1))]
        outcome = run(program(stages, flows), records="all")
        assert starts(outcome, 1) == [5, 110]
        assert waiting(outcome, 1) == [(5, 0, 0), (50, 45, 1)]
        assert outcome.end_waited.tolist()[0] == 55
        assert outcome.end_held.tolist() == [0, 45]

    def test_room_that_comes_while_the_stage_is_starved_does_not_block_it(self, run):
        # b is ready at 15, gets room at 10 + 20 = 30, its input at 65.
        stages = [stage("a", 2, interval=60), stage("b", 2), stage("c", 2, interval=20)]
        outcome = run(program(stages, [flow(0, end(1)), flow(1, end(2, capacity=1))]), records="all")
        assert waiting(outcome, 1)[1] == (50, 0, 0)

    def test_room_and_input_at_one_time_make_the_firing_starved(self, run):
        # Input at 65, room at 10 + 55 = 65.
        stages = [stage("a", 2, interval=60), stage("b", 2), stage("c", 2, interval=55)]
        outcome = run(program(stages, [flow(0, end(1)), flow(1, end(2, capacity=1))]), records="all")
        assert waiting(outcome, 1)[1] == (50, 0, 0)

    def test_the_input_that_came_last_binds(self, run):
        # End 0 holds at 5, end 1 at 12; then end 1 at 22, end 0 at 45.
        stages = [stage("a", 2, interval=40), stage("b", 2, latency=12), stage("c", 2, interval=1)]
        outcome = run(program(stages, [flow(0, end(2)), flow(1, end(2))]), records="all")
        assert waiting(outcome, 2) == [(12, 0, 1), (32, 0, 0)]

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_the_lowest_of_the_inputs_that_came_last_together_binds(self, run, order):
        stages = [stage("a", 1), stage("b", 1), stage("c", 1)]
        outcome = run(program(stages, [flow(order[0], end(2)), flow(order[1], end(2))]), records="all")
        assert waiting(outcome, 2) == [(5, 0, 0)]

    def test_an_input_that_held_before_does_not_bind_for_being_lowest(self, run):
        # End 0 has initial tokens for ever; end 1 and end 2 come together at 5.
        stages = [stage("a", 1), stage("b", 1), stage("z", 0)]
        flows = [flow(2, end(1), initial=9), flow(0, end(1)), flow(0, end(1))]
        outcome = run(program(stages, flows), records="all")
        assert waiting(outcome, 1) == [(5, 0, 1)]

    def test_the_output_end_that_got_room_last_binds(self, run):
        # End 0 has room at 5 + 40, end 1 at 5 + 70.
        stages = [stage("a", 2), stage("b", 2, interval=40), stage("c", 2, interval=70)]
        outcome = run(program(stages, [flow(0, end(1, capacity=1), end(2, capacity=1))]), records="all")
        assert waiting(outcome, 0)[1] == (0, 65, 1)
        assert outcome.end_held.tolist() == [0, 65]

    @pytest.mark.parametrize("order", [(1, 2), (2, 1)])
    def test_the_lowest_of_the_output_ends_that_got_room_together_binds(self, run, order):
        stages = [stage("a", 2), stage("b", 2, interval=40), stage("c", 2, interval=40)]
        flows = [flow(0, end(stage, capacity=1)) for stage in order]
        outcome = run(program(stages, flows), records="all")
        assert waiting(outcome, 0)[1] == (0, 35, 0)

    def test_the_lowest_of_the_output_ends_binds_even_if_its_consumer_started_later(self, run):
        # b gets its token over a link at 5 + 1 + 1 and frees end 0 at 7 + 38; c frees end 1 at 5 + 40.
        stages = [stage("a", 2), stage("b", 2, interval=38), stage("c", 2, interval=40)]
        f = flow(0, end(1, capacity=1, node=0), end(2, capacity=1), route=[Hop(0, 1)])
        outcome = run(program(stages, [f], [Link("l", 1)]), records="all")
        assert waiting(outcome, 0)[1] == (0, 35, 0)

    def test_room_that_comes_as_the_stage_is_ready_is_no_wait(self, run):
        # a is ready at 45, when b frees.
        stages = [stage("a", 2, interval=45), stage("b", 2, interval=40)]
        outcome = run(program(stages, [flow(0, end(1, capacity=1))]), records="all")
        assert waiting(outcome, 0)[1] == (0, 0, BY_ITSELF)


class TestRecords:
    def test_nothing_is_recorded_unless_asked_for(self, run):
        records = run(program([stage("a", 1), stage("b", 1)], [flow(0, end(1))])).records
        assert not any(vars(records).values())

    def test_of_wanted_stages_only_the_firings_are_recorded(self, run):
        records = run(program([stage("a", 1), stage("b", 1)], [flow(0, end(1))]), records=frozenset({1})).records
        assert {number: times.tolist() for number, times in records.starts.items()} == {1: [5]}
        assert [set(kept) for kept in (records.starved, records.blocked, records.bound)] == [{1}] * 3
        assert not any((records.deliveries, records.link_starts, records.link_waits))

    def test_in_a_window_the_records_begin_with_the_last_one_before_it(self, run):
        f = flow(0, end(1, node=0), route=[Hop(0, 3)])
        chain = program([stage("a", 5, interval=10, latency=1), stage("b", 5)], [f], [Link("l", 1)])
        all_of_them = Wanted(frozenset({0, 1}), frozenset({0}), frozenset({0}), since=20, until=41)
        records = run(chain, records=all_of_them).records
        assert records.starts[0].tolist() == [10, 20, 30, 40]
        assert records.starts[1].tolist() == [15, 25, 35]
        assert records.link_starts[0].tolist() == [11, 21, 31]
        assert records.deliveries[0].tolist() == [15, 25, 35]
        assert (records.first_firing, records.first_delivery, records.first_passage) == ({0: 1, 1: 1}, {0: 1}, {0: 1})

    def test_a_run_with_more_records_than_wanted_is_given_up(self, run):
        alone = program([stage("a", 5, interval=10)], [])
        assert len(run(alone, records=Wanted(frozenset({0}), since=20, most=3)).records.starts[0]) == 4
        with pytest.raises(RecordsError, match=r"^the run has more than 2 of the records that are wanted of it$"):
            run(alone, records=Wanted(frozenset({0}), since=20, most=2))
        with pytest.raises(RecordsError, match=r"^a window of records from 20 to 10 ps is none$"):
            Wanted(since=20, until=10)

    def test_all_records_name_every_stage_end_and_hop_even_those_that_nothing_reached(self, run):
        f = flow(0, end(1, node=0), route=[Hop(0, 3)])
        records = run(program([stage("a", 0), stage("b", 0)], [f], [Link("l", 1)]), records="all").records
        per_stage = (records.starts, records.starved, records.blocked, records.bound)
        assert [sorted(kept) for kept in per_stage] == [[0, 1]] * 4
        assert [sorted(kept) for kept in (records.deliveries, records.link_starts)] == [[0], [0]]
        assert records.starts[0].dtype == records.deliveries[0].dtype == np.int64
        assert records.bound[0].dtype == np.int32
