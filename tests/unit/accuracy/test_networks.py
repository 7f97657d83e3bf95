from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from archsim import library
from archsim.accuracy import evaluate as module
from archsim.accuracy.data import load_data
from archsim.accuracy.evaluate import Job, evaluate
from archsim.accuracy.layers import InFloat, Recorder
from archsim.accuracy.network import load_network
from archsim.accuracy.quantised import Quantised, quantised_layers
from archsim.errors import ArchsimError, WorkloadError
from archsim.numeric.config import EFFECTS, ArrayConfig, InputCode, WeightCode
from tests.onnx_models import Builder

NETWORKS = ("digits-mlp", "digits-cnn", "digits-lstm")
TILES = ("isaac", "puma", "neurram-like", "pcm-like")
NOISY = ('tile.device.set={"sigma": 0.05, "read_sigma": 0.05}',)


def job(model: str, chip: str = "puma", **more) -> Job:
    path = str(library.find("workload", model)) if not model.endswith(".onnx") else model
    return Job(path, more.pop("data", "digits"), chip, images=more.pop("images", 24), **more)


@pytest.mark.parametrize("name", [*NETWORKS, "mnist-mlp", "mnist-cnn"])
def test_a_trained_network_gives_what_onnxruntime_gives(name):
    data = name.split("-")[0]
    ours = evaluate(job(name, data=data, arithmetic="float")).outputs
    session = onnxruntime.InferenceSession(str(library.trained()[name]))
    images = load_data(data).inputs[""][:24]
    shape = session.get_inputs()[0].shape
    alone = [session.run(None, {"image": image.reshape(shape)})[0] for image in images]
    np.testing.assert_allclose(ours, np.concatenate(alone), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("name", NETWORKS)
def test_ideal_arrays_give_exactly_the_digital_result(name, tile):
    ideal = evaluate(job(name, tile, without=EFFECTS))
    digital = evaluate(job(name, tile, arithmetic="digital"))
    np.testing.assert_array_equal(ideal.outputs, digital.outputs)
    assert all(layer.exact for layer in ideal.layers)


def test_isaacs_arrays_are_exact_with_their_converters():
    own, digital = evaluate(job("digits-cnn", "isaac")), evaluate(job("digits-cnn", "isaac", arithmetic="digital"))
    np.testing.assert_array_equal(own.outputs, digital.outputs)
    assert [layer.saturation for layer in own.layers] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", ["digits-cnn", "digits-lstm"])
def test_noise_does_not_depend_on_how_samples_are_cut_into_batches(name, monkeypatch):
    wanted = job(name, "puma", overrides=NOISY, images=20)
    whole = evaluate(wanted).outputs
    monkeypatch.setattr(module, "BATCH", 7)
    np.testing.assert_array_equal(evaluate(wanted).outputs, whole)


def test_another_seed_gives_other_arrays_and_the_same_seed_the_same():
    wanted = job("digits-mlp", overrides=NOISY)
    first, again, other = (evaluate(replace(wanted, seed=seed)).outputs for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_layers_name_their_matrices():
    found = evaluate(job("digits-lstm", "isaac")).layers
    assert [(layer.name, layer.rows, layer.columns) for layer in found] == [
        ("lstm.W", 8, 128),
        ("lstm.R", 32, 128),
        ("dense", 32, 10),
    ]


def grouped(tmp_path, groups: int):
    b = Builder(seed=3)
    x = b.op("Conv", "x", b.weight(8, 8 // groups, 3, 3), b.weight(8), group=groups, pads=[1, 1, 1, 1])
    x = b.op("GlobalAveragePool", b.op("Relu", x))
    model = b.model({"x": (TensorProto.FLOAT, ["n", 8, 6, 6])}, [b.op("Flatten", x)])
    path = tmp_path / f"grouped-{groups}.onnx"
    path.write_bytes(model.SerializeToString())
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "x.npz", x=rng.normal(size=(6, 8, 6, 6)).astype(np.float32), y=np.arange(6) % 3)
    return str(path), str(tmp_path / "x.npz")


@pytest.mark.parametrize("groups", [1, 2, 8])
@pytest.mark.parametrize("tile", ["isaac", "puma"])
def test_grouped_convolutions_stand_block_diagonally(groups, tile, tmp_path):
    path, data = grouped(tmp_path, groups)
    ideal = evaluate(job(path, tile, data=data, without=EFFECTS)).outputs
    digital = evaluate(job(path, tile, data=data, arithmetic="digital")).outputs
    np.testing.assert_array_equal(ideal, digital)
    floating = evaluate(job(path, tile, data=data, arithmetic="float")).outputs
    np.testing.assert_allclose(digital, floating, atol=2e-3)


def test_cells_off_the_diagonal_have_errors_too(tmp_path):
    path, data = grouped(tmp_path, 8)
    sets = ('tile.device={model: generic, r_on: 2 kohm, r_off: 2 Mohm, set: {sigma: 0.05, sigma_of: "range"}}',)
    shared = evaluate(job(path, "puma", data=data, overrides=sets, seed=1)).layers[0]
    apart = evaluate(
        job(path, "puma", data=data, overrides=(*sets, "tile.core.components.crossbar.rows=9"), seed=1)
    ).layers[0]
    assert shared.snr_db < apart.snr_db - 3


def branching():
    """A network that multiplies by one matrix or another as its second input says."""

    def branch(name: str, scale: float):
        w = helper.make_node("Constant", [], ["w"], value=helper.make_tensor("w", 1, [2, 2], [scale, 0, 0, scale]))
        made = helper.make_node("MatMul", ["x", "w"], [f"{name}.out"], name="product")
        return helper.make_graph([w, made], name, [], [helper.make_tensor_value_info(f"{name}.out", 1, None)])

    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("a", 2.0), else_branch=branch("b", -1.0))
    inputs = [helper.make_tensor_value_info("x", 1, ["n", 2]), helper.make_tensor_value_info("c", TensorProto.BOOL, [])]
    graph = helper.make_graph([node], "branching", inputs, [helper.make_tensor_value_info("y", 1, None)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_the_weights_of_each_branch_are_a_layer_of_their_own(tmp_path):
    path = tmp_path / "branching.onnx"
    path.write_bytes(branching().SerializeToString())
    network = load_network(path)
    x = np.array([[1.0, -3.0]], np.float32)
    network.arithmetic = record = Recorder()
    for way, factor in ((True, 2.0), (False, -1.0)):
        np.testing.assert_array_equal(network.run({"x": x, "c": np.array(way)})[0], factor * x)
    assert [layer.name for layer in network.layers] == ["product", "product#2"]
    config = ArrayConfig(weights=WeightCode("offset", 8), inputs=InputCode("offset", 8))
    layers = quantised_layers(network.layers, record, config)
    network.arithmetic = Quantised(layers)
    np.testing.assert_allclose(network.run({"x": x, "c": np.array(True)})[0], 2 * x, rtol=0.02)


def test_unsigned_inputs_take_negative_values_with_an_offset():
    network = load_network(library.trained()["digits-mlp"])
    network.arithmetic = record = Recorder()
    images = load_data("digits").inputs[""][:8] - 0.5
    exact = network.run({"image": images}, 0, 8)[0]
    config = ArrayConfig(weights=WeightCode("offset", 12), inputs=InputCode("unsigned", 12))
    layers = quantised_layers(network.layers, record, config)
    assert [layers[index].scale.zero for index in (0, 1)] == [2047, 0]
    network.arithmetic = Quantised(layers)
    np.testing.assert_allclose(network.run({"image": images}, 0, 8)[0], exact, atol=0.02)


def test_columns_have_scales_of_their_own_or_share_that_of_the_layer():
    by_column, by_layer = (
        evaluate(job("digits-mlp", "neurram-like", arithmetic="digital", by_column=own)).outputs
        for own in (True, False)
    )
    exact = evaluate(job("digits-mlp", arithmetic="float")).outputs
    assert np.square(by_column - exact).mean() < np.square(by_layer - exact).mean()


def test_a_model_that_takes_one_sample_at_a_time_is_run_so(tmp_path):
    b = Builder()
    shape = b.constant(np.array([1, 64]))  # a batch of two cannot pass
    x = b.op("MatMul", b.op("Reshape", "x", shape), b.weight(64, 10))
    path = tmp_path / "single.onnx"
    path.write_bytes(b.model({"x": (TensorProto.FLOAT, [1, 1, 8, 8])}, [x]).SerializeToString())
    found = evaluate(job(str(path), arithmetic="float", images=5)).outputs
    assert found.shape == (5, 10)
    images = load_data("digits").inputs[""][:5]
    session = onnxruntime.InferenceSession(str(path))
    alone = np.concatenate([session.run(None, {"x": image[None]})[0] for image in images])
    np.testing.assert_allclose(found, alone, rtol=1e-5, atol=1e-5)


def test_a_state_is_carried_from_sample_to_sample(tmp_path):
    b = Builder()
    total = b.op("Add", b.op("MatMul", "x", b.constant(np.eye(2, dtype=np.float32))), "state", out="total")
    inputs = {"x": (TensorProto.FLOAT, [1, 2]), "state": (TensorProto.FLOAT, [1, 2]), "gain": (TensorProto.FLOAT, [])}
    path = tmp_path / "sum.onnx"
    path.write_bytes(b.model(inputs, [b.op("Mul", total, "gain"), total]).SerializeToString())
    np.savez(tmp_path / "x.npz", x=np.ones((4, 2), np.float32))
    more = {"data": str(tmp_path / "x.npz"), "carry": (("state", "total"),), "constants": (("gain", 2.0),)}
    found = evaluate(job(str(path), arithmetic="float", images=None, **more)).outputs
    np.testing.assert_array_equal(found[:, 0], [2.0, 4.0, 6.0, 8.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"carry": (("stat", "scores"),)}, "--carry: the model has no input 'stat'; it has image"),
        ({"carry": (("image", "score"),)}, "--carry: the model has no output 'score'; it has scores"),
        ({"data": "mnist"}, "the input 'image' is 1 × 1 × 8 × 8, a sample of the data 1 × 28 × 28"),
    ],
)
def test_what_does_not_fit_is_said(change, message):
    with pytest.raises(ArchsimError) as caught:
        evaluate(job("digits-cnn", **change))
    assert message in str(caught.value)


def test_a_model_without_weights_is_refused(tmp_path):
    b = Builder(weights=False)
    x = b.op("Gemm", "x", b.weight(64, 10))
    path = tmp_path / "shapes.onnx"
    path.write_bytes(b.model({"x": (TensorProto.FLOAT, [1, 64])}, [x]).SerializeToString())
    with pytest.raises(WorkloadError, match=r"w0"):
        load_network(path)


def test_a_network_without_constant_weights_is_refused(tmp_path):
    b = Builder()
    path = tmp_path / "bare.onnx"
    path.write_bytes(b.model({"x": (TensorProto.FLOAT, [1, 64])}, [b.op("Relu", "x")]).SerializeToString())
    with pytest.raises(WorkloadError, match="no operator has constant weights, so nothing would run on arrays"):
        evaluate(job(str(path)))


def test_an_operator_that_cannot_be_evaluated_is_named(tmp_path):
    b = Builder()
    path = tmp_path / "odd.onnx"
    model = b.model({"x": (TensorProto.FLOAT, [1, 64])}, [b.op("Frobnicate", "x", domain="odd")])
    model.opset_import.append(helper.make_opsetid("odd", 1))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(WorkloadError, match=r"odd.onnx: cannot be evaluated: .*Frobnicate"):
        load_network(path)


def test_an_arithmetic_can_be_exchanged():
    network = load_network(library.trained()["digits-mlp"])
    images = load_data("digits").inputs[""][:3]

    class Doubled(InFloat):
        def multiply(self, layer, x, first):
            return 2 * super().multiply(layer, x, first)

    once = network.run({"image": images}, 0, 3)[0]
    network.arithmetic = Doubled()
    assert not np.allclose(network.run({"image": images}, 0, 3)[0], once)
