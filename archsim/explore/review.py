"""The field's table of accelerators: as published, as simulated, and both scaled to one technology node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archsim.errors import ArchsimError
from archsim.explore.validation import chip_of, load_review
from archsim.hardware.mvm import adc, crossbar
from archsim.hardware.rollup import OPERATIONS_PER_MAC, chip_rollup
from archsim.hardware.scaling import NODES_NM, area_factor, energy_factor
from archsim.spec.chip import Chip
from archsim.spec.loader import load_chip
from archsim.spec.review import ReviewRow
from archsim.units import Quantity

__all__ = ["review_records"]

METRICS = ("tops", "tops_per_mm2", "tops_per_w")

Record = dict[str, Any]


def node_nm(text: str) -> float:
    """The node ``text``, as 32 nm, in nm; ArchsimError outside what the scaling rule covers."""
    try:
        node = float(Quantity.parse(text, "length").value) * 1e9
    except ValueError as error:
        raise ArchsimError(f"--node: {error}") from None
    if not min(NODES_NM) <= round(node, 6) <= max(NODES_NM):
        message = f"--node: the scaling rule covers {min(NODES_NM)} to {max(NODES_NM)} nm"
        raise ArchsimError(f"{message}, got {text!r:.80}")
    return round(node, 6)


def review_records(node: str, report: Callable[[str], None]) -> list[Record]:
    """One record a design and view: published and simulated, each as it is and scaled to ``node``.

    All count OPERATIONS_PER_MAC operations a multiply-accumulate.  Columns of the simulated view are empty where there
    is no model, or where its sums leave out what is not published.
    """
    to = node_nm(node)
    records = []
    for row in load_review().designs:
        report(row.name)
        published, simulated = _published(row), _simulated(row)
        for view, record in (("published", published), ("simulated", simulated)):
            records.append({"view": view, "scaled_to_nm": None, **record})
            records.append({"view": view, "scaled_to_nm": to, **_scaled(record, to)})
    return records


def _published(row: ReviewRow) -> Record:
    counted = OPERATIONS_PER_MAC / row.operations_per_mac
    figures = {key: None if getattr(row, key) is None else getattr(row, key) * counted for key in METRICS}
    notes = [row.note, f"published as {row.tops} TOPS of one operation a MAC" if counted != 1 else ""]
    return _record(row, _nm(row), row.activation_bits, row.weight_bits, row.array, row.adc, figures, notes)


def _nm(row: ReviewRow) -> float | None:
    return None if row.node is None else round(float(row.node.value) * 1e9, 6)


def _simulated(row: ReviewRow) -> Record:
    name = chip_of(row)
    if name is None:
        return _record(row, _nm(row), "", "", "", "", dict.fromkeys(METRICS), [f"no model; missing: {row.missing}"])
    chip: Chip = load_chip(name).model
    peak = chip_rollup(chip).summary()["peak"]
    figures = {key: None if key in row.not_simulated else peak[key] for key in METRICS}
    encoding = chip.tile.core.encoding
    bits = str(encoding.input_bits), str(encoding.weight_bits)
    kinds = {component.kind for component in chip.tile.core.components.values()}
    array = converter = "-"
    if "crossbar" in kinds:
        cells, conversion = crossbar(chip.tile.core), adc(chip.tile.core)
        array, converter = f"{cells.rows} x {cells.columns}", f"{conversion.type}, {conversion.bits} bits"
    notes = [f"{key} left out, not published: {why}" for key, why in row.not_simulated.items()]
    node = round(float(chip.tile.technology.value) * 1e9, 6)
    return _record(row, node, *bits, array, converter, figures, notes)


def _record(
    row: ReviewRow,
    node: float | None,
    activations: str,
    weights: str,
    array: str,
    converter: str,
    figures: Record,
    notes: list[str],
) -> Record:
    return {
        "design": row.title,
        "evidence": row.evidence,
        "process_nm": node,
        "activation_bits": activations,
        "weight_bits": weights,
        "clock": row.clock,
        "workload": row.workload,
        "storage": row.storage,
        "array": array,
        "adc": converter,
        **figures,
        "area_factor": None,
        "energy_factor": None,
        "note": "; ".join(note for note in notes if note),
    }


def _scaled(record: Record, to: float) -> Record:
    """``record`` in the node ``to``; without figures where the rule does not cover its own."""
    node = record["process_nm"]
    area = None if node is None else area_factor(node, to)
    energy = None if node is None else energy_factor(node, to)
    factors = {"tops": 1.0, "tops_per_mm2": area, "tops_per_w": energy}
    figures = {key: None if None in (record[key], by) else record[key] / by for key, by in factors.items()}
    outside = area is None and any(record[key] is not None for key in METRICS)
    note = "node not given, or outside of the rule" if outside else ""
    return {**record, **figures, "area_factor": area, "energy_factor": energy, "note": note}
