"""What ``archsim explain`` prints and writes."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from archsim.compile.network import compile_network
from archsim.report.explain import explain_json, explain_tables, headline, write_explanation
from archsim.sim.explain import Explanation, WhatIf, explain_network
from archsim.sim.whatif import Change, Times
from tests.networks import CONVOLUTIONS, chip, network

US = 10**6


@pytest.fixture(scope="module")
def found() -> Explanation:
    made = compile_network(
        network(CONVOLUTIONS, (3, 8, 8)), chip("isaac-ce", 8, "tile.core.components.adc.rate=0.32 GHz"), 1, "none"
    )
    return explain_network(made, images=4, resolved={"chip": "name: a\n", "run": "images: 4\n"}, config_hash="0123")


def printed(content: Any) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(content)
    return console.export_text()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def times(interval_us: float, latency_us: int = 10) -> Times:
    return Times(interval_us * US, latency_us * US, "one[0.0] mvm", 0.97)


def told(found: Explanation, kind: str, names: tuple[str, ...], twice: float, without: float) -> str:
    """The headline with one what-if, of an interval of 8 us before."""
    what_if = WhatIf(Change(kind, names), times(twice), times(without))  # type: ignore[arg-type]
    return headline(dataclasses.replace(found, times=times(8), what_ifs=(what_if,)))


# -- the sentence ---------------------------------------------------------------------------------


def test_a_component_is_named_with_its_layer_its_share_and_what_it_would_bring(found: Explanation) -> None:
    assert told(found, "component", ("core.adc",), 4, 2) == (
        "core.adc in one: 100% of the critical path. Twice as fast, an image every 4 us in place of 8 us, 2.00x "
        "faster; if it took no time 2 us, 4.00x, and one[0.0] mvm would be busiest."
    )


def test_of_several_layers_the_one_with_most_is_named(found: Explanation) -> None:
    assert found.steady is not None
    parts = {(("core.adc",), "one"): 60, (("core.adc",), "two"): 20, (("tile.bus",), "two"): 20}
    steady = dataclasses.replace(
        found.steady, parts=parts, stretch=dataclasses.replace(found.steady.stretch, begin=0, finish=100)
    )
    shared = dataclasses.replace(found, steady=steady)
    assert told(shared, "component", ("core.adc",), 4, 2).startswith("core.adc, most of it in one: 80% of the critical")


def test_room_is_named_with_who_waits_for_it_and_what_the_path_is_made_of(found: Explanation) -> None:
    sentence = told(found, "room", ("tile.buffer.capacity",), 5, 4)
    assert sentence == (
        "tile.buffer.capacity: stages wait for room there. With twice as much, an image every 5 us in place of 8 us, "
        "1.60x faster; with room without end 4 us, 2.00x. Now 100% of the critical path is core.adc."
    )
    assert found.steady is not None
    wait = dataclasses.replace(found.steady.waits[0], what="one out blocked by two fetch, room in buffers")
    blocked = dataclasses.replace(found, steady=dataclasses.replace(found.steady, waits=(wait,)))
    assert ", most of all one out blocked by two fetch. With" in told(blocked, "room", ("x",), 5, 4)


def test_where_nothing_brings_anything_it_says_so(found: Explanation) -> None:
    assert told(found, "component", ("core.adc",), 7.9, 7.9) == (
        "nothing alone limits: twice as much of no component and no room brings more than 2 % (an image every 8 us). "
        "Most of the critical path is core.adc, 100%."
    )


def test_a_single_inference_has_a_latency_and_no_interval(found: Explanation) -> None:
    single = dataclasses.replace(found, steady=None, images=1)
    assert "one image in 4 us in place of 8 us" in told(single, "component", ("core.adc",), 4, 2)


# -- tables ---------------------------------------------------------------------------------------


def test_all_tables_are_printed(found: Explanation) -> None:
    text = printed(explain_tables(found))
    assert text.startswith("small on 1 × isaac-ce  (compiled engine, detail core, 4 images, ")
    assert text.splitlines()[1].startswith("core.adc in one: 100% of the critical path.")
    for title in ("What is explained", "Why the critical path takes its time", "By component", "By layer", "Waits"):
        assert f"\n{title} " in text
    assert "\nWhat if " in text
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if "│" in line]
    (row,) = (row for row in cells if row[0] == "between inferences")
    assert re.fullmatch(r"\d images, a loop through one\[0\.0\] mvm: 409\.6 us each; the interval .* 409\.6 us", row[2])
    assert any(row[:3] == ["core.adc", "100.0%", "2.00x"] or row[0] == "core.adc" for row in cells)


def test_names_out_of_files_print_as_they_are(found: Explanation) -> None:
    named = dataclasses.replace(found, workload="[red]x[/red]", chip="a\x1b[2J")
    assert "[red]x[/red] on 1 × a�[2J" in printed(explain_tables(named))


def test_long_tables_are_cut_for_the_terminal_and_not_in_files(found: Explanation, tmp_path: Path) -> None:
    parts = {(("core.adc",), f"layer{k}"): 10 for k in range(30)}
    assert found.steady is not None
    stretch = dataclasses.replace(found.steady.stretch, begin=0, finish=300)
    many = dataclasses.replace(found, steady=dataclasses.replace(found.steady, parts=parts, stretch=stretch))
    text = printed(explain_tables(many))
    assert ("layer11" in text, "layer29" in text) == (True, False)
    write_explanation(many, tmp_path)
    assert {row["layer"] for row in rows(tmp_path / "layers.csv")} >= {f"layer{k}" for k in range(30)}


# -- JSON and files -------------------------------------------------------------------------------


def test_the_json_adds_up(found: Explanation) -> None:
    value = json.loads(json.dumps(explain_json(found), allow_nan=False))
    assert (value["chip"], value["workload"], value["images"], value["config_hash"]) == ("isaac-ce", "small", 4, "0123")
    assert value["interval_s"] == pytest.approx(409.6e-6, rel=1e-6)
    assert value["bottleneck"]["names"] == ["core.adc"]
    assert value["bottleneck"]["sentence"] == headline(found)
    for name in ("between_inferences", "one_inference", "whole_run"):
        view = value[name]
        whole = view["finish_ps"] - view["begin_ps"]
        for table in ("reasons", "components", "layers", "parts", "waits"):
            assert sum(row["ps"] for row in view[table]) == whole
        assert sum(row["share"] for row in view["components"]) == pytest.approx(1)
    first = value["what_ifs"][0]
    assert first["names"] == ["core.adc"]
    assert first["gain_twice"] == pytest.approx(value["interval_s"] / first["twice_interval_s"])
    assert first["gain_without"] == pytest.approx(value["interval_s"] / first["without_interval_s"])


def test_a_single_inference_has_no_time_between(found: Explanation) -> None:
    assert explain_json(dataclasses.replace(found, steady=None))["between_inferences"] is None


def test_the_files_hold_the_tables_and_the_path(found: Explanation, tmp_path: Path) -> None:
    write_explanation(found, tmp_path)
    tables = {"reasons", "components", "layers", "waits", "what-if"}
    expected = {f"{name}.{end}" for name in tables for end in ("csv", "md")}
    expected |= {"resolved.yaml", "bottleneck.txt", "path.csv"}
    assert {path.name for path in tmp_path.iterdir()} == expected
    assert (tmp_path / "bottleneck.txt").read_text() == headline(found) + "\n"
    assert yaml.safe_load((tmp_path / "resolved.yaml").read_text()) == {"chip": {"name": "a"}, "run": {"images": 4}}
    for name, columns in (("components", 3), ("layers", 3), ("reasons", 3)):
        records = rows(tmp_path / f"{name}.csv")
        for view in list(records[0])[1 : 1 + columns]:
            assert sum(float(row[view]) for row in records) == pytest.approx(1)
    path = rows(tmp_path / "path.csv")
    assert (path[0]["begin_ps"], int(path[-1]["finish_ps"])) == ("0", found.makespan_ps)
    assert all(a["finish_ps"] == b["begin_ps"] for a, b in itertools.pairwise(path))
    assert {"interval", "latency", "hop"} <= {row["kind"] for row in path}
