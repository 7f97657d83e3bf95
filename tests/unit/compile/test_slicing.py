"""Slicing: arrays by the ceil formulas of both encodings, and parts that cover every slot once."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.compile.network import arrays_needed, chips_to_fit
from archsim.compile.slicing import ECONOMIES, Part, Slots, parts_of, slice_layer, slot_shape
from archsim.workload import load_graph
from tests.unit.compile.nets import chip, network

CHIPS = {name: chip(name) for name in ("isaac-ce", "puma")}


def dense(rows: int, columns: int):
    return network([rows], {"dense": columns, "bias": False}).matrix_layers[0]


def covered(parts: list[Part]) -> list[tuple[int, int, int]]:
    return sorted(
        (bundle, row, column)
        for part in parts
        for bundle in range(*part.bundles)
        for row in range(*part.row_range)
        for column in range(*part.column_range)
    )


def every(slots: Slots) -> list[tuple[int, int, int]]:
    blocks = range(slots.row_blocks), range(slots.column_blocks)
    return [(b, r, c) for b in range(slots.bundles) for r in blocks[0] for c in blocks[1]]


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_slices_side_by_side_take_rows_over_128_times_columns_of_eight_cells_over_128(rows, columns):
    slots = slice_layer(dense(rows, columns), slot_shape(CHIPS["isaac-ce"].tile))
    assert slots.arrays == ceil(rows / 128) * ceil(columns * 8 / 128)


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_an_array_for_each_slice_takes_eight_times_the_blocks_of_the_matrix(rows, columns):
    slots = slice_layer(dense(rows, columns), slot_shape(CHIPS["puma"].tile))
    assert slots.arrays == 8 * ceil(rows / 128) * ceil(columns / 128)


@given(
    name=st.sampled_from(["isaac-ce", "puma"]),
    rows=st.integers(1, 20_000),
    columns=st.integers(1, 5000),
    least=st.integers(1, 5),
    economy=st.sampled_from(ECONOMIES),
)
def test_the_parts_of_a_copy_cover_every_slot_once_and_each_fits_a_tile(name, rows, columns, least, economy):
    slots = slice_layer(dense(rows, columns), slot_shape(CHIPS[name].tile))
    parts = parts_of(slots, least, economy=economy)
    assert covered(parts) == every(slots)
    assert all(1 <= part.count <= slots.shape.per_tile for part in parts)
    assert sum(part.cells_used for part in parts) == rows * columns
    assert len({part.column for part in parts if part.is_root}) == sum(part.is_root for part in parts)
    assert {part.column for part in parts} == {part.column for part in parts if part.is_root}


@given(groups=st.integers(2, 70), inputs=st.integers(1, 20), outputs=st.integers(1, 40), kernel=st.sampled_from([1, 3]))
def test_groups_stand_block_diagonally_as_many_in_a_slot_as_fit_along_its_diagonal(groups, inputs, outputs, kernel):
    layer = {"conv": groups * outputs, "kernel": kernel, "groups": groups, "pad": kernel // 2}
    matrix = network([groups * inputs, 4, 4], layer).matrix_layers[0]
    slots = slice_layer(matrix, slot_shape(CHIPS["isaac-ce"].tile))
    along = min(128 // (inputs * kernel**2), 16 // outputs)
    expected = ceil(groups / along) if along > 1 else groups * ceil(inputs * kernel**2 / 128) * ceil(outputs / 16)
    assert slots.count == expected
    parts = parts_of(slots)
    assert covered(parts) == every(slots)
    assert sum(part.cells_used for part in parts) == groups * inputs * outputs * kernel**2


def test_a_part_reads_its_rows_and_adds_to_its_columns():
    # 8 × 19 blocks on tiles of 96 slots: two pieces along the rows move fewer values than two along the columns
    parts = parts_of(slice_layer(dense(1000, 300), slot_shape(CHIPS["isaac-ce"].tile)))
    assert [part.inputs for part in parts] == [(0, 512), (512, 1000)]
    assert [part.outputs for part in parts] == [(0, 300), (0, 300)]
    assert [(part.column, part.is_root) for part in parts] == [(0, False), (0, True)]


def test_a_column_of_blocks_in_several_cores_is_added_outside_them():
    # 9 row blocks × 1 column block on cores of 8 slots: two cores, one addition for each of the 16 outputs
    (part,) = parts_of(slice_layer(dense(1100, 16), slot_shape(CHIPS["isaac-ce"].tile)))
    assert part.additions == 16
    (part,) = parts_of(slice_layer(dense(1024, 16), slot_shape(CHIPS["isaac-ce"].tile)))
    assert part.additions == 0


def test_vgg16_needs_67576_arrays_which_are_4_19_isaac_chips_and_3_83_puma_nodes():
    graph = load_graph("vgg16")[0]
    isaac, puma = (sum(arrays_needed(graph, CHIPS[name]).values()) for name in ("isaac-ce", "puma"))
    assert isaac == 67_576
    assert isaac / (168 * 12 * 8) == pytest.approx(4.19, abs=0.005)
    assert puma / (138 * 8 * 16) == pytest.approx(3.83, abs=0.005)


@pytest.mark.parametrize(
    ("name", "workload", "chips"),
    [("isaac-ce", "vgg16", 5), ("puma", "vgg16", 4), ("isaac-ce", "lstm-2048", 17), ("puma", "lstm-2048", 16)],
)
def test_the_smallest_board_that_holds_a_network_once(name, workload, chips):
    assert chips_to_fit(load_graph(workload)[0], CHIPS[name]) == chips


def test_sixteen_isaac_chips_are_2688_tiles_and_258048_arrays():
    core = CHIPS["isaac-ce"].tile.core
    assert 16 * CHIPS["isaac-ce"].tiles == 2688
    assert 16 * CHIPS["isaac-ce"].tiles * core.count * core.the("crossbar")[1].count == 258_048
