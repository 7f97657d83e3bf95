"""Sequences by number: equal ones are one, and what is used comes in the order of its first use."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim import _sequences
from archsim.program import Sequence
from archsim.sequences import Sequences, first_uses, ints, starts

TABLES = st.lists(st.integers(-2, 2), min_size=1, max_size=6)
RECORDS = st.lists(st.builds(Sequence, TABLES.map(tuple), st.integers(-1, 1), st.integers(-1, 1)))


def test_equal_sequences_have_one_number_however_they_are_given():
    sequences = Sequences()
    once = sequences.number(ints([0, 1, 2]), ints([0, 3]), ints([3])).tolist()
    assert sequences.of([Sequence((0, 1, 2), 3), Sequence((0, 1, 2), 4)]).tolist() == [*once, once[0] + 1]
    assert sequences.of([Sequence((0, 1, 2), 3, 1)]).tolist() == [once[0] + 2]
    assert sequences[once[0] + 2] == Sequence((0, 1, 2), 3, 1)
    assert (len(sequences), sequences.values) == (3, 9)


@given(st.lists(RECORDS))
def test_sequences_are_numbered_in_the_order_in_which_they_first_come(batches):
    sequences = Sequences()
    known: dict[Sequence, int] = {}
    for batch in batches:
        expected = [known.setdefault(record, len(known)) for record in batch]
        assert sequences.of(batch).tolist() == expected
    assert [sequences[number] for number in range(len(sequences))] == list(known)


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6)))
def test_tokens_given_for_the_firings_that_have_some_are_those_of_all_firings(tables):
    pairs = [[(n, tokens) for n, tokens in enumerate(table) if tokens] for table in tables]
    firing, tokens = ints([pair for each in pairs for pair in each]).reshape(-1, 2).T.copy()
    given_so = firing, tokens, starts([len(each) for each in pairs])
    records = [Sequence(tuple(table)) for table in tables]
    sparse_first, sparse_last = Sequences(), Sequences()
    numbers = sparse_first.at_firings(*given_so, ints([len(table) for table in tables])).tolist()
    assert [sparse_first[number] for number in numbers] == records
    assert sparse_first.of(records).tolist() == numbers
    assert sparse_last.of(records).tolist() == numbers
    assert sparse_last.at_firings(*given_so, ints([len(table) for table in tables])).tolist() == numbers


def test_many_sequences_find_their_numbers_again_after_the_table_has_grown():
    sequences, values = Sequences(), np.arange(40_000)
    edges, none = np.arange(0, 40_001, 4), np.zeros(10_000, np.int64)
    assert sequences.number(values, edges, none).tolist() == list(range(10_000))
    assert sequences.number(values, edges, none).tolist() == list(range(10_000))
    assert sequences[9_999] == Sequence((39_996, 39_997, 39_998, 39_999))


@given(st.lists(RECORDS))
def test_plain_python_gives_the_numbers_of_compiled_code(batches):
    compiled, plain = Sequences(), Sequences()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_mixed", "_next", "_is"):
            patch.setattr(_sequences, name, getattr(_sequences, name).py_func)
        for name in ("number", "spread", "gathered"):
            patch.setattr(_sequences, name, getattr(_sequences, name).__wrapped__)
        alone = [plain.of(batch).tolist() for batch in batches]
    assert [compiled.of(batch).tolist() for batch in batches] == alone


def test_the_tables_hold_what_is_used():
    sequences = Sequences()
    first, _, third = sequences.of([Sequence(table, 1, 2) for table in ((4,), (5,), (6, 7))]).tolist()
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
