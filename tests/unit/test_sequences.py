"""Sequences by number: equal ones are one, and what is used comes in the order of its first use."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archsim.program import Sequence
from archsim.sequences import Sequences, first_uses, ints, starts


def test_equal_sequences_have_one_number_however_they_are_given():
    sequences = Sequences()
    once = sequences.of_bytes(ints([0, 1, 2]).tobytes(), 3)
    assert sequences.of(Sequence((0, 1, 2), 3)) == once
    assert sequences.numbers([Sequence((0, 1, 2), 3), Sequence((0, 1, 2), 4)]).tolist() == [once, once + 1]
    assert sequences.of(Sequence((0, 1, 2), 3, 1)) == once + 2
    assert sequences[once + 2] == Sequence((0, 1, 2), 3, 1)
    assert sequences.values == 9


def test_tokens_are_given_for_the_firings_that_have_some():
    sequences = Sequences()
    number = sequences.at_firings(ints([1, 5, 3, 7]).tobytes(), 5)
    assert sequences[number] == Sequence((0, 5, 0, 7, 0))
    assert sequences.of(Sequence((0, 5, 0, 7, 0))) == number
    assert sequences.at_firings(ints([1, 5, 3, 7]).tobytes(), 4) != number


def test_the_tables_hold_what_is_used():
    sequences = Sequences()
    first, _, third = (sequences.of(Sequence(table, 1, 2)) for table in ((4,), (5,), (6, 7)))
    tables, (column,) = sequences.used([ints([third, first, third])])
    assert column.tolist() == [0, 1, 0]
    assert tables.pool.tolist() == [6, 7, 4]
    assert tables.start.tolist() == [0, 2]
    assert tables.period.tolist() == [2, 1]
    assert (tables.increment.tolist(), tables.offset.tolist()) == ([1, 1], [2, 2])


@given(st.lists(st.integers(0, 9)))
def test_first_uses_are_those_of_a_dictionary(numbers):
    assert first_uses(ints(numbers), 10).tolist() == list(dict.fromkeys(numbers))


@given(st.lists(st.integers(0, 9)))
def test_groups_begin_where_those_before_them_end(counts):
    assert np.array_equal(np.diff(starts(counts)), counts)
    assert starts(counts)[0] == 0
