"""The same packets at packet level: a Program of FIFO links with cut-through, by the rules of ``docs/timing.md``.

A cycle is CYCLE picoseconds.  Each flow of packets is a stage that fires at their creations; each channel is a link
that a packet keeps busy for its flits.  Pipelines and wires are those of the flit-level router, so that both levels
give the same latency in an empty network.  What differs: here packets queue whole at each link, without end; at flit
level their flits share a channel in turns and wait for credits.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError
from archsim.noc.fabric import Fabric
from archsim.noc.packets import Packets
from archsim.noc.topology import merged
from archsim.program import End, Flow, Hop, Link, Program, Sequence, Stage

__all__ = ["CYCLE", "LONG_VALID_USE", "SHORT_VALID_USE", "delivered", "program", "valid_use"]

Ints = NDArray[np.int64]

CYCLE = 1000
"""Picoseconds of a cycle; any number would do."""

SHORT_VALID_USE, LONG_VALID_USE = 0.5, 0.15
"""The use of the busiest channel up to which packet level is within 3 % (single flits) and 5 % (packets of up to 20
flits) of flit level in mean latency; measured, see ``docs/noc.md``."""


def valid_use(packet_flits: int) -> float:
    """The use of the busiest channel up to which packets of that length may be modelled whole."""
    return SHORT_VALID_USE if packet_flits == 1 else LONG_VALID_USE


def _flows(packets: Packets) -> tuple[list[Ints], Ints]:
    """The packets flow by flow, each in the order of creation; and the route and length of each flow."""
    kinds, flow = np.unique(np.stack([packets.route, packets.flits], axis=1), axis=0, return_inverse=True)
    flow = flow.reshape(-1)
    order = np.lexsort((packets.created, flow))
    return np.split(order, np.flatnonzero(np.diff(flow[order])) + 1), kinds


def program(fabric: Fabric, packets: Packets) -> Program:
    """The Program of packets that wait for nothing: a flow for each route and length, its source a stage of the same
    number.  An end hangs on the ejection channel of each target.
    """
    if len(packets.after):
        raise ArchsimError("packet level takes packets that wait for nothing")
    links = tuple(Link(fabric.channel_name(channel), hop) for channel, hop in enumerate(_hops(fabric).tolist()))
    members, kinds = _flows(packets)
    nothing = Sequence.constant(0)
    stages, flows = [], []
    for number, (mine, (route, flits)) in enumerate(zip(members, kinds.tolist(), strict=True)):
        starts, counts = np.unique(packets.created[mine], return_counts=True)
        if starts[0]:
            starts, counts = np.append(0, starts), np.append(0, counts)
        stages.append(_source(fabric, starts))
        tree, hangs = merged(packets.routes.paths(route))
        hops = tuple(Hop(c, flits * int(fabric.period[c]) * CYCLE, parent) for c, parent in tree)
        ends = tuple(End(len(members), nothing, nothing, capacity=len(mine), node=node) for node in hangs)
        flows.append(Flow(f"flow {number}", number, Sequence.of(counts), ends, hops))
    sink = Stage("ends", 0, Sequence.constant(1), Sequence.constant(1))
    return Program((*stages, sink), tuple(flows), links)


def delivered(packets: Packets, records: Mapping[int, Ints]) -> Ints:
    """When each packet has been delivered everywhere, in cycles, by the ``records`` of deliveries at each end."""
    times = np.empty_like(packets.created)
    end = 0
    members, kinds = _flows(packets)
    for mine, (route, _) in zip(members, kinds.tolist(), strict=True):
        ends = range(end, end := end + int(packets.routes.ends[route]))
        times[mine] = np.max([records[number] for number in ends], axis=0) // CYCLE
    return times


def _hops(fabric: Fabric) -> Ints:
    """The time for a head to cross each channel, with the pipeline of the router before it.

    A tail is across when its last flit is: of its serialisation, one cycle is already in the latency of an ejection.
    """
    cycles = fabric.wire.copy()
    count = len(fabric.terminals)
    cycles[count:] += fabric.router.pipeline_cycles
    cycles[-count:] -= 1
    return cycles * CYCLE


def _source(fabric: Fabric, starts: Ints) -> Stage:
    """A stage that fires in these cycles, the first of which is 0."""
    latency = Sequence.constant(fabric.router.source_cycles * CYCLE)
    intervals = np.append(np.diff(starts), 1)
    return Stage("source", len(starts), Sequence.of(intervals * CYCLE), latency)
