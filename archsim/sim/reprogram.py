"""A batch of images on a board that is programmed anew for each phase of the network.

Each phase is a Program of its own, run event by event: all images of the batch go through it before the next phase is
loaded.  With w_p the loading and m_p the makespan of the batch in phase p,

    time of the batch = Σ (w_p + m_p),      interval of an image = that over the images of the batch,

and the ledger of an image is the sum of those of the phases, with what loading takes over the images, and static power
over the whole interval.  Every batch loads every phase, as the next one begins with the first again; a single phase
stays, and is loaded once for all batches: its run is that of a network that fits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import fsum

from archsim.compile.network import Compiled
from archsim.compile.phases import PhasePlan
from archsim.compile.writes import written
from archsim.errors import CompileError
from archsim.results import Bottleneck, Ledger, LedgerRow, Phase, Run, Timing, Waiting
from archsim.results_loading import Loading
from archsim.sim.simulate import simulate_network
from archsim.workload.graph import Graph

__all__ = ["simulate_phases"]

Report = Callable[[str], None]


def simulate_phases(
    graph: Graph,
    plans: Sequence[PhasePlan],
    *,
    images: int = 8,
    engine_name: str | None = None,
    idle_tiles: bool = True,
    config_hash: str = "",
    resolved: Mapping[str, str] | None = None,
    report: Report = lambda step: None,
) -> Run:
    """Run a batch of ``images`` through the phases of ``graph``.  CompileError, before anything runs, if nothing says
    how long writing takes."""
    runs = []
    for number, plan in enumerate(plans):
        report(f"phase {number + 1} of {len(plans)}")
        run = simulate_network(plan.compiled, images=images, engine_name=engine_name, idle_tiles=idle_tiles)
        _require_time(run)
        runs.append(Phase(plan.layers, run))
    if len(runs) == 1:
        return replace(runs[0].run, phases=tuple(runs), config_hash=config_hash, resolved=resolved or {})
    return _batch(graph, plans, tuple(runs), images, config_hash, resolved or {})


def _require_time(run: Run) -> None:
    load = run.loading
    assert load is not None
    if load.time_ps is None:
        missing = ", ".join(f"core.write.{key}" for key in load.missing if key in ("pulse", "pulses"))
        raise CompileError(
            f"{run.chip}: how long it takes to write its cells is not published, so it cannot be programmed between "
            f"phases; give {missing} in its tile, or by --set"
        )


def _batch(
    graph: Graph,
    plans: Sequence[PhasePlan],
    phases: tuple[Phase, ...],
    images: int,
    config_hash: str,
    resolved: Mapping[str, str],
) -> Run:
    runs, whole_ps = [phase.run for phase in phases], sum(phase.time_ps for phase in phases)
    first, loading = runs[0], _loading([plan.compiled for plan in plans], [phase.run for phase in phases])
    latency = sum(run.timing.latency_ps for run in runs) + (loading.time_ps or 0)
    events, interval = sum(run.timing.events for run in runs), whole_ps / images
    shares = [run.timing.makespan_ps / whole_ps for run in runs]
    return replace(
        first,
        workload=graph.name,
        timing=Timing(latency, whole_ps, interval, 0.0, images, events, whole_ps),
        ledger=_ledger(phases, loading, images),
        macs=graph.macs,
        cells={key: _mean(runs, lambda run, key=key: run.cells[key]) for key in first.cells},  # type: ignore[misc]
        time_utilisation=fsum(run.time_utilisation * run.timing.interval_ps * images / whole_ps for run in runs),
        bytes_by_link_kind=_summed([run.bytes_by_link_kind for run in runs]),
        busy_by_link_kind=_busy(runs, whole_ps),
        replication={layer: copies for run in runs for layer, copies in run.replication.items()},
        dense_share=_mean(runs, lambda run: run.dense_share),
        tiles={"used": max(run.tiles["used"] for run in runs), "board": first.tiles["board"]},
        waiting={
            layer: Waiting(waits.busy * share, waits.starved * share, waits.blocked * share)
            for run, share in zip(runs, shares, strict=True)
            for layer, waits in run.waiting.items()
        },
        bottleneck=_bottleneck(phases, whole_ps),
        config_hash=config_hash,
        resolved=resolved,
        wall=_summed([run.wall for run in runs]),
        notes=_notes(runs, loading),
        loading=loading,
        phases=phases,
    )


def _notes(runs: Sequence[Run], loading: Loading) -> tuple[str, ...]:
    notes = tuple(f"phase {number + 1}: {note}" for number, run in enumerate(runs) for note in run.notes)
    if loading.energy_j is None:
        return (f"the energy of writing cells is not published for {runs[0].chip}, and not in the energy here", *notes)
    return notes


def _mean(runs: Sequence[Run], of: Callable[[Run], float]) -> float:
    """The mean over phases, each for as long as its images take."""
    whole = sum(run.timing.makespan_ps for run in runs)
    return fsum(of(run) * run.timing.makespan_ps for run in runs) / whole


def _summed(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    out: dict[str, float] = defaultdict(float)
    for part in parts:
        for key, value in part.items():
            out[key] += value
    return dict(sorted(out.items()))


def _busy(runs: Sequence[Run], whole_ps: int) -> dict[str, dict[str, float]]:
    """Mean shares of the whole time; the largest is that of the phase in which a link of the kind is busiest."""
    out: dict[str, dict[str, float]] = {}
    for run in runs:
        for kind, busy in run.busy_by_link_kind.items():
            own = out.setdefault(kind, {"links": 0, "mean": 0.0, "max": 0.0})
            share = run.timing.interval_ps * run.timing.images / whole_ps
            own["mean"] = own["mean"] * own["links"] + busy["mean"] * busy["links"] * share
            own["links"] = max(own["links"], busy["links"])
            own["mean"] /= own["links"]
            own["max"] = max(own["max"], busy["max"])
    return dict(sorted(out.items()))


def _ledger(phases: Sequence[Phase], loading: Loading, images: int) -> Ledger:
    """That of one image: the rows of all phases, and of loading over the images of a batch.  Static power flows for
    the time of each phase, loading included."""
    counts: dict[tuple[str, str, float], float] = defaultdict(float)
    for phase in phases:
        for row in phase.run.ledger.rows:
            often = phase.time_ps / images / 1e12 if row.action == "static" else row.count
            counts[row.component, row.action, row.energy_j] += often
    rows = [LedgerRow(c, a, n, j) for (c, a, j), n in sorted(counts.items())]
    loads = [row for row in loading.ledger.rows if row.action != "static"]
    rows += [LedgerRow(row.component, _loaded(row.action), row.count / images, row.energy_j) for row in loads]
    return Ledger(tuple(rows))


def _loaded(action: str) -> str:
    """An action of loading by its name in the ledger of a batch."""
    return action if action in ("write", "verify") else f"{action} of weights"


def _loading(placed: Sequence[Compiled], runs: Sequence[Run]) -> Loading:
    """All loadings of a batch as one."""
    loads = [run.loading for run in runs if run.loading is not None]
    counts: dict[tuple[str, str, float], float] = defaultdict(float)
    for load in loads:
        for row in load.ledger.rows:
            counts[row.component, row.action, row.energy_j] += row.count
    first = loads[0]
    each = first.pulses_a_cell
    return replace(
        first,
        weights=sum(load.weights for load in loads),
        cells=sum(load.cells for load in loads),
        bytes_sent=sum(load.bytes_sent for load in loads),
        transfer_ps=sum(load.transfer_ps for load in loads),
        write_ps=sum(load.write_ps or 0 for load in loads),
        total_ps=sum(load.time_ps or 0 for load in loads),
        ledger=Ledger(tuple(LedgerRow(c, a, n, j) for (c, a, j), n in sorted(counts.items()))),
        writes=_most_writes(placed) if each is not None else 1,
    )


def _most_writes(placed: Sequence[Compiled]) -> int:
    """The phases that write into the tile into which most of them do: as often is a cell of it written, at the most."""
    counts: dict[int, int] = defaultdict(int)
    for compiled in placed:
        for tile in written(compiled):
            counts[tile] += 1
    return max(counts.values())


def _bottleneck(phases: Sequence[Phase], whole_ps: int) -> Bottleneck:
    """Loading, if it takes most of the time; else what limits the longest phase, as a share of the whole time."""
    loads = [phase.run.loading for phase in phases]
    loading = sum(load.time_ps or 0 for load in loads if load is not None) / whole_ps
    number, longest = max(enumerate(phases), key=lambda pair: (pair[1].run.timing.makespan_ps, -pair[0]))
    share = longest.run.timing.makespan_ps / whole_ps
    if loading >= share:
        return Bottleneck("weights", "loading", loading, f"loading the phases takes {loading:.0%} of the time")
    own = longest.run.bottleneck
    why = (
        f"phase {number + 1} of {len(phases)} takes {share:.0%} of the time, loading {loading:.0%}; in it {own.reason}"
    )
    return Bottleneck(own.layer, own.server, own.share * share, why)
