"""The operating point of an array, held to closed forms and to a dense solution written apart from archsim."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings

from archsim.errors import NumericError
from archsim.numeric.wires import Wires, linear, solve, solver
from tests.unit.numeric.wires.arrays import INF, arrays, uniform
from tests.unit.numeric.wires.dense import dense

LOSSY = Wires(wordline_ohm=2.0, bitline_ohm=3.0, left_ohm=40.0, bottom_ohm=25.0)


@pytest.fixture
def iterative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "DIRECT_UP_TO", 0)


def assert_agrees(found: solver.Solution, g, v_in, wires, v_out) -> None:  # type: ignore[no-untyped-def]
    words, bits, drive, sense = dense(g, v_in, wires, v_out)
    volts = max(np.abs(v_in).max(), np.abs(v_out).max())
    amps = np.abs(drive).max() + np.abs(sense).max() + 1e-30
    assert np.abs(found.wordline_v - words).max() <= 1e-9 * volts
    assert np.abs(found.bitline_v - bits).max() <= 1e-9 * volts
    assert np.abs(found.drive_a - drive).max() <= 1e-9 * amps
    assert np.abs(found.sense_a - sense).max() <= 1e-9 * amps


@given(arrays())
def test_any_array_agrees_with_a_dense_nodal_solution(array) -> None:  # type: ignore[no-untyped-def]
    g, v_in, v_out, wires = array
    assert_agrees(solve(g, v_in, wires, v_out=v_out), g, v_in, wires, v_out)


@settings(max_examples=50)
@given(arrays())
def test_conjugate_gradients_agree_with_a_dense_nodal_solution(array) -> None:  # type: ignore[no-untyped-def]
    g, v_in, v_out, wires = array
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "DIRECT_UP_TO", 0)
        assert_agrees(solve(g, v_in, wires, v_out=v_out), g, v_in, wires, v_out)


def test_one_cell_is_a_series_of_three_resistors() -> None:
    found = solve([[1e-4]], [0.5], Wires(left_ohm=200.0, bottom_ohm=300.0, wordline_ohm=7.0, bitline_ohm=7.0))
    current = 0.5 / (200.0 + 1e4 + 300.0)
    assert found.sense_a == pytest.approx([current], rel=1e-14)
    assert found.drive_a == pytest.approx([current], rel=1e-14)
    assert found.cell_v[0, 0] == pytest.approx(current * 1e4, rel=1e-14)
    assert found.device_w[0, 0] == pytest.approx(current**2 * 1e4, rel=1e-14)
    assert found.drive_w == pytest.approx(0.5 * current, rel=1e-14)
    assert found.wire_w == pytest.approx(current**2 * 500.0, rel=1e-12)


@pytest.mark.parametrize("ohm", [1e-5, 1.0, 1e4])
def test_one_row_is_a_uniform_ladder(ohm: float) -> None:
    """V_(k+1) - 2 V_k + V_(k-1) = r g V_k with an open far end: V_k = V_0 cosh((n-1/2-k) a) / cosh((n-1/2) a)."""
    g, count = 3e-5, 40
    found = solve(np.full((1, count), g), [0.2], Wires(wordline_ohm=ohm))
    a = 2 * math.asinh(math.sqrt(ohm * g) / 2)
    expected = 0.2 * np.cosh((count - 0.5 - np.arange(count)) * a) / math.cosh((count - 0.5) * a)
    assert found.wordline_v[0] == pytest.approx(expected, rel=1e-12)
    assert found.drive_a[0] == pytest.approx(g * expected.sum(), rel=1e-12)


def test_the_drop_of_almost_ideal_wires_is_accurate_relative_to_itself() -> None:
    """To first order in r the drop along a line is that of the ideal currents."""
    g, ohm = uniform(1, 50), 1e-6
    found = solve(g, [0.2], Wires(wordline_ohm=ohm))
    behind = np.cumsum((0.2 * g[0])[::-1])[::-1]
    expected = ohm * np.concatenate([[0.0], np.cumsum(behind[1:])])
    # Subtracting 0.2 V loses all but the first digits; what the solver holds is the drop itself.
    assert 0.2 - found.wordline_v[0] == pytest.approx(expected, abs=1e-16, rel=1e-3)
    assert found.wordline_v[0, -1] < 0.2


def test_wires_without_resistance_are_the_ideal_product() -> None:
    g, v_in = uniform(9, 7), np.linspace(-0.2, 0.2, 9)
    assert solve(g, v_in, Wires()).sense_a == pytest.approx(v_in @ g, rel=1e-14)
    both = Wires(right_ohm=0.0, top_ohm=0.0)
    assert solve(g, v_in, both).sense_a == pytest.approx(v_in @ g, rel=1e-14)


@pytest.mark.parametrize("size", [48, 96])
@pytest.mark.parametrize(("ohm", "least"), [(1e-3, 0.0), (30.0, 0.5), (3e3, 0.99), (1e6, 0.99)])
def test_large_losses_solve_as_well_as_small_ones(size: int, ohm: float, least: float) -> None:
    g, v_in = uniform(size, size), np.ones(size)
    wires = Wires(wordline_ohm=ohm, bitline_ohm=ohm, left_ohm=ohm, bottom_ohm=ohm)
    found = solve(g, v_in, wires)
    assert 1 - found.sense_a.sum() / g.sum() > least
    for x, currents, leaves in (
        (found.wordline_v, found.cell_a, _leaving(found.wordline_v.T, 1.0, ohm).T),
        (found.bitline_v, -found.cell_a, _leaving(found.bitline_v[::-1], 0.0, ohm)[::-1]),
    ):
        assert np.abs(leaves + currents).max() <= 1e-9 * found.drive_a.max() + 4e-16 / ohm * np.abs(x).max()


def _leaving(v: np.ndarray, terminal: float, ohm: float) -> np.ndarray:
    """The currents that leave the nodes of lines along axis 0, whose first end leads to the terminal."""
    flow = -np.diff(v, axis=0, prepend=terminal) / ohm
    return np.diff(flow, axis=0, append=0.0)


def test_both_solvers_agree_where_either_may_be_used(iterative: None) -> None:
    g, v_in = uniform(60, 80), np.cos(np.arange(60))
    by_gradients = solve(g, v_in, LOSSY)
    linear.DIRECT_UP_TO = 64
    direct = solve(g, v_in, LOSSY)
    assert np.abs(by_gradients.wordline_v - direct.wordline_v).max() < 1e-12
    assert by_gradients.sense_a == pytest.approx(direct.sense_a, rel=1e-10)


def test_lines_driven_from_both_sides_share_their_current_as_the_mirrored_array() -> None:
    g, v_in = uniform(6, 9), np.linspace(0.1, 0.2, 6)
    wires = dataclasses.replace(LOSSY, right_ohm=10.0, top_ohm=0.0)
    found = solve(g, v_in, wires)
    mirror = solve(
        g[::-1, ::-1],
        v_in[::-1],
        dataclasses.replace(wires, left_ohm=10.0, right_ohm=40.0, top_ohm=25.0, bottom_ohm=0.0),
    )
    assert found.left_a[0] == pytest.approx(mirror.right_a[0, ::-1], rel=1e-12)
    assert found.right_a[0] == pytest.approx(mirror.left_a[0, ::-1], rel=1e-12)
    assert found.top_a[0] == pytest.approx(mirror.bottom_a[0, ::-1], rel=1e-12)
    assert (found.left_a > 0).all()
    assert (found.right_a > 0).all()


def test_an_ideal_line_between_two_ideal_terminals_is_the_limit_of_small_resistances() -> None:
    g, v_in = uniform(5, 8), np.linspace(0.1, 0.2, 5)
    ideal = solve(g, v_in, Wires(right_ohm=0.0, top_ohm=0.0))
    nearly = solve(g, v_in, Wires(right_ohm=0.0, top_ohm=0.0, wordline_ohm=1e-6, bitline_ohm=1e-6))
    for name in ("left_a", "right_a", "top_a", "bottom_a"):
        assert getattr(ideal, name) == pytest.approx(getattr(nearly, name), rel=1e-7)


def test_one_ideal_end_takes_all_of_an_ideal_line() -> None:
    found = solve(uniform(3, 4), [0.1] * 3, Wires(right_ohm=5.0, top_ohm=5.0))
    assert not found.right_a.any()
    assert not found.top_a.any()
    assert found.left_a[0] == pytest.approx(found.cell_a.sum(axis=1), rel=1e-14)


def test_a_partitioned_array_is_its_blocks_beside_each_other() -> None:
    g, v_in = uniform(10, 7), np.linspace(0.1, 0.2, 10)
    cut = solve(g, v_in, dataclasses.replace(LOSSY, block_rows=4, block_columns=5))
    assert cut.left_a.shape == (2, 10)
    assert cut.bottom_a.shape == (3, 7)
    for k, rows in enumerate((slice(0, 4), slice(4, 8), slice(8, 10))):
        for m, columns in enumerate((slice(0, 5), slice(5, 7))):
            block = solve(g[rows, columns], v_in[rows], LOSSY)
            assert np.array_equal(cut.cell_v[rows, columns], block.cell_v)
            assert np.array_equal(cut.bottom_a[k, columns], block.bottom_a[0])
            assert np.array_equal(cut.left_a[m, rows], block.left_a[0])
    assert cut.sense_a.sum() > solve(g, v_in, LOSSY).sense_a.sum()


@given(arrays(8))
def test_what_is_fed_in_is_what_is_dissipated(array) -> None:  # type: ignore[no-untyped-def]
    g, v_in, v_out, wires = array
    found = solve(g, v_in, wires, v_out=v_out)
    dissipated = float((found.cell_v * found.cell_a).sum())
    for v, ohm in ((found.wordline_v, wires.wordline_ohm), (found.bitline_v.T, wires.bitline_ohm)):
        if ohm:
            dissipated += float((np.diff(v, axis=1) ** 2).sum()) / ohm
    for ends, ohm in ((found.left_a, wires.left_ohm), (found.right_a, wires.right_ohm)):
        dissipated += float((ends**2).sum()) * (ohm if ohm < INF else 0.0)
    for ends, ohm in ((found.top_a, wires.top_ohm), (found.bottom_a, wires.bottom_ohm)):
        dissipated += float((ends**2).sum()) * (ohm if ohm < INF else 0.0)
    scale = np.abs(found.cell_a).sum() * 2
    assert found.drive_w == pytest.approx(dissipated, abs=1e-9 * scale + 1e-30)


def test_an_open_line_takes_the_voltage_that_its_cells_divide_out() -> None:
    found = solve(
        [[1e-4, 3e-4], [2e-4, 1e-4]], [1.0, 0.0], Wires(), open_rows=[False, True], open_columns=[False, False]
    )
    assert found.wordline_v[1] == pytest.approx([0.0, 0.0], abs=1e-15)
    assert found.drive_a[1] == 0.0
    found = solve([[1e-4], [3e-4]], [1.0, 0.0], Wires(), open_columns=[True])
    assert found.bitline_v[:, 0] == pytest.approx([0.25, 0.25], rel=1e-14)
    assert found.sense_a[0] == 0.0
    assert found.drive_a == pytest.approx([7.5e-5, -7.5e-5], rel=1e-14)


def test_a_row_whose_gate_is_off_takes_no_current() -> None:
    g = uniform(3, 4)
    found = solve(g, [0.1, 0.2, 0.3], LOSSY, gates=[True, False, True])
    assert found.drive_a[1] == 0.0
    assert found.sense_a == pytest.approx(solve(np.delete(g, 1, 0), [0.1, 0.3], Wires()).sense_a, rel=0.02)


def test_no_voltage_gives_no_current() -> None:
    found = solve(uniform(3, 4), np.zeros(3), LOSSY)
    assert not found.cell_a.any()
    assert not found.sense_a.any()


@pytest.mark.parametrize(
    ("g", "v", "message"),
    [
        (np.zeros((0, 4)), [], "conductances must be a matrix of rows × columns, got the shape (0, 4)"),
        ([1e-4], [1.0], "conductances must be a matrix of rows × columns, got the shape (1,)"),
        ([[1e-4, -1e-6]], [1.0], "a conductance must be 0 or more and finite, got -1e-06 S at row 0, column 1"),
        ([[1e-4], [math.nan]], [1.0, 1.0], "must be 0 or more and finite, got nan S at row 1, column 0"),
        ([[1e-4]], [1.0, 2.0], "v_in must hold 1 voltages, got the shape (2,)"),
        ([[1e-4]], [math.inf], "v_in must hold finite voltages, got inf"),
    ],
)
def test_bad_input_is_named(g, v, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NumericError) as caught:
        solve(g, v, Wires())
    assert message in str(caught.value)


def test_a_line_that_floats_without_cells_is_named() -> None:
    with pytest.raises(NumericError, match="row 1 floats, and no conducting cells join it to a line that is held"):
        solve([[1e-4], [0.0]], [1.0, 1.0], Wires(), open_rows=[False, True])
    with pytest.raises(NumericError, match="row 1 floats, and no conducting cells join it to a line that is held"):
        solve(np.diag([1e-4, 1e-4]), [1.0, 1.0], Wires(), open_rows=[False, True], open_columns=[False, True])
    with pytest.raises(NumericError, match="open_rows must hold 2 values true or false, got the shape \\(1,\\)"):
        solve([[1e-4], [0.0]], [1.0, 1.0], Wires(), open_rows=[True])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"wordline_ohm": -1.0}, "wordline_ohm must be 0, or from 1e-09 ohm and finite, got -1.0"),
        ({"bitline_ohm": INF}, "bitline_ohm must be 0, or from 1e-09 ohm and finite, got inf"),
        ({"bitline_ohm": 1e-12}, "bitline_ohm must be 0, or from 1e-09 ohm and finite, got 1e-12"),
        ({"bitline_ohm": "1 ohm"}, "bitline_ohm must be a number, got '1 ohm'"),
        ({"bitline_f": -1e-15}, "bitline_f must be 0 or more, and finite, got -1e-15"),
        (
            {"left_ohm": math.nan},
            "left_ohm must be 0, or from 1e-09 ohm, or inf where the line is not connected, got nan",
        ),
        ({"left_ohm": INF}, "left_ohm and right_ohm are both inf, so the wordlines are connected nowhere"),
        ({"bottom_ohm": INF}, "top_ohm and bottom_ohm are both inf, so the bitlines are connected nowhere"),
        ({"block_rows": 0}, "block_rows must be a whole number of at least 1, got 0"),
    ],
)
def test_impossible_wires_are_named(keys: dict[str, float], message: str) -> None:
    with pytest.raises(NumericError) as caught:
        Wires(**keys)  # type: ignore[arg-type]
    assert str(caught.value) == f"wires: {message}"


def test_the_bytes_do_not_depend_on_the_number_of_threads() -> None:
    code = """
import hashlib, numpy as np
from archsim.numeric.wires import Wires, solve, transfer_matrix
g = np.random.default_rng(0).uniform(1e-6, 1e-4, (90, 120))
wires = Wires(wordline_ohm=1.0, bitline_ohm=1.0, right_ohm=3.0)
found = solve(g, np.cos(np.arange(90)), wires)
digest = hashlib.sha256(transfer_matrix(g, wires).tobytes() + found.cell_a.tobytes() + found.sense_a.tobytes())
print(digest.hexdigest())
"""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | dict.fromkeys(names, str(count)),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for count in (1, 2)
    }
    assert len(seen) == 1
    assert len(seen.pop().strip()) == len(hashlib.sha256().hexdigest())
