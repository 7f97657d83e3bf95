"""The command that runs whole networks on analog arrays in value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.cli_common import Json, emit
from archsim.errors import ArchsimError

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this module."""
    app.command()(accuracy)


def accuracy(
    chip: Annotated[str, typer.Argument(metavar="CHIP", help="A chip or a tile: its name or its file.")],
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A network with weights: an ONNX file or a name.")],
    data: Annotated[
        str,
        typer.Option(
            "--data", metavar="NAME|PATH", help="digits, mnist, letters, a .npz or idx file, a folder of images."
        ),
    ],
    images: Annotated[int | None, typer.Option(min=1, help="Samples, the first of the data; default: all.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="Runs with arrays programmed anew.")] = 3,
    also: Annotated[
        list[str] | None, typer.Option(metavar="CHIP", help="Another chip or tile to compare with; repeatable.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a key, as tile.core.components.adc.bits=6; repeatable."
        ),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            metavar="CAUSE=V,V",
            help="adc-bits, cell-bits, programming-error, stuck, array-size, time, temperature, or any key.",
        ),
    ] = None,
    time: Annotated[float, typer.Option(min=0.0, metavar="SECONDS", help="When after programming.")] = 0.0,
    temperature: Annotated[float | None, typer.Option(metavar="KELVIN", help="Default: that of the source.")] = None,
    calibrate: Annotated[int, typer.Option(min=1, max=100_000, help="Samples that ranges are taken from.")] = 64,
    causes: Annotated[bool, typer.Option("--causes", help="Accuracy with each effect alone and without it.")] = False,
    ideal: Annotated[bool, typer.Option("--ideal", help="A run on arrays without any effect as well.")] = False,
    scales: Annotated[str, typer.Option(metavar="column|layer", help="Whose weights share a scale.")] = "column",
    carry: Annotated[
        list[str] | None,
        typer.Option(metavar="INPUT=OUTPUT", help="Feed an output back, sample by sample; repeatable."),
    ] = None,
    bind: Annotated[
        list[str] | None, typer.Option("--bind", metavar="INPUT=NUMBER", help="An input that stays, as sr=16000.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: one for each processor.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write tables, ranges and figures.")] = None,
    json: Json = None,
) -> None:
    """Run a network with its weights on a chip's arrays, in value: accuracy beside that of the digital network."""
    from archsim.accuracy.analog import Moment
    from archsim.accuracy.results import Asked
    from archsim.explore.accuracy import measure, points_of
    from archsim.explore.pool import processors
    from archsim.report.accuracy import accuracy_json, accuracy_tables, write_accuracy
    from archsim.report.files import require_folder
    from archsim.report.hardware import print_wide
    from archsim.report.progress import counting

    require_folder(out)
    fed = tuple(_pair("--carry", text) for text in carry or [])
    constants = tuple((name, _number(name, value)) for name, value in (_pair("--bind", text) for text in bind or []))
    points, swept = points_of([chip, *(also or [])], set_ or [], Moment(time, temperature), sweep)
    if scales not in ("column", "layer"):
        raise ArchsimError(f"--scales: expected column or layer, got {scales!r:.60}")
    own = scales == "column"
    asked = Asked(model, data, images, seeds, calibrate, causes, ideal, own, fed, constants, jobs or processors())
    with counting("runs") as report:
        result = measure(asked, points, swept, report)
    if out is not None and not write_accuracy(result, out):
        typer.echo("no figure: Matplotlib is not installed (pip install 'archsim[plot]')", err=True)
    if not emit(accuracy_json(result), json):
        print_wide(accuracy_tables(result))


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ArchsimError(f"{option}: expected two names, as state=stateN, got {text!r:.100}")
    return name, value


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArchsimError(f"--bind {name}: expected a number, got {text!r:.60}") from None
