"""Whose time a piece of a critical path is: the layer, and the rows of the chip's files that set its length.

Stages take their times from the chip as ``archsim.compile.lower`` gives them: an MVM stage those of the pipeline, a
fetch stage the groups ``before`` it, an out stage the groups ``after`` it, where instructions are issued their issue.
What is the cycle's is whatever has no time of its own; where the times of links are part of a latency that a paper
states, the stage has the rest.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

from archsim.compile.builder import Work
from archsim.compile.detail import latencies_ps
from archsim.compile.network import Compiled
from archsim.compile.work import core_work
from archsim.hardware.causes import (
    CORE_CYCLE,
    NOC_BANDWIDTH,
    TILE_CYCLE,
    Cause,
    Parts,
    group_parts,
    interval_parts,
    latency_parts,
)
from archsim.hardware.mac import slowest_rows
from archsim.hardware.mvm import mvm_timing, step_ps
from archsim.program import NO_NODE, Stage
from archsim.sim.critical import Piece, Token

__all__ = ["REASONS", "Attribution", "Reason", "Room", "split"]

Reason = Literal["computing", "latency", "transfer", "queue", "contention", "room in buffers", "room in registers"]

REASONS: dict[Reason, str] = {
    "computing": "a stage is busy with the firing before",
    "latency": "a stage waits for a result that is being computed",
    "transfer": "a stage waits for a token that crosses a link",
    "queue": "a stage waits for a token, and a link that is busy all the time holds it up",
    "contention": "a stage waits for a token that lets others pass at a link",
    "room in buffers": "a stage waits until another gives back room in the buffer of a tile",
    "room in registers": "a stage waits until the next one takes its operands or sums out of registers",
}
"""Why a path spends time, and what that means."""

Room = Literal["buffers", "registers"]

LEAST: Cause = ("least time",)
"""What the model gives to a stage that takes no time of its own: 1 ps."""


def split(time: int, weights: Parts) -> Parts:
    """``time`` in the proportions of ``weights``, in whole ps that add up to it."""
    total = sum(weight for _, weight in weights)
    parts, before, sofar = [], 0, 0
    for cause, weight in weights:
        sofar += weight
        upto = time * sofar // total
        parts.append((cause, upto - before))
        before = upto
    return tuple(parts)


class Attribution:
    """Layers, causes and reasons of the pieces of a path through the Program of ``compiled``."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.program = compiled.program
        self.tile = compiled.board.chip.tile
        self.timing = mvm_timing(self.tile)
        self.before: Parts = (((CORE_CYCLE,), sum(self.timing.before_ps)),)
        self._mvm = interval_parts(self.tile), latency_parts(self.tile)
        self._groups = self.tile.core.pipeline.steps
        self.causes_of_stage = cache(self._stage)  # (interval, latency) of a stage by its number
        self.causes_of_link = cache(self._link)  # (head, service) of a link by its number

    # -- pieces ---------------------------------------------------------------------------------

    def reason(self, piece: Piece) -> Reason:
        """Why the path spends the time of ``piece``."""
        if piece.kind == "room":
            return "room in buffers" if self.room(piece.end) == "buffers" else "room in registers"
        reasons: dict[str, Reason] = {"interval": "computing", "latency": "latency"}
        reasons |= {"queue": "queue", "contention": "contention"}
        return reasons.get(piece.kind, "transfer")

    def layer(self, piece: Piece) -> str:
        """The layer whose stage works, or whose tokens are on the link; in contention, whose token waits."""
        if piece.stage >= 0:
            return self.program.stages[piece.stage].layer
        return self.sender(piece.waiting if piece.kind == "contention" else piece.token)

    def sender(self, token: Token) -> str:
        """The layer that sent a token."""
        flow = self.program.flows[int(self.program.arrays.hop_flow[token.hop])]
        return self.program.stages[flow.source].layer

    def in_words(self, piece: Piece) -> str:
        """What the path waits for: pieces alike read alike."""
        if piece.kind == "interval":
            return f"{self._named(piece.stage)} computes"
        if piece.kind == "queue":
            return f"{self.program.links[self.link(piece)].name} is busy with tokens of {self.layer(piece)}"
        if piece.end == NO_NODE:
            return f"{self._named(piece.stage)} computes the last output"
        a = self.program.arrays
        reader = self._named(int(a.end_stage[piece.end]))
        if piece.kind == "room":
            sender = self._named(int(a.flow_source[a.end_flow[piece.end]]))
            return f"{sender} blocked by {reader}, {self.reason(piece)}"
        stage = piece.stage
        if stage < 0:
            token = piece.waiting if piece.kind == "contention" else piece.token
            stage = int(a.flow_source[a.hop_flow[token.hop]])
        contention = ", contention" * (piece.kind == "contention")
        return f"{reader} starved by {self._named(stage)}{contention}"

    def _named(self, stage: int) -> str:
        """The layer of a stage and what it does there."""
        record = self.program.stages[stage]
        return f"{record.layer} {record.component}"

    def causes(self, piece: Piece, time: int) -> Parts:
        """What ``time`` ps of a piece are made of."""
        if piece.stage >= 0:
            interval, latency = self.causes_of_stage(piece.stage)
            return split(time, latency if piece.kind == "latency" else interval)
        head, service = self.causes_of_link(self.link(piece))
        return ((head if piece.kind == "hop" else service, time),)

    def link(self, piece: Piece) -> int:
        """The number of the link of a piece."""
        return int(self.program.arrays.hop_link[piece.token.hop])

    def room(self, end: int) -> Room:
        """Where the tokens of an end lie: what a tile receives is in its buffer, what a core keeps in registers."""
        node = int(self.program.arrays.end_node[end])
        if node == NO_NODE:
            return "registers"
        kind = self.program.links[int(self.program.arrays.hop_link[node])].kind
        return "buffers" if kind in ("buffer", "chip-out") else "registers"

    def ends_in(self, room: Room) -> list[int]:
        """The ends whose tokens lie there."""
        return [end for end in range(len(self.program.arrays.end_node)) if self.room(end) == room]

    # -- stages ---------------------------------------------------------------------------------

    def _stage(self, number: int) -> tuple[Parts, Parts]:
        stage = self.program.stages[number]
        kinds = {"mvm": self._of_mvm, "fetch": self._of_fetch, "out": self._of_out, "body": self._of_body}
        if stage.component in kinds:
            return kinds[stage.component](stage)
        for group in self._groups:
            if stage.component in group and stage.layer in self.compiled.detail:
                return self._of_row(stage, group)
        if stage.component == "leaving":
            return (((CORE_CYCLE,), 1),), (((CORE_CYCLE,), 1),)
        cause = ("host",) if stage.component == "host" else LEAST
        return ((cause, 1),), ((cause, 1),)

    def _of_mvm(self, stage: Stage) -> tuple[Parts, Parts]:
        return self._mvm

    def _of_body(self, stage: Stage) -> tuple[Parts, Parts]:
        return (((TILE_CYCLE,), 1),), (((TILE_CYCLE,), 1),)

    def _of_fetch(self, stage: Stage) -> tuple[Parts, Parts]:
        """The groups ``before``, and issuing the loads, which has no pipeline with them."""
        issue = self.tile.core.issue
        interval = stage.interval.at(0)
        longest = max(self.timing.before_ps, default=0)
        loads = interval if issue and interval > max(longest, 1) else 0
        controller = (f"core.{issue.controller}",) if issue else LEAST
        own: Parts = ((controller if loads else (CORE_CYCLE,) if longest else LEAST, 1),)
        latency = (*self.before, (controller, loads))
        return own, latency if any(time for _, time in latency) else ((LEAST, 1),)

    def _of_out(self, stage: Stage) -> tuple[Parts, Parts]:
        """The groups ``after``, and issuing the stores; for a layer without weights a cycle of the tile."""
        interval: Parts = (((TILE_CYCLE,), 1),)
        if self.compiled.graph[stage.layer].matrix is None:
            return interval, interval
        issue, stores = self.tile.core.issue, core_work(self.tile, Work()).store_ps()
        latency: Parts = (((CORE_CYCLE,), sum(self.timing.after_ps)),)
        if issue:
            latency = (*latency, ((f"core.{issue.controller}",), stores))
        return interval, latency if any(time for _, time in latency) else ((LEAST, 1),)

    def _of_row(self, stage: Stage, group: list[str]) -> tuple[Parts, Parts]:
        """One row of the pipeline, at component detail: its own time, and the rest of the cycle."""
        parts = group_parts(self.tile, group, True)
        duration = sum(time for _, time in parts)
        latency = latencies_ps(self.tile, group, duration)[group.index(stage.component)]
        own = min(latency, step_ps(self.tile.core, self.tile.row(stage.component)))
        if own == duration:
            return parts, parts
        rest: Parts = (((CORE_CYCLE,), latency - own),)
        return parts, ((((self.tile.row_name(stage.component),), own), *rest) if own else rest)

    # -- links ----------------------------------------------------------------------------------

    def _link(self, number: int) -> tuple[Cause, Cause]:
        """What sets the time for a head to cross, and that for a token to be served."""
        link, chip = self.program.links[number], self.compiled.board.chip
        if link.kind in ("inject", "channel", "eject"):
            return (chip.row_name(chip.noc.router),), (NOC_BANDWIDTH,)
        memory = self.tile.memory
        names = {"buffer": f"tile.{memory.buffer}", "bus": f"tile.{memory.bus}"}
        if link.kind == "unit":  # named by kind, tile and row; a row of the tile comes first
            row = link.name.split(" ", 2)[2]
            name = f"tile.{row}" if row in self.tile.components else f"core.{row}"
            if self.tile.core.digital and name == f"core.{self.tile.core.the('mac-array')[0]}":
                return slowest_rows(self.tile), slowest_rows(self.tile)
        else:
            name = names.get(link.kind) or chip.row_name(chip.noc.chip_link)
        return (name,), (name,)
