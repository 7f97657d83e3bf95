"""The networks of the letters study, trained side by side: plain, for known stuck devices, noise-aware."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from archsim.accuracy.letters import drawn
from archsim.accuracy.merrikh_bayat import Demonstrator
from archsim.accuracy.pairs import Pairs, device_errors
from archsim.accuracy.training import Perceptron, Plan, filled, started, train

__all__ = ["software", "tuned"]

Floats = NDArray[np.float64]
Chips = Sequence[Sequence[Pairs]]
"""The pairs of both layers, for each chip."""

STEPS, STEP = 2000, 0.02
"""Of training; a weight moves by at most 2 % of its range at a time."""

TUNING_STEPS, TUNING_STEP = 400, 0.005
"""Of noise-aware fine-tuning."""

STARTS = 10
"""How often a network is begun, until it has learned all drawn patterns."""


def software(
    hardware: Demonstrator, chips: Chips, streams: Sequence[Generator], target: float, fill: bool = True
) -> tuple[Perceptron, NDArray[np.bool_]]:
    """A network for each of ``chips``, with weights that its pairs can hold (and ``fill``), begun anew from its stream
    until it has learned the drawn patterns; and which had at the first start."""
    patterns, classes = drawn()
    inputs, plan, limits = patterns.astype(np.float64), Plan(STEPS, STEP, target), _limits(hardware, chips)
    weights = [np.empty((len(chips), *shape)) for shape in hardware.shapes]
    missing, at_once = np.arange(len(chips)), np.zeros(len(chips), np.bool_)
    for start in range(STARTS):
        begun = _stacked([started(hardware.sizes, hardware.gain, streams[int(k)]).weights for k in missing])
        own = [(low[missing], high[missing]) for low, high in limits]
        done = train(Perceptron(begun, hardware.gain), inputs, classes, plan, own)
        done = filled(done, own) if fill else done
        for kept, new in zip(weights, done.weights, strict=True):
            kept[missing] = new
        learned = done.accuracy(inputs, classes) == 1.0
        at_once = learned if start == 0 else at_once
        missing = missing[~learned]
        if not len(missing):
            break
    return Perceptron(tuple(weights), hardware.gain), at_once


def tuned(
    network: Perceptron, hardware: Demonstrator, chips: Chips, streams: Sequence[Generator], target: float
) -> Perceptron:
    """``network`` after noise-aware fine-tuning, in which errors of the import, and stuck devices where they are not
    known, are drawn from the stream of each chip."""
    patterns, classes = drawn()
    each = [device_errors(own, rng, hardware.tolerance) for own, rng in zip(chips, streams, strict=True)]

    def errors(weights: tuple[Floats, ...]) -> tuple[Floats, ...]:
        return _stacked([own(tuple(w[k] for w in weights)) for k, own in enumerate(each)])

    plan = Plan(TUNING_STEPS, TUNING_STEP, target)
    return train(network, patterns.astype(np.float64), classes, plan, _limits(hardware, chips), errors)


def _stacked(networks: Sequence[tuple[Floats, ...]]) -> tuple[Floats, ...]:
    return tuple(np.stack(layer) for layer in zip(*networks, strict=True))


def _limits(hardware: Demonstrator, chips: Chips) -> list[tuple[Floats, Floats]]:
    """The lowest and the highest weights [chips, K, M] of each layer."""
    out = []
    for layer, shape in enumerate(hardware.shapes):
        both = [own[layer].limits() for own in chips]
        low, high = (np.stack([np.broadcast_to(limit[side], shape) for limit in both]) for side in range(2))
        out.append((low, high))
    return out
