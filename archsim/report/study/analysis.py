"""What the table of a study says: the best points, what the parameters do, and designs beside each other.

Everything here is a function of the records of the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from archsim.results import geometric_mean
from archsim.spec.study import Study

__all__ = ["Front", "best_of_each", "best_points", "comparison", "front", "fronts", "hypervolume", "sensitivity"]

Record = dict[str, Any]
Records = Sequence[Record]
Costs = tuple[float, ...]


@dataclass(frozen=True)
class Front:
    """The best points on one network (None: of the chips alone), in the order of the first objective.

    ``hypervolume`` is the share of the box between the worst and the best value of each objective among all feasible
    points that the front dominates.  ``knee`` is the point of the front that lies farthest from the plane through its
    ends towards the best of all (Das, Structural Optimization 18, 1999): where going on costs more than it gains.
    """

    workload: str | None
    records: list[Record]
    hypervolume: float
    knee: Record


def _groups(records: Iterable[Record], keys: Sequence[str]) -> dict[tuple[Any, ...], list[Record]]:
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        groups.setdefault(tuple(record.get(key) for key in keys), []).append(record)
    return groups


def fronts(study: Study, records: Records) -> list[Front]:
    """The front on each network; none of a network without a feasible point that has figures."""
    metrics = list(study.objectives)
    able = [r for r in records if r["feasible"] and all(r[metric] is not None for metric in metrics)]
    return [_front(study, group) for group in _groups(able, ["workload"]).values()] if metrics else []


def front(study: Study, records: Records) -> list[Record]:
    """The points of all fronts."""
    return [record for each in fronts(study, records) for record in each.records]


def best_points(study: Study, records: Records, most: int) -> list[Record]:
    """At most ``most`` points of each network: all of them if they are no more, or those of the front, spread over it;
    without objectives the first."""
    able = [record for record in records if record["status"] == "ok"]
    best = {each.workload: each.records for each in fronts(study, records)}
    chosen: list[Record] = []
    for (workload,), group in _groups(able, ["workload"]).items():
        among = group if len(group) <= most else best.get(workload, [] if study.objectives else group)
        count = min(most, len(among))
        chosen += [among[place * (len(among) - 1) // max(1, count - 1)] for place in range(count)]
    return chosen


MOST_VALUES = 32
"""The values of a parameter up to which the best point of each is of interest."""


def best_of_each(study: Study, records: Records) -> list[Record]:
    """For each value of each parameter the feasible point on each network that is best in the first objective: how
    good a value can be if all else is chosen for it; and, with constraints, what the best of all points has."""
    rows: list[Record] = []
    for metric, goal in list(study.objectives.items())[:1]:
        sign = 1 if goal == "min" else -1
        able = [r for r in records if r["status"] == "ok" and r[metric] is not None]
        able.sort(key=lambda r: (sign * r[metric], r["point"]))
        for parameter in study.varied:
            groups = _groups(able, ["workload", parameter])
            if len({value for _, value in groups}) <= MOST_VALUES:
                in_order = sorted(groups.items(), key=lambda item: min(r["point"] for r in item[1]))
                rows += [_best_of(study, metric, parameter, key, group) for key, group in in_order]
    return rows


def _best_of(study: Study, metric: str, parameter: str, key: tuple[Any, ...], ordered: Records) -> Record:
    workload, value = key
    best = next((r for r in ordered if r["feasible"]), None)
    row = {"parameter": parameter, "value": value, **({"workload": workload} if workload is not None else {})}
    row |= {name: best[name] if best else None for name in ("point", *study.objectives)}
    return row | ({f"{metric} without constraints": ordered[0][metric]} if study.constraints else {})


def _front(study: Study, records: list[Record]) -> Front:
    signs = {metric: 1 if goal == "min" else -1 for metric, goal in study.objectives.items()}
    costs = [tuple(sign * record[metric] for metric, sign in signs.items()) for record in records]
    best = sorted(_not_dominated(costs), key=lambda i: (costs[i], i))
    inside = _normalised([costs[i] for i in best], costs)
    among = _normalised([costs[i] for i in best], [costs[i] for i in best])
    knee = min(range(len(best)), key=lambda place: (sum(among[place]), place))
    chosen = [records[i] for i in best]
    return Front(records[0].get("workload"), chosen, hypervolume(inside), chosen[knee])


def _not_dominated(costs: Sequence[Costs]) -> list[int]:
    """The first of each set of equal costs that no other is at least as good as in all, and better in one.

    In lexical order a point can only be dominated by one before it.
    """
    best: list[int] = []
    for index in sorted(range(len(costs)), key=lambda i: (costs[i], i)):
        if not any(all(a <= b for a, b in zip(costs[other], costs[index], strict=True)) for other in best):
            best.append(index)
    return best


def _normalised(costs: Sequence[Costs], among: Sequence[Costs]) -> list[Costs]:
    """Costs from 0 for the least among ``among`` to 1 for the most; 0 where all are equal."""
    low = [min(column) for column in zip(*among, strict=True)]
    span = [max(column) - least for column, least in zip(zip(*among, strict=True), low, strict=True)]
    return [tuple((c - a) / s if s else 0.0 for c, a, s in zip(cost, low, span, strict=True)) for cost in costs]


def hypervolume(costs: Sequence[Costs]) -> float:
    """The volume that ``costs``, none of them dominated, dominate in the box from 0 to 1 in each.

    Slice by slice along the last objective: each slice is as thick as the step to the next point, and dominates there
    what the points up to it dominate in the others.
    """
    if not costs:
        return 0.0
    if len(costs[0]) == 1:
        return 1.0 - min(cost[0] for cost in costs)
    ordered = sorted(costs, key=lambda cost: cost[-1])
    ends = [*(cost[-1] for cost in ordered[1:]), 1.0]
    volume = 0.0
    below: list[Costs] = []
    for cost, end in zip(ordered, ends, strict=True):
        below.append(cost[:-1])
        if end > cost[-1]:
            kept = [below[i] for i in _not_dominated(below)]
            volume += (end - cost[-1]) * hypervolume(kept)
    return volume


def sensitivity(study: Study, records: Records) -> list[Record]:
    """What each parameter does, one at a time: over all points that agree in everything else, the largest value of a
    metric over the smallest, as geometric mean and at most.  Parameters of which no two such points exist are left out.
    """
    able = [record for record in records if record["status"] == "ok"]
    labels = ["design", "workload", *study.parameters]
    rows: list[Record] = []
    for parameter in study.varied:
        groups = [g for g in _groups(able, [key for key in labels if key != parameter]).values() if len(g) > 1]
        for metric in study.columns:
            if ratios := [ratio for group in groups if (ratio := _spread(group, metric)) is not None]:
                values = {"mean ratio": geometric_mean(ratios), "largest ratio": max(ratios)}
                rows.append({"parameter": parameter, "metric": metric, "groups": len(ratios), **values})
    return rows


def _spread(group: Records, metric: str) -> float | None:
    values = [record[metric] for record in group]
    if any(value is None or value <= 0 for value in values):
        return None
    return float(max(values) / min(values))


def comparison(study: Study, records: Records) -> list[Record]:
    """Each design over the first, metric by metric: for each network the geometric mean over the settings of the
    parameters that both have figures for, and the geometric mean of those over the networks."""
    able = {
        (record["design"], record.get("workload"), tuple(record[key] for key in study.parameters)): record
        for record in records
        if record["status"] == "ok"
    }
    first, *others = [design.shown for design in study.designs]
    networks: list[str | None] = list(study.workloads) or [None]
    rows: list[Record] = []
    for design in others:
        for metric in study.columns:
            row: Record = {"design": design, "over": first, "metric": metric}
            for network in networks:
                pairs = [
                    (record[metric], base[metric])
                    for (name, work, setting), record in able.items()
                    if (name, work) == (design, network) and (base := able.get((first, network, setting)))
                ]
                ratios = [a / b for a, b in pairs if a and b and a > 0 and b > 0]
                whole = bool(pairs) and len(ratios) == len(pairs)
                row[network or "chip"] = geometric_mean(ratios) if whole else None
            known = [row[network or "chip"] for network in networks]
            row["geometric mean"] = None if None in known else geometric_mean(known)
            rows.append(row)
    return rows
