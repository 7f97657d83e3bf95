"""The critical path of any run has no gap, and each of its steps takes what the Program states for it.

Which steps bind is shown on Programs in which every link is one flow's own.  There every time is a maximum of sums of
stated times, over firings and tokens whose order is fixed.  So three things are theorems: shorter intervals, latencies
and hops delay nothing; no change of theirs makes the makespan shorter than what the same path then takes; and those
that are not on the path can be shortened without any effect.  Where flows share links, the order of tokens hangs on
times and none of the three holds.  Nor does it for serialisations: a link that is faster than those around it holds
heads back (rule 4).
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings

from archsim.errors import DeadlockError
from archsim.program import NO_NODE, Flow, Hop, Link, Program, Sequence
from archsim.sim import compiled, reference
from archsim.sim.critical import Path, Piece, critical_path
from archsim.sim.outcome import Outcome
from tests.property.programs import programs, random_program

SEEDED = 250
repeatable = settings(derandomize=True, deadline=None, max_examples=80)
Run = Callable[..., Outcome]


class Case(NamedTuple):
    seed: int
    program: Program
    outcome: Outcome
    path: Path


ALWAYS = 0
"""A link that has been busy for this long holds up all flows: every token follows the one ahead of it."""


def outcome_of(program: Program, run: Run = compiled.run) -> Outcome | None:
    try:
        return run(program, records="all")
    except DeadlockError:
        return None


def stated(program: Program, piece: Piece, outcome: Outcome) -> int:
    """The duration that the Program states for a piece; only in contention it hangs on others."""
    stage = program.stages[piece.stage]
    first = piece.firing - piece.firings + 1
    if piece.kind in ("interval", "room"):
        return sum(stage.interval.at(n) for n in range(first, piece.firing + 1))
    if piece.kind == "latency":
        return stage.latency.at(piece.firing)
    flow, hop = hop_of(program, piece.token.hop)
    if piece.kind == "hop":
        return program.links[hop.link].hop
    if piece.kind == "queue":
        return hop.serialisation
    if piece.kind == "contention":
        return contended(program, piece, outcome)
    following = {hop.serialisation - other.serialisation for other in flow.route}
    assert piece.duration == hop.serialisation or piece.duration in following
    return piece.duration


def hop_of(program: Program, number: int) -> tuple[Flow, Hop]:
    for flow in program.flows:
        if number < len(flow.route):
            return flow, flow.route[number]
        number -= len(flow.route)
    raise AssertionError


def contended(program: Program, piece: Piece, outcome: Outcome) -> int:
    """What is left, when a head arrives, of the services at the link up to its own."""
    link = hop_of(program, piece.waiting.hop)[1].link
    left = 0
    for number, starts in outcome.records.link_starts.items():
        hop = hop_of(program, number)[1]
        if hop.link == link:
            ends = np.minimum(starts + hop.serialisation, piece.finish)
            left += int(np.maximum(0, ends - np.maximum(starts, piece.begin))[starts < piece.finish].sum())
    return left


def require_sound(program: Program, outcome: Outcome, path: Path, finish: int) -> None:
    """No gap from 0 to ``finish``, and every piece as long as the Program states."""
    at = 0
    for piece in path.pieces:
        assert piece.begin == at
        assert piece.duration == stated(program, piece, outcome) > 0
        at = piece.finish
    assert at == finish == path.finish == sum(piece.duration for piece in path.pieces)


def all_paths_are_sound(program: Program, run: Run) -> Counter[str]:
    outcome = outcome_of(program, run)
    kinds: Counter[str] = Counter()
    for saturated in (None, ALWAYS, 5) if outcome else ():
        path = critical_path(program, outcome, saturated=saturated)
        require_sound(program, outcome, path, outcome.makespan)
        kinds.update(piece.kind for piece in path.pieces)
    return kinds


@repeatable
@given(programs())
def test_the_pieces_of_a_path_follow_each_other_and_add_up_to_the_makespan(program: Program) -> None:
    all_paths_are_sound(program, compiled.run)


@pytest.mark.parametrize("run", [compiled.run, reference.run])
def test_so_they_do_with_either_engine_on_many_seeded_programs_with_pieces_of_every_kind(run: Run) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(SEEDED):
        kinds += all_paths_are_sound(random_program(seed), run)
    assert min(kinds.values()) > 200
    assert set(kinds) == {"interval", "latency", "room", "hop", "serialisation", "queue", "contention"}


@repeatable
@given(programs())
def test_a_path_leads_to_every_firing(program: Program) -> None:
    outcome = outcome_of(program)
    for stage, starts in outcome.records.starts.items() if outcome else ():
        for firing in {0, len(starts) // 2, len(starts) - 1} if len(starts) else ():
            path = critical_path(program, outcome, (stage, firing))
            require_sound(program, outcome, path, int(starts[firing]))


@repeatable
@given(programs())
def test_what_a_stage_waits_for_on_a_path_is_what_the_engine_says_that_bound_it(program: Program) -> None:
    outcome = outcome_of(program)
    if outcome is None:
        return
    path = critical_path(program, outcome)
    for before, after in zip(path.pieces, path.pieces[1:], strict=False):
        if after.stage >= 0 and before.end != NO_NODE:
            first = after.firing - after.firings + 1
            assert outcome.records.bound[after.stage][first] == before.end
            assert bool(outcome.records.blocked[after.stage][first]) == (before.kind == "room")


# -- what binds ---------------------------------------------------------------------------------


def with_own_links(program: Program) -> Program:
    """The same with a link for each hop."""
    links: list[Link] = []
    flows = []
    for flow in program.flows:
        route = []
        for hop in flow.route:
            route.append(dataclasses.replace(hop, link=len(links)))
            links.append(program.links[hop.link])
        flows.append(dataclasses.replace(flow, route=tuple(route)))
    return Program(program.stages, tuple(flows), tuple(links))


Choice = Callable[[str, int], bool]
"""Whether the intervals or the latencies of a stage, or the hop of a link, change."""


def rescaled(program: Program, chosen: Choice, factor: Callable[[int], int]) -> Program:
    """``program`` with ``factor`` applied to the chosen times."""

    def sequence(values: Sequence, apply: bool) -> Sequence:
        return Sequence(tuple(map(factor, values.table))) if apply else values

    stages = tuple(
        dataclasses.replace(
            stage,
            interval=sequence(stage.interval, chosen("interval", s)),
            latency=sequence(stage.latency, chosen("latency", s)),
        )
        for s, stage in enumerate(program.stages)
    )
    links = tuple(
        dataclasses.replace(link, hop=factor(link.hop)) if chosen("hop", number) else link
        for number, link in enumerate(program.links)
    )
    return Program(stages, program.flows, links)


def used(program: Program, path: Path) -> set[tuple[str, int]]:
    """The times that a path is made of."""
    found: set[tuple[str, int]] = set()
    for piece in path.pieces:
        if piece.kind in ("interval", "room"):
            found.add(("interval", piece.stage))
        elif piece.kind == "latency":
            found.add(("latency", piece.stage))
        elif piece.kind == "hop":
            found.add(("hop", int(program.arrays.hop_link[piece.token.hop])))
    return found


@pytest.fixture(scope="module")
def private() -> list[Case]:
    """Runs on links that are not shared, each with its seed and its path."""
    out = []
    for seed in range(SEEDED):
        program = with_own_links(random_program(seed))
        if (outcome := outcome_of(program)) is not None:
            out.append(Case(seed, program, outcome, critical_path(program, outcome)))
    return out


def makespan(program: Program) -> int:
    return compiled.run(program).makespan


def test_a_flow_on_links_of_its_own_contends_with_nobody(private: list[Case]) -> None:
    assert len(private) > SEEDED // 2
    assert not any(piece.kind == "contention" for _, _, _, path in private for piece in path.pieces)


def test_shorter_times_delay_nothing_where_links_are_not_shared(private: list[Case]) -> None:
    for seed, program, outcome, _ in private:
        draw = random.Random(seed)
        half = rescaled(program, lambda what, number, draw=draw: draw.random() < 0.5, lambda time: max(1, time // 2))
        assert makespan(half) <= outcome.makespan, seed


def test_what_is_not_on_the_path_can_take_no_time_without_any_effect(private: list[Case]) -> None:
    shortened = 0
    for seed, program, outcome, path in private:
        on_path = used(program, path)
        without = rescaled(program, lambda what, number, p=on_path: (what, number) not in p, lambda time: 1)
        assert makespan(without) == outcome.makespan, seed
        shortened += without != program
    assert shortened > len(private) // 2


def test_what_is_on_the_path_delays_the_end_by_as_much_as_it_gets_longer(private: list[Case]) -> None:
    for seed, program, outcome, path in private:
        stage_times = [p for p in path.pieces if p.kind in ("interval", "latency", "room")]
        if not stage_times:
            continue
        piece = random.Random(seed).choice(stage_times)
        what = "latency" if piece.kind == "latency" else "interval"
        longer = rescaled(program, lambda w, n, what=what, s=piece.stage: (w, n) == (what, s), lambda time: time + 7)
        firings = sum(
            p.firings for p in stage_times if p.stage == piece.stage and (p.kind == "latency") == (what == "latency")
        )
        assert makespan(longer) >= outcome.makespan + 7 * firings, seed


def test_no_stage_brings_more_than_its_share_of_the_path(private: list[Case]) -> None:
    """Without any time of its own, up to the least of 1 ps for each of its times on the path."""
    gained = 0
    for seed, program, outcome, path in private:
        for stage in range(len(program.stages)):
            times = [p for p in path.pieces if p.stage == stage]
            share = sum(p.duration - p.firings for p in times)
            free = rescaled(
                program, lambda what, number, s=stage: what in ("interval", "latency") and number == s, lambda time: 1
            )
            after = makespan(free)
            assert outcome.makespan - share <= after <= outcome.makespan, (seed, stage)
            gained += after < outcome.makespan
    assert gained > len(private)


def test_where_links_are_shared_a_faster_stage_can_make_the_whole_slower() -> None:
    """So a what-if is a run, and no sum over a path: a shorter time brings a token before another at a link."""

    def slower(seed: int) -> bool:
        program = random_program(seed)
        outcome = outcome_of(program)
        if outcome is None:
            return False
        halves = (
            rescaled(program, lambda what, n, s=stage: what == "latency" and n == s, lambda time: max(1, time // 2))
            for stage in range(len(program.stages))
        )
        return any(makespan(half) > outcome.makespan for half in halves)

    assert any(slower(seed) for seed in range(SEEDED))
