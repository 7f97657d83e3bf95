"""``archsim study``: every point of a study file into the store, and one table of them all.

The table is a function of the study file, the library files and the version of archsim alone: a study that was stopped,
killed, or run by other numbers of processes gives the same bytes.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from archsim import library
from archsim._version import __version__
from archsim.errors import ArchsimError
from archsim.explore.cluster import on_cluster
from archsim.explore.evaluate import failure_key, forget_files, one_line, resolve
from archsim.explore.points import Candidate, Point, candidates, points_of
from archsim.explore.pool import make_ready
from archsim.explore.search import search
from archsim.explore.store import Store, parquet, write_table
from archsim.explore.workers import Item, Runner, work_off
from archsim.report.files import make_folder, write_json, write_text
from archsim.report.study.analysis import best_points
from archsim.report.study.indices import shares
from archsim.report.study.table import breakdown_records, plan_records, table_records, traffic_records
from archsim.report.tables import as_csv
from archsim.sim.engines import chosen
from archsim.spec.loader import Loaded, load, load_chip
from archsim.spec.study import SAMPLINGS, SEARCHES, Study
from archsim.workload import load_graph

__all__ = ["Summary", "load_study", "run_study"]

CHIPS_A_BATCH = 64
"""Points of chips alone that a worker takes at once: each takes some milliseconds."""

VERSIONS = ("numpy", "numba", "simpy", "scipy", "optuna", "SALib", "pyarrow")


@dataclass(frozen=True)
class Summary:
    """What became of a study: its points, how many of them were run just now, how many have no figures; its table."""

    study: Study
    records: list[dict[str, Any]]
    run: int

    @property
    def failed(self) -> int:
        """Points without figures."""
        return sum(record["status"] != "ok" for record in self.records)


def load_study(name: str) -> Loaded[Study]:
    """The study called ``name`` (or at that path)."""
    return load("study", name, Study)


def run_study(
    loaded: Loaded[Study],
    out: Path,
    jobs: int = 1,
    store: Path | None = None,
    report: Callable[[int, int], None] = lambda done, of: None,
    cluster: str | None = None,
) -> Summary:
    """Run what ``out`` (or ``store``, which studies may share) does not hold yet, and write table and manifest.

    ``report`` is told how many points of how many are there.  Points are run by ``jobs`` processes, or by a
    ``cluster``, see :func:`~archsim.explore.cluster.on_cluster`.
    """
    forget_files()
    study = loaded.model
    rows = Store(store or out / "points")
    make_folder(out)
    with _alone(out), _runner(study, jobs, cluster) as run:
        session = _Session(study, rows, _places(loaded), run, report)
        if study.method.name in SEARCHES:
            points = search(study, session.rows_of, session.points_of)
        else:
            points = session.points_of(candidates(study))
            session.rows_of(points)
        described = [(point.labels, session.rows[point.key]) for point in points]
        records = table_records(study, described)
        profiles = session.profiles_of(points, records)
        _write(out, "table", records, csv=True)
        _write(out, "breakdown", breakdown_records(described, profiles))
        _write(out, "traffic", traffic_records(described))
        _write(out, "floorplan", plan_records(described, profiles))
        write_json(out / "manifest.json", {"schema": 1, "file": _file(loaded), **session.manifest(records)})
        rows.compact()
    return Summary(study, records, session.begun)


@contextmanager
def _runner(study: Study, jobs: int, cluster: str | None) -> Iterator[Runner]:
    if cluster is not None:
        with on_cluster(cluster, study.slurm, jobs) as run:
            yield run
        return
    if jobs > 1 and study.workloads:
        make_ready(study.options.engine)
    yield partial(work_off, jobs)


def _places(loaded: Loaded[Study]) -> dict[str, str]:
    """Where the files are that the study names by path: from its own folder."""
    base = loaded.node.base or Path()
    names = [design.chip for design in loaded.model.designs] + loaded.model.workloads
    return {name: str(base / name) if library.is_path(name) else name for name in names}


def _file(loaded: Loaded[Study]) -> str:
    """How the study is named: as the library has it, or by its file, without a folder that only this machine has."""
    origin = Path(loaded.node.mark.origin)
    shipped = library.names("study").get(origin.stem)
    if shipped is not None and library.shown(shipped) == str(origin):
        return origin.stem
    return origin.name if origin.is_absolute() else str(origin)


def _write(out: Path, name: str, records: Sequence[dict[str, Any]], csv: bool = False) -> None:
    """A table of the study as Parquet; as CSV, too, if asked for."""
    pa, _ = parquet()
    if csv:
        write_text(out / f"{name}.csv", as_csv(records))
    write_table(out / f"{name}.parquet", pa.Table.from_pylist(records, schema=_schema(records)))


def _schema(records: Sequence[dict[str, Any]]) -> Any:
    """A type for each column: whole numbers, numbers, truths, or else text."""
    pa, _ = parquet()
    types = {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    fields = []
    for key in records[0] if records else ():
        kinds = {type(record[key]) for record in records if record[key] is not None}
        if kinds == {int, float}:
            kinds = {float}
        kind = types.get(kinds.pop(), pa.string()) if len(kinds) == 1 else pa.string()
        if kind == pa.string():
            for record in records:
                record[key] = None if record[key] is None else str(record[key])
        fields.append((key, kind))
    return pa.schema(fields)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """One command at a time in a folder; the lock goes with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # where there is no such lock, two commands do work twice, and write the same
        yield
        return
    with (out / ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ArchsimError(f"another archsim study is at work in {str(out)!r:.300}") from None
        yield


class _Session:
    """One run of the command: the points seen so far and what became of them."""

    def __init__(
        self, study: Study, store: Store, places: dict[str, str], run: Runner, report: Callable[[int, int], None]
    ) -> None:
        self.study = study
        self.store = store
        self.places = places
        self.run = run
        self.report = report
        self.rows: dict[str, dict[str, Any]] = {}
        self.keys: dict[int, str] = {}
        self.begun = 0
        self.done = 0
        chosen(study.options.engine)

    def points_of(self, chosen_ones: Sequence[Candidate]) -> list[Point]:
        """The points of candidates with their keys; one whose files or values are wrong has its row at once."""
        return [replace(point, key=self._key(point)) for point in points_of(self.study, chosen_ones, self.places)]

    def _key(self, point: Point) -> str:
        try:
            return resolve(point.request).key
        except ArchsimError as error:
            reason = one_line(error)
            key = failure_key(point.request, reason)
            self.rows[key] = {"key": key, "status": "failed", "reason": reason}
            return key

    def rows_of(self, points: Sequence[Point]) -> list[dict[str, Any]]:
        """The row of each point; runs those that the store does not hold."""
        requests = {point.key: point.request for point in points}
        missing = [key for key in self.store.missing(requests) if key not in self.rows]
        total = max(self.done + len(requests), self.study.candidates * self.study.often)
        self.done += len(requests) - len(missing)
        self.report(self.done, total)

        def count(number: int) -> None:
            self.done += number
            self.report(self.done, total)

        self.begun += len(missing)
        items = [Item(key, requests[key]) for key in missing]
        faults = self.run(items, self.store, 1 if self.study.workloads else CHIPS_A_BATCH, count)
        self.rows |= {key: {"key": key, "status": "failed", "reason": reason} for key, reason in faults.items()}
        stored = self.store.rows()
        self.rows |= {key: stored[key] for key in requests if key in stored}
        return [self.rows[point.key] for point in points]

    def profiles_of(self, points: Sequence[Point], records: Sequence[dict[str, Any]]) -> dict[int, dict[str, Any]]:
        """The rows of the best points looked into, by the number of the point; none of one that cannot be."""
        if not self.study.workloads:
            return {}
        numbers = [record["point"] for record in best_points(self.study, records, self.study.profiles)]
        requests = [{**points[number].request, "profile": True} for number in numbers]
        wanted = [replace(points[n], request=r, key=resolve(r).key) for n, r in zip(numbers, requests, strict=True)]
        begun = self.begun
        rows = dict(zip(numbers, self.rows_of(wanted), strict=True))
        self.begun = begun
        return {number: row for number, row in rows.items() if row["status"] == "ok"}

    def manifest(self, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """What makes the study again: the file, seed, versions, and the designs and networks it starts from."""
        study = self.study
        return {
            "study": study.model_dump(mode="json", by_alias=True, exclude_none=True),
            "seed": study.method.seed,
            "versions": {"archsim": __version__, "python": platform.python_version(), **_versions()},
            "designs": {design.shown: load_chip(self.places[design.chip]).resolved_yaml() for design in study.designs},
            "workloads": {name: load_graph(self.places[name])[1].resolved_yaml() for name in study.workloads},
            "points": len(records),
            "keys": [record["key"] for record in records],
            **({"shares": shares(study).tolist()} if study.method.name in SAMPLINGS else {}),
        }


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # an extra that is not installed
    return found
