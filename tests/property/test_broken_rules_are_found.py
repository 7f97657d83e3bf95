"""An engine that breaks one rule is found out by comparing it with the unbroken ones on random Programs."""

from __future__ import annotations

from functools import cache

import pytest

from archsim.program import Program
from archsim.sim import compiled
from tests.property import tiny_engine
from tests.property.programs import random_program
from tests.property.results import Result, differences, result

PROGRAMS = 500


@cache
def expected(seed: int) -> tuple[Program, Result]:
    program = random_program(seed)
    return program, result(compiled.run, program, records="all")


@pytest.mark.parametrize("rule", tiny_engine.BREAKABLE)
def test_breaking_a_rule_changes_a_result_within_500_programs(rule: str) -> None:
    def changes(seed: int) -> bool:
        program, unbroken = expected(seed)
        return bool(differences(unbroken, result(tiny_engine.run, program, broken=rule)))

    assert any(changes(seed) for seed in range(PROGRAMS))


def test_an_unbroken_engine_is_not_suspected() -> None:
    for seed in range(PROGRAMS):
        program, outcome = expected(seed)
        assert differences(outcome, result(tiny_engine.run, program)) == []
