"""The errors themselves: one tree, whole messages, and hints that help."""

from __future__ import annotations

import inspect

import pytest

from archsim import errors
from archsim.errors import ArchsimError, Problem, SpecError, nearest


def test_every_error_is_an_archsim_error_and_stands_in_the_tree_at_the_top() -> None:
    for name in errors.__all__:
        value = getattr(errors, name)
        if inspect.isclass(value) and issubclass(value, Exception):
            assert issubclass(value, ArchsimError)
            assert name in (errors.__doc__ or "")


def test_a_spec_error_lists_all_mistakes_a_line_each() -> None:
    error = SpecError([Problem("f.yaml:1:2", "wrong"), Problem("f.yaml:3:4", "worse")])
    assert str(error) == "f.yaml:1:2: wrong\nf.yaml:3:4: worse"


def test_a_spec_error_with_very_many_mistakes_lists_the_first_hundred() -> None:
    lines = str(SpecError([Problem("f.yaml", str(n)) for n in range(250)])).splitlines()
    assert len(lines) == 101
    assert lines[-1] == "and 150 more like these"


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("powr", "; did you mean 'power'?"),
        ("POWER", "; did you mean 'power'?"),
        ("mw", "; did you mean 'mW'?"),
        ("xyzzy", ""),
        ("", ""),
        ("x" * 10**6, ""),
    ],
)
def test_the_nearest_name_is_hinted_at_if_it_is_near(word: str, hint: str) -> None:
    assert nearest(word, ["power", "area", "mW", "W"]) == hint
