"""Every operator that holds weights, and pooling, against onnxruntime and the cases that the onnx package carries."""

from __future__ import annotations

import importlib
import warnings
from functools import cache

import numpy as np
import onnxruntime
import pytest

from archsim.accuracy.analog import Analog
from archsim.accuracy.layers import InFloat, Recorder
from archsim.accuracy.network import load_network
from archsim.accuracy.quantised import Quantised, quantised_layers
from archsim.compile.slicing import SlotShape
from archsim.numeric.config import ArrayConfig, InputCode, WeightCode
from tests.onnx_numeric import frozen

WITH_WEIGHTS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN")
POOLS = ("MaxPool", "AveragePool")

CONFIG = ArrayConfig(
    rows=16,
    columns=32,
    weights=WeightCode("differential", 8, cell_bits=2),
    inputs=InputCode("sign-magnitude", 8),
    effects=frozenset(),
)
SLOT = SlotShape(16, 32 // 8, 1, 8, 96)


@cache
def cases() -> dict[str, list]:
    from onnx.backend.test.case import node

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for operator in (*WITH_WEIGHTS, *POOLS):  # a module makes its cases when it is imported
            importlib.import_module(f"{node.__name__}.{operator.lower()}")
    found: dict[str, list] = {}
    for case in node._NodeTestCases:
        if len(case.model.graph.node) == 1:
            found.setdefault(case.model.graph.node[0].op_type, []).append(case)
    return found


def ready(case, folder, weights: bool):
    """The case as a file, its inputs but the first frozen as weights, and what is fed and expected."""
    given, expected = case.data_sets[0]
    path = folder / "case.onnx"
    model = frozen(case.model, list(given), 1 if weights else len(given))
    path.write_bytes(model.SerializeToString())
    feeds = {entry.name: array for entry, array in zip(model.graph.input, given, strict=False)}
    return path, feeds, expected


def by_onnxruntime(path, feeds):
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        return onnxruntime.InferenceSession(str(path), options).run(None, feeds)
    except Exception:  # a type or a version that it does not have; the case's own numbers count then
        return None


@pytest.mark.parametrize("operator", WITH_WEIGHTS + POOLS)
def test_an_operator_gives_what_onnxruntime_gives(operator, tmp_path):
    compared = 0
    for case in cases()[operator]:
        path, feeds, expected = ready(case, tmp_path, operator in WITH_WEIGHTS)
        found = load_network(path).run(feeds)
        reference = by_onnxruntime(path, feeds)
        for k, ours in enumerate(found):
            np.testing.assert_allclose(ours, expected[k], rtol=1e-3, atol=1e-4, err_msg=case.name)
            if reference is not None and expected[k].dtype == np.float32:
                np.testing.assert_allclose(ours, reference[k], rtol=1e-5, atol=1e-5, err_msg=case.name)
                compared += 1
    assert compared >= 2


@pytest.mark.parametrize("operator", WITH_WEIGHTS)
def test_an_ideal_array_gives_exactly_the_quantised_digital_result(operator, tmp_path):
    ran = 0
    for case in cases()[operator]:
        path, feeds, _ = ready(case, tmp_path, True)
        network = load_network(path)
        network.arithmetic = record = Recorder()
        plain = network.run(feeds)
        if not network.layers:
            continue
        layers = quantised_layers(network.layers, record, CONFIG)
        network.arithmetic = Quantised(layers)
        digital = network.run(feeds)
        network.arithmetic = Analog.programmed(CONFIG, SLOT, layers, 0)
        arrays = network.run(feeds)
        for exact, ours, floating in zip(digital, arrays, plain, strict=True):
            np.testing.assert_array_equal(ours, exact, err_msg=case.name)
            scale = np.abs(floating).max()
            np.testing.assert_allclose(exact, floating, atol=0.05 * scale, err_msg=case.name)
        ran += 1
    assert ran >= 1


def test_a_product_of_two_activations_stays_digital(tmp_path):
    path, feeds, expected = ready(cases()["MatMul"][0], tmp_path, weights=False)
    network = load_network(path)
    network.arithmetic = InFloat()
    np.testing.assert_allclose(network.run(feeds)[0], expected[0], rtol=1e-5)
    assert network.layers == []
