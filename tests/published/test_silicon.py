"""The fabricated chips and the digital baselines: their derived inputs made again by hand, and a network on each."""

from __future__ import annotations

from math import exp, log, log10
from pathlib import Path
from typing import Any

import pytest

import archsim
from archsim.errors import CompileError
from archsim.hardware.rollup import chip_rollup, weights_per_tile
from archsim.hardware.scaling import area_factor, energy_factor
from archsim.report.hardware import show_hardware
from archsim.spec.component import Component
from archsim.spec.loader import load_chip
from archsim.units import Quantity

CORE = "tile.core.components"


def row(chip: str, name: str) -> Component:
    return load_chip(chip).model.tile.row(name)


def joule(component: Component) -> float:
    return component.energies_j(1000)[component.unit_action]


def found(chip: str, metric: str, when: str = "") -> dict[str, Any]:
    published = show_hardware("chip", chip)[0]["published"]
    return next(figure for figure in published if figure["metric"] == metric and when in figure["when"])


# -- what is derived, made again ----------------------------------------------------------------


def test_a_pcm_tile_takes_for_an_mvm_what_its_peak_efficiency_says_and_the_area_of_its_weights() -> None:
    crossbar = row("pcm-34-tile", "crossbar")
    operations = 2 * weights_per_tile(load_chip("pcm-34-tile").model.tile)
    assert operations == 2 * 512 * 512
    assert joule(crossbar) == pytest.approx(operations / 20.0e12)
    hermes = row("hermes-64", "crossbar").area_m2() / (256 * 256)
    assert crossbar.area_m2() == pytest.approx(512 * 512 * hermes, rel=1e-3)


def test_a_bit_in_the_macro_of_yao_takes_what_its_table_adds_up_to() -> None:
    drivers, array, hold, converters = 1.72e-12, 0.91e-12, 19.2e-12, 32 * 4 * 2.55e-12
    shift_add = 128 * joule(row("yao-2020", "shift_add"))
    assert joule(row("yao-2020", "shift_add")) == pytest.approx(energy_factor(32, 65) * 0.021e-12, rel=1e-3)
    sums = chip_rollup(load_chip("yao-2020").model)
    assert sums.power_w["core"] == pytest.approx((drivers + array + hold + converters + shift_add) / 50e-9)
    out = show_hardware("chip", "yao-2020")[0]
    cells = next(figure for figure in out["published"] if figure["metric"] == "peak.tops_per_w")
    assert cells["readings"]["every cell an operand"] == pytest.approx(2 * cells["archsim"])
    assert 353e-12 < sums.power_w["core"] * 50e-9 < 354e-12
    assert pytest.approx(11.014e12, rel=1e-3) == 2 * 128 * 128 / (8 * 372e-12)


def test_the_cells_of_liu_take_the_charge_of_a_third_of_them() -> None:
    crossbar, adc = row("liu-2020", "crossbar"), row("liu-2020", "adc")
    cells = 784 * 100 * 2
    assert cells + 100 * 10 * 2 == 158_800  # the published 158.8 kb
    assert joule(crossbar) == pytest.approx(cells / 3 * 0.2**2 / 60e3 * 51.1e-9, rel=1e-3)
    assert joule(adc) == pytest.approx(58.4e-6 * 256 / 6e9, rel=1e-3)
    assert crossbar.area_m2() == pytest.approx(cells * 3.38e-12, rel=1e-3)


def test_a_lane_of_unpu_takes_what_arithmetic_in_45_nm_makes_of_it() -> None:
    product = (3.1 / 4 + 0.1) * 1e-12 * energy_factor(45, 65) * (1 - 0.231) * (1.1 / 0.9) ** 2
    assert joule(row("unpu", "lbpe")) == pytest.approx(36 / 16 * product, rel=1e-3)
    element = 36 * (6350 / 4 + 278) * 1e-12 / area_factor(65, 40)
    assert row("unpu", "lbpe").area_m2() == pytest.approx(6 * element, rel=1e-3)
    low = next(figure.at for figure in load_chip("unpu").model.published if "0.63 V" in figure.when)
    at_low = float(Quantity.parse(low[f"{CORE}.lbpe.energy"], "energy"))
    assert at_low == pytest.approx(joule(row("unpu", "lbpe")) * (0.63 / 1.1) ** 2, rel=1e-3)


def test_unpu_has_sixteen_times_the_throughput_at_one_bit() -> None:
    wide, narrow = found("unpu", "peak.tops", "16 bits"), found("unpu", "peak.tops", "of 1 bit")
    assert wide["archsim"] == pytest.approx(24 * 576 / 16 * 2 * 200e6 / 1e12)
    assert narrow["archsim"] == pytest.approx(16 * wide["archsim"])
    assert narrow["paper"] / narrow["archsim"] == pytest.approx(4 / 3, rel=1e-3)


def test_a_neuron_of_the_binary_network_charges_1024_capacitors_and_reads_half_a_window() -> None:
    assert joule(row("mixed-signal-bnn", "neurons")) == pytest.approx(1024 * 1e-15 * 0.6**2)
    bit = 5e-12 / 32 * energy_factor(45, 28) * (0.8 / 0.9) ** 2
    assert row("mixed-signal-bnn", "buffer").power_w() == pytest.approx(512 * 10e6 * bit, rel=1e-3)


def test_the_matrix_unit_of_the_tpu_is_arithmetic_and_registers_and_its_memory_a_larger_register_file() -> None:
    cell = 0.3e-12 * energy_factor(45, 28) + 48 * 9e-15 * energy_factor(40, 28)
    assert joule(row("tpu-v1", "matrix_unit")) == pytest.approx(256 * cell, rel=1e-3)
    cell_um2 = (6350 / 16 + 278 + 48 * 5.98) * area_factor(40, 28)
    assert row("tpu-v1", "matrix_unit").area_m2() == pytest.approx(256 * 256 * cell_um2 * 1e-12, rel=1e-3)
    memory = 28 * 2**20 / 2048 * 0.0021e-6 * area_factor(32, 28)
    assert row("tpu-v1", "buffer").area_m2() == pytest.approx(memory, rel=1e-3)
    assert row("tpu-v1", "buffer").power_w() == pytest.approx(5e-12 / 4 * energy_factor(45, 28) * 179.2e9, rel=1e-3)


def survey_j(bits: float, nm: float, rate: float) -> float:
    """The regression of hwcomponents-adc over published converters, with its coefficients."""
    merit = min(213.7806687348118 - 2.8719030399529957 * log(rate), 170.17347838259)  # dB; the latter at 13 bits
    base = 0.5 / 10 ** ((merit - (6.02 * bits + 1.76)) / 10)
    return base * exp(
        26.0496215686518 + 1.8800369206815 * log(nm) - 2.8291256050594527 * log(bits) - 1.4702022133784405
    )


def test_the_converter_of_cai_is_that_of_the_survey() -> None:
    interval_s = chip_rollup(load_chip("cai-2019").model).mvm_interval_ps * 1e-12
    assert interval_s == pytest.approx((63 + 14) / 148e6, rel=1e-3)
    assert joule(row("cai-2019", "adc")) == pytest.approx(survey_j(13, 180, 1 / interval_s) * 1e-12, rel=1e-3)
    assert log10(joule(row("cai-2019", "integrator"))) == pytest.approx(-12)


def test_a_block_of_3d_acortex_has_the_figures_of_its_abstract() -> None:
    crossbar = row("3d-acortex", "crossbar")
    assert joule(crossbar) == pytest.approx(2 * 200 * 200 * 10e-15)
    assert crossbar.area_m2() == pytest.approx(200 * 200 * 64 * 5 / 8 * 0.14e-12)


def test_the_cells_of_mochida_are_4_m_and_take_half_of_their_currents() -> None:
    chip = load_chip("mochida-2018").model
    cells = 256 * 128
    assert chip.tiles * cells == 4 * 2**20
    assert joule(row("mochida-2018", "crossbar")) == pytest.approx(cells * 15e-6 * 0.5 * 16e-9)
    area = row("mochida-2018", "crossbar").area_m2()
    assert area == pytest.approx(cells * 3.38e-12 * (40 / 130) ** 2, rel=1e-3)


# -- a network on each --------------------------------------------------------------------------

NETWORKS = {
    "pcm-34-tile": "prime-mlp-s",
    "yao-2020": "mnist-cnn",
    "liu-2020": "input: [784]\nlayers:\n  - {dense: 100, activation: relu}\n  - {dense: 10, activation: none}\n",
    "mochida-2018": "input: [196]\nlayers:\n  - {dense: 64, activation: relu}\n  - {dense: 10, activation: none}\n",
    "cai-2019": "input: [26]\nlayers:\n  - {dense: 10, activation: none}\n",
    "3d-acortex": "mlp-l4",
    "unpu": "lenet-5",
}
"""The networks that the papers run on the chips where they are as small as this, else ones that fit."""


@pytest.mark.parametrize("chip", NETWORKS)
def test_a_network_runs_and_its_ledger_is_sane(chip: str, tmp_path: Path) -> None:
    network = NETWORKS[chip]
    if "\n" in network:
        path = tmp_path / "own.yaml"
        path.write_text(f"schema: 1\nkind: workload\nname: own\nsource: the paper's network\n{network}")
        network = str(path)
    design = archsim.load_design(chip, network)
    run = archsim.run_design(design, None, archsim.Options(images=2))
    rows = run.ledger.rows
    total = sum(entry.count * entry.energy_j for entry in rows)
    assert all(entry.count >= 0 and entry.energy_j >= 0 for entry in rows)
    assert total > 0
    sums = chip_rollup(design.chip.model)
    assert run.interval_s * 1e12 >= 0.999 * sums.mvm_interval_ps
    # arrays are read whole: a sample takes no less than its operations do at the peak, but for drivers of unused rows,
    # and no more than everything at work all the time
    operations = 2 * sum(layer.macs for layer in design.graph.matrix_layers)
    assert total >= 0.99 * operations / (sums.peak_tops * 1e12) * sums.power_w["chip"]
    assert total <= 1.01 * run.energy_always_on_j


def test_no_network_runs_on_neurons_that_hold_their_weights() -> None:
    design = archsim.load_design("mixed-signal-bnn", "lenet-5")
    with pytest.raises(CompileError, match=r"networks run on mac-arrays with dataflow: adder-tree .*weight-stationary"):
        archsim.run_design(design, 1, archsim.Options(images=1))
