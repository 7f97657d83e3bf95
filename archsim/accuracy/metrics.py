"""What a classifier's outputs are worth, as the field reports it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError

__all__ = ["Metrics", "metrics", "predicted", "scores_of"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LEAST = 1e-12
"""Below that no probability counts in the cross-entropy."""


@dataclass(frozen=True)
class Metrics:
    """Of N samples with C classes.  ``confusion`` [true, predicted].

    Sensitivity (recall) TP/(TP+FN), specificity TN/(TN+FP), precision TP/(TP+FP) and F1 = 2TP/(2TP+FP+FN) by class,
    with 0 for a denominator of 0; the single numbers are their means over the classes that occur.  Cohen's kappa is
    (p_o - p_e)/(1 - p_e), p_o the share that agrees and p_e that of independent raters with the same frequencies.
    Cross-entropy is the mean of -ln p of the true class.
    """

    samples: int
    accuracy: float
    top_k: dict[int, float]
    cross_entropy: float
    kappa: float
    confusion: Integers
    sensitivity: Floats
    specificity: Floats
    precision: Floats
    f1: Floats

    def mean(self, name: str) -> float:
        """The mean of one of the figures by class, over the classes that occur."""
        there = self.confusion.sum(1) + self.confusion.sum(0) > 0
        return float(getattr(self, name)[there].mean())

    def summary(self) -> dict[str, float]:
        """The single numbers."""
        by_class = {name: self.mean(name) for name in ("sensitivity", "specificity", "precision", "f1")}
        tops = {f"top_{k}": share for k, share in self.top_k.items()}
        return {
            "accuracy": self.accuracy,
            **tops,
            **by_class,
            "kappa": self.kappa,
            "cross_entropy": self.cross_entropy,
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        by_class = {name: getattr(self, name).tolist() for name in ("sensitivity", "specificity", "precision", "f1")}
        return {
            "samples": self.samples,
            **self.summary(),
            "by_class": by_class,
            "confusion": self.confusion.tolist(),
        }


def scores_of(outputs: NDArray[Any]) -> Floats:
    """A model's outputs [N, …] as scores [N, C]; one value a sample is the probability of the second of two classes."""
    flat = np.asarray(outputs, np.float64).reshape(len(outputs), -1)
    return np.hstack([1.0 - flat, flat]) if flat.shape[1] == 1 else flat


def predicted(scores: Floats) -> Integers:
    """The class of the highest score, the first of several."""
    return np.asarray(scores.argmax(1), np.int64)


def metrics(scores: Floats, labels: Integers) -> Metrics:
    """The figures of ``scores`` [N, C], which are probabilities or go through a softmax first, for ``labels`` [N].

    ArchsimError if a label is no class.
    """
    classes = scores.shape[1]
    if len(labels) != len(scores) or len(labels) == 0:
        raise ArchsimError(f"labels: expected {len(scores)}, one a sample, got {len(labels)}")
    if labels.min() < 0 or labels.max() >= classes:
        wrong = int(labels.min() if labels.min() < 0 else labels.max())
        raise ArchsimError(f"labels: the model has {classes} outputs, got the label {wrong}")
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, predicted(scores)), 1)
    total, hits = int(confusion.sum()), np.diag(confusion)
    actual, chosen = confusion.sum(1), confusion.sum(0)
    order = np.argsort(-scores, axis=1, kind="stable")
    top = {k: float((order[:, :k] == labels[:, None]).any(1).mean()) for k in (3, 5) if k < classes}
    agree, chance = hits.sum() / total, float((actual * chosen).sum()) / total**2
    return Metrics(
        samples=total,
        accuracy=float(agree),
        top_k=top,
        cross_entropy=_cross_entropy(scores, labels),
        kappa=1.0 if math.isclose(chance, 1.0) else float((agree - chance) / (1.0 - chance)),
        confusion=confusion,
        sensitivity=_ratio(hits, actual),
        specificity=_ratio(total - actual - chosen + hits, total - actual),
        precision=_ratio(hits, chosen),
        f1=_ratio(2 * hits, actual + chosen),
    )


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> Floats:
    return np.asarray(np.divide(above, below, out=np.zeros(len(above)), where=below > 0))


def _cross_entropy(scores: Floats, labels: Integers) -> float:
    """Mean of -ln p; scores that are no probabilities go through a softmax.

    By ``math``, for the exponentials and sums of NumPy differ in the last bit between kinds of processor.
    """
    own = scores[np.arange(len(labels)), labels].tolist()
    if scores.min() >= 0 and np.allclose(scores.sum(1), 1.0, atol=1e-4):
        losses = [-math.log(max(probability, LEAST)) for probability in own]
    else:
        highest = scores.max(1)
        sums = [math.fsum(map(math.exp, row)) for row in (scores - highest[:, None]).tolist()]
        losses = [
            math.log(total) - (score - high) for total, score, high in zip(sums, own, highest.tolist(), strict=True)
        ]
    return math.fsum(losses) / len(losses)
