"""Profiles of points on networks on chip of any topology."""

from __future__ import annotations

from archsim.compile.network import compile_network
from archsim.explore.profile import _floor_plan, link_counts
from archsim.spec.loader import load_chip
from archsim.workload import load_graph

RING = ["noc.columns=null", "noc.rows=null", "noc.topology=ring", "noc.shape=[42]"]


def test_channels_are_those_of_the_topology_without_those_that_failed():
    assert link_counts(load_chip("isaac-ce").model, 2)["channel"] == 2 * 2 * (6 * 6 + 7 * 5)
    assert link_counts(load_chip("isaac-ce", RING).model, 2)["channel"] == 2 * 2 * 42
    assert link_counts(load_chip("isaac-ce", [*RING, "noc.failed_links=[0-1]"]).model, 1)["channel"] == 2 * 41


def test_on_a_floor_plan_no_two_tiles_stand_in_one_place():
    for words in ([], ["noc.topology=torus"], RING):
        built = compile_network(load_graph("lenet-5")[0], load_chip("isaac-ce", words).model, 1)
        places = [tuple(row[:3]) for row in _floor_plan(built)]
        assert len(set(places)) == len(places) == 168
    usual = compile_network(load_graph("lenet-5")[0], load_chip("isaac-ce").model, 1)
    assert [row[1:3] for row in _floor_plan(usual)[:6]] == [[0, 0], [1, 0], [0, 1], [1, 1], [2, 0], [3, 0]]
