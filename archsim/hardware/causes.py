"""Which rows of a tile set the time of an MVM, and the same chip with one of its times or sizes changed.

A **name** is ``core.adc``, ``tile.bus``, ``chip.hyper_transport``: a level and a row.  Beside rows, ``core.cycle`` and
``tile.cycle`` are the clocks that rows without a time of their own keep to, ``noc.bandwidth`` is that of all links of
the network on chip, and ``tile.NAME.capacity`` the room of the tile's buffer.

A **cause** is one or more names: a time that several need alike falls only if all of them get faster.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TypeVar

from archsim.hardware.mac import slowest_rows
from archsim.hardware.mvm import mvm_timing, step_ps
from archsim.spec.base import Strict
from archsim.spec.chip import Chip
from archsim.spec.component import Component
from archsim.spec.tile import Tile
from archsim.units import Quantity

__all__ = [
    "CORE_CYCLE",
    "NOC_BANDWIDTH",
    "TILE_CYCLE",
    "Cause",
    "Parts",
    "added",
    "faster",
    "group_parts",
    "interval_parts",
    "latency_parts",
    "room_name",
]

Cause = tuple[str, ...]
"""Names that set a time together."""

Parts = tuple[tuple[Cause, int], ...]
"""A time in ps as parts, each with its cause."""

CORE_CYCLE = "core.cycle"
TILE_CYCLE = "tile.cycle"
NOC_BANDWIDTH = "noc.bandwidth"

Model = TypeVar("Model", bound=Strict)


def room_name(tile: Tile) -> str:
    """The name of the room in a tile's buffer."""
    return f"tile.{tile.memory.buffer}.capacity"


def added(many: Iterable[Parts]) -> Parts:
    """Parts of equal cause as one, in the order in which the causes first come."""
    sums: dict[Cause, int] = {}
    for parts in many:
        for cause, time in parts:
            sums[cause] = sums.get(cause, 0) + time
    return tuple(sums.items())


def group_parts(tile: Tile, group: list[str], stepped: bool) -> Parts:
    """Whose time the duration of a group of ``core.pipeline`` is: the cycle's, or, where its rows need longer for an
    input step, theirs; the cycle's and theirs if they need just as long."""
    needs = {tile.row_name(row): step_ps(tile.core, tile.row(row)) for row in group} if stepped else {}
    needs = {name: time for name, time in needs.items() if time}
    cycle = tile.core.cycle_ps
    needed = sum(needs.values())
    if needed > cycle:
        return tuple(((name,), time) for name, time in needs.items())
    return (((CORE_CYCLE, *needs) if needed == cycle else (CORE_CYCLE,), cycle),)


def _slowest(groups: list[Parts]) -> Parts:
    """The parts of the longest group; where several are equally long, all their names together."""
    longest = max(sum(time for _, time in parts) for parts in groups)
    alike = [parts for parts in groups if sum(time for _, time in parts) == longest]
    if len(alike) == 1:
        return alike[0]
    return ((tuple(dict.fromkeys(name for parts in alike for cause, _ in parts for name in cause)), longest),)


def _times(parts: Parts, count: int) -> Parts:
    return tuple((cause, count * time) for cause, time in parts if count)


def _of_array(tile: Tile, time: int) -> Parts:
    """A time that the mac-array of a digital core sets, or the memory of its weights."""
    return ((slowest_rows(tile), time),)


def latency_parts(tile: Tile) -> Parts:
    """Whose time the latency of an MVM between the groups ``before`` and ``after`` is."""
    timing = mvm_timing(tile)
    if tile.core.digital:
        return _of_array(tile, timing.core_latency_ps)
    groups = [group_parts(tile, group, True) for group in tile.core.pipeline.steps]
    return added([*groups, _times(_slowest(groups), timing.passes * (timing.steps - 1))])


def interval_parts(tile: Tile) -> Parts:
    """Whose time passes between the starts of two MVMs behind the groups ``before``."""
    timing = mvm_timing(tile)
    if tile.core.digital:
        return _of_array(tile, timing.core_interval_ps)
    if not timing.overlap:
        return added([latency_parts(tile), (((CORE_CYCLE,), sum(timing.after_ps)),)])
    if timing.core_interval_ps > timing.steps * max(timing.steps_ps):
        return (((CORE_CYCLE,), timing.core_interval_ps),)
    return _times(_slowest([group_parts(tile, group, True) for group in tile.core.pipeline.steps]), timing.steps)


def faster(chip: Chip, names: Iterable[str], factor: int) -> Chip:
    """``chip`` with everything of ``names`` ``factor`` times as fast, or as large where it is room."""
    for name in names:
        chip = _faster(chip, name, factor)
    return chip


def _faster(chip: Chip, name: str, factor: int) -> Chip:
    level, row = name.split(".", 1)
    tile, up, down = chip.tile, Fraction(factor), Fraction(1, factor)
    speeds = {"time": down, "frequency": up, "bandwidth": up}
    if name == NOC_BANDWIDTH:
        return _with(chip, noc=_with(chip.noc, bandwidth=_scaled(chip.noc.bandwidth, up)))
    if name == TILE_CYCLE:
        return _with(chip, tile=_with(tile, cycle=_scaled(tile.cycle, down)))
    if name == CORE_CYCLE:
        rows = max(len(group) for group in tile.core.pipeline.steps)  # at component detail each takes at least 1 ps
        down = max(down, Fraction(rows, tile.core.cycle_ps))
        return _with(chip, tile=_with(tile, core=_with(tile.core, cycle=_scaled(tile.core.cycle, down))))
    if name == room_name(tile):
        return _with(chip, tile=_with_row(tile, tile.memory.buffer, {"information": up}))
    if level == "chip":
        return _with_row(chip, row, speeds)
    if level == "tile":
        return _with(chip, tile=_with_row(tile, row, speeds))
    return _with(chip, tile=_with(tile, core=_with_row(tile.core, row, speeds)))


def _with_row(holder: Model, name: str, scales: dict[str, Fraction]) -> Model:
    """``holder`` with the quantities of one of its rows scaled, each by the factor of its dimension."""
    rows: dict[str, Component] = holder.components  # type: ignore[attr-defined]
    values = {key: getattr(rows[name], key) for key in type(rows[name]).model_fields}
    changes = {
        key: _scaled(value, scales[value.dimension])
        for key, value in values.items()
        if isinstance(value, Quantity) and value.dimension in scales
    }
    return _with(holder, components={**rows, name: _with(rows[name], **changes)})


def _with(model: Model, **changes: object) -> Model:
    """A copy; the values are valid ones scaled, so they are not read again."""
    copy = model.model_copy(update=changes)
    for derived in copy.__dict__.keys() - type(model).model_fields.keys():  # cached from the values before
        del copy.__dict__[derived]
    return copy


def _scaled(quantity: Quantity, factor: Fraction) -> Quantity:
    return Quantity(quantity.value * factor, quantity.dimension, f"{quantity.text} × {factor}")
