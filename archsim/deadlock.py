"""Why a run can never end: the stuck stages and the cycle of stages that wait for each other.

A pure function of the Program and of the totals that an engine holds when nothing can happen any more.  Both
engines and the untimed run share it, so that they give the same report.
"""

from __future__ import annotations

from collections.abc import Sequence as Numbers

import numpy as np
from numpy.typing import NDArray

from archsim.errors import DeadlockError, Obstacle
from archsim.program import End, Program

__all__ = ["deadlock"]

Totals = Numbers[int] | NDArray[np.int64]

STAGES_NAMED = 5
STEPS_NAMED = 20
"""How many stuck stages, and how many steps of the chain, a message tells."""


def deadlock(program: Program, *, fired: Totals, delivered: Totals, freed: Totals, emitted: Totals) -> DeadlockError:
    """The error for a run in which nothing can happen and firings remain.

    ``fired`` counts the firings started by each stage.  ``delivered`` and ``freed`` are token totals of each
    end and ``emitted`` of each flow; the initial tokens count as emitted and as delivered.
    """
    state = _State(program, fired, delivered, freed, emitted)
    stuck = tuple(s for s, stage in enumerate(program.stages) if fired[s] < stage.firings)
    chain: list[Obstacle] = []
    place: dict[int, int] = {}  # where in the chain a stage stands
    stage = stuck[0]
    while stage not in place and fired[stage] < program.stages[stage].firings:
        place[stage] = len(chain)
        chain.append(state.obstacle(stage))
        stage = chain[-1].waits_for
    cycle = tuple(chain[place[stage] :]) if stage in place else ()
    return DeadlockError(_message(program, fired, stuck, chain, cycle), stuck=stuck, chain=tuple(chain), cycle=cycle)


class _State:
    """What each stuck stage lacks."""

    def __init__(
        self,
        program: Program,
        fired: Totals,
        delivered: Totals,
        freed: Totals,
        emitted: Totals,
    ) -> None:
        self.program = program
        self.arrays = program.arrays
        self.fired = fired
        self.delivered = delivered
        self.freed = freed
        self.emitted = emitted

    def obstacle(self, stage: int) -> Obstacle:
        """The lowest unmet input end of a stuck stage, else its lowest output end without room."""
        a = self.arrays
        n = int(self.fired[stage])
        for end in a.stage_in[a.stage_in_ptr[stage] : a.stage_in_ptr[stage + 1]].tolist():
            flow = int(a.end_flow[end])
            need = self._record(flow, end).need.at(n)
            if self.delivered[end] < need:
                source = self.program.flows[flow].source
                return Obstacle(stage, flow, end, "tokens", int(self.delivered[end]), need, source)
        for flow in a.stage_out[a.stage_out_ptr[stage] : a.stage_out_ptr[stage + 1]].tolist():
            count = self.program.flows[flow].emit.at(n)
            for end in range(a.flow_end_ptr[flow], a.flow_end_ptr[flow + 1]):
                record = self._record(flow, end)
                used = int(self.emitted[flow] - self.freed[end])
                if used + count > record.capacity:
                    return Obstacle(stage, flow, end, "room", used, used + count, record.stage)
        raise AssertionError(f"stage {stage} is not stuck")  # an engine stopped too early: a bug

    def _record(self, flow: int, end: int) -> End:
        return self.program.flows[flow].ends[end - int(self.arrays.flow_end_ptr[flow])]


def _message(
    program: Program, fired: Totals, stuck: tuple[int, ...], chain: list[Obstacle], cycle: tuple[Obstacle, ...]
) -> str:
    def name(stage: int) -> str:
        return f"{program.stages[stage].name!r} (started {fired[stage]} of {program.stages[stage].firings} firings)"

    more = [f"{len(stuck) - STAGES_NAMED} more"] if len(stuck) > STAGES_NAMED else []
    heads = ", ".join([*(name(stage) for stage in stuck[:STAGES_NAMED]), *more])
    lines = [f"deadlock: {len(stuck)} of {len(program.stages)} stages can never go on: {heads}"]
    steps = cycle or chain
    lines += [f"  {_step(program, obstacle)}" for obstacle in steps[:STEPS_NAMED]]
    if len(steps) > STEPS_NAMED:
        lines.append(f"  and so on, {len(steps)} steps in all")
    last = program.stages[steps[-1].waits_for].name
    lines.append(f"  which closes the cycle at {last!r}" if cycle else f"  but {last!r} has finished all its firings")
    return "\n".join(lines)


def _step(program: Program, obstacle: Obstacle) -> str:
    flow = program.flows[obstacle.flow]
    waiting, other = program.stages[obstacle.stage].name, program.stages[obstacle.waits_for].name
    if obstacle.lacks == "tokens":
        return (
            f"{waiting!r} waits for tokens of flow {flow.name!r} from {other!r}: "
            f"has {obstacle.have}, needs {obstacle.want}"
        )
    capacity = flow.ends[obstacle.end - int(program.end_offsets[obstacle.flow])].capacity
    return (
        f"{waiting!r} waits for room on flow {flow.name!r} at {other!r}: "
        f"{obstacle.have} of {capacity} used, needs {obstacle.want - obstacle.have} more"
    )
