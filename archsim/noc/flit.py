"""The flit-level network: one call, two engines with the same results, and the report of a deadlock."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from archsim import jit
from archsim.errors import DeadlockError
from archsim.noc.fabric import Fabric
from archsim.noc.packets import NEVER, FlitRun, Packets

__all__ = ["FlitEngine", "deadlock_report", "simulate"]

FlitEngine = Literal["compiled", "reference"]

FIRST_TRACE = 1 << 12
"""Rows of a trace for which there is room at first."""


def simulate(
    fabric: Fabric,
    packets: Packets,
    *,
    until: int | None = None,
    window: tuple[int, int] = (0, int(NEVER)),
    tagged: NDArray[np.bool_] | None = None,
    trace: bool = False,
    engine: FlitEngine | None = None,
) -> FlitRun:
    """Send the packets: until all that are ``tagged`` (by default all) have been delivered, or before cycle ``until``.

    ``window`` is the cycles in which ejected flits are counted by terminal.

    Raises DeadlockError when nothing can happen any more and packets are left.
    """
    wanted = np.ones(len(packets), np.bool_) if tagged is None else tagged
    limit = int(NEVER) if until is None else until
    name = engine or ("reference" if jit.MISSING else "compiled")
    if name == "reference":
        from archsim.noc import reference  # noqa: PLC0415

        result = reference.run(fabric, packets, until=limit, window=window, tagged=wanted, trace=trace)
    else:
        result = _compiled(fabric, packets, limit, window, wanted, trace)
    undelivered = np.count_nonzero(result.delivered[wanted] == NEVER)
    if undelivered and result.cycle < limit - 1 and not _waiting(packets, result, limit):
        raise DeadlockError(deadlock_report(fabric, result, int(undelivered)))
    return result


def _waiting(packets: Packets, result: FlitRun, limit: int) -> bool:
    """Whether a packet would still have been created at or after the limit."""
    later = (result.created >= limit) & (result.created < NEVER)
    return bool(later.any())


def _compiled(
    fabric: Fabric,
    packets: Packets,
    limit: int,
    window: tuple[int, int],
    tagged: NDArray[np.bool_],
    trace: bool,
) -> FlitRun:
    from archsim.noc import _kernel  # noqa: PLC0415
    from archsim.noc._state import Words  # noqa: PLC0415

    room = FIRST_TRACE if trace else 0
    while True:
        words = Words(fabric, packets, window, tagged, room)
        _kernel.simulate(words.m, limit)
        if words.m[_kernel.TRACED] <= room:
            return words.result(trace)
        room = int(words.m[_kernel.TRACED])


def deadlock_report(fabric: Fabric, run: FlitRun, undelivered: int) -> str:
    """What waits for what: from the first buffer that is stuck along the next that its packet needs."""
    vcs = fabric.router.virtual_channels
    onward = dict(run.stuck.tolist())

    def name(box: int) -> str:
        return f"{fabric.channel_name(box // vcs)} vc {box % vcs}"

    chain: list[int] = []
    box = min(onward) if onward else None
    while box is not None and box not in chain:
        chain.append(box)
        box = onward.get(box)
    start = f"deadlock in cycle {run.cycle}: nothing can move and {undelivered} packets have not been delivered"
    if box is None:
        return start
    cycle = chain[chain.index(box) :]
    shown = " -> ".join(name(box) for box in [*cycle, cycle[0]])
    return f"{start}; {len(cycle)} buffers wait for each other in a cycle: {shown}"
