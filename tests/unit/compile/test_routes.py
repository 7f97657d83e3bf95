"""By which links flows leave chips and enter them, and the trees that their paths make."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.compile import routes
from archsim.compile.routes import Requests, forest, gates, keys_of, number_of_buffers, places
from archsim.noc.board import HOST, Board
from archsim.noc.topology import merged
from archsim.sequences import ints, starts
from archsim.spec.loader import load_chip
from tests.unit.compile.nets import chip

ISAAC = load_chip("isaac-ce").model
DADIANNAO = load_chip("dadiannao").model
TILES = 168

Flow = tuple[int, list[int], int]
"""The tile that it comes from, those that it goes to, and its bits."""


def asked(flows: Sequence[Flow]) -> Requests:
    sources, targets, bits = zip(*flows, strict=True)
    return Requests(
        ints(sources), starts([len(of) for of in targets]), ints([t for of in targets for t in of]), ints(bits)
    )


def ways(board: Board, flows: Sequence[Flow]) -> list[tuple[int | None, list[int | None]]]:
    """For each flow the link by which it leaves, and that by which it enters the chip of each target."""
    flow = asked(flows)
    found = gates(board, flow)
    leave, entries = ([None if n < 0 else n for n in of.tolist()] for of in found)
    return [(leave[k], entries[flow.edges[k] : flow.edges[k + 1]]) for k in range(len(flows))]


def test_the_first_flow_takes_the_shortest_ways():
    board = Board(ISAAC, 2)
    for tile in (0, 27, 80, 167):
        [(leave, [entry])] = ways(board, [(tile, [TILES + tile], 1000)])
        lengths = [len(board.path(tile, TILES + tile, port, port)) for port in range(4)]
        assert leave == entry == lengths.index(min(lengths))


def test_equal_flows_share_links_that_stand_at_one_router():
    found = ways(Board(DADIANNAO, 2), [(0, [16], 100)] * 8)
    assert found[:4] == found[4:] == [(port, [port]) for port in range(4)]


def test_what_is_loaded_is_left_to_others_when_the_way_around_costs_less():
    near = TILES  # the first tile of the second chip stands at its first link
    entries = [entry for _, [entry] in ways(Board(ISAAC, 2), [(HOST, [near], 1000)] * 40)]
    counts = [entries.count(port) for port in range(4)]
    assert 20 < counts[0] < 40
    assert sum(count > 0 for count in counts) > 2


def test_small_flows_go_around_a_large_one_and_a_large_one_does_not_go_around_small_ones():
    board = Board(ISAAC, 2)
    large, small = ways(board, [(HOST, [TILES], 10**6), (HOST, [TILES], 1)])
    assert large[1] == [0]
    assert small[1] != [0]
    assert [of[1] for of in ways(board, [(HOST, [TILES], 1), (HOST, [TILES], 10**6)])] == [[0], [0]]


def test_on_one_chip_the_host_takes_the_nearest_link_always():
    board = Board(ISAAC, 1)
    targets = [3, 100, HOST]
    assert ways(board, [(HOST, targets, 10**9)] * 3) == [(None, board.entries(targets))] * 3
    nearest = [len(board.path(90, HOST, leave=port)) for port in range(4)]
    assert ways(board, [(90, [HOST], 10**9)] * 3) == [(nearest.index(min(nearest)), [None])] * 3


PLACES = st.integers(-1, 3 * TILES - 1)


@given(PLACES, st.lists(PLACES, min_size=1, max_size=12))
def test_into_one_chip_goes_one_link_and_none_within_a_chip(source, targets):
    board = Board(ISAAC, 3)
    [(leave, entries)] = ways(board, [(source, targets, 64)])
    own = None if source == HOST else board.chip_of(source)
    by_chip: dict[int, set[int | None]] = {}
    for target, entry in zip(targets, entries, strict=True):
        if target == HOST or board.chip_of(target) == own:
            assert entry is None
        else:
            by_chip.setdefault(board.chip_of(target), set()).add(entry)
    assert all(len(found) == 1 and None not in found for found in by_chip.values())
    others = [t for t in targets if (None if t == HOST else board.chip_of(t)) != own]
    assert (leave is None) == (own is None or not others)
    for target, entry in zip(targets, entries, strict=True):
        path = board.path(source, target, entry, leave)
        assert len(set(path)) == len(path)


BOARDS = {
    "one chip": Board(chip(), 1),
    "three chips": Board(chip(), 3),
    "a torus": Board(load_chip("isaac-ce", ["noc.topology=torus"]).model, 2),
    "failed": Board(load_chip("isaac-ce", ["noc.failed_links=[0.0-0.1]", "noc.failed_tiles=[5]"]).model, 2),
    "several tiles a router": Board(DADIANNAO, 2),
}


@pytest.mark.parametrize("name", BOARDS)
@given(st.data())
def test_trees_are_the_merged_paths_of_the_board(name, data):
    board = BOARDS[name]
    place = st.integers(HOST, board.tiles - 1)
    flows = data.draw(
        st.lists(
            st.tuples(place, st.lists(place, min_size=1, max_size=6), st.integers(1, 1000)), min_size=1, max_size=9
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routes, "AT_ONCE", data.draw(st.integers(1, 20)))
        found = forest(board, asked(flows), gates(board, asked(flows)))
    edges, hangs = found.edges, iter(found.hangs.tolist())
    for k, ((source, targets, _), (leave, entries)) in enumerate(zip(flows, ways(board, flows), strict=True)):
        paths = [
            (*board.path(source, target, entry, leave), *([] if target == HOST else [("buffer", target)]))
            for target, entry in zip(targets, entries, strict=True)
        ]
        nodes, at = merged(paths)
        keys = keys_of(board, found.place[edges[k] : edges[k + 1]].tolist())
        assert list(zip(keys, found.parent[edges[k] : edges[k + 1]].tolist(), strict=True)) == nodes
        assert [next(hangs) for _ in targets] == at


@given(st.data())
def test_plain_python_finds_the_same(data):
    board = BOARDS["three chips"]
    place = st.integers(HOST, board.tiles - 1)
    flows = data.draw(
        st.lists(st.tuples(place, st.lists(place, min_size=1, max_size=6), st.integers(1, 99)), min_size=1, max_size=9)
    )
    compiled = forest(board, asked(flows), gates(board, asked(flows)))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_chip", "_pair", "_along", "_port", "_follow", "_path"):
            patch.setattr(routes._routes, name, getattr(routes._routes, name).py_func)
        for name in ("choose", "grow"):
            patch.setattr(routes._routes, name, getattr(routes._routes, name).__wrapped__)
        plain = forest(board, asked(flows), gates(board, asked(flows)))
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(compiled, plain, strict=True))


def test_every_place_has_a_key_of_its_own():
    board = BOARDS["three chips"]
    forest(board, asked([(0, list(range(board.tiles)), 1)]), gates(board, asked([(0, list(range(board.tiles)), 1)])))
    met = places(board) - board.chips * (board.network.ways.most_channels - len(board.network.ways.names))
    keys = list(keys_of(board, range(met)))
    assert len(set(keys)) == met
    assert keys[number_of_buffers(board) + 2] == ("buffer", 2)
