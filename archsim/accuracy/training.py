"""Training of small perceptrons for analog arrays, outside of the hardware that they are for.

A :class:`Perceptron` is what a chain of arrays with saturating amplifiers computes: hidden layers h = tanh(gain x W),
a linear output layer, an input of +1 for the bias in each layer.  Weights are shares of the range of a pair of devices,
-1 to 1, and so are inputs and hidden outputs of the read voltage; ``gain`` is what the amplifier makes of one full
weight at one full input.

:func:`train` is batch backpropagation of the mean square error.  Each weight moves by the sign of its gradient, the
Manhattan rule (Zamanidoost et al., WISP 2015), and the step falls linearly to 0: in a saturated tanh the gradients of
hidden weights span many decades, and their signs do not.  Weights are kept within limits, such as those of a pair
with a stuck device.

**Noise-aware training** (Joshi et al., Nat. Commun. 11, 2473, 2020) is the same with ``errors``: at each step the
forward and the backward pass run with weights as the devices would hold them, a fresh draw each time, and what moves
are the weights that are meant.

Sums are exact (:func:`product`) and tanh is elementary arithmetic (:func:`tanh`), so that the same start gives the same
weights on any machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from archsim.errors import NumericError

__all__ = ["Errors", "Limits", "Perceptron", "Plan", "filled", "product", "started", "tanh", "train", "with_bias"]

Floats = NDArray[np.float64]
Errors = Callable[[tuple[Floats, ...]], tuple[Floats, ...]]
"""From the weights of all layers that are meant to those that the devices hold; each call is a fresh draw."""

Limits = Sequence[tuple[ArrayLike, ArrayLike]]

_DOUBLINGS = 4
_SATURATED = 20.0
"""Beyond this tanh is 1 in float64."""

_STEEPEST = 1e6
"""By how much weights are scaled up at the most: a neuron without any weight has no largest one."""


def tanh(x: Floats) -> Floats:
    """The hyperbolic tangent, to the last few bits, from additions, multiplications and divisions alone.

    Lambert's continued fraction x / (1 + x² / (3 + x² / (5 + …))) of x/16, and four times tanh 2u = 2t / (1 + t²).
    """
    small = np.clip(x, -_SATURATED, _SATURATED) / 2**_DOUBLINGS
    square = small * small
    fraction = np.full_like(small, 17.0)
    for odd in (15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0):
        fraction = odd + square / fraction
    t: Floats = small / fraction
    for _ in range(_DOUBLINGS):
        t = 2.0 * t / (1.0 + t * t)
    return t


def product(a: Floats, b: Floats) -> Floats:
    """The matrix product of stacks of matrices, the same bytes in whatever order a library adds.

    Each factor is rounded to so many bits below its largest entry that no sum rounds: 23 for sums of up to 128 terms,
    about float32.
    """
    bits = (53 - math.ceil(math.log2(max(a.shape[-1], 2)))) // 2 - 1
    return np.asarray(np.matmul(_rounded(a, bits), _rounded(b, bits)))


def _rounded(a: Floats, bits: int) -> Floats:
    largest = np.abs(a).max((-2, -1), keepdims=True)
    behind = bits - np.frexp(largest)[1]
    return np.asarray(np.ldexp(np.rint(np.ldexp(a, behind)), -behind))


def with_bias(x: Floats) -> Floats:
    """``x`` [..., inputs] and a last input of +1."""
    return np.concatenate([x, np.ones((*x.shape[:-1], 1))], axis=-1)


@dataclass(frozen=True)
class Perceptron:
    """``weights`` of each layer [..., inputs + 1, outputs], the bias last; leading axes are networks side by side."""

    weights: tuple[Floats, ...]
    gain: float

    def layers(self, x: Floats) -> list[Floats]:
        """Inputs of each layer with the bias, and last the outputs as shares of the most that the array can give."""
        out = [with_bias(x)]
        for weights in self.weights[:-1]:
            out.append(with_bias(tanh(self.gain * product(out[-1], weights))))
        last = self.weights[-1]
        return [*out, product(out[-1], last) / last.shape[-2]]

    def classify(self, x: Floats) -> NDArray[np.intp]:
        """The output that is highest for each of ``x`` [..., samples, inputs]."""
        return np.asarray(self.layers(x)[-1].argmax(-1))

    def accuracy(self, x: Floats, classes: NDArray[np.int64]) -> Floats:
        """The share of ``x`` [samples, inputs] whose highest output is that of its class, for each network."""
        return np.asarray((self.classify(x) == classes).mean(-1))


@dataclass(frozen=True)
class Plan:
    """``steps`` of training, the first of which moves each weight by ``step``.

    ``target``: the output of the right class, the others' is -target; a share of the most that the array can give.
    """

    steps: int
    step: float
    target: float

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise NumericError(f"training: expected at least 1 step, got {self.steps}")
        for name in ("step", "target"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise NumericError(f"training: {name} must be above 0 and at most 1, got {getattr(self, name)!r}")


def started(sizes: Sequence[int], gain: float, rng: Generator) -> Perceptron:
    """A network of ``sizes`` (inputs, hidden outputs, …, outputs) with random weights that leave tanh unsaturated.

    Uniform with the standard deviation 1 / (gain √inputs), for which arguments of tanh have a variance of 1 (LeCun et
    al., Efficient BackProp, 1998).
    """
    weights = []
    for inputs, outputs in pairwise(sizes):
        most = min(1.0, math.sqrt(3.0 / (inputs + 1)) / gain)
        weights.append(rng.uniform(-most, most, (inputs + 1, outputs)))
    return Perceptron(tuple(weights), gain)


def train(
    network: Perceptron,
    inputs: Floats,
    classes: NDArray[np.int64],
    plan: Plan,
    limits: Limits | None = None,
    errors: Errors | None = None,
) -> Perceptron:
    """``network`` trained on ``inputs`` [samples, inputs] of ``classes`` [samples], its weights kept within ``limits``
    (low, high) of each layer, by default -1 to 1.  With ``errors`` the training is noise-aware."""
    limits = limits if limits is not None else [(-1.0, 1.0)] * len(network.weights)
    outputs = network.weights[-1].shape[-1]
    targets = np.where(np.arange(outputs) == classes[:, None], plan.target, -plan.target)
    weights = _within(network.weights, limits)
    for number in range(plan.steps):
        held = weights if errors is None else errors(weights)
        step = plan.step * (1.0 - number / plan.steps)
        moves = _gradients(Perceptron(held, network.gain), inputs, targets)
        weights = _within([w - step * np.sign(move) for w, move in zip(weights, moves, strict=True)], limits)
    return Perceptron(weights, network.gain)


def filled(network: Perceptron, limits: Limits | None = None) -> Perceptron:
    """``network`` with weights scaled up until they fill their range: those of each hidden neuron until one of them is
    at its limit, those of the output neurons by a common factor.

    A larger weight is further above the errors of devices that do not grow with it.  The factor of the outputs changes
    no class; that of a hidden neuron makes its tanh steeper, which matters only where tanh is not saturated.
    """
    limits = limits if limits is not None else [(-1.0, 1.0)] * len(network.weights)
    scaled = []
    for number, (weights, (low, high)) in enumerate(zip(network.weights, limits, strict=True)):
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(weights > 0.0, np.asarray(high) / weights, np.asarray(low) / weights)
        axes = -2 if number + 1 < len(network.weights) else (-2, -1)
        factor = np.min(room, axes, keepdims=True, where=weights != 0.0, initial=_STEEPEST)
        scaled.append(weights * np.maximum(factor, 1.0))
    return Perceptron(_within(scaled, limits), network.gain)


def _within(weights: Sequence[Floats], limits: Limits) -> tuple[Floats, ...]:
    return tuple(np.clip(w, low, high) for w, (low, high) in zip(weights, limits, strict=True))


def _gradients(network: Perceptron, inputs: Floats, targets: Floats) -> list[Floats]:
    """Of the square error of all samples, by the weights of each layer, each up to a positive factor."""
    *layers, outputs = network.layers(inputs)
    error = outputs - targets
    gradients = [product(np.swapaxes(layers[-1], -1, -2), error)]
    for before, x, weights in zip(layers[-2::-1], layers[:0:-1], network.weights[:0:-1], strict=True):
        hidden = x[..., :-1]
        error = product(error, np.swapaxes(weights, -1, -2))[..., :-1] * (1.0 - hidden * hidden)
        gradients.insert(0, product(np.swapaxes(before, -1, -2), error))
    return gradients
