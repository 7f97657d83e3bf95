"""What is kept of frozen models."""

from __future__ import annotations

from archsim.spec.base import Strict, kept


class Pair(Strict):
    values: list[int]


def test_an_answer_is_kept_for_a_model_and_not_for_one_that_is_equal():
    asked: list[Pair] = []

    @kept
    def total(pair: Pair) -> int:
        asked.append(pair)
        return sum(pair.values)

    first, equal = Pair(values=[1, 2]), Pair(values=[1, 2])
    other = first.model_copy(update={"values": [5]})
    assert [total(first), total(first), total(other), total(equal)] == [3, 3, 5, 3]
    assert [id(pair) for pair in asked] == [id(first), id(other), id(equal)]


def test_few_models_are_kept():
    asked: list[Pair] = []
    remember = kept(asked.append)
    for _ in range(2):
        for number in range(20):
            remember(Pair(values=[number]))
    assert len(asked) == 40
