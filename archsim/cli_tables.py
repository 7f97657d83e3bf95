"""The commands ``archsim table …``: one for each table that papers and reviews print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.cli_common import Json, emit, workers

__all__ = ["add_to", "tables"]

tables = typer.Typer(name="table", help="Make the tables of papers again.", no_args_is_help=True, rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this module."""
    app.add_typer(tables)


Networks = Annotated[
    list[str] | None, typer.Option("--workload", metavar="NAME", help="Only this network; repeatable; default: all.")
]
Images = Annotated[int, typer.Option(min=1, help="Inferences that are simulated for the steady state.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes to use; default: one for each processor.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write the tables.")]


@tables.command("isaac-benchmarks")
def isaac_benchmarks(
    workload: Networks = None,
    readings: Annotated[bool, typer.Option(help="Run also each design with something read in another way.")] = False,
    images: Images = 4,
    jobs: Jobs = None,
    out: Out = None,
    json: Json = None,
) -> None:
    """ISAAC's networks on ISAAC-CE and DaDianNao, on boards of 16 chips: throughput, energy, latency."""
    _benchmarks("isaac-benchmarks", workload, readings, images, jobs, out, json)


@tables.command("puma-benchmarks")
def puma_benchmarks(
    workload: Networks = None, images: Images = 4, jobs: Jobs = None, out: Out = None, json: Json = None
) -> None:
    """PUMA's networks on PUMA and DaDianNao: throughput, energy, latency; published GPU ratios beside."""
    _benchmarks("puma-benchmarks", workload, False, images, jobs, out, json)


def _benchmarks(
    name: str,
    workload: list[str] | None,
    readings: bool,
    images: int,
    jobs: int | None,
    out: Path | None,
    json: Path | None,
) -> None:
    import sys

    number = workers(jobs)
    from archsim.explore.benchmarks import all_tables, run_suite
    from archsim.explore.options import options
    from archsim.explore.suites import suite
    from archsim.report.benchmarks import benchmark_tables, write_benchmarks
    from archsim.report.files import require_folder
    from archsim.report.hardware import print_wide
    from archsim.report.progress import progress

    require_folder(out)
    wanted, chosen = options(images, None, None, True, None), suite(name, workload or [], readings=readings)
    results = []
    with progress(1 + len(chosen.networks) * len(chosen.cases)) as report:
        for result in run_suite(chosen, wanted, report, number):
            results.append(result)
            line = result.refused if result.run is None else result.run.one_line()
            print(f"{result.case.label}: {line}", file=sys.stderr)
    found = all_tables(chosen, results)
    if out is not None:
        write_benchmarks(found, out)
    if not emit(found, json):
        print_wide(benchmark_tables(found))


@tables.command()
def review(
    node: Annotated[
        str, typer.Option("--node", metavar="LENGTH", help="The node that designs are scaled to.")
    ] = "32 nm",
    out: Out = None,
    json: Json = None,
) -> None:
    """The field's accelerators as published and as simulated, each as it is and scaled to one technology node."""
    from archsim.explore.review import review_records
    from archsim.report.files import require_folder
    from archsim.report.hardware import print_wide
    from archsim.report.progress import progress
    from archsim.report.review import review_tables, write_review

    require_folder(out)
    with progress(30) as report:
        records = review_records(node, report)
    if out is not None:
        write_review(records, node, out)
    if not emit(records, json):
        print_wide(review_tables(records, node))
