"""Training outside of the hardware: exact sums, gradients, limits, noise-aware training."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from archsim.accuracy.letters import drawn
from archsim.accuracy.pairs import Pairs, device_errors
from archsim.accuracy.training import Perceptron, Plan, filled, product, started, tanh, train
from archsim.errors import NumericError
from archsim.numeric.devices import device

Floats = NDArray[np.float64]
PATTERNS, CLASSES = drawn()
INPUTS = PATTERNS.astype(np.float64)
GAIN = 18.0


def networks(count: int, seed: int = 0) -> Perceptron:
    each = [started((16, 10, 4), GAIN, np.random.default_rng([seed, number])).weights for number in range(count)]
    return Perceptron(tuple(np.stack(layer) for layer in zip(*each, strict=True)), GAIN)


def test_tanh_is_that_of_the_library_to_a_few_bits() -> None:
    x = np.concatenate([np.linspace(-30, 30, 10_001), [1e-300, 0.0, -1e-12, 1e6]])
    assert np.abs(tanh(x) - np.tanh(x)).max() < 1e-15
    assert tanh(np.array([1e-12]))[0] == pytest.approx(1e-12, rel=1e-14)


def test_products_do_not_depend_on_the_order_of_the_sum() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((3, 40, 300)), rng.standard_normal((3, 300, 5))
    order = rng.permutation(300)
    assert np.array_equal(product(a, b), product(a[..., order], b[:, order]))
    assert product(a, b) == pytest.approx(a @ b, abs=1e-4)
    assert not np.array_equal(a @ b, a[..., order] @ b[:, order])


def test_networks_side_by_side_are_trained_as_each_alone() -> None:
    both = train(networks(2), INPUTS, CLASSES, Plan(30, 0.02, 0.5))
    alone = Perceptron(tuple(w[1] for w in networks(2).weights), GAIN)
    for together, single in zip(both.weights, train(alone, INPUTS, CLASSES, Plan(30, 0.02, 0.5)).weights, strict=True):
        assert np.array_equal(together[1], single)


@pytest.mark.parametrize("sizes", [(16, 4), (16, 10, 4), (16, 8, 6, 4)])
def test_the_weights_move_against_the_gradient_of_the_square_error(sizes: tuple[int, ...]) -> None:
    """One step, held to differences of the loss computed apart from archsim."""
    before = started(sizes, 0.5, np.random.default_rng(3))
    after = train(before, INPUTS, CLASSES, Plan(1, 1e-3, 0.5))

    def loss(weights: Sequence[Floats]) -> float:
        x, ones = INPUTS, np.ones((len(INPUTS), 1))
        for w in weights[:-1]:
            x = np.tanh(0.5 * np.hstack([x, ones]) @ w)
        outputs = np.hstack([x, ones]) @ weights[-1] / len(weights[-1])
        return float(np.square(outputs - np.where(np.eye(4)[CLASSES] > 0, 0.5, -0.5)).sum())

    for layer, weights in enumerate(before.weights):
        moved = (after.weights[layer] - weights) / 1e-3
        assert moved[:3] == pytest.approx(np.rint(moved[:3]))
        for place in np.ndindex(3, 4):
            shift = [w.copy() for w in before.weights]
            shift[layer][place] += 1e-4
            slope = loss(shift) - loss(before.weights)
            assert abs(slope) > 1e-7
            assert round(moved[place]) == -math.copysign(1.0, slope)


def test_a_perceptron_learns_the_letters() -> None:
    trained = train(networks(8), INPUTS, CLASSES, Plan(1500, 0.02, 0.25))
    assert (trained.accuracy(INPUTS, CLASSES) == 1.0).mean() >= 0.75
    assert networks(8).accuracy(INPUTS, CLASSES).mean() < 0.5


def test_weights_stay_within_their_limits() -> None:
    limits = [(np.full((17, 10), -0.1), np.full((17, 10), 0.2)), (-0.3, 0.0)]
    trained = train(networks(1), INPUTS, CLASSES, Plan(50, 0.1, 0.5), limits)
    assert trained.weights[0].min() == -0.1
    assert trained.weights[0].max() == 0.2
    assert trained.weights[1].min() >= -0.3
    assert trained.weights[1].max() == 0.0


def test_filling_the_range_takes_each_hidden_neuron_to_its_limit_and_changes_no_sign_nor_any_order() -> None:
    before = networks(3)
    after = filled(before)
    hidden, outputs = after.weights
    assert np.abs(hidden).max(-2) == pytest.approx(np.ones((3, 10)))
    assert np.abs(outputs).max((-2, -1)) == pytest.approx(np.ones(3))
    assert (np.sign(hidden) == np.sign(before.weights[0])).all()
    ratio = outputs / before.weights[1]
    assert ratio == pytest.approx(np.broadcast_to(ratio[:, :1, :1], ratio.shape))


def test_a_neuron_without_weights_and_weights_at_their_limit_stay_as_they_are() -> None:
    weights = np.array([[0.0, 0.5], [0.0, -0.1]])
    network = Perceptron((weights, np.zeros((3, 2))), 1.0)
    limits = [(-1.0, np.array([[1.0, 0.5], [1.0, 1.0]])), (-1.0, 1.0)]
    assert np.array_equal(filled(network, limits).weights[0], weights)
    assert np.array_equal(filled(network, limits).weights[1], np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ((0, 0.1, 0.5), r"^training: expected at least 1 step, got 0$"),
        ((1, 0.0, 0.5), r"^training: step must be above 0 and at most 1, got 0\.0$"),
        ((1, 0.1, 1.5), r"^training: target must be above 0 and at most 1, got 1\.5$"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(plan: tuple[int, float, float], message: str) -> None:
    with pytest.raises(NumericError, match=message):
        Plan(*plan)


def test_noise_aware_training_loses_less_under_programming_error_than_plain_training() -> None:
    """Both go on from the same networks for as long; each is read with the same errors, twenty times."""
    cell = device("generic", g_min_s=10e-6, g_max_s=100e-6, error="normal", sigma=0.3, sigma_of="value")
    pairs = [Pairs(cell), Pairs(cell)]
    begun = train(networks(24), INPUTS, CLASSES, Plan(400, 0.02, 0.25))
    fine = Plan(200, 0.01, 0.25)
    plain = train(begun, INPUTS, CLASSES, fine)
    aware = train(begun, INPUTS, CLASSES, fine, errors=device_errors(pairs, np.random.default_rng(5)))

    def kept(network: Perceptron) -> Floats:
        errors = device_errors(pairs, np.random.default_rng(6))
        reads = [Perceptron(errors(network.weights), GAIN).accuracy(INPUTS, CLASSES) for _ in range(20)]
        return np.mean(reads, axis=0)

    loss = [network.accuracy(INPUTS, CLASSES) - kept(network) for network in (plain, aware)]
    gain = loss[0] - loss[1]
    assert gain.mean() > 5 * gain.std(ddof=1) / math.sqrt(len(gain))
    assert kept(aware).mean() > kept(plain).mean()
