"""By which links flows leave chips and enter them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archsim.compile.gates import Gates
from archsim.noc.board import HOST, Board
from archsim.spec.loader import load_chip

ISAAC = load_chip("isaac-ce").model
DADIANNAO = load_chip("dadiannao").model
TILES = 168


def test_the_first_flow_takes_the_shortest_ways():
    board = Board(ISAAC, 2)
    for tile in (0, 27, 80, 167):
        leave, (entry,) = Gates(board).ways(tile, [TILES + tile], 1000)
        ways = [len(board.path(tile, TILES + tile, port, port)) for port in range(4)]
        assert leave == entry == ways.index(min(ways))


def test_equal_flows_share_links_that_stand_at_one_router():
    gates = Gates(Board(DADIANNAO, 2))
    found = [gates.ways(0, [16], 100) for _ in range(8)]
    assert found[:4] == found[4:] == [(port, [port]) for port in range(4)]


def test_what_is_loaded_is_left_to_others_when_the_way_around_costs_less():
    board = Board(ISAAC, 2)
    gates, near = Gates(board), TILES  # the first tile of the second chip stands at its first link
    entries = [gates.ways(HOST, [near], 1000)[1][0] for _ in range(40)]
    counts = [entries.count(port) for port in range(4)]
    assert 20 < counts[0] < 40
    assert sum(count > 0 for count in counts) > 2


def test_small_flows_go_around_a_large_one_and_a_large_one_does_not_go_around_small_ones():
    board = Board(ISAAC, 2)
    gates = Gates(board)
    assert gates.ways(HOST, [TILES], 10**6)[1] == [0]
    assert gates.ways(HOST, [TILES], 1)[1] != [0]
    gates = Gates(board)
    assert gates.ways(HOST, [TILES], 1)[1] == [0]
    assert gates.ways(HOST, [TILES], 10**6)[1] == [0]


def test_on_one_chip_the_host_takes_the_nearest_link_always():
    board = Board(ISAAC, 1)
    gates = Gates(board)
    targets = [3, 100, HOST]
    assert [gates.ways(HOST, targets, 10**9) for _ in range(3)] == [(None, board.entries(targets))] * 3


PLACES = st.integers(-1, 3 * TILES - 1)


@given(PLACES, st.lists(PLACES, min_size=1, max_size=12, unique=True))
def test_into_one_chip_goes_one_link_and_none_within_a_chip(source, targets):
    board = Board(ISAAC, 3)
    leave, entries = Gates(board).ways(source, targets, 64)
    own = None if source == HOST else board.chip_of(source)
    by_chip: dict[int, set[int | None]] = {}
    for target, entry in zip(targets, entries, strict=True):
        if target == HOST or board.chip_of(target) == own:
            assert entry is None
        else:
            by_chip.setdefault(board.chip_of(target), set()).add(entry)
    assert all(len(found) == 1 and None not in found for found in by_chip.values())
    others = [t for t in targets if t == HOST or board.chip_of(t) != own]
    assert (leave is None) == (own is None or not others)
    for target, entry in zip(targets, entries, strict=True):
        path = board.path(source, target, entry, leave)
        assert len(set(path)) == len(path)
