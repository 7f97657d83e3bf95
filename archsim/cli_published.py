"""The commands that hold the library's designs to what is published of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.cli_common import Json, emit

__all__ = ["add_to"]

Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write tables and figure.")]


table = typer.Typer(help="Tables of published designs.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this module."""
    app.command()(validate)
    app.add_typer(table, name="table")


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


@table.command()
def review(
    node: Annotated[
        str, typer.Option("--node", metavar="LENGTH", help="The node that designs are scaled to.")
    ] = "32 nm",
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write the tables.")] = None,
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
