"""A point looked into: whose time its latency is, how busy each tile is, and what its traffic comes to on a board."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from archsim.compile.network import Compiled
from archsim.components.rated import Mover
from archsim.explore.options import Options
from archsim.explore.run import Design, compile_design
from archsim.hardware.rollup import chip_rollup
from archsim.noc.chip_network import chip_network
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
    routers = board.network.routers
    most = max(board.chip.noc.concentration, *Counter(routers).values())
    wide = math.ceil(math.sqrt(most))
    high = -(-most // wide)
    first = {router: place for place, router in reversed(list(enumerate(routers)))}
    plan = []
    for tile in range(board.tiles):
        place = tile % board.tiles_per_chip
        x, y = _whole(board.network.graph.nodes[routers[place]]["position"])
        down, across = divmod(place - first[routers[place]], wide)
        plan.append([board.chip_of(tile), x * wide + across, y * high + down, busy.get(tile, 0.0)])
    return plan


def _whole(position: Iterable[float]) -> list[float]:
    """Coordinates as whole numbers where they are: tiles of a grid stand in rows and columns."""
    return [int(value) if float(value).is_integer() else value for value in position]


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
    tiles = chips * chip.tiles
    ports = chips * chip.row(chip.noc.chip_link).count
    channels = chips * chip_network(chip).graph.number_of_edges()
    return {
        "inject": tiles,
        "channel": channels,
        "eject": tiles,
        "chip-out": ports,
        "chip-in": ports,
        "buffer": tiles,
        "bus": tiles,
    }


def _rate(chip: Chip) -> Fraction:
    """The bandwidth of all channels of a chip over that of one: those with a period have less."""
    links = chip_network(chip).graph.edges(data="period")
    return sum((Fraction(1, period or 1) for _, _, period in links), Fraction(0))


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
    counts: dict[str, Fraction | int] = {**link_counts(chip, run.chips), "channel": run.chips * _rate(chip)}
    return {
        kind: {"bytes": carried, "bytes_per_s": float(counts[kind] * each[kind] / 8)}
        for kind, carried in run.bytes_by_link_kind.items()
        if kind in each and carried
    }
