"""Cut-through never outruns a link: no token is delivered before its tail has left every link on its way."""

from __future__ import annotations

import pytest

from archsim.errors import DeadlockError
from archsim.program import NO_NODE, Program
from archsim.sim import compiled, reference
from archsim.sim.outcome import Outcome
from tests.property.programs import random_program

PROGRAMS = 400


def check_tails(program: Program, outcome: Outcome) -> int:
    """How many deliveries over links were looked at."""
    a = program.arrays
    looked = 0
    for end, node in enumerate(a.end_node):
        hop = int(node)
        arrived = outcome.records.deliveries[end]
        while hop != NO_NODE:
            crossing = int(a.link_hop[a.hop_link[hop]] + a.hop_serialisation[hop])
            gone = outcome.records.link_starts[hop] + crossing
            assert len(gone) == len(arrived)
            assert (arrived >= gone).all()
            looked += len(arrived)
            hop = int(a.hop_parent[hop])
    return looked


@pytest.mark.parametrize("run", [compiled.run, reference.run])
def test_no_token_is_delivered_before_its_tail_has_left_every_earlier_link(run: object) -> None:
    assert callable(run)
    looked = 0
    for seed in range(PROGRAMS):
        program = random_program(seed)
        try:
            outcome = run(program, records="all")
        except DeadlockError:
            continue
        looked += check_tails(program, outcome)
    assert looked > 10 * PROGRAMS
