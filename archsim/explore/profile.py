"""A point looked into: whose time its latency is, how busy each tile is, and what its traffic comes to on a board."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from archsim.compile.network import Compiled
from archsim.components.rated import Mover
from archsim.explore.options import Options
from archsim.explore.run import Design, compile_design
from archsim.hardware.rollup import chip_rollup
from archsim.results import Run
from archsim.sim.attribution import Attribution
from archsim.sim.breakdown import breakdown
from archsim.sim.critical import critical_path
from archsim.sim.engines import chosen, engine
from archsim.sim.explain import require_memory
from archsim.sim.stretch import Stretch
from archsim.spec.chip import Chip

__all__ = ["link_counts", "profile", "traffic"]


def profile(design: Design, chips: int | None, options: Options) -> dict[str, Any]:
    """``latency_by_cause_s``: the critical path of one inference in the empty machine by what sets its times, as
    ``archsim explain`` does; ``floor_plan``: for each tile of the board its chip, its column and row among the tiles of
    that chip, and the time for which one inference keeps its arrays busy, the mean over all of them.

    ArchsimError if the records of an inference would take too much memory.
    """
    compiled = compile_design(design, chips, options, lambda step: None)
    return {"latency_by_cause_s": _latency(compiled, options), "floor_plan": _floor_plan(compiled)}


def _latency(compiled: Compiled, options: Options) -> dict[str, float]:
    require_memory(compiled.program, 1, compiled.graph.unit)
    outcome = engine(chosen(options.engine))(compiled.program, records="all")
    last = max(compiled.lowered.host_out, key=lambda stage: int(outcome.records.starts[stage][-1]))
    path = critical_path(compiled.program, outcome, (last, 0))
    whole = breakdown(path, Stretch(0, path.finish, 1), Attribution(compiled))
    return {" = ".join(cause): ps / 1e12 for cause, ps in whole.by_cause().items()}


def _floor_plan(compiled: Compiled) -> list[list[float]]:
    """A tile each: chip, column, row, seconds.  The tiles of one router stand in a block, as square as can be."""
    board = compiled.board
    busy = _busy_tiles(compiled)
    wide = math.ceil(math.sqrt(board.chip.noc.concentration))
    high = -(-board.chip.noc.concentration // wide)
    plan = []
    for tile in range(board.tiles):
        x, y = board.router_of(tile)
        down, across = divmod(tile % board.tiles_per_chip % board.chip.noc.concentration, wide)
        plan.append([board.chip_of(tile), x * wide + across, y * high + down, busy.get(tile, 0.0)])
    return plan


def _busy_tiles(compiled: Compiled) -> dict[int, float]:
    core = compiled.board.chip.tile.core
    arrays = core.count * core.the("crossbar")[1].count
    mvm_s = chip_rollup(compiled.board.chip).mvm_interval_ps / 1e12
    busy: dict[int, float] = defaultdict(float)
    for placement in compiled.placements:
        part = compiled.mapped[placement.layer].parts[placement.part]
        windows = compiled.graph[placement.layer].windows / compiled.copies[placement.layer]
        busy[placement.tile] += part.count * part.slots.shape.arrays * placement.copies * windows * mvm_s / arrays
    return busy


def link_counts(chip: Chip, chips: int) -> dict[str, int]:
    """How many links of each kind a board has, used or not; a channel in each direction is one."""
    noc, tiles = chip.noc, chips * chip.tiles
    ports = chips * chip.row(noc.chip_link).count
    channels = chips * 2 * (noc.rows * (noc.columns - 1) + noc.columns * (noc.rows - 1))
    return {
        "inject": tiles,
        "channel": channels,
        "eject": tiles,
        "chip-out": ports,
        "chip-in": ports,
        "buffer": tiles,
        "bus": tiles,
    }


def traffic(chip: Chip, run: Run) -> dict[str, dict[str, float]]:
    """For each kind of link that carries data: the bytes of one inference over it, and the bytes a second that all
    links of the kind on the board can carry together."""
    memory, rows = chip.tile.memory, chip.tile.components
    port = chip.row(chip.noc.chip_link)
    each = dict.fromkeys(("inject", "channel", "eject"), chip.noc.bandwidth.value)
    each |= {kind: port.bandwidth.value for kind in ("chip-out", "chip-in") if isinstance(port, Mover)}
    each |= {
        kind: row.bits_per_s()
        for kind, row in (("buffer", rows[memory.buffer]), ("bus", rows[memory.bus]))
        if isinstance(row, Mover)
    }
    counts = link_counts(chip, run.chips)
    return {
        kind: {"bytes": carried, "bytes_per_s": float(counts[kind] * each[kind] / 8)}
        for kind, carried in run.bytes_by_link_kind.items()
        if kind in each and carried
    }
