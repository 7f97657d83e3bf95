"""What is said of a published figure beside archsim's."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from archsim.report.published import AGREES, DIFFERS, NOT_ENOUGH, RECALLED, WITH_READING, beside, metrics
from archsim.spec.provenance import Published, Reading

READINGS = [Reading(name="slow", why="The text says so.", set={"a": 1})]


def judge(value: float | None, slow: float | None = None, **keys: Any) -> dict[str, Any]:
    figure = Published.model_validate({"metric": "m", "value": 100.0, "source": "s", "status": "verified"} | keys)
    return beside(figure, {"m": value}, READINGS, {"slow": {"m": slow}})


@pytest.mark.parametrize(("value", "verdict"), [(100.0, AGREES), (102.0, AGREES), (98.0, AGREES), (102.1, DIFFERS)])
def test_to_agree_is_to_lie_within_two_percent(value: float, verdict: str) -> None:
    out = judge(value)
    assert (out["verdict"], out["ratio"]) == (verdict, value / 100)


def test_a_reading_counts_only_where_the_figure_names_it() -> None:
    assert judge(150.0, slow=100.0)["verdict"] == DIFFERS
    out = judge(150.0, slow=100.0, reading="slow")
    assert (out["verdict"], out["reason"], out["ratio"]) == (WITH_READING, "slow: 100. The text says so.", 1.5)
    assert judge(150.0, slow=120.0, reading="slow", reason="It is slower.")["reason"] == "It is slower."


def test_a_figure_that_cannot_be_computed_is_not_compared() -> None:
    out = judge(100.0, missing="The clock.")
    assert (out["verdict"], out["reason"]) == (NOT_ENOUGH, "The clock.")
    assert (out["archsim"], out["ratio"], out["readings"]) == (None, None, {"slow": None})
    assert judge(None)["verdict"] == NOT_ENOUGH


def test_a_recalled_figure_is_no_target_even_if_it_fits() -> None:
    assert judge(100.0, status="recalled_not_found")["verdict"] == RECALLED


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"missing": "x", "reason": "y"}, "a figure that cannot be computed has no reason and no reading"),
        ({"at": {"a": 1}}, "'at' and 'over_at' need their words in 'when'"),
        ({"over_at": {"a": 1}, "when": "x"}, "'over_at' needs 'over', the chip that it is about"),
    ],
)
def test_what_makes_no_sense_together_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        judge(1.0, **keys)


def test_metrics_are_paths() -> None:
    assert metrics({"a": {"b": 1.0, "c": {"d": None}}, "e": 2}) == {"a.b": 1.0, "a.c.d": None, "e": 2}
