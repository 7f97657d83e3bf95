"""What the modules of commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

__all__ = ["Commands", "Json", "emit", "workers"]

WORDS = "archsim.words"

Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON; - for stdout.")]


class Commands(TyperGroup):
    """The commands, which leave in the reports that they write how they were called."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the words before they are taken apart."""
        ctx.meta[WORDS] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        from archsim.report.made import made_with

        with made_with(ctx.meta[WORDS]):
            return super().invoke(ctx)


def emit(value: Any, target: Path | None) -> bool:
    """Write ``value`` where ``--json`` says; True if standard output is taken by it."""
    if target is None:
        return False
    from archsim.report.files import write_json

    if str(target) == "-":
        import json

        typer.echo(json.dumps(value, indent=2, allow_nan=False))
        return True
    write_json(target, value)
    return False


def workers(jobs: int | None, work: int = 2, *modules: str) -> int:
    """The processes to use, by default one for each processor; where there is ``work`` for several, what they are
    forked from begins to load at once, also ``modules``, so call this before imports that take long."""
    from archsim.explore.pool import prepare_workers, processors

    number = jobs or processors()
    if min(number, work) > 1:
        prepare_workers(*modules, "archsim.cli")
    return number
