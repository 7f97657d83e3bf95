"""What is said of a published figure beside archsim's."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from archsim.errors import SpecError
from archsim.report.hardware import show_hardware
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


def test_a_ratio_to_another_chip_is_that_of_both_metrics() -> None:
    out, sums, _ = show_hardware("chip", "raella")
    eight = ["tile.core.encoding.weight_bits=8", "tile.core.encoding.input_bits=8"]
    free = [f"components.hyper_transport.{key}" for key in ("power=0 W", "area=0 mm2")]
    other = show_hardware("chip", "isaac-ce", [*eight, *free])[0]["peak"]["tops_per_w"]
    figure = next(f for f in out["published"] if f["metric"] == "peak.tops_per_w over isaac-ce")
    assert figure["archsim"] == pytest.approx(sums.peak_tops / sums.power_w["chip"] / other, rel=1e-12)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["over=isaac-se"], "published.1.over: no chip named 'isaac-se'; did you mean 'isaac-ce'?"),
        (
            ["over=isaac-ce", "over_at={tlie: 1}", "when=x"],
            "published.1.over_at: tlie: unknown key; did you mean 'tile'?",
        ),
    ],
)
def test_what_a_figure_is_over_must_be_there(keys: list[str], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        show_hardware("chip", "timely", [f"published.1.{key}" for key in keys])
    assert message in str(caught.value)


def test_metrics_are_paths() -> None:
    assert metrics({"a": {"b": 1.0, "c": {"d": None}}, "e": 2}) == {"a.b": 1.0, "a.c.d": None, "e": 2}
