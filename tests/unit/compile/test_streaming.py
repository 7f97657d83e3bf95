"""Pools that stream: when each window is complete, what is kept, and what a spatial pyramid so takes of a buffer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.compile.access import flattened_channels
from archsim.compile.deal import WHOLE, strip
from archsim.compile.network import Compiled, compile_network, on_chip
from archsim.compile.reads import Window, covered
from archsim.compile.streaming import kept_pixels, streamed
from archsim.hardware.causes import faster
from archsim.sim.reference import run
from tests.unit.compile.nets import chip, network


def pyramid(size: int, cells: int) -> Window:
    """A level of a spatial pyramid over size × size, as the workload makes it."""
    most = max(-(-(k + 1) * size // cells) - k * size // cells for k in range(cells))
    return Window(size, size, cells, kernel=(most, most), stride=(size, size), upscale=(cells, cells))


@pytest.mark.parametrize("cells", [1, 2, 7])
def test_a_level_without_overlap_keeps_one_running_value_a_cell_of_a_row(cells):
    assert streamed(pyramid(14, cells), strip(cells, cells, WHOLE), 1).running == cells


def test_where_rows_of_cells_overlap_two_rows_of_them_are_kept():
    # cells of rows 0 to 5, 4 to 9 and 9 to 13: three are still open in row 4, in which three begin
    assert streamed(pyramid(14, 3), strip(3, 3, WHOLE), 1).running == 6


def test_a_pool_that_waits_for_its_windows_keeps_all_rows_but_one_and_a_kernel():
    assert kept_pixels(pyramid(14, 1), 1.0) == 14 * 14
    assert kept_pixels(pyramid(14, 7), 1.0) == 14 + 2
    assert kept_pixels(Window(224, 224, 112, (2, 2), (2, 2)), 0.25) == 56 + 2 + 2


@st.composite
def pools(draw: st.DrawFn) -> tuple[Window, tuple[int, int]]:
    rows, columns = draw(st.integers(2, 9)), draw(st.integers(2, 9))
    kernel, stride = draw(st.integers(1, min(rows, columns))), draw(st.integers(1, 3))
    pad = draw(st.integers(0, (kernel - 1) // 2))
    out = (rows + 2 * pad - kernel) // stride + 1, (columns + 2 * pad - kernel) // stride + 1
    return Window(rows, columns, out[1], (kernel, kernel), (stride, stride), (pad, pad)), out


@given(pools(), st.integers(1, 5))
def test_windows_begin_with_their_first_pixel_and_leave_in_order_after_their_last(pool, each):
    window, (rows, columns) = pool
    plan = streamed(window, strip(rows, columns, WHOLE), each)
    place = {pixel: number // each for number, pixel in enumerate(plan.reads.pixels.numbers.tolist())}
    began, done, updates = [], [], 0
    for y in range(rows):
        for x in range(columns):
            up, left = y * window.stride[0] - window.pad[0], x * window.stride[1] - window.pad[1]
            inside = [
                place[r * window.columns_in + c]
                for r in range(max(0, up), min(window.rows_in, up + window.kernel[0]))
                for c in range(max(0, left), min(window.columns_in, left + window.kernel[1]))
            ]
            began.append(min(inside))
            done.append(max([*inside, *done[-1:]]))
            updates += len(inside)
    firings = range(len(plan.reads.need))
    assert plan.done.tolist() == done
    assert plan.begun.tolist() == [sum(b <= n for b in began) for n in firings]
    assert plan.ended.tolist() == [sum(d <= n for d in done) for n in firings]
    assert plan.updates == updates == covered(window, strip(rows, columns, WHOLE))
    assert plan.reads.need.tolist()[:-1] == plan.reads.free.tolist()[:-1]
    assert plan.reads.free[-1] == window.pixels_in


def test_features_that_stand_behind_each_other_need_the_channels_in_which_they_lie():
    # an image of 8 channels of 4 pixels from feature 10 on: features 10 to 41
    assert flattened_channels(0, 10, 10, 8, 4) == (0, 0)
    assert flattened_channels(0, 11, 10, 8, 4) == (0, 1)
    assert flattened_channels(13, 15, 10, 8, 4) == (0, 2)
    assert flattened_channels(30, 99, 10, 8, 4) == (5, 8)
    low, high = flattened_channels(50, 99, 10, 8, 4)
    assert low == high


LEVELS = (7, 3, 2, 1)
CHANNELS = 128


def pyramid_network(*last: dict[str, Any]) -> Compiled:
    """128 × 14 × 14 into four levels, on ISAAC with buffers that hold a quarter of the image."""
    graph = network((16, 14, 14), {"conv": CHANNELS, "kernel": 1, "name": "conv"}, {"spp": list(LEVELS)}, *last)
    small = chip("isaac-ce", "tile.components.buffer.capacity=16 KiB")
    return compile_network(graph, small, 1, "none")


def test_a_pyramid_larger_than_a_buffer_keeps_running_values_and_does_the_work_of_its_windows():
    made = pyramid_network({"dense": 8, "name": "dense"})
    outcome = run(made.for_images(2))
    kept: dict[str, int] = {}
    ends = np.cumsum([0, *(len(flow.ends) for flow in made.program.flows)])
    for number, flow in enumerate(made.program.flows):
        if flow.name.endswith(" running"):
            kept[flow.name.split()[0]] = max(kept.get(flow.name.split()[0], 0), int(outcome.end_peak[ends[number]]))
    # the level of 7 × 7 cells keeps 16 pixels, 4 KiB; that of 3 × 3 would keep 76, more than half of a buffer
    assert kept == {"spp1.3": 6, "spp1.2": 2, "spp1.1": 1}
    pools = [layer for layer in made.graph if layer.pool]
    assert made.work["tile.max_pool", "compare"] == sum(pool.windows * dict(pool.work)["max"] for pool in pools)


def test_a_dense_layer_gets_of_a_pyramid_what_its_rows_are_and_nothing_is_gathered_before():
    made = pyramid_network({"dense": 8, "name": "dense"})
    assert not any(stage.layer == "spp1" for stage in made.program.stages)
    bits = sum(
        flow.emit.total(made.program.stages[flow.source].firings) * flow.bits * len(flow.ends)
        for flow in made.program.flows
        if flow.name == "spp1 > dense"
    )
    parts = made.mapped["dense"].parts
    cells = sum(level * level for level in LEVELS)
    # each value goes to the one tile that has its row; a channel that lies in two parts goes to both
    assert len({part.column for part in parts}) == 1
    assert bits >= cells * CHANNELS * 16
    assert bits <= (cells * CHANNELS + (len(parts) - 1) * max(LEVELS) ** 2) * 16


def test_a_pyramid_that_is_put_out_is_gathered_a_range_of_features_in_a_tile():
    made = pyramid_network()
    outcome = run(made.for_images(1))
    assert outcome.makespan > 0
    sent = [flow for flow in made.program.flows if flow.name.endswith("> host")]
    values = sum(flow.emit.total(made.program.stages[flow.source].firings) * flow.bits // 16 for flow in sent)
    assert values == sum(level * level for level in LEVELS) * CHANNELS


@pytest.mark.parametrize("name", ["core.cycle", "tile.max_pool", "tile.buffer.capacity"])
def test_what_is_faster_or_larger_changes_neither_stages_nor_where_they_are(name):
    made = pyramid_network({"dense": 8, "name": "dense"})
    moved = on_chip(made, faster(made.board.chip, [name], 1000))
    places = [(stage.name, stage.place, stage.firings) for stage in made.program.stages]
    assert [(stage.name, stage.place, stage.firings) for stage in moved.program.stages] == places
    run(moved.for_images(1))
