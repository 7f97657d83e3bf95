"""How many chips the published networks need: facts that follow from shapes and array counts alone."""

from __future__ import annotations

import pytest

from archsim.compile.network import arrays_needed, chips_to_fit
from archsim.hardware.rollup import chip_rollup
from archsim.spec.loader import load_chip
from archsim.workload import load_graph


@pytest.mark.parametrize(
    ("chip", "workload", "chips"),
    [("isaac-ce", "vgg16", 5), ("puma", "vgg16", 4), ("isaac-ce", "lstm-2048", 17), ("puma", "lstm-2048", 16)],
)
def test_the_smallest_board_that_holds_a_network_once(chip: str, workload: str, chips: int) -> None:
    assert chips_to_fit(load_graph(workload)[0], load_chip(chip).model) == chips


@pytest.mark.parametrize(("chip", "chips"), [("isaac-ce", 4.19), ("puma", 3.83)])
def test_the_arrays_of_vgg16_in_chips(chip: str, chips: float) -> None:
    design = load_chip(chip).model
    needed = sum(arrays_needed(load_graph("vgg16")[0], design).values())
    assert needed / chip_rollup(design).arrays == pytest.approx(chips, abs=0.005)


def test_the_arrays_of_vgg16_by_hand() -> None:
    """ISAAC: ceil(K / 128) · ceil(N / 16) arrays a layer; PUMA: 8 · ceil(K / 128) · ceil(N / 128)."""
    convolutions = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)]
    convolutions += [(256, 512), *[(512, 512)] * 5]
    matrices = [(9 * into, out) for into, out in convolutions] + [(25088, 4096), (4096, 4096), (4096, 1000)]
    graph = load_graph("vgg16")[0]
    for chip, expected in (
        ("isaac-ce", [-(-k // 128) * -(-n // 16) for k, n in matrices]),
        ("puma", [8 * -(-k // 128) * -(-n // 128) for k, n in matrices]),
    ):
        assert list(arrays_needed(graph, load_chip(chip).model).values()) == expected


def test_sixteen_isaac_chips() -> None:
    design = load_chip("isaac-ce").model
    assert 16 * design.tiles == 2688
    assert 16 * chip_rollup(design).arrays == 258_048


@pytest.mark.parametrize("chip", ["isaac-ce", "puma"])
def test_lstm_2048_holds_the_published_parameters(chip: str) -> None:
    graph = load_graph("lstm-2048")[0]
    assert sum(layer.parameters for layer in graph.layers) == 553_648_128
    design = load_chip(chip).model
    per_array = 128 * 16 if chip == "isaac-ce" else 128 * 128 // 8
    # 16384 × 32768 and 8192 × 2048 divide evenly into arrays, so all are full
    assert sum(arrays_needed(graph, design).values()) * per_array == 553_648_128
