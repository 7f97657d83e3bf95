"""Packets to be sent through a fabric, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError
from archsim.noc.fabric import Fabric, Routes

__all__ = ["COUNTS", "EVENTS", "NEVER", "FlitRun", "Packets"]

Ints = NDArray[np.int64]
Tree = tuple[int, tuple[int, ...]]

NEVER = np.int64(2**62)
"""The time of what does not happen."""

EVENTS = ("send", "allocate", "switch", "arrive")
"""What a trace tells of: a source puts a flit on its injection channel; a head is given a virtual channel; a flit is
granted the switch; a flit has come to the other end of a channel."""

COUNTS = (
    "flits_created",
    "flits_injected",
    "flits_ejected",
    "buffer_writes",
    "buffer_reads",
    "crossbar_flits",
    "vc_requests",
    "vc_grants",
    "switch_requests",
    "switch_grants",
)
"""The work that a run counts; a request is one of a packet (or flit) in a cycle."""


@dataclass(frozen=True)
class Packets:
    """Packet ``p`` of ``flits[p]`` flits follows route ``route[p]``.

    Without predecessors it is created in cycle ``created[p]``.  A packet that others precede is created ``created[p]``
    cycles (at least one) after the last of them has been delivered everywhere: ``before`` and ``after`` list the pairs.
    The packets of one source are sent in the order of their creation, of one cycle in the order of their numbers.
    """

    routes: Routes
    route: Ints
    created: Ints
    flits: Ints
    before: Ints
    after: Ints

    def __len__(self) -> int:
        return len(self.route)

    @classmethod
    def of(
        cls,
        fabric: Fabric,
        source: NDArray[np.integer],
        targets: list[tuple[int, ...]] | NDArray[np.integer],
        created: NDArray[np.integer],
        flits: int | NDArray[np.integer],
        precedence: list[tuple[int, int]] | None = None,
    ) -> Packets:
        """Packets by source and target terminals (several for a multicast), creation and length.

        ``precedence`` holds pairs of packet numbers (before, after).  ArchsimError if they form a cycle, a terminal
        does not exist, or a multicast packet is longer than a buffer.
        """
        highest = max(int(source.max(initial=0)), _highest(targets))
        if highest >= len(fabric.terminals):
            raise ArchsimError(f"no terminal {highest}: the network has {len(fabric.terminals)} terminals")
        if isinstance(targets, np.ndarray):
            pairs, route = np.unique(source * len(fabric.terminals) + targets, return_inverse=True)
            trees: list[Tree] = [
                (pair // len(fabric.terminals), (pair % len(fabric.terminals),)) for pair in pairs.tolist()
            ]
        else:
            known: dict[Tree, int] = {}
            route = np.array(
                [known.setdefault(pair, len(known)) for pair in zip(source.tolist(), targets, strict=True)]
            )
            trees = list(known)
        return cls.along(fabric, trees, route, created, flits, precedence)

    @classmethod
    def along(
        cls,
        fabric: Fabric,
        trees: list[Tree],
        route: NDArray[np.integer],
        created: NDArray[np.integer],
        flits: int | NDArray[np.integer],
        precedence: list[tuple[int, int]] | None = None,
    ) -> Packets:
        """Packets that each follow one of ``trees``, a source and its targets, by its index; the rest as in ``of``."""
        sizes = np.broadcast_to(np.asarray(flits, np.int64), route.shape).copy()
        order = np.array(precedence or [], np.int64).reshape(-1, 2)
        packets = cls(
            fabric.routes(trees), route.astype(np.int64), np.asarray(created, np.int64), sizes, order[:, 0], order[:, 1]
        )
        packets._check(fabric)
        return packets

    def _check(self, fabric: Fabric) -> None:
        if len(self) and (self.flits.min() < 1 or self.created.min() < 0):
            raise ArchsimError("a packet has at least one flit and is created in cycle 0 or later")
        several = self.routes.ends[self.route] > 1
        depth = fabric.router.buffer_flits
        if several.any() and self.flits[several].max() > depth:
            raise ArchsimError(
                f"a multicast packet of {int(self.flits[several].max())} flits is longer than the {depth} of a buffer "
                "(buffer_flits): its copies could wait for each other for ever"
            )
        if len(self.after) and self.created[self.after].min() < 1:
            raise ArchsimError("a packet that waits for another is created at least one cycle after it")
        if _cyclic(len(self), self.before, self.after):
            raise ArchsimError("packets wait for each other in a cycle")

    @cached_property
    def waits_for(self) -> Ints:
        """How many packets must have been delivered before each is created."""
        return np.bincount(self.after, minlength=len(self)).astype(np.int64)

    @cached_property
    def followers(self) -> tuple[Ints, Ints]:
        """The packets that wait for each, as rows of a CSR matrix."""
        order = np.argsort(self.before, kind="stable")
        counts = np.bincount(self.before, minlength=len(self))
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), self.after[order]

    @cached_property
    def sources(self) -> Ints:
        """The terminal that sends each: injection channels have the numbers of their terminals."""
        return self.routes.channel[self.routes.first[self.route]]

    @cached_property
    def targets(self) -> Ints:
        """The ejection channel of each, where every packet has one target."""
        last = np.append(self.routes.first[1:], len(self.routes.channel)) - 1
        channels: Ints = self.routes.channel[last]
        return channels[self.route]

    def channel_flits(self, channels: int) -> Ints:
        """The flits that they put on each of ``channels`` channels."""
        routes = self.routes
        lengths = np.diff(np.append(routes.first, len(routes.channel)))
        by_route = np.bincount(self.route, weights=self.flits, minlength=len(lengths))
        flits = np.bincount(routes.channel, weights=np.repeat(by_route, lengths), minlength=channels)
        return flits.astype(np.int64)


def _highest(targets: list[tuple[int, ...]] | NDArray[np.integer]) -> int:
    if isinstance(targets, np.ndarray):
        return int(targets.max(initial=0))
    return max((max(each) for each in targets if each), default=0)


def _cyclic(count: int, before: Ints, after: Ints) -> bool:
    """Whether the pairs contain a cycle: repeatedly take away what waits for nothing."""
    waits = np.bincount(after, minlength=count)
    order = np.argsort(before, kind="stable")
    ptr = np.concatenate([[0], np.cumsum(np.bincount(before, minlength=count))])
    todo = np.flatnonzero(waits == 0).tolist()
    done = 0
    while todo:
        packet = todo.pop()
        done += 1
        for other in after[order[ptr[packet] : ptr[packet + 1]]].tolist():
            waits[other] -= 1
            if not waits[other]:
                todo.append(other)
    return done < count


@dataclass(frozen=True)
class FlitRun:
    """What happened, in cycles; NEVER for what did not.

    ``created``, ``sent`` (the head leaves its source) and ``delivered`` (the last tail is ejected) are by packet.
    ``channel_flits`` are the flits put on each channel, ``ejected`` the flits ejected at each terminal within the
    window asked for; ``peak`` is the most flits that the buffer of each virtual channel ever held.  ``counts`` are of
    work done, by the names of ``COUNTS``.  ``cycle`` is the last one simulated.  ``stuck`` has a row (virtual channel,
    the one that its front packet needs next) for each buffer that still holds flits.  ``trace`` has rows (cycle,
    event, channel, virtual channel, packet, flit), sorted, if it was asked for.
    """

    created: Ints
    sent: Ints
    delivered: Ints
    channel_flits: Ints
    ejected: Ints
    peak: Ints
    counts: dict[str, int]
    cycle: int
    stuck: Ints
    trace: Ints | None = None

    @property
    def latency(self) -> Ints:
        """From creation to the ejection of the last tail, by packet; meaningless for what was not delivered."""
        return self.delivered - self.created
