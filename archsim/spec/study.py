"""The model of a study file: which designs and networks, what is varied over which values, and what is wanted of it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from archsim.errors import nearest
from archsim.spec.base import Strict

__all__ = [
    "MAX_POINTS",
    "METRICS",
    "OPTION_KEYS",
    "SAMPLINGS",
    "SEARCHES",
    "Bounds",
    "Goal",
    "Method",
    "Parameter",
    "SlurmJobs",
    "Study",
    "StudyAccuracy",
    "StudyDesign",
    "StudyOptions",
]

MAX_POINTS = 100_000
"""The most points of one study."""

Goal = Literal["min", "max"]

METRICS: dict[str, tuple[str, str]] = {
    "peak_tops": ("TOPS", "peak throughput"),
    "peak_power_w": ("W", "peak power"),
    "peak_tops_per_w": ("TOPS/W", "power efficiency"),
    "peak_tops_per_mm2": ("TOPS/mm2", "computational efficiency"),
    "chip_area_mm2": ("mm2", "chip area"),
    "storage_mib_per_mm2": ("MiB/mm2", "storage efficiency"),
    "latency_s": ("s", "latency"),
    "steady_latency_s": ("s", "steady latency"),
    "interval_s": ("s", "interval"),
    "interval_spread": ("-", "spread of intervals"),
    "throughput_per_s": ("1/s", "throughput"),
    "throughput_per_mm2": ("1/s/mm2", "throughput per area"),
    "throughput_per_w": ("1/s/W", "throughput per power"),
    "energy_j": ("J", "energy"),
    "energy_always_on_j": ("J", "energy, always on"),
    "average_power_w": ("W", "average power"),
    "area_mm2": ("mm2", "area"),
    "effective_tops": ("TOPS", "effective throughput"),
    "cell_utilisation": ("-", "cells in use"),
    "time_utilisation": ("-", "time in use"),
    "accuracy": ("-", "accuracy"),
}
"""What is measured of a point: its unit, and what it is called in figures.  The first six are of one chip alone, from
its roll-up; the others are of a simulated network on its board, energy an inference; ``accuracy`` is that of a network
with its weights on the arrays, if the study says on which data."""

OF_THE_CHIP = 6
"""How many of METRICS a study without networks has."""

LARGEST = Fraction(10**30)
"""The largest number of a range, and the inverse of the smallest above 0."""

MAX_FACTORS = 1000
"""The most values of a range whose steps multiply: exact fractions grow with each."""

OPTION_KEYS = ("chips", "options.images", "options.replication", "options.reprogram")
"""What a parameter may be that is no key of a chip or a network (those of a network begin with ``workload.``)."""

SEARCHES = ("nsga2", "tpe")
"""The methods that choose their next points by the results of the last."""

SAMPLINGS = ("sobol", "morris")
"""The methods whose points give indices of sensitivity."""

_STEP = re.compile(r"(?P<way>[x+])\s*(?P<by>\d+(\.\d+)?([eE][+-]?\d{1,3})?)", re.ASCII)
_NUMBER = r"(?P<number>[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?)"
_MEASURED = re.compile(rf"\s*{_NUMBER}\s*(?P<unit>[^\s\d]\S*)?\s*", re.ASCII)

Name = Annotated[str, Field(min_length=1, max_length=200)]


def _fault(message: str, at: str | None = None) -> PydanticCustomError:
    return PydanticCustomError("study", "{message}", {"message": message, **({"at": at} if at else {})})


def _twice(texts: Sequence[str]) -> str | None:
    """The first text that stands there a second time."""
    seen: set[str] = set()
    for text in texts:
        if text in seen:
            return text
        seen.add(text)
    return None


class Measured:
    """A number with the unit that was written behind it, or none; whole if it was written as a whole number."""

    def __init__(self, value: Any) -> None:
        match = _MEASURED.fullmatch(str(value)[:64]) if not isinstance(value, bool) else None
        if match is None or (isinstance(value, float) and not math.isfinite(value)):
            raise _fault(f"expected a number or a quantity, got {value!r:.80}")
        self.number = Fraction(Decimal(match["number"]))
        if self.number and not 1 / LARGEST <= abs(self.number) <= LARGEST:
            raise _fault(f"expected a number from 1e-30 to 1e30 or 0, got {value!r:.80}")
        self.unit: str | None = match["unit"]
        self.whole = isinstance(value, int)

    def like(self, number: Fraction) -> Any:
        """``number`` written as this one is."""
        plain: Any = int(number) if self.whole and number.denominator == 1 else float(number)
        if self.unit is None:
            return plain
        return f"{int(number) if number.denominator == 1 else float(number)} {self.unit}"


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or value in (math.inf, -math.inf):
        raise _fault(f"expected a number or a quantity, got {value!r:.80}")
    return value


Plain = Annotated[int | float | str, BeforeValidator(_plain, json_schema_input_type=int | float | str)]


class Parameter(Strict):
    """What one key is varied over: a list of values; a range; or named choices, each a value for several keys.

    A range has all of ``from``, ``from`` + N, … up to ``to`` for ``step: +N``, and ``from`` × N, … for ``step: xN``;
    without a step all that lies between, which random, latin-hypercube and searches draw from.
    """

    values: Annotated[list[Any], Field(min_length=1)] | None = None
    from_: Plain | None = Field(default=None, alias="from")
    to: Plain | None = None
    step: Plain | None = None
    choices: Annotated[dict[Name, dict[Name, Any]], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Parameter:
        ranged = self.from_ is not None or self.to is not None or self.step is not None
        if (self.values is not None) + ranged + (self.choices is not None) != 1:
            raise _fault("expected a list of values, {from, to, step}, or {choices: {name: {key: value}}}")
        if (twice := _twice([repr(value) for value in self.values or []])) is not None:
            raise _fault(f"the value {twice:.80} stands here twice")
        if ranged:
            _ = self.size
        return self

    def _ends(self) -> tuple[Measured, Measured]:
        if self.from_ is None or self.to is None:
            raise _fault("a range has both 'from' and 'to'")
        low, high = Measured(self.from_), Measured(self.to)
        if low.unit != high.unit:
            raise _fault(f"'from' and 'to' need the same unit, got {self.from_!r:.40} and {self.to!r:.40}", "to")
        if low.number > high.number:
            raise _fault(f"expected 'to' of at least 'from', {self.from_!r:.40}, got {self.to!r:.40}", "to")
        return low, high

    def _stride(self, low: Measured) -> tuple[bool, Fraction]:
        """Whether steps multiply, and by or of how much they are."""
        text = str(self.step) if str(self.step).startswith(("x", "+")) else f"+{self.step}"
        match = _STEP.fullmatch(text)
        if match is None:
            raise _fault(f"expected a step such as x2 or +10, got {self.step!r:.40}", "step")
        times, by = match["way"] == "x", Fraction(Decimal(match["by"]))
        if by <= (1 if times else 0) or (times and low.number <= 0):
            what = "x with a factor above 1 from a start above 0" if times else "+ with a number above 0"
            raise _fault(f"a step that never ends: expected {what}, got {self.step!r:.40}", "step")
        return times, by

    @property
    def size(self) -> int | None:
        """How many values there are, None if any between two."""
        if self.values is not None:
            return len(self.values)
        if self.choices is not None:
            return len(self.choices)
        low, high = self._ends()
        if self.step is None:
            return None
        times, by = self._stride(low)
        if not times:
            return int((high.number - low.number) / by) + 1
        if math.log(high.number / low.number) > MAX_FACTORS * math.log(by):
            raise _fault(f"more than {MAX_FACTORS} values from {self.from_} to {self.to}; take a larger step", "step")
        count, at = 1, low.number * by
        while at <= high.number:
            count, at = count + 1, at * by
        return count

    def listed(self) -> list[tuple[str | None, Any]]:
        """Its values in order, each with its name if it is a choice; of a range without a step there is no list."""
        if self.values is not None:
            return [(None, value) for value in self.values]
        if self.choices is not None:
            return list(self.choices.items())
        low, _ = self._ends()
        times, by = self._stride(low)
        numbers = [low.number * by**k if times else low.number + k * by for k in range(self.size or 0)]
        return [(None, low.like(number)) for number in numbers]

    def between(self, share: float) -> Any:
        """The value at ``share``, 0 to below 1, of the way between the ends; six digits, whole if they are."""
        low, high = self._ends()
        if low.whole and high.whole:
            return int(low.number) + int(share * (int(high.number - low.number) + 1))
        return low.like(Fraction(Decimal(f"{float(low.number) + share * float(high.number - low.number):.6g}")))


class StudyDesign(Strict):
    """A design to start from: a chip by name or file, with some keys set."""

    chip: Name
    name: Name | None = None
    set: dict[Name, Any] = {}

    @property
    def shown(self) -> str:
        """What it is called in the tables."""
        return self.name or self.chip


class StudyOptions(Strict):
    """How each point is simulated."""

    images: Annotated[int, Field(ge=1, le=10_000)] = 8
    engine: Literal["compiled", "simpy"] = "compiled"
    replication: Literal["balanced", "none"] = "balanced"
    idle_tiles: bool = True
    reprogram: bool = False
    """Whether boards that are too small are programmed anew for each phase of a network."""


class StudyAccuracy(Strict):
    """On what ``accuracy`` is measured: the first ``samples`` of a data set's test part, and the mean over ``seeds``
    arrays that were programmed with other random numbers."""

    data: Literal["digits", "mnist"]
    samples: Annotated[int, Field(ge=1)] | None = None
    seeds: Annotated[int, Field(ge=1, le=1000)] = 1


class Bounds(Strict):
    """What a metric has to keep to."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _some(self) -> Bounds:
        if self.at_least is None and self.at_most is None:
            raise _fault("expected at_least, at_most, or both")
        return self


class Method(Strict):
    """How points are chosen: all (grid), at random, spread out (latin-hypercube), for indices of sensitivity (sobol,
    morris), or by a search for the best.

    A search asks for ``population`` candidates at a time; ``points`` counts candidates, each run on every network.  Of
    D things that vary, sobol takes ``points`` × (D + 2) candidates, morris ``points`` × (D + 1).
    """

    name: Literal["grid", "random", "latin-hypercube", "sobol", "morris", "nsga2", "tpe"] = "grid"
    points: Annotated[int, Field(ge=1, le=MAX_POINTS)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    population: Annotated[int, Field(ge=2, le=1000)] = 16

    @model_validator(mode="after")
    def _points(self) -> Method:
        if (self.name == "grid") != (self.points is None):
            what = "a grid has all its points; leave 'points' out" if self.points else f"{self.name} needs 'points'"
            raise _fault(what, "points" if self.points else "name")
        if self.name == "sobol" and self.points and self.points & (self.points - 1):
            raise _fault(f"sobol needs a power of two, such as 64 or 128, got {self.points}", "points")
        return self


Factors = Annotated[list[Name | int], Field(min_length=1)]


class Least(Strict):
    """The least of several products."""

    least: Annotated[list[Factors], Field(min_length=2)]


def _follows(value: Any) -> Any:
    return {"least": [value, value]} if isinstance(value, list) else value


Follows = Annotated[Least, BeforeValidator(_follows, json_schema_input_type=Factors | Least)]
"""What a key follows from; a single product is the least of itself."""


class SlurmJobs(Strict):
    """Jobs of SLURM in which ``--cluster slurm`` runs points: each of ``jobs`` has ``cores`` workers."""

    jobs: Annotated[int, Field(ge=1, le=10_000)] = 1
    cores: Annotated[int, Field(ge=1, le=1024)]
    memory: Name
    """Of a job, as 16 GB."""
    walltime: Name | None = None
    queue: Name | None = None
    account: Name | None = None
    interface: Name | None = None
    """The network interface that workers and scheduler meet on, as ib0."""
    directives: list[str] = []
    """Further lines for sbatch, as --constraint=avx2."""
    prologue: list[str] = []
    """What a job does first, as module load python."""


def _design(value: Any) -> Any:
    return {"chip": value} if isinstance(value, str) else value


def _parameter(value: Any) -> Any:
    if not value or not isinstance(value, list | dict | Parameter):
        raise _fault(f"expected a list of values, {{from, to, step}}, or {{choices: …}}, got {value!r:.80}")
    return {"values": value} if isinstance(value, list) else value


Design = Annotated[StudyDesign, BeforeValidator(_design, json_schema_input_type=str | StudyDesign)]
Varied = Annotated[Parameter, BeforeValidator(_parameter, json_schema_input_type=list[Any] | Parameter)]


class Study(Strict):
    """A study: every design with every setting of the parameters, on every network."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    kind: Literal["study"]
    name: Name
    title: str = ""
    designs: Annotated[list[Design], Field(min_length=1)]
    workloads: list[Name] = []
    """Networks by name or file; none: the figures of the chips alone, from their roll-up, without a simulation."""
    set: dict[Name, Any] = {}
    """Keys set in every point; those that begin with ``workload.`` are of the networks."""
    parameters: dict[Name, Varied] = {}
    products: dict[Name, Follows] = {}
    """Keys whose value in each point is the product of whole numbers and of other keys that the study sets, or the
    least of several products."""
    chips: Literal["fit"] | Annotated[int, Field(ge=1)] = "fit"
    """Chips on every board; fit: as few as hold the network once."""
    options: StudyOptions = StudyOptions()
    metrics: list[str] = []
    """The columns of the tables, in this order; none: all."""
    objectives: dict[str, Goal] = {}
    """The metrics that the best points are good in."""
    constraints: dict[str, Bounds] = {}
    """What metrics have to keep to, and keys that the study sets to numbers."""
    method: Method = Method()
    profiles: Annotated[int, Field(ge=0, le=100)] = 4
    """How many of the best points on each network (or of the first, without objectives) are looked into: whose time
    their latency is, and how busy each tile is."""
    accuracy: StudyAccuracy | None = None
    """Measures the accuracy of networks that have their weights."""
    slurm: SlurmJobs | None = None
    """Where ``--cluster slurm`` runs the points; no figure depends on it."""

    @model_validator(mode="after")
    def _fits_together(self) -> Study:
        names = [design.shown for design in self.designs]
        for place, known in (("designs", names), ("workloads", self.workloads), ("metrics", self.metrics)):
            if (twice := _twice(known)) is not None:
                raise _fault(f"{twice!r} stands here twice; give each a name of its own", place)
        for place in ("metrics", "objectives", "constraints"):
            for metric in getattr(self, place):
                if place != "constraints" or metric not in self.limited_keys:
                    self._require_metric(place, metric)
        if self.method.name in SEARCHES and not self.objectives:
            raise _fault(f"{self.method.name} needs objectives, such as {{peak_tops_per_mm2: max}}", "method.name")
        if self.method.name in SAMPLINGS and not self.varied:
            raise _fault(f"{self.method.name} needs something that varies; give parameters", "method.name")
        self._require_factors()
        self._require_points()
        return self

    def _require_factors(self) -> None:
        """Every factor of a product has a value, and no product has another."""
        known = self._keys()
        for key, factors in self.products.items():
            if key in known:
                raise _fault("is set by the study elsewhere, too", f"products.{key}")
            for factor in chain(*factors.least):
                if isinstance(factor, str) and factor not in known:
                    raise _fault(f"the study does not set {factor!r:.80}{nearest(factor, known)}", f"products.{key}")

    def _keys(self) -> frozenset[str]:
        """The keys that it sets, products aside."""
        known = {*self.set, *(key for design in self.designs for key in design.set)}
        for key, parameter in self.parameters.items():
            known |= {key} if parameter.choices is None else {k for keys in parameter.choices.values() for k in keys}
        return frozenset(known)

    def _require_metric(self, place: str, metric: str) -> None:
        own = self.own_metrics
        if metric not in own:
            why = "; it is of a network, and the study has no workloads" if metric in METRICS else nearest(metric, own)
            if metric == "accuracy" and self.workloads:
                why = "; it needs data to be measured on, such as accuracy: {data: digits}"
            at = f"{place}.{metric}" if place != "metrics" else place
            raise _fault(f"no metric {metric!r:.80}{why or '; there are ' + ', '.join(own)}", at)

    def _require_points(self) -> None:
        """The size, before anything is listed."""
        sizes = {key: parameter.size for key, parameter in self.parameters.items()}
        if self.method.name == "grid":
            endless = next((key for key, size in sizes.items() if size is None), None)
            if endless is not None:
                raise _fault("a grid needs a step here, such as step: x2 or step: +10", f"parameters.{endless}")
            candidates = math.prod(size or 1 for size in sizes.values()) * len(self.designs)
        else:
            candidates = self.candidates
        points = candidates * self.often
        if points > MAX_POINTS:
            count = str(points) if points < 10**15 else f"about 10^{math.log10(points):.0f}"
            raise _fault(f"the study has {count} points, at most {MAX_POINTS} are run; leave values out", "method")

    @property
    def limited_keys(self) -> list[str]:
        """The keys that have to keep to something."""
        known = {*self._keys(), *self.products}
        return [key for key in self.constraints if key in known and key not in METRICS]

    @property
    def varied(self) -> list[str]:
        """What varies: the designs, if there are several, and the parameters."""
        return [*(["design"] if len(self.designs) > 1 else []), *self.parameters]

    @property
    def candidates(self) -> int:
        """The candidates of a draw or a search."""
        more = {"sobol": 2, "morris": 1}
        each = len(self.varied) + more[self.method.name] if self.method.name in more else 1
        return (self.method.points or 0) * each

    @property
    def often(self) -> int:
        """The points of one candidate: one a network."""
        return max(1, len(self.workloads))

    @property
    def own_metrics(self) -> list[str]:
        """The metrics that points of this study can have."""
        if not self.workloads:
            return list(METRICS)[:OF_THE_CHIP]
        return [metric for metric in METRICS if metric != "accuracy" or self.accuracy is not None]

    @property
    def columns(self) -> list[str]:
        """The metrics of its tables."""
        return self.metrics or self.own_metrics
