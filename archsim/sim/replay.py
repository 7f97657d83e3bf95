"""The traffic of a compiled network on one chip, replayed flit by flit and with whole packets.

The tokens are those of the busiest part of a run, each at the time at which it came to the network: the network is
loaded as the run loads it, but does not in turn slow the tiles down.  A token is cut into packets that fit a buffer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.compile.network import Compiled
from archsim.components.router import Router
from archsim.errors import ArchsimError
from archsim.noc.fabric import Fabric
from archsim.noc.flit import FlitEngine, simulate
from archsim.noc.packet_level import delivered, program
from archsim.noc.packets import Packets
from archsim.program import Flow, Link
from archsim.sim.engines import chosen, engine
from archsim.sim.outcome import Records, Wanted
from archsim.units import duration_ps

__all__ = ["Latency", "Replay", "Tokens", "busiest_chip", "gather", "replay"]

Ints = NDArray[np.int64]
Tree = tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class Tokens:
    """Token t takes ``trees[tree[t]]``, from a terminal to one or several, with ``flits[t]`` flits, and comes to the
    network in cycle ``created[t]``, counted from the first cycle that is looked at; ``cycles`` are looked at."""

    trees: list[Tree]
    tree: Ints
    created: Ints
    flits: Ints
    cycles: int

    def packets(self, fabric: Fabric, *, copies: bool) -> tuple[Packets, Ints]:
        """Packets of at most a buffer's flits, and the token of each; with ``copies`` one for each target."""
        trees, tree, token = self.trees, self.tree, np.arange(len(self.tree))
        if copies:
            alone: list[Tree] = [(source, (target,)) for source, targets in self.trees for target in targets]
            sizes = np.array([len(targets) for _, targets in self.trees], np.int64)
            first = np.cumsum(sizes) - sizes
            token = np.repeat(token, sizes[tree])
            begins = np.cumsum(sizes[tree]) - sizes[tree]
            nth = np.arange(len(token)) - np.repeat(begins, sizes[tree])
            trees, tree = alone, first[tree[token]] + nth
        most = fabric.router.buffer_flits
        pieces = -(-self.flits[token] // most)
        packet_token = np.repeat(token, pieces)
        nth = np.arange(len(packet_token)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        flits = np.minimum(most, self.flits[packet_token] - nth * most)
        order = np.argsort(self.created[packet_token], kind="stable")
        packets = Packets.along(
            fabric, trees, np.repeat(tree, pieces)[order], self.created[packet_token][order], flits[order]
        )
        return packets, packet_token[order]


@dataclass(frozen=True)
class Latency:
    """Cycles from a token's arrival at the network to its delivery to the last of its targets."""

    mean: float
    p50: float
    p99: float

    @classmethod
    def of(cls, tokens: Tokens, token: Ints, done: Ints) -> Latency:
        """Of all tokens, from when the packets of each are delivered."""
        last = np.zeros(len(tokens.created), np.int64)
        np.maximum.at(last, token, done)
        waited = last - tokens.created
        return cls(float(waited.mean()), float(np.percentile(waited, 50)), float(np.percentile(waited, 99)))


@dataclass(frozen=True)
class Level:
    """One way to send the tokens: their latency, the flits on each channel, and the work that the routers did."""

    name: str
    latency: Latency
    channel_flits: Ints
    cycles: int
    counts: dict[str, int]


@dataclass(frozen=True)
class Replay:
    """The tokens of one chip: flit by flit, with whole packets, and flit by flit with a copy for each target.

    ``cycle_ps`` is the cycle of the routers, ``period`` the cycles that each channel takes for a flit.
    """

    fabric: Fabric
    chip: int
    tokens: Tokens
    cycle_ps: int
    period: Ints
    flit: Level
    packet: Level
    unicast: Level

    @property
    def levels(self) -> tuple[Level, Level, Level]:
        """All of them."""
        return self.flit, self.packet, self.unicast

    def use(self, level: Level) -> NDArray[np.float64]:
        """What the tokens need of each channel over the cycles in which they came; above 1 it falls behind."""
        use: NDArray[np.float64] = level.channel_flits * self.period / max(1, self.tokens.cycles)
        return use


def busiest_chip(compiled: Compiled) -> int:
    """The chip over whose channels most bits go; the first of several."""
    program, board = compiled.program, compiled.board
    bits = np.zeros(board.chips, np.int64)
    for flow, tokens in zip(program.flows, program.flow_tokens.tolist(), strict=True):
        for hop in flow.route:
            link = program.links[hop.link]
            if link.kind == "channel":
                bits[_place(link.name)] += tokens * flow.bits
    return int(np.argmax(bits))


def _place(link: str) -> int:
    """The tile or the chip in the name of a link."""
    return int(link.split(" ", 2)[1])


@dataclass(frozen=True)
class _Entry:
    """Where tokens of a flow come to a chip's network: the hop that they then wait for, and their way on."""

    flow: Flow
    hop: int
    tree: Tree


def gather(
    compiled: Compiled, chip: int, images: int, most_cycles: int, report: Callable[[str], None] = lambda step: None
) -> Tokens:
    """The tokens that come to the network of ``chip`` in a run of ``images`` inferences, of the ``most_cycles`` cycles
    of it in which most flits come.  ArchsimError if there are none."""
    board = compiled.board
    if not 0 <= chip < board.chips:
        raise ArchsimError(f"--chip-number: expected 0 to {board.chips - 1}, got {chip}")
    row = board.chip.row(board.chip.noc.router)
    assert isinstance(row, Router)
    entries = _entries(compiled, chip)
    report(f"{images} inferences, to see their tokens")
    wanted = Wanted(hops=frozenset(entry.hop for entry in entries))
    records = engine(chosen())(compiled.for_images(images), records=wanted).records
    tokens = _tokens(entries, records, duration_ps(1, row.clock.value), int(row.flit.value))
    if not len(tokens.tree):
        raise ArchsimError(f"no token crosses the network of chip {chip}")
    return _busiest(tokens, most_cycles)


def _tokens(entries: list[_Entry], records: Records, cycle: int, flit_bits: int) -> Tokens:
    """All tokens by the cycle in which they come."""
    numbers: dict[Tree, int] = {}
    nothing = np.zeros(0, np.int64)
    tree, created, flits = [nothing], [nothing], [nothing]
    for entry in entries:
        came = (records.link_starts[entry.hop] - records.link_waits[entry.hop]) // cycle
        created.append(came)
        tree.append(np.full(len(came), numbers.setdefault(entry.tree, len(numbers)), np.int64))
        flits.append(np.full(len(came), max(1, -(-entry.flow.bits // flit_bits)), np.int64))
    cycles = np.concatenate(created)
    order = np.argsort(cycles, kind="stable")
    most = int(cycles.max(initial=-1)) + 1
    return Tokens(list(numbers), np.concatenate(tree)[order], cycles[order], np.concatenate(flits)[order], most)


STEPS = 8
"""Into so many steps a window is divided to find the busiest."""


def _busiest(tokens: Tokens, most_cycles: int) -> Tokens:
    """The tokens of the ``most_cycles`` cycles in which most flits come, counted from the first of these."""
    if tokens.cycles <= most_cycles:
        return tokens
    step = max(1, most_cycles // STEPS)
    by_step = np.bincount(tokens.created // step, weights=tokens.flits)
    wide = np.convolve(by_step, np.ones(most_cycles // step), mode="valid")
    since = int(np.argmax(wide)) * step
    inside = (tokens.created >= since) & (tokens.created < since + most_cycles)
    return Tokens(tokens.trees, tokens.tree[inside], tokens.created[inside] - since, tokens.flits[inside], most_cycles)


def _entries(compiled: Compiled, chip: int) -> list[_Entry]:
    """Every place at which tokens come to the network of a chip: from a tile of it, or over a link from outside."""
    program, board = compiled.program, compiled.board
    first, found = 0, []
    for flow in program.flows:
        links = [program.links[hop.link] for hop in flow.route]
        children: list[list[int]] = [[] for _ in links]
        for index, hop in enumerate(flow.route):
            if hop.parent >= 0:
                children[hop.parent].append(index)
        for index, link in enumerate(links):
            place = _place(link.name)
            if link.kind == "inject" and board.chip_of(place) == chip:
                source, waits = board.network.terminal_of_tile(place % board.tiles_per_chip), index
            elif link.kind == "chip-in" and place == chip:
                source, waits = board.network.terminal_of_port(int(link.name.split(" ")[2])), children[index][0]
            else:
                continue
            targets = _targets(compiled, index, links, children)
            found.append(_Entry(flow, first + waits, (source, tuple(targets))))
        first += len(links)
    return found


def _targets(compiled: Compiled, start: int, links: list[Link], children: list[list[int]]) -> list[int]:
    """The terminals at which tokens leave the network that they came to by hop ``start``."""
    board, todo, out = compiled.board, [start], []
    while todo:
        index = todo.pop()
        kind, name = links[index].kind, links[index].name
        if kind == "eject":
            out.append(board.network.terminal_of_tile(_place(name) % board.tiles_per_chip))
        elif kind == "chip-out":
            out.append(board.network.terminal_of_port(int(name.split(" ")[2])))
        else:
            todo += reversed(children[index])
    return out


def replay(
    compiled: Compiled,
    chip: int,
    tokens: Tokens,
    flit_engine: FlitEngine | None = None,
    report: Callable[[str], None] = lambda step: None,
) -> Replay:
    """Send the tokens through the network of ``chip`` in each of the three ways."""
    board = compiled.board
    row = board.chip.row(board.chip.noc.router)
    assert isinstance(row, Router)
    period = -(-row.flit.value * row.clock.value // board.chip.noc.bandwidth.value)  # whole cycles for a flit
    fabric = board.network.fabric.slowed(int(max(1, period)))

    def level(name: str, copies: bool, whole: bool) -> Level:
        report(name)
        packets, token = tokens.packets(fabric, copies=copies)
        channel_flits = packets.channel_flits(fabric.channels)
        if whole:
            outcome = engine(chosen())(program(fabric, packets), records="all")
            latency = Latency.of(tokens, token, delivered(packets, outcome.records.deliveries))
            return Level(name, latency, channel_flits, outcome.makespan, {})
        run = simulate(fabric, packets, engine=flit_engine)
        return Level(name, Latency.of(tokens, token, run.delivered), run.channel_flits, run.cycle + 1, run.counts)

    return Replay(
        fabric=fabric,
        chip=chip,
        tokens=tokens,
        cycle_ps=duration_ps(1, row.clock.value),
        period=fabric.period,
        flit=level("flit level", False, False),
        packet=level("packet level", False, True),
        unicast=level("flit level, a copy for each target", True, False),
    )
