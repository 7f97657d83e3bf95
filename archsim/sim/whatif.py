"""How much faster a network would be if one thing took half the time, or none; found out by running it again.

A what-if keeps the network where it is: the same copies in the same places, the same routes, the same order of firings.
Only times change, and for room the capacities.  They come from the compiler, which is given a chip with the thing twice
as fast, or so fast that it takes 1 ps.  The figure is exact for the model.

It is not a bound for what lies between: where tokens of several flows meet at a link, one thing less slow can change
who comes first, and make the whole slower.  Only where every link is one flow's own do shorter times never delay
anything, and then no speed of a component gives more than its what-if.
"""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from archsim.compile.builder import UNBOUNDED
from archsim.compile.network import Compiled, on_chip
from archsim.hardware.causes import faster
from archsim.program import Flow, Program, Sequence, Stage
from archsim.sim.engines import EngineName, engine
from archsim.sim.outcome import Outcome
from archsim.sim.simulate import busiest, finished, steady_interval, watched

__all__ = ["NO_TIME", "REGISTERS", "Change", "Times", "changed", "rerun", "times"]

NO_TIME = 10**12
"""How many times as fast a thing is that takes no time: what is left of a second is 1 ps, the least time there is."""

REGISTERS = "registers"
"""The name of the room that registers between two stages have."""


@dataclass(frozen=True, slots=True)
class Change:
    """``names`` of components, of room or of a layer (see :mod:`archsim.hardware.causes`), all together."""

    kind: Literal["component", "room", "layer"]
    names: tuple[str, ...]


class Times(NamedTuple):
    """The mean time between inferences, and that of one inference in the empty machine, in ps; and the server that is
    busiest, with the share of the interval for which it is.

    A single inference has no interval, so both times are the same then.
    """

    interval_ps: float
    latency_ps: int
    busiest: str
    busy: float


@dataclass(frozen=True)
class Rerun:
    """A network to be run again with ``change`` ``factor`` times as fast or large, for ``images`` inferences.

    ``registers`` are the ends whose room is in registers.
    """

    compiled: Compiled
    change: Change
    factor: int
    images: int
    engine: EngineName
    registers: tuple[int, ...]


def rerun(wanted: Rerun) -> Times | None:
    """The times of the network with the change; None if that changes nothing in the Program."""
    compiled = changed(wanted.compiled, wanted.change, wanted.factor, wanted.registers)
    if _alike(wanted.compiled.program, compiled.program):
        return None
    run, stages = engine(wanted.engine), watched(compiled)
    single = run(compiled.program, records=stages)
    if wanted.images == 1:
        return times(compiled, single, single)
    return times(compiled, single, run(compiled.for_images(wanted.images), records=stages))


def times(compiled: Compiled, single: Outcome, outcome: Outcome) -> Times:
    """The times of a network from its run of one inference and that of several."""
    latency = int(finished(compiled, single)[0])
    done = finished(compiled, outcome)
    interval = steady_interval(done, outcome)[0] if len(done) > 1 else float(latency)
    stage, link, ps = busiest(outcome)
    program = compiled.program
    name = program.stages[stage].name if stage >= 0 else program.links[link].name
    return Times(interval, latency, name, ps / (len(done) * interval))


def changed(compiled: Compiled, change: Change, factor: int, registers: Seq[int] = ()) -> Compiled:
    """``compiled`` with the change: another chip under it, other capacities, or a layer's own times."""
    if change.kind == "layer":
        return replace(compiled, program=_layer(compiled.program, set(change.names), factor))
    if change.names == (REGISTERS,):
        capacity = compiled.program.arrays.end_capacity.copy()
        capacity[list(registers)] = np.minimum(capacity[list(registers)] * factor, UNBOUNDED)
        return replace(compiled, program=compiled.program.with_capacities(capacity))
    return on_chip(compiled, faster(compiled.board.chip, change.names, factor))


def _alike(one: Program, other: Program) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.arrays, other.arrays, strict=True))


def _layer(program: Program, layers: set[str], factor: int) -> Program:
    """All stages of some layers ``factor`` times as fast, and all links for the tokens that they send."""
    stages = tuple(_faster_stage(stage, factor) if stage.layer in layers else stage for stage in program.stages)
    flows = tuple(
        _faster_flow(flow, factor) if program.stages[flow.source].layer in layers else flow for flow in program.flows
    )
    return Program(stages, flows, program.links)


def _faster_stage(stage: Stage, factor: int) -> Stage:
    return replace(stage, interval=_shorter(stage.interval, factor), latency=_shorter(stage.latency, factor))


def _shorter(times: Sequence, factor: int) -> Sequence:
    return Sequence(tuple(-(-(time + times.offset) // factor) for time in times.table))


def _faster_flow(flow: Flow, factor: int) -> Flow:
    return replace(flow, route=tuple(replace(hop, serialisation=-(-hop.serialisation // factor)) for hop in flow.route))
