"""Transistors, selectors and nonlinear memristors in an array with wires."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.errors import NumericError
from archsim.numeric.devices.reading import Sinh
from archsim.numeric.wires import Current, Selector, Transistor, Wires, solve, solver
from tests.unit.numeric.wires.arrays import arrays, uniform
from tests.unit.numeric.wires.dense import circuit

LOSSY = Wires(wordline_ohm=2.0, bitline_ohm=3.0, left_ohm=40.0, bottom_ohm=25.0)


class Steep:
    """A current of one's own."""

    def current_a(self, g_s: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.asarray(g_s * (v + v**3))

    def slope_s(self, g_s: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.asarray(g_s * (1 + 3 * v**2))


class Falling:
    def current_a(self, g_s: np.ndarray, v: np.ndarray) -> np.ndarray:
        return -g_s * v

    def slope_s(self, g_s: np.ndarray, v: np.ndarray) -> np.ndarray:
        return -g_s


CURRENTS = [Sinh(0.15), Selector(1e-9, 0.04), Steep()]


@pytest.mark.parametrize("cell", [Sinh(0.2), Selector(1e-9, 0.04), Selector(1e-15, 0.02)])
def test_the_derivative_of_a_current_is_its_slope(cell: Current) -> None:
    v, g = np.linspace(-1.5, 1.5, 61), np.full(61, 3e-5)
    h = 1e-5
    slope = (cell.current_a(g, v + h) - cell.current_a(g, v - h)) / (2 * h)
    assert cell.slope_s(g, v) == pytest.approx(slope, rel=1e-5, abs=1e-22)


@given(st.floats(-3, 3), st.floats(-7, -3), st.floats(-15, -6), st.floats(0.01, 0.2))
def test_selector_and_memristor_carry_the_same_current(
    v: float, log_g: float, log_current: float, scale_v: float
) -> None:
    g, scale_a = 10**log_g, 10**log_current
    current = float(Selector(scale_a, scale_v).current_a(np.array([g]), np.array([v]))[0])
    assert current / g + scale_v * math.asinh(current / scale_a) == pytest.approx(v, rel=1e-12, abs=1e-15)


def test_a_selector_without_memristor_conducts_nothing() -> None:
    v, g = np.array([1.0, -1.0]), np.zeros(2)
    assert not Selector(1e-9, 0.04).current_a(g, v).any()
    assert not Selector(1e-9, 0.04).slope_s(g, v).any()


@pytest.mark.parametrize("cell", CURRENTS, ids=["sinh", "selector", "cubic"])
@given(array=arrays(10))
def test_the_currents_of_nonlinear_cells_balance_at_every_node(cell: Current, array) -> None:  # type: ignore[no-untyped-def]
    """The wires alone as a dense Laplacian, and the cells' currents at the voltages found, sum to 0 at each free node.

    As the currents rise with the voltages there is only one such point.
    """
    g, v_in, v_out, wires = array
    found = solve(g, v_in, wires, v_out=v_out, cell=cell)
    assert found.cell_a == pytest.approx(cell.current_a(g, found.wordline_v - found.bitline_v), rel=1e-5, abs=1e-12)
    net = circuit(np.zeros_like(g), wires)
    matrix, index = net.laplacian()
    voltage, leaving = np.zeros(len(index)), np.zeros(len(index))
    known = {("in", i): v for i, v in enumerate(v_in)} | {("out", j): v for j, v in enumerate(v_out)}
    for node, k in index.items():
        voltage[k] = known.get(node, 0.0)
    for plane, volts, sign in (("w", found.wordline_v, 1), ("b", found.bitline_v, -1)):
        for i, j in np.ndindex(g.shape):
            k = index.get(net.name((plane, i, j)))
            if k is not None:
                voltage[k] = volts[i, j]
                leaving[k] += sign * found.cell_a[i, j]
    free = np.array([node not in known for node in index], dtype=bool)
    imbalance = (matrix @ voltage + leaving)[free]
    assert np.abs(imbalance).max(initial=0.0) <= 1e-9 * np.abs(found.cell_a).sum() + 1e-14 * np.abs(matrix).max(
        initial=0
    )


def test_newton_finds_the_point_of_large_arrays_too() -> None:
    g = uniform(70, 70)
    found = solve(g, np.linspace(0.5, 1.0, 70), LOSSY, cell=Selector(1e-8, 0.05))
    cell_a = Selector(1e-8, 0.05).current_a(g, found.cell_v)
    assert found.cell_a == pytest.approx(cell_a, rel=1e-12)
    assert found.drive_a.sum() == pytest.approx(found.sense_a.sum(), rel=1e-9)


def test_newton_comes_down_from_a_current_that_is_astronomic_at_first() -> None:
    found = solve(uniform(8, 8), np.full(8, 1.0), LOSSY, cell=Sinh(0.02))
    assert found.cell_v.max() < 0.3
    assert found.drive_a.sum() == pytest.approx(found.sense_a.sum(), rel=1e-9)


def test_a_nonlinear_cell_with_a_large_scale_is_a_resistor() -> None:
    g, v_in = uniform(6, 8), np.linspace(0.1, 0.2, 6)
    linear = solve(g, v_in, LOSSY)
    assert solve(g, v_in, LOSSY, cell=Sinh(1e4)).sense_a == pytest.approx(linear.sense_a, rel=1e-9)


def test_the_voltage_across_a_memristor_leaves_out_its_transistor() -> None:
    g, v_in = uniform(4, 5), np.linspace(0.1, 0.2, 4)
    found = solve(g, v_in, LOSSY, cell=Transistor(1e4))
    assert found.cell_a * (1e4 + 1 / g) == pytest.approx(found.cell_v, rel=1e-12)
    assert found.device_v * g == pytest.approx(found.cell_a, rel=1e-12)
    assert (found.device_w < found.cell_v * found.cell_a).all()


def test_a_selector_takes_most_of_a_small_voltage() -> None:
    found = solve(uniform(4, 5), [0.1, 0.1, 1.0, 1.0], Wires(), cell=Selector(1e-10, 0.05))
    share = found.device_v / found.cell_v
    assert (share[:2] < 0.01).all()
    assert (share[2:] > 0.1).all()


@pytest.mark.parametrize("make", [lambda: Transistor(0.0), lambda: Transistor(math.nan), lambda: Selector(-1.0, 0.1)])
def test_cells_of_nothing_are_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NumericError, match=r"wires: \w+ of \w+ must be above 0 and finite, got"):
        make()


def test_a_current_that_falls_is_refused() -> None:
    with pytest.raises(NumericError, match="the current of a cell must not fall as its voltage rises"):
        solve([[1e-4]], [1.0], LOSSY, cell=Falling())


def test_a_current_that_overflows_is_refused() -> None:
    with pytest.raises(NumericError, match="the current of a cell is not finite at the voltages that it gets"):
        solve([[1e-4]], [1.0], LOSSY, cell=Sinh(1e-3))


def test_a_line_that_floats_behind_cells_that_do_not_conduct_is_refused() -> None:
    class Blocked(Steep):
        def slope_s(self, g_s: np.ndarray, v: np.ndarray) -> np.ndarray:
            return 0 * g_s

    with pytest.raises(NumericError, match="a line floats whose cells do not conduct at the voltages that they get"):
        solve([[1e-4], [1e-4]], [1.0, 1.0], Wires(), cell=Blocked(), open_rows=[False, True])


def test_newton_that_does_not_arrive_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "CORRECTIONS", 2)
    with pytest.raises(NumericError, match="no solution after 2 Newton steps; the last one was"):
        solve(uniform(4, 4), np.ones(4), LOSSY, cell=Selector(1e-9, 0.04))
