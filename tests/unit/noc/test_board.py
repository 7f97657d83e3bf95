"""The board: XY routes, trees that use no link twice, and the links between chips."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.noc.board import HOST, Board
from archsim.noc.routing import routing
from archsim.noc.topology import grid, merged, snake
from archsim.spec.loader import load_chip

CHIP = load_chip("isaac-ce").model  # 7 × 6 routers, 4 tiles each
BOARD = Board(CHIP, 3)
TILES = st.integers(0, BOARD.tiles - 1)
PLACES = st.integers(HOST, BOARD.tiles - 1)


def test_a_mesh_joins_each_router_both_ways_with_its_neighbours_and_no_others():
    graph = grid((7, 6))
    assert len(graph) == 42
    assert graph.number_of_edges() == 2 * (6 * 6 + 7 * 5)
    assert all(abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1 for a, b in graph.edges)


def test_the_snake_visits_every_router_once_by_steps_to_a_neighbour():
    order = snake((7, 6))
    assert sorted(order) == sorted(grid((7, 6)))
    assert all(abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1 for a, b in pairwise(order))


@given(st.tuples(st.integers(0, 6), st.integers(0, 5)), st.tuples(st.integers(0, 6), st.integers(0, 5)))
def test_a_path_goes_along_the_row_first_and_is_as_long_as_the_distance(start, end):
    path = [start, *(node for node, _ in routing(grid((7, 6))).path(start, end))]
    assert (path[0], path[-1]) == (start, end)
    assert len(path) == 1 + abs(start[0] - end[0]) + abs(start[1] - end[1])
    turned = [a[0] == b[0] for a, b in pairwise(path)]
    assert turned == sorted(turned), "no step along the row after one along the column"


@given(TILES, TILES)
def test_on_one_chip_a_route_is_inject_channels_eject(source, target):
    if BOARD.chip_of(source) != BOARD.chip_of(target):
        return
    path = BOARD.path(source, target)
    if source == target:
        assert path == ()
        return
    a, b = BOARD.router_of(source), BOARD.router_of(target)
    distance = abs(a[0] - b[0]) + abs(a[1] - b[1])
    assert [key[0] for key in path] == ["inject", *["channel"] * distance, "eject"]
    assert (path[0], path[-1]) == (("inject", source), ("eject", target))


@given(PLACES, PLACES)
def test_between_chips_a_route_leaves_by_one_link_and_enters_by_one(source, target):
    outside = HOST in (source, target)
    if source == target or not (outside or BOARD.chip_of(source) != BOARD.chip_of(target)):
        return
    kinds = [key[0] for key in BOARD.path(source, target)]
    assert kinds.count("chip-out") == kinds.count("inject") == (source != HOST)
    assert kinds.count("chip-in") == kinds.count("eject") == (target != HOST)


@given(PLACES, st.lists(PLACES, min_size=1, max_size=20, unique=True))
def test_a_tree_uses_no_link_twice_and_leads_to_every_target(source, targets):
    nodes, hangs = BOARD.tree(source, targets)
    keys = [key for key, _ in nodes]
    assert len(set(keys)) == len(keys)
    assert all(-1 <= parent < index for index, (_, parent) in enumerate(nodes))
    for target, node in zip(targets, hangs, strict=True):
        if target == source:
            assert node == -1
        elif target == HOST:
            assert keys[node][0] == "chip-out"
        else:
            assert keys[node] == ("eject", target)


@given(TILES, st.lists(TILES, min_size=2, max_size=10, unique=True))
def test_in_a_tree_every_target_is_as_many_hops_away_as_by_its_own_path_on_the_same_chip(source, targets):
    near = [t for t in targets if BOARD.chip_of(t) == BOARD.chip_of(source)]
    if not near:
        return
    nodes, hangs = BOARD.tree(source, near)
    for target, hang in zip(near, hangs, strict=True):
        node, hops = hang, 0
        while node != -1:
            node, hops = nodes[node][1], hops + 1
        assert hops == len(BOARD.path(source, target))


def test_a_multicast_enters_another_chip_by_one_link():
    targets = list(range(168, 336))
    nodes, _ = BOARD.tree(0, targets)
    assert sum(key[0] == "chip-in" for key, _ in nodes) == 1


def test_paths_that_begin_alike_share_their_first_steps():
    assert merged(["abc", "abd", "", "a"]) == ([("a", -1), ("b", 0), ("c", 1), ("d", 1)], [2, 3, -1, 0])


def test_tiles_fill_routers_in_snake_order_four_to_each():
    assert [BOARD.router_of(tile) for tile in (0, 3, 4, 27, 28, 168)] == [
        (0, 0),
        (0, 0),
        (1, 0),
        (6, 0),
        (6, 1),
        (0, 0),
    ]
    assert [BOARD.chip_of(tile) for tile in (0, 167, 168, 503)] == [0, 0, 1, 2]


def test_links_of_a_chip_stand_at_its_corners():
    assert BOARD.ports == ((0, 0), (6, 5), (6, 0), (0, 5))


@pytest.mark.parametrize(
    ("kind", "hop", "bits", "time"),
    [
        ("inject", 1_000, 32, 1_000),  # a cycle of 1 GHz; 4 GB/s are 32 bits a ns
        ("channel", 4_000, 33, 1_032),  # three cycles in the router and one on the wire; 33 bits rounded up
        ("eject", 4_000, 16, 500),
        ("chip-out", 5_000, 512, 10_000),  # 6.4 GB/s
    ],
)
def test_times_of_links(kind, hop, bits, time):
    assert BOARD.models[kind].hop == hop
    assert BOARD.models[kind].serialisation(bits) == time
