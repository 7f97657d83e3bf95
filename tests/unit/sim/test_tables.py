"""The tables that the compiled engine reads say what the sequences of the Program say."""

from __future__ import annotations

import pytest

from archsim.program import End, Flow, Program, Sequence, Stage
from archsim.sim import _kernel as k
from archsim.sim._tables import Words
from archsim.sim.outcome import wanted_of
from tests.property.programs import random_program

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
