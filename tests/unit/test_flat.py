"""Programs put together as columns are those put together from records."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from archsim.errors import ProgramError
from archsim.flat import Columns, Ends, Route, Trees
from archsim.program import Link, Program, Sequence, Stage
from archsim.sequences import Sequences, ints, starts
from tests.property.programs import random_program

EACH = Sequence((1,), 1)


def in_columns(program: Program) -> Program:
    """The same Program from columns: every third flow alone with its hops, the others together and their hops as trees,
    but for the first ones of each."""
    sequences = Sequences()
    columns = Columns(sequences)
    routed: list[int] = []
    trees: list[list[int]] = [[], [], [], []]
    counts: list[int] = []
    for number, flow in enumerate(program.flows):
        needs, frees = (sequences.of(of).tolist() for of in zip(*[(e.need, e.free) for e in flow.ends], strict=True))
        ends = [(e.stage, *of, e.capacity, e.node) for e, *of in zip(flow.ends, needs, frees, strict=True)]
        emit, own = int(sequences.of([flow.emit])[0]), min(number % 4, len(flow.route))
        if number % 3 == 0:
            own = len(flow.route)
        if number % 3 == 1:
            own = 0
            each = [ints([value]) for value in (flow.source, emit, len(ends))]
            more = [ints([value]) for value in (flow.initial, flow.bits)]
            columns.flows([flow.name], *each, [ints(of) for of in zip(*ends, strict=True)], *more)
        else:
            lists = Ends(*zip(*ends, strict=True))
            columns.flow(flow.name, flow.source, emit, lists, Route.of(flow.route[:own]), flow.initial, flow.bits)
        if number % 3:
            routed.append(number)
            counts.append(len(flow.route) - own)
            for hop in flow.route[own:]:
                for column, value in zip(trees, (hop.link, hop.serialisation, hop.parent - own), strict=False):
                    column.append(value)
            trees[3] += [end.node - own for end in flow.ends]
    grown = Trees(ints(routed), starts(counts), *map(ints, trees))
    return Program.of_columns(program.stages, columns, program.links, grown)


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
    sequences = Sequences()
    each, columns = int(sequences.of([EACH])[0]), Columns(sequences)
    columns.flow("f", 0, each, Ends([1], [each], [each], [1], [-1]), Route())
    stages = tuple(Stage(name, 1, Sequence.constant(1), Sequence.constant(1)) for name in "ab")
    with pytest.raises(ProgramError, match="flow 'f': emit must be periodic"):
        Program.of_columns(stages, columns, (Link("l", 1),))


def test_a_program_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="stream"):
        _ = random_program(0).stream  # type: ignore[attr-defined]
