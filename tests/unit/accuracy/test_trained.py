"""The networks that ship with their weights are what their recipe makes of the data."""

from __future__ import annotations

import numpy as np
import pytest

from archsim import library
from archsim.accuracy.data import BUILT_IN, load_data
from archsim.accuracy.evaluate import Job, evaluate
from archsim.accuracy.metrics import metrics, scores_of
from archsim.workload import load_graph
from benchmarks.trained import RECIPES, model_of, train


@pytest.mark.parametrize("name", ["digits-mlp", pytest.param("digits-lstm", marks=pytest.mark.slow)])
def test_training_gives_the_same_bytes(name):
    made = model_of(name, RECIPES[name], train(RECIPES[name]))
    assert made.SerializeToString(deterministic=True) == library.trained()[name].read_bytes()


def test_every_recipe_ships():
    assert set(library.trained()) == set(RECIPES)
    assert {recipe.data for recipe in RECIPES.values()} == set(BUILT_IN)


@pytest.mark.parametrize("name", sorted(name for name in RECIPES if RECIPES[name].data != "letters"))
def test_a_shipped_network_knows_what_it_was_not_trained_on(name):
    data = load_data(RECIPES[name].data)
    made = evaluate(Job(str(library.trained()[name]), RECIPES[name].data, "", arithmetic="float"))
    found = metrics(scores_of(made.outputs), np.asarray(data.labels))
    assert found.accuracy > 0.95


def test_a_shipped_network_can_be_timed_too():
    graph, _ = load_graph("mnist-cnn")
    assert [layer.name for layer in graph.layers if layer.matrix] == ["conv1", "conv2", "dense"]
