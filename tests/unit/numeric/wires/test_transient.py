"""Settling by the RC of the lines, held to closed forms and to the full transient of the same network."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings

from archsim.errors import NumericError
from archsim.numeric.wires import Transistor, Wires, linear, settling
from tests.unit.numeric.wires.arrays import arrays, uniform
from tests.unit.numeric.wires.dense import step_response

SLOW = Wires(wordline_ohm=2.0, bitline_ohm=3.0, left_ohm=400.0, bottom_ohm=250.0, wordline_f=2e-15, bitline_f=1e-15)


def test_one_node_is_one_exponential() -> None:
    """The bitline is held, so the wordline's capacitance sees the driver and the cell in parallel."""
    found = settling([[1e-3]], [0.5], Wires(left_ohm=500.0, wordline_f=4e-15))
    tau = 4e-15 / (1 / 500.0 + 1e-3)
    assert found.time_constants_s == pytest.approx([tau], rel=1e-12)
    assert found.elmore_s == pytest.approx([tau], rel=1e-12)
    assert found.settled_s(0.01) == pytest.approx(tau * math.log(100), rel=1e-9)
    assert found.error_a(tau) == pytest.approx(-found.steady_a / math.e, rel=1e-12)


def test_an_unloaded_line_has_the_elmore_delay_and_the_modes_of_a_ladder() -> None:
    """Node k: r c sum_m min(k, m).  The slowest mode, one end fixed: r c / (4 sin²(pi / (2 (2n - 1))))."""
    count, ohm, farad = 20, 5.0, 1e-15
    found = settling(np.full((1, count), 1e-12), [1.0], Wires(wordline_ohm=ohm, wordline_f=farad))
    nodes = np.arange(count)
    expected = ohm * farad * np.minimum.outer(nodes, nodes).sum(axis=1)
    assert found.elmore_s[1:] == pytest.approx(expected[1:], rel=1e-9)
    slowest = ohm * farad / (4 * math.sin(math.pi / (2 * (2 * count - 1))) ** 2)
    assert found.time_constant_s == pytest.approx(slowest, rel=1e-9)


@pytest.mark.parametrize("direct_up_to", [64, 0])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"right_ohm": 100.0, "left_ohm": 0.0},
        {"top_ohm": 0.0, "bottom_ohm": 0.0},
        {"wordline_ohm": 0.0},
        {"bitline_ohm": 0.0, "wordline_ohm": 0.0},
    ],
    ids=["plain", "both-drives", "both-sides-held", "ideal-wordlines", "ends-only"],
)
def test_the_response_is_that_of_the_full_transient(
    changes: dict[str, float], direct_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "DIRECT_UP_TO", direct_up_to)
    wires = dataclasses.replace(SLOW, **changes)  # type: ignore[arg-type]
    g, v_in = uniform(9, 11, low=1e-5, high=1e-3), np.linspace(0.1, 0.3, 9)
    found = settling(g, v_in, wires)
    times = found.time_constant_s * np.array([0.3, 1.0, 3.0, 8.0])
    full = step_response(g, v_in, wires, times)
    assert found.steady_a + found.error_a(times) == pytest.approx(full, rel=1e-4, abs=1e-4 * full.max())
    assert found.error_a(times[2:]) == pytest.approx(full[2:] - found.steady_a, rel=1e-6, abs=1e-11 * full.max())


@settings(max_examples=30)
@given(arrays(6))
def test_any_array_has_settled_when_it_is_said_to(array) -> None:  # type: ignore[no-untyped-def]
    g, v_in, _, wires = array
    g = g + 1e-8
    found = settling(g, v_in, dataclasses.replace(wires, wordline_f=1e-15, bitline_f=2e-15))
    at = found.settled_s(1e-3)
    full = step_response(
        g,
        v_in,
        dataclasses.replace(wires, wordline_f=1e-15, bitline_f=2e-15),
        at * np.array([0.999, 1.0, 1.001, 2.0, 5.0]),
    )
    errors = np.abs(full - found.steady_a).max(axis=1) / np.abs(found.steady_a).max()
    assert (errors[2:] <= 1.0001e-3).all()
    if at > 0:
        assert errors[0] >= 0.9999e-3


def test_the_elmore_delay_is_the_integral_of_the_approach() -> None:
    g, v_in = uniform(5, 6, low=1e-5, high=1e-3), np.linspace(0.1, 0.3, 5)
    found = settling(g, v_in, SLOW)
    times = np.linspace(0.0, 40 * found.time_constant_s, 40_001)
    approach = 1 - step_response(g, v_in, SLOW, times) / found.steady_a
    integral = ((approach[1:] + approach[:-1]) / 2).sum(axis=0) * (times[1] - times[0])
    assert found.elmore_s == pytest.approx(integral, rel=1e-4)


def test_a_plane_without_capacitance_follows_at_once() -> None:
    g, v_in = uniform(6, 7), np.full(6, 0.2)
    without = settling(g, v_in, dataclasses.replace(SLOW, bitline_f=0.0))
    nearly = settling(g, v_in, dataclasses.replace(SLOW, bitline_f=1e-22))
    assert without.time_constant_s == pytest.approx(nearly.time_constant_s, rel=1e-5)
    assert without.settled_s(1e-3) == pytest.approx(nearly.settled_s(1e-3), rel=1e-4)


def test_nothing_settles_where_every_node_is_held() -> None:
    found = settling(uniform(3, 4), [0.1, 0.0, 0.2], Wires(wordline_f=1e-15, bitline_f=1e-15))
    assert found.time_constant_s == 0.0
    assert found.settled_s(1e-6) == 0.0
    assert not found.error_a([0.0, 1.0]).any()
    assert not found.elmore_s.any()


def test_a_transistor_slows_the_cells() -> None:
    g, v_in = uniform(6, 7, low=1e-4, high=1e-3), np.full(6, 0.2)
    assert (settling(g, v_in, SLOW, cell=Transistor(5e3)).steady_a < settling(g, v_in, SLOW).steady_a).all()


@pytest.mark.parametrize(
    ("wires", "tolerance", "message"),
    [
        (Wires(wordline_ohm=1.0), 0.1, "settling needs a capacitance, got wordline_f and bitline_f of 0"),
        (dataclasses.replace(SLOW, block_rows=2), 0.1, "settling is that of one block; give the conductances of one"),
        (SLOW, 0.0, "tolerance must be between 0 and 1, got 0.0"),
    ],
)
def test_what_cannot_settle_is_named(wires: Wires, tolerance: float, message: str) -> None:
    with pytest.raises(NumericError) as caught:
        settling(uniform(3, 4), np.ones(3), wires).settled_s(tolerance)
    assert str(caught.value) == f"wires: {message}"
