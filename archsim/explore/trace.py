"""A run of a design as a timeline: the window, the tiles and the layer that a user wants to see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from archsim.compile.network import Compiled
from archsim.errors import ArchsimError, RecordsError, nearest
from archsim.explore.options import Options, whole_number
from archsim.explore.run import Design, compile_design
from archsim.sim.outcome import FOREVER
from archsim.sim.timeline import Timeline, run_timeline
from archsim.units import PICOSECONDS, Quantity

__all__ = ["MOST", "View", "trace_design", "view"]

MOST = 1_000_000
"""Firings and tokens on links in one timeline: a file of about 70 MB, which a browser still opens."""


@dataclass(frozen=True)
class View:
    """What is looked at: a window in ps, tiles as they were written (none: all), a layer whose tokens are followed."""

    since: int = 0
    until: int = FOREVER
    tiles: tuple[str, ...] = ()
    layer: str | None = None


def view(since: str | None, until: str | None, tiles: Sequence[str] | None, layer: str | None) -> View:
    """A view from the command line's texts."""
    begin, end = _time("--from", since, 0), _time("--to", until, FOREVER)
    if begin >= end:
        raise ArchsimError(f"--to: expected a time after --from, {since or '0 ns'}, got {until}")
    return View(begin, end, tuple(tiles or ()), layer)


def _time(option: str, text: str | None, default: int) -> int:
    """A time in ps, rounded down."""
    if text is None:
        return default
    try:
        time = Quantity.parse(text, "time").value * PICOSECONDS
    except ValueError as error:
        raise ArchsimError(f"{option}: {error}") from None
    if not 0 <= time < FOREVER:
        raise ArchsimError(f"{option}: expected a time from 0 to 100 days, got {text!r}")
    return int(time)


def trace_design(
    design: Design,
    chips: int | None,
    options: Options,
    wanted: View,
    report: Callable[[str], None] = lambda step: None,
) -> Timeline:
    """Compile ``design`` as a run does, run it once and keep what ``wanted`` shows.

    ArchsimError if that is more than a timeline can hold, or names a tile or layer that is not there.
    """
    _require_layer(design, wanted.layer)
    compiled = compile_design(design, chips, options, report)
    tiles = frozenset(_tile(text, compiled) for text in wanted.tiles) if wanted.tiles else None
    try:
        return run_timeline(
            compiled,
            images=options.images,
            engine_name=options.engine,
            tiles=tiles,
            since=wanted.since,
            until=wanted.until,
            most=MOST,
            report=report,
        )
    except RecordsError:
        raise ArchsimError(
            f"the timeline would hold more than {MOST} firings and tokens on links, too many to look at; "
            "a window (--from, --to), some tiles (--tile) or fewer --images make it smaller"
        ) from None


def _require_layer(design: Design, layer: str | None) -> None:
    known = [known.name for known in design.graph.layers]
    if layer is not None and layer not in known:
        raise ArchsimError(f"--flow: {design.graph.name} has no layer {layer!r}{nearest(layer, known)}")


def _tile(text: str, compiled: Compiled) -> int:
    """A tile that takes part in the run, from ``TILE`` or ``CHIP:TILE``."""
    board = compiled.board
    chip, colon, local = text.rpartition(":")
    on, tile = whole_number(chip) if colon else 0, whole_number(local)
    limit = board.tiles_per_chip if colon else board.tiles
    if tile is None or on is None or tile >= limit or on >= board.chips:
        raise ArchsimError(
            f"--tile: expected 0 to {board.tiles - 1}, or CHIP:TILE from 0:0 to {board.chips - 1}:"
            f"{board.tiles_per_chip - 1}, got {text!r:.200}"
        )
    number = on * board.tiles_per_chip + tile
    if number not in compiled.stage_tile:
        used = sorted({tile for tile in compiled.stage_tile if tile >= 0}, key=lambda used: (abs(used - number), used))
        raise ArchsimError(f"--tile: tile {text} takes no part in the run; the nearest that does is {used[0]}")
    return number
