"""Ways that are put together are those of the board, and what is counted again is what was counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archsim.compile.builder import Builder, Work
from archsim.noc.board import HOST, Board
from tests.unit.compile.nets import chip

BOARD = Board(chip(), 3)
PLACES = st.one_of(st.just(HOST), st.integers(0, BOARD.tiles - 1))
PORTS = st.integers(0, len(BOARD.ports) - 1)


@given(st.lists(st.tuples(PLACES, PLACES, PORTS, PORTS), min_size=1, max_size=20))
def test_the_links_of_a_way_are_those_of_the_board_numbered_as_they_are_first_met(ways):
    builder = Builder(BOARD, 16)
    keys: list[object] = []
    for source, target, entry, leave in ways:
        way = source, target, None if target == HOST else entry, None if source == HOST else leave
        expected = [*BOARD.path(*way), *([] if target == HOST else [("buffer", target)])]
        keys += [key for key in dict.fromkeys(expected) if key not in keys]
        for _ in range(2):
            assert [keys[link] for link in builder._path(*way)] == expected
    assert [link.name for link in builder.links] == [" ".join(map(str, key)) for key in keys]


def test_the_work_of_what_is_alike_is_asked_once_and_counted_each_time():
    asked = []
    work, plain = Work(), Work()

    def count(of: Work) -> None:
        asked.append(of)
        for amount in (0.1, 0.0, 0.7):
            of.add("core.adc", "convert", amount)
        of.add("core.dac", "drive", 3)

    for key in ("a", "b", "a", "a"):
        work.same(key, lambda: count(work))
        count(plain)
    assert list(work.counts.items()) == list(plain.counts.items())
    assert asked.count(work) == 2
