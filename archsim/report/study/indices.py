"""Indices of sensitivity by SALib, with confidence intervals of 95 %."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError
from archsim.spec.study import Study

__all__ = ["indices", "shares"]

Record = dict[str, Any]
Records = Sequence[Record]

MEASURES = {
    "sobol": {"S1": "first order", "ST": "total order"},
    "morris": {"mu_star": "mean effect", "sigma": "deviation"},
}
"""SALib's names of the measures, and what they are called here."""


BELOW_ONE = float(np.nextafter(1.0, 0.0))


def _require_salib() -> None:
    try:
        import SALib  # noqa: F401
    except ImportError:
        message = "indices of sensitivity need SALib: pip install 'archsim[sensitivity]'"
        raise ArchsimError(message) from None


def _problem(study: Study) -> dict[str, Any]:
    """What varies, as SALib takes it: a share from 0 to 1 of the way through the designs and each parameter."""
    return {"num_vars": len(study.varied), "names": study.varied, "bounds": [[0.0, 1.0]] * len(study.varied)}


def shares(study: Study) -> NDArray[np.float64]:
    """One row a candidate: shares of the way, from 0 to below 1, through what varies; ArchsimError without SALib.

    ``sobol``: N (D + 2) rows, for first and total orders (Saltelli et al., Comput. Phys. Commun. 181, 2010);
    ``morris``: N (D + 1) rows on a grid of four levels (Morris, Technometrics 33, 1991).
    """
    _require_salib()
    count, seed = study.method.points or 0, study.method.seed
    if study.method.name == "sobol":
        from SALib.sample import sobol

        rows: Any = sobol.sample(_problem(study), count, calc_second_order=False, seed=seed)
    else:
        from SALib.sample import morris

        rows = morris.sample(_problem(study), count, seed=seed)
    return np.minimum(np.asarray(rows, np.float64), BELOW_ONE)


def indices(study: Study, records: Records, drawn: Sequence[Sequence[float]]) -> list[Record]:
    """The indices of every metric to everything that varies, from the records of the candidates at the shares
    ``drawn``, network by network; none where a candidate has no figure.

    Sobol: the share of the variance of a metric that a parameter explains alone (first order) and with all others
    (total order).  Morris: mean size and standard deviation of the change of a metric over the whole of a parameter.
    """
    rows: list[Record] = []
    networks: list[str | None] = [*study.workloads] or [None]
    for workload in networks:
        of = [record for record in records if record.get("workload") == workload]
        where = {"workload": workload} if workload is not None else {}
        for metric in study.columns:
            values = [record[metric] for record in of]
            if len(values) == len(drawn) and not any(value is None for value in values):
                found = _analysed(study, np.array(drawn, np.float64), np.array(values, np.float64))
                rows += [{**where, "metric": metric, **row} for row in found]
    return rows


def _analysed(study: Study, drawn: NDArray[np.float64], values: NDArray[np.float64]) -> list[Record]:
    """SALib's results; None for all of them where the metric never changes, as there is nothing to explain."""
    _require_salib()
    name, seed = study.method.name, study.method.seed
    found: Any = {}
    if np.ptp(values) > 0 and name == "sobol":
        from SALib.analyze import sobol

        found = sobol.analyze(_problem(study), values, calc_second_order=False, seed=seed)
    elif np.ptp(values) > 0:
        from SALib.analyze import morris

        found = morris.analyze(_problem(study), drawn, values, seed=seed)
    rows: list[Record] = []
    for place, parameter in enumerate(study.varied):
        row: Record = {"parameter": parameter}
        for measure, words in MEASURES[name].items():
            row[words] = float(found[measure][place]) if found else None
            if f"{measure}_conf" in found or not found:
                row[f"{words} ±"] = float(found[f"{measure}_conf"][place]) if found else None
        rows.append(row)
    return rows
