"""The results of studies on disk: a folder of Parquet files, each written in one step and never changed.

A file holds the rows of one or more points and is named by their keys, so that whoever writes the same points writes
the same file, and no two writers can get in each other's way.  A reader takes what is whole; there is nothing else.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from archsim.errors import ArchsimError
from archsim.report.files import make_folder, written
from archsim.spec.study import METRICS

__all__ = ["Store", "parquet", "write_table"]

Row = dict[str, Any]

TEXTS = ("key", "version", "chip", "chip_hash", "workload", "workload_hash", "run", "status", "reason", "engine")
NUMBERS = ("events", "chips")
BREAKDOWNS = (
    "energy_by_component_j",
    "power_by_component_w",
    "area_by_component_mm2",
    "traffic",
    "latency_by_cause_s",
    "floor_plan",
)
"""What is kept as JSON."""

FEW = 32
"""The parts that are left as they are; more are put together into one."""


def parquet() -> tuple[ModuleType, ModuleType]:
    """pyarrow and its Parquet reader; ArchsimError if they are not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        message = "studies are stored in Parquet, which needs pyarrow: pip install 'archsim[study]'"
        raise ArchsimError(message) from None
    return pyarrow, pyarrow.parquet


def write_table(path: Path, table: Any) -> None:
    """Write an Arrow table as Parquet in one step, and force it to the disk before it gets its name."""
    _, pq = parquet()
    with written(path) as stream:
        pq.write_table(table, stream, compression="zstd")
        stream.flush()
        os.fsync(stream.fileno())


class Store:
    """The rows of points by key, in ``folder``, which is made if it is not there."""

    def __init__(self, folder: Path) -> None:
        parquet()
        make_folder(folder)
        self.folder = folder
        self._read: dict[str, list[Row]] = {}

    def _schema(self) -> Any:
        pa, _ = parquet()
        fields = [(name, pa.string()) for name in TEXTS] + [(name, pa.int64()) for name in NUMBERS]
        fields += [("bottleneck", pa.string())] + [(name, pa.float64()) for name in METRICS]
        return pa.schema(fields + [(name, pa.string()) for name in BREAKDOWNS])

    def write(self, rows: Sequence[Row]) -> str:
        """Add ``rows`` as one part, whose name it gives."""
        pa, _ = parquet()
        ordered = sorted(rows, key=lambda row: str(row["key"]))
        name = hashlib.sha256(" ".join(row["key"] for row in ordered).encode()).hexdigest()[:32] + ".parquet"
        write_table(self.folder / name, pa.Table.from_pylist(ordered, schema=self._schema()))
        return name

    def rows(self) -> dict[str, Row]:
        """Every row that there is now, by key."""
        for _ in range(100):
            names = sorted(path.name for path in self.folder.glob("*.parquet"))
            try:
                self._read = {name: self._read.get(name) or self._part(name) for name in names}
                break
            except FileNotFoundError:
                continue  # another study has put it together with others
        return {row["key"]: row for rows in self._read.values() for row in rows}

    def _part(self, name: str) -> list[Row]:
        pa, pq = parquet()
        try:
            with (self.folder / name).open("rb") as stream:
                rows: list[Row] = pq.ParquetFile(stream).read(use_threads=False).to_pylist()
        except pa.ArrowInvalid as error:
            message = f"{str(self.folder / name)!r:.300} is damaged ({error}); delete it, and its points are run again"
            raise ArchsimError(message) from None
        return rows

    def compact(self) -> None:
        """Put many parts together into one.  Those who read meanwhile find every row in one file or in the other."""
        rows = self.rows()
        parts = list(self._read)
        if len(parts) <= FEW:
            return
        whole = self.write(list(rows.values()))
        for name in parts:
            if name != whole:
                (self.folder / name).unlink(missing_ok=True)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Which of ``keys`` have no row, each once and in their order."""
        there = self.rows()
        return [key for key in dict.fromkeys(keys) if key not in there]
