"""The energy ledger against counts and energies worked out by hand from the files of the chips."""

from __future__ import annotations

from fractions import Fraction

import pytest

from archsim.compile.network import Compiled, compile_network
from archsim.hardware.rollup import chip_rollup
from archsim.results import Ledger
from archsim.sim.ledger import always_on_w, link_bytes, make_ledger
from tests.networks import CONVOLUTIONS, DENSE, chip, network

ISAAC_ARRAY_CONV = ({"conv": 40, "kernel": 3, "pad": 1, "activation": "none", "bias": False, "name": "conv"},)


def compiled(design: str, layers=DENSE, shape=(128,), tiles: int = 4, replication="none") -> Compiled:  # type: ignore[no-untyped-def]
    return compile_network(network(layers, shape), chip(design, tiles), 1, replication)


def counts(ledger: Ledger) -> dict[tuple[str, str], float]:
    return {(row.component, row.action): row.count for row in ledger.rows}


def dynamic(ledger: Ledger, level: str = "") -> float:
    return sum(row.total_j for row in ledger.rows if row.action != "static" and row.component.startswith(level))


# -- by hand ------------------------------------------------------------------------------------


def test_every_row_of_one_dense_layer_on_one_isaac_tile_by_hand() -> None:
    """128 inputs, 16 outputs: one array (16 weights of 8 slices fill 128 columns), 16 input steps, 16-bit values."""
    expected = {
        # 16 reads of one array; 8 arrays take 2.4 mW in cycles of 100 ns: 30 pJ each
        ("core.crossbar", "read"): (16, 2.4e-3 / 8 * 100e-9),
        # 128 rows x 16 steps; 1024 DACs take 4 mW
        ("core.dac", "drive"): (2048, 4e-3 / 1024 * 100e-9),
        # 128 columns x 16 reads; 1024 circuits take 0.01 mW
        ("core.sample_hold", "sample"): (2048, 0.01e-3 / 1024 * 100e-9),
        # 128 columns x 16 reads; 8 ADCs of 1.28 GSps take 16 mW: 1.5625 pJ
        ("core.adc", "convert"): (2048, 16e-3 / (8 * 1.28e9)),
        # one addition a conversion; 4 units of 2.56 GHz take 0.2 mW
        ("core.shift_add", "add"): (2048, 0.2e-3 / (4 * 2.56e9)),
        # 128 values of 2 B, written and read; 1.24 mW at 2.56 GB/s
        ("core.input_register", "byte"): (512, 1.24e-3 / 2.56e9),
        # 16 values of 2 B, written and read; 0.23 mW at 0.32 GB/s
        ("core.output_register", "byte"): (64, 0.23e-3 / 0.32e9),
        # the same through the tile's output register; 1.68 mW at 3.84 GB/s
        ("tile.output_register", "byte"): (64, 1.68e-3 / 3.84e9),
        # 256 B of input written and read once; 20.7 mW at 10.24 GB/s
        ("tile.buffer", "byte"): (512, 20.7e-3 / 10.24e9),
        # 256 B of operands; 7 mW at 10.24 GB/s
        ("tile.bus", "byte"): (256, 7e-3 / 10.24e9),
        # in: 2048 bits, 64 flits, out of one router to the tile; out: 256 bits, 8 flits, out of one router to the
        # chip's link; 42 mW with a flit on 8 ports at 1 GHz
        ("tile.router", "flit"): (72, 42e-3 / 8e9),
        # 256 B in and 32 B out; 10.4 W with 4 links at 12.8 GB/s
        ("chip.hyper_transport", "byte"): (288, 10.4 / (4 * 12.8e9)),
    }
    ledger = make_ledger(compiled("isaac-ce"), 1.6e-6)
    rows = {(row.component, row.action): (row.count, row.energy_j) for row in ledger.rows}
    assert set(rows) == set(expected)
    for key, (count, energy) in expected.items():
        assert rows[key][0] == count, key
        assert rows[key][1] == pytest.approx(energy, rel=1e-12), key
    assert ledger.total_j() == pytest.approx(sum(n * j for n, j in expected.values()), rel=1e-12)


def test_an_isaac_core_with_all_rows_busy_takes_its_24_08_mw() -> None:
    """128 inputs and 128 outputs fill the eight arrays of one core for the 1600 ns of an MVM."""
    ledger = make_ledger(compiled("isaac-ce", ({"dense": 128, "activation": "none"},)), 1.6e-6)
    assert dynamic(ledger, "core.") / 1600e-9 == pytest.approx(24.08e-3, rel=2e-3)
    table = [16, 4, 0.01, 2.4, 0.2, 1.24, 0.23]  # Table I in mW: every row of the core acts in every cycle
    assert sum(table) == pytest.approx(24.08)
    # it is all of it, to the last row
    assert dynamic(ledger, "core.") == pytest.approx(sum(table) * 1e-3 * 1600e-9, rel=1e-12)


def test_one_full_puma_mvm_is_charged_the_busy_time_of_its_three_stages() -> None:
    """128 × 128 weights of 8 slices: the eight arrays of one MVM unit, half the rows of a core."""
    result = compiled("puma", ({"dense": 128, "activation": "none"},))
    core = result.board.chip.tile.core
    stages = {  # 16 input steps of 128 ns keep each stage busy for 2048 ns of the MVM's 18 × 128 = 2304 ns
        "first": ("input_register", "dac", "crossbar"),
        "second": ("sample_hold", "adc"),
        "third": ("shift_add", "output_register"),
    }
    unit_w = {row: core.components[row].power_w() / 2 for rows in stages.values() for row in rows}
    static_w = {row: core.components[row].static_power_w() / 2 for row in unit_w}
    # authors' simulator, mW: (0.4266 + 0.9976 + 4.8)/2, (0.0198656 + 32)/2, 0
    assert sum(unit_w.values()) == pytest.approx(19.12e-3, rel=5e-4)

    ledger = make_ledger(result, 2.304e-6)
    actions = sum(row.total_j for row in ledger.rows if row.action != "static" and row.component[5:] in unit_w)
    busy = actions + sum(static_w.values()) * 2048e-9
    assert busy == pytest.approx(sum(unit_w.values()) * 2048e-9, rel=1e-9)
    assert busy == pytest.approx(39.2e-9, rel=2e-3)  # archsim's reading

    published = 19.09e-3 * 2304e-9
    assert published == pytest.approx(43.97e-9, rel=5e-4)  # the paper's reading: all 2304 ns
    assert sum(unit_w.values()) * 2304e-9 == pytest.approx(43.97e-9, rel=3e-3)  # the same from the components
    assert any("43.97 nJ" in line and "39.2 nJ" in line for line in result.board.chip.deviations)


# -- actions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("design", "columns"), [("isaac-ce", -(-40 * 8 // 128)), ("puma", -(-40 // 128))])
def test_mvm_actions_are_windows_by_row_blocks_by_column_blocks(design: str, columns: int) -> None:
    # 3 × 3 × 20 = 180 rows in two blocks; 6 × 6 windows; 16 input steps; PUMA: 8 arrays a slot
    result = compiled(design, ISAAC_ARRAY_CONV, (20, 6, 6))
    arrays = 8 if design == "puma" else 1
    found = counts(make_ledger(result, 1e-6))
    reads = 36 * 2 * columns * 16 * arrays
    assert found["core.crossbar", "read"] == reads
    assert found["core.adc", "convert"] == reads * 128
    assert found["core.sample_hold", "sample"] == reads * 128
    assert found["core.dac", "drive"] == 36 * columns * 180 * 16


def test_copies_share_the_windows_and_add_none() -> None:
    once = compiled("isaac-ce", ISAAC_ARRAY_CONV, (20, 6, 6))
    often = compiled("isaac-ce", ISAAC_ARRAY_CONV, (20, 6, 6), replication={"conv": 5})
    for key in (("core.crossbar", "read"), ("core.adc", "convert"), ("core.dac", "drive")):
        assert counts(make_ledger(once, 1e-6))[key] == counts(make_ledger(often, 1e-6))[key]


@pytest.mark.parametrize("converted", [True, False])
def test_unused_columns_are_converted_or_not(converted: bool) -> None:
    design = chip("isaac-ce", 4, f"tile.core.encoding.convert_unused_columns={str(converted).lower()}")
    narrow = ({"dense": 3, "activation": "none"},)
    found = counts(make_ledger(compile_network(network(narrow, (128,)), design, 1), 1e-6))
    assert found["core.adc", "convert"] == 16 * (128 if converted else 3 * 8)


def test_the_unit_column_is_converted_where_the_key_says_so() -> None:
    design = chip("isaac-ce", 4, "tile.core.encoding.convert_unit_columns=true")
    found = counts(make_ledger(compile_network(network(DENSE, (128,)), design, 1), 1e-6))
    assert found["core.adc", "convert"] == 16 * 129


# -- links --------------------------------------------------------------------------------------


@pytest.mark.parametrize("design", ["isaac-ce", "puma"])
def test_chip_to_chip_links_are_a_row_of_their_own(design: str) -> None:
    result = compiled(design)
    rows = [row for row in make_ledger(result, 1e-6).rows if row.component == "chip.hyper_transport"]
    assert [(row.action, row.count) for row in rows] == [("byte", 256 + 32)]
    assert link_bytes(result)["chip-in"] == 256
    assert link_bytes(result)["chip-out"] == 32


def test_bytes_are_tokens_times_bits_over_every_link_of_their_route() -> None:
    result = compiled("isaac-ce", CONVOLUTIONS, (3, 8, 8), replication="balanced")
    program = result.program
    expected: dict[str, Fraction] = {}
    for flow in program.flows:
        tokens = flow.emit.total(program.stages[flow.source].firings)
        for hop in flow.route:
            kind = program.links[hop.link].kind
            expected[kind] = expected.get(kind, Fraction()) + Fraction(tokens * flow.bits, 8)
    expected.pop("unit", None)
    assert link_bytes(result) == {kind: float(value) for kind, value in expected.items()}
    assert list(link_bytes(result)) == sorted(expected)


# -- static power -------------------------------------------------------------------------------


def test_isaac_states_no_static_power_and_puma_does() -> None:
    isaac = make_ledger(compiled("isaac-ce"), 1e-6)
    assert [row for row in isaac.rows if row.action == "static"] == []
    puma = [row for row in make_ledger(compiled("puma"), 1e-6).rows if row.action == "static"]
    assert {"core.adc", "tile.data_memory", "chip.router"} <= {row.component for row in puma}


def test_static_power_times_interval_is_a_row_for_each_component() -> None:
    result = compiled("puma", tiles=4)
    rows = {row.component: row for row in make_ledger(result, 5e-6).rows if row.action == "static"}
    # ADCs: 32 mW a core, 10 % static, 8 cores, 4 tiles
    assert rows["core.adc"].count == 5e-6
    assert rows["core.adc"].energy_j == pytest.approx(32e-3 * 0.1 * 8 * 4)
    # one router of 16.54 mW for four tiles, 2.48 % static
    assert rows["chip.router"].energy_j == pytest.approx(16.54e-3 * 0.0248)


def test_idle_tiles_are_counted_or_not() -> None:
    result = compiled("puma", tiles=4)
    assert result.tiles_used == 1
    all_tiles = {r.component: r.total_j for r in make_ledger(result, 1e-6).rows if r.action == "static"}
    in_use = {r.component: r.total_j for r in make_ledger(result, 1e-6, idle_tiles=False).rows if r.action == "static"}
    assert in_use["core.adc"] == pytest.approx(all_tiles["core.adc"] / 4)
    assert in_use["tile.data_memory"] == pytest.approx(all_tiles["tile.data_memory"] / 4)
    assert in_use["chip.router"] == all_tiles["chip.router"]  # the chip's own rows are there anyway


def test_always_on_is_the_full_power_of_the_board() -> None:
    result = compiled("puma")
    assert always_on_w(result) == chip_rollup(result.board.chip).power_w["chip"]
    two = compile_network(result.graph, result.board.chip, 2, "none")
    assert always_on_w(two) == 2 * always_on_w(result)


@pytest.mark.parametrize("design", ["isaac-ce", "puma"])
def test_always_on_is_never_below_gated(design: str) -> None:
    result = compiled(design, CONVOLUTIONS, (3, 8, 8), replication="balanced")
    interval = 1e-12 * chip_rollup(result.board.chip).mvm_interval_ps
    assert make_ledger(result, interval).total_j() <= always_on_w(result) * interval
