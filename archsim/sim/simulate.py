"""Simulate a compiled network: one inference in the empty machine, then several for the steady state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim._version import __version__
from archsim.compile.network import Compiled
from archsim.hardware.mac import mac_array, weights_a_tile
from archsim.hardware.mvm import cells_per_weight, crossbar
from archsim.hardware.rollup import Rollup, chip_rollup
from archsim.program import Program
from archsim.results import Bottleneck, Run, Timing, Waiting
from archsim.sim.engines import chosen, engine
from archsim.sim.ledger import always_on_w, link_bytes, make_ledger
from archsim.sim.loading import loading_of
from archsim.sim.noc_work import validity_notes
from archsim.sim.outcome import Outcome, RecordsWanted

__all__ = [
    "BINDS",
    "Server",
    "busiest",
    "detail_of",
    "finished",
    "simulate_network",
    "steady_interval",
    "watched",
]

BINDS = 0.9
"""A server that is busy for this share of the interval is what limits it."""

Report = Callable[[str], None]
Keep = Callable[[Compiled, Program, Outcome], None]


def simulate_network(
    compiled: Compiled,
    *,
    images: int = 8,
    engine_name: str | None = None,
    idle_tiles: bool = True,
    config_hash: str = "",
    resolved: Mapping[str, str] | None = None,
    report: Report = lambda step: None,
    keep: Keep | None = None,
) -> Run:
    """Run ``compiled`` and work out everything that a Run holds.  ``report`` is told what is being done, and ``keep``
    is given all records of the run of ``images``.

    The interval is the mean over the second half of ``images``, when the pipeline has filled; it is never below the
    time for which one inference keeps the busiest server, which a few inferences can seem to beat: an image that
    comes late is followed by one that catches up.
    """
    name = chosen(engine_name)
    run = engine(name)
    began = perf_counter()
    wanted: RecordsWanted = "all" if keep is not None else watched(compiled)
    report("one inference in the empty machine")
    single = run(compiled.for_images(1), records=wanted if images == 1 else watched(compiled))
    report(f"{images} inferences for the steady state")
    program = compiled.for_images(images)
    outcome = run(program, records=wanted) if images > 1 else single
    simulated = perf_counter() - began
    if keep is not None:
        report("keeping the records")
        keep(compiled, program, outcome)
    timing = _timing(compiled, single, outcome, images)
    board, graph = compiled.board, compiled.graph
    rollup = chip_rollup(board.chip)
    return Run(
        chip=board.chip.name,
        workload=graph.name,
        unit=graph.unit,
        chips=board.chips,
        engine=name,
        detail=detail_of(compiled),
        timing=timing,
        ledger=make_ledger(compiled, timing.interval_ps / 1e12, idle_tiles=idle_tiles),
        always_on_w=always_on_w(compiled),
        area_mm2=board.chips * rollup.area_mm2["chip"],
        macs=graph.macs,
        peak=_peak(rollup, board.chips),
        cells=_cells(compiled),
        time_utilisation=_time_utilisation(compiled, timing),
        bytes_by_link_kind=link_bytes(compiled),
        busy_by_link_kind=_busy_links(compiled, outcome, timing, images),
        replication=dict(compiled.copies),
        dense_share=_dense_share(compiled),
        tiles={"used": compiled.tiles_used, "board": board.tiles},
        waiting=_waiting(compiled, program, outcome),
        bottleneck=_bottleneck(compiled, program, outcome, timing, images),
        version=__version__,
        config_hash=config_hash,
        resolved=resolved or {},
        wall={"simulate": simulated},
        idle_tiles=idle_tiles,
        notes=validity_notes(compiled, outcome, timing.interval_ps, images),
        loading=loading_of(compiled, idle_tiles=idle_tiles),
    )


def _peak(rollup: Rollup, chips: int) -> dict[str, float]:
    """The peak figures of the whole board."""
    peak = rollup.summary()["peak"]
    return {**peak, **{name: chips * peak[name] for name in ("tops", "power_w", "area_mm2")}}


def detail_of(compiled: Compiled) -> str:
    """The level of detail in words."""
    return "component: " + ", ".join(sorted(compiled.detail)) if compiled.detail else "core"


def watched(compiled: Compiled) -> frozenset[int]:
    """The stages of the host, whose starts say when inferences begin and end."""
    return frozenset((compiled.lowered.host_in, *compiled.lowered.host_out))


def finished(compiled: Compiled, outcome: Outcome) -> NDArray[np.int64]:
    """When the last output token of each inference came, in ps."""
    return np.max([outcome.records.starts[stage] for stage in compiled.lowered.host_out], axis=0)  # type: ignore[no-any-return]


def _timing(compiled: Compiled, single: Outcome, outcome: Outcome, images: int) -> Timing:
    latency = int(finished(compiled, single)[0])
    done = finished(compiled, outcome)
    tokens = compiled.program.stages[compiled.lowered.host_in].firings
    began = outcome.records.starts[compiled.lowered.host_in][::tokens]
    interval, spread = steady_interval(done, outcome) if images > 1 else (float(latency), 0.0)
    return Timing(latency, int(done[-1] - began[-1]), interval, spread, images, outcome.events, int(done[-1]))


def steady_interval(done: NDArray[np.int64], outcome: Outcome) -> tuple[float, float]:
    """The interval in ps between inferences that came at ``done``, two or more: the mean over their second half, but at
    least the work of the busiest server; and (largest - smallest) / mean."""
    images = len(done)
    gaps = np.diff(done[images // 2 - 1 :])
    interval = max(float(gaps.mean()), busiest(outcome).ps / images)
    return interval, float((gaps.max() - gaps.min()) / gaps.mean())


class Server(NamedTuple):
    """A stage or a link by its number, the other being -1, and the ps for which a run keeps it busy."""

    stage: int
    link: int
    ps: int


def busiest(outcome: Outcome) -> Server:
    """The server that is busy for longest; a stage, if a link is so for just as long."""
    stage = int(np.argmax(outcome.stage_own_time))
    link = int(np.argmax(outcome.link_busy)) if len(outcome.link_busy) else -1
    if link < 0 or outcome.stage_own_time[stage] >= outcome.link_busy[link]:
        return Server(stage, -1, int(outcome.stage_own_time[stage]))
    return Server(-1, link, int(outcome.link_busy[link]))


def _cells(compiled: Compiled) -> dict[str, float]:
    """Cells that hold a weight over the cells of the arrays in use, and of the whole board."""
    tile = compiled.board.chip.tile
    core, on_board = tile.core, 0.0
    if core.digital:
        held, grid = compiled.weights_held, mac_array(core)
        each = grid.inputs * grid.outputs
        on_board = compiled.board.tiles * weights_a_tile(tile) / each
    else:
        held, array = compiled.weights_held * cells_per_weight(core), crossbar(core)
        each, on_board = array.rows * array.columns, compiled.board.tiles * core.count * array.count
    return {
        "cells": held / (compiled.arrays_used * each),
        "cells_of_board": held / (on_board * each),
        "arrays_of_board": compiled.arrays_used / on_board,
    }


def _time_utilisation(compiled: Compiled, timing: Timing) -> float:
    """MVM time an inference over the interval, on average over the arrays in use."""
    busy = whole = 0.0
    tile = compiled.board.chip.tile
    if tile.core.digital:
        whole = compiled.tiles_used * tile.core.count * mac_array(tile.core).count * timing.interval_ps
    mvm_ps = chip_rollup(compiled.board.chip).mvm_interval_ps
    for placement in compiled.placements:
        part = compiled.mapped[placement.layer].parts[placement.part]
        windows = compiled.graph[placement.layer].windows / compiled.copies[placement.layer]
        arrays = part.count * part.slots.shape.arrays * placement.copies
        busy += arrays * windows * mvm_ps
        whole += 0.0 if tile.core.digital else arrays * timing.interval_ps
    return busy / whole


def _dense_share(compiled: Compiled) -> float:
    """The share of the arrays in use that hold dense layers."""
    dense = 0
    for p in compiled.placements:
        mapped = compiled.mapped[p.layer]
        if mapped.layer.op == "dense":
            dense += p.copies * mapped.parts[p.part].count * mapped.slots.shape.arrays
    return dense / compiled.arrays_used


def _busy_links(compiled: Compiled, outcome: Outcome, timing: Timing, images: int) -> dict[str, dict[str, float]]:
    """For each kind of link the mean and the largest share of the interval that links of it are busy."""
    shares: dict[str, list[float]] = defaultdict(list)
    for link, busy in zip(compiled.program.links, outcome.link_busy, strict=True):
        shares[link.kind].append(float(busy) / images / timing.interval_ps)
    return {
        kind: {"links": len(values), "mean": sum(values) / len(values), "max": max(values)}
        for kind, values in sorted(shares.items())
    }


def _waiting(compiled: Compiled, program: Program, outcome: Outcome) -> dict[str, Waiting]:
    """How the stages of each layer that compute spend the makespan, on average; at component detail for each component
    as ``layer.component``, and for the layer that of its arrays."""
    array = compiled.board.chip.tile.core.the("mac-array" if compiled.board.chip.tile.core.digital else "crossbar")[0]
    rows = {name for group in compiled.board.chip.tile.core.pipeline.steps for name in group}
    sums: dict[str, list[float]] = {}
    for layer in compiled.graph:
        detailed = [f"{layer.name}.{name}" for name in rows] if layer.name in compiled.detail else []
        sums |= {key: [0.0, 0.0, 0.0, 0.0] for key in (layer.name, *sorted(detailed))}
    makespan = max(1, outcome.makespan)
    for number, stage in enumerate(program.stages):
        keys = [stage.layer] if stage.component in ("mvm", "body", array) else []
        if stage.layer in compiled.detail and stage.component in rows:
            keys.append(f"{stage.layer}.{stage.component}")
        for key in keys:
            entry = sums[key]
            entry[0] += 1
            entry[1] += float(outcome.stage_own_time[number]) / makespan
            entry[2] += float(outcome.stage_starved[number]) / makespan
            entry[3] += float(outcome.stage_blocked[number]) / makespan
    return {layer: Waiting(b / n, s / n, k / n) for layer, (n, b, s, k) in sums.items() if n}


def _bottleneck(compiled: Compiled, program: Program, outcome: Outcome, timing: Timing, images: int) -> Bottleneck:
    """The busiest server in steady state, and whether it explains the interval."""
    stage, link, ps = busiest(outcome)
    share = ps / (images * timing.interval_ps)
    if stage >= 0:
        layer, server = program.stages[stage].layer, program.stages[stage].name
        kind = f"{program.stages[stage].component} stage"
    else:
        layer, server = _layer_of_link(compiled, link), program.links[link].name
        kind = f"{program.links[link].kind} link"
    if share >= BINDS:
        return Bottleneck(layer, server, share, f"{kind} {server} is busy {share:.0%} of the interval")
    why = (
        f"no server is busy all the time (the busiest, {kind} {server}, {share:.0%}): "
        "latency, contention and finite buffers together set the interval"
    )
    return Bottleneck(layer, server, share, why)


def _layer_of_link(compiled: Compiled, link: int) -> str:
    """The layer that keeps a link busiest."""
    program, a = compiled.program, compiled.program.arrays
    busy: dict[str, int] = defaultdict(int)
    for hop in np.flatnonzero(a.hop_link == link).tolist():
        flow = int(a.hop_flow[hop])
        layer = program.stages[int(a.flow_source[flow])].layer
        busy[layer] += int(program.flow_tokens[flow]) * int(a.hop_serialisation[hop])
    return max(busy, key=lambda layer: busy[layer])
