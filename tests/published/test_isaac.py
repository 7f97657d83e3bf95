"""ISAAC-CE from its components alone, held to what the paper prints.

Shafiee et al., ISCA 2016, in the corrected version of 5 October 2016; the review that prints the peak is
Aguirre et al., Nat. Commun. 15, 1974 (2024).  The numbers below are typed in from there and nowhere computed with.
"""

from __future__ import annotations

from typing import Any

import pytest

from archsim.report.hardware import show_hardware

HALF_A_PERCENT = 0.005


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    return show_hardware("chip", "isaac-ce")[0]


def ratio(shown: dict[str, Any], metric: str) -> float:
    figures = [figure for figure in shown["published"] if figure["metric"] == metric and not figure["reason"]]
    assert len(figures) == 1
    return float(figures[0]["ratio"])


@pytest.mark.parametrize(
    ("level", "key", "printed"),
    [
        ("core", "power_w", 24.08e-3),  # Table I: 16 + 4 + 0.01 + 2.4 + 0.2 + 1.24 + 0.23 mW an IMA (12 IMAs: 289 mW)
        ("core", "area_mm2", 0.01312),  # Table I: rows of an IMA (12 IMAs: 0.157 mm2)
        ("tile", "power_w", 0.330),  # Table I, 1 tile
        ("tile", "area_mm2", 0.372),  # Table I, 1 tile
        ("chip", "power_w", 65.8),  # Table I, chip
        ("chip", "area_mm2", 85.4),  # Table I, chip
    ],
)
def test_power_and_area_add_up_to_what_is_printed(shown: dict[str, Any], level: str, key: str, printed: float) -> None:
    assert shown[level][key] == pytest.approx(printed, rel=HALF_A_PERCENT)
    assert ratio(shown, f"{level}.{key}") == pytest.approx(1, rel=HALF_A_PERCENT)


@pytest.mark.parametrize(
    ("rows", "power_mw", "area_mm2"),
    [
        ("core", 289, 0.157),  # Table I, 12 IMAs
        ("tile", 40.9, 0.215),  # Table I, rest of the tile, with a quarter of a router
    ],
)
def test_the_two_halves_of_a_tile_add_up(shown: dict[str, Any], rows: str, power_mw: float, area_mm2: float) -> None:
    def part(breakdown: dict[str, float]) -> float:
        return sum(value for key, value in breakdown.items() if key.startswith(f"{rows}.")) / 168

    assert part(shown["power_breakdown_w"]) * 1e3 == pytest.approx(power_mw, rel=HALF_A_PERCENT)
    assert part(shown["area_breakdown_mm2"]) == pytest.approx(area_mm2, rel=HALF_A_PERCENT)


def test_168_tiles_take_what_the_paper_prints_for_them(shown: dict[str, Any]) -> None:
    assert 168 * shown["tile"]["power_w"] == pytest.approx(55.4, rel=HALF_A_PERCENT)  # Table I
    assert 168 * shown["tile"]["area_mm2"] == pytest.approx(62.5, rel=HALF_A_PERCENT)  # Table I


def test_the_peak_is_two_operations_for_each_of_2016_logical_mvms_every_16_cycles(shown: dict[str, Any]) -> None:
    assert shown["peak"]["operations_per_mac"] == 2
    assert shown["peak"]["tops"] == pytest.approx(2016 * 32768 / 1.6e-6 / 1e12, rel=1e-12)
    assert shown["peak"]["tops"] == pytest.approx(41.29, abs=0.005)
    assert ratio(shown, "peak.tops") == pytest.approx(1, rel=HALF_A_PERCENT)  # 41.3 in the review's Table 3


def test_the_power_efficiency_is_that_of_table_iv(shown: dict[str, Any]) -> None:
    assert shown["peak"]["tops_per_w"] * 1e3 == pytest.approx(627.5, rel=HALF_A_PERCENT)


def test_the_computational_efficiency_and_the_density_of_storage_are_those_of_table_iv(shown: dict[str, Any]) -> None:
    assert shown["peak"]["tops_per_mm2"] * 1e3 == pytest.approx(478.95, rel=0.01)  # see the next test
    assert shown["storage"]["mib_per_mm2"] == pytest.approx(0.74, abs=0.005)
    assert shown["storage"]["arrays"] == 168 * 12 * 8
    assert shown["storage"]["weights_mib"] == 63


def test_both_readings_of_the_unit_column_are_shown(shown: dict[str, Any]) -> None:
    converted = next(reading for reading in shown["readings"] if reading["name"] == "unit column converted")
    assert converted["set"] == {"tile.core.encoding.convert_unit_columns": True}
    assert converted["mvm"]["interval_ns"] == pytest.approx(16 * 100.78125, rel=1e-5)  # 129 conversions at 1.28 GSps
    assert converted["peak"]["tops"] == pytest.approx(shown["peak"]["tops"] * 128 / 129, rel=1e-5)
    # Table IV's 478.95 GOPS/s/mm2 is 0.9 % below the first reading and 0.1 % below this one.
    assert converted["peak"]["tops_per_mm2"] * 1e3 == pytest.approx(478.95, rel=0.002)
    beside = next(f for f in shown["published"] if (f["metric"], f["paper"]) == ("peak.tops", 41.3))
    assert beside["readings"]["unit column converted"] == converted["peak"]["tops"]
    assert any("unit column" in line.lower() for line in shown["deviations"])


def test_the_adc_rate_of_the_table_is_shown_as_a_reading_and_declared_as_a_deviation(shown: dict[str, Any]) -> None:
    slow = next(reading for reading in shown["readings"] if "1.2 GSps" in reading["name"])
    assert slow["mvm"]["interval_ns"] == pytest.approx(16 * 106.667, rel=1e-5)  # 128 conversions at 1.2 GSps
    assert any("1.28 GSps" in line for line in shown["deviations"])


@pytest.mark.parametrize(
    ("group", "share"),
    [("tile_power", 0.58), ("tile_area", 0.31), ("chip_power", 0.49)],  # text
)
def test_the_adc_takes_the_share_that_the_paper_gives(shown: dict[str, Any], group: str, share: float) -> None:
    assert shown["shares"][group]["core.adc"] == pytest.approx(share, abs=0.005)


def test_no_other_component_takes_fifteen_percent_of_a_tiles_power(shown: dict[str, Any]) -> None:
    others = {key: share for key, share in shown["shares"]["tile_power"].items() if key != "core.adc"}
    assert max(others.values()) < 0.15  # text


def test_buffer_and_bus_take_the_share_of_a_tiles_area_that_the_paper_gives(shown: dict[str, Any]) -> None:
    area = shown["shares"]["tile_area"]
    assert area["tile.buffer"] + area["tile.bus"] == pytest.approx(0.47, abs=0.006)  # text


def test_one_mvm_takes_22_cycles_and_a_new_one_starts_every_16(shown: dict[str, Any]) -> None:
    assert (shown["mvm"]["interval_ns"], shown["mvm"]["latency_ns"]) == (1600, 2200)  # Fig. 4


def test_a_multiply_accumulate_of_16_bits_takes_one_conversion(shown: dict[str, Any]) -> None:
    assert shown["mvm"]["conversions_per_mac"] == 1  # 8 slices and 16 input bits over 128 rows
