"""``archsim list``: what can be named, and what its file says of itself."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from archsim import library
from archsim.errors import ArchsimError
from archsim.spec.tree import read_file

__all__ = ["catalogue", "catalogue_table"]


def catalogue() -> list[dict[str, str]]:
    """One entry a chip, tile and workload: kind, name, title, file."""
    entries = []
    for kind in library.FOLDERS:
        for name, path in library.names(kind).items():
            entries.append({"kind": kind, "name": name, "title": _title(path), "file": library.shown(path)})
    return entries


def _title(path: Path) -> str:
    try:
        node = read_file(path, library.shown(path))
    except ArchsimError as error:
        return f"not readable: {error}"
    if not isinstance(node.value, dict):
        return ""
    return str(node.value["title"].plain()) if "title" in node.value else ""


def catalogue_table(entries: list[dict[str, str]]) -> Table:
    """The catalogue as a table."""
    table = Table()
    for heading in ("kind", "name", "title", "file"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        table.add_row(*(entry[key] for key in ("kind", "name", "title", "file")))
    return table
