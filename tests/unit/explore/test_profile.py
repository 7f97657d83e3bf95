"""Points looked into: their latency by what sets it, how busy tiles are, and traffic, held to the run's own figures."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from archsim.explore.options import Options
from archsim.explore.profile import bandwidths, profile, traffic
from archsim.explore.run import Design, load_design, run_design
from archsim.explore.study import load_study, run_study
from archsim.results import Run
from archsim.spec.loader import load_chip
from tests.networks import CONVOLUTIONS, text

SMALL = ["tiles=8", "noc.columns=2", "noc.rows=1"]
TWO = Options(images=2)


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    file = tmp_path_factory.mktemp("net") / "net.yaml"
    file.write_text(text(CONVOLUTIONS, (8, 16, 16), "net"))
    return load_design("isaac-ce", str(file), SMALL)


@pytest.fixture(scope="module")
def run(design: Design) -> Run:
    return run_design(design, 2, TWO)


def test_the_parts_of_the_latency_add_up_to_it(design: Design, run: Run) -> None:
    parts = profile(design, 2, TWO)["latency_by_cause_s"]
    assert sum(parts.values()) == pytest.approx(run.latency_s, rel=1e-9)
    assert {"core.adc", "tile.bus"} <= {name for cause in parts for name in cause.split(" = ")}


def test_the_mean_of_the_floor_plan_is_the_time_in_use_of_the_whole_board(design: Design, run: Run) -> None:
    plan = profile(design, 2, TWO)["floor_plan"]
    assert Counter(chip for chip, *_ in plan) == {0: 8, 1: 8}
    assert len({(chip, x, y) for chip, x, y, _ in plan}) == 16
    assert {(x, y) for _, x, y, _ in plan} == {(x, y) for x in range(4) for y in range(2)}
    mean = sum(busy for *_, busy in plan) / len(plan) / run.interval_s
    assert mean == pytest.approx(run.time_utilisation * run.cells["arrays_of_board"], rel=1e-9)


def test_tiles_of_a_ring_stand_in_a_square_in_their_order(design: Design) -> None:
    words = ["tiles=8", "noc.topology=ring", "noc.columns=null", "noc.rows=null", "noc.shape=[2]"]
    ring = Design(load_chip("isaac-ce", words), design.graph, design.workload)
    plan = profile(ring, 1, TWO)["floor_plan"]
    assert [(x, y) for _, x, y, _ in plan] == [(k % 3, k // 3) for k in range(8)]


def test_a_digital_design_has_a_floor_plan_and_no_parts_of_its_latency(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(text(CONVOLUTIONS, (8, 16, 16), "net"))
    found = profile(load_design("dadiannao", str(file)), None, TWO)
    assert found["latency_by_cause_s"] == {}
    assert max(busy for *_, busy in found["floor_plan"]) > 0


def test_traffic_is_that_of_the_run_and_no_link_carries_more_than_it_can(design: Design, run: Run) -> None:
    found = traffic(design.chip.model, run)
    assert {kind: values["bytes"] for kind, values in found.items()} == {
        kind: carried for kind, carried in run.bytes_by_link_kind.items() if carried
    }
    for kind, values in found.items():
        used = values["bytes"] / run.interval_s / values["bytes_per_s"]
        assert 0 < used <= run.busy_by_link_kind[kind]["max"] + 1e-9


def test_bandwidths_are_those_of_all_links_of_a_board() -> None:
    chip = load_chip("isaac-ce", []).model
    found = bandwidths(chip, 2)
    assert found["chip-in"] == 2 * 4 * 6.4e9 * 8
    assert found["inject"] == 2 * 168 * 4e9 * 8
    assert found["channel"] == 2 * 2 * (6 * 6 + 7 * 5) * 4e9 * 8  # a mesh of 7 by 6 routers, each way
    assert found["buffer"] == 2 * 168 * 10.24e9 * 8


@pytest.mark.parametrize("wanted", [0, 1])
def test_as_many_points_are_looked_into_as_the_study_says(
    wanted: int, design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(text(CONVOLUTIONS, (8, 16, 16), "net"))
    Path("s.yaml").write_text(
        "schema: 1\nkind: study\nname: s\ndesigns: [isaac-ce]\nworkloads: [net.yaml]\noptions: {images: 2}\n"
        "set: {tiles: 8, noc.columns: 2, noc.rows: 1}\nparameters: {chips: [1, 2]}\n"
        f"objectives: {{energy_j: min}}\nprofiles: {wanted}\n"
    )
    summary = run_study(load_study("s.yaml"), Path("out"))
    assert summary.run == 2
    parts, plan = pd.read_parquet("out/breakdown.parquet"), pd.read_parquet("out/floorplan.parquet")
    if not wanted:
        assert plan.empty
        assert parts["latency_s"].isna().all()
        return
    best = min(summary.records, key=lambda record: record["energy_j"])
    assert set(plan["point"]) == {best["point"]}
    assert parts.query(f"point == {best['point']}")["latency_s"].sum() == pytest.approx(best["latency_s"], rel=1e-9)
    assert set(pd.read_parquet("out/traffic.parquet")["point"]) == {0, 1}
    assert json.loads(Path("out/manifest.json").read_text())["points"] == 2
    assert run_study(load_study("s.yaml"), Path("out")).run == 0
