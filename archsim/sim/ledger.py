"""The energy ledger of one inference, from the actions that a compiled network counts and the static power."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from archsim.compile.network import Compiled
from archsim.hardware.rollup import Row, chip_rollup
from archsim.results import Ledger, LedgerRow
from archsim.sim.noc_work import noc_rows
from archsim.spec.chip import Chip
from archsim.spec.component import Component

__all__ = ["PASSING_A_ROUTER", "action_energy_j", "always_on_w", "instances", "link_bytes", "make_ledger"]

PASSING_A_ROUTER = ("channel", "eject", "chip-out")
"""Kinds of link that a token enters from a router."""


def link_bytes(compiled: Compiled) -> dict[str, float]:
    """Bytes over each kind of link in one inference; a functional unit's tokens carry no bytes and are left out."""
    return {kind: bits / 8 for kind, bits in _bits_by_kind(compiled).items() if kind != "unit"}


def _bits_by_kind(compiled: Compiled) -> dict[str, float]:
    """Bits over each kind of link in one inference."""
    program = compiled.program
    a = program.arrays
    over = np.zeros(len(program.links), np.int64)
    np.add.at(over, a.hop_link, (program.flow_tokens * program.flow_bits)[a.hop_flow])
    out: dict[str, float] = defaultdict(float)
    for link, bits in zip(program.links, over.tolist(), strict=True):
        out[link.kind] += bits
    return dict(sorted(out.items()))


def _flits(compiled: Compiled, flit_bits: int) -> int:
    """Flits through routers in one inference: a token is cut into whole flits."""
    program = compiled.program
    a = program.arrays
    passes = np.array([link.kind in PASSING_A_ROUTER for link in program.links], bool)
    routers = np.bincount(a.hop_flow[passes[a.hop_link]], minlength=len(a.flow_source))
    return int((program.flow_tokens * -(-program.flow_bits // flit_bits) * routers).sum())


def _counts(compiled: Compiled) -> dict[tuple[str, str], float]:
    """All actions of one inference: those that compile counted, and those of links."""
    counts = dict(compiled.work)
    chip, bits = compiled.board.chip, _bits_by_kind(compiled)
    memory, noc = chip.tile.memory, chip.noc
    movers: dict[str, tuple[str, ...]] = {f"tile.{memory.buffer}": ("buffer",), f"tile.{memory.bus}": ("bus",)}
    if memory.receive:
        movers[f"tile.{memory.receive}"] = ("eject",)
    movers[chip.row_name(noc.chip_link)] = ("chip-in", "chip-out")
    for component, kinds in movers.items():
        counts[component, "byte"] = sum(bits.get(kind, 0.0) for kind in kinds) / 8
    if noc.energy is not None:  # its actions are counted one by one
        return counts
    router = chip.row(noc.router)
    counts[chip.row_name(noc.router), "flit"] = _flits(compiled, int(router.flit.value))  # type: ignore[attr-defined]
    return counts


def _component(chip: Chip, key: str) -> Component:
    level, name = key.split(".", 1)
    rows = {"core": chip.tile.core.components, "tile": chip.tile.components, "chip": chip.components}[level]
    return rows[name]


def action_energy_j(chip: Chip, key: str, action: str) -> float:
    """J of one action of the component ``level.name``."""
    cycle = chip.tile.core.cycle_ps if key.startswith("core.") else chip.tile.cycle_ps
    return _component(chip, key).energies_j(cycle)[action]


def make_ledger(compiled: Compiled, interval_s: float, *, idle_tiles: bool = True) -> Ledger:
    """The ledger of one inference.  Static power × ``interval_s`` is counted for every tile of the board, or only for
    the tiles in use if not ``idle_tiles``; rows without energy are left out."""
    chip = compiled.board.chip
    rows = []
    for (key, action), count in sorted(_counts(compiled).items()):
        energy = action_energy_j(chip, key, action)
        if count and energy:
            rows.append(LedgerRow(key, action, count, energy))
    if chip.noc.energy is not None:
        rows += noc_rows(compiled, chip.noc.energy)
    for row in chip_rollup(chip).rows:
        watts = row.component.static_power_w() * instances(compiled, row, idle_tiles)
        if watts:
            rows.append(LedgerRow(row.key, "static", interval_s, watts))
    return Ledger(tuple(rows))


def instances(compiled: Compiled, row: Row, idle_tiles: bool) -> float:
    """How often a row of the roll-up stands on the board, idle tiles counted or not."""
    whole = row.times * compiled.board.chips
    if idle_tiles or row.level == "chip":
        return whole
    return whole * compiled.tiles_used / compiled.board.tiles


def always_on_w(compiled: Compiled) -> float:
    """W of the whole board with every component busy all the time."""
    return compiled.board.chips * chip_rollup(compiled.board.chip).power_w["chip"]
