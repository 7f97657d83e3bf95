"""The rule by which designs are put at one technology node."""

from __future__ import annotations

import pytest

from archsim.hardware.scaling import NODES_NM, area_factor, energy_factor


@pytest.mark.parametrize("node", NODES_NM)
def test_a_design_in_its_own_node_stays_as_it_is(node: float) -> None:
    assert area_factor(node, node) == 1
    assert energy_factor(node, node) == 1


@pytest.mark.parametrize(("here", "there"), [(65, 32), (14, 32), (28, 40), (130, 7)])
def test_there_and_back_is_where_it_began(here: float, there: float) -> None:
    for factor in (area_factor, energy_factor):
        one, other = factor(here, there), factor(there, here)
        assert one is not None
        assert other is not None
        assert one * other == pytest.approx(1, rel=1e-12)


def test_the_factors_are_those_of_the_paper() -> None:
    assert area_factor(65, 32) == 0.31  # Stillmaker and Baas, table of areas
    assert area_factor(32, 7) == pytest.approx(0.13, rel=0.02)  # the same table, rounded, in its row of 32 nm
    assert area_factor(45, 14) == pytest.approx(0.17, rel=0.01)
    at_65, at_32 = 3.755 * 0.64 - 4.398 * 0.8 + 1.975, 0.9559 * 0.64 - 0.7823 * 0.8 + 0.471
    assert energy_factor(65, 32) == pytest.approx(at_32 / at_65, rel=1e-12)


def test_smaller_nodes_take_less_area_and_less_energy_also_between_those_of_the_table() -> None:
    nodes = [130, 110, 90, 65, 55, 45, 40, 32, 28, 22, 20, 16, 14, 12, 10, 7]
    for factor in (area_factor, energy_factor):
        values = [factor(32, node) or 0 for node in nodes]
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == len(values)


@pytest.mark.parametrize("node", [180, 130.1, 5])
def test_outside_of_the_rule_there_is_no_factor(node: float) -> None:
    assert area_factor(node, 32) is None
    assert energy_factor(32, node) is None
