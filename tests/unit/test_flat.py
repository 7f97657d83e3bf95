"""Programs put together as columns are those put together from records."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from archsim.errors import ProgramError
from archsim.flat import Columns, Ends, Route
from archsim.program import End, Flow, Link, Program, Sequence, Stage
from tests.property.programs import random_program

EACH = Sequence((1,), 1)


def in_columns(program: Program) -> Program:
    columns = Columns()
    for flow in program.flows:
        ends = Ends(*zip(*[(e.stage, e.need, e.free, e.capacity, e.node) for e in flow.ends], strict=True))
        columns.flow(flow.name, flow.source, flow.emit, ends, Route.of(flow.route), flow.initial, flow.bits)
    return Program.of_columns(program.stages, columns, program.links)


@pytest.mark.parametrize("seed", range(20))
def test_columns_and_records_make_the_same_program(seed: int) -> None:
    program = random_program(seed)
    made = in_columns(program)
    for ours, theirs in zip(made.arrays, program.arrays, strict=True):
        assert np.array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
        assert ours.flags.writeable  # Numba compiles anew for arrays that are not
    assert made == program
    assert made.sequences == program.sequences


def test_records_are_made_when_they_are_first_asked_for_and_are_those_of_what_was_derived() -> None:
    made = in_columns(random_program(3))
    assert "flows" not in vars(made)
    twice = made.repeated(2)
    capacities = np.arange(len(made.arrays.end_flow)) + 7
    roomy = twice.with_capacities(capacities)
    assert "flows" not in vars(made) | vars(roomy)
    assert [end.capacity for flow in roomy.flows for end in flow.ends] == capacities.tolist()
    assert [stage.firings for stage in roomy.stages] == [2 * stage.firings for stage in made.stages]
    assert roomy == Program(roomy.stages, roomy.flows, roomy.links)
    assert pickle.loads(pickle.dumps(made)) == made


def test_what_breaks_the_rules_is_refused_in_columns_too() -> None:
    columns = Columns()
    columns.flow("f", 0, EACH, Ends([1], [EACH], [EACH], [1], [-1]), Route())
    stages = tuple(Stage(name, 1, Sequence.constant(1), Sequence.constant(1)) for name in "ab")
    with pytest.raises(ProgramError, match="flow 'f': emit must be periodic"):
        Program.of_columns(stages, columns, (Link("l", 1),))


def test_a_program_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="stream"):
        _ = random_program(0).stream  # type: ignore[attr-defined]


def test_a_packed_sequence_is_equal_to_one_of_its_values() -> None:
    values = np.array([0, 1, 1, 3], np.int64)
    packed = Sequence.packing(values.tobytes(), 4)
    assert packed == Sequence((0, 1, 1, 3), 4)
    assert hash(packed) == hash(Sequence((0, 1, 1, 3), 4))
    ends = (End(1, packed, Sequence((0, 1, 1, 3), 4), 1),)
    stages = tuple(Stage(name, 1, Sequence.constant(1), Sequence.constant(1)) for name in "ab")
    made = Program(stages, (Flow("f", 0, Sequence.constant(1), ends),))
    assert made.arrays.end_need[0] == made.arrays.end_free[0]
