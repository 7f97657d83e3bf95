"""``archsim show`` for a workload."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsim.cli import app
from archsim.errors import ArchsimError
from archsim.report.workload import show_workload, workload_tables

NET = """schema: 1
kind: workload
name: net
title: "a [bold]net[/bold]"
source: "[b]me[/b]"
input: [4, 9, 9]
layers: [{conv: 6, kernel: 3, stride: [2, 1], pad: [1, 0, 0, 0], dilation: 2, groups: 2}]
"""


def rendered(path: Path) -> str:
    result = CliRunner().invoke(app, ["show", str(path)])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_json_has_the_promised_keys() -> None:
    result = CliRunner().invoke(app, ["show", "vgg16", "--json", "-"])
    out = json.loads(result.output)
    assert {"macs", "parameters", "windows", "layers"} <= set(out)
    for layer in out["layers"]:
        assert {"name", "op", "macs", "parameters", "windows", "output_shape"} <= set(layer)
    assert out["layers"][0]["output_shape"] == [64, 224, 224]


def test_an_override_shows_in_the_totals_and_in_the_hash() -> None:
    ours, changed = show_workload("lstm-2048"), show_workload("lstm-2048", ["sequence=100"])
    assert changed["macs"] == 2 * ours["macs"]
    assert changed["parameters"] == ours["parameters"]
    assert changed["config_hash"] != ours["config_hash"]


def test_published_totals_stand_beside_ours() -> None:
    figure = show_workload("resnet50")["published"][0]
    assert (figure["metric"], figure["paper"], figure["archsim"]) == ("trained_parameters", 25557032.0, 25557032)
    assert figure["ratio"] == 1.0


def test_the_table_prints_text_of_the_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(NET)
    text = rendered(path)
    assert "a [bold]net[/bold]" in text
    assert "[b]me[/b]" in text
    assert "18 × 3 × 2 groups" in text
    assert "3 × 3 / [2, 1], pad [1, 0, 0, 0], dilation 2" in text


def test_a_published_total_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(NET + "published: [{metric: mcas, value: 1, status: assumed, source: me}]\n")
    with pytest.raises(ArchsimError, match=r"^published: no metric 'mcas'; did you mean 'macs'\?$"):
        show_workload(str(path))


def test_every_library_workload_can_be_printed() -> None:
    for name in ("alexnet", "vgg16", "resnet18", "resnet50", "mlp-l4", "mlp-l5", "lstm-2048"):
        assert workload_tables(show_workload(name)).renderables
