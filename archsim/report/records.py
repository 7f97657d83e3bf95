"""All records of a run as tables: Parquet where pyarrow is there, else NumPy's .npz with the same columns.

One row a firing, a delivery of a token at an end, and a passage of a token over a link; beside them the stages, flows,
ends, hops and links that their numbers name.  Tables are made and written chunk by chunk, so that little more memory is
needed than for the records themselves.
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from archsim.compile.network import Compiled
from archsim.program import Program
from archsim.report.files import make_folder, written
from archsim.sim.outcome import Outcome

__all__ = ["parquet_missing", "write_records"]

Ints = NDArray[np.int64]

log = logging.getLogger("archsim")

ROWS = 1 << 17
"""Rows of a chunk, and of a row group of Parquet, at the most; a chunk of one stage, end or hop may have more."""


@dataclass(frozen=True)
class _Texts:
    """A column of texts: for each row the number of its text, of which each stands there once."""

    codes: Ints
    texts: Sequence[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> _Texts:
        known: dict[str, int] = {}
        return cls(np.array([known.setdefault(text, len(known)) for text in texts], np.int64), list(known))

    def at(self, rows: Ints) -> _Texts:
        return _Texts(self.codes[rows], self.texts)


Chunk = dict[str, "Ints | _Texts"]
Table = Callable[[], Iterator[Chunk]]
"""Chunks with the same columns; gone through anew at each call."""


def parquet_missing() -> str:
    """Why Parquet cannot be written; empty where it can."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        return str(error)
    return ""


def write_records(folder: Path, compiled: Compiled, program: Program, outcome: Outcome) -> None:
    """Write the tables of a run of which all records were kept into ``folder``."""
    write, ending = _write_parquet, "parquet"
    if missing := parquet_missing():
        log.warning(
            "records are written as .npz, as Parquet needs pyarrow (%s); pip install 'archsim[parquet]'", missing
        )
        write, ending = _write_npz, "npz"
    make_folder(folder)
    for name, table in (_records(compiled, program, outcome) | _names(compiled, program)).items():
        with written(folder / f"{name}.{ending}") as stream:
            write(table, stream)


# -- the tables -----------------------------------------------------------------------------------


def _records(compiled: Compiled, program: Program, outcome: Outcome) -> dict[str, Table]:
    a, records = program.arrays, outcome.records
    tile = np.array(compiled.stage_tile, np.int64)
    names, layers = (_Texts.of(getattr(stage, key) for stage in program.stages) for key in ("name", "layer"))

    def firings() -> Iterator[Chunk]:
        for stages, stage, firing in _chunks(records.starts):
            yield {
                "stage": stage,
                "name": names.at(stage),
                "layer": layers.at(stage),
                "tile": tile[stage],
                "firing": firing,
                "start_ps": _joined(records.starts, stages),
                "busy_ps": np.concatenate(
                    [a.values(int(a.stage_interval[s]), 0, int(a.stage_firings[s])) for s in stages]
                ),
                "starved_ps": _joined(records.starved, stages),
                "blocked_ps": _joined(records.blocked, stages),
                "bound": np.concatenate([records.bound[s] for s in stages]).astype(np.int64),
            }

    def deliveries() -> Iterator[Chunk]:
        for ends, end, token in _chunks(records.deliveries):
            times = _joined(records.deliveries, ends)
            yield {"end": end, "flow": a.end_flow[end], "stage": a.end_stage[end], "token": token, "time_ps": times}

    def passages() -> Iterator[Chunk]:
        for hops, hop, token in _chunks(records.link_starts):
            yield {
                "hop": hop,
                "flow": a.hop_flow[hop],
                "link": a.hop_link[hop],
                "token": token,
                "start_ps": _joined(records.link_starts, hops),
                "busy_ps": a.hop_serialisation[hop],
                "queued_ps": _joined(records.link_waits, hops),
            }

    return {"firings": firings, "deliveries": deliveries, "passages": passages}


def _chunks(times: Mapping[int, Ints]) -> Iterator[tuple[list[int], Ints, Ints]]:
    """Rows of records by the chunk: which stages (or ends, or hops), and for each row whose it is and its number."""
    block: list[int] = []
    rows = 0
    for number, kept in times.items():
        if block and rows + len(kept) > ROWS:
            yield _chunk(times, block)
            block, rows = [], 0
        block.append(number)
        rows += len(kept)
    if block:
        yield _chunk(times, block)


def _chunk(times: Mapping[int, Ints], block: list[int]) -> tuple[list[int], Ints, Ints]:
    counts = np.array([len(times[number]) for number in block], np.int64)
    begin = np.cumsum(counts) - counts
    return block, np.repeat(block, counts), np.arange(int(counts.sum())) - np.repeat(begin, counts)


def _joined(kept: Mapping[int, Ints], block: list[int]) -> Ints:
    return np.concatenate([kept[number] for number in block])


def _names(compiled: Compiled, program: Program) -> dict[str, Table]:
    """What the numbers in the records stand for."""
    a = program.arrays
    stages, flows, links = program.stages, program.flows, program.links
    columns: dict[str, Chunk] = {
        "stages": {
            "stage": np.arange(len(stages)),
            "name": _Texts.of(stage.name for stage in stages),
            "layer": _Texts.of(stage.layer for stage in stages),
            "tile": np.array(compiled.stage_tile, np.int64),
            "component": _Texts.of(stage.component for stage in stages),
            "firings": a.stage_firings,
        },
        "flows": {
            "flow": np.arange(len(flows)),
            "name": _Texts.of(flow.name for flow in flows),
            "source": a.flow_source,
            "bits": program.flow_bits,
            "initial": a.flow_initial,
        },
        "ends": {
            "end": np.arange(len(a.end_flow)),
            "flow": a.end_flow,
            "stage": a.end_stage,
            "capacity": a.end_capacity,
            "hop": a.end_node,
        },
        "hops": {
            "hop": np.arange(len(a.hop_flow)),
            "flow": a.hop_flow,
            "link": a.hop_link,
            "parent": a.hop_parent,
            "busy_ps": a.hop_serialisation,
        },
        "links": {
            "link": np.arange(len(links)),
            "name": _Texts.of(link.name for link in links),
            "kind": _Texts.of(link.kind for link in links),
            "hop_ps": a.link_hop,
        },
    }
    return {name: _once(chunk) for name, chunk in columns.items()}


def _once(chunk: Chunk) -> Table:
    return lambda: iter([chunk])


# -- the files ------------------------------------------------------------------------------------


def _write_parquet(table: Table, stream: IO[bytes]) -> None:
    import pyarrow
    import pyarrow.parquet

    def column(values: Ints | _Texts) -> Any:
        if not isinstance(values, _Texts):
            return pyarrow.array(values)
        used, codes = np.unique(values.codes, return_inverse=True)
        return pyarrow.DictionaryArray.from_arrays(
            pyarrow.array(codes.astype(np.int32)),
            pyarrow.array([values.texts[code] for code in used.tolist()], "string"),
        )

    writer = None
    for chunk in table():
        part = pyarrow.table({name: column(values) for name, values in chunk.items()})
        writer = writer or pyarrow.parquet.ParquetWriter(stream, part.schema)
        writer.write_table(part, row_group_size=ROWS)
    if writer is not None:
        writer.close()


def _write_npz(table: Table, stream: IO[bytes]) -> None:
    """Column after column, each of them chunk by chunk: ``numpy.savez`` would need all at once."""
    rows = sum(_rows(chunk) for chunk in table())
    with zipfile.ZipFile(stream, "w") as archive:
        for name, first in next(table()).items():
            longest = max((len(text) for text in first.texts), default=0) if isinstance(first, _Texts) else 0
            dtype = np.dtype(f"<U{max(1, longest)}") if isinstance(first, _Texts) else np.dtype("<i8")
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                header = {"descr": dtype.str, "fortran_order": False, "shape": (rows,)}
                np.lib.format.write_array_header_1_0(member, header)
                for chunk in table():
                    values = chunk[name]
                    plain = np.array(values.texts, dtype)[values.codes] if isinstance(values, _Texts) else values
                    member.write(plain.astype(dtype).tobytes())


def _rows(chunk: Chunk) -> int:
    first = next(iter(chunk.values()))
    return len(first.codes if isinstance(first, _Texts) else first)
