"""A point looked into: whose time its latency is, how busy each tile is, and what its traffic comes to on a board."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from archsim.compile.network import Compiled
from archsim.components.rated import Mover
from archsim.errors import ArchsimError
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

__all__ = ["bandwidths", "profile", "traffic"]


def profile(design: Design, chips: int | None, options: Options) -> dict[str, Any]:
    """``latency_by_cause_s``: the critical path of one inference in the empty machine by what sets its times, as
    ``archsim explain`` does; ``floor_plan``: for each tile of the board its chip, its column and row among the tiles of
    that chip, and the time for which one inference keeps its arrays busy, the mean over all of them.

    There are no parts of the latency where there is no explanation: of digital cores, and where the records of one
    inference would take too much memory.
    """
    compiled = compile_design(design, chips, options, lambda step: None)
    return {"latency_by_cause_s": _latency(compiled, options), "floor_plan": _floor_plan(compiled)}


def _latency(compiled: Compiled, options: Options) -> dict[str, float]:
    if compiled.board.chip.tile.core.digital:
        return {}
    try:
        require_memory(compiled.program, 1, compiled.graph.unit)
    except ArchsimError:
        return {}
    outcome = engine(chosen(options.engine))(compiled.program, records="all")
    last = max(compiled.lowered.host_out, key=lambda stage: int(outcome.records.starts[stage][-1]))
    path = critical_path(compiled.program, outcome, (last, 0))
    whole = breakdown(path, Stretch(0, path.finish, 1), Attribution(compiled))
    return {" = ".join(cause): ps / 1e12 for cause, ps in whole.by_cause().items()}


def _floor_plan(compiled: Compiled) -> list[list[float]]:
    """A tile each: chip, column, row, seconds.  The tiles of one router stand in a block, as square as can be; where
    routers have no coordinates in a plane, all tiles of a chip stand so, in their order."""
    board, each = compiled.board, compiled.board.chip.noc.concentration
    busy = _busy_tiles(compiled)
    plane = all(_in_a_plane(board.router_of(tile)) for tile in range(board.tiles_per_chip))
    wide = math.ceil(math.sqrt(each if plane else board.tiles_per_chip))
    plan = []
    for tile in range(board.tiles):
        place = tile % board.tiles_per_chip
        x, y = board.router_of(tile) if plane else (0, 0)
        down, across = divmod(place % each if plane else place, wide)
        row = y * -(-each // wide) + down
        plan.append([board.chip_of(tile), x * wide + across, row, busy.get(tile, 0.0)])
    return plan


def _in_a_plane(router: object) -> bool:
    return isinstance(router, tuple) and len(router) == 2 and all(isinstance(at, int) for at in router)


def _busy_tiles(compiled: Compiled) -> dict[int, float]:
    core = compiled.board.chip.tile.core
    arrays = core.count * core.the("mac-array" if core.digital else "crossbar")[1].count
    mvm_s = chip_rollup(compiled.board.chip).mvm_interval_ps / 1e12
    busy: dict[int, float] = defaultdict(float)
    for placement in compiled.placements:
        part = compiled.mapped[placement.layer].parts[placement.part]
        windows = compiled.graph[placement.layer].windows / compiled.copies[placement.layer]
        busy[placement.tile] += part.count * part.slots.shape.arrays * placement.copies * windows * mvm_s / arrays
    return busy


def bandwidths(chip: Chip, chips: int) -> dict[str, float]:
    """Bits a second of all links of each kind on a board, used or not; a channel has as many each way."""
    memory, rows, noc = chip.tile.memory, chip.tile.components, chip.noc
    tiles, link = chips * chip.tiles, noc.bandwidth.value
    steps = [data.get("period") or 1 for _, _, data in chip_network(chip).graph.edges(data=True)]
    found = {"inject": tiles * link, "eject": tiles * link, "channel": chips * sum(link / period for period in steps)}
    port = chip.row(noc.chip_link)
    for kind, row, count in (
        ("chip-out", port, chips),
        ("chip-in", port, chips),
        ("buffer", rows[memory.buffer], tiles),
        ("bus", rows[memory.bus], tiles),
    ):
        if isinstance(row, Mover):
            found[kind] = count * row.bits_per_s()
    return {kind: float(bits) for kind, bits in found.items()}


def traffic(chip: Chip, run: Run) -> dict[str, dict[str, float]]:
    """For each kind of link that carries data: the bytes of one inference over it, and the bytes a second that all
    links of the kind on the board can carry together."""
    bits = bandwidths(chip, run.chips)
    return {
        kind: {"bytes": carried, "bytes_per_s": bits[kind] / 8}
        for kind, carried in run.bytes_by_link_kind.items()
        if kind in bits and carried
    }
