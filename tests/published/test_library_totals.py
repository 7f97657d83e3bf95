"""The library's networks against sums written out here from their papers' tables, without archsim.

``Sum`` adds up layers one by one: weights, outputs with a bias, and MACs.  Where a published total is known it stands
beside the sum.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from archsim.workload import Graph, load_graph


class Sum:
    """Weights, biases, scales and shifts of batch norms that are trained, MACs, and layers with a matrix."""

    def __init__(self) -> None:
        self.weights = self.biases = self.norms = self.constants = self.macs = self.layers = 0

    def conv(self, inputs: int, outputs: int, kernel: int, size: int, groups: int = 1, bias: bool = True) -> None:
        """A convolution with size × size outputs; without a bias it has a batch norm."""
        self.matrix(kernel * kernel * inputs // groups, outputs, size * size, bias)
        self.norms += 0 if bias else 2 * outputs

    def matrix(self, rows: int, columns: int, windows: int = 1, bias: bool = True) -> None:
        self.weights += rows * columns
        self.biases += columns if bias else 0
        self.macs += rows * columns * windows
        self.layers += 1

    def lstm(self, inputs: int, state: int, cells: int, steps: int, biases: int = 0) -> None:
        self.matrix(inputs + state, 4 * cells, steps, bias=False)
        self.biases += biases * 4 * cells

    @property
    def trained(self) -> int:
        return self.weights + self.biases + self.norms + self.constants


def vgg(blocks: list[list[tuple[int, int]]]) -> Sum:
    total, inputs, size = Sum(), 3, 224
    for block in blocks:
        for outputs, kernel in block:
            total.conv(inputs, outputs, kernel, size)
            inputs = outputs
        size //= 2
    for a, b in ((512 * 49, 4096), (4096, 4096), (4096, 1000)):
        total.matrix(a, b)
    return total


def plain(*often: int) -> list[list[tuple[int, int]]]:
    return [[(width, 3)] * n for width, n in zip((64, 128, 256, 512, 512), often, strict=True)]


def vgg_c() -> list[list[tuple[int, int]]]:
    blocks = plain(2, 2, 3, 3, 3)
    return [block if k < 2 else [*block[:2], (block[2][0], 1)] for k, block in enumerate(blocks)]


def zfnet() -> Sum:
    total = Sum()
    for inputs, outputs, kernel, size in ((3, 96, 7, 109), (96, 256, 5, 25), (256, 512, 3, 12), (512, 512, 3, 12)):
        total.conv(inputs, outputs, kernel, size)
    total.conv(512, 512, 3, 12)
    for a, b in ((512 * 36, 4096), (4096, 1024), (1024, 1000)):
        total.matrix(a, b)
    return total


def googlenet(sizes: dict[int, int] | None = None) -> Sum:
    """Table 1: size, inputs, 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection; other ``sizes`` for its own."""
    total, own = Sum(), sizes or {size: size for size in (112, 56, 28, 14, 7)}
    total.conv(3, 64, 7, own[112])
    total.conv(64, 64, 1, own[56])
    total.conv(64, 192, 3, own[56])
    inputs = 192
    for size, one, r3, three, r5, five, pool in (
        (28, 64, 96, 128, 16, 32, 32), (28, 128, 128, 192, 32, 96, 64), (14, 192, 96, 208, 16, 48, 64),
        (14, 160, 112, 224, 24, 64, 64), (14, 128, 128, 256, 24, 64, 64), (14, 112, 144, 288, 32, 64, 64),
        (14, 256, 160, 320, 32, 128, 128), (7, 256, 160, 320, 32, 128, 128), (7, 384, 192, 384, 48, 128, 128),
    ):  # fmt: skip
        for a, b, kernel in ((inputs, one, 1), (inputs, r3, 1), (r3, three, 3), (inputs, r5, 1), (r5, five, 5)):
            total.conv(a, b, kernel, own[size])
        total.conv(inputs, pool, 1, own[size])
        inputs = one + three + five + pool
    total.matrix(1024, 1000)
    return total


def inception_v2() -> Sum:
    """The appendix' figure 5: size out, 1×1, 3×3 reduce, 3×3, double reduce, double, projection (0: passes through)."""
    total = Sum()
    total.conv(3, 64, 7, 112, bias=False)
    total.conv(64, 64, 1, 56, bias=False)
    total.conv(64, 192, 3, 56, bias=False)
    inputs, before = 192, 28
    for size, one, r3, three, rd, double, pool in (
        (28, 64, 64, 64, 64, 96, 32), (28, 64, 64, 96, 64, 96, 64), (14, 0, 128, 160, 64, 96, 0),
        (14, 224, 64, 96, 96, 128, 128), (14, 192, 96, 128, 96, 128, 128), (14, 160, 128, 160, 128, 160, 96),
        (14, 96, 128, 192, 160, 192, 96), (7, 0, 128, 192, 192, 256, 0), (7, 352, 192, 320, 160, 224, 128),
        (7, 352, 192, 320, 192, 224, 128),
    ):  # fmt: skip
        if one:
            total.conv(inputs, one, 1, size, bias=False)
            total.conv(inputs, pool, 1, size, bias=False)
        total.conv(inputs, r3, 1, before, bias=False)
        total.conv(r3, three, 3, size, bias=False)
        total.conv(inputs, rd, 1, before, bias=False)
        total.conv(rd, double, 3, before, bias=False)
        total.conv(double, double, 3, size, bias=False)
        inputs = three + double + (one + pool if one else inputs)
        before = size
    total.matrix(1024, 1000)
    return total


def squeezenet(first: tuple[int, int, int], sizes: tuple[int, ...]) -> Sum:
    """Fire modules of 16, 16, 32, 32, 48, 48, 64 and 64 maps, at ``sizes``, after a first convolution."""
    total = Sum()
    outputs, kernel, size = first
    total.conv(3, outputs, kernel, size)
    inputs = outputs
    for squeezed, at in zip((16, 16, 32, 32, 48, 48, 64, 64), sizes, strict=True):
        total.conv(inputs, squeezed, 1, at)
        total.conv(squeezed, 4 * squeezed, 1, at)
        total.conv(squeezed, 4 * squeezed, 3, at)
        inputs = 8 * squeezed
    total.conv(512, 1000, 1, sizes[-1])
    return total


def shufflenet() -> Sum:
    total = Sum()
    total.conv(3, 24, 3, 112, bias=False)
    inputs, before = 24, 56
    for outputs, size, units in ((240, 28, 4), (480, 14, 8), (960, 7, 4)):
        for unit in range(units):
            middle = outputs // 4
            total.conv(inputs, middle, 1, before, groups=1 if inputs == 24 else 3, bias=False)
            total.conv(middle, middle, 3, size, groups=middle, bias=False)
            total.conv(middle, outputs - (inputs if unit == 0 else 0), 1, size, groups=3, bias=False)
            inputs, before = outputs, size
    total.matrix(960, 1000)
    return total


def densenet() -> Sum:
    total = Sum()
    total.conv(3, 64, 7, 112, bias=False)
    channels, size = 64, 56
    for block, layers in enumerate((6, 12, 24, 16)):
        for _ in range(layers):
            total.constants += 2 * channels
            total.conv(channels, 128, 1, size, bias=False)
            total.matrix(9 * 128, 32, size * size, bias=False)
            channels += 32
        total.constants += 2 * channels
        if block < 3:
            total.matrix(channels, channels // 2, size * size, bias=False)
            channels, size = channels // 2, size // 2
    total.matrix(channels, 1000)
    return total


def resnet(counts: tuple[int, ...], bottleneck: bool) -> Sum:
    total, inputs, before = Sum(), 64, 56
    total.conv(3, 64, 7, 112, bias=False)
    for width, size, often in zip((64, 128, 256, 512), (56, 28, 14, 7), counts, strict=True):
        outputs = 4 * width if bottleneck else width
        for _ in range(often):
            if bottleneck:
                total.conv(inputs, width, 1, before, bias=False)
                total.conv(width, width, 3, size, bias=False)
                total.conv(width, outputs, 1, size, bias=False)
            else:
                total.conv(inputs, width, 3, size, bias=False)
                total.conv(width, width, 3, size, bias=False)
            if inputs != outputs:
                total.conv(inputs, outputs, 1, size, bias=False)
            inputs, before = outputs, size
    total.matrix(inputs, 1000)
    return total


def cifar_resnet(n: int) -> Sum:
    total, inputs = Sum(), 16
    total.conv(3, 16, 3, 32, bias=False)
    for width, size in ((16, 32), (32, 16), (64, 8)):
        for _ in range(n):
            total.conv(inputs, width, 3, size, bias=False)
            total.conv(width, width, 3, size, bias=False)
            inputs = width
    total.matrix(64, 10)
    return total


def resnet9() -> Sum:
    total = Sum()
    for inputs, outputs, size in ((3, 64, 32), (64, 128, 32), (128, 128, 16), (128, 128, 16), (128, 256, 16),
                                  (256, 512, 8), (512, 512, 4), (512, 512, 4)):  # fmt: skip
        total.conv(inputs, outputs, 3, size, bias=False)
    total.matrix(512, 10, bias=False)
    return total


def mobilenet_v1() -> Sum:
    total, inputs, size = Sum(), 32, 112
    total.conv(3, 32, 3, 112, bias=False)
    strides = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    for outputs, stride in zip((64, 128, 128, 256, 256, *(512,) * 6, 1024, 1024), strides, strict=True):
        size //= stride
        total.conv(inputs, inputs, 3, size, groups=inputs, bias=False)
        total.conv(inputs, outputs, 1, size, bias=False)
        inputs = outputs
    total.matrix(1024, 1000)
    return total


def inverted(stages: list[tuple[int, int, int, int, int]], excite: bool) -> Sum:
    """Inverted residuals: expansion, kernel, channels, repeats and first stride of each stage."""
    total, inputs, size = Sum(), 32, 112
    total.conv(3, 32, 3, 112, bias=False)
    for expansion, kernel, outputs, often, first in stages:
        for unit in range(often):
            wide = expansion * inputs
            if expansion > 1:
                total.conv(inputs, wide, 1, size, bias=False)
            size //= first if unit == 0 else 1
            total.conv(wide, wide, kernel, size, groups=wide, bias=False)
            if excite:
                total.matrix(wide, inputs // 4)
                total.matrix(inputs // 4, wide)
            total.conv(wide, outputs, 1, size, bias=False)
            inputs = outputs
    total.conv(320, 1280, 1, 7, bias=False)
    total.matrix(1280, 1000)
    return total


V2 = [(1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 3, 32, 3, 2), (6, 3, 64, 4, 2), (6, 3, 96, 3, 1), (6, 3, 160, 3, 2),
      (6, 3, 320, 1, 1)]  # fmt: skip
B0 = [(1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 5, 40, 2, 2), (6, 3, 80, 3, 2), (6, 5, 112, 3, 1), (6, 5, 192, 4, 2),
      (6, 3, 320, 1, 1)]  # fmt: skip


def yolo() -> Sum:
    total, inputs, size = Sum(), 3, 416
    for outputs in (16, 32, 64, 128, 256, 512):
        total.conv(inputs, outputs, 3, size, bias=False)
        inputs, size = outputs, max(13, size // 2)
    for a, b, kernel in ((512, 1024, 3), (1024, 256, 1), (256, 512, 3)):
        total.conv(a, b, kernel, 13, bias=False)
    total.conv(512, 255, 1, 13)
    total.conv(256, 128, 1, 13, bias=False)
    total.conv(128 + 256, 256, 3, 26, bias=False)
    total.conv(256, 255, 1, 26)
    return total


def unet() -> Sum:
    total, inputs, size = Sum(), 1, 572
    for width in (64, 128, 256, 512, 1024):
        total.conv(inputs, width, 3, size - 2)
        total.conv(width, width, 3, size - 4)
        inputs, size = width, (size - 4) // 2
    size = 28
    for width in (512, 256, 128, 64):
        total.weights += 4 * 2 * width * width
        total.biases += width
        total.macs += 4 * 2 * width * width * size * size
        total.layers += 1
        size = 2 * size
        total.conv(2 * width, width, 3, size - 2)
        total.conv(width, width, 3, size - 4)
        size -= 4
    total.conv(64, 2, 1, 388)
    return total


def lenet() -> Sum:
    total = Sum()
    for inputs, outputs, size in ((1, 6, 28), (6, 16, 10), (16, 120, 1)):
        total.conv(inputs, outputs, 5, size)
    total.matrix(120, 84)
    total.matrix(84, 10)
    return total


def perceptron(*features: int, bias: bool = True) -> Sum:
    total = Sum()
    for a, b in pairwise(features):
        total.matrix(a, b, bias=bias)
    return total


def prime_cnn(maps: int, kernel: int, hidden: int) -> Sum:
    total = Sum()
    size = 28 - kernel + 1
    total.conv(1, maps, kernel, size)
    total.matrix(maps * (size // 2) ** 2, hidden)
    total.matrix(hidden, 10)
    return total


def msra(widths: tuple[int, ...], often: int) -> Sum:
    total, inputs = Sum(), 96
    total.conv(3, 96, 7, 112)
    for width, size in zip(widths, (56, 28, 14), strict=True):
        for _ in range(often):
            total.conv(inputs, width, 3, size)
            inputs = width
    for a, b in ((inputs * (49 + 9 + 4 + 1), 4096), (4096, 4096), (4096, 1000)):
        total.matrix(a, b)
    return total


def deepface() -> Sum:
    total = Sum()
    total.conv(3, 32, 11, 142)
    total.conv(32, 16, 9, 63)
    for kernel, size in ((9, 55), (7, 25), (5, 21)):  # private kernels: other weights at each position, used once
        total.weights += kernel * kernel * 16 * 16 * size * size
        total.macs += kernel * kernel * 16 * 16 * size * size
        total.biases += 16 * size * size
        total.layers += 1
    total.matrix(16 * 21 * 21, 4096)
    total.matrix(4096, 4030)
    return total


def private() -> Sum:
    total = Sum()
    total.matrix(183 * 183 * 18 * 18 * 8, 8, bias=False)
    return total


def nmt(layers: int) -> Sum:
    total = Sum()
    for _ in range(layers):
        total.lstm(1024, 1024, 1024, 50)
    total.matrix(1024, 40_000, 50, bias=False)
    return total


def biglstm() -> Sum:
    total = Sum()
    for inputs in (8192, 1024):
        total.lstm(inputs, 8192, 8192, 50)
        total.matrix(8192, 1024, 50, bias=False)
    return total


def ptb() -> Sum:
    total = Sum()
    total.constants += 10_000 * 650
    for _ in range(2):
        total.lstm(650, 650, 650, 35, biases=1)
    total.matrix(650, 10_000, 35)
    return total


def keywords() -> Sum:
    total = Sum()
    total.lstm(10, 98, 144, 25, biases=1)
    total.matrix(144, 98, 25, bias=False)
    total.matrix(98, 12, 25)
    return total


def rnn_t() -> Sum:
    total = Sum()
    for inputs, steps in ((240, 100), (1024, 100), (2048, 50), (1024, 50), (1024, 50)):
        total.lstm(inputs, 1024, 1024, steps, biases=2)
    total.constants += 28 * 320
    for _ in range(2):
        total.lstm(320, 320, 320, 50, biases=2)
    total.matrix(1024 + 320, 512, 50)
    total.matrix(512, 29, 50)
    return total


def gnmt() -> Sum:
    total = Sum()
    total.constants += 2 * 32_000 * 1024
    for inputs in (1024, 1024, 2048, *(1024,) * 6):  # the lowest in both directions
        total.lstm(inputs, 1024, 1024, 50, biases=1)
    for inputs in (1024, *(2048,) * 7):
        total.lstm(inputs, 1024, 1024, 50, biases=1)
    total.matrix(1024, 1024, 50, bias=False)
    total.matrix(1024, 1024, 50, bias=False)
    total.matrix(1024, 32_000, 50)
    return total


def blocks(total: Sum, layers: int, width: int, hidden: int, tokens: int) -> Sum:
    """Layers of an encoder: four matrices of the attention, two of the feed-forward part, two norms."""
    for _ in range(layers):
        for a, b in (*((width, width),) * 4, (width, hidden), (hidden, width)):
            total.matrix(a, b, tokens)
        total.constants += 2 * 2 * width
    return total


def bert(layers: int, width: int) -> Sum:
    total = blocks(Sum(), layers, width, 4 * width, 128)
    total.constants += (30_522 + 512 + 2) * width + 2 * width
    total.matrix(width, width)
    return total


def vit() -> Sum:
    total = Sum()
    total.matrix(16 * 16 * 3, 768, 196)
    blocks(total, 12, 768, 3072, 197)
    total.constants += 768 + 197 * 768 + 2 * 768  # the class token, positions, the last norm
    total.matrix(768, 1000)
    return total


def gpt2() -> Sum:
    total = blocks(Sum(), 12, 768, 3072, 128)
    total.constants += (50_257 + 1024) * 768 + 2 * 768
    total.matrix(768, 50_257, 128, bias=False)
    return total


def transformer() -> Sum:
    total = blocks(Sum(), 6, 512, 2048, 64)
    blocks(total, 6, 512, 2048, 64)
    for _ in range(6):  # attention to the encoder, and its norm
        for _ in range(4):
            total.matrix(512, 512, 64)
        total.constants += 2 * 512
    total.constants += 2 * 37_000 * 512
    total.matrix(512, 37_000, 64, bias=False)
    return total


def llama(shared: int, hidden: int, words: int, tokens: int, experts: tuple[int, int] = (1, 1)) -> Sum:
    """32 layers of 4096; keys and values are a ``shared``-th of the queries."""
    total = Sum()
    stored, used = experts
    for _ in range(32):
        for a, b in ((4096, 4096), (4096, 4096 // shared), (4096, 4096 // shared), (4096, 4096)):
            total.matrix(a, b, tokens, bias=False)
        for a, b in ((4096, hidden), (4096, hidden), (hidden, 4096)):
            total.matrix(a, b, tokens * used, bias=False)
            total.weights += (stored - 1) * a * b
        if stored > 1:
            total.matrix(4096, stored, tokens, bias=False)
        total.constants += 2 * 4096
    total.constants += 4096 + words * 4096
    total.matrix(4096, words, tokens, bias=False)
    return total


LIBRARY: dict[str, Callable[[], Sum]] = {
    "vgg-a": lambda: vgg(plain(1, 1, 2, 2, 2)),
    "vgg-b": lambda: vgg(plain(2, 2, 2, 2, 2)),
    "vgg-c": lambda: vgg(vgg_c()),
    "vgg19": lambda: vgg(plain(2, 2, 4, 4, 4)),
    "zfnet-512": zfnet,
    "googlenet": googlenet,
    "inception-v2": inception_v2,
    "squeezenet": lambda: squeezenet((96, 7, 109), (54, 54, 54, 27, 27, 27, 27, 13)),
    "squeezenet-1.1": lambda: squeezenet((64, 3, 111), (55, 55, 27, 27, 13, 13, 13, 13)),
    "shufflenet": shufflenet,
    "densenet-121": densenet,
    "resnet34": lambda: resnet((3, 4, 6, 3), bottleneck=False),
    "resnet101": lambda: resnet((3, 4, 23, 3), bottleneck=True),
    "resnet152": lambda: resnet((3, 8, 36, 3), bottleneck=True),
    "resnet9": resnet9,
    "resnet20": lambda: cifar_resnet(3),
    "resnet32": lambda: cifar_resnet(5),
    "mobilenet-v1": mobilenet_v1,
    "mobilenet-v2": lambda: inverted(V2, excite=False),
    "efficientnet-b0": lambda: inverted(B0, excite=True),
    "yolov3-tiny": yolo,
    "unet": unet,
    "lenet-5": lenet,
    "prime-cnn-1": lambda: prime_cnn(5, 5, 70),
    "prime-cnn-2": lambda: prime_cnn(10, 7, 120),
    "prime-mlp-s": lambda: perceptron(784, 500, 250, 10),
    "prime-mlp-m": lambda: perceptron(784, 1000, 500, 250, 10),
    "prime-mlp-l": lambda: perceptron(784, 1500, 1000, 500, 10),
    "merrikh-bayat": lambda: perceptron(16, 10, 4),
    "rbm-500": lambda: perceptron(784, 500, 784),
    "msra-a": lambda: msra((256, 512, 512), 5),
    "msra-b": lambda: msra((256, 512, 512), 6),
    "msra-c": lambda: msra((384, 768, 896), 6),
    "deepface": deepface,
    "dnn-private": private,
    "nmt-l3": lambda: nmt(6),
    "nmt-l5": lambda: nmt(10),
    "biglstm": biglstm,
    "ptb-lstm": ptb,
    "kws-lstm": keywords,
    "rnn-t": rnn_t,
    "gnmt": gnmt,
    "bert-base": lambda: bert(12, 768),
    "bert-large": lambda: bert(24, 1024),
    "vit-b16": vit,
    "gpt-2": gpt2,
    "transformer-base": transformer,
    "llama-2-7b-prefill": lambda: llama(1, 11_008, 32_000, 512),
    "llama-2-7b-decode": lambda: llama(1, 11_008, 32_000, 1),
    "llama-3-8b-prefill": lambda: llama(4, 14_336, 128_256, 512),
    "llama-3-8b-decode": lambda: llama(4, 14_336, 128_256, 1),
    "mixtral-8x7b-prefill": lambda: llama(4, 14_336, 32_000, 512, (8, 2)),
    "mixtral-8x7b-decode": lambda: llama(4, 14_336, 32_000, 1, (8, 2)),
}


def graph(name: str) -> Graph:
    return load_graph(name)[0]


@pytest.mark.parametrize("name", LIBRARY)
def test_a_network_has_the_layers_parameters_and_macs_of_its_paper(name: str) -> None:
    ours, expected = graph(name), LIBRARY[name]()
    assert len(ours.matrix_layers) == expected.layers
    assert ours.weights == expected.weights
    assert ours.macs == expected.macs
    assert ours.constants == expected.constants
    assert ours.trained_parameters == expected.trained


PUBLISHED = {
    "vgg-a": 132_863_336,
    "vgg-b": 133_047_848,
    "vgg19": 143_667_240,
    "squeezenet": 1_248_424,
    "squeezenet-1.1": 1_235_496,
    "densenet-121": 7_978_856,
    "resnet34": 21_797_672,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "mobilenet-v2": 3_504_872,
    "efficientnet-b0": 5_288_548,
    "vit-b16": 86_567_656,
    "nmt-l3": 91_291_648,
    "nmt-l5": 124_846_080,
    "biglstm": 4 * 8192 * 16384 + 4 * 8192 * (1024 + 8192) + 2 * 8192 * 1024,
    "merrikh-bayat": 170 + 44,
}
"""torchvision's documentation; PUMA's code; the paper of the perceptron."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_network_has_its_published_trained_parameters(name: str) -> None:
    assert graph(name).trained_parameters == PUBLISHED[name]


def test_the_private_kernels_of_isaacs_large_network_are_used_once() -> None:
    (layer,) = graph("dnn-private").matrix_layers
    assert layer.weights == layer.macs == 183**2 * 18**2 * 8 * 8
    assert (layer.windows, layer.positions) == (1, 183**2)


def test_the_attention_of_bert_multiplies_each_token_with_each_other_in_both_products() -> None:
    assert graph("bert-base").dynamic_macs == 12 * 2 * 128 * 128 * 768
    assert graph("llama-2-7b-decode").dynamic_macs == 32 * 2 * 512 * 4096
    pairs = 512 * 513 // 2
    ours = graph("llama-2-7b-prefill").dynamic_macs
    assert 0 <= ours - 32 * 2 * pairs * 4096 <= 32 * 2 * 512  # a window's mean is rounded up
