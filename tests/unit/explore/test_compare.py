"""Comparisons: boards of equal area, rows in order, and ratios by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from archsim.errors import ArchsimError, CompileError
from archsim.explore import compare as module
from archsim.explore.compare import METRICS, boards_of_equal_area, compare, prepare, ratios, several_nodes
from archsim.explore.options import Options
from archsim.explore.run import load_design
from archsim.hardware.rollup import chip_rollup
from archsim.results import Ledger, LedgerRow, Timing
from tests.networks import CONVOLUTIONS, DENSE, fabricated, small, text


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for name, layers, shape in (("first", CONVOLUTIONS, (3, 8, 8)), ("second", DENSE, (128,))):
        (tmp_path / f"{name}.yaml").write_text(text(layers, shape, name))
    return [str(tmp_path / "first.yaml"), str(tmp_path / "second.yaml")]


# -- boards -------------------------------------------------------------------------------------


def test_boards_for_lstm_2048_are_17_and_16_chips_of_about_one_area() -> None:
    designs = {(chip, "lstm-2048"): load_design(chip, "lstm-2048") for chip in ("isaac-ce", "puma")}
    boards = boards_of_equal_area(designs)
    assert boards == {"isaac-ce": 17, "puma": 16}
    area = {chip: boards[chip] * chip_rollup(designs[chip, "lstm-2048"].chip.model).area_mm2["chip"] for chip in boards}
    assert area == pytest.approx({"isaac-ce": 1452, "puma": 1465}, abs=0.6)


def test_the_design_that_needs_most_area_sets_it_and_holds_every_workload(monkeypatch: pytest.MonkeyPatch) -> None:
    # 85.42 mm² against 91.57: isaac needs 3 chips for the larger network, puma one
    needs = {("isaac-ce", "a"): 1, ("isaac-ce", "b"): 30, ("puma", "a"): 2, ("puma", "b"): 1}
    designs = {key: load_design(key[0], "mlp-l4") for key in needs}
    calls = iter(needs.values())
    monkeypatch.setattr(module, "chips_to_fit", lambda graph, chip: next(calls))
    assert boards_of_equal_area(designs) == {"isaac-ce": 30, "puma": round(30 * 85.42 / 91.57)}


def test_no_board_is_smaller_than_its_workloads_need(monkeypatch: pytest.MonkeyPatch) -> None:
    designs = {(chip, "mlp-l4"): load_design(chip, "mlp-l4") for chip in ("isaac-ce", "puma")}
    monkeypatch.setattr(module, "chips_to_fit", lambda graph, chip: 2)
    assert boards_of_equal_area(designs) == {"isaac-ce": 2, "puma": 2}


def test_a_number_of_chips_is_for_every_design(files: list[str]) -> None:
    comparison = prepare(["isaac-ce", "puma"], files, 3)
    assert comparison.chips == {"isaac-ce": 3, "puma": 3}
    assert list(comparison.designs) == [(chip, file) for chip in ("isaac-ce", "puma") for file in files]


def test_a_network_that_does_not_fit_the_given_boards_is_refused_before_anything_runs() -> None:
    with pytest.raises(CompileError, match=r"^lstm-2048 does not fit 16 × isaac-ce; 17 chips hold it once; --repr"):
        prepare(["puma", "isaac-ce"], ["mlp-l4", "lstm-2048"], 16)


def test_a_chip_without_area_has_no_board_of_equal_area(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        area_mm2 = {"chip": 0.0}

    monkeypatch.setattr(module, "chip_rollup", lambda chip: Nothing)
    with pytest.raises(
        ArchsimError, match=r"^isaac-ce has no area, so no board of equal area; give the number of chip"
    ):
        prepare(["isaac-ce", "puma"], files, None)
    assert prepare(["isaac-ce", "puma"], files, 1).chips == {"isaac-ce": 1, "puma": 1}


def test_two_files_of_one_name_are_refused(tmp_path: Path, files: list[str]) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("schema: 1\nkind: chip\nname: isaac-ce\nextends: isaac-ce\ntiles: 100\n")
    with pytest.raises(ArchsimError) as caught:
        prepare(["isaac-ce", str(other)], files, 1)
    assert str(caught.value) == (
        f"chips: 'isaac-ce' and {str(other)!r} are both named 'isaac-ce'; give each a name of its own"
    )
    twin = tmp_path / "twin.yaml"
    twin.write_text(text(DENSE, (128,), "first"))
    with pytest.raises(ArchsimError, match=r"^workloads: .* are both named 'first'; give each a name of its own$"):
        prepare(["isaac-ce"], [files[0], str(twin)], 1)


# -- rows ---------------------------------------------------------------------------------------


def test_runs_come_workload_by_workload_in_the_order_given_each_when_it_is_ready(
    files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def run_design(design, chips, options):  # type: ignore[no-untyped-def]
        done.append(f"{design.graph.name} on {chips} {design.chip.model.name}")
        return done[-1]

    monkeypatch.setattr(module, "run_design", run_design)
    steps: list[str] = []
    runs = compare(prepare(["puma", "isaac-ce"], files, 2), Options(), steps.append)
    assert next(runs) == "first on 2 puma"
    assert done == ["first on 2 puma"]  # nothing more has been run
    assert list(runs) == ["first on 2 isaac-ce", "second on 2 puma", "second on 2 isaac-ce"]
    assert steps == [f"{chip} {file}" for file in files for chip in ("puma", "isaac-ce")]


def test_a_real_comparison_gives_a_run_for_each_pair(files: list[str]) -> None:
    comparison = prepare(["isaac-ce", "puma"], [files[1]], None, small(4))
    runs = list(compare(comparison, Options(images=2)))
    assert [(run.chip, run.workload, run.chips) for run in runs] == [("isaac-ce", "second", 1), ("puma", "second", 1)]
    assert [dataclasses.replace(run, wall={}) for run in compare(comparison, Options(images=2), jobs=2)] == [
        dataclasses.replace(run, wall={}) for run in runs
    ]
    rows = ratios(runs)
    assert [row["metric"] for row in rows] == list(METRICS)


# -- ratios -------------------------------------------------------------------------------------


def made(chip: str, workload: str, interval_us: float, latency_us: float, energy_uj: float, area: float):  # type: ignore[no-untyped-def]
    return fabricated(
        chip=chip,
        workload=workload,
        timing=Timing(int(latency_us * 1e6), 1, interval_us * 1e6, 0.0, 8, 1),
        ledger=Ledger((LedgerRow("core.adc", "convert", 1.0, energy_uj * 1e-6),)),
        area_mm2=area,
        always_on_w=2.0 if chip == "a" else 1.0,
    )


RUNS = [
    made("a", "x", 2, 10, 4, 100),
    made("b", "x", 1, 20, 1, 50),
    made("a", "y", 3, 30, 2, 100),
    made("b", "y", 12, 15, 8, 50),
]


def test_ratios_are_over_the_first_design_for_each_workload_and_their_geometric_mean() -> None:
    rows = {row["metric"]: row for row in ratios(RUNS)}
    assert list(rows) == list(METRICS)
    expected = {
        "throughput": (2.0, 0.25),
        "throughput/mm2": (4.0, 0.5),
        "throughput/W": (4.0, 0.25),  # inferences a joule: 4 uJ against 1, 2 against 8
        "latency": (2.0, 0.5),
        "energy": (0.25, 4.0),
        "energy always on": (0.25, 2.0),  # half the power, half or four times the interval
    }
    for metric, (x, y) in expected.items():
        row = rows[metric]
        assert (row["chip"], row["over"]) == ("b", "a")
        assert (row["x"], row["y"]) == (pytest.approx(x), pytest.approx(y)), metric
        assert row["geometric mean"] == pytest.approx((x * y) ** 0.5), metric


def test_one_design_alone_has_no_ratios() -> None:
    assert ratios([RUNS[0], RUNS[2]]) == []
    assert ratios([]) == []


def test_a_cost_that_a_design_does_not_have_gives_no_ratio() -> None:
    rows = {row["metric"]: row for row in ratios([made("a", "x", 2, 10, 4, 100), made("b", "x", 1, 20, 0, 0)])}
    for metric in ("throughput/mm2", "throughput/W"):
        assert rows[metric]["x"] is None
        assert rows[metric]["geometric mean"] is None
    assert (rows["energy"]["x"], rows["energy"]["geometric mean"]) == (0.0, None)
    assert rows["throughput"]["geometric mean"] == pytest.approx(2.0)


def test_chips_of_several_technology_nodes_are_named_as_such(files: list[str], tmp_path: Path) -> None:
    newer = tmp_path / "newer.yaml"
    newer.write_text("schema: 1\nkind: chip\nname: newer\nextends: isaac-ce\ntile: {technology: 14 nm}\n")
    assert several_nodes(prepare(["isaac-ce", "puma"], files[:1], 1)) == ""
    assert several_nodes(prepare(["isaac-ce", str(newer)], files[:1], 1)) == (
        "the chips are of several technology nodes (isaac-ce 32 nm, newer 14 nm), and nothing is scaled between them"
    )
