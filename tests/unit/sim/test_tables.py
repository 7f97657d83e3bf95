"""The tables that the compiled engine reads say what the sequences of the Program say."""

from __future__ import annotations

import pytest

from archsim.errors import ArchsimError
from archsim.program import End, Flow, Hop, Link, Program, Sequence, Stage
from archsim.sim import _behind, reference
from archsim.sim import _kernel as k
from archsim.sim._tables import Words
from archsim.sim.compiled import run
from archsim.sim.outcome import Outcome, wanted_of
from tests.property.programs import random_program
from tests.property.results import result

ONE = Sequence((1,))
EACH = Sequence((1,), 1)


def listed(program: Program, stage: int) -> list[dict[int, int]]:
    """For each firing of a stage the tokens by the flow's place among its flows, as the engine finds them."""
    words = Words(program, wanted_of(program, frozenset()), 1 << 10)
    m, found = words.m, []
    place = int(words.stages[stage, k.OUTS]) & k.LOW
    for _ in range(program.stages[stage].firings):
        if m[place] == k.WRAP:
            place = int(m[place + 1])
        own = m[place + 1 : place + 1 + m[place]].tolist()
        found.append({(word >> k.HALF) // k.FLOW_ROW: word & k.LOW for word in own})
        place += 1 + len(own)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_each_firing_lists_the_flows_that_it_puts_tokens_on(seed: int) -> None:
    program = random_program(seed).repeated(3)
    for number, stage in enumerate(program.stages):
        own = [flow for flow in program.flows if flow.source == number]
        full = [any(end.capacity < flow.initial for end in flow.ends) for flow in own]
        tokens = [flow.emit.values(stage.firings).tolist() for flow in own]
        expected = [
            {place: tokens[place][n] for place in range(len(own)) if tokens[place][n] or full[place]}
            for n in range(stage.firings)
        ]
        assert listed(program, number) == expected


def test_periods_that_do_not_divide_each_other_are_gone_through_together() -> None:
    stages = (Stage("a", 100, ONE, ONE), Stage("b", 100, ONE, ONE))
    emits = (Sequence((0, 2)), Sequence((0, 0, 3)), Sequence((0,)), Sequence((0, 1, 0, 0, 0, 0, 5)))
    flows = tuple(Flow(str(n), 0, emit, (End(1, EACH, EACH, 9),)) for n, emit in enumerate(emits))
    firings = listed(Program(stages, flows), 0)
    assert firings[:8] == [{}, {0: 2, 3: 1}, {1: 3}, {0: 2}, {}, {0: 2, 1: 3}, {3: 5}, {0: 2}]
    assert firings[42:84] == firings[:42]


def test_a_flow_that_is_too_full_is_listed_where_it_gets_nothing() -> None:
    stages = (Stage("a", 4, ONE, ONE), Stage("b", 4, ONE, ONE))
    flow = Flow("f", 0, Sequence((0, 1)), (End(1, EACH, EACH, 2),), initial=3)
    assert listed(Program(stages, (flow,)), 0) == [{0: 0}, {0: 1}, {0: 0}, {0: 1}]


@pytest.mark.parametrize("seed", range(40))
def test_needs_and_freed_totals_grow_by_their_changes(seed: int) -> None:
    program = random_program(seed).repeated(3)
    words = Words(program, wanted_of(program, frozenset()), 1 << 10)
    ends = [end for flow in program.flows for end in flow.ends]
    for end, row in zip(ends, words.ends.tolist(), strict=True):
        firings = program.stages[end.stage].firings
        place, need, freed, found = row[k.CHANGE], row[k.NEED], row[k.FREES] - end.capacity, []
        for _ in range(firings):
            if words.m[place] == k.WRAP:
                place = words.m[place + 1]
            need += int(words.m[place]) >> k.HALF
            freed += int(words.m[place]) & k.LOW
            found.append((need, freed))
            place += 1
        totals = zip(end.need.values(firings).tolist(), end.free.values(firings).tolist(), strict=True)
        assert found == list(totals)


def test_a_change_that_half_a_word_does_not_hold_is_refused() -> None:
    stages = (Stage("a", 2, ONE, ONE), Stage("b", 2, ONE, ONE))
    many = Sequence((0, 1 << 31))
    flow = Flow("f", 0, many, (End(1, many, EACH, 1 << 32),))
    with pytest.raises(ArchsimError) as refused:
        run(Program(stages, (flow,)))
    assert str(refused.value) == (
        "the need or the freed total of an input changes by 2147483648 tokens from one firing to the next, "
        "the compiled engine takes 2147483647; --engine simpy"
    )


def through(*flows: tuple[int, tuple[int, ...]], latency: Sequence = ONE, tokens: tuple[int, ...] = ()) -> Program:
    """Flows, each given by its source and its links, of which it is ``tokens`` ps on each, by default 1."""
    stages = tuple(Stage(str(n), 4, Sequence((9,)), latency) for n in range(3))
    links = tuple(Link(str(n), 1) for n in range(5))
    times = [tokens or (1,) * len(way) for _, way in flows]
    ways = [
        tuple(Hop(link, time, n - 1) for n, (link, time) in enumerate(zip(way, each, strict=True)))
        for (_, way), each in zip(flows, times, strict=True)
    ]
    return Program(
        stages,
        tuple(
            Flow(str(n), source, ONE, (End(2, EACH, EACH, 9, len(way) - 1),), way)
            for n, ((source, _), way) in enumerate(zip(flows, ways, strict=True))
        ),
        links,
    )


def orderly(*flows: tuple[int, tuple[int, ...]], latency: Sequence = ONE) -> list[list[bool]]:
    """For each flow which of its links tokens cross without a queue."""
    marked = iter(_behind.orderly(through(*flows, latency=latency).arrays).tolist())
    return [[next(marked) for _ in way] for _, way in flows]


def passed(*flows: tuple[int, tuple[int, ...]], tokens: tuple[int, ...] = ()) -> list[list[bool]]:
    """For each flow at which of its links tokens never wait."""
    marked = iter(_behind.passed(through(*flows, tokens=tokens).arrays).tolist())
    return [[next(marked) for _ in way] for _, way in flows]


class TestOrderlyLinks:
    """Tokens need no queue at a link that they all reach from one place, one after the other."""

    def test_a_link_of_a_single_flow(self) -> None:
        assert orderly((0, (0, 1))) == [[True, True]]

    def test_a_link_that_two_stages_use_has_a_queue_and_those_behind_it_have_none(self) -> None:
        assert orderly((0, (0, 1, 2)), (1, (0, 1, 3))) == [[False, True, True]] * 2

    def test_a_link_behind_two_links_has_a_queue(self) -> None:
        assert orderly((0, (0, 2, 3)), (0, (1, 2, 3))) == [[True, False, True]] * 2

    def test_a_link_where_one_flow_begins_and_another_comes_by_has_a_queue(self) -> None:
        assert orderly((0, (0, 1)), (1, (1,))) == [[True, False], [False]]

    def test_flows_of_one_stage_leave_in_order_if_its_latency_is_always_the_same(self) -> None:
        assert orderly((0, (0,)), (0, (0,))) == [[True]] * 2
        assert orderly((0, (0,)), (0, (0,)), latency=Sequence((20, 1))) == [[False]] * 2
        assert orderly((0, (0,)), latency=Sequence((20, 1))) == [[True]]


class TestPassedLinks:
    """No token waits where all come from one link that holds them as long or longer."""

    def test_a_way_of_one_flow_but_its_first_link(self) -> None:
        assert passed((0, (0, 1, 2))) == [[False, True, True]]

    def test_links_that_flows_reach_together_from_one_link(self) -> None:
        assert passed((0, (0, 1, 2)), (1, (0, 1, 3))) == [[False, True, True]] * 2

    def test_a_link_that_holds_tokens_for_longer_has_them_wait(self) -> None:
        assert passed((0, (0, 1, 2)), tokens=(5, 6, 3)) == [[False, False, True]]
        assert passed((0, (0, 1, 2)), tokens=(5, 5, 6)) == [[False, True, False]]

    def test_a_link_behind_two_links_or_one_and_a_stage(self) -> None:
        assert passed((0, (0, 2, 3)), (0, (1, 2, 3))) == [[False, False, True]] * 2
        assert passed((0, (0, 1)), (1, (1,))) == [[False, False], [False]]

    @pytest.mark.parametrize("seed", range(300))
    def test_the_reference_sees_no_waiting_there(self, seed: int) -> None:
        program = random_program(seed)
        outcome = result(reference.run, program)
        if isinstance(outcome, Outcome):
            a = program.arrays
            assert not outcome.link_waited[a.hop_link[_behind.passed(a)]].any()

    def test_what_is_behind_them_counts_as_behind_the_hop_before(self) -> None:
        a = through((0, (0, 1, 2)), tokens=(7, 5, 4)).arrays
        behind = _behind.Behind(a, _behind.passed(a))
        assert behind.count.tolist() == [1, 0, 0]
        assert (behind.number.tolist(), behind.is_hop.tolist()) == ([0], [False])
        # heads cross three links of 1 ps, and each waits until its link can send on without a gap: 2 ps, then 1 ps
        assert behind.delay.tolist() == [3 + 2 + 1 + 4]
