"""Accuracy of a network on chips: seeds, sweeps of one cause, and why it is lost, by several processes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim import library
from archsim.accuracy.analog import Moment
from archsim.accuracy.data import load_data
from archsim.accuracy.evaluate import Evaluation, Job, evaluate, quantisation, tile_of
from archsim.accuracy.metrics import metrics, predicted, scores_of
from archsim.accuracy.results import Accuracy, Asked, Outcome, Point, PointResult
from archsim.errors import ArchsimError, nearest
from archsim.explore.losses import Question
from archsim.explore.pool import in_processes
from archsim.hardware.array import array_config
from archsim.numeric.config import ArrayConfig, Effect
from archsim.numeric.report import active

__all__ = ["CAUSES", "measure", "points_of"]

CAUSES: dict[str, tuple[str, ...]] = {
    "adc-bits": ("core.components.{adc}.bits",),
    "cell-bits": ("core.components.{crossbar}.cell_bits",),
    "programming-error": ("device.set.sigma",),
    "stuck": ("device.set.stuck_off",),
    "array-size": ("core.components.{crossbar}.rows", "core.components.{crossbar}.columns"),
    "time": (),
    "temperature": (),
}
"""Causes that can be swept by name, and the keys of the tile that they set."""

RANDOM: frozenset[Effect] = frozenset({"programming", "stuck", "retention", "read_noise", "adc_noise"})
"""Effects that draw random numbers, beside the noise of drivers and the widths of an ADC's codes."""


def points_of(
    chips: Sequence[str], overrides: Sequence[str], moment: Moment, sweep: str | None
) -> tuple[list[Point], str | None]:
    """A point for each chip and each value of ``sweep``, which is ``KEY=V,V,…`` or a name of :data:`CAUSES`.

    ArchsimError if the sweep cannot be read.
    """
    own = tuple(overrides)
    if sweep is None:
        return [Point(chip, own, moment) for chip in chips], None
    name, equals, listed = sweep.partition("=")
    values = [value.strip() for value in listed.split(",")]
    if not equals or not all(values):
        raise ArchsimError(f"--sweep: expected KEY=V,V,…, as adc-bits=4,5,6,7,8, got {sweep!r:.200}")
    if name not in CAUSES and "." not in name:
        raise ArchsimError(
            f"--sweep: no cause {name!r:.60}{nearest(name, CAUSES) or '; there are ' + ', '.join(CAUSES)}"
        )
    points = []
    for chip in chips:
        points += [_swept(Point(chip, own, moment, value), name, value) for value in values]
    return points, name


def _swept(point: Point, name: str, value: str) -> Point:
    if name in ("time", "temperature"):
        key = "seconds" if name == "time" else "kelvin"
        return replace(point, moment=replace(point.moment, **{key: _number(name, value)}))
    if name not in CAUSES:
        return replace(point, overrides=(*point.overrides, f"{name}={value}"))
    tile = tile_of(point.chip, point.overrides)
    rows = {kind: tile.core.the(kind)[0] for kind in ("adc", "crossbar")}
    changes = []
    for key in CAUSES[name]:
        group, _, setting = key.rpartition(".")
        if group == "device.set":  # a mapping that need not be there yet
            known = {} if tile.device is None else dict(tile.device.set)
            changes.append(f"tile.{group}={json.dumps({**known, setting: _number(name, value)})}")
        else:
            changes.append(f"tile.{key.format(**rows)}={value}")
    return replace(point, overrides=(*point.overrides, *changes))


def _number(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ArchsimError(f"--sweep {name}: expected numbers, got {value!r:.60}") from None


def measure(
    asked: Asked, points: Sequence[Point], sweep: str | None, report: Callable[[int, int], None] = lambda done, of: None
) -> Accuracy:
    """Run the network in float, in each point's whole numbers, and on each point's arrays once for each seed.

    ``report`` is told how many runs are done, and of how many.  ArchsimError if something does not fit.
    """
    path = str(library.find("workload", asked.model))
    if not library.is_onnx(path):
        known = ", ".join(library.trained())
        message = f"{asked.model!r:.100} is a network without weights; expected an ONNX file or one of {known}"
        raise ArchsimError(message)
    tiles = [tile_of(point.chip, point.overrides) for point in points]
    configs = [array_config(tile) for tile in tiles]
    base = Job(path, asked.data, "", arithmetic="float", images=asked.images, samples=asked.samples)
    base = replace(base, carry=asked.carry, constants=asked.constants, by_column=asked.by_column)
    plan = _Plan(base, points, configs, asked)
    done = plan.run(plan.first_round(), asked.jobs, report)
    data = load_data(asked.data).first(asked.images)
    judge = _Judge(data.labels, done["float"])
    results = []
    for index, (point, config) in enumerate(zip(points, configs, strict=True)):
        digital = judge.outcome(done[plan.digital(index)])
        analog = tuple(judge.outcome(done[f"analog {index} {seed}"]) for seed in range(plan.seeds(index)))
        ideal = judge.outcome(done[f"ideal {index}"]) if asked.ideal else None
        results.append(PointResult(point, config, digital, analog, ideal))
    floating = judge.outcome(done["float"])
    if data.labels is not None:
        questions = {k: Question(plan.job(k), r, asked.causes, floating) for k, r in enumerate(results)}
        jobs = {f"{k} {name}": job for k, q in questions.items() for name, job in q.jobs().items()}
        found = plan.run(jobs, asked.jobs, report)
        results = [
            q.answered({name: found[f"{k} {name}"].outputs for name in q.jobs()}, data.labels)
            for k, q in questions.items()
        ]
    return Accuracy(asked, len(data), data.labels is not None, sweep, floating, tuple(results))


@dataclass
class _Plan:
    """Which jobs there are, each under a name."""

    base: Job
    points: Sequence[Point]
    configs: Sequence[ArrayConfig]
    asked: Asked

    def digital(self, index: int) -> str:
        """The digital run of a point: that of the first point with the same numbers."""
        same = quantisation(self.configs[index])
        return f"digital {next(k for k, config in enumerate(self.configs) if quantisation(config) == same)}"

    def seeds(self, index: int) -> int:
        """Runs of a point: one if nothing in its arrays is random, since all others would be the same."""
        config, moment = self.configs[index], self.points[index].moment
        drawn = RANDOM & set(active(config, moment.seconds, moment.kelvin))
        return self.asked.seeds if drawn or config.dac.noise > 0 or config.adc.dnl > 0 else 1

    def job(self, index: int, seed: int = 0, **changes: Any) -> Job:
        """A run of a point on its arrays."""
        point = self.points[index]
        own = replace(self.base, chip=point.chip, overrides=point.overrides, moment=point.moment, seed=seed)
        return replace(own, **{"arithmetic": "analog", **changes})

    def first_round(self) -> dict[str, Job]:
        """All runs that are asked for."""
        jobs = {"float": self.base}
        for index, config in enumerate(self.configs):
            jobs[self.digital(index)] = self.job(index, arithmetic="digital")
            for seed in range(self.seeds(index)):
                jobs[f"analog {index} {seed}"] = self.job(index, seed)
            if self.asked.ideal:
                jobs[f"ideal {index}"] = self.job(index, without=config.effects, moment=Moment())
        return jobs

    def run(self, jobs: Mapping[str, Job], processes: int, report: Callable[[int, int], None]) -> dict[str, Evaluation]:
        """The results of jobs, by their names."""
        found: dict[str, Evaluation] = {}
        for name, result in zip(jobs, _in_turn(jobs, processes), strict=True):
            found[name] = result
            report(len(found), len(jobs))
        return found


def _in_turn(jobs: Mapping[str, Job], processes: int) -> Iterator[Evaluation]:
    return in_processes(evaluate, list(jobs.values()), processes)


@dataclass
class _Judge:
    labels: NDArray[np.int64] | None
    floating: Evaluation

    def outcome(self, made: Evaluation) -> Outcome:
        """An evaluation beside the labels and the float model's."""
        exact = self.floating.outputs.astype(np.float64)
        error = float(np.square(made.outputs - exact).sum())
        signal = float(np.square(exact).sum())
        snr = 10.0 * math.log10(signal / error) if error > 0 and signal > 0 else None
        found = scores_of(made.outputs)
        if self.labels is None:
            return Outcome(made, None, None, snr)
        same = float((predicted(found) == predicted(scores_of(exact))).mean())
        return Outcome(made, metrics(found, self.labels), same, snr)
