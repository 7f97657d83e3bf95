"""The field's table: one counting of operations, and one node by a rule that is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from archsim.cli import app
from archsim.errors import ArchsimError
from archsim.explore.review import review_records
from archsim.hardware.scaling import RULE, area_factor, energy_factor


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return review_records("32 nm", lambda name: None)


def one(records: list[dict[str, Any]], design: str, view: str, to: float | None = None) -> dict[str, Any]:
    return next(r for r in records if (r["design"], r["view"], r["scaled_to_nm"]) == (design, view, to))


def test_every_design_stands_in_every_view(records: list[dict[str, Any]]) -> None:
    designs = {record["design"] for record in records}
    assert len(records) == 4 * len(designs)


def test_all_designs_are_at_two_operations_a_multiply_accumulate(records: list[dict[str, Any]]) -> None:
    puma, isaac = one(records, "PUMA", "published"), one(records, "ISAAC-CE", "published")
    assert (puma["tops"], isaac["tops"]) == (52.4, 41.3)  # the review prints 26.2, and 41.3
    assert "26.2 TOPS of one operation a MAC" in puma["note"]
    assert one(records, "PUMA", "simulated")["tops"] == pytest.approx(31.40, abs=0.005)


def test_scaled_figures_are_those_of_the_rule_and_say_by_how_much(records: list[dict[str, Any]]) -> None:
    was, now = one(records, "HERMES 64-core chip", "published"), one(records, "HERMES 64-core chip", "published", 32)
    assert (now["area_factor"], now["energy_factor"]) == (area_factor(14, 32), energy_factor(14, 32))
    assert now["tops"] == was["tops"]
    assert now["tops_per_mm2"] == pytest.approx(was["tops_per_mm2"] / 2.7)
    assert now["tops_per_w"] == pytest.approx(was["tops_per_w"] / (energy_factor(14, 32) or 0))
    assert (was["area_factor"], was["scaled_to_nm"]) == (None, None)
    at_home = one(records, "ISAAC-CE", "simulated", 32)
    assert at_home["tops_per_w"] == one(records, "ISAAC-CE", "simulated")["tops_per_w"]


def test_a_design_without_a_node_is_not_scaled(records: list[dict[str, Any]]) -> None:
    scaled = one(records, "PipeLayer", "published", 32)
    assert (scaled["tops_per_mm2"], scaled["tops_per_w"]) == (None, None)
    assert scaled["note"] == "node not given, or outside of the rule"


def test_what_a_sum_leaves_out_is_not_shown_as_simulated(records: list[dict[str, Any]]) -> None:
    neurram = one(records, "NeuRRAM", "simulated")
    assert neurram["tops_per_mm2"] is None
    assert neurram["note"] == "tops_per_mm2 left out, not published: area outside of the cores"
    boltzmann = one(records, "Memristive Boltzmann machine", "simulated")
    assert (boltzmann["tops"], boltzmann["note"][:19]) == (None, "no model; missing: ")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ("3 nm", "--node: the scaling rule covers 7 to 130 nm, got '3 nm'"),
        ("32", "--node: "),
        ("32 mW", "--node: "),
    ],
)
def test_a_node_that_the_rule_does_not_cover_is_refused(node: str, message: str) -> None:
    with pytest.raises(ArchsimError, match=message):
        review_records(node, lambda name: None)


def test_the_command_writes_all_four_tables_and_names_the_rule(tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["table", "review", "--out", str(tmp_path / "out"), "--json", "-"])
    assert run.exit_code == 0, run.output
    assert len(json.loads(run.stdout)) > 100
    names = {path.name for path in (tmp_path / "out").iterdir()}
    views = ("published", "published-scaled", "simulated", "simulated-scaled")
    assert names == {"review.md", *(f"{view}.{ending}" for view in views for ending in ("csv", "tex"))}
    text = (tmp_path / "out" / "review.md").read_text()
    assert RULE in text
    assert "## As simulated, at 32 nm" in text
    printed = CliRunner().invoke(app, ["table", "review"])
    assert "As published, at 32 nm" in printed.stdout
