"""What follows from the numbers of a run, by hand on made-up ones."""

from __future__ import annotations

import json

import pytest

from archsim.results import Ledger, LedgerRow, geometric_mean, per
from tests.networks import RUN_KEYS, fabricated


def test_the_json_holds_every_promised_key_with_its_type() -> None:
    value = json.loads(json.dumps(fabricated().to_json(), allow_nan=False))
    for key, kind in RUN_KEYS.items():
        assert type(value[key]) is kind, key
    assert {"cells", "time"} <= set(value["utilisation"])
    assert {"layer", "reason"} <= set(value["bottleneck"])
    assert {"tops", "power_w", "area_mm2", "tops_per_w", "tops_per_mm2"} <= set(value["peak"])


def test_times_are_in_seconds_and_follow_from_picoseconds() -> None:
    value = fabricated().to_json()
    assert value["latency_s"] == pytest.approx(5e-6)
    assert value["steady_latency_s"] == pytest.approx(7e-6)
    assert value["interval_s"] == pytest.approx(2e-6)
    assert value["throughput_per_s"] == pytest.approx(500_000)
    assert (value["simulate_s"], value["wall_s"], value["compile_s"]) == (0.25, 0.8, 0.5)


def test_energy_is_the_sum_of_its_breakdown_and_power_times_interval() -> None:
    run = fabricated()
    value = run.to_json()
    # 1000 x 2 nJ + 400 x 1 nJ + 0.3 W x 2 us = 2 + 0.4 + 0.6 uJ
    assert value["energy_j_per_inference"] == pytest.approx(3e-6)
    assert value["energy_breakdown_j"] == pytest.approx({"core.adc": 2e-6, "tile.bus": 1e-6})
    assert sum(value["energy_breakdown_j"].values()) == value["energy_j_per_inference"]
    assert value["average_power_w"] == pytest.approx(1.5)
    assert value["average_power_w"] * value["interval_s"] == pytest.approx(value["energy_j_per_inference"], rel=1e-15)
    assert value["energy_always_on_j_per_inference"] == pytest.approx(4.0 * 2e-6)


def test_effective_tops_are_operations_done_over_time() -> None:
    assert fabricated().effective_tops == pytest.approx(2 * 500_000 / 2e-6 / 1e12)


def test_utilisation_is_two_numbers_and_their_product() -> None:
    utilisation = fabricated().to_json()["utilisation"]
    assert (utilisation["cells"], utilisation["time"]) == (0.5, 0.8)
    assert utilisation["product"] == pytest.approx(0.4)


def test_the_line_of_a_run_names_workload_board_and_the_main_figures() -> None:
    line = fabricated(chips=5).one_line()
    assert line == "w on 5 × a: 5e+05 image/s, latency 0.005 ms, 0.003 mJ (gated)"


def test_a_ledger_row_is_count_times_energy_and_nothing_else_enters_the_total() -> None:
    ledger = Ledger((LedgerRow("b", "x", 3.0, 2.0), LedgerRow("a", "y", 1.0, 0.5), LedgerRow("b", "static", 2.0, 0.25)))
    assert ledger.by_component() == {"b": 6.5, "a": 0.5}
    assert ledger.total_j() == 7.0
    assert [row["total_j"] for row in ledger.records()] == [6.0, 0.5, 0.5]
    assert list(ledger.records()[0]) == ["component", "action", "count", "energy_j", "total_j"]
    assert Ledger(()).total_j() == 0


def test_the_geometric_mean_of_a_ratio_and_its_inverse_is_one() -> None:
    assert geometric_mean([4.0, 0.25]) == pytest.approx(1.0)
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert geometric_mean([3.0]) == pytest.approx(3.0)


def test_a_figure_per_nothing_is_none() -> None:
    assert per(6.0, 3.0) == 2.0
    assert per(6.0, 0.0) is None
    assert per(None, 3.0) is None
    assert per(6.0, None) is None
