"""Every number of a library file says where it is from and how far it is verified."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from archsim import library
from archsim.spec.base import Status
from archsim.spec.loader import load_node

FILES = [(kind, name) for kind in ("chip", "tile") for name in library.names(kind)]


@pytest.fixture(params=FILES, ids=[f"{kind} {name}" for kind, name in FILES])
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    kind, name = request.param
    return load_node(kind, name).plain()  # type: ignore[no-any-return]


def rows(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {f"components.{name}": row for name, row in document.get("components", {}).items()}
    core = document.get("core", {}).get("components", {})
    return found | {f"core.components.{name}": row for name, row in core.items()}


def test_every_component_row_has_a_source_and_a_status(document: dict[str, Any]) -> None:
    assert rows(document)
    for name, row in rows(document).items():
        assert len(row.get("source", "")) > 5, name
        assert row.get("status") in get_args(Status), name
        assert row["status"] != "set_by_user", name


def test_every_published_figure_has_a_source_and_a_status(document: dict[str, Any]) -> None:
    for figure in document.get("published", []):
        assert len(figure.get("source", "")) > 3, figure
        assert figure.get("status") in get_args(Status), figure
    if document["kind"] == "chip":
        assert document["published"]


def test_every_design_has_the_papers_bibtex_and_its_deviations(document: dict[str, Any]) -> None:
    assert re.match(r"@\w+\{\w+,", document["bibtex"])
    assert document["deviations"]
    assert document["title"]


def test_what_a_row_calls_assumed_is_a_key_of_its_kind(document: dict[str, Any]) -> None:
    from archsim.spec.component import component_class

    for name, row in rows(document).items():
        known = set(component_class(row["kind"]).model_fields)
        assert set(row.get("assumed", [])) <= known, name


def test_a_share_of_static_power_that_is_not_given_is_called_assumed(document: dict[str, Any]) -> None:
    for name, row in rows(document).items():
        assert (
            "static_share" in row
            or "static_share" in row.get("assumed", [])
            or row.get("power", "0 by energy")[:2] == "0 "
        ), name
