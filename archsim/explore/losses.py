"""Why accuracy is lost: the same arrays with one thing changed, and what of the loss comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.accuracy.evaluate import Job, tile_of
from archsim.accuracy.metrics import predicted, scores_of
from archsim.accuracy.results import Loss, Outcome, PointResult
from archsim.numeric.config import Effect
from archsim.numeric.report import WORDS, active

__all__ = ["LOSS", "Question"]

Labels = NDArray[np.int64]

LOSS = 0.02
"""The loss of accuracy from which on its cause is looked for, unless it is asked for anyway."""

RECOVERED = 0.5
"""The share of a loss that has to come back for what was changed to be called its cause."""

SAMPLES = 500
"""Samples that causes are looked for with, at the most."""

SATURATED = 0.01
"""The share of conversions out of range from which on the message names it."""


@dataclass(frozen=True)
class Question:
    """A point's first run on its arrays, ``job``, and its result; ``every`` effect is looked at, or only what a loss
    calls for."""

    job: Job
    result: PointResult
    every: bool
    floating: Outcome

    @property
    def effects(self) -> list[Effect]:
        """What can take the arrays away from the product of whole numbers."""
        return active(self.result.config, self.job.moment.seconds, self.job.moment.kelvin)

    @property
    def lost(self) -> float:
        """The accuracy of the digital run in the same numbers over that of the arrays (seed 0), on all samples."""
        assert self.result.digital.metrics is not None
        assert self.result.analog[0].metrics is not None
        return self.result.digital.metrics.accuracy - self.result.analog[0].metrics.accuracy

    def jobs(self) -> dict[str, Job]:
        """The runs that would tell."""
        if self.lost <= LOSS and not self.every:
            return {}
        base = replace(self.job, images=min(self.job.images or SAMPLES, SAMPLES))
        found = {f"without {effect}": replace(base, without=frozenset({effect})) for effect in self.effects}
        if self.every:
            every = self.result.config.effects
            found |= {f"alone {effect}": replace(base, without=every - {effect}) for effect in self.effects}
        adc = self.result.config.adc
        if adc.bits is not None and adc.bits > 1 and adc.range != "calibrated":
            found["calibrated"] = replace(base, calibrated=True)
        return found

    def answered(self, outputs: Mapping[str, NDArray[Any]], labels: Labels) -> PointResult:
        """The result with the losses by effect and with warnings; ``outputs`` are those of :meth:`jobs`."""
        found = {name: _right(made, labels) for name, made in outputs.items()}
        losses = [Loss(WORDS[e], found[f"alone {e}"], found[f"without {e}"]) for e in self.effects if self.every]
        warnings = self._before_arrays()
        if self.lost > LOSS:
            warnings.append(self._reason(found, labels))
        return replace(self.result, losses=tuple(losses), warnings=tuple(warnings))

    def _before_arrays(self) -> list[str]:
        assert self.floating.metrics is not None
        assert self.result.digital.metrics is not None
        exact, rounded = self.floating.metrics.accuracy, self.result.digital.metrics.accuracy
        if exact - rounded <= LOSS:
            return []
        config = self.result.config
        bits = f"weights of {config.weights.bits} and inputs of {config.inputs.bits} bits"
        return [
            f"{exact - rounded:.1%} are lost before any array: {bits} give {rounded:.1%}, the float model {exact:.1%}"
        ]

    def _reason(self, found: Mapping[str, float], labels: Labels) -> str:
        """What explains at least half of the loss: a setting that could be another, or the device."""
        config = self.result.config
        digital = _right(self.result.digital.evaluation.outputs[:SAMPLES], labels)
        own = _right(self.result.analog[0].evaluation.outputs[:SAMPLES], labels)

        def back(name: str) -> bool:
            return name in found and found[name] - own >= RECOVERED * (digital - own)

        head = f"{own:.1%} on the arrays, {digital:.1%} digitally in the same whole numbers (seed 0): "
        bits = f"{config.adc.bits}-bit ADC"
        if back("calibrated"):
            return (
                f"{head}the cause is the range of the {bits}, {config.adc.range!r} and not calibrated to the data"
                f"{self._saturated()}; with a calibrated range the same arrays give {found['calibrated']:.1%} "
                f"({self._key('range')}=calibrated)"
            )
        if back("without adc"):
            return (
                f"{head}the cause is the resolution of the {bits} for sums of {config.rows} rows of "
                f"{config.weights.cell_bits}-bit cells, not the device{self._saturated()}; without it the same arrays "
                f"give {found['without adc']:.1%}"
            )
        if back("without levels"):
            return (
                f"{head}the cause is the number of levels of the device, fewer than the 2^{config.weights.cell_bits} "
                f"of cell_bits; with as many the same arrays give {found['without levels']:.1%}"
            )
        single = [effect for effect in self.effects if back(f"without {effect}")]
        if single:
            best = max(single, key=lambda effect: found[f"without {effect}"])
            rest = f"{found[f'without {best}']:.1%}"
            return f"{head}the largest cause is {WORDS[best]}; without it the arrays give {rest}"
        return f"{head}no single effect explains half of the loss; several together do"

    def _saturated(self) -> str:
        most = max(self.result.analog[0].evaluation.layers, key=lambda layer: layer.saturation)
        return f" ({most.saturation:.1%} of the conversions of {most.name} are out of range)" * (
            most.saturation >= SATURATED
        )

    def _key(self, key: str) -> str:
        """A key of the point's ADC, as ``--set`` takes it."""
        name = tile_of(self.job.chip, self.job.overrides).core.the("adc")[0]
        return f"tile.core.components.{name}.{key}"


def _right(outputs: NDArray[Any], labels: Labels) -> float:
    """The share of samples whose class is right."""
    return float((predicted(scores_of(outputs)) == labels[: len(outputs)]).mean())
