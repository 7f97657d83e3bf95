"""The roll-up: sums of rows and nothing else, moved by every input that it uses and by no other."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from archsim.hardware.rollup import Rollup, chip_rollup, tile_rollup, weights_per_tile
from archsim.report.hardware import show_hardware
from archsim.spec.chip import Chip
from archsim.spec.component import Component
from archsim.spec.loader import load_chip, load_tile
from archsim.units import DIMENSIONS, Quantity

CHIPS = ("isaac-ce", "puma")
LEVELS = ("core", "tile", "chip")


def rollup(name: str, *overrides: str) -> Rollup:
    return chip_rollup(load_chip(name, overrides).model)


# -- sums ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize(("of", "total"), [("power_w", "power_w"), ("area_m2", "area_mm2")])
def test_each_level_is_the_sum_of_its_rows_and_of_the_level_below(name: str, of: str, total: str) -> None:
    chip = load_chip(name).model
    totals, unit = getattr(chip_rollup(chip), total), 1e6 if of == "area_m2" else 1

    def rows(components: dict[str, Component]) -> float:
        return sum(getattr(row, of)() for row in components.values()) * unit

    core = rows(chip.tile.core.components)
    tile = chip.tile.core.count * core + rows(chip.tile.components)
    often = {key: chip.tiles if row.shared_by > 1 else 1 for key, row in chip.components.items()}
    own = sum(getattr(row, of)() * often[key] for key, row in chip.components.items()) * unit
    assert totals["core"] == pytest.approx(core, rel=1e-12)
    assert totals["tile"] == pytest.approx(tile, rel=1e-12)
    assert totals["chip"] == pytest.approx(chip.tiles * tile + own, rel=1e-12)


@pytest.mark.parametrize("name", CHIPS)
def test_the_breakdowns_add_up_to_the_whole_and_the_shares_to_one(name: str) -> None:
    summary = rollup(name).summary()
    assert sum(summary["power_breakdown_w"].values()) == pytest.approx(summary["chip"]["power_w"], rel=1e-12)
    assert sum(summary["area_breakdown_mm2"].values()) == pytest.approx(summary["chip"]["area_mm2"], rel=1e-12)
    for share in summary["shares"].values():
        assert sum(share.values()) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("name", CHIPS)
def test_the_peak_follows_from_geometry_and_sums(name: str) -> None:
    chip, summary = load_chip(name).model, rollup(name).summary()
    macs, interval = chip.tiles * weights_per_tile(chip.tile), summary["mvm"]["interval_ns"] * 1e-9
    peak = summary["peak"]
    assert peak["tops"] == pytest.approx(2 * macs / interval / 1e12, rel=1e-12)
    assert peak["tops_per_w"] == pytest.approx(peak["tops"] / summary["chip"]["power_w"], rel=1e-12)
    assert peak["tops_per_mm2"] == pytest.approx(peak["tops"] / summary["chip"]["area_mm2"], rel=1e-12)
    assert (peak["power_w"], peak["area_mm2"]) == (summary["chip"]["power_w"], summary["chip"]["area_mm2"])


def test_weights_of_isaac_stand_side_by_side_and_those_of_puma_one_array_a_slice() -> None:
    assert weights_per_tile(load_tile("isaac").model) == 12 * 8 * 128 * (128 // 8)
    assert weights_per_tile(load_tile("puma").model) == 8 * (16 // 8) * 128 * 128


def test_a_tile_by_itself_has_no_chip() -> None:
    tile = tile_rollup(load_tile("isaac").model)
    summary = tile.summary()
    assert set(tile.power_w) == {"core", "tile"}
    assert "chip" not in summary
    assert summary["peak"]["power_w"] == summary["tile"]["power_w"]
    assert summary["storage"]["arrays"] == 96
    chip = rollup("isaac-ce")
    assert tile.power_w["tile"] == chip.power_w["tile"]
    assert chip.peak_tops == pytest.approx(168 * tile.peak_tops)


def test_a_chip_row_that_tiles_share_stands_once_for_each_of_them() -> None:
    base, changed = rollup("puma"), rollup("puma", "components.router.shared_by=2")
    assert base.summary()["power_breakdown_w"]["chip.router"] == pytest.approx(138 / 4 * 16.54e-3)
    assert changed.power_w["chip"] - base.power_w["chip"] == pytest.approx(138 / 4 * 16.54e-3)


def test_a_tile_whose_rows_cost_nothing_has_no_ratios_and_no_error() -> None:
    rows = [f"core.components.{name}" for name in load_tile("isaac").model.core.components]
    rows += [f"components.{name}" for name in load_tile("isaac").model.components]
    out, sums, _ = show_hardware(
        "tile", "isaac", [f"{row}.{key}" for row in rows for key in ("power=0 W", "area=0 m2")]
    )
    assert out["peak"]["tops"] > 0
    assert (out["peak"]["tops_per_w"], out["peak"]["tops_per_mm2"]) == (None, None)
    assert sums.power_w == {"core": 0, "tile": 0}


# -- every input is perturbed -------------------------------------------------------------------

NUMBER = re.compile(r"([0-9.eE+-]+) ?(\S+)")
Path = tuple[str, ...]


def inputs(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every number, quantity and switch of a resolved chip; what it says of papers is set apart."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in (
                "published",
                "readings",
                "source",
                "note",
                "title",
                "name",
                "bibtex",
                "deviations",
                "assumed",
            ):
                yield from inputs(item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from inputs(item, (*path, str(index)))
    elif isinstance(value, bool | int | float) or (isinstance(value, str) and is_quantity(value)):
        yield path, value


def is_quantity(text: str) -> bool:
    match = NUMBER.fullmatch(text)
    return bool(match) and any(match[2] in units for _, units, _ in DIMENSIONS.values())


def changed(path: Path, value: Any) -> list[Any]:
    """Other values for an input, smaller and larger; an input that cannot take one may refuse it."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, str):
        number, unit = NUMBER.fullmatch(value).groups()  # type: ignore[union-attr]
        factors = ("0.5", "1.5", "1000") if path[-1] == "time" else ("0.5", "1.5")
        return [f"{float(number) * float(f):.12g} {unit}" for f in factors] if float(number) else [f"1 {unit}"]
    if isinstance(value, float):
        return [value / 2, value * 1.5] if value else [0.5]
    return [value // 2, value * 2, value - 1, value + 1]


LEVEL = {"core": ("core", "tile", "chip"), "tile": ("tile", "chip"), "chip": ("chip",)}
TIMING = {"interval", "latency", "peak"}


def outputs(name: str, *overrides: str) -> dict[str, Any]:
    """What follows from the files, in groups."""
    return outputs_of(load_chip(name, overrides).model)


def outputs_of(chip: Chip) -> dict[str, Any]:
    """What follows from ``chip``, in groups."""
    sums = chip_rollup(chip)
    out: dict[str, Any] = {f"{level}.power": sums.power_w[level] for level in LEVELS}
    out |= {f"{level}.area": sums.area_mm2[level] for level in LEVELS}
    out |= {"peak": sums.peak_tops, "interval": sums.mvm_interval_ps, "latency": sums.mvm_latency_ps}
    out |= {"arrays": sums.arrays, "storage": sums.weight_bytes}
    cycles = {"core": chip.tile.core.cycle_ps, "tile": chip.tile.cycle_ps, "chip": chip.tile.cycle_ps}
    out["static"] = [row.component.static_power_w() for row in sums.rows]
    out["energy"] = [row.component.energies_j(cycles[row.level]) for row in sums.rows]
    out["time"] = [row.component.times_ps(cycles[row.level]) for row in sums.rows]
    return out


def moved(base: dict[str, Any], other: dict[str, Any]) -> set[str]:
    return {group for group in base if not same(base[group], other[group])}


def same(one: Any, other: Any) -> bool:
    """Equal up to the rounding of floats."""
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return math.isclose(one, other, rel_tol=1e-12)


def row_of(path: Path) -> tuple[str, tuple[str, str, str]] | None:
    """Level of the component row that holds ``path``, and the path of the row's keys."""
    for prefix, level in ((("tile", "core"), "core"), (("tile",), "tile"), ((), "chip")):
        if path[: len(prefix) + 1] == (*prefix, "components"):
            return level, path[len(prefix) + 1 :]  # type: ignore[return-value]
    return None


UNUSED = {
    "schema",
    "tile.schema",
    "tile.technology",
    "tile.cycle",  # every row of the shipped tiles that stands outside the core has a rate of its own
    "tile.core.encoding.unit_columns",  # takes time only where the unit columns are converted
    "tile.core.encoding.convert_unused_columns",  # counts where a layer leaves columns unused
    "tile.core.issue.width",
    "tile.device.r_on",
    "tile.device.r_off",
    "host.rate",
    "noc.columns",
    "noc.rows",
    "noc.concentration",
    "noc.bandwidth",
    "noc.link_cycles",
}
"""Inputs that nothing in the roll-up uses: they are for the compiler, the network and the numerical core."""

UNUSED_OF_A_ROW = {"capacity", "banks", "width", "flit", "cycles", "latency"}
"""Keys of component rows that no cost depends on."""


def whole_chip_inputs(chip: Any) -> dict[str, set[str]]:
    """The inputs outside component rows, and the groups that they move."""
    whole = {"chip.power", "chip.area", "arrays", "storage", "peak"}
    return {
        "tiles": whole,
        "tile.core.count": whole | {"tile.power", "tile.area"},
        "tile.core.cycle": TIMING | {"energy", "time"},
        "tile.core.encoding.weight_bits": {"peak"},
        "tile.core.encoding.input_bits": TIMING,
        "tile.core.encoding.convert_unit_columns": TIMING if chip.tile.core.encoding.unit_columns else set(),
        # 128 reads of 1 ns a step are more than a cycle of ISAAC, and just a cycle of PUMA
        "tile.core.encoding.drive_again": TIMING if chip.tile.core.cycle_ps < 128_000 else set(),
        "tile.core.pipeline.overlap": {"interval", "peak"},
    }


def expected(chip: Any, path: Path) -> set[str]:
    """The groups of outputs that an input must move, and no others."""
    dotted = ".".join(path)
    found = row_of(path)
    if found is None:
        if dotted in UNUSED or path[:2] == ("tile", "units") or path[:3] == ("tile", "core", "write"):
            return set()
        known = whole_chip_inputs(chip)
        assert dotted in known, f"{dotted} is a new input: say here what it moves"
        return known[dotted]
    level, (name, key, *_) = found
    tile = chip.tile
    rows = {"core": tile.core.components, "tile": tile.components, "chip": chip.components}[level]
    row = rows[name]
    costs_power, static = (
        row.power_w() > 0 or key == "power",
        {"static"} if row.static_share and row.power_w() else set(),
    )
    power, area = {f"{up}.power" for up in LEVEL[level]} | static, {f"{up}.area" for up in LEVEL[level]}
    power, energy = (power, {"energy"}) if costs_power else (set(), set())
    per_action = energy if row.static_share < 1 else set()
    timed = TIMING if level == "core" and row.kind in ("adc", "shift-add") else set()
    rated = getattr(row, "rated_count", None) is not None
    if key in UNUSED_OF_A_ROW or key == "by_bits":  # by_bits only counts where bits and rated_bits differ
        return set()
    return {
        "power": power | per_action,
        "area": area,
        "static_share": {"static"} | energy if costs_power else set(),
        "count": (power | area if rated else per_action) | timed | (
            {"arrays", "storage", "peak"} | TIMING if row.kind == "crossbar" else set()
        ),
        "rated_count": power | area | per_action,
        "shared_by": power | area,
        "rate": {"time"} | timed | (per_action if getattr(row, "activity", None) is None else set()),
        "clock": {"time"} | (per_action if getattr(row, "activity", None) is None else set()),
        "ports": per_action,
        "bandwidth": {"time"} | (per_action if getattr(row, "activity", None) is None else set()),
        "activity": per_action,
        "time": {"time"} | (TIMING if name in step_rows(chip) else set()),
        "rows": power | area | per_action | {"storage", "peak"},
        "columns": power | area | per_action | {"storage"} | TIMING,  # more columns take more conversions
        "cell_bits": {"storage", "peak"},
        "rated_rows": power | area | per_action,
        "rated_columns": power | area | per_action,
        "bits": power | area | per_action | (TIMING if row.kind == "dac" else set()),
        "rated_bits": power | area | per_action,
    }[key]  # fmt: skip


def step_rows(chip: Any) -> set[str]:
    return {name for group in chip.tile.core.pipeline.steps for name in group}


def overrides_for(path: Path, value: Any) -> list[str]:
    text = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)
    return [f"{'.'.join(path)}={text}"]


@pytest.mark.parametrize("name", CHIPS)
def test_every_input_moves_exactly_the_outputs_that_use_it(name: str) -> None:
    loaded = load_chip(name)
    base = outputs(name)
    plain = loaded.model.model_dump(mode="json", by_alias=True, exclude_none=True)
    seen, wrong = [], {}
    for path, value in inputs(plain):
        moves: set[str] = set()
        accepted = 0
        for other in changed(path, value):
            try:
                moves |= moved(base, outputs(name, *overrides_for(path, other)))
            except Exception as error:
                assert type(error).__name__ == "SpecError", (path, other, error)
            else:
                accepted += 1
        seen.append(path)
        fixed = path[-1] == "schema"  # the version of the files, of which there is one
        if moves != expected(loaded.model, path) or (accepted == 0 and not fixed):
            wrong[".".join(path)] = (sorted(moves), sorted(expected(loaded.model, path)))
    assert wrong == {}
    assert len(seen) > 100  # the walk found the chip's inputs


def test_every_input_that_is_listed_as_unused_is_an_input_of_a_chip() -> None:
    plain = [load_chip(name).model.model_dump(mode="json", by_alias=True, exclude_none=True) for name in CHIPS]
    assert {".".join(path) for chip in plain for path, _ in inputs(chip)} >= UNUSED


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize(("key", "group"), [("power", "power_w"), ("area", "area_mm2")])
def test_the_power_and_area_of_a_row_move_each_total_by_exactly_count_times_the_change(
    name: str, key: str, group: str
) -> None:
    chip, base = load_chip(name).model, rollup(name)
    for row in base.rows:
        component = row.component
        quantity: Quantity = getattr(component, key)
        change = Fraction(1, 8) if key == "power" else Fraction(1, 10**6)  # 0.125 W, 1 mm2
        unit = 1 if key == "power" else 10**6
        new = f"{float(quantity.value + change)!r} {'W' if key == 'power' else 'm2'}"
        where = {"core": "tile.core.components", "tile": "tile.components", "chip": "components"}[row.level]
        after = getattr(rollup(name, f"{where}.{row.name}.{key}={new}"), group)
        cores, tiles = chip.tile.core.count, chip.tiles
        often = {
            "core": {"core": 1, "tile": cores, "chip": cores * tiles},
            "tile": {"core": 0, "tile": 1, "chip": tiles},
            "chip": {"core": 0, "tile": 0, "chip": tiles if component.shared_by > 1 else 1},
        }[row.level]
        for level, count in often.items():
            expect = float(change * unit * count / component.shared_by)
            assert after[level] - getattr(base, group)[level] == pytest.approx(expect, rel=1e-9, abs=1e-12), row.key


def test_a_milliwatt_more_in_isaacs_adc_is_a_milliwatt_a_core_and_two_watts_a_chip() -> None:
    base, more = rollup("isaac-ce"), rollup("isaac-ce", "tile.core.components.adc.power=17 mW")
    assert more.power_w["core"] - base.power_w["core"] == pytest.approx(1e-3, rel=1e-9)
    assert more.power_w["tile"] - base.power_w["tile"] == pytest.approx(12e-3, rel=1e-9)
    assert more.power_w["chip"] - base.power_w["chip"] == pytest.approx(12 * 168 * 1e-3, rel=1e-9)
    assert more.area_mm2 == base.area_mm2
    assert more.peak_tops == base.peak_tops


def test_the_table_by_bits_moves_the_totals_where_the_resolution_is_not_the_rated_one() -> None:
    six = "tile.core.components.adc.bits=6"
    table = "tile.core.components.adc.by_bits"
    base = outputs("isaac-ce", six)
    energy = {"core.power", "tile.power", "chip.power", "energy"}
    area = {"core.area", "tile.area", "chip.area"}
    assert moved(base, outputs("isaac-ce", six, f"{table}.6.energy=1 pJ")) == energy
    assert moved(base, outputs("isaac-ce", six, f"{table}.8.energy=1 pJ")) == energy
    assert moved(base, outputs("isaac-ce", six, f"{table}.6.area=1 um2")) == area
    assert moved(base, outputs("isaac-ce", six, f"{table}.7.area=1 um2")) == set()


# -- no total, peak or published figure is an input ---------------------------------------------

OWN = {"paper", "ratio", "verdict", "reason"}


@pytest.mark.parametrize("name", CHIPS)
def test_a_published_figure_changes_nothing_but_what_stands_beside_it(name: str) -> None:
    base, sums, loaded = show_hardware("chip", name)
    for index in range(len(loaded.model.published)):
        out, other, _ = show_hardware("chip", name, [f"published.{index}.value=123.0"])
        assert out["published"][index]["paper"] == 123.0
        assert out["published"][index]["ratio"] == pytest.approx(base["published"][index]["archsim"] / 123.0)
        for figure, was in zip(out["published"], base["published"], strict=True):
            assert {key: value for key, value in figure.items() if key not in OWN | {"status", "source"}} == {
                key: value for key, value in was.items() if key not in OWN | {"status", "source"}
            }
        apart = ("published", "config_hash")
        assert {key: out[key] for key in out if key not in apart} == {
            key: base[key] for key in base if key not in apart
        }
        assert (other.power_w, other.area_mm2, other.peak_tops) == (sums.power_w, sums.area_mm2, sums.peak_tops)


@pytest.mark.parametrize("name", CHIPS)
def test_without_published_figures_everything_else_stays(name: str) -> None:
    base, out = show_hardware("chip", name)[0], show_hardware("chip", name, ["published=[]", "readings=[]"])[0]
    assert out["published"] == []
    apart = ("published", "readings", "config_hash")
    assert {key: out[key] for key in out if key not in apart} == {key: base[key] for key in base if key not in apart}


@pytest.mark.parametrize(
    "key", ["peak", "peak.tops", "power", "tile.power", "tile.core.area", "total", "tile.published_w"]
)
def test_no_total_and_no_peak_can_be_typed_in(key: str) -> None:
    from archsim.errors import SpecError

    with pytest.raises(SpecError, match=r"unknown key|has no key"):
        load_chip("isaac-ce", [f"{key}=1"])
