"""The roll-up of a chip from its components: power, area and peak figures, with the published ones beside.

    core = Σ rows of the core          tile = cores × core + Σ rows of the tile
    chip = tiles × tile + Σ rows of the chip      (a chip row with ``shared_by: n`` stands tiles / n times)

Peak throughput follows from geometry and timing: with W weights in an array,

    peak = 2 × (MACs of one MVM in all arrays) / (interval between MVMs),

two operations a multiply-accumulate; that of mac-arrays is 2 × (MACs a cycle) × (cycles a second).  Nothing here reads
a published figure before the roll-up is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from archsim.hardware.energy import actions_per_mvm, peak_power_w
from archsim.hardware.mac import mac_array, peak_macs_per_s, weights_a_tile
from archsim.hardware.mvm import cells_per_weight, crossbar, mvm_timing
from archsim.spec.base import kept
from archsim.spec.chip import Chip
from archsim.spec.component import Component
from archsim.spec.tile import Tile
from archsim.units import PICOSECONDS

__all__ = ["OPERATIONS_PER_MAC", "Rollup", "Row", "chip_rollup", "peak_ops_per_s", "tile_rollup", "weights_per_tile"]

OPERATIONS_PER_MAC = 2

MM2 = 1e6
"""Square millimetres in a square metre."""


@dataclass(frozen=True)
class Row:
    """One row of one level (core, tile, chip): how often it stands in the whole, and what it costs once."""

    level: str
    name: str
    component: Component
    times: float
    power_w: float
    area_mm2: float

    @property
    def key(self) -> str:
        """``level.name``, as the breakdowns are keyed."""
        return f"{self.level}.{self.name}"


@dataclass(frozen=True)
class Rollup:
    """Rows and sums; ``level`` sums are for one core, one tile, one chip."""

    rows: tuple[Row, ...]
    power_w: dict[str, float]
    area_mm2: dict[str, float]
    peak_tops: float
    mvm_interval_ps: int
    mvm_latency_ps: int
    arrays: int
    weight_bytes: float
    conversions_per_mac: float | None = None
    """ADC conversions for one multiply-accumulate, with all arrays full; None for a digital core."""

    def summary(self) -> dict[str, Any]:
        """The roll-up as JSON values; powers in W, areas in mm², throughput in TOPS (2 operations a MAC)."""
        top = "chip" if "chip" in self.power_w else "tile"
        power, area = self.power_w[top], self.area_mm2[top]
        out: dict[str, Any] = {
            "peak": {
                "tops": self.peak_tops,
                "power_w": power,
                "area_mm2": area,
                "tops_per_w": _per(self.peak_tops, power),
                "tops_per_mm2": _per(self.peak_tops, area),
                "operations_per_mac": OPERATIONS_PER_MAC,
            }
        }
        for level in self.power_w:
            out[level] = {"power_w": self.power_w[level], "area_mm2": self.area_mm2[level]}
        out["power_breakdown_w"] = {row.key: row.times * row.power_w for row in self.rows}
        out["area_breakdown_mm2"] = {row.key: row.times * row.area_mm2 for row in self.rows}
        out["shares"] = _shares(self)
        out["mvm"] = {"interval_ns": self.mvm_interval_ps / 1000, "latency_ns": self.mvm_latency_ps / 1000}
        if self.conversions_per_mac is not None:
            out["mvm"]["conversions_per_mac"] = self.conversions_per_mac
        out["storage"] = {
            "arrays": self.arrays,
            "weights_mib": self.weight_bytes / 2**20,
            "mib_per_mm2": _per(self.weight_bytes / 2**20, area),
        }
        return out


def _per(value: float, total: float) -> float | None:
    """``value / total``; None where the total is 0, since no row has such a cost."""
    return value / total if total else None


def _shares(rollup: Rollup) -> dict[str, dict[str, float]]:
    """The share of each row in the power and area of one tile and of the whole chip."""
    out = {}
    per_tile = {"core": next((r.times for r in rollup.rows if r.level == "core"), 0.0), "tile": 0.0}
    per_tile["tile"] = next((r.times for r in rollup.rows if r.level == "tile"), 1.0)
    for what, totals in (("power", rollup.power_w), ("area", rollup.area_mm2)):
        once = {row.key: row.power_w if what == "power" else row.area_mm2 for row in rollup.rows}
        out[f"tile_{what}"] = {
            row.key: once[row.key] * row.times / per_tile["tile"] / totals["tile"]
            for row in rollup.rows
            if row.level != "chip" and totals["tile"]
        }
        if "chip" in totals:
            out[f"chip_{what}"] = {
                row.key: once[row.key] * row.times / totals["chip"] for row in rollup.rows if totals["chip"]
            }
    return out


def weights_per_tile(tile: Tile) -> int:
    """The weights that the arrays of one tile hold, unit columns aside."""
    core = tile.core
    if core.digital:
        return weights_a_tile(tile)
    array = crossbar(core)
    cells = cells_per_weight(core)
    if core.encoding.slices == "side-by-side":
        weights = array.count * array.rows * (array.columns // cells)
    else:
        weights = (array.count // cells) * array.rows * array.columns
    return core.count * weights


def peak_ops_per_s(tile: Tile) -> float:
    """Operations a second of one tile with all arrays busy, OPERATIONS_PER_MAC a multiply-accumulate."""
    if tile.core.digital:
        return OPERATIONS_PER_MAC * tile.core.count * float(peak_macs_per_s(tile))
    return OPERATIONS_PER_MAC * weights_per_tile(tile) * PICOSECONDS / mvm_timing(tile).interval_ps


def _rows(tile: Tile, level: str, rows: Mapping[str, Component], times: float, tiles: int = 1) -> list[Row]:
    """``tiles`` above 1 multiplies the rows that tiles share at the level of the chip."""
    out = []
    for name, row in rows.items():
        often = times * (tiles if level == "chip" and row.shared_by > 1 else 1)
        out.append(Row(level, name, row, often, peak_power_w(tile, level, row), row.area_m2() * MM2))
    return out


def _sum(rows: list[Row], of: str) -> float:
    return float(sum(getattr(row, of) * row.times for row in rows))


def tile_rollup(tile: Tile) -> Rollup:
    """The roll-up of a single tile."""
    return _rollup(tile, 1, {})


@kept
def chip_rollup(chip: Chip) -> Rollup:
    """The roll-up of a chip."""
    return _rollup(chip.tile, chip.tiles, chip.components, chip=True)


def _rollup(tile: Tile, tiles: int, chip_rows: Mapping[str, Component], chip: bool = False) -> Rollup:
    core = _rows(tile, "core", tile.core.components, 1)
    own = _rows(tile, "tile", tile.components, 1)
    whole = [
        *_rows(tile, "core", tile.core.components, tiles * tile.core.count),
        *_rows(tile, "tile", tile.components, tiles),
        *_rows(tile, "chip", chip_rows, 1, tiles),
    ]
    sums: dict[str, dict[str, float]] = {}
    for of in ("power_w", "area_mm2"):
        once = _sum(core, of)
        sums[of] = {"core": once, "tile": tile.core.count * once + _sum(own, of)}
        if chip:
            sums[of]["chip"] = tiles * sums[of]["tile"] + _sum(_rows(tile, "chip", chip_rows, 1, tiles), of)
    timing = mvm_timing(tile)
    each = _arrays(tile)
    return Rollup(
        rows=tuple(whole),
        power_w=sums["power_w"],
        area_mm2=sums["area_mm2"],
        peak_tops=tiles * peak_ops_per_s(tile) / 1e12,
        mvm_interval_ps=timing.interval_ps,
        mvm_latency_ps=timing.latency_ps,
        arrays=tiles * each.number,
        weight_bytes=tiles * each.weight_bits / 8,
        conversions_per_mac=_conversions_per_mac(tile),
    )


def _conversions_per_mac(tile: Tile) -> float | None:
    if tile.core.digital:
        return None
    converted = actions_per_mvm(tile.core, tile.core.the("adc")[1]) * tile.core.count
    weights = weights_per_tile(tile)
    return float(converted / weights) if weights else None


class _Arrays(NamedTuple):
    """The arrays of a tile, and the bits of weights that they, or the memory beside them, hold."""

    number: int
    weight_bits: int


def _arrays(tile: Tile) -> _Arrays:
    core = tile.core
    if core.digital:
        return _Arrays(core.count * mac_array(core).count, weights_a_tile(tile) * core.encoding.weight_bits)
    array = crossbar(core)
    count = core.count * array.count
    return _Arrays(count, count * array.rows * array.columns * array.cell_bits)
