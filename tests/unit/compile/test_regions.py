"""Private kernels: positions in compact pieces, what their tiles read, and what is sent to them."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from archsim.compile.network import Compiled, compile_network
from archsim.compile.reads import Intervals, Window, read_pixels
from archsim.compile.regions import Cells, cells_of, curve
from archsim.noc.board import HOST
from archsim.sim.reference import run
from tests.unit.compile.nets import chip, network


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 9), (8, 8), (5, 7), (183, 183)])
def test_the_curve_goes_through_every_position_once(rows, columns):
    assert sorted(curve(rows, columns).tolist()) == list(range(rows * columns))


def test_on_a_square_of_a_power_of_two_the_curve_goes_from_neighbour_to_neighbour():
    y, x = np.divmod(curve(16, 16), 16)
    assert set((np.abs(np.diff(y)) + np.abs(np.diff(x))).tolist()) == {1}


@pytest.mark.parametrize(("side", "kernel"), [(2, 3), (4, 5), (8, 18)])
def test_a_piece_of_the_curve_that_makes_a_square_reads_the_square_around_it(side, kernel):
    window = Window(32 + kernel - 1, 32 + kernel - 1, 32, (kernel, kernel))
    order = curve(32, 32)
    for start in range(0, 1024, side * side):
        positions = Intervals.of(np.sort(order[start : start + side * side]))
        assert read_pixels(window, positions).size == (kernel + side - 1) ** 2


def test_cells_are_a_quarter_of_the_smallest_kernel():
    assert cells_of(200, [(18, 18)]) == Cells(200, 4, 4)
    assert cells_of(20, [(9, 16), (12, 5)]) == Cells(20, 2, 1)
    pieces = list(Cells(5, 2, 2).pieces(15))
    assert [piece.numbers.tolist() for piece in pieces] == [
        [0, 1, 5, 6],
        [2, 3, 7, 8],
        [4, 9],
        [10, 11],
        [12, 13],
        [14],
    ]


def locally_connected(kernel: int, size: int, *first: dict[str, object]) -> Compiled:
    graph = network((4, size, size), *first, {"local": 4, "kernel": kernel, "name": "local"})
    return compile_network(graph, chip("isaac-ce", "tiles=60", "noc.columns=5", "noc.rows=3"), 1)


def arriving(made: Compiled) -> tuple[Counter[int], Counter[int]]:
    """Pixels that arrive at each part's fetch stage, and those that its windows read; from the positions alone."""
    sent: Counter[int] = Counter()
    for flow in made.program.flows:
        if flow.name.endswith("> local"):
            for end in flow.ends:
                sent[end.stage] += flow.emit.total(made.program.stages[flow.source].firings)
    layer = made.graph["local"]
    order, read = curve(*layer.grid), Counter()
    window = Window(*layer.input_shapes[0][1:], layer.output_shape[2], layer.kernel)
    cells = cells_of(window.columns_in, [layer.kernel])
    by_piece: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, stage in enumerate(made.program.stages):
        if stage.layer == "local" and stage.component == "fetch":
            by_piece[int(stage.name.split("[")[1].split(".")[0]), number].append(number)
    parts = {part.bundles for part in made.mapped["local"].parts}
    along = made.mapped["local"].slots.groups_per_slot
    pieces = {low * along: np.sort(order[low * along : high * along]) for low, high in parts}
    for first, number in by_piece:
        pixels = read_pixels(window, Intervals.of(pieces[first])).numbers
        touched = np.unique(cells.of(pixels))
        everything = cells.of(np.arange(window.pixels_in))
        read[number] = int(np.isin(everything, touched).sum())
    return sent, read


@pytest.mark.parametrize(("kernel", "size"), [(5, 24), (8, 16)])
def test_a_tile_gets_from_the_host_the_cells_that_its_windows_touch_and_no_other(kernel, size):
    made = locally_connected(kernel, size)
    sent, read = arriving(made)
    assert sent.keys() == read.keys()
    # cells of which all readers are few travel exactly; the others as wholes
    assert all(0 < sent[stage] <= read[stage] for stage in read)
    if kernel < 8:  # cells of one pixel
        assert sent == read
    assert max(sent.values()) < size * size


def test_between_layers_a_tile_gets_the_cells_that_its_windows_touch():
    made = locally_connected(5, 12, {"conv": 4, "kernel": 3, "pad": 1, "name": "first"})
    sent, read = arriving(made)
    assert all(0 < sent[stage] <= read[stage] for stage in read)


def test_the_host_sends_each_pixel_once_and_all_of_it_arrives():
    made = locally_connected(8, 16)
    inputs = [stage for stage in made.program.stages if stage.layer == "input"]
    assert sum(stage.firings for stage in inputs) == 16 * 16
    assert {made.stage_tile[k] for k, stage in enumerate(made.program.stages) if stage.layer == "input"} == {HOST}
    outcome = run(made.for_images(2))
    a = made.program.arrays
    tokens = np.array([flow.emit.total(2 * made.program.stages[flow.source].firings) for flow in made.program.flows])
    assert np.array_equal(outcome.end_delivered, tokens[a.end_flow])


def test_what_a_tile_must_hold_is_what_it_is_sent():
    made = locally_connected(8, 16)
    sent, _ = arriving(made)
    held: Counter[int] = Counter()
    outcome = run(made.for_images(1))
    ends = iter(outcome.end_peak.tolist())
    for flow in made.program.flows:
        for end in flow.ends:
            peak = next(ends)
            if flow.name.endswith("> local"):
                held[end.stage] += peak
    # one firing reads all of it
    assert held == sent
