"""Records of some rows in a window of time are a cut of all records, and the same from both engines."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archsim.errors import RecordsError
from archsim.program import Program
from archsim.sim import compiled, reference
from archsim.sim.levels import tokens_held
from archsim.sim.outcome import Outcome, Records, Wanted
from tests.property.programs import programs
from tests.property.results import differences, result

repeatable = settings(derandomize=True, deadline=None, max_examples=150)


def whole(program: Program) -> Outcome:
    outcome = result(compiled.run, program, records="all")
    assume(isinstance(outcome, Outcome))
    assert isinstance(outcome, Outcome)
    return outcome


@st.composite
def some_rows(draw: st.DrawFn, program: Program, makespan: int) -> Wanted:
    """A few rows, in a window that may be empty, or begin late, or never end."""
    a = program.arrays
    numbers = [draw(st.frozensets(st.sampled_from(range(len(rows))))) if len(rows) else frozenset()
               for rows in (a.stage_firings, a.end_flow, a.hop_flow)]  # fmt: skip
    since, until = sorted(draw(st.integers(0, makespan + 2)) for _ in range(2))
    stages, ends, hops = numbers
    return Wanted(stages, ends, hops, since=since) if draw(st.booleans()) else Wanted(stages, ends, hops, since, until)


def cut(records: Records, wanted: Wanted) -> tuple[Records, int]:
    """What is left of all ``records``, and how many of them are in the window."""
    kept: dict[str, dict[int, object]] = {field.name: {} for field in dataclasses.fields(Records)}
    inside = 0
    for rows, times, columns, first in (
        (wanted.stages, "starts", ("starts", "starved", "blocked", "bound"), "first_firing"),
        (wanted.ends, "deliveries", ("deliveries",), "first_delivery"),
        (wanted.hops, "link_starts", ("link_starts", "link_waits"), "first_passage"),
    ):
        for row in rows:
            all_times = getattr(records, times)[row].tolist()
            before = sum(time < wanted.since for time in all_times)
            past = sum(time < wanted.until for time in all_times)
            inside += past - before
            kept[first][row] = max(0, before - 1)
            for column in columns:
                kept[column][row] = getattr(records, column)[row][max(0, before - 1) : past]
    return Records(**kept), inside  # type: ignore[arg-type]


@repeatable
@given(programs(), st.data())
def test_both_engines_cut_the_same_window_out_of_all_records(program: Program, data: st.DataObject) -> None:
    outcome = whole(program)
    wanted = data.draw(some_rows(program, outcome.makespan))
    expected, inside = cut(outcome.records, wanted)
    for engine in (compiled, reference):
        windowed = engine.run(program, records=dataclasses.replace(wanted, most=inside))
        assert differences(windowed, dataclasses.replace(outcome, records=expected)) == []
        if inside:
            refused = result_of_too_few(engine.run, program, dataclasses.replace(wanted, most=inside - 1))
            assert isinstance(refused, RecordsError)


def result_of_too_few(run, program: Program, wanted: Wanted) -> object:  # type: ignore[no-untyped-def]
    try:
        return run(program, records=wanted)
    except RecordsError as error:
        return error


@repeatable
@given(programs())
def test_every_token_on_a_link_starts_when_it_comes_or_waits_for_one_that_is_on_it(program: Program) -> None:
    outcome = whole(program)
    a, records = program.arrays, outcome.records
    for link in range(len(program.links)):
        spans = sorted(
            (int(start), int(start + a.hop_serialisation[hop]), int(wait))
            for hop in np.flatnonzero(a.hop_link == link).tolist()
            for start, wait in zip(records.link_starts[hop], records.link_waits[hop], strict=True)
        )
        assert sum(wait for _, _, wait in spans) == outcome.link_waited[link]
        ends = [0, *(end for _, end, _ in spans)]
        assert all(start >= end for (start, _, _), end in zip(spans, ends, strict=False))
        assert all(start == end for (start, _, wait), end in zip(spans, ends, strict=False) if wait)


@repeatable
@given(programs(), st.data())
def test_the_tokens_held_at_an_end_peak_as_the_engine_says_and_a_window_of_them_is_a_cut(
    program: Program, data: st.DataObject
) -> None:
    outcome = whole(program)
    since = data.draw(st.integers(0, outcome.makespan))
    every = frozenset(range(len(program.stages)))
    window = compiled.run(program, records=Wanted(every, since=since)).records
    for end in range(int(program.end_offsets[-1])):
        times, held = tokens_held(program, outcome.records, end)
        assert held.min() >= 0
        assert max(held.max(), program.arrays.flow_initial[program.arrays.end_flow[end]]) == outcome.end_peak[end]
        assert held.max() <= program.arrays.end_capacity[end]
        later, still_held = tokens_held(program, window, end, since)
        inside = times > since
        assert later.tolist() == [since, *times[inside]]
        assert still_held.tolist() == [held[~inside][-1], *held[inside]]
