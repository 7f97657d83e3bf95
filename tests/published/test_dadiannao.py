"""DaDianNao at 32 nm from its components alone, held to what ISAAC's tables print of it.

Shafiee et al., ISCA 2016, in the corrected version of 5 October 2016, Tables I and IV; the review that prints the peak
is Aguirre et al., Nat. Commun. 15, 1974 (2024).  The numbers below are typed in from there and nowhere computed with.
"""

from __future__ import annotations

from typing import Any

import pytest

from archsim.report.hardware import show_hardware
from archsim.spec.loader import load_chip

NFU, WEIGHTS, BUFFER = "tile.core.components.nfu", "tile.components.weights", "tile.components.buffer"


def shown(*overrides: str) -> dict[str, Any]:
    return show_hardware("chip", "dadiannao", overrides)[0]


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return shown()


def test_power_and_area_add_up_to_what_is_printed(plain):
    assert plain["chip"]["power_w"] == pytest.approx(20.1, rel=0.005)
    assert plain["chip"]["area_mm2"] == pytest.approx(88, rel=0.005)
    assert 16 * plain["tile"]["power_w"] == pytest.approx(9.7, rel=0.005)  # Table I, 16 tiles, the bus apart
    bus = plain["area_breakdown_mm2"]["chip.global_bus"]
    assert 16 * plain["tile"]["area_mm2"] + bus == pytest.approx(65.1, rel=0.005)  # Table I, 16 tiles with the bus


def test_the_rows_of_the_edram_add_up_to_the_printed_one(plain):
    power, area = plain["power_breakdown_w"], plain["area_breakdown_mm2"]
    assert power["tile.weights"] + power["tile.buffer"] == pytest.approx(4.8, rel=1e-4)
    assert area["tile.weights"] + area["tile.buffer"] == pytest.approx(33.22, rel=1e-4)
    chip = load_chip("dadiannao").model
    rows = chip.tile.components
    whole = 16 * rows["weights"].capacity.value + rows["buffer"].capacity.value
    assert whole == 36 * 2**20 * 8


def test_the_peak_is_576_operations_a_cycle_of_each_tile(plain):
    assert plain["peak"]["tops"] == pytest.approx(16 * 576 * 606e6 / 1e12, rel=1e-12)
    assert plain["peak"]["tops"] == pytest.approx(5.58, rel=0.002)
    assert plain["peak"]["tops_per_mm2"] == pytest.approx(0.06346, rel=0.002)
    assert shown(f"{NFU}.other_macs=0")["peak"]["tops"] == pytest.approx(16 * 512 * 606e6 / 1e12, rel=1e-12)


def test_the_power_efficiency_misses_by_the_19_5_w_that_the_table_does_not_print(plain):
    assert plain["peak"]["tops_per_w"] * 20.11 / 19.5 == pytest.approx(0.2864, rel=0.005)


def test_its_density_is_half_of_what_all_of_the_edram_would_make_it(plain):
    assert plain["storage"]["weights_mib"] == 32
    assert plain["storage"]["mib_per_mm2"] * 36 / 32 == pytest.approx(0.41, rel=0.005)


@pytest.mark.parametrize(
    ("override", "moves"),
    [
        (f"{NFU}.inputs=8", {"peak.tops"}),
        (f"{NFU}.outputs=8", {"peak.tops"}),
        (f"{NFU}.other_macs=0", {"peak.tops"}),
        (f"{NFU}.rate=303 MHz", {"peak.tops", "mvm.interval_ns"}),
        (f"{NFU}.dataflow=systolic", {"mvm.latency_ns"}),
        (f"{NFU}.power=1 W", {"chip.power_w"}),
        (f"{NFU}.area=1.5 mm2", {"chip.area_mm2"}),
        (f"{WEIGHTS}.power=1 W", {"chip.power_w"}),
        (f"{WEIGHTS}.area=1.5 mm2", {"chip.area_mm2"}),
        (f"{WEIGHTS}.capacity=1 MiB", {"storage.weights_mib"}),
        (f"{WEIGHTS}.bandwidth=155.136 GB/s", {"peak.tops", "mvm.interval_ns"}),
        (f"{BUFFER}.power=1 W", {"chip.power_w"}),
        (f"{BUFFER}.area=1.5 mm2", {"chip.area_mm2"}),
        (f"{BUFFER}.shared_by=8", {"chip.power_w", "chip.area_mm2"}),
        ("components.global_bus.power=1 W", {"chip.power_w"}),
        ("components.global_bus.area=1 mm2", {"chip.area_mm2"}),
        ("components.hyper_transport.power=1 W", {"chip.power_w"}),
        ("components.hyper_transport.area=1 mm2", {"chip.area_mm2"}),
        ("tiles=8", {"peak.tops", "chip.power_w", "chip.area_mm2", "storage.weights_mib"}),
        ("tile.core.encoding.weight_bits=32", {"peak.tops", "mvm.interval_ns"}),
    ],
)
def test_every_input_of_a_cost_moves_what_it_should_and_nothing_else(plain, override, moves):
    other = shown(override)
    found = {
        metric
        for metric in (
            "peak.tops",
            "chip.power_w",
            "chip.area_mm2",
            "storage.weights_mib",
            "mvm.interval_ns",
            "mvm.latency_ns",
        )
        for group, key in [metric.split(".")]
        if other[group][key] != pytest.approx(plain[group][key], rel=1e-9)
    }
    assert found - {"mvm.latency_ns"} == moves - {"mvm.latency_ns"}
    assert "mvm.latency_ns" not in moves or "mvm.latency_ns" in found


def test_a_memory_of_half_the_bandwidth_halves_the_peak(plain):
    assert shown(f"{WEIGHTS}.bandwidth=155.136 GB/s")["peak"]["tops"] == pytest.approx(plain["peak"]["tops"] / 2)
