"""``compile``: a network on a board becomes a Program, with all that results need to know of it."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from archsim.compile.bound import busiest_link_ps, busiest_stage_ps
from archsim.compile.builder import Builder
from archsim.compile.capacity import BufferTooSmallError, with_capacities
from archsim.compile.detail import require_layers, with_components
from archsim.compile.elementwise import require_units, with_host
from archsim.compile.lower import Lowered, lower
from archsim.compile.place import Mapped, Placement
from archsim.compile.planner import Attempt, attempts, buffer_bits, once, planners
from archsim.compile.replicate import Copies, given
from archsim.compile.sharing import SharedAttempt, require_resident, shared_attempts
from archsim.compile.slicing import slice_layer, slot_shape
from archsim.errors import CompileError
from archsim.hardware.mac import weights_a_tile
from archsim.noc.board import HOST, Board
from archsim.program import Program, Stage
from archsim.spec.chip import Chip
from archsim.workload.graph import Graph

__all__ = ["Compiled", "Replication", "arrays_needed", "chips_to_fit", "compile_network", "fits", "on_chip"]

Replication = Literal["balanced", "none"] | Mapping[str, int]
"""How many copies: balanced for the smallest interval, one of each, or a user's own factors."""


Way = Attempt | SharedAttempt
"""A way to place a network: on crossbars, which are one layer's, or on mac-arrays that layers share."""

MUCH = 1.15
"""How many times as long as the slowest stage the busiest link may work before other placements are tried."""

TRIES = 2
"""The placements that are compared at the most."""


@dataclass(frozen=True)
class Compiled:
    """A network on a board.  ``program`` is for one image; :meth:`for_images` gives that of several.

    ``work`` counts the actions of one image by (``level.component``, action); tokens over links are counted from the
    Program itself.
    """

    graph: Graph
    board: Board
    copies: Copies
    mapped: dict[str, Mapped]
    placements: tuple[Placement, ...]
    program: Program
    lowered: Lowered
    stage_tile: tuple[int, ...]
    work: dict[tuple[str, str], float] = field(repr=False)
    detail: frozenset[str] = frozenset()
    """Layers whose MVMs are simulated component by component; see :mod:`archsim.compile.detail`."""

    def for_images(self, images: int) -> Program:
        """The Program of ``images`` images, one after the other: only the firings differ."""
        return self.program.repeated(images)

    @cached_property
    def tiles_used(self) -> int:
        """Tiles in which anything is done."""
        return len({tile for tile in self.stage_tile if tile != HOST})

    @cached_property
    def arrays_used(self) -> int:
        """Arrays that hold a weight."""
        return sum(
            p.copies * self.mapped[p.layer].parts[p.part].count * self.mapped[p.layer].slots.shape.arrays
            for p in self.placements
        )

    @cached_property
    def weights_held(self) -> int:
        """Weights on the board, copies counted."""
        return sum(p.copies * self.mapped[p.layer].parts[p.part].cells_used for p in self.placements)


def arrays_needed(graph: Graph, chip: Chip) -> dict[str, int]:
    """Arrays that hold each layer once, with all of its experts."""
    shape = slot_shape(chip.tile)
    return {layer.name: layer.experts * slice_layer(layer, shape).arrays for layer in graph.matrix_layers}


def weights_of(graph: Graph) -> int:
    """The weights of all layers, of all experts."""
    return sum(layer.weights for layer in graph.matrix_layers)


def chips_to_fit(graph: Graph, chip: Chip) -> int:
    """The chips of the smallest board that holds every layer once."""
    require_resident(chip.tile)
    graph = with_host(chip.tile, graph)
    require_units(chip.tile, list(graph.layers))
    core, shape = chip.tile.core, slot_shape(chip.tile)
    if core.digital:
        chips = -(-weights_of(graph) // (chip.working_tiles * weights_a_tile(chip.tile)))
        while next(shared_attempts(graph, chip, chips), None) is None:
            chips += 1
        return chips
    per_chip = chip.working_tiles * core.count * core.the("crossbar")[1].count
    if not shape.per_core:
        raise CompileError(f"tile {chip.tile.name!r}: a core has too few arrays for the slices of one weight")
    chips = -(-sum(arrays_needed(graph, chip).values()) // per_chip)
    while not planners(graph, chip, chips, once(graph)):
        chips += 1
    return chips


def fits(graph: Graph, chip: Chip, chips: int) -> bool:
    """Whether a board of ``chips`` chips holds every layer once, its buffers aside."""
    require_resident(chip.tile)
    graph = with_host(chip.tile, graph)
    require_units(chip.tile, list(graph.layers))
    if chip.tile.core.digital:
        return next(shared_attempts(graph, chip, chips), None) is not None
    return bool(planners(graph, chip, chips, once(graph)))


def compile_network(
    graph: Graph,
    chip: Chip,
    chips: int,
    replication: Replication = "balanced",
    *,
    check_buffers: bool = True,
    component_detail: frozenset[str] = frozenset(),
) -> Compiled:
    """Compile ``graph`` onto a board of ``chips`` chips.  CompileError says what does not fit, and by how much.

    The MVMs of the layers in ``component_detail`` are simulated component by component.
    """
    require_layers(graph, component_detail)
    with _without_collection():
        return _compile(graph, chip, chips, replication, check_buffers, component_detail)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Without Python's search for garbage cycles: compilation makes many records, and none of them holds a cycle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()  # what was made counts as old: no search goes through all of it at once
        if enabled:
            gc.enable()


def _compile(
    graph: Graph,
    chip: Chip,
    chips: int,
    replication: Replication,
    check_buffers: bool,
    component_detail: frozenset[str],
) -> Compiled:
    require_resident(chip.tile)
    graph = with_host(chip.tile, graph)
    require_units(chip.tile, list(graph.layers))
    if chip.tile.core.digital:
        return _compile_digital(graph, Board(chip, chips), replication, check_buffers, component_detail)
    copies = once(graph) if isinstance(replication, str) else given(graph.matrix_layers, replication)
    ways = planners(graph, chip, chips, copies)
    if not ways:
        raise _does_not_fit(graph, chip, chips, copies)
    compiled = _best(
        graph, Board(chip, chips), attempts(ways, copies, balance=replication == "balanced"), check_buffers
    )
    return _detailed(compiled, component_detail)


def _compile_digital(
    graph: Graph, board: Board, replication: Replication, check_buffers: bool, component_detail: frozenset[str]
) -> Compiled:
    """The same for mac-arrays, which the layers in a tile share."""
    chip = board.chip
    if replication != "balanced":
        raise CompileError(f"replication: layers share the mac-arrays of {chip.name}; only balanced copies are planned")
    if component_detail:
        raise CompileError(f"component detail: the steps of a mac-array have no components, and {chip.name} has one")
    ways = list(shared_attempts(graph, chip, board.chips))
    if not ways:
        have, needed = board.tiles * weights_a_tile(chip.tile), weights_of(graph)
        gap = "too few" if needed > have else "but the parts of its layers leave gaps in the tiles"
        raise CompileError(
            f"{graph.name} does not fit {board.chips} × {chip.name}: it has {needed} weights, the board holds {have}, "
            f"{gap}. {chips_to_fit(graph, chip)} chips hold it once; --reprogram runs it in phases, between which the "
            "board is written."
        )
    return _best(graph, board, iter(ways), check_buffers)


@dataclass(frozen=True)
class _Draft:
    """A network placed and lowered, its capacities still unknown."""

    attempt: Way
    placements: list[Placement]
    builder: Builder
    lowered: Lowered
    program: Program

    @cached_property
    def links_ps(self) -> int:
        return busiest_link_ps(self.program)

    @cached_property
    def stages_ps(self) -> int:
        return busiest_stage_ps(self.program)


def _best(graph: Graph, board: Board, ways: Iterator[Way], check_buffers: bool) -> Compiled:
    """The first way of which no link needs much longer than its stages, or else the best of the first few; the next
    few if the buffers are too small for those."""
    failure: BufferTooSmallError | None = None
    placed = _different(ways)
    while drafts := _next_drafts(graph, board, placed):
        for draft in sorted(drafts, key=lambda d: max(d.links_ps, d.stages_ps)):
            try:
                return _finished(graph, board, draft, check_buffers)
            except BufferTooSmallError as error:
                failure = error
    assert failure is not None
    raise failure


def _different(ways: Iterator[Way]) -> Iterator[tuple[Way, list[Placement]]]:
    """The ways that fit, with where everything stands; none that puts everything where one before did."""
    known: set[tuple[Placement, ...]] = set()
    for attempt in ways:
        placements = attempt.placed()
        if placements is not None and tuple(placements) not in known:
            known.add(tuple(placements))
            yield attempt, placements


def _next_drafts(graph: Graph, board: Board, placed: Iterator[tuple[Way, list[Placement]]]) -> list[_Draft]:
    """The next ways, up to the first of which no link needs much longer than its stages."""
    drafts: list[_Draft] = []
    for attempt, placements in placed:
        builder = Builder(board, board.chip.tile.core.encoding.input_bits)
        mapped = {m.layer.name: m for m in attempt.mapped()}
        lowered = lower(builder, graph, mapped, placements, attempt.copies)
        drafts.append(_Draft(attempt, placements, builder, lowered, builder.program()))
        if len(drafts) == TRIES or drafts[-1].links_ps <= MUCH * drafts[-1].stages_ps:
            break
    return drafts


def _detailed(compiled: Compiled, layers: frozenset[str]) -> Compiled:
    program = with_components(compiled.program, compiled.board.chip.tile, layers)
    return replace(compiled, program=program, stage_tile=tuple(_stage_tiles(program.stages)), detail=layers)


def _stage_tiles(stages: Iterable[Stage]) -> list[int]:
    return [HOST if stage.place == "host" else int(stage.place.removeprefix("tile ")) for stage in stages]


def _finished(graph: Graph, board: Board, draft: _Draft, check_buffers: bool) -> Compiled:
    copies, placements = draft.attempt.copies, tuple(draft.placements)
    mapped = {m.layer.name: m for m in draft.attempt.mapped()}
    program, stage_tile = _with_room(draft.program, draft.builder, check_buffers)
    work = dict(draft.builder.work.counts)
    return Compiled(graph, board, copies, mapped, placements, program, draft.lowered, stage_tile, work)


def _with_room(program: Program, builder: Builder, check_buffers: bool) -> tuple[Program, tuple[int, ...]]:
    """``program`` with its capacities, and the tile of each of its stages."""
    stage_tile = _stage_tiles(program.stages)
    room = buffer_bits(builder.tile)
    capacious = with_capacities(program, stage_tile, room, check=check_buffers, known=builder.known)
    return capacious, tuple(stage_tile)


def on_chip(compiled: Compiled, chip: Chip) -> Compiled:
    """The same network in the same places on a board of ``chip``, which has other times or sizes than the board's own
    and is like it in everything else: stages, flows and routes are the same, in the same order."""
    with _without_collection():
        board = Board(chip, compiled.board.chips)
        builder = Builder(board, chip.tile.core.encoding.input_bits)
        placements = list(compiled.placements)
        planned = compiled.board.chip.tile
        lowered = lower(builder, compiled.graph, compiled.mapped, placements, dict(compiled.copies), planned)
        program, _ = _with_room(builder.program(), builder, False)
        work = dict(builder.work.counts)
        moved = replace(compiled, board=board, program=program, lowered=lowered, work=work)
        return _detailed(moved, compiled.detail)


def _does_not_fit(graph: Graph, chip: Chip, chips: int, copies: Copies) -> CompileError:
    core, shape = chip.tile.core, slot_shape(chip.tile)
    arrays_a_core = core.the("crossbar")[1].count
    cores = {m.name: -(-copies[m.name] * slice_layer(m, shape).count // shape.per_core) for m in graph.matrix_layers}
    needed, have = sum(cores.values()) * arrays_a_core, chips * chip.working_tiles * core.count * arrays_a_core
    gap = (
        f"the board has {have}, {needed - have} too few"
        if needed > have
        else f"and the board has {have}, but the parts of its layers leave gaps in the tiles"
    )
    return CompileError(
        f"{graph.name} does not fit {chips} × {chip.name}: it needs {needed} arrays in whole cores, {gap}. "
        f"{chips_to_fit(graph, chip)} chips hold it once; fewer than {core.encoding.weight_bits} weight bits, more "
        "bits a cell or fewer copies need fewer arrays. --reprogram runs it in phases, between which the board is "
        "written."
    )
