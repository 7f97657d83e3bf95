"""Replication: the smallest interval against brute force, and a user's own factors."""

from __future__ import annotations

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from archsim.compile.network import compile_network
from archsim.compile.replicate import balanced, copies_at, given
from archsim.errors import CompileError
from tests.unit.compile.nets import chip, network

LAYERS = network(
    [3, 12, 12],
    {"conv": 8, "kernel": 3, "pad": 1, "name": "wide"},
    {"maxpool": 2},
    {"conv": 8, "kernel": 3, "pad": 1, "name": "half"},
    {"flatten": True},
    {"dense": 10, "name": "last"},
).matrix_layers
WINDOWS = {"wide": 144, "half": 36, "last": 1}


@drawn(st.integers(3, 400), st.integers(1, 5), st.integers(1, 5))
def test_bisection_finds_the_smallest_interval_whose_copies_fit(room, wide, half):
    """Every layer costs so much a copy; the cheapest way to reach an interval is ceil(windows / interval) copies."""
    cost = {"wide": wide, "half": half, "last": 1}

    def fits(copies: dict[str, int]) -> bool:
        return sum(cost[name] * count for name, count in copies.items()) <= room

    if not fits({"wide": 1, "half": 1, "last": 1}):
        return
    found = balanced(LAYERS, WINDOWS, fits)
    assert fits(found)
    reached = max(-(-WINDOWS[name] // count) for name, count in found.items())
    best = next(t for t in range(1, 145) if fits({name: -(-windows // t) for name, windows in WINDOWS.items()}))
    assert reached == best


def test_copies_are_windows_over_windows_each_rounded_up_and_at_most_what_is_allowed():
    assert copies_at(LAYERS, 10, WINDOWS) == {"wide": 15, "half": 4, "last": 1}
    assert copies_at(LAYERS, 10, {**WINDOWS, "wide": 7}) == {"wide": 7, "half": 4, "last": 1}


def test_a_recurrent_layer_keeps_one_copy():
    layers = network([8], {"lstm": 4}, {"dense": 3}, sequence=6).matrix_layers
    assert set(copies_at(layers, 1, {layer.name: 6 for layer in layers}).values()) == {1}


def test_layers_without_a_factor_of_the_user_have_one_copy():
    assert given(LAYERS, {"wide": 5}) == {"wide": 5, "half": 1, "last": 1}


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"wied": 2}, "replication: no layer with weights named 'wied'; did you mean 'wide'?"),
        ({"half": 37}, "replication: half has 36 windows and takes 1 to 36 copies, got 37"),
        ({"half": 0}, "replication: half has 36 windows and takes 1 to 36 copies, got 0"),
    ],
)
def test_wrong_factors_are_refused_by_name(factors, message):
    with pytest.raises(CompileError) as caught:
        given(LAYERS, factors)
    assert str(caught.value) == message


def test_a_users_factors_are_what_is_compiled():
    graph = network([3, 8, 8], {"conv": 4, "kernel": 3, "name": "a"}, {"conv": 4, "kernel": 3, "name": "b"})
    assert compile_network(graph, chip(), 1, {"a": 5}).copies == {"a": 5, "b": 1}
    assert compile_network(graph, chip(), 1, "none").copies == {"a": 1, "b": 1}


def test_balanced_copies_never_exceed_the_windows_of_a_layer():
    graph = network([3, 8, 8], {"conv": 4, "kernel": 3}, {"flatten": True}, {"dense": 3})
    copies = compile_network(graph, chip(), 1).copies
    assert all(1 <= copies[layer.name] <= layer.windows for layer in graph.matrix_layers)


def test_more_copies_than_the_board_holds_are_refused_with_demand_capacity_gap_and_levers():
    graph = network([64, 16, 16], {"conv": 128, "kernel": 3, "pad": 1, "name": "a"})
    small = chip("isaac-ce", "tiles=4")
    with pytest.raises(CompileError) as caught:
        compile_network(graph, small, 1, {"a": 20})
    # 576 × 128 weights: 5 × 8 arrays a copy; 4 tiles × 12 cores × 8 arrays
    assert str(caught.value) == (
        "small does not fit 1 × isaac-ce: it needs 800 arrays in whole cores, the board has 384, 416 too few. "
        "1 chips hold it once; fewer than 16 weight bits, more bits a cell or fewer copies need fewer arrays. "
        "--reprogram runs it in phases, between which the board is written."
    )
