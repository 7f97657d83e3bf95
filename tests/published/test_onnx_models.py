"""ONNX models against the totals of the networks that they are: those that the onnx package carries, and transformers.

MACs follow from the sizes in the networks' papers; parameters are those that are published with the models.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from archsim.workload.onnx import import_onnx
from tests.onnx_models import bert, decoder
from tests.published.test_library_totals import googlenet, inception_v2, zfnet

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"

# name: parameters that are trained, MACs, weight layers
MODELS = {
    # Krizhevsky et al. 2012, two groups; 60,965,224 parameters in Caffe's bvlc_alexnet.  The file reads 224 × 224
    # without padding, so that the first layer is 54 × 54 and not 55 × 55, and those after it are smaller too.
    "bvlc_alexnet": (60_965_224, 654_560_384, 8),
    # torchvision: DenseNet121 has 7,978,856 parameters and 2.83 G multiply-adds
    "densenet121": (7_978_856, 2_834_161_664, 121),
    # Szegedy et al. 2015; Caffe's bvlc_googlenet: 6,998,552 parameters; derived below from table 1
    "inception_v1": (6_998_552, 1_431_556_352, 58),
    # Ioffe and Szegedy 2015, derived below from figure 5; 11.2 M parameters, 2.02 G MACs in cnn-models (Simon et al.)
    "inception_v2": (11_194_984, 2_018_851_840, 70),
    # torchvision: 25,557,032 parameters, 4.09 G multiply-adds (version 1.5)
    "resnet50": (25_557_032, 4_089_184_256, 54),
    # Zhang et al. 2018 with four groups of half the channels of table 1, without bottlenecks; derived below
    "shufflenet": (1_393_320, 124_664_528, 50),
    # torchvision: SqueezeNet 1.1 has 1,235,496 parameters and 0.35 G multiply-adds
    "squeezenet": (1_235_496, 349_151_936, 26),
    # torchvision: VGG19 has 143,667,240 parameters and 19.63 G multiply-adds
    "vgg19": (143_667_240, 19_632_062_464, 19),
    # Zeiler and Fergus 2014 with 512 maps and 1024 features, CNN-M-1024 of Chatfield et al. 2014; derived below
    "zfnet512": (87_250_536, 1_481_727_008, 8),
}


@pytest.mark.parametrize("name", MODELS)
def test_light_models_import_without_options_with_their_totals(name):
    graph = import_onnx(LIGHT / f"light_{name}.onnx").graph
    parameters, macs, layers = MODELS[name]
    assert (graph.trained_parameters, graph.macs, len(graph.matrix_layers)) == (parameters, macs, layers)


def dense(rows: int, columns: int) -> int:
    return rows * columns + columns


def test_vgg19_and_alexnet_by_the_sizes_in_their_papers():
    blocks = [(3, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 2), (128, 256, 4), *[(256, 256, 4)] * 3]
    blocks += [(256, 512, 8), *[(512, 512, 8)] * 3, *[(512, 512, 16)] * 4]
    parameters = sum(9 * a * b + b for a, b, _ in blocks)
    macs = sum(9 * a * b * (224 // s) ** 2 for a, b, s in blocks)
    wide = [(25088, 4096), (4096, 4096), (4096, 1000)]
    assert MODELS["vgg19"][:2] == (
        parameters + sum(dense(*each) for each in wide),
        macs + sum(a * b for a, b in wide),
    )
    convs = [(3, 96, 11, 1, 54), (96, 256, 5, 2, 26), (256, 384, 3, 1, 12), (384, 384, 3, 2, 12), (384, 256, 3, 2, 12)]
    wide = [(9216, 4096), (4096, 4096), (4096, 1000)]
    parameters = sum(k * k * a // g * b + b for a, b, k, g, _ in convs) + sum(dense(*each) for each in wide)
    macs = sum(k * k * a // g * b * size**2 for a, b, k, g, size in convs) + sum(a * b for a, b in wide)
    assert MODELS["bvlc_alexnet"][:2] == (parameters, macs)


def test_inception_v1_by_the_table_of_its_paper():
    """Szegedy et al. 2015, table 1.  The pools of the file round down, which leaves smaller images."""
    smaller = {112: 112, 56: 55, 28: 27, 14: 13, 7: 6}
    assert MODELS["inception_v1"] == (googlenet().trained, googlenet(smaller).macs, googlenet().layers)


def test_inception_v2_and_zfnet_by_the_tables_of_their_papers():
    """Ioffe and Szegedy 2015, figure 5, whose sums are those that Simon et al. 2016 print rounded; Zeiler and Fergus
    2014 with the widths of CNN-M-1024 of Chatfield et al. 2014."""
    for name, total in (("inception_v2", inception_v2()), ("zfnet512", zfnet())):
        assert MODELS[name] == (total.trained, total.macs, total.layers)
    parameters, macs, _ = MODELS["inception_v2"]
    assert (round(parameters / 1e6, 1), round(macs / 1e9, 2)) == (11.2, 2.02)


def test_shufflenet_by_its_units():
    """Units of Zhang et al. 2018, figure 2: grouped 1 × 1, depthwise 3 × 3, grouped 1 × 1, each with a batch norm."""
    groups, channels, size = 4, 24, 56
    parameters, macs = 27 * 24 + 24 + 2 * 24, 27 * 24 * 112**2  # the first convolution has a bias too
    for wide, units in ((136, 4), (272, 8), (544, 4)):
        for unit in range(units):
            out = wide - channels if unit == 0 else wide  # joined with the pooled input where the image shrinks
            after = size // 2 if unit == 0 else size
            parameters += (channels * out + out * out) // groups + 9 * out + 3 * 2 * out
            macs += channels * out // groups * size**2 + (9 * out + out * out // groups) * after**2
            channels, size = wide, after
    assert MODELS["shufflenet"][:2] == (parameters + dense(channels, 1000), macs + channels * 1000)


def test_bert_base_has_its_published_parameters(tmp_path):
    path = tmp_path / "bert.onnx"
    path.write_bytes(bert(12, 768, 12, 3072, 30522, 512, weights=False).SerializeToString())
    graph = import_onnx(path, {"batch": 1, "seq": 128}).graph
    # 109,482,240: bert-base-uncased with its pooler.  MACs: 12 layers of 4·768² + 2·768·3072 a token, and the pooler.
    assert graph.parameters == 109_482_240
    assert graph.macs == 128 * 12 * (4 * 768**2 + 2 * 768 * 3072) + 768**2
    assert graph.dynamic_macs == 12 * 2 * 128 * 128 * 768
    assert {layer.op for layer in graph} >= {"layer norm", "softmax", "matmul", "linear", "embedding"}


@pytest.mark.parametrize("past", [0, 511])
def test_a_decoder_of_seven_billion_parameters_imports_without_weights(tmp_path, past):
    path = tmp_path / "decoder.onnx"
    model = decoder(32, 4096, 32, 32, 11008, 32000, weights=False, past=past > 0)
    path.write_bytes(model.SerializeToString())
    tokens = 1 if past else 512
    graph = import_onnx(path, {"batch": 1, "seq": tokens} | ({"past": past} if past else {})).graph
    matrices = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 4096 * 32000
    assert graph.weights == matrices
    assert graph.parameters == 6_738_415_616  # as published; the rates of the rotary embedding are not trained
    assert graph.macs == tokens * matrices
    assert graph.dynamic_macs == 32 * 2 * tokens * 512 * 4096
    assert bool(past) == any(layer.cached == 512 for layer in graph)
