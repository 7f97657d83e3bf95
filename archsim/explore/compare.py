"""Several designs on several networks, on boards of equal silicon area."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from archsim.compile.network import chips_to_fit
from archsim.errors import ArchsimError, CompileError
from archsim.explore.options import Options
from archsim.explore.pool import in_processes, make_ready
from archsim.explore.run import Design, load_design, run_design
from archsim.hardware.rollup import chip_rollup
from archsim.results import Run, geometric_mean, per
from archsim.workload import ImportOptions

__all__ = ["METRICS", "Comparison", "boards_of_equal_area", "compare", "prepare", "ratios", "several_nodes"]

Report = Callable[[str], None]

METRICS: dict[str, Callable[[Run], float | None]] = {
    "throughput": lambda run: run.throughput_per_s,
    "throughput/mm2": lambda run: per(run.throughput_per_s, run.area_mm2),
    "throughput/W": lambda run: per(run.throughput_per_s, run.average_power_w),
    "latency": lambda run: run.latency_s,
    "energy": lambda run: run.energy_j,
    "energy always on": lambda run: run.energy_always_on_j,
}
"""What designs are compared by; None where a design has no such cost to divide by."""


@dataclass(frozen=True)
class Comparison:
    """The designs of a comparison, and the chips of each design's board."""

    designs: dict[tuple[str, str], Design]
    chips: dict[str, int]


def boards_of_equal_area(designs: dict[tuple[str, str], Design]) -> dict[str, int]:
    """Chips of each design: boards of the smallest common area at which every design holds every network once.

    The design that needs the largest area sets it; the others have as many whole chips as come nearest to it.
    """
    needed: dict[str, int] = {}
    area: dict[str, float] = {}
    for (chip, _), design in designs.items():
        needed[chip] = max(needed.get(chip, 1), chips_to_fit(design.graph, design.chip.model))
        area[chip] = chip_rollup(design.chip.model).area_mm2["chip"]
    if without := [chip for chip, each in area.items() if not each]:
        raise ArchsimError(f"{without[0]} has no area, so no board of equal area; give the number of chips (--chips)")
    common = max(needed[chip] * area[chip] for chip in needed)
    return {chip: max(needed[chip], round(common / area[chip])) for chip in needed}


def prepare(
    chips: Sequence[str],
    workloads: Sequence[str],
    count: int | None,
    overrides: Sequence[str] = (),
    imports: ImportOptions | None = None,
    reprogram: bool = False,
) -> Comparison:
    """Load every pair and size the boards; ``count`` chips for every design, or boards of equal area.

    ``imports`` says how ONNX files are read.

    CompileError if a network does not fit ``count`` chips, unless these are programmed anew (``reprogram``).
    """
    designs = {(chip, work): load_design(chip, work, overrides, imports) for chip in chips for work in workloads}
    _require_own_names("chips", {chip: design.chip.model.name for (chip, _), design in designs.items()})
    _require_own_names("workloads", {work: design.graph.name for (_, work), design in designs.items()})
    if count is None:
        return Comparison(designs, boards_of_equal_area(designs))
    for design in () if reprogram else designs.values():  # before anything has run
        if (needed := chips_to_fit(design.graph, design.chip.model)) > count:
            raise CompileError(
                f"{design.graph.name} does not fit {count} × {design.chip.model.name}; {needed} chips hold it once; "
                "--reprogram runs it in phases"
            )
    return Comparison(designs, dict.fromkeys(chips, count))


def several_nodes(comparison: Comparison) -> str:
    """What is to be said of chips of more than one technology node; empty if they are of one."""
    chips = [design.chip.model for design in comparison.designs.values()]
    nodes = {chip.name: str(chip.tile.technology) for chip in chips}
    if len({chip.tile.technology.value for chip in chips}) == 1:
        return ""
    named = ", ".join(f"{name} {node}" for name, node in nodes.items())
    return f"the chips are of several technology nodes ({named}), and nothing is scaled between them"


def _require_own_names(what: str, names: dict[str, str]) -> None:
    """ArchsimError if two files carry one name, by which the rows of the tables are told apart."""
    seen: dict[str, str] = {}
    for given, name in names.items():
        if name in seen:
            raise ArchsimError(
                f"{what}: {seen[name]!r} and {given!r} are both named {name!r}; give each a name of its own"
            )
        seen[name] = given


def compare(
    comparison: Comparison, options: Options, report: Report = lambda step: None, jobs: int = 1
) -> Iterator[Run]:
    """Run every pair, network by network, by ``jobs`` processes; a Run is given as soon as it and those before it are
    ready.  ``report`` is told which pair is waited for."""
    workloads = dict.fromkeys(work for _, work in comparison.designs)
    pairs = [(chip, work) for work in workloads for chip in comparison.chips]
    if min(jobs, len(pairs)) > 1:
        make_ready(options.engine)
    work = [(comparison.designs[chip, work], comparison.chips[chip], options) for chip, work in pairs]
    runs = in_processes(_run, work, jobs)
    for chip, workload in pairs:
        report(f"{chip} {workload}")
        yield next(runs)


def _run(pair: tuple[Design, int, Options]) -> Run:
    return run_design(*pair)


def ratios(runs: Sequence[Run]) -> list[dict[str, object]]:
    """Each metric of each design over that of the first design, for each network and as the geometric mean."""
    chips = list(dict.fromkeys(run.chip for run in runs))
    workloads = list(dict.fromkeys(run.workload for run in runs))
    by = {(run.chip, run.workload): run for run in runs}
    rows: list[dict[str, object]] = []
    for chip in chips[1:]:
        for metric, of in METRICS.items():
            row: dict[str, object] = {"chip": chip, "over": chips[0], "metric": metric}
            values = [per(of(by[chip, work]), of(by[chips[0], work])) for work in workloads]
            row |= dict(zip(workloads, values, strict=True))
            known = [value for value in values if value]
            row["geometric mean"] = geometric_mean(known) if len(known) == len(values) else None
            rows.append(row)
    return rows
