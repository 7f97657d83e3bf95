"""Buffer capacities: enough that no network can deadlock, as much more as the tiles' buffers hold.

The untimed, demand-driven run of the Program gives for each end a capacity that cannot deadlock.  What then is left of
a tile's buffer goes first to tokens on their way, so that no stage waits for a credit; then to ends in proportion to
what they could use, at the most the tokens of several images: the short way around a block must hold those on which
the long way still works.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from archsim import demand
from archsim.compile.builder import UNBOUNDED
from archsim.compile.known import Known
from archsim.errors import CompileError
from archsim.program import Program
from archsim.units import format_si
from archsim.untimed import sufficient_capacities

__all__ = ["BufferTooSmallError", "with_capacities"]

Ints = NDArray[np.int64]

IMAGES_AHEAD = 8
"""Images of which an end has room for all tokens, at the most."""

FIRINGS_AHEAD = 3
"""Firings of the source for which an end has room beyond the least, as far as the buffer allows: tokens on their way
through the network and the adders."""

COMPILED_FROM = 10_000
"""Firings from which the untimed run is compiled: a compiled engine will run the Program next, so that Numba will be
loaded anyway."""


class BufferTooSmallError(CompileError):
    """A tile's buffer is too small with this placement; another may do."""


def with_capacities(
    program: Program, stage_tile: list[int], buffer_bits: int, *, check: bool = True, known: Known | None = None
) -> Program:
    """``program`` with all capacities set; ``known`` is what other compilations may have found of it.

    ``stage_tile`` gives the tile of each stage, below 0 for the host, whose room is not limited.  Raises
    BufferTooSmallError if the least that a tile must hold is more than ``buffer_bits``, unless ``check`` is off: then
    ends get what there is.
    """
    least = (known or Known()).least(program, _least)
    a = program.arrays
    bits = program.flow_bits[a.end_flow]
    given = a.end_capacity
    tile = np.array(stage_tile, np.int64)[a.end_stage]
    buffered = (given == UNBOUNDED) & (tile >= 0)
    capacity = np.where(given == UNBOUNDED, least, np.maximum(given, least))
    most = np.maximum(IMAGES_AHEAD * program.flow_tokens[a.end_flow] + a.flow_initial[a.end_flow], least)
    burst = np.maximum.reduceat(a.pool, a.q_start)[a.flow_emit]
    flowing = np.minimum(least + FIRINGS_AHEAD * burst[a.end_flow], most)
    members: dict[int, list[int]] = defaultdict(list)
    for end in np.flatnonzero(buffered).tolist():
        members[int(tile[end])].append(end)
    for place, list_of_ends in members.items():
        ends = np.array(list_of_ends)
        held = int((least[ends] * bits[ends]).sum())
        if held > buffer_bits and check:
            raise _too_small(program, place, ends, least * bits, buffer_bits)
        capacity[ends] = _shared(least[ends], flowing[ends], most[ends], bits[ends], buffer_bits - held)
    capacity = np.where(~buffered & (given == UNBOUNDED), most, capacity)
    return program.with_capacities(capacity)


def _least(program: Program) -> Ints:
    """Capacities with which ``program`` cannot deadlock."""
    a = program.arrays
    done = demand.run(a, compiled=int(a.stage_firings.sum()) >= COMPILED_FROM)
    if np.any(done.fired < a.stage_firings):
        return sufficient_capacities(program)  # which says where it is stuck
    return done.peak


def _shared(least: Ints, flowing: Ints, most: Ints, bits: Ints, free: int) -> Ints:
    """``free`` bits dealt to ends: first for what lets tokens flow, then for the most; where it does not do, in
    proportion to what each end could still use.  Fewer than ``least`` if ``free`` is below 0."""
    if free < 0:
        held = int((least * bits).sum())
        fewer: Ints = np.maximum(1, least * (held + free) // held)
        return fewer
    capacity = least
    for aim in (flowing, most):
        wanted = (aim - capacity) * bits
        total = int(wanted.sum())
        if total > free:
            # in floats: which end gets a token more is no matter of time
            more: Ints = np.floor(wanted * (free / total)).astype(np.int64) // np.maximum(bits, 1)
            return capacity + more
        capacity, free = aim, free - total
    return capacity


def _too_small(program: Program, tile: int, ends: Ints, held: Ints, buffer_bits: int) -> BufferTooSmallError:
    by_layer: dict[str, int] = defaultdict(int)
    a = program.arrays
    for end in ends.tolist():
        by_layer[program.stages[int(a.end_stage[end])].layer] += int(held[end])
    demand = sum(by_layer.values())
    parts = ", ".join(f"{layer} {_kib(amount)}" for layer, amount in sorted(by_layer.items(), key=lambda i: -i[1]))
    return BufferTooSmallError(
        f"tile {tile}: its buffer must hold {_kib(demand)} ({parts}), it has {_kib(buffer_bits)}, "
        f"{_kib(demand - buffer_bits)} too little. More chips, fewer copies or a larger buffer would help."
    )


def _kib(bits: int) -> str:
    return f"{bits / 8192:.1f} KiB" if bits >= 8192 else format_si(bits / 8, "B")
