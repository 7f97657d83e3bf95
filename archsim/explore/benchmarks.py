"""The benchmark tables of papers: their networks on their chip and on a digital one, on boards of equal chips.

Each network runs on a board of so many chips as the paper has; where a design does not hold it there, on the next of
twice, four times … as many on which every design of the suite holds it.

Effective throughput is peak × the share of peak that a network reaches, so that of two designs

    throughput ratio = (ratio of the boards' peaks) × (ratio of the shares of peak)

which says how much of a ratio is the chips' and how much the mapping's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from archsim.compile.network import chips_to_fit
from archsim.errors import CompileError
from archsim.explore.options import Options
from archsim.explore.pool import in_processes, make_ready
from archsim.explore.run import Design, load_design, run_design
from archsim.explore.suites import Case, Suite
from archsim.results import Run, geometric_mean, per

__all__ = ["RATIOS", "Result", "all_tables", "figures", "prepared", "ratios", "records", "run_suite"]

Report = Callable[[str], None]
Records = list[dict[str, Any]]


@dataclass(frozen=True)
class Result:
    """One network of a suite on one design: the run, or why there is none."""

    case: Case
    network: str
    chips: int
    run: Run | None
    refused: str = ""


def _share_of_peak(run: Run) -> float | None:
    return per(run.effective_tops, run.peak["tops"])


def _better(of: Callable[[Run], float | None]) -> Callable[[Run, Run], float | None]:
    return lambda run, base: per(of(run), of(base))


def _less(of: Callable[[Run], float | None]) -> Callable[[Run, Run], float | None]:
    return lambda run, base: per(of(base), of(run))


RATIOS: dict[str, Callable[[Run, Run], float | None]] = {
    "throughput": _better(lambda run: run.throughput_per_s),
    "peak": _better(lambda run: run.peak["tops"]),
    "share of peak": _better(_share_of_peak),
    "latency": _less(lambda run: run.latency_s),
    "energy gated": _less(lambda run: run.energy_j),
    "energy always on": _less(lambda run: run.energy_always_on_j),
    "power gated": _better(lambda run: run.average_power_w),
    "power always on": _better(lambda run: run.always_on_w),
    "peak/mm2": _better(lambda run: run.peak["tops_per_mm2"]),
    "peak/W": _better(lambda run: run.peak["tops_per_w"]),
}
"""A design over another: how many times its throughput, peak and power, and how many times less latency and energy."""


def prepared(suite: Suite) -> list[tuple[Case, str, Design, int]]:
    """Every network on every design, loaded, with the chips of its board; networks one after the other."""
    out = []
    for network in suite.networks:
        designs = [(case, load_design(case.chip, network, case.set)) for case in suite.cases]
        needed = max(chips_to_fit(design.graph, design.chip.model) for _, design in designs)
        chips = suite.chips
        while chips < needed:
            chips *= 2
        out += [(case, network, design, chips) for case, design in designs]
    return out


def run_suite(suite: Suite, options: Options, report: Report = lambda step: None, jobs: int = 1) -> Iterator[Result]:
    """Run all of ``suite`` by ``jobs`` processes; a result is given when it and those before it are ready."""
    if jobs > 1:
        make_ready(options.engine)
    report("loading")
    pairs = prepared(suite)
    runs = in_processes(_run, [(design, chips, options) for _, _, design, chips in pairs], jobs)
    for case, network, _, chips in pairs:
        report(f"{case.label} {network}")
        done = next(runs)
        refused = isinstance(done, str)
        yield Result(case, network, chips, None if isinstance(done, str) else done, str(done) if refused else "")


def _run(work: tuple[Design, int, Options]) -> Run | str:
    try:
        return run_design(*work)
    except CompileError as error:
        return str(error)


def records(suite: Suite, results: Sequence[Result]) -> Records:
    """A row for each network and design; None where it does not run."""
    return [_record(suite, result) for result in results]


def _record(suite: Suite, result: Result) -> dict[str, Any]:
    run = result.run
    of: dict[str, Callable[[Run], Any]] = {
        "inferences/s": lambda run: run.throughput_per_s,
        "TOPS": lambda run: run.effective_tops,
        "share of peak": _share_of_peak,
        "latency_s": lambda run: run.latency_s,
        "energy_gated_j": lambda run: run.energy_j,
        "energy_always_on_j": lambda run: run.energy_always_on_j,
        "power_gated_w": lambda run: run.average_power_w,
        "power_always_on_w": lambda run: run.always_on_w,
        "area_mm2": lambda run: run.area_mm2,
        "spread": lambda run: run.timing.interval_spread,
        "loading_s": lambda run: None if run.loading is None else run.loading.time_s,
        "loading_j": lambda run: None if run.loading is None else run.loading.energy_j,
    }
    row: dict[str, Any] = {"network": result.network, "in the paper": suite.notes.get(result.network, "")}
    row |= {"design": result.case.label, "chips": result.chips}
    row |= {key: None if run is None else value(run) for key, value in of.items()}
    row["limited by"] = result.refused if run is None else f"{run.bottleneck.layer}: {run.bottleneck.server}"
    return row


def _pairs(suite: Suite) -> list[tuple[Case, Case]]:
    """(design, baseline), then with each reading in place of the one that it is a reading of."""
    pairs = [(suite.design, suite.baseline)]
    for reading in suite.readings:
        pairs.append((suite.design, reading) if reading.chip == suite.baseline.chip else (reading, suite.baseline))
    return pairs


def ratios(suite: Suite, results: Sequence[Result]) -> Records:
    """Each of :data:`RATIOS` for each network that both run, and its geometric and arithmetic mean over those."""
    by = {(result.case.label, result.network): result.run for result in results}
    rows: Records = []
    for design, base in _pairs(suite):
        for metric, of in RATIOS.items():
            row: dict[str, Any] = {"design": design.label, "over": base.label, "metric": metric}
            known: list[float] = []
            for network in suite.networks:
                mine, theirs = by.get((design.label, network)), by.get((base.label, network))
                row[network] = None if mine is None or theirs is None else of(mine, theirs)
                known += [row[network]] if row[network] else []
            row["geometric mean"] = geometric_mean(known) if known else None
            row["mean"] = sum(known) / len(known) if known else None
            rows.append(row)
    return rows


def figures(suite: Suite, ratio_rows: Records) -> Records:
    """The paper's averages, and beside each archsim's means for the design over the baseline and for the readings."""
    rows: Records = []
    for figure in suite.published:
        given = {"figure": figure.name, "paper": figure.value}
        origin = {"status": figure.status, "source": figure.source}
        nothing = {"archsim": "", "design": "", "over": "", "geometric mean": None, "mean": None}
        found = [row for row in ratio_rows if row["metric"] in figure.metrics]
        keys = ("design", "over", "geometric mean", "mean")
        rows += [given | {"archsim": row["metric"]} | {key: row[key] for key in keys} | origin for row in found]
        rows += [] if found else [given | nothing | origin]
    return rows


def all_tables(suite: Suite, results: Sequence[Result]) -> dict[str, Any]:
    """The tables of a suite with its title, the baseline's name and what its readings change."""
    normalised = ratios(suite, results)
    return {
        "suite": suite.name,
        "title": suite.title,
        "baseline": suite.baseline.label,
        "readings": [f"{case.label}: {', '.join(case.set)}; {case.why}" for case in suite.readings],
        "networks": records(suite, results),
        "ratios": normalised,
        "published": figures(suite, normalised),
    }
