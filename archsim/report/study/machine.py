"""The charts of a study that show the machine: rooflines, floor plans, and what larger boards and chips bring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from archsim.report.study.analysis import best_points
from archsim.report.study.charts import Lines, Plans, Series, file_name, network, short
from archsim.report.study.read import Results

__all__ = ["SIZES", "floor_plans", "rooflines", "scaling"]

LEVELS = {"chip-in": "board's links", "channel": "network on chip", "buffer": "buffers"}
"""The kinds of link that a roofline has a roof for, from outside to inside."""

SIZES = ("chips", "tiles", "tile.core.count", "workload.batch", "workload.sequence")
"""Parameters over which scaling curves are drawn."""

MOST_PANELS = 4
"""Floor plans in one figure: chips of a board, or points."""

Record = dict[str, Any]
Records = Sequence[Record]


def rooflines(results: Results) -> Iterator[Lines]:
    """For each design and network the roofline of its best point, level by level.

    A level allows min(peak, intensity × bandwidth) operations a second, where the intensity counts the operations a
    byte over its links (Williams et al., CACM 52(4), 2009; level by level as in Ibrahim et al., PMBS 2019).  Weights
    stay in the arrays and are no traffic.
    """
    study = results.study
    by_point: dict[int, dict[str, Record]] = {}
    for row in results.traffic:
        by_point.setdefault(row["point"], {})[row["link"]] = row
    for design in study.designs:
        able = [r for r in results.records if r["design"] == design.shown and r["point"] in by_point]
        chosen = [best_points(study, [r for r in able if r["workload"] == work], 1) for work in study.workloads]
        if records := [r for group in chosen for r in group]:
            yield _roofline(results, design.shown, records, by_point)


def _roofline(results: Results, design: str, records: Records, by_point: dict[int, dict[str, Record]]) -> Lines:
    study = results.study
    numbers = []
    for record in records:
        for kind in LEVELS:
            if row := by_point[record["point"]].get(kind):
                numbers.append(
                    {
                        "point": record["point"],
                        "workload": record["workload"],
                        "level": kind,
                        "chips": record["chips"],
                        "operations_per_byte": row["operations"] / row["bytes"],
                        "effective_tops": row["operations"] / row["interval_s"] / 1e12,
                        "peak_tops": row["peak_tops"],
                        "bandwidth_tb_per_s": row["bytes_per_s"] / 1e12,
                    }
                )
    series = [*_roofs(numbers), *_marks(study.workloads, numbers)]
    name = file_name("roofline", design if len(study.designs) > 1 else None)
    labels = "operations a byte", "TOPS a chip"
    return Lines(name, f"Roofline of {design}", *labels, series, numbers, log_x=True, log_y=True)


def _roofs(numbers: Records) -> Iterator[Series]:
    """One roof a level, of one chip: lines that bend where its bandwidth allows the peak."""
    low = min(n["operations_per_byte"] for n in numbers) / 4
    high = max(n["operations_per_byte"] for n in numbers) * 4
    for look, kind in enumerate(LEVELS):
        of = [n for n in numbers if n["level"] == kind]
        for peak, slope in sorted({(n["peak_tops"] / n["chips"], n["bandwidth_tb_per_s"] / n["chips"]) for n in of}):
            ridge = peak / slope
            x = sorted({low, min(max(ridge, low), high), high})
            yield Series("", x, [min(peak, slope * at) for at in x], look, False, True)


def _marks(workloads: Sequence[str], numbers: Records) -> Iterator[Series]:
    for look, kind in enumerate(LEVELS):
        if not (of := [n for n in numbers if n["level"] == kind]):
            continue
        texts = [f"{n['workload']} on {n['chips']} chips: {kind}" for n in of]
        x, y = [n["operations_per_byte"] for n in of], [n["effective_tops"] / n["chips"] for n in of]
        yield Series(LEVELS[kind], x, y, look, texts=texts)


def floor_plans(results: Results) -> Iterator[Plans]:
    """How busy each tile is, of each network the best point that was looked into, chip by chip."""
    study = results.study
    points = {row["point"] for row in results.plan}
    for design in study.designs:
        for workload in study.workloads:
            of = (r for r in results.records if (r["design"], r["workload"]) == (design.shown, workload))
            record = next((r for r in of if r["point"] in points), None)
            if record is not None:
                name = file_name("floorplan", design.shown if len(study.designs) > 1 else None, network(workload))
                numbers = [row for row in results.plan if row["point"] == record["point"]]
                chips = sorted({row["chip"] for row in numbers})[:MOST_PANELS]
                panels = [(f"chip {chip}", _cells([r for r in numbers if r["chip"] == chip])) for chip in chips]
                title = f"{network(workload)} on {short(study, record)}"
                yield Plans(name, title, "share of time in which the arrays are busy", panels, numbers)


def _cells(rows: Records) -> list[list[float | None]]:
    cells: list[list[float | None]] = [
        [None] * (1 + max(row["column"] for row in rows)) for _ in range(1 + max(row["row"] for row in rows))
    ]
    for row in rows:
        cells[row["row"]][row["column"]] = row["busy"]
    return cells


def scaling(results: Results) -> Iterator[Lines]:
    """Throughput over each parameter that is a size, over that at its smallest value, beside what size alone would
    bring; where other parameters vary as well, of the settings that come first."""
    study = results.study
    for size in [key for key in study.parameters if key in SIZES]:
        numbers: list[Record] = []
        series: list[Series] = []
        for design in study.designs:
            for workload in study.workloads:
                of = _curve(results, design.shown, workload, size)
                if len(of) < 2:
                    continue
                label = ", ".join(
                    [design.shown] * (len(study.designs) > 1) + [network(workload)] * (len(study.workloads) > 1)
                )
                x, y = [row[size] for row in of], [row["speedup"] for row in of]
                series.append(Series(label or "throughput", x, y, len(series), line=True))
                numbers += of
        if numbers:
            smallest, largest = (pick(row[size] for row in numbers) for pick in (min, max))
            series.append(
                Series("in proportion", [smallest, largest], [1.0, largest / smallest], -1, False, True, True)
            )
            label = "throughput over the smallest"
            yield Lines(
                file_name("scaling", size.rpartition(".")[2]),
                f"Scaling with {size}",
                size,
                label,
                series,
                numbers,
                True,
                True,
            )


def _curve(results: Results, design: str, workload: str, size: str) -> list[Record]:
    others = [key for key in results.study.parameters if key != size]
    intervals = {row["point"]: row["interval_s"] for row in results.traffic}
    of = [
        r
        for r in results.records
        if (r["design"], r["workload"]) == (design, workload) and r["point"] in intervals and isinstance(r[size], int)
    ]
    of = sorted((r for r in of if all(r[key] == of[0][key] for key in others)), key=lambda r: r[size])
    labels = ("point", "design", "workload", size)
    rates = [1 / intervals[r["point"]] for r in of]
    return [
        {**{key: r[key] for key in labels}, "throughput_per_s": rate, "speedup": rate / rates[0]}
        for r, rate in zip(of, rates, strict=True)
    ]
