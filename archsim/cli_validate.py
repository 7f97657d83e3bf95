"""The command that holds the library's designs to what is published of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.cli_common import Json, emit

__all__ = ["add_to"]

Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write tables and figure.")]


def add_to(app: typer.Typer) -> None:
    """Register the command of this module."""
    app.command()(validate)


def validate(
    designs: Annotated[
        list[str] | None, typer.Argument(metavar="[DESIGN]...", help="Chips or rows of the review; default: all.")
    ] = None,
    out: Out = None,
    json: Json = None,
) -> None:
    """Hold designs to their published figures; exit code 1 if one that is held to agree does not."""
    from archsim.explore.validation import validate as validated
    from archsim.report.files import require_folder
    from archsim.report.hardware import print_wide
    from archsim.report.noc import require_plot
    from archsim.report.progress import progress
    from archsim.report.validation import validation_tables, write_validation

    require_folder(out)
    if out is not None:
        require_plot()
    with progress(20) as report:
        validation = validated(designs or [], report)
    if out is not None:
        write_validation(validation, out)
    if not emit(validation.to_json(), json):
        print_wide(validation_tables(validation))
    for finding in validation.unexplained:
        typer.echo(
            f"{finding.design}: {finding.metric} is {finding.archsim:.4g}, published {finding.paper:.4g} "
            f"(ratio {finding.ratio:.3f}), and the file gives no reason",
            err=True,
        )
    if validation.unexplained:
        raise typer.Exit(1)
