"""Windows over volumes: what they read, what a tile holds and moves for them, and both engines on a small network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.compile.deal import WHOLE, Share, strip
from archsim.compile.network import compile_network
from archsim.compile.reads import Window, reads_of
from archsim.errors import CompileError, WorkloadError
from archsim.sim import compiled, reference
from archsim.workload.graph import Depth
from tests.property.results import differences, result
from tests.unit.compile.nets import bytes_by_kind, chip, network

CUBE = {"kernel": 3, "pad": 1, "depth": {"frames": 4, "kernel": 3, "pad": 1}}


@st.composite
def volumes(draw: st.DrawFn) -> tuple[Window, int]:
    """A window over a volume, and the rows of its output, those of all frames."""
    axes = []
    for _ in range(3):
        kernel, stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
        reach = (kernel - 1) * dilation + 1
        pad = draw(st.integers(0, reach - 1))
        length = max(draw(st.integers(1, 5)), reach - 2 * pad)
        axes.append((length, kernel, stride, dilation, pad, (length + 2 * pad - reach) // stride + 1))
    (frames, k, s, d, p, frames_out), rows, columns = axes
    depth = Depth(frames, frames_out, rows[5], k, s, (p, p), d)
    sizes = [(rows[n], columns[n]) for n in (1, 2, 4, 3)]
    return Window(frames * rows[0], columns[0], columns[5], *sizes, depth=depth), frames_out * rows[5]


def pixels_of(window: Window, number: int) -> set[int]:
    """The pixels that one window reads: in each of its rows, from its first column to its last."""
    depth = window.depth
    y, x = divmod(number, window.columns_out)
    frame, y = divmod(y, depth.rows_out)
    high = window.rows_in // depth.frames
    found = set()
    for a in range(depth.kernel):
        z = frame * depth.stride - depth.pad[0] + a * depth.dilation
        for b in range(window.kernel[0]):
            row = y * window.stride[0] - window.pad[0] + b * window.dilation[0]
            first = x * window.stride[1] - window.pad[1]
            for column in range(first, first + (window.kernel[1] - 1) * window.dilation[1] + 1):
                if 0 <= z < depth.frames and 0 <= row < high and 0 <= column < window.columns_in:
                    found.add((z * high + row) * window.columns_in + column)
    return found


@given(volumes(), st.integers(1, 4), st.data())
def test_pixels_needs_and_frees_agree_with_every_window_taken_one_by_one(window_rows, each, data):
    window, rows = window_rows
    copies = data.draw(st.integers(1, min(8, rows * window.columns_out)))
    copy = data.draw(st.integers(0, copies - 1))
    dealt = strip(rows, window.columns_out, Share.reduced(copy, copy + 1, copies))
    if not dealt.size:
        return
    reads = reads_of(window, dealt, each)
    sets = [pixels_of(window, number) for number in dealt.numbers.tolist()]
    assert set(reads.pixels.numbers.tolist()) == set().union(*sets)
    firings = [sets[k : k + each] for k in range(0, len(sets), each)]
    for n, firing in enumerate(firings):
        assert all(pixel < reads.need[n] for pixel in set().union(*firing)), "a firing has all that it reads"
        later = set().union(*(s for f in firings[n + 1 :] for s in f))
        assert all(pixel >= reads.free[n] for pixel in later), "nothing is freed that is read later"


@given(k=st.integers(1, 3), high=st.integers(3, 6), wide=st.integers(3, 6))
def test_a_cube_of_k_keeps_k_minus_1_frames_and_k_minus_1_rows_and_k_pixels(k, high, wide):
    rows, columns = high - k + 1, wide - k + 1
    window = Window(5 * high, wide, columns, (k, k), depth=Depth(5, 6 - k, rows, k))
    reads = reads_of(window, strip((6 - k) * rows, columns, WHOLE), 1)
    needed, freed = reads.pixels.below(reads.need), reads.pixels.below(reads.free)
    held = needed - np.concatenate(([0], freed[:-1]))
    assert held.max() == (k - 1) * high * wide + (k - 1) * wide + k


def test_the_bytes_of_one_convolution_over_a_volume():
    made = compile_network(network([3, 4 * 8, 8], {"conv": 8, **CUBE}), chip(), 1, "none")
    volume, windows, result = 4 * 64 * 3 * 2, 4 * 64 * 81 * 2, 4 * 64 * 8 * 2
    found = bytes_by_kind(made.program)
    assert {kind: found[kind] for kind in ("chip-in", "buffer", "bus", "inject", "chip-out")} == {
        "chip-in": volume,
        "buffer": volume + windows,  # written once, read once a window
        "bus": windows,
        "inject": result,
        "chip-out": result,
    }


def test_the_least_that_a_tile_holds_is_two_frames_two_rows_and_three_pixels():
    """(2 · 36 + 2 · 6 + 3) pixels of 4 channels, 2 bytes each: 696 B."""
    graph = network([4, 4 * 6, 6], {"conv": 4, **CUBE, "name": "a"}, {"conv": 4, **CUBE, "name": "b"})
    just = compile_network(graph, chip("isaac-ce", "tile.components.buffer.capacity=696 B"), 1, "none")
    compiled.run(just.for_images(2))
    with pytest.raises(CompileError, match="its buffer must hold 696 B"):
        compile_network(graph, chip("isaac-ce", "tile.components.buffer.capacity=695 B"), 1, "none")


def test_both_engines_agree_on_a_network_over_clips():
    down = {"stride": [2, 2], "depth": {"frames": 4, "kernel": 2, "stride": 2}}
    graph = network(
        [3, 4 * 6, 6],
        {"conv": 8, **CUBE, "name": "a"},
        {"conv": 8, **CUBE, "activation": "none"},
        {"add": "a"},
        {"maxpool": 2, **down},
        {"convtranspose": 4, "kernel": 2, "stride": 2, "depth": {"frames": 2, "kernel": 2, "stride": 2}},
        {"globalpool": "average"},
        {"flatten": True},
        {"dense": 5},
    )
    assert graph["convtranspose1.sum"].output_shape == (4, 4 * 6, 6)
    assert graph.macs == 144 * (81 + 216) * 8 + 18 * 8 * 32 + 4 * 5
    program = compile_network(graph, chip(), 1).for_images(2)
    one, other = (result(engine.run, program, records="all") for engine in (compiled, reference))
    assert differences(one, other) == []


def test_frames_that_do_not_divide_the_rows_are_a_mistake():
    with pytest.raises(WorkloadError, match=r"4 frames, which do not divide the 30 rows of \(3, 30, 8\)"):
        network([3, 30, 8], {"conv": 8, **CUBE})
