"""What is behind each hop for the compiled engine: the hops and ends that tokens go on to, and how much later.

Where a token can never wait there is nothing to work out.  Let all tokens of a link come from one other link P, on
which they take as long or longer: token k starts at P at s(k) and keeps it busy for p(k), and then the link for
h(k) <= p(k).  So

    s(k) >= s(k-1) + p(k-1)                      P serves one token after the other
    its head is here at  s(k) + c + p(k) - h(k)  with c the crossing of P (see ``docs/timing.md``)
    the token before it was done here at  s(k-1) + c + p(k-1) - h(k-1) + h(k-1)  <=  s(k) + c

so it starts at once.  Such a hop is **passed**: what is behind it counts as behind the hop before it, so much later.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.program import NO_NODE, ProgramArrays
from archsim.sequences import starts

__all__ = ["Behind", "orderly", "passed"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def orderly(a: ProgramArrays) -> Bools:
    """For each hop, whether all hops of its link come from one place: from the same link, from the same stage, or they
    are a single hop.  A stage must always have the same latency, or tokens may leave it in another order than its
    firings have."""
    links = len(a.link_hop)
    first = a.hop_parent == NO_NODE
    source = a.flow_source[a.hop_flow]
    place = np.where(first, links + source, a.hop_link[a.hop_parent])
    some = np.zeros(links, np.int64)
    some[a.hop_link] = place
    steady = a.q_period[a.stage_latency] == 1
    other = (place != some[a.hop_link]) | (first & ~steady[source])
    in_order = np.ones(links, bool)
    in_order[a.hop_link[other]] = False
    in_order[np.bincount(a.hop_link, minlength=links) == 1] = True
    return np.asarray(in_order[a.hop_link])


def passed(a: ProgramArrays) -> Bools:
    """For each hop, whether no token ever waits at its link."""
    links = len(a.link_hop)
    parent = a.hop_parent
    before = np.where(parent == NO_NODE, NO_NODE, a.hop_link[parent])
    some = np.zeros(links, np.int64)
    some[a.hop_link] = before
    shorter = a.hop_serialisation[parent] < a.hop_serialisation
    waits = (before == NO_NODE) | (before != some[a.hop_link]) | shorter
    never = np.ones(links, bool)
    never[a.hop_link[waits]] = False
    return np.asarray(never[a.hop_link])


class Behind:
    """What is behind the hops but those that are ``gone``: of hop h ``number[begin[h] : begin[h + 1]]``, the numbers of
    ends or, where ``is_hop``, of hops; their tokens arrive there ``delay`` after they start at h."""

    def __init__(self, a: ProgramArrays, gone: Bools) -> None:
        crossing, service, parent = a.link_hop[a.hop_link], a.hop_serialisation, a.hop_parent
        later = np.where(parent == NO_NODE, 0, crossing[parent] + np.maximum(0, service[parent] - service))
        at, since = _before(parent, later, gone)
        ends = np.flatnonzero(a.end_node != NO_NODE)
        hops = np.flatnonzero((parent != NO_NODE) & ~gone)
        node, above = a.end_node[ends], parent[hops]
        owner = np.concatenate((at[node], at[above]))
        order = np.argsort(owner, kind="stable")
        delay = np.concatenate((since[node] + crossing[node] + service[node], since[above] + later[hops]))
        self.count = np.bincount(owner, minlength=len(parent))
        self.begin = starts(self.count)
        self.number = np.concatenate((ends, hops))[order]
        self.is_hop = order >= len(ends)
        self.delay = delay[order]


def _before(parent: Ints, later: Ints, gone: Bools) -> tuple[Ints, Ints]:
    """The hop that stands for each, itself or the last before it that is not gone, and how long after a start there a
    token starts at this one."""
    at, since = np.where(gone, parent, np.arange(len(parent))), np.where(gone, later, 0)
    while gone[at].any():
        at, since = at[at], since + since[at]
    return at, since
