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
from archsim.accuracy.results import Accuracy, Asked, Loss, Outcome, Point, PointResult
from archsim.errors import ArchsimError, nearest
from archsim.explore.pool import in_processes
from archsim.hardware.array import array_config
from archsim.numeric.config import ArrayConfig, Effect
from archsim.numeric.report import WORDS, active

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

LOSS = 0.02
"""The loss of accuracy from which on its cause is looked for, unless it is asked for anyway."""

RECOVERED = 0.5
"""The share of a loss that has to come back for what was changed to be called its cause."""


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
        analog = tuple(judge.outcome(done[f"analog {index} {seed}"]) for seed in range(asked.seeds))
        ideal = judge.outcome(done[f"ideal {index}"]) if asked.ideal else None
        results.append(PointResult(point, config, digital, analog, ideal))
    floating = judge.outcome(done["float"])
    if floating.metrics is not None:
        results = [_explained(plan, judge, k, result, floating, report) for k, result in enumerate(results)]
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
            for seed in range(self.asked.seeds):
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

    def accuracy(self, made: Evaluation) -> float:
        """The share of samples whose class is right."""
        outcome = self.outcome(made)
        assert outcome.metrics is not None
        return outcome.metrics.accuracy


def _explained(
    plan: _Plan, judge: _Judge, index: int, result: PointResult, floating: Outcome, report: Callable[[int, int], None]
) -> PointResult:
    """The point with the causes of its loss, and a warning where that is a default and not the device."""
    assert result.digital.metrics is not None
    assert floating.metrics is not None
    digital, own = result.digital.metrics.accuracy, _accuracy_of(result.analog[0])
    warnings = []
    if floating.metrics.accuracy - digital > LOSS:
        code = result.config
        warnings.append(
            f"{floating.metrics.accuracy - digital:.1%} are lost before any array: weights of {code.weights.bits} and "
            f"inputs of {code.inputs.bits} bits give {digital:.1%}, the float model {floating.metrics.accuracy:.1%}"
        )
    lost = digital - own
    if lost <= LOSS and not plan.asked.causes:
        return replace(result, warnings=tuple(warnings))
    moment = result.point.moment
    effects = active(result.config, moment.seconds, moment.kelvin)
    jobs = {f"without {effect}": plan.job(index, without=frozenset({effect})) for effect in effects}
    if plan.asked.causes:
        for effect in effects:
            others: frozenset[Effect] = result.config.effects - {effect}
            jobs[f"alone {effect}"] = plan.job(index, without=others)
    adc = result.config.adc
    if adc.bits is not None and adc.bits > 1 and adc.range != "calibrated":
        jobs["calibrated"] = plan.job(index, calibrated=True)
    found = {key: judge.accuracy(made) for key, made in plan.run(jobs, plan.asked.jobs, report).items()}
    losses = []
    if plan.asked.causes:
        losses = [Loss(WORDS[e], found[f"alone {e}"], found[f"without {e}"]) for e in effects]
    if lost > LOSS:
        warnings += _reasons(result, digital, own, effects, found)
    return replace(result, losses=tuple(losses), warnings=tuple(warnings))


def _accuracy_of(outcome: Outcome) -> float:
    assert outcome.metrics is not None
    return outcome.metrics.accuracy


def _key(result: PointResult, key: str) -> str:
    """A key of the point's ADC, as ``--set`` takes it."""
    name = tile_of(result.point.chip, result.point.overrides).core.the("adc")[0]
    return f"tile.core.components.{name}.{key}"


def _reasons(
    result: PointResult, digital: float, own: float, effects: Sequence[Effect], found: Mapping[str, float]
) -> list[str]:
    """What explains at least half of a loss, in words: a setting that could be another, or the device."""
    config, lost = result.config, digital - own

    def back(key: str) -> bool:
        return key in found and found[key] - own >= RECOVERED * lost

    head = f"{own:.1%} on the arrays, {digital:.1%} in the same whole numbers (seed 0): "
    if back("calibrated"):
        return [
            head + f"the cause is the range of the {config.adc.bits}-bit ADC, which is {config.adc.range!r} and not "
            f"calibrated to the data, not the device; with a calibrated range the same arrays give "
            f"{found['calibrated']:.1%} ({_key(result, 'range')}=calibrated)"
        ]
    if back("without adc"):
        return [
            head + f"the cause is the resolution of the ADC, {config.adc.bits} bits for sums of {config.rows} rows of "
            f"{config.weights.cell_bits}-bit cells, not the device; without it the same arrays give "
            f"{found['without adc']:.1%}"
        ]
    if back("without levels"):
        levels = "fewer levels than"
        return [
            head + f"the cause is the number of levels of a cell: the device has {levels} the 2^"
            f"{config.weights.cell_bits} that cell_bits asks for; without that {found['without levels']:.1%}"
        ]
    single = [effect for effect in effects if back(f"without {effect}")]
    if single:
        best = max(single, key=lambda effect: found[f"without {effect}"])
        return [head + f"the largest cause is {WORDS[best]}; without it {found[f'without {best}']:.1%}"]
    return [head + "no single effect is the cause; several together are"]
