"""Benchmark suites: boards, runs, ratios and means, and what stands beside them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from archsim.errors import ArchsimError
from archsim.explore.benchmarks import RATIOS, Result, all_tables, prepared, ratios, run_suite
from archsim.explore.options import Options
from archsim.explore.suites import SUITES, Case, Figure, Suite, suite
from archsim.report.benchmarks import write_benchmarks
from archsim.results import Timing
from tests.networks import CONVOLUTIONS, fabricated, text

BASE, MINE, OTHER = Case("base", "dadiannao"), Case("mine", "isaac-ce"), Case("base-b", "dadiannao", (), "why")
FIGURE = Figure("throughput over base", ("throughput", "latency"), "14.8", "verified", "the paper")
GPU = Figure("over a GPU", (), "2 to 3", "verified", "the paper")
MADE_UP = Suite("made-up", "Made up", MINE, BASE, ("one", "two"), 1, (OTHER,), (FIGURE, GPU))


def run_of(case: Case, network: str, us: float):
    return Result(case, network, 1, fabricated(timing=Timing(5_000_000, 7_000_000, us * 1e6, 0.0, 2, 1)))


def made_up() -> list[Result]:
    times = {"base": (8.0, 8.0), "mine": (2.0, 1.0), "base-b": (16.0, 8.0)}
    return [
        run_of(case, network, times[case.label][k])
        for k, network in enumerate(("one", "two"))
        for case in MADE_UP.cases
    ]


def row(rows, over: str, metric: str):
    return next(r for r in rows if (r["over"], r["metric"]) == (over, metric))


def test_ratios_are_the_designs_over_the_baselines_with_both_means():
    found = row(ratios(MADE_UP, made_up()), "base", "throughput")
    assert (found["one"], found["two"]) == (pytest.approx(4), pytest.approx(8))
    assert found["geometric mean"] == pytest.approx(32**0.5)
    assert found["mean"] == pytest.approx(6)


def test_less_latency_and_energy_are_ratios_above_1():
    results = made_up()
    faster = fabricated(timing=Timing(1_000_000, 7_000_000, 2e6, 0.0, 2, 1), always_on_w=1.0)
    results[1] = Result(MINE, "one", 1, faster)
    rows = ratios(MADE_UP, results)
    assert row(rows, "base", "latency")["one"] == pytest.approx(5)
    assert row(rows, "base", "energy always on")["one"] == pytest.approx(4 * 8 / 2)


def test_the_throughput_ratio_is_that_of_the_peaks_times_that_of_the_shares():
    rows = ratios(MADE_UP, made_up())
    for over in ("base", "base-b"):
        parts = [row(rows, over, metric) for metric in ("throughput", "peak", "share of peak")]
        for network in ("one", "two"):
            assert parts[0][network] == pytest.approx(parts[1][network] * parts[2][network])


def test_a_reading_of_the_baseline_stands_in_its_place():
    assert row(ratios(MADE_UP, made_up()), "base-b", "throughput")["one"] == pytest.approx(8)


def test_a_network_that_a_design_refuses_has_no_ratio_and_counts_in_no_mean():
    results = made_up()
    results[0] = Result(BASE, "one", 1, None, "its buffer is too small")
    found = row(ratios(MADE_UP, results), "base", "throughput")
    assert found["one"] is None
    assert (found["geometric mean"], found["mean"]) == (pytest.approx(8), pytest.approx(8))
    table = all_tables(MADE_UP, results)["networks"]
    assert table[0]["limited by"] == "its buffer is too small"
    assert table[0]["TOPS"] is None


def test_published_figures_stand_beside_every_pair_and_alone_where_nothing_is_simulated():
    rows = all_tables(MADE_UP, made_up())["published"]
    assert [(r["paper"], r["archsim"], r["over"]) for r in rows] == [
        ("14.8", "throughput", "base"),
        ("14.8", "latency", "base"),
        ("14.8", "throughput", "base-b"),
        ("14.8", "latency", "base-b"),
        ("2 to 3", "", ""),
    ]
    assert rows[-1]["mean"] is None


def test_published_averages_change_nothing_that_is_simulated():
    other = Suite("made-up", "Made up", MINE, BASE, ("one", "two"), 1, (OTHER,), ())
    ours, theirs = all_tables(MADE_UP, made_up()), all_tables(other, made_up())
    assert (ours["networks"], ours["ratios"]) == (theirs["networks"], theirs["ratios"])


def test_suites_name_networks_chips_and_ratios_that_exist():
    for one in SUITES.values():
        assert {metric for figure in one.published for metric in figure.metrics} <= set(RATIOS)
        assert set(one.notes) <= set(one.networks)
        assert all(reading.chip in (one.design.chip, one.baseline.chip) and reading.why for reading in one.readings)


def test_some_networks_of_a_suite_keep_its_order_and_others_are_refused():
    assert suite("isaac-benchmarks", ["deepface", "vgg-a"]).networks == ("vgg-a", "deepface")
    assert suite("isaac-benchmarks", readings=False).readings == ()
    with pytest.raises(ArchsimError) as caught:
        suite("isaac-benchmarks", ["vgg-b"])
    assert str(caught.value).startswith("--workload: isaac-benchmarks has no network 'vgg-b'; did you mean 'vgg-")


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(text(CONVOLUTIONS, (3, 8, 8)))
    return str(path)


def test_a_board_doubles_until_every_design_holds_the_network(tmp_path: Path):
    path = tmp_path / "wide.yaml"
    path.write_text(text(({"dense": 8192, "bias": False},), (8192,), "wide"))  # 128 MiB of weights
    made = Suite("s", "S", Case("isaac-ce", "isaac-ce"), BASE, (str(path),), 1)
    assert [(case.label, chips) for case, _, _, chips in prepared(made)] == [("base", 4), ("isaac-ce", 4)]
    one = Suite("s", "S", Case("isaac-ce", "isaac-ce"), BASE, (str(path),), 16)
    assert {chips for *_, chips in prepared(one)} == {16}


def test_a_small_suite_runs_and_is_written_the_same_twice(small: str, tmp_path: Path):
    made = Suite("s", "S", MINE, BASE, (small,), 1, (), (FIGURE,))
    results = list(run_suite(made, Options(images=2)))
    assert [(r.case.label, r.chips) for r in results] == [("base", 1), ("mine", 1)]
    assert all(r.run is not None and r.run.energy_j > 0 for r in results)
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        write_benchmarks(all_tables(made, list(run_suite(made, Options(images=2)))), folder)
    names = sorted(path.name for path in folders[0].iterdir())
    assert names == [
        *("networks.csv", "networks.md", "networks.tex", "published.csv", "published.md", "ratios.csv", "ratios.md"),
        "report.md",
    ]
    assert all((folders[0] / name).read_bytes() == (folders[1] / name).read_bytes() for name in names)
    with (folders[0] / "networks.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["design"] for row in rows] == ["base", "mine"]
    json.dumps(all_tables(made, results), allow_nan=False)
