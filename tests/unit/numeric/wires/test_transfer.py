"""The transfer matrix gives the sense currents of the nodal solution."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings

from archsim.errors import NumericError
from archsim.numeric.wires import Transistor, Wires, solve, transfer, transfer_matrix
from tests.unit.numeric.wires.arrays import INF, arrays, uniform
from tests.unit.numeric.wires.dense import dense

LOSSY = Wires(wordline_ohm=2.0, bitline_ohm=3.0, left_ohm=40.0, bottom_ohm=25.0)


@settings(max_examples=60)
@given(arrays())
def test_any_read_agrees_with_a_dense_nodal_solution(array) -> None:  # type: ignore[no-untyped-def]
    g, v_in, _, wires = array
    sense = dense(g, v_in, wires)[3]
    assert np.abs(v_in @ transfer_matrix(g, wires) - sense).max() <= 1e-9 * np.abs(v_in) @ g @ np.ones(g.shape[1])


@pytest.mark.parametrize("shape", [(70, 90), (90, 70)])
def test_a_lossy_array_reads_as_its_solution(shape: tuple[int, int]) -> None:
    g, v_in = uniform(*shape, high=1e-3), np.cos(np.arange(shape[0]))
    wires = dataclasses.replace(LOSSY, right_ohm=0.0, left_ohm=0.0, wordline_ohm=50.0, bitline_ohm=50.0)
    matrix = transfer_matrix(g, wires)
    assert matrix.sum() < 0.08 * g.sum()
    assert v_in @ matrix == pytest.approx(solve(g, v_in, wires).sense_a, rel=1e-9, abs=1e-15)


def test_the_matrix_of_the_transposed_array_is_the_transpose() -> None:
    g = uniform(5, 8)
    swapped = Wires(wordline_ohm=3.0, bitline_ohm=2.0, left_ohm=INF, right_ohm=25.0, top_ohm=40.0, bottom_ohm=INF)
    assert transfer_matrix(g.T, swapped) == pytest.approx(transfer_matrix(g, LOSSY).T, rel=1e-12)


def test_no_wires_give_the_conductances_themselves() -> None:
    g = uniform(6, 4)
    assert np.array_equal(transfer_matrix(g, Wires()), g)


def test_all_currents_are_smaller_than_those_of_ideal_wires() -> None:
    g = uniform(20, 20)
    matrix = transfer_matrix(g, LOSSY)
    assert (matrix.sum(axis=0) < g.sum(axis=0)).all()
    assert (matrix > 0).all()


def test_partitions_lose_less() -> None:
    g = uniform(32, 32)
    cut = transfer_matrix(g, dataclasses.replace(LOSSY, block_rows=8, block_columns=8))
    assert np.array_equal(cut[8:16, 24:], transfer_matrix(g[8:16, 24:], LOSSY))
    assert transfer_matrix(g, LOSSY).sum() < cut.sum() < g.sum()


def test_a_transistor_adds_its_resistance_to_each_cell() -> None:
    g = uniform(6, 7)
    expected = transfer_matrix(1 / (1 / g + 5e3), LOSSY)
    assert transfer_matrix(g, LOSSY, Transistor(5e3)) == pytest.approx(expected, rel=1e-13)


def test_a_matrix_that_does_not_agree_with_the_nodal_equations_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = transfer._block
    monkeypatch.setattr(transfer, "_block", lambda *array: honest(*array) * (1 + 1e-7))
    with pytest.raises(NumericError, match=r"the transfer matrix is off by 3\.2e-08 of the largest sense current"):
        transfer_matrix(uniform(4, 4), LOSSY)
