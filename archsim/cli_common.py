"""What the modules of commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["Json", "emit"]

Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON; - for stdout.")]


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
