"""PUMA from its components alone, held to what the paper prints.

Ankit et al., ASPLOS 2019, Tables 3 and 6.  The printed rows of a tile sum to more than its printed total; archsim
holds the sums.
"""

from __future__ import annotations

from typing import Any

import pytest

from archsim.report.hardware import show_hardware

TWO_PERCENT = 0.02


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    return show_hardware("chip", "puma")[0]


def paper(shown: dict[str, Any], metric: str) -> list[float]:
    return [figure["paper"] for figure in shown["published"] if figure["metric"] == metric]


PRINTED_ROWS_MW = [8 * 42.37, 0.05, 1.91, 17.66, 7.0, 2.77, 9.14]
"""Table 3, a tile: eight cores, control unit (power after the authors' simulator), memories, bus, receive buffer."""

PRINTED_ROWS_MM2 = [8 * 0.036, 0.00145, 0.0054, 0.086, 0.09, 0.012, 0.0044]


def test_a_tile_holds_the_sum_of_its_printed_rows_and_not_the_printed_total(shown: dict[str, Any]) -> None:
    power, area = shown["tile"]["power_w"] * 1e3, shown["tile"]["area_mm2"]
    assert power == pytest.approx(378.0, rel=0.001)
    assert area == pytest.approx(0.487, rel=0.003)
    assert power == pytest.approx(sum(PRINTED_ROWS_MW), rel=0.003)
    assert area == pytest.approx(sum(PRINTED_ROWS_MM2), rel=0.003)
    assert power > 373.8
    assert area > 0.479
    assert any("sum to more" in line for line in shown["deviations"])


@pytest.mark.parametrize(
    ("level", "key", "printed"),
    [
        ("core", "power_w", 42.37e-3),  # Table 3
        ("core", "area_mm2", 0.036),  # Table 3
        ("tile", "power_w", 373.8e-3),  # Table 3
        ("tile", "area_mm2", 0.479),  # Table 3
        ("chip", "power_w", 62.5),  # Table 3, node
        ("chip", "area_mm2", 90.6),  # Table 3, node
    ],
)
def test_sums_agree_with_what_is_printed_within_two_percent(
    shown: dict[str, Any], level: str, key: str, printed: float
) -> None:
    assert shown[level][key] == pytest.approx(printed, rel=TWO_PERCENT)
    assert paper(shown, f"{level}.{key}") == [printed]


@pytest.mark.parametrize(
    ("rows", "power_mw", "area_mm2"),
    [
        (("core.control",), 0.25, 0.0033),
        (("core.instruction_memory",), 1.52, 0.0031),
        (("core.register_file",), 0.477, 0.00192),
        (("core.vector",), 1.9, 0.004),
        # two MVM units of 19.09 mW and 0.012 mm2, split into the components of the authors' simulator
        (tuple(f"core.{name}" for name in ("input_register", "dac", "crossbar", "sample_hold", "adc", "shift_add",
                                           "output_register")), 2 * 19.09, 2 * 0.012),
        (("tile.instruction_memory",), 1.91, 0.0054),
        (("tile.data_memory",), 17.66, 0.086),
        (("tile.memory_bus",), 7.0, 0.09),
        (("tile.attribute_memory",), 2.77, 0.012),
        (("tile.receive_buffer",), 9.14, 0.0044),
        (("chip.router",), 570.63, 1.622),  # on-chip network of a node
        (("chip.hyper_transport",), 10400, 22.88),
    ],
)  # fmt: skip
def test_each_printed_row_of_table_3_is_met(
    shown: dict[str, Any], rows: tuple[str, ...], power_mw: float, area_mm2: float
) -> None:
    often = {"core": 8 * 138, "tile": 138, "chip": 1}[rows[0].split(".")[0]]
    power = sum(shown["power_breakdown_w"][row] for row in rows) / often * 1e3
    area = sum(shown["area_breakdown_mm2"][row] for row in rows) / often
    assert power == pytest.approx(power_mw, rel=0.005)
    assert area == pytest.approx(area_mm2, rel=0.04)  # printed to one or two digits


def test_one_mvm_takes_the_published_2304_ns(shown: dict[str, Any]) -> None:
    assert shown["mvm"]["latency_ns"] == 2304
    assert paper(shown, "mvm.latency_ns") == [2304]


def test_a_node_holds_the_published_69_mib_in_2208_mvm_units(shown: dict[str, Any]) -> None:
    assert shown["storage"]["weights_mib"] == 69
    assert shown["storage"]["arrays"] == 2208 * 8


def test_the_published_peak_does_not_follow_from_the_published_latency_and_is_not_copied(shown: dict[str, Any]) -> None:
    assert shown["peak"]["tops"] == pytest.approx(2208 * 32768 / 2304e-9 / 1e12)  # 31.40
    overlapped = next(reading for reading in shown["readings"] if reading["name"] == "MVMs overlap")
    assert overlapped["peak"]["tops"] == pytest.approx(2208 * 32768 / 2048e-9 / 1e12)  # 35.33
    assert paper(shown, "peak.tops") == [52.31, 26.2]  # Table 6; the review's Table 3
    assert any("52.31 TOPS does not follow" in line for line in shown["deviations"])
