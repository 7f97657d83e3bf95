"""The random Programs are of all the kinds that the rules speak of; else agreement would mean little."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from archsim.program import Flow, Program, Sequence
from archsim.sim import compiled
from archsim.sim._behind import passed
from archsim.sim.outcome import Outcome
from tests.property.programs import random_program
from tests.property.results import result

PROGRAMS = 500
AT_LEAST = PROGRAMS // 20
"""Of each kind."""


def test_every_kind_of_program_is_generated_often() -> None:
    counts = Counter(kind for seed in range(PROGRAMS) for kind in set(kinds(random_program(seed))))
    rare = {kind: counts[kind] for kind in KINDS if counts[kind] < AT_LEAST}
    assert rare == {}


KINDS = (
    *("join", "fork", "merge on a link", "recurrence", "loop", "initial tokens", "several ends", "tree of links"),
    *("direct delivery", "no token in a firing", "several tokens in a firing", "tokens dropped on arrival"),
    *("overlapping windows", "falling latency", "deadlock", "starved", "blocked", "queue at a link"),
    *("deliveries to a stage at one time", "hop without waiting"),
)


def kinds(program: Program) -> Iterator[str]:
    """What a Program has, and what happens in it."""
    ends = [end for flow in program.flows for end in flow.ends]
    if max(Counter(end.stage for end in ends).values(), default=0) > 1:
        yield "join"
    if max(Counter(flow.source for flow in program.flows).values(), default=0) > 1:
        yield "fork"
    if max(Counter(hop.link for flow in program.flows for hop in flow.route).values(), default=0) > 1:
        yield "merge on a link"
    if passed(program.arrays).any():
        yield "hop without waiting"
    for stage in program.stages:
        latencies = stage.latency.values(stage.firings)
        if (latencies[1:] + stage.interval.values(stage.firings)[:-1] < latencies[:-1]).any():
            yield "falling latency"
    for flow in program.flows:
        yield from _kinds_of_flow(program, flow)
    outcome = result(compiled.run, program, records="all")
    if isinstance(outcome, Outcome):
        yield from _happenings(program, outcome)
    else:
        yield "deadlock"


def _kinds_of_flow(program: Program, flow: Flow) -> Iterator[str]:
    if any(end.stage <= flow.source for end in flow.ends):
        yield "recurrence"
    if any(end.stage == flow.source for end in flow.ends):
        yield "loop"
    if flow.initial:
        yield "initial tokens"
    if len(flow.ends) > 1:
        yield "several ends"
    if max(Counter(hop.parent for hop in flow.route).values(), default=0) > 1:
        yield "tree of links"
    if any(end.node < 0 for end in flow.ends):
        yield "direct delivery"
    if min(flow.emit.table) == 0:
        yield "no token in a firing"
    if max(flow.emit.table) > 1:
        yield "several tokens in a firing"
    for end in flow.ends:
        need, free = _totals(program, end.stage, end.need), _totals(program, end.stage, end.free)
        if any(frees > needed for needed, frees in zip(need, free, strict=True)):
            yield "tokens dropped on arrival"
        if any(frees < needed for needed, frees in zip(need, free, strict=True)):
            yield "overlapping windows"


def _totals(program: Program, stage: int, sequence: Sequence) -> list[int]:
    return [int(total) for total in sequence.values(program.stages[stage].firings)]


def _happenings(program: Program, outcome: Outcome) -> Iterator[str]:
    if outcome.stage_starved.any():
        yield "starved"
    if outcome.stage_blocked.any():
        yield "blocked"
    if outcome.link_waited.any():
        yield "queue at a link"
    ends = [end for flow in program.flows for end in flow.ends]
    deliveries = outcome.records.deliveries
    times = Counter((end.stage, time) for e, end in enumerate(ends) for time in set(deliveries[e].tolist()))
    if max(times.values(), default=0) > 1:
        yield "deliveries to a stage at one time"
