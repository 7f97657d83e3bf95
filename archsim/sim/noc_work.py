"""What a network on chip does in one inference, action by action, and whether packet level holds for its links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

from archsim.compile.network import Compiled
from archsim.components.router import Router
from archsim.noc.packet_level import LONG_VALID_USE, SHORT_VALID_USE, valid_use
from archsim.results import LedgerRow
from archsim.sim.outcome import Outcome
from archsim.spec.noc import NocEnergy

__all__ = ["NOC", "Passage", "flit_bits", "noc_rows", "rows_of_passages", "validity_notes"]

NOC = "chip.noc"
"""The network in the ledger."""

ENTERING = ("inject", "channel", "chip-in")
LEAVING = ("channel", "eject", "chip-out")
"""Kinds of link by which a flit comes into the buffer of a router, and by which it leaves through its switch."""

ON_CHIP = ("inject", "channel", "eject")

MM = 1e-3


def flit_bits(compiled: Compiled) -> int:
    """The bits of a flit."""
    row = compiled.board.chip.row(compiled.board.chip.noc.router)
    assert isinstance(row, Router)
    return int(row.flit.value)


def noc_rows(compiled: Compiled, energy: NocEnergy) -> list[LedgerRow]:
    """The rows of the ledger for one inference, where the chip says what each action of its network costs.

    A token is cut into whole flits, and into packets that fit a buffer.  Each flit is written into and read from the
    buffer of every router on its way, crosses its switch and is granted it; each packet is granted a virtual channel.
    On a shared way a multicast counts once.  A wire is as long as its routers are apart.
    """
    program, width = compiled.program, flit_bits(compiled)
    buffer = compiled.board.network.keys.buffer_flits

    def passages() -> Iterator[Passage]:
        for flow, tokens in zip(program.flows, program.flow_tokens.tolist(), strict=True):
            if flow.bits:
                flits = -(-flow.bits // width)
                for hop in flow.route:
                    link = program.links[hop.link]
                    yield link.kind, link.name, tokens * flits, tokens * -(-flits // buffer)

    return rows_of_passages(compiled, energy, passages())


Passage = tuple[str, str, int, int]
"""The kind and the name of a link, and the flits and the packets that pass it."""


def rows_of_passages(compiled: Compiled, energy: NocEnergy, passages: Iterable[Passage]) -> list[LedgerRow]:
    """The rows of the ledger for so many flits and packets over the links of a board."""
    wires = compiled.board.wires()
    counts: dict[str, float] = defaultdict(float)
    own: dict[str, tuple[float, float]] = {}
    for kind, link, flits, packets in passages:
        if kind in ENTERING:
            counts["buffer write"] += flits
        if kind in LEAVING:
            for action in ("buffer read", "crossbar"):
                counts[action] += flits
            counts["arbitration"] += flits + packets
        if kind == "channel":
            name = link.split(" ", 2)[2]
            length, each = wires[name]
            counts["flit-hop"] += flits
            if each is None:
                counts["link mm"] += flits * length * float(energy.pitch) / MM
            else:
                own[name] = (own.get(name, (0.0, each))[0] + flits, each)
    costs = {
        "buffer write": energy.buffer_write,
        "buffer read": energy.buffer_read,
        "crossbar": energy.crossbar,
        "arbitration": energy.arbitration,
        "link mm": energy.link_mm,
    }
    rows = [LedgerRow(NOC, action, counts[action], float(cost)) for action, cost in sorted(costs.items())]
    rows += [LedgerRow(NOC, f"link {name}", count, each) for name, (count, each) in sorted(own.items())]
    rows.append(LedgerRow(NOC, "flit-hop", counts["flit-hop"], 0.0))
    return [row for row in rows if row.count]


def validity_notes(compiled: Compiled, outcome: Outcome, interval_ps: float, images: int) -> tuple[str, ...]:
    """What to say of links on chip that are used more than packet level is measured to hold for; nothing if none is."""
    program, width = compiled.program, flit_bits(compiled)
    a = program.arrays
    flits = np.zeros(len(program.links), np.int64)
    np.maximum.at(flits, a.hop_link, (-(-program.flow_bits // width))[a.hop_flow])
    used = [link for link in np.unique(a.hop_link).tolist() if program.links[link].kind in ON_CHIP]
    longest = {link: max(int(flits[link]), 1) for link in used}
    use = {link: float(outcome.link_busy[link]) / images / interval_ps for link in longest}
    beyond = [link for link in longest if use[link] > valid_use(longest[link])]
    if not beyond:
        return ()
    worst = max(beyond, key=lambda link: (use[link] / valid_use(longest[link]), -link))
    plural = "s" if longest[worst] > 1 else ""
    return (
        f"network on chip: {len(beyond)} of {len(longest)} links are used beyond what packet level holds for; "
        f"{program.links[worst].name} is busy {use[worst]:.0%} of the interval with tokens of up to {longest[worst]} "
        f"flit{plural}, and the range ends at {valid_use(longest[worst]):.0%} ({SHORT_VALID_USE:.0%} for single flits, "
        f"{LONG_VALID_USE:.0%} for longer tokens). Waiting in the network is too short there: archsim noc-workload "
        "replays it flit by flit.",
    )
