"""The commands for networks on chip: curves under synthetic traffic, and the traffic of compiled networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archsim.cli_common import Json, emit

if TYPE_CHECKING:
    from archsim.noc.fabric import Fabric

__all__ = ["add_to"]

Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write tables and figures.")]
Topology = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE", help="mesh, cmesh, torus, ring, tree, fat-tree, star, point-to-point; or a file."
    ),
]
Shape = Annotated[str, typer.Option(metavar="8x8", help="Routers in each dimension; arity x levels of a tree.")]
Concentration = Annotated[int | None, typer.Option(min=1, max=1024, help="Terminals at each router.")]
RoutingName = Annotated[
    str | None, typer.Option(help="dimension-order, fat-tree, shortest, up-down; default: the topology's own.")
]
Traffic = Annotated[
    str, typer.Option(help="uniform, transpose, bit-complement, bit-reverse, tornado, neighbour or hotspot.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of the random numbers.")]
RouterKeys = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A key of the router, as virtual_channels=4; repeatable."),
]
EngineName = Annotated[str | None, typer.Option("--engine", help="compiled (default) or reference.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this module."""
    app.command()(noc)
    app.command("noc-workload")(workload)
    app.command("noc-failures")(failures)
    app.command("noc-multicast")(shared)


def noc(
    topology: Topology = "mesh",
    shape: Shape = "8x8",
    concentration: Concentration = None,
    routing: RoutingName = None,
    traffic: Traffic = "uniform",
    packet_flits: Annotated[int, typer.Option(min=1, max=4096, help="Flits of a packet.")] = 1,
    load: Annotated[
        list[str] | None,
        typer.Option(
            metavar="L|FROM:TO:STEP", help="Flits a terminal and cycle, repeatable; default: up to saturation."
        ),
    ] = None,
    saturation: Annotated[bool, typer.Option(help="Find the load at which the network saturates.")] = False,
    warmup: Annotated[int, typer.Option(min=0, max=10**7, help="Cycles before the measurement.")] = 5000,
    measure: Annotated[int, typer.Option(min=1, max=10**7, help="Cycles in which packets are measured.")] = 40000,
    drain: Annotated[int, typer.Option(min=1, max=10**7, help="Cycles in which they may still arrive.")] = 20000,
    seed: Seed = 1,
    set_: RouterKeys = None,
    chips: Annotated[str | None, typer.Option(metavar="2x1", help="Cut a mesh or torus into chips.")] = None,
    chip_link: Annotated[
        str, typer.Option(metavar="CYCLES,PERIOD", help="Latency of a link between chips; cycles between its flits.")
    ] = "10,4",
    failed_link: Annotated[
        list[str] | None, typer.Option(metavar="A-B", help="A link that fails, as 0.0-1.0; repeatable.")
    ] = None,
    failed_links: Annotated[float, typer.Option(metavar="SHARE", help="Share of links that fail, by --seed.")] = 0.0,
    check: Annotated[bool, typer.Option(help="Refuse routes that can deadlock.")] = True,
    detail: Annotated[str, typer.Option(help="flit, packet (whole packets, FIFO links), or both.")] = "flit",
    engine: EngineName = None,
    out: Out = None,
    json: Json = None,
) -> None:
    """Latency of a network on chip against load, flit by flit, under synthetic traffic."""
    from archsim.explore.noc import curves, flit_engine, level_of_detail, load_network, loads_of
    from archsim.noc.curve import Phases
    from archsim.report.files import require_folder
    from archsim.report.hardware import print_wide
    from archsim.report.noc import curve_tables, require_plot, write_curve
    from archsim.report.progress import progress

    require_folder(out)
    if out is not None:
        require_plot()
    loads = loads_of(load or [])
    fabric, title = load_network(
        topology,
        shape,
        concentration,
        routing,
        set_ or [],
        chips,
        chip_link,
        check,
        failed_link or [],
        failed_links,
        seed,
    )
    phases = Phases(warmup, measure, drain, seed)
    with progress(20) as report:
        result = curves(
            fabric,
            traffic,
            packet_flits,
            loads,
            saturation,
            phases,
            flit_engine(engine),
            level_of_detail(detail),
            report,
        )
    title = f"{title}, {traffic}, packets of {packet_flits} flits"
    if out is not None:
        write_curve(out, title, fabric, result)
    if not emit([point.to_json() for point in result.points], json):
        print_wide(curve_tables(title, result))


def workload(
    chip: Annotated[str, typer.Argument(metavar="CHIP", help="A chip: its name or its file.")],
    network: Annotated[str, typer.Argument(metavar="WORKLOAD", help="A network: its name or its file.")],
    chips: Annotated[str, typer.Option(metavar="fit|N", help="Chips of the board.")] = "fit",
    chip_number: Annotated[
        int | None, typer.Option(min=0, help="The chip to look at; default: the one with most traffic.")
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="Inferences that are run.")] = 8,
    cycles: Annotated[
        int, typer.Option(min=1, max=10**7, help="Cycles that are replayed: those in which most flits come.")
    ] = 40_000,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key, as noc.topology=torus; repeatable."),
    ] = None,
    engine: EngineName = None,
    out: Out = None,
    json: Json = None,
) -> None:
    """The network on chip under the traffic of a compiled network: flit by flit, and with whole packets."""
    from archsim.explore.noc import flit_engine
    from archsim.explore.options import Options
    from archsim.explore.run import chips_wanted, compile_design, load_design
    from archsim.report.files import require_folder
    from archsim.report.hardware import print_wide
    from archsim.report.noc import require_plot
    from archsim.report.noc_workload import replay_json, replay_tables, write_replay
    from archsim.report.progress import progress
    from archsim.sim.replay import busiest_chip, gather, replay

    require_folder(out)
    if out is not None:
        require_plot()
    options, name = Options(images=images), flit_engine(engine)
    design = load_design(chip, network, set_ or [])
    with progress(6) as report:
        compiled = compile_design(design, chips_wanted(chips), options, report)
        number = busiest_chip(compiled) if chip_number is None else chip_number
        result = replay(compiled, number, gather(compiled, number, images, cycles, report), name, report)
    title = f"{compiled.graph.name} on {compiled.board.chip.name}, chip {number} of {compiled.board.chips}"
    if out is not None:
        write_replay(out, title, result, compiled)
    if not emit(replay_json(result), json):
        print_wide(replay_tables(title, result))


def failures(
    topology: Topology = "mesh",
    shape: Shape = "8x8",
    concentration: Concentration = None,
    routing: RoutingName = None,
    traffic: Traffic = "uniform",
    packet_flits: Annotated[int, typer.Option(min=1, max=4096, help="Flits of a packet.")] = 1,
    share: Annotated[
        list[float] | None,
        typer.Option(metavar="S", min=0, max=1, help="Share of links that fail, repeatable; default: 0 to 0.1."),
    ] = None,
    draws: Annotated[int, typer.Option(min=1, max=1000, help="Networks for each share.")] = 5,
    warmup: Annotated[int, typer.Option(min=0, max=10**7, help="Cycles before the measurement.")] = 1000,
    measure: Annotated[int, typer.Option(min=1, max=10**7, help="Cycles in which packets are measured.")] = 5000,
    drain: Annotated[int, typer.Option(min=1, max=10**7, help="Cycles in which they may still arrive.")] = 5000,
    seed: Seed = 1,
    set_: RouterKeys = None,
    engine: EngineName = None,
    out: Out = None,
    json: Json = None,
) -> None:
    """The throughput of a network on chip against the share of its links that have failed."""
    from archsim.explore.noc import flit_engine, load_network
    from archsim.noc.curve import Phases
    from archsim.noc.studies import with_failures
    from archsim.report.files import require_folder
    from archsim.report.hardware import print_wide
    from archsim.report.noc import require_plot
    from archsim.report.noc_studies import failure_records, failure_tables, write_failures
    from archsim.report.progress import progress

    require_folder(out)
    if out is not None:
        require_plot()

    def network(failed: float, drawn: int) -> tuple[Fabric, str]:
        return load_network(topology, shape, concentration, routing, set_ or [], None, "10,4", True, (), failed, drawn)

    shares, title = share or [0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1], network(0.0, 1)[1]
    phases = Phases(warmup, measure, drain, seed)
    with progress(len(shares) * draws) as report:
        found = with_failures(
            lambda failed, drawn: network(failed, drawn)[0],
            shares,
            draws,
            traffic,
            packet_flits,
            phases,
            flit_engine(engine),
            report,
        )
    title = f"{title}, {traffic}, packets of {packet_flits} flits"
    if out is not None:
        write_failures(out, title, found)
    if not emit(failure_records(found), json):
        print_wide(failure_tables(title, found))


def shared(
    topology: Topology = "mesh",
    shape: Shape = "8x8",
    concentration: Concentration = None,
    routing: RoutingName = None,
    flits: Annotated[int, typer.Option(min=1, max=4096, help="Flits to or from each tile.")] = 8,
    tiles: Annotated[
        list[int] | None, typer.Option(metavar="N", min=1, help="Tiles, repeatable; default: by powers of two.")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, max=10_000, help="Choices of tiles for each number.")] = 20,
    seed: Seed = 1,
    set_: RouterKeys = None,
    engine: EngineName = None,
    out: Out = None,
    json: Json = None,
) -> None:
    """What a network on chip saves by multicast, and by sums added on their way, against a packet for each tile."""
    from archsim.explore.noc import flit_engine, load_network
    from archsim.noc.studies import collectives
    from archsim.report.files import require_folder
    from archsim.report.hardware import print_wide
    from archsim.report.noc import require_plot
    from archsim.report.noc_studies import collective_records, collective_tables, write_collectives
    from archsim.report.progress import progress

    require_folder(out)
    if out is not None:
        require_plot()
    fabric, title = load_network(topology, shape, concentration, routing, set_ or [], None, "10,4", True)
    most = len(fabric.terminals) - 1
    sizes = tiles or sorted({*(2**k for k in range(most.bit_length())), most})
    with progress(2 * len(sizes)) as report:
        found = collectives(fabric, sizes, flits, draws, seed, flit_engine(engine), report)
    title = f"{title}, {flits} flits"
    if out is not None:
        write_collectives(out, title, found)
    if not emit(collective_records(found), json):
        print_wide(collective_tables(title, found))
