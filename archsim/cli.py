"""The command line: options in, tables and files out; no logic of its own.

Imports of what a command needs stand inside it, so that ``archsim --help`` starts at once.
"""

from __future__ import annotations

import atexit
import gc
import io
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from archsim import cli_accuracy, cli_accuracy_study, cli_noc, cli_tables, cli_validate
from archsim._version import __version__
from archsim.cli_common import Commands, Json, workers
from archsim.cli_common import emit as _emit
from archsim.errors import ArchsimError

__all__ = ["app", "main"]

app = typer.Typer(
    name="archsim",
    cls=Commands,
    help="Simulate accelerators that compute inside memristor crossbars.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, as tile.core.components.adc.bits=6; repeatable."),
]

Bind = Annotated[
    list[str] | None,
    typer.Option("--bind", metavar="NAME=SIZE", help="A symbolic size of an ONNX file, as batch=1; repeatable."),
]
MapUnknown = Annotated[
    str | None,
    typer.Option("--map-unknown", metavar="vector", help="Take unknown operators of an ONNX file as vector work."),
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"archsim {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("list")
def list_(json: Json = None) -> None:
    """List the chips, tiles, workloads and studies that can be named."""
    from archsim.report.catalogue import catalogue, catalogue_table
    from archsim.report.hardware import print_wide

    entries = catalogue()
    if not _emit(entries, json):
        print_wide(catalogue_table(entries))


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A chip, tile or workload: its name or its file, also an ONNX file.")
    ],
    set_: Set = None,
    bind: Bind = None,
    map_unknown: MapUnknown = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="CHIP", help="Of a workload: the arrays that it needs on this chip.")
    ] = None,
    graph: Annotated[
        Path | None, typer.Option("--graph", metavar="FILE", help="Draw a workload's layers into this SVG file.")
    ] = None,
    yaml: Annotated[
        Path | None, typer.Option("--yaml", metavar="FILE", help="Write a workload as a YAML file of archsim's own.")
    ] = None,
    json: Json = None,
) -> None:
    """Show a chip or tile, rolled up from its components, or a workload's layers, beside the published figures."""
    from archsim.report.hardware import hardware_tables, print_wide, show_hardware
    from archsim.spec.loader import document_kind

    kind = document_kind(name)
    if kind == "workload":
        from archsim.explore.options import import_options
        from archsim.report.workload import show_and_write, workload_tables

        network = show_and_write(name, set_ or [], import_options(bind, map_unknown), on, graph, yaml)
        if not _emit(network, json):
            print_wide(workload_tables(network))
        return
    if bind or map_unknown or on or graph or yaml:
        raise ArchsimError(
            f"{name!r:.100} is a {kind}; --bind, --map-unknown, --on, --graph and --yaml are for workloads"
        )
    out, rollup, _ = show_hardware(kind, name, set_ or [])
    if not _emit(out, json):
        print_wide(hardware_tables(out, rollup))


@app.command()
def schema(
    kind: Annotated[str | None, typer.Argument(help="chip, tile, workload or study; all of them by default.")] = None,
    json: Json = None,
) -> None:
    """Print the JSON Schema of the files, for editors."""
    from archsim.spec.schema import json_schema

    value = json_schema(kind)
    _emit(value, json if json is not None else Path("-"))


Images = Annotated[int, typer.Option(min=1, help="Inferences that are simulated for the steady state.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write tables, statistics and configuration.")]
EngineOption = Annotated[str | None, typer.Option("--engine", help="compiled (default) or simpy, the reference.")]
Replicate = Annotated[
    list[str] | None,
    typer.Option(metavar="LAYER=N", help="Copies of a layer, repeatable; 'none' for one of each; default: balanced."),
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes to use; default: one for each processor.")]
ChipName = Annotated[str, typer.Argument(metavar="CHIP", help="A chip: its name or its file.")]
WorkloadName = Annotated[str, typer.Argument(metavar="WORKLOAD", help="A network: its name or its file.")]
Chips = Annotated[str, typer.Option(metavar="N|fit", help="Chips on the board; fit: as few as hold it once.")]
ComponentDetail = Annotated[
    list[str] | None, typer.Option(metavar="LAYER", help="Simulate a layer component by component; repeatable.")
]
IdleTiles = Annotated[bool, typer.Option(help="Count the static power of tiles that hold nothing.")]
Reprogram = Annotated[
    bool,
    typer.Option("--reprogram", help="Run what does not fit in phases, each loaded for a batch of --images."),
]


@app.command()
def run(
    chip: ChipName,
    workload: WorkloadName,
    chips: Chips = "fit",
    images: Images = 8,
    set_: Set = None,
    replicate: Replicate = None,
    component_detail: ComponentDetail = None,
    engine: EngineOption = None,
    idle_tiles: IdleTiles = True,
    reprogram: Reprogram = False,
    bind: Bind = None,
    map_unknown: MapUnknown = None,
    out: Out = None,
    records: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write every firing, delivery and passage over a link.")
    ] = None,
    json: Json = None,
) -> None:
    """Simulate a network on a board of chips: time, energy, traffic, and what limits it."""
    from archsim.explore.options import import_options, options
    from archsim.explore.run import chips_wanted, load_design, run_design
    from archsim.report.files import require_folder
    from archsim.report.hardware import print_wide
    from archsim.report.progress import progress
    from archsim.report.records import write_records
    from archsim.report.runs import run_tables, write_run

    wanted = options(images, engine, replicate, idle_tiles, component_detail, reprogram)
    size = chips_wanted(chips)
    require_folder(out)
    require_folder(records)
    design = load_design(chip, workload, set_ or [], import_options(bind, map_unknown))
    keep = None if records is None else partial(write_records, records)
    with progress(3) as report:
        result = run_design(design, size, wanted, report, keep)
    if out is not None:
        write_run(result, out)
    if not _emit(result.to_json(), json):
        print_wide(run_tables(result))


@app.command()
def trace(
    chip: ChipName,
    workload: WorkloadName,
    file: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The trace, such as run.pftrace.")],
    chips: Chips = "fit",
    images: Annotated[int, typer.Option(min=1, help="Inferences, one after the other.")] = 1,
    set_: Set = None,
    replicate: Replicate = None,
    component_detail: ComponentDetail = None,
    engine: EngineOption = None,
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Begin there, as '12 us'.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="End there, as '15 us'.")] = None,
    tile: Annotated[
        list[str] | None, typer.Option(metavar="[CHIP:]TILE", help="Only what is in this tile; repeatable.")
    ] = None,
    flow: Annotated[
        str | None, typer.Option(metavar="LAYER", help="Arrows for the way of each token that this layer sends.")
    ] = None,
    json: Json = None,
) -> None:
    """Write a run as a timeline for ui.perfetto.dev: each core, unit, link and buffer, and what it did when."""
    from archsim.explore.options import options
    from archsim.explore.run import chips_wanted, load_design
    from archsim.explore.trace import trace_design, view
    from archsim.report.files import require_file
    from archsim.report.perfetto import require_perfetto
    from archsim.report.progress import progress
    from archsim.report.trace import trace_lines, write_trace

    wanted, size = options(images, engine, replicate, True, component_detail), chips_wanted(chips)
    shown = view(since, until, tile, flow)
    require_perfetto()
    require_file(file)
    design = load_design(chip, workload, set_ or [])
    with progress(3) as report:
        timeline = trace_design(design, size, wanted, shown, report)
        report("writing the trace")
        summary = write_trace(timeline, file, flow)
    if not _emit(summary, json):
        typer.echo(trace_lines(summary))


@app.command()
def explain(
    chip: ChipName,
    workload: WorkloadName,
    chips: Chips = "fit",
    images: Images = 8,
    set_: Set = None,
    replicate: Replicate = None,
    component_detail: ComponentDetail = None,
    engine: EngineOption = None,
    jobs: Jobs = None,
    out: Out = None,
    json: Json = None,
) -> None:
    """Say why a network is as fast as it is on a board of chips, and what would make it faster."""
    jobs = workers(jobs)
    from archsim.explore.explain import explain_design
    from archsim.explore.options import options
    from archsim.explore.run import chips_wanted, load_design
    from archsim.report.explain import explain_json, explain_tables, write_explanation
    from archsim.report.files import require_folder
    from archsim.report.hardware import print_wide
    from archsim.report.progress import progress

    wanted, size = options(images, engine, replicate, True, component_detail), chips_wanted(chips)
    require_folder(out)
    design = load_design(chip, workload, set_ or [])
    with progress(5) as report:
        found = explain_design(design, size, wanted, report, jobs)
    if out is not None:
        write_explanation(found, out)
    if not _emit(explain_json(found), json):
        print_wide(explain_tables(found))


@app.command()
def compare(
    chips: Annotated[list[str], typer.Argument(metavar="CHIP...", help="Chips: names or files.")],
    workload: Annotated[list[str], typer.Option("--workload", help="A network; repeatable.")],
    count: Annotated[
        int | None, typer.Option("--chips", min=1, help="Chips on every board; default: boards of equal silicon area.")
    ] = None,
    images: Images = 8,
    set_: Set = None,
    engine: EngineOption = None,
    idle_tiles: IdleTiles = True,
    reprogram: Reprogram = False,
    jobs: Jobs = None,
    bind: Bind = None,
    map_unknown: MapUnknown = None,
    out: Out = None,
    json: Json = None,
) -> None:
    """Compare chips on networks, on boards of equal silicon area."""
    jobs = workers(jobs, len(chips) * len(workload))
    from archsim.explore.compare import compare as compare_designs
    from archsim.explore.compare import prepare, ratios, several_nodes
    from archsim.explore.options import import_options, options
    from archsim.report.files import require_folder
    from archsim.report.hardware import plain_text, print_wide
    from archsim.report.progress import progress
    from archsim.report.runs import comparison_tables, write_comparison

    wanted = options(images, engine, None, idle_tiles, None, reprogram)
    require_folder(out)
    comparison = prepare(chips, workload, count, set_ or [], import_options(bind, map_unknown), reprogram)
    if said := several_nodes(comparison):
        typer.echo(f"archsim: {said}", err=True)
    runs = []
    with progress(len(comparison.designs)) as report:
        for result in compare_designs(comparison, wanted, report, jobs):
            runs.append(result)
            print(plain_text(result.one_line()).plain, file=sys.stderr)  # not by echo, which passes by the bar
    normalised = ratios(runs)
    if out is not None:
        write_comparison(runs, normalised, out)
    if not _emit([result.to_json() for result in runs], json):
        print_wide(comparison_tables(runs, normalised))


@app.command()
def mvm(
    tile: Annotated[str, typer.Argument(metavar="TILE", help="A tile: its name or its file.")],
    rows: Annotated[int | None, typer.Option(min=1, help="Rows of the matrix; default: those of an array.")] = None,
    cols: Annotated[int | None, typer.Option(min=1, help="Columns of the matrix; default: those of an array.")] = None,
    batch: Annotated[int, typer.Option(min=1, max=1_000_000, help="Inputs that are read.")] = 256,
    time: Annotated[float, typer.Option(min=0.0, metavar="SECONDS", help="When after programming.")] = 0.0,
    temperature: Annotated[float | None, typer.Option(metavar="KELVIN", help="Default: that of the source.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, inputs and all that is random in the array.")] = 0,
    set_: Set = None,
    out: Out = None,
    json: Json = None,
) -> None:
    """Read a random matrix in the arrays of a tile, in value: SNR, error by cause, speed."""
    from archsim.hardware.read import MvmWanted, read_tile, speed
    from archsim.report.files import require_folder
    from archsim.report.hardware import print_wide
    from archsim.report.mvm import mvm_tables, write_mvm

    require_folder(out)
    run = read_tile(tile, set_ or [], MvmWanted(rows, cols, batch, seed, time, temperature))
    if out is not None and not write_mvm(run, out):
        typer.echo("no figure: Matplotlib is not installed (pip install 'archsim[plot]')", err=True)
    if not _emit(run.to_json(), json):
        print_wide(mvm_tables(run, speed(run)))


@app.command()
def netlist(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A tile, or a chip for its tile: its name or its file.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The SPICE deck to write.")],
    rows: Annotated[int | None, typer.Option(min=1, help="Rows of cells; default: those of an array.")] = None,
    cols: Annotated[int | None, typer.Option(min=1, help="Columns of cells; default: those of an array.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, inputs and all that is random in the array.")] = 0,
    r_wire: Annotated[
        float | None, typer.Option(min=0.0, metavar="OHM", help="Resistance of each segment; default: the tile's.")
    ] = None,
    voltage_map: Annotated[
        Path | None, typer.Option("--map", metavar="FILE.svg", help="Draw the voltage across each cell.")
    ] = None,
    set_: Set = None,
    json: Json = None,
) -> None:
    """Write an array of a tile with its wires as a SPICE deck, for ngspice to check what archsim says of it."""
    from archsim.hardware.netlist import array_deck
    from archsim.report.files import write_text
    from archsim.report.hardware import print_wide
    from archsim.report.netlist import deck_tables, voltage_figure

    deck = array_deck(name, set_ or [], rows, cols, seed, r_wire)
    figure = None if voltage_map is None else voltage_figure(deck.found.cell_v, deck.title)
    write_text(output, deck.text)
    if voltage_map is not None and figure is not None:
        write_text(voltage_map, figure)
    if not _emit(deck.to_json(), json):
        print_wide(deck_tables(deck))


@app.command()
def study(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A study: its name or its file.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder of the study; goes on where it was.")],
    jobs: Jobs = None,
    store: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where points are kept, for studies that share them.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="WHERE", help="Run points by dask.distributed: local, slurm, or a scheduler's address."),
    ] = None,
    json: Json = None,
) -> None:
    """Run every point of a study that is not there yet, and write its table."""
    jobs = workers(jobs, 1 if cluster else 2, "archsim.explore.workers")
    from archsim.explore.study import load_study, run_study
    from archsim.report.files import require_folder
    from archsim.report.hardware import print_wide
    from archsim.report.progress import counting
    from archsim.report.study.terminal import study_tables

    require_folder(out)
    require_folder(store)
    loaded = load_study(file)
    with counting("points") as report:
        summary = run_study(loaded, out, jobs, store, report, cluster)
    if not _emit(summary.records, json):
        print_wide(study_tables(summary.study, summary.records, summary.run, out))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a study.")],
    to: Annotated[str, typer.Option(help="md, csv, latex or html.")] = "md",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where to; default: the folder report in that of the study."),
    ] = None,
) -> None:
    """Write the tables and figures of a study: best points, sensitivities, breakdowns, designs beside each other."""
    from archsim.report.files import require_folder
    from archsim.report.study.write import write_report

    where = out or folder / "report"
    require_folder(where)
    for name in write_report(folder, to, where):
        typer.echo(str(where / name))


cli_accuracy.add_to(app)
cli_accuracy_study.add_to(app)
cli_tables.add_to(app)
cli_validate.add_to(app)
cli_noc.add_to(app)


def main() -> None:
    """The console script: one clear message and exit code 2 for whatever a user can cause."""
    from archsim.report.notices import show_notices

    show_notices()
    atexit.register(gc.freeze)  # else what is left is searched for cycles before it is thrown away, for half a second
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show ² still gets the numbers
    try:
        app()
    except ArchsimError as error:
        typer.echo(f"archsim: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
