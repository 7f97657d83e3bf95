"""The compiled engine, the SimPy reference and the plain interpreter of the rules give the same results."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings

from archsim.errors import DeadlockError
from archsim.explore.options import Options
from archsim.explore.run import compile_design, load_design
from archsim.program import End, Flow, Hop, Link, Program, Sequence, Stage
from archsim.sim import _kernel, _tables, compiled, reference
from archsim.sim.outcome import Outcome, Wanted
from tests.property import programs as generator
from tests.property import tiny_engine
from tests.property.programs import programs, random_program
from tests.property.results import differences, result

SEEDED = 1_500
repeatable = settings(derandomize=True, deadline=None, max_examples=400)


def disagreements(program: Program) -> list[str]:
    """What differs between the compiled engine and each of the others."""
    ours = result(compiled.run, program, records="all")
    found = [f"reference: {name}" for name in differences(ours, result(reference.run, program, records="all"))]
    return found + [f"tiny: {name}" for name in differences(ours, result(tiny_engine.run, program))]


@repeatable
@given(programs())
def test_the_engines_agree_in_everything_on_any_program(program: Program) -> None:
    assert disagreements(program) == []


def test_the_engines_agree_on_many_seeded_programs_of_which_most_run_to_their_end() -> None:
    ended = 0
    for seed in range(SEEDED):
        program = random_program(seed)
        assert (seed, disagreements(program)) == (seed, [])
        ended += not isinstance(result(compiled.run, program), DeadlockError)
    assert SEEDED // 2 < ended < SEEDED


def test_the_engines_agree_on_larger_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "MAX_STAGES", 25)
    monkeypatch.setattr(generator, "MAX_LINKS", 12)
    for seed in range(150):
        assert (seed, disagreements(random_program(seed))) == (seed, [])


def test_the_engines_agree_where_there_is_little_to_do_and_at_very_large_times() -> None:
    idle = Stage("idle", 0, Sequence.constant(1), Sequence.constant(1))
    alone = Stage("alone", 3, Sequence.constant(1), Sequence.constant(2))
    for program in (
        Program((), ()),
        Program((idle,), (), (Link("unused", 1),)),
        Program((idle, alone), ()),
        _chain(firings=3, unit=1 << 56),
    ):
        assert disagreements(program) == []


REAL = [
    ("isaac-ce", "lenet-5", []),
    ("puma", "kws-lstm", ["workload.sequence=4"]),
    ("isaac-ce", "resnet20", []),
    ("puma", "squeezenet-1.1", ["workload.host=true"]),
    ("isaac-ce", "resnet18", []),
    ("puma", "lstm-2048", ["workload.sequence=2"]),
    ("puma", "bert-base", ["workload.input=[1, 4, 1]"]),
]


@pytest.mark.parametrize(
    ("chip", "network", "overrides"),
    [pytest.param(*case, marks=[pytest.mark.slow] if n >= 2 else [], id=case[1]) for n, case in enumerate(REAL)],
)
def test_the_engines_agree_in_everything_on_networks_of_the_library(
    chip: str, network: str, overrides: list[str]
) -> None:
    design = load_design(chip, network, overrides)
    program = compile_design(design, None, Options(), lambda step: None).for_images(1)
    ours, theirs = (result(engine.run, program, records="all") for engine in (compiled, reference))
    assert differences(ours, theirs) == []


@repeatable
@given(programs())
def test_a_second_run_gives_the_same(program: Program) -> None:
    first = result(compiled.run, program, records="all")
    assert differences(first, result(compiled.run, program, records="all")) == []


@repeatable
@given(programs())
def test_totals_do_not_depend_on_the_records_that_are_kept(program: Program) -> None:
    everything = result(compiled.run, program, records="all")
    nothing = result(compiled.run, program)
    last = frozenset({len(program.stages) - 1})
    some = result(compiled.run, program, records=last)
    assert differences(everything, nothing, records=False) == []
    assert differences(everything, some, records=False) == []
    if not (isinstance(everything, Outcome) and isinstance(nothing, Outcome) and isinstance(some, Outcome)):
        return
    assert some.records.starts.keys() == last
    assert all(np.array_equal(some.records.starts[s], everything.records.starts[s]) for s in last)
    of_firings = ("starts", "starved", "blocked", "bound", "first_firing")
    for field in dataclasses.fields(some.records):
        assert set(getattr(some.records, field.name)) == (last if field.name in of_firings else set())
        assert not getattr(nothing.records, field.name)


def test_a_run_that_outgrows_its_pool_is_repeated_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = [result(compiled.run, _burst(tokens), records="all") for tokens in (3, 50, 1_000)]
    monkeypatch.setattr(compiled, "POOL", 1)
    again = [result(compiled.run, _burst(tokens), records="all") for tokens in (3, 50, 1_000)]
    assert [differences(a, b) for a, b in zip(usual, again, strict=True)] == [[], [], []]


def test_memory_does_not_grow_with_firings() -> None:
    def words(firings: int) -> tuple[int, int]:
        run = _tables.Words(_chain(firings), Wanted(), pool=1_000)
        assert _kernel.simulate(run.m)
        return len(run.m), int(run.m[_kernel.USED])

    assert words(100) == words(10_000)


def _chain(firings: int, unit: int = 1) -> Program:
    """Three stages in a row over one shared link; the middle one is the slowest.  ``unit`` is in ps."""
    one_each = Sequence((0,), 1, 1)
    stages = tuple(
        Stage(name, firings, Sequence.constant(unit * interval), Sequence.constant(unit * 5))
        for name, interval in (("a", 3), ("b", 4), ("c", 2))
    )
    flows = tuple(
        Flow(f"f{s}", s, Sequence.constant(1), (End(s + 1, one_each, one_each, 1_000_000, 0),), (Hop(0, 1),))
        for s in range(2)
    )
    return Program(stages, flows, (Link("bus", 1),))


def _burst(tokens: int) -> Program:
    """Firings of many tokens at once over a shared link, which then queue there and fan out."""
    total = Sequence((0,), tokens, tokens)
    stages = tuple(Stage(name, 5, Sequence.constant(2), Sequence.constant(3)) for name in "abc")
    flows = tuple(
        Flow(
            f"f{f}",
            f,
            Sequence.constant(tokens),
            (End(2, total, total, 1_000_000, 1), End(2, total, total, 1_000_000, 0)),
            (Hop(0, 2), Hop(1, 3, 0)),
        )
        for f in range(2)
    )
    return Program(stages, flows, (Link("bus", 1), Link("channel", 1)))
