"""The same packets at packet level: a Program of FIFO links with cut-through, by the rules of ``docs/timing.md``.

A cycle is CYCLE picoseconds.  Each flow of packets is a stage that fires at their creations; each channel is a link
that a packet keeps busy for its flits.  Pipelines and wires are those of the flit-level router, so that both levels
give the same latency in an empty network.  What differs: here packets queue whole at each link, without end; at flit
level their flits share a channel in turns and wait for credits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError
from archsim.noc.fabric import Fabric
from archsim.noc.packets import Packets
from archsim.program import End, Flow, Hop, Link, Program, Sequence, Stage

__all__ = ["CYCLE", "LONG_VALID_USE", "SHORT_VALID_USE", "flow_order", "program", "valid_use"]

Ints = NDArray[np.int64]

CYCLE = 1000
"""Picoseconds of a cycle; any number would do."""

SHORT_VALID_USE, LONG_VALID_USE = 0.5, 0.15
"""The use of the busiest channel up to which packet level is within 3 % (single flits) and 5 % (packets of up to 20
flits) of flit level in mean latency; measured, see ``docs/noc.md``."""


def valid_use(packet_flits: int) -> float:
    """The use of the busiest channel up to which packets of that length may be modelled whole."""
    return SHORT_VALID_USE if packet_flits == 1 else LONG_VALID_USE


def flow_order(packets: Packets) -> Ints:
    """The packets flow by flow, in each by creation: the order in which the Program has them."""
    return np.lexsort((packets.created, packets.route))


def program(fabric: Fabric, packets: Packets) -> Program:
    """The Program of unicast packets of one length, none created in the same cycle as another of its flow.

    End ``f`` of the Program delivers the packets of flow ``f``, and stage ``f`` is their source.
    """
    if (packets.routes.ends > 1).any() or len(packets.after) or len(np.unique(packets.flits)) > 1:
        raise ArchsimError("packet level takes unicast packets of one length that wait for nothing")
    routes, flits = packets.routes, int(packets.flits[0])
    links = tuple(Link(fabric.channel_name(channel), hop) for channel, hop in enumerate(_hops(fabric).tolist()))
    order = flow_order(packets)
    flows_of = np.split(order, np.flatnonzero(np.diff(packets.route[order])) + 1)
    bounds = np.append(routes.first, len(routes.channel)).tolist()
    stages, flows = [], []
    for number, mine in enumerate(flows_of):
        route = int(packets.route[mine[0]])
        channels = routes.channel[bounds[route] : bounds[route + 1]].tolist()
        stages.append(_source(fabric, packets.created[mine]))
        nothing = Sequence.constant(0)
        hops = tuple(
            Hop(channel, flits * int(fabric.period[channel]) * CYCLE, parent - 1)
            for parent, channel in enumerate(channels)
        )
        end = End(len(flows_of), nothing, nothing, capacity=len(mine), node=len(channels) - 1)
        emit = Sequence.of([0] + [1] * len(mine)) if packets.created[mine[0]] else Sequence.constant(1)
        flows.append(Flow(f"flow {number}", number, emit, (end,), hops))
    sink = Stage("ends", 0, Sequence.constant(1), Sequence.constant(1))
    return Program((*stages, sink), tuple(flows), links)


def _hops(fabric: Fabric) -> Ints:
    """The time for a head to cross each channel, with the pipeline of the router before it.

    A tail is across when its last flit is: of its serialisation, one cycle is already in the latency of an ejection.
    """
    cycles = fabric.wire.copy()
    count = len(fabric.terminals)
    cycles[count:] += fabric.router.pipeline_cycles
    cycles[-count:] -= 1
    return cycles * CYCLE


def _source(fabric: Fabric, created: Ints) -> Stage:
    """A stage that fires at each creation; where the first is not in cycle 0, after one firing without a token."""
    starts = created if created[0] == 0 else np.append(0, created)
    intervals = np.append(np.diff(starts), 1)
    if intervals.min() < 1:
        raise ArchsimError("packet level needs packets of one flow to be created in different cycles")
    latency = Sequence.constant(fabric.router.source_cycles * CYCLE)
    return Stage("source", len(starts), Sequence.of(intervals * CYCLE), latency)
