"""Every design of the library: what is published of it stays a target, and every input of it counts for something."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest

from archsim import library
from archsim.explore.validation import chip_of, load_review, validate
from archsim.hardware.mac import slowest_rows
from archsim.hardware.mvm import step_ps
from archsim.hardware.rollup import chip_rollup
from archsim.report.hardware import show_hardware
from archsim.report.published import AGREES, DIFFERS, NOT_ENOUGH, RECALLED, VERDICTS, WITH_READING, Validation
from archsim.spec.chip import Chip
from archsim.spec.loader import load_node, overridden
from archsim.spec.provenance import Published
from archsim.units import Quantity
from tests.unit.hardware.test_rollup import (
    UNUSED,
    UNUSED_OF_A_ROW,
    changed,
    inputs,
    is_quantity,
    moved,
    outputs_of,
    overrides_for,
)

CHIPS = list(library.names("chip"))
REPORTS = Path(__file__).resolve().parents[2] / "reports"


@pytest.fixture(scope="module")
def validation() -> Validation:
    return validate([], lambda name: None)


# -- verdicts -----------------------------------------------------------------------------------


def test_every_figure_agrees_or_says_why_not(validation: Validation) -> None:
    assert validation.unexplained == []
    for finding in validation.findings:
        assert finding.verdict in VERDICTS
        assert finding.source
        if finding.verdict in (DIFFERS, NOT_ENOUGH, WITH_READING):
            assert len(finding.reason) > 10, finding


def test_no_reason_is_out_of_date() -> None:
    for name in CHIPS:
        out, _, loaded = show_hardware("chip", name)
        for figure, shown in zip(loaded.model.published, out["published"], strict=True):
            if figure.reason:
                assert shown["verdict"] in (DIFFERS, RECALLED), (name, figure.metric, figure.when)
            if figure.reading is not None:
                assert shown["verdict"] == WITH_READING, (name, figure.metric, figure.when)


def test_the_parts_that_are_published_make_the_totals_that_are(validation: Validation) -> None:
    """Power, area and peak of designs whose components are published, one by one."""
    agree = {(f.design, f.metric) for f in validation.findings if f.verdict in (AGREES, WITH_READING)}
    sums = [f"{level}.{of}" for level in ("core", "tile", "chip") for of in ("power_w", "area_mm2")]
    assert {("isaac-ce", metric) for metric in (*sums, "peak.tops", "peak.tops_per_w", "peak.tops_per_mm2")} <= agree
    assert {("puma", metric) for metric in sums} <= agree
    assert {("timely", "chip.area_mm2"), ("hermes-core", "peak.tops")} <= agree
    bits = [(1, 3), (2, 4), (3, 5), (4, 6), (5, 7), (7, 9), (8, 10)]
    assert {("neurram", f"peak.tops_per_w ({i}-bit inputs, {o}-bit outputs)") for i, o in bits} <= agree
    assert {("neurram", f"peak.tops ({i}-bit inputs, {o}-bit outputs)") for i, o in bits[:2]} <= agree


def test_the_report_is_what_the_command_makes_today(validation: Validation) -> None:
    written = json.loads((REPORTS / "validation" / "validation.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(validation.to_json()))


def test_every_design_has_one_row_in_the_review() -> None:
    rows = load_review().designs
    assert sorted(chip for row in rows if (chip := chip_of(row)) is not None) == CHIPS
    assert len({row.name for row in rows}) == len(rows)


def test_the_review_says_what_the_files_of_the_chips_say() -> None:
    """Where both give a figure as published, of the same source, it is the same figure."""
    for row in load_review().designs:
        if row.chip is None:
            continue
        chip: Chip = show_hardware("chip", row.chip)[2].model
        for key in ("tops", "tops_per_mm2", "tops_per_w"):
            value = getattr(row, key)
            published = [figure.value for figure in chip.published if figure.metric == f"peak.{key}"]
            if value is not None and published and row.operations_per_mac == 2:
                assert any(math.isclose(value, other, rel_tol=0.005) for other in published), (row.name, key)


# -- inputs -------------------------------------------------------------------------------------


def base_of(metric: str) -> tuple[str, float] | None:
    """The dimension that an input would need to be this metric, and the size of its unit."""
    known = {"power_w": ("power", 1.0), "area_mm2": ("area", 1e-6), "_ns": ("time", 1e-9)}
    return next((found for ending, found in known.items() if metric.endswith(ending)), None)


@pytest.mark.parametrize("name", CHIPS)
def test_no_published_figure_is_among_the_inputs(name: str) -> None:
    chip: Chip = show_hardware("chip", name)[2].model
    plain = chip.model_dump(mode="json", by_alias=True, exclude_none=True)
    given = [(path, value) for path, value in inputs(plain) if "published" not in path]
    for figure in chip.published:
        for path, value in given:
            assert not same_number(figure, value), (figure.metric, figure.value, path, value)


def same_number(figure: Published, value: Any) -> bool:
    dimension = base_of(figure.metric)
    if isinstance(value, str) and is_quantity(value):
        if dimension is None:
            return False
        try:
            number = float(Quantity.parse(value, dimension[0]).value) / dimension[1]
        except ValueError:
            return False
    elif isinstance(value, bool) or dimension is not None:
        return False
    else:
        number = float(value)
    return number > 0 and math.isclose(number, figure.value, rel_tol=1e-3) and figure.value not in (1, 2)


BEYOND = UNUSED | {
    "tile.core.encoding.convert_unit_columns",
    "tile.core.encoding.drive_again",
    "tile.core.pipeline.overlap",
}
"""Inputs that the roll-up of some designs does not use: see the exact test of ISAAC and PUMA."""

DIGITAL = {"tile.core.cycle", "tile.core.encoding.input_bits"}
"""Those that no time or cost of a mac-array follows from, which has a rate of its own."""

FREE = ("count", "shared_by", "static_share", "activity", "rate", "bandwidth", "ports", "clock")
"""Keys of rows without a cost, through which nothing moves."""


@pytest.mark.parametrize("name", [name for name in CHIPS if name not in ("isaac-ce", "puma")])
def test_every_input_moves_an_output(name: str) -> None:
    node = load_node("chip", name)
    model = overridden(copy.deepcopy(node), "chip", Chip, []).model
    base = outputs_of(model) | {"row_power": [row.power_w for row in chip_rollup(model).rows]}
    seen = []
    for path, value in inputs(model.model_dump(mode="json", by_alias=True, exclude_none=True)):
        dotted = ".".join(path)
        if dotted in BEYOND or path[-1] in UNUSED_OF_A_ROW or path[:2] in (("tile", "units"), ("tile", "device")):
            continue
        moves: set[str] = set()
        accepted = False
        for other in changed(path, value):
            try:
                variant = overridden(copy.deepcopy(node), "chip", Chip, overrides_for(path, other)).model
            except Exception as error:
                assert type(error).__name__ == "SpecError", (path, other, error)
                continue
            accepted = True
            after = outputs_of(variant) | {"row_power": [row.power_w for row in chip_rollup(variant).rows]}
            moves |= moved(base, after)
            if moves:
                break
        assert moves or free(model, path) or not accepted, f"{dotted} moves nothing"
        seen.append(dotted)
    assert any(key.endswith((".power", ".energy", ".capacitance")) for key in seen)


def free(chip: Chip, path: tuple[str, ...]) -> bool:
    """Whether no cost or time depends on the key: of a row without power, or of one that another key decides for."""
    at = path.index("components") if "components" in path else None
    core = chip.tile.core
    if at is None and not core.digital and "encoding" in path:  # steps and slices that are said one by one
        table = getattr(core.the("adc")[1], "resolutions", None) is not None
        widths = core.encoding.slice_bits is not None
        return {"weight_bits": table or widths, "input_bits": table}.get(path[-1], "slice_bits" in path)
    if at is None:
        return core.digital and ".".join(path) in DIGITAL
    rows = {**chip.components, **chip.tile.components, **chip.tile.core.components}
    row, key = rows[path[at + 1]], path[-1]
    if row.kind == "adc" and key == "bits":  # with a rate and no table of resolutions they count in value only
        return getattr(row, "rate", None) is not None
    if row.kind == "dac" and key == "bits" and row.bits == 1 == chip.tile.core.encoding.input_bits:
        return row.power_w() == 0 and row.energy is None  # inputs of one bit take one step, however wide the driver
    if key == "serial_bits":  # more bits a cycle are of use where weights have them, and the memory gives them
        return len(slowest_rows(chip.tile)) > 1 or row.serial_bits >= chip.tile.core.encoding.weight_bits
    if key in ("ports", "rate", "clock") and getattr(row, "activity", None) is not None:
        return True
    if row.by_action:  # how often it acts follows from the columns
        spare = row.kind in ("adc", "transimpedance") and 2 * step_ps(core, row) < core.cycle_ps  # half would do
        return key == "count" and (spare or row.kind in ("sample-hold", "shift-add", "integrator", "analog-buffer"))
    return key in FREE and row.power_w() == 0


@pytest.mark.parametrize("name", [name for name in CHIPS if name not in ("isaac-ce", "puma")])
def test_no_published_figure_moves_anything(name: str) -> None:
    node = load_node("chip", name)
    base = outputs_of(overridden(copy.deepcopy(node), "chip", Chip, []).model)
    for index in range(len(node.child("published").value)):  # type: ignore[union-attr]
        variant = overridden(copy.deepcopy(node), "chip", Chip, [f"published.{index}.value=123.0"]).model
        assert not moved(base, outputs_of(variant))
