"""Margins of writing and reading one cell."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.errors import NumericError
from archsim.numeric.wires import Selector, Wires, read_margin, solve, write_margin
from tests.unit.numeric.wires.arrays import uniform

LOSSY = Wires(wordline_ohm=2.0, bitline_ohm=3.0, left_ohm=40.0, bottom_ohm=25.0)


@pytest.mark.parametrize(("scheme", "row", "column", "others"), [("V/2", 0.5, 0.5, 0.0), ("V/3", 1 / 3, 1 / 3, 1 / 3)])
def test_without_wires_the_schemes_divide_the_voltage_as_they_say(
    scheme,
    row: float,
    column: float,
    others: float,  # type: ignore[no-untyped-def]
) -> None:
    found = write_margin(uniform(5, 6), 3.0, Wires(), scheme=scheme, at=(2, 3))
    assert found.cell == (2, 3)
    assert found.selected_v == pytest.approx(3.0, rel=1e-14)
    assert found.row_v == pytest.approx(3.0 * row, rel=1e-14)
    assert found.column_v == pytest.approx(3.0 * column, rel=1e-14)
    assert found.others_v == pytest.approx(3.0 * others, rel=1e-13, abs=1e-15)
    assert found.margin_v == pytest.approx(3.0 * (1 - row), rel=1e-13)


def test_the_current_of_an_ideal_write_is_that_of_its_row() -> None:
    g = uniform(5, 6)
    found = write_margin(g, 2.0, Wires(), at=(1, 4))
    assert found.current_a == pytest.approx(g[1].sum() + g[1, 4], rel=1e-13)
    assert found.power_w == pytest.approx(
        2.0**2 * (g[1, 4] + (g[1].sum() + g[:, 4].sum() - 2 * g[1, 4]) / 4), rel=1e-13
    )


def test_without_a_place_the_cell_far_from_its_terminals_is_taken() -> None:
    g = np.full((8, 8), 1e-4)
    assert write_margin(g, 2.0, LOSSY).cell == (0, 7)
    both = Wires(wordline_ohm=2.0, bitline_ohm=3.0, right_ohm=0.0, top_ohm=0.0)
    assert write_margin(g, 2.0, both).cell == (4, 4)


def test_wires_narrow_the_margin_and_the_third_disturbs_more_cells() -> None:
    g = uniform(16, 16)
    half, third = (write_margin(g, 2.0, LOSSY, scheme=scheme) for scheme in ("V/2", "V/3"))
    assert 0 < half.margin_v < 1.0
    assert half.others_v < third.others_v
    assert half.power_w < third.power_w
    exponential = write_margin(g, 2.0, LOSSY, cell=Selector(1e-8, 0.05))
    assert exponential.power_w < half.power_w


def test_one_column_has_no_other_cell_in_its_rows() -> None:
    found = write_margin(uniform(3, 1), 2.0, LOSSY, at=(0, 0))
    assert found.row_v == found.others_v == 0.0
    assert found.disturbed_v == found.column_v > 0


def test_floating_lines_let_current_sneak_through_three_cells() -> None:
    g = np.array([[1e-5, 4e-5], [3e-5, 2e-5]])
    found = read_margin(g, 0.2, Wires(), at=(0, 0), on_s=1e-4, off_s=1e-6, scheme="float")
    sneak = 1 / (1 / 4e-5 + 1 / 2e-5 + 1 / 3e-5)
    assert found.on_a == pytest.approx(0.2 * (1e-4 + sneak), rel=1e-13)
    assert found.off_a == pytest.approx(0.2 * (1e-6 + sneak), rel=1e-13)
    assert found.margin == pytest.approx((1e-4 - 1e-6) / (1e-4 + sneak), rel=1e-13)


@pytest.mark.parametrize("scheme", ["ground", "V/2"])
def test_held_lines_keep_sneak_currents_out_of_an_ideal_column(scheme) -> None:  # type: ignore[no-untyped-def]
    g = uniform(4, 5)
    found = read_margin(g, 0.2, Wires(), at=(1, 2), on_s=1e-4, off_s=1e-6, scheme=scheme)
    others = 0.1 * (g[:, 2].sum() - g[1, 2]) if scheme == "V/2" else 0.0
    assert found.on_a == pytest.approx(0.2 * 1e-4 + others, rel=1e-13)
    assert found.off_a == pytest.approx(0.2 * 1e-6 + others, rel=1e-13)


def test_reading_leaves_the_conductances_as_they_were() -> None:
    g = uniform(4, 5)
    before = g.copy()
    found = read_margin(g, 0.2, LOSSY, at=(1, 2), on_s=1e-4, off_s=1e-6)
    assert np.array_equal(g, before)
    g[1, 2] = 1e-4
    assert found.on_a == solve(g, [0.0, 0.2, 0.0, 0.0], LOSSY).sense_a[2]
    assert found.margin < 0.99


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda g: write_margin(g, 1.0, LOSSY, scheme="V/4"),
            "scheme must be one of V/2, V/3, got 'V/4'; did you mean",
        ),
        (
            lambda g: write_margin(g, 1.0, LOSSY, at=(4, 0)),
            "at must be a row and a column of the 4 × 5 array, got (4, 0)",
        ),
        (
            lambda g: read_margin(g, 1.0, LOSSY, at=(0, 0), on_s=1e-4, off_s=1e-6, scheme="floating"),
            "scheme must be one of ground, V/2, float, got 'floating'; did you mean 'float'?",
        ),
        (
            lambda g: read_margin(g, 1.0, LOSSY, at=(0, 0), on_s=1e-4, off_s=-1e-6),
            "a conductance must be 0 or more and finite, got -1e-06 S at row 0, column 0",
        ),
    ],
)
def test_what_is_no_scheme_or_cell_is_named(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NumericError) as caught:
        call(uniform(4, 5))
    assert f"wires: {message}" in str(caught.value)
