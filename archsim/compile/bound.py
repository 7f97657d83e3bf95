"""A lower bound of the time between images, from the work of each server alone."""

from __future__ import annotations

import numpy as np

from archsim.program import Program

__all__ = ["busiest_link_ps", "busiest_stage_ps"]


def busiest_link_ps(program: Program) -> int:
    """The time in ps for which the busiest link serves the tokens of the Program."""
    a = program.arrays
    if not len(a.link_hop):
        return 0
    busy = np.bincount(a.hop_link, program.flow_tokens[a.hop_flow] * a.hop_serialisation, len(a.link_hop))
    return int(busy.max())


def busiest_stage_ps(program: Program) -> int:
    """The time in ps that the firings of the slowest stage take; intervals are constant."""
    a = program.arrays
    return int((a.stage_firings * (a.pool[a.q_start[a.stage_interval]] + a.q_offset[a.stage_interval])).max(initial=0))
