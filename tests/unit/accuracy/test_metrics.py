from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as oracle

from archsim.accuracy.metrics import metrics, predicted, scores_of
from archsim.errors import ArchsimError


def some(classes: int = 6, count: int = 300):
    rng = np.random.default_rng(7)
    labels = rng.integers(0, classes, count)
    scores = rng.normal(size=(count, classes))
    scores[np.arange(count), labels] += 1.0
    return scores, labels


def test_the_figures_are_scikit_learns():
    scores, labels = some()
    found, guessed = metrics(scores, labels), predicted(scores)
    np.testing.assert_array_equal(found.confusion, oracle.confusion_matrix(labels, guessed))
    precision, recall, f1, _ = oracle.precision_recall_fscore_support(labels, guessed)
    np.testing.assert_allclose(found.precision, precision)
    np.testing.assert_allclose(found.sensitivity, recall)
    np.testing.assert_allclose(found.f1, f1)
    by_class = oracle.multilabel_confusion_matrix(labels, guessed)
    np.testing.assert_allclose(found.specificity, by_class[:, 0, 0] / by_class[:, 0].sum(1))
    assert found.accuracy == pytest.approx(oracle.accuracy_score(labels, guessed))
    assert found.kappa == pytest.approx(oracle.cohen_kappa_score(labels, guessed))
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    assert found.cross_entropy == pytest.approx(oracle.log_loss(labels, probabilities))
    assert metrics(probabilities, labels).cross_entropy == pytest.approx(found.cross_entropy)
    for k, share in found.top_k.items():
        assert share == pytest.approx(oracle.top_k_accuracy_score(labels, scores, k=k))
    assert found.summary()["f1"] == pytest.approx(oracle.f1_score(labels, guessed, average="macro"))


def test_the_order_of_samples_and_classes_changes_no_bit_of_the_cross_entropy():
    """NumPy's sums hang on the order, and on how many values a processor adds at once."""
    scores, labels = some(count=5003)
    found = set()
    for seed in range(10):
        rng = np.random.default_rng(seed)
        samples, classes = rng.permutation(5003), rng.permutation(6)
        mixed = metrics(5 * scores[samples][:, classes], np.argsort(classes)[labels[samples]])
        found.add(mixed.cross_entropy)
    assert len(found) == 1


def test_a_class_that_never_occurs_counts_in_no_mean():
    scores, labels = np.eye(4)[[0, 1, 1]], np.array([0, 1, 0])
    found = metrics(scores, labels)
    assert found.mean("sensitivity") == pytest.approx((0.5 + 1.0) / 2)
    assert found.precision[3] == 0.0


def test_one_output_is_the_probability_of_the_second_of_two_classes():
    found = metrics(scores_of(np.array([[0.9], [0.2], [0.6]])), np.array([1, 0, 0]))
    np.testing.assert_array_equal(found.confusion, [[1, 1], [0, 1]])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], "labels: expected 3, one a sample, got 2"),
        ([0, 1, 9], "labels: the model has 4 outputs, got the label 9"),
        ([0, -1, 1], "labels: the model has 4 outputs, got the label -1"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels, message):
    with pytest.raises(ArchsimError) as caught:
        metrics(np.eye(4)[:3], np.array(labels))
    assert str(caught.value) == message
