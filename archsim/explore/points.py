"""The points of a study, in their order, and what each is made of."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from archsim.errors import ArchsimError
from archsim.report.study.indices import shares
from archsim.spec.study import OPTION_KEYS, SAMPLINGS, Parameter, Study, StudyDesign, StudyOptions

__all__ = ["Candidate", "Point", "candidate_of", "candidates", "points_of"]


@dataclass(frozen=True)
class Candidate:
    """A design and a value for each parameter: as tables show them, and as the keys that they set."""

    design: StudyDesign
    shown: tuple[tuple[str, Any], ...]
    keys: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Point:
    """One candidate on one network (None: the chip alone).  ``request`` is all that determines its figures, as plain
    values that can be sent to another process."""

    candidate: Candidate
    workload: str | None
    request: dict[str, Any]
    limited: tuple[tuple[str, Any], ...] = ()
    """The keys that the study has constraints for, with their values."""
    key: str = ""
    """A hash of what the request comes to, once that is known."""

    @property
    def labels(self) -> dict[str, Any]:
        """How tables tell it from others."""
        work = {"workload": self.workload} if self.workload is not None else {}
        return {"design": self.candidate.design.shown, **work, **dict(self.candidate.shown), **dict(self.limited)}


def candidates(study: Study) -> list[Candidate]:
    """The candidates of a grid or of a draw; a search asks for its own."""
    if study.method.name == "grid":
        settings = product(*(parameter.listed() for parameter in study.parameters.values()))
        return [_candidate(study, design, values) for design, values in product(range(len(study.designs)), settings)]
    if study.method.name == "random":
        return _random(study)
    if study.method.name in SAMPLINGS:
        ahead = [0.0] if len(study.designs) == 1 else []
        return [_from_shares(study, [*ahead, *row]) for row in shares(study).tolist()]
    return _latin_hypercube(study)


def points_of(study: Study, chosen: Sequence[Candidate], places: Mapping[str, str]) -> list[Point]:
    """The points of ``chosen``: network by network, so that one process keeps what it has read of one.

    ``places`` tells where the files are that the study names.
    """
    return [_point(study, candidate, work, places) for work in study.workloads or (None,) for candidate in chosen]


def _point(study: Study, candidate: Candidate, workload: str | None, places: Mapping[str, str]) -> Point:
    keys = {**study.set, **candidate.design.set, **dict(candidate.keys)}
    for key, factors in study.products.items():
        products = [[_whole(key, keys.get(str(factor), factor)) for factor in product] for product in factors.least]
        keys[key] = min(math.prod(product) for product in products)
    limited = tuple((key, keys.get(key)) for key in study.limited_keys)
    run: dict[str, Any] = {"chips": study.chips, **_given(study.options)}
    if study.accuracy is not None:
        run["accuracy"] = study.accuracy.model_dump()
    for key in OPTION_KEYS:
        if key in keys:
            run[key.removeprefix("options.")] = keys.pop(key)
    overrides = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()]
    work = None if workload is None else places[workload]
    request = {"chip": places[candidate.design.chip], "workload": work, "set": overrides}
    return Point(candidate, workload, {**request, "run": run if workload else None}, limited)


def _given(options: StudyOptions) -> dict[str, Any]:
    """The options; without ``reprogram`` where it is not asked for, so that stores made before it still count."""
    given: dict[str, Any] = options.model_dump()
    if not given["reprogram"]:
        del given["reprogram"]
    return given


def _whole(key: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ArchsimError(f"products.{key}: expected whole numbers to multiply, got {value!r:.80}")
    return value


def _size(study: Study) -> int | None:
    """The candidates that there are; None if a range has no step."""
    sizes = [parameter.size for parameter in study.parameters.values()]
    return None if None in sizes else len(study.designs) * math.prod(size or 1 for size in sizes)


def _at_index(study: Study, index: int) -> Candidate:
    """The candidate at a place of the grid, in which the last parameter varies fastest and the design slowest."""
    picks: list[int] = []
    for parameter in reversed(study.parameters.values()):
        index, pick = divmod(index, parameter.size or 1)
        picks.append(pick)
    return candidate_of(study, index, picks[::-1])


def candidate_of(study: Study, design: int, picks: Sequence[int | float]) -> Candidate:
    """The candidate with these values: the index of each, or for a range without a step the share of the way."""
    values = [
        (None, parameter.between(float(pick))) if parameter.size is None else parameter.listed()[int(pick)]
        for parameter, pick in zip(study.parameters.values(), picks, strict=True)
    ]
    return _candidate(study, design, values)


def _candidate(study: Study, design: int, values: Sequence[tuple[str | None, Any]]) -> Candidate:
    shown: list[tuple[str, Any]] = []
    keys: list[tuple[str, Any]] = []
    for key, (name, value) in zip(study.parameters, values, strict=True):
        shown.append((key, value if name is None else name))
        keys += [(key, value)] if name is None else value.items()
    return Candidate(study.designs[design], tuple(shown), tuple(keys))


def _random(study: Study) -> list[Candidate]:
    """Drawn at random from a seed; none twice where the values can be counted."""
    rng, wanted, size = _rng(study), study.method.points or 0, _size(study)
    if size is None:
        return [_from_shares(study, row) for row in rng.random((wanted, 1 + len(study.parameters)))]
    if wanted > size:
        raise ArchsimError(f"method.points: the parameters have {size} settings, got {wanted} points; take a grid")
    if size > np.iinfo(np.int64).max:
        return [_from_shares(study, row) for row in rng.random((wanted, 1 + len(study.parameters)))]
    return [_at_index(study, int(index)) for index in sorted(rng.choice(size, wanted, replace=False))]


def _latin_hypercube(study: Study) -> list[Candidate]:
    """Spread out: every parameter takes each n-th part of its values once among n points (McKay et al., 1979)."""
    from scipy.stats import qmc

    sampler = qmc.LatinHypercube(d=1 + len(study.parameters), rng=_rng(study))
    return [_from_shares(study, row) for row in sampler.random(study.method.points or 0)]


def _from_shares(study: Study, row: Any) -> Candidate:
    """The candidate at shares from 0 to below 1 of the way through the designs and each parameter."""
    picks = [_pick(parameter, share) for parameter, share in zip(study.parameters.values(), row[1:], strict=True)]
    return candidate_of(study, int(row[0] * len(study.designs)), picks)


def _pick(parameter: Parameter, share: float) -> int | float:
    return share if parameter.size is None else int(share * parameter.size)


def _rng(study: Study) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(study.method.seed))
