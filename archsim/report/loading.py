"""What loading a network takes, and the phases of a board that is programmed anew, as tables."""

from __future__ import annotations

from typing import Any

from archsim.results import Run
from archsim.results_loading import BREAK_EVEN, Loading
from archsim.units import format_si

__all__ = ["comparison_loading", "loading_records", "phase_records"]

Records = list[dict[str, Any]]

UNKNOWN = "not published"


def loading_records(run: Run) -> Records:
    """The figures of loading, each with its unit and what it means; none for a run that does not know of it."""
    load = run.loading
    if load is None:
        return []

    def row(name: str, value: str, meaning: str) -> dict[str, Any]:
        return {"figure": name, "value": value, "meaning": meaning}

    what = f"all {len(run.phases)} phases of a batch" if len(run.phases) > 1 else "once, before the first inference"
    rows = [
        row("time", _known(load.time_s, "s"), f"{what}; {_times(load)}"),
        row("energy", _known(load.energy_j, "J"), _parts(load)),
        row("sent to the board", f"{load.bytes_sent:.5g} B", f"{load.weights} weights, copies counted"),
    ]
    if load.cells:
        pulses = UNKNOWN if load.pulses_a_cell is None else f"{load.pulses_a_cell:.4g}"
        rows.append(row("cells", str(load.cells), f"that are written; pulses each, on average: {pulses}"))
        rows.append(_wear(run, load, row))
    if len(run.phases) < 2:
        until = run.break_even
        after = {name: "-" if n is None else str(n) for name, n in until.items()}
        words = f"{run.unit}s until loading is {BREAK_EVEN:.0%} of all time; of all energy: {after['energy']}"
        rows.append(row("small after", after["time"], words))
    if load.assumed:
        rows.append(row("assumed", ", ".join(load.assumed), "keys of core.write that no source gives"))
    return rows


def _known(value: float | None, unit: str) -> str:
    return UNKNOWN if value is None else format_si(value, unit)


def _times(load: Loading) -> str:
    cells = UNKNOWN if load.write_ps is None else format_si(load.write_ps / 1e12, "s")
    return f"the busiest link takes {format_si(load.transfer_ps / 1e12, 's')}" + (
        f", the tile with most to write {cells}" if load.cells else ""
    )


def _parts(load: Loading) -> str:
    parts = sorted(load.ledger.by_component().items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {format_si(j, 'J')}" for name, j in parts[:3])


def _wear(run: Run, load: Loading, row: Any) -> dict[str, Any]:
    what = "batches" if len(run.phases) > 1 else "loadings"
    lasts = UNKNOWN if load.endurance is None else f"{load.endurance:.4g} pulses a cell"
    often = f", a cell is written up to {load.writes} times a batch" if len(run.phases) > 1 else ""
    value = UNKNOWN if load.lifetime is None else f"{load.lifetime:.4g} {what}"
    return row("lasts", value, f"endurance: {lasts}{often}")  # type: ignore[no-any-return]


def phase_records(run: Run) -> Records:
    """A line for each phase; none for a run without several."""
    if len(run.phases) < 2:
        return []
    whole = sum(phase.time_ps for phase in run.phases)
    records = []
    for number, phase in enumerate(run.phases):
        load, own = phase.run.loading, phase.run
        assert load is not None
        assert load.time_ps is not None
        records.append(
            {
                "phase": number + 1,
                "layers": _named(phase.layers),
                "loading_s": load.time_s,
                "batch_s": own.timing.makespan_ps / 1e12,
                "share": phase.time_ps / whole,
                "loading share": load.time_ps / phase.time_ps,
                "loading_j": load.energy_j,
                "j_per_inference": own.energy_j,
                "tiles": own.tiles["used"],
                "most_copies": max(own.replication.values(), default=1),
                "bytes_in": own.bytes_by_link_kind.get("chip-in", 0.0),
                "bytes_out": own.bytes_by_link_kind.get("chip-out", 0.0),
            }
        )
    return records


def _named(layers: tuple[str, ...]) -> str:
    return layers[0] if len(layers) == 1 else f"{layers[0]} … {layers[-1]} ({len(layers)})"


def comparison_loading(run: Run) -> dict[str, Any]:
    """Loading in a line of a comparison, in SI units; None for what is not published."""
    load = run.loading
    return {
        "loading_s": None if load is None else load.time_s,
        "loading_j": None if load is None else load.energy_j,
        "phases": max(1, len(run.phases)),
    }
