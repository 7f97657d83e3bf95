"""Searches for the best designs with Optuna: ask for some candidates, run them, tell, and ask again.

The sampler's choices follow from its seed and from what it is told, and that from the store; so a search that was
stopped asks for the same candidates once more, finds their rows, and goes on.  How many it asks for at a time is part
of the study and not of the machine.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from archsim.errors import ArchsimError
from archsim.explore.points import Candidate, Point, candidate_of
from archsim.report.study.table import excesses
from archsim.results import geometric_mean
from archsim.spec.study import Study

__all__ = ["search"]

Row = dict[str, Any]
DESIGN = "design"


def search(
    study: Study,
    rows_of: Callable[[Sequence[Point]], list[Row]],
    points_of: Callable[[Sequence[Candidate]], list[Point]],
) -> list[Point]:
    """The points of a search in the order in which they were asked for.

    A candidate on several networks is judged by the geometric mean of each objective and the worst excess over each
    constraint; one that fails on any network counts as failed.
    """
    optuna = _optuna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = _sampler(optuna, study)
    directions = ["minimize" if goal == "min" else "maximize" for goal in study.objectives.values()]
    trials = optuna.create_study(directions=directions, sampler=sampler)
    points: list[Point] = []
    wanted = study.method.points or 0
    while wanted > 0:
        asked = [trials.ask(_space(optuna, study)) for _ in range(min(wanted, study.method.population))]
        wanted -= len(asked)
        batches = [points_of([_candidate(study, trial.params)]) for trial in asked]
        flat = [point for batch in batches for point in batch]
        rows = dict(zip(map(id, flat), rows_of(flat), strict=True))
        for trial, batch in zip(asked, batches, strict=True):
            _tell(optuna, trials, study, trial, [{**rows[id(point)], **dict(point.limited)} for point in batch])
        points += flat
    return points


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise ArchsimError("a search needs Optuna: pip install 'archsim[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _sampler(optuna: Any, study: Study) -> Any:
    if study.method.name == "nsga2":
        return optuna.samplers.NSGAIISampler(population_size=study.method.population, seed=study.method.seed)
    return optuna.samplers.TPESampler(constant_liar=True, seed=study.method.seed)


def _space(optuna: Any, study: Study) -> dict[str, Any]:
    """Values by their place in the list, since lists are mostly in order; choices and designs as such."""
    distributions = optuna.distributions
    space: dict[str, Any] = {}
    if len(study.designs) > 1:
        space[DESIGN] = distributions.CategoricalDistribution(list(range(len(study.designs))))
    for key, parameter in study.parameters.items():
        if parameter.size is None:
            space["=" + key] = distributions.FloatDistribution(0.0, 1.0 - 2.0**-53)
        elif parameter.choices is not None:
            space["=" + key] = distributions.CategoricalDistribution(list(range(parameter.size)))
        else:
            space["=" + key] = distributions.IntDistribution(0, parameter.size - 1)
    return space


def _candidate(study: Study, picked: dict[str, Any]) -> Candidate:
    return candidate_of(study, picked.get(DESIGN, 0), [picked["=" + key] for key in study.parameters])


def _tell(optuna: Any, trials: Any, study: Study, trial: Any, rows: Sequence[Row]) -> None:
    values = [_mean([row.get(metric) for row in rows]) for metric in study.objectives]
    if any(row["status"] != "ok" for row in rows) or any(value is None for value in values):
        trials.tell(trial, state=optuna.trial.TrialState.FAIL)
        return
    per_row = [excesses(study.constraints, row) for row in rows]
    for index, column in enumerate(zip(*per_row, strict=True)):
        trial.set_constraint(f"{index}", max(column))
    trials.tell(trial, values)


def _mean(values: Sequence[float | None]) -> float | None:
    if any(value is None for value in values):
        return None
    numbers = [value for value in values if value is not None]
    return geometric_mean(numbers) if all(value > 0 for value in numbers) else sum(numbers) / len(numbers)
