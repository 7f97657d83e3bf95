"""The table of a study: one record a point, in the order of the points."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from archsim.spec.study import Bounds, Study

__all__ = ["breakdown_records", "excesses", "feasible", "plan_records", "table_records", "traffic_records"]

Records = list[dict[str, Any]]
Described = Sequence[tuple[dict[str, Any], dict[str, Any]]]
"""Points: what tells each from the others, and its row from the store."""

Rows = Mapping[int, dict[str, Any]]
"""Rows from the store by the number of the point."""

PARTS = {
    "energy_by_component_j": "energy_j",
    "power_by_component_w": "power_w",
    "area_by_component_mm2": "area_mm2",
}


def table_records(study: Study, points: Described) -> Records:
    """What a point is, what became of it, by which engine with how many events, and the metrics of the study."""
    wanted = [*study.columns, *study.objectives, *study.constraints]
    columns = [name for name in dict.fromkeys(wanted) if name not in study.limited_keys]
    records = []
    for index, (labels, row) in enumerate(points):
        record: dict[str, Any] = {"point": index, **{key: _plain(value) for key, value in labels.items()}}
        record |= {name: row.get(name) for name in ("status", "reason", "engine", "events", "chips")}
        record |= {name: row.get(name) for name in columns}
        if study.workloads:
            record["bottleneck"] = row.get("bottleneck")
        record["feasible"] = row["status"] == "ok" and feasible(study.constraints, {**row, **labels})
        records.append(record | {"key": row["key"]})
    return records


def _plain(value: Any) -> Any:
    """A value of a parameter as a cell: a list or mapping as its JSON."""
    return json.dumps(value) if isinstance(value, list | dict) else value


def feasible(constraints: dict[str, Bounds], row: dict[str, Any]) -> bool:
    """Whether a row keeps to the constraints; what has no such figure does not."""
    return all(excess <= 0 for excess in excesses(constraints, row))


def excesses(constraints: dict[str, Bounds], row: dict[str, Any]) -> list[float]:
    """By how much each bound is exceeded: at most 0 if it is kept, infinite where there is no figure."""
    found = []
    for metric, bounds in constraints.items():
        found_value = row.get(metric)
        value = found_value if isinstance(found_value, int | float) else None
        if bounds.at_least is not None:
            found.append(float("inf") if value is None else bounds.at_least - value)
        if bounds.at_most is not None:
            found.append(float("inf") if value is None else value - bounds.at_most)
    return found


def breakdown_records(points: Described, profiles: Rows) -> Records:
    """One record a point and component: its energy an inference, its power and its area on the whole board, and of
    points that were looked into the time that it sets on the critical path of one inference."""
    records: Records = []
    for index, (_, row) in enumerate(points):
        parts = {name: _json(row, column) for column, name in PARTS.items()}
        parts["latency_s"] = _json(profiles.get(index, {}), "latency_by_cause_s")
        components = list(dict.fromkeys(key for of in parts.values() for key in of))
        records += [
            {"point": index, "component": key, **{name: of.get(key) for name, of in parts.items()}}
            for key in components
        ]
    return records


def traffic_records(points: Described) -> Records:
    """One record a point and kind of link: bytes of an inference, the bandwidth of all links of the kind together, and
    the share of it that is used in steady state; beside them operations, interval and peak of the board."""
    return [
        {
            "point": index,
            "link": kind,
            **values,
            "used": values["bytes"] / row["interval_s"] / values["bytes_per_s"],
            "operations": round(row["effective_tops"] * 1e12 * row["interval_s"]),
            "interval_s": row["interval_s"],
            "peak_tops": row["chips"] * row["peak_tops"],
        }
        for index, (_, row) in enumerate(points)
        for kind, values in _json(row, "traffic").items()
    ]


def plan_records(points: Described, profiles: Rows) -> Records:
    """One record for each tile of each point that was looked into: where it stands, and the share of time for which
    its arrays are busy in steady state."""
    return [
        {
            "point": index,
            "chip": int(chip),
            "column": int(x),
            "row": int(y),
            "busy": busy / points[index][1]["interval_s"],
        }
        for index, profile in profiles.items()
        for chip, x, y, busy in _json(profile, "floor_plan")
    ]


def _json(row: dict[str, Any], column: str) -> Any:
    """What a row keeps as JSON; nothing, if it has none."""
    return json.loads(row.get(column) or "{}")
