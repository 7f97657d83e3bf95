"""The folder of a study, read."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsim.errors import ArchsimError
from archsim.spec.study import Study

__all__ = ["Results", "read_results"]

TABLES = ("table", "breakdown", "traffic", "floorplan")

Records = list[dict[str, Any]]


@dataclass(frozen=True)
class Results:
    """A study and its tables, as ``docs/studies.md`` says what is in them."""

    study: Study
    records: Records
    parts: Records
    traffic: Records
    plan: Records
    shares: list[list[float]]
    """Of a draw for indices of sensitivity: where each candidate stands among what varies."""
    command: str
    """What makes the study and its report."""


def read_results(folder: Path) -> Results:
    """The results in the folder of a study; ArchsimError if it has not ended."""
    if not (folder / "table.parquet").is_file() or not (folder / "manifest.json").is_file():
        hint = "it has not ended; the same 'archsim study' command goes on" if (folder / "points").is_dir() else ""
        raise ArchsimError(f"no table of a study in {str(folder)!r:.300}{hint and ': ' + hint}")
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise ArchsimError("studies are stored in Parquet, which needs pyarrow: pip install 'archsim[study]'") from None
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    table, breakdown, traffic, plan = (pq.read_table(folder / f"{name}.parquet").to_pylist() for name in TABLES)
    study = Study.model_validate(manifest["study"])
    return Results(study, table, breakdown, traffic, plan, manifest.get("shares", []), _command(manifest))


def _command(manifest: dict[str, Any]) -> str:
    """How a study is run and reported; where its folder is does not matter, so that is one place for all."""
    folder = shlex.quote(f"out/{manifest['study']['name']}")
    file = manifest.get("file", f"{manifest['study']['name']}.yaml")  # a folder from before has only the name
    return f"archsim study {shlex.quote(file)} --out {folder} && archsim report {folder}"
