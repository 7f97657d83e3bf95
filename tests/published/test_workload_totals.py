"""The library's networks against published totals, and against closed forms written out here.

Nothing here uses archsim to work out what is expected: each network is written once more, as plain loops.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from archsim.workload import Graph, load_graph


def graph(name: str, *overrides: str) -> Graph:
    return load_graph(name, overrides)[0]


class Count:
    """Weights, outputs (one bias each) and MACs of convolutions and dense layers, added up one by one."""

    def __init__(self) -> None:
        self.weights = self.outputs = self.macs = self.windows = 0

    def conv(self, inputs: int, outputs: int, kernel: int, size: int, groups: int = 1) -> None:
        weights = kernel * kernel * (inputs // groups) * outputs
        self.weights += weights
        self.outputs += outputs
        self.macs += weights * size * size
        self.windows += size * size

    def dense(self, *features: int) -> None:
        for inputs, outputs in pairwise(features):
            self.conv(inputs, outputs, kernel=1, size=1)


def alexnet() -> Count:
    count = Count()
    count.conv(3, 96, 11, 55)
    count.conv(96, 256, 5, 27, groups=2)
    count.conv(256, 384, 3, 13)
    count.conv(384, 384, 3, 13, groups=2)
    count.conv(384, 256, 3, 13, groups=2)
    count.dense(256 * 6 * 6, 4096, 4096, 1000)
    return count


def vgg16() -> Count:
    count, inputs = Count(), 3
    for outputs, size, often in ((64, 224, 2), (128, 112, 2), (256, 56, 3), (512, 28, 3), (512, 14, 3)):
        for _ in range(often):
            count.conv(inputs, outputs, 3, size)
            inputs = outputs
    count.dense(512 * 7 * 7, 4096, 4096, 1000)
    return count


def resnet18() -> Count:
    count, inputs = Count(), 64
    count.conv(3, 64, 7, 112)
    for width, size in ((64, 56), (128, 28), (256, 14), (512, 7)):
        for _ in range(2):
            count.conv(inputs, width, 3, size)
            count.conv(width, width, 3, size)
            if inputs != width:
                count.conv(inputs, width, 1, size)
            inputs = width
    count.dense(512, 1000)
    return count


def resnet50(stride_in_first: bool = False) -> Count:
    count, inputs, before = Count(), 64, 56
    count.conv(3, 64, 7, 112)
    for width, size, often in ((64, 56, 3), (128, 28, 4), (256, 14, 6), (512, 7, 3)):
        for _ in range(often):
            count.conv(inputs, width, 1, size if stride_in_first else before)
            count.conv(width, width, 3, size)
            count.conv(width, 4 * width, 1, size)
            if inputs != 4 * width:
                count.conv(inputs, 4 * width, 1, size)
            inputs, before = 4 * width, size
    count.dense(2048, 1000)
    return count


def holds(ours: Graph, expected: Count) -> None:
    assert ours.weights == expected.weights
    assert ours.biases == expected.outputs
    assert ours.parameters == expected.weights + expected.outputs
    assert ours.macs == expected.macs
    assert ours.windows == expected.windows


def test_alexnet_is_the_grouped_original() -> None:
    ours = graph("alexnet")
    holds(ours, alexnet())
    assert (ours.parameters, ours.macs) == (60_965_224, 724_406_816)
    shapes = [layer.output_shape for layer in ours.layers if layer.op in ("conv", "maxpool")]
    assert shapes == [(96, 55, 55), (96, 27, 27), (256, 27, 27), (256, 13, 13), (384, 13, 13), (384, 13, 13),
                      (256, 13, 13), (256, 6, 6)]  # fmt: skip


def test_vgg16_has_its_published_parameters_and_macs() -> None:
    ours = graph("vgg16")
    holds(ours, vgg16())
    assert (ours.parameters, ours.trained_parameters, ours.macs) == (138_357_544, 138_357_544, 15_470_264_320)
    assert sum(layer.macs for layer in ours.layers if layer.op == "conv") == 15_346_630_656
    assert sum(layer.macs for layer in ours.layers if layer.op == "dense") == 123_633_664


def test_resnet18_has_its_published_macs_and_before_folding_its_published_parameters() -> None:
    ours = graph("resnet18")
    holds(ours, resnet18())
    assert ours.macs == 1_814_073_344
    norms = sum(layer.biases for layer in ours.layers if layer.op == "conv")
    assert 2 * norms == 9_600
    assert ours.trained_parameters == 11_689_512
    assert ours.parameters == 11_689_512 - norms == 11_684_712


def test_resnet50_has_its_published_macs_and_before_folding_its_published_parameters() -> None:
    ours = graph("resnet50")
    holds(ours, resnet50())
    assert ours.macs == 4_089_184_256
    norms = sum(layer.biases for layer in ours.layers if layer.op == "conv")
    assert 2 * norms == 53_120
    assert ours.trained_parameters == 25_557_032
    assert ours.parameters == 25_557_032 - norms == 25_530_472
    assert ours["globalpool1"].input_shapes == ((2048, 7, 7),)


def test_resnet50_as_in_the_paper_is_a_few_overrides_away() -> None:
    names = [f"blocks.bottleneck-{width}-project" for width in (128, 256, 512)]
    paper = graph("resnet50", *(f"{name}.0.stride=2" for name in names), *(f"{name}.1.stride=1" for name in names))
    holds(paper, resnet50(stride_in_first=True))
    assert paper.macs == pytest.approx(3.8e9, rel=0.02)


@pytest.mark.parametrize(
    ("name", "features", "parameters"),
    [
        ("mlp-l4", (1024, 1024, 2048, 1024, 10), 5_253_120),
        ("mlp-l5", (1024, 2048, 3072, 3072, 1024, 10), 20_981_760),
    ],
)
def test_pumas_multi_layer_perceptrons_have_their_weights(
    name: str, features: tuple[int, ...], parameters: int
) -> None:
    count = Count()
    count.dense(*features)
    ours = graph(name)
    assert ours.parameters == ours.weights == ours.macs == count.weights == parameters
    assert {layer.activation for layer in ours.matrix_layers} == {"sigmoid"}


def test_pumas_lstm_feeds_back_8192_values_and_projects_without_feeding_back() -> None:
    ours = graph("lstm-2048")
    assert ours.parameters == 4 * 8192 * (8192 + 8192) + 8192 * 2048 == 553_648_128
    assert (ours["lstm1"].state, ours["lstm1"].state_from) == (8192, "lstm1")
    assert ours["projection"].output_shape == (2048,)


@pytest.mark.parametrize("steps", [1, 50, 100])
def test_the_work_of_pumas_lstm_is_its_parameters_times_the_length_of_the_sequence(steps: int) -> None:
    ours = graph("lstm-2048", f"sequence={steps}")
    assert ours.macs == steps * 553_648_128
    assert ours.windows == 2 * steps
    assert ours.unit == "sequence"
