"""``archsim list``: what can be named, and what its file says of itself."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from archsim import library
from archsim.errors import ArchsimError
from archsim.report.hardware import plain_text
from archsim.spec.tree import read_file

__all__ = ["catalogue", "catalogue_table"]


def catalogue() -> list[dict[str, str]]:
    """One entry a chip, tile, workload and study: kind, name, title, file."""
    entries = []
    seen: set[Path] = set()
    for kind, folder in library.FOLDERS.items():
        for name, path in library.names(kind).items():
            says, title = _kind_and_title(path)
            if path.parent.name == Path(folder).name or says == kind or (not says and path not in seen):
                entries.append({"kind": kind, "name": name, "title": title, "file": library.shown(path)})
                seen.add(path)
    for name, path in library.trained().items():
        title = "network with its weights, for archsim accuracy"
        entries.append({"kind": "workload", "name": name, "title": title, "file": library.shown(path)})
    return entries


def _kind_and_title(path: Path) -> tuple[str, str]:
    """What the file says of itself; an empty kind if it says none."""
    try:
        value = read_file(path, library.shown(path)).plain()
    except ArchsimError as error:
        return "", f"not readable: {error}"
    if not isinstance(value, dict):
        return "", "not readable: expected a mapping"
    return str(value.get("kind") or ""), str(value.get("title") or "")


def catalogue_table(entries: list[dict[str, str]]) -> Table:
    """The catalogue as a table."""
    table = Table()
    for heading in ("kind", "name", "title", "file"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        table.add_row(*(plain_text(entry[key]) for key in ("kind", "name", "title", "file")))
    return table
