"""The command that repeats a published experiment on accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.cli_common import Json, emit
from archsim.errors import NotFoundError, nearest

__all__ = ["add_to"]

STUDIES = ("merrikh-bayat-2018",)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this module."""
    app.command("accuracy-study")(accuracy_study)


def accuracy_study(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The experiment: merrikh-bayat-2018.")],
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", help="Networks, each on a chip of its own.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Of all that is random.")] = 0,
    target: Annotated[
        float | None,
        typer.Option("--target", metavar="SHARE", help="Train for this share of the full output; default: chosen."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write tables and figure.")] = None,
    json: Json = None,
) -> None:
    """Repeat a published experiment: what a network loses from software to hardware, chip by chip."""
    from archsim.accuracy.letters_study import study
    from archsim.report.accuracy_study import study_json, study_tables, write_study
    from archsim.report.files import require_folder
    from archsim.report.hardware import print_wide
    from archsim.report.noc import require_plot
    from archsim.report.progress import progress

    if name not in STUDIES:
        hint = nearest(name, STUDIES) or f"; there is {', '.join(STUDIES)}"
        raise NotFoundError(f"no experiment named {name!r:.100}{hint}")
    require_folder(out)
    if out is not None:
        require_plot()
    with progress(7 if target is None else 4) as report:
        found = study(seeds, seed, target, report)
    if out is not None:
        write_study(found, out)
    if not emit(study_json(found), json):
        print_wide(study_tables(found))
