"""Phases: a network that does not fit its board, in as few parts as do, one loaded after the other.

A part is a run of blocks (:mod:`archsim.compile.cut`).  Whatever fits still fits with fewer blocks, so taking as many
blocks as fit, again and again, makes the fewest phases: no other way to cut can be ahead of it after any number of
phases.  Of all ways with so few phases the one is taken that promises the shortest sum of

    windows of the slowest copy of a phase, when copies are balanced over the cores of the board,

which is the time that its images take, in MVMs.  A block that does not fit by itself is one layer in as few pieces as
fit, each a phase.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import NamedTuple

import numpy as np

from archsim.compile.capacity import BufferTooSmallError
from archsim.compile.cut import blocks_of, part_of, pieces_of
from archsim.compile.network import Compiled, Replication, compile_network, fits
from archsim.compile.slicing import SlotShape, slice_layer, slot_shape
from archsim.errors import CompileError
from archsim.hardware.mac import weights_a_tile
from archsim.spec.chip import Chip
from archsim.workload.graph import Graph, Layer

__all__ = ["PhasePlan", "compile_phases"]

Span = tuple[int, int]
"""A half-open range of blocks."""


class PhasePlan(NamedTuple):
    """A phase: its layers with weights, by name, and the placed network."""

    layers: tuple[str, ...]
    compiled: Compiled


def compile_phases(
    graph: Graph, chip: Chip, chips: int, replication: Replication = "balanced"
) -> tuple[PhasePlan, ...]:
    """``graph`` in phases on a board of ``chips`` chips; one phase if it fits.  CompileError if it cannot be cut.

    Factors of ``replication`` go to the phases that have the layers that they name.
    """
    cutter = _Cutter(graph, chip, chips)
    parts: dict[str, Compiled] = {}

    def compiled(part: Graph) -> Compiled:
        key = "|".join(layer.name for layer in part)
        if key not in parts:
            parts[key] = compile_network(part, chip, chips, _factors(part, replication))
        return parts[key]

    while True:
        spans = cutter.plan()
        try:
            found = [(part, compiled(part)) for span in spans for part in cutter.parts(span)]
        except BufferTooSmallError:
            refused = next(span for span in spans if not _keeps(cutter, span, parts))
            if refused[1] - refused[0] == 1:
                raise
            cutter.refused.add(refused)
            continue
        return tuple(PhasePlan(tuple(layer.name for layer in part.matrix_layers), placed) for part, placed in found)


def _keeps(cutter: _Cutter, span: Span, parts: dict[str, Compiled]) -> bool:
    """Whether all parts of a span have been compiled."""
    return all("|".join(layer.name for layer in part) in parts for part in cutter.parts(span))


def _factors(part: Graph, replication: Replication) -> Replication:
    if isinstance(replication, str):
        return replication
    own = {layer.name for layer in part.matrix_layers}
    return {layer: copies for layer, copies in replication.items() if layer in own}


@dataclass
class _Cutter:
    """Cuts one network for one board."""

    graph: Graph
    chip: Chip
    chips: int
    refused: set[Span] = field(default_factory=set)
    """Ranges whose buffers are too small."""
    _fitting: dict[Span, bool] = field(default_factory=dict)
    _pieces: dict[int, list[Graph]] = field(default_factory=dict)

    @cached_property
    def blocks(self) -> list[tuple[Layer, ...]]:
        """The runs of layers that stay together.  What follows a layer that is cut goes with the next one."""
        found, out = blocks_of(self.graph), []
        over: tuple[Layer, ...] = ()
        for k, own in enumerate(found):
            block, over = (*over, *own), ()
            end = len(block)
            if k + 1 < len(found) and not self._alone(block):
                end = max(at for at, layer in enumerate(block) if layer.matrix) + 1
            over = block[end:]
            out.append(block[:end])
        return out

    def _alone(self, block: tuple[Layer, ...]) -> bool:
        size = sum(self._once(layer) for layer in block if layer.matrix)
        return 2 * size <= self._all or fits(part_of(self.graph, block), self.chip, self.chips)

    def part(self, span: Span) -> Graph:
        """The network of a range of blocks."""
        return part_of(self.graph, [layer for block in self.blocks[slice(*span)] for layer in block])

    def parts(self, span: Span) -> list[Graph]:
        """The same as networks that each fit: itself, or the pieces of a layer that does not fit."""
        if self.fits(span):
            return [self.part(span)]
        assert span[1] - span[0] == 1
        if span[0] not in self._pieces:
            self._pieces[span[0]] = self._cut(self.blocks[span[0]])
        return self._pieces[span[0]]

    def fits(self, span: Span) -> bool:
        """Whether a range of blocks can be placed."""
        if span in self.refused:
            return False
        if span not in self._fitting:
            few = sum(self._sizes[slice(*span)]) <= self._all
            self._fitting[span] = few and fits(self.part(span), self.chip, self.chips)
        return self._fitting[span]

    # -- where to cut ---------------------------------------------------------------------------

    def plan(self) -> list[Span]:
        """The ranges of the phases; a block that does not fit by itself has a range of its own."""
        spans: list[Span] = []
        low, end = 0, len(self.blocks)
        while low < end:
            high = end
            while high > low + 1 and not self.fits((low, high)):
                high -= 1
            spans.append((low, high))
            low = high
        if len(spans) > 1 and self.graph.autoregressive:
            raise CompileError(
                f"{self.graph.name} does not fit {self.chips} × {self.chip.name} and is autoregressive: each step "
                "needs the output of the one before, so that phases cannot take all steps in turn"
            )
        return self._balanced(spans)

    def _balanced(self, spans: list[Span]) -> list[Span]:
        """Between ranges that are too big, as many ranges as in ``spans``, with the least sum of paces."""
        out: list[Span] = []
        run: list[Span] = []
        for span in [*spans, None]:
            if span is not None and self.fits(span):
                run.append(span)
                continue
            out += self._fastest(run) if len(run) > 1 else run
            out += [span] if span is not None else []
            run = []
        return out

    def _fastest(self, run: list[Span]) -> list[Span]:
        low, high, count = run[0][0], run[-1][1], len(run)
        excluded: set[Span] = set()
        while True:
            found = self._shortest_sum(low, high, count, excluded)
            bad = [span for span in found if not self.fits(span)]
            if not found or not bad:
                return found or run
            excluded |= set(bad)

    def _shortest_sum(self, low: int, high: int, count: int, excluded: set[Span]) -> list[Span]:
        """By dynamic programming over the ends of the first phases; empty if there is no way."""
        best: dict[int, tuple[float, list[Span]]] = {low: (0.0, [])}
        for _ in range(count):
            after: dict[int, tuple[float, list[Span]]] = {}
            for start, (so_far, spans) in best.items():
                for end in range(start + 1, high + 1):
                    span = start, end
                    pace = inf if span in excluded or span in self.refused else self._pace(span)
                    if pace == inf:
                        if span not in excluded and span not in self.refused:
                            break  # more blocks do not fit either
                        continue
                    if end not in after or so_far + pace < after[end][0]:
                        after[end] = so_far + pace, [*spans, span]
            best = after
        return best[high][1] if high in best else []

    # -- estimates ------------------------------------------------------------------------------

    @cached_property
    def _slots(self) -> list[list[tuple[Layer, int]]]:
        """The slots of a copy of each layer with weights, by block."""
        matrices = [[layer for layer in block if layer.matrix] for block in self.blocks]
        return [[(layer, slice_layer(layer, self._shape).count) for layer in block] for block in matrices]

    @cached_property
    def _shape(self) -> SlotShape:
        return slot_shape(self.chip.tile)

    @cached_property
    def _per_core(self) -> int:
        return max(1, self._shape.per_core)

    @cached_property
    def _sizes(self) -> list[int]:
        """What each block takes of the board with one copy of its layers."""
        return [sum(self._once(layer) for layer, _ in block) for block in self._slots]

    def _once(self, layer: Layer) -> int:
        """What a layer takes of the board: cores, or weights of the memories beside mac-arrays."""
        if self.chip.tile.core.digital:
            return layer.weights
        return -(-layer.experts * slice_layer(layer, self._shape).count // self._per_core)

    @cached_property
    def _all(self) -> int:
        """What the board has of that."""
        tile, tiles = self.chip.tile, self.chips * self.chip.working_tiles
        return tiles * (weights_a_tile(tile) if tile.core.digital else tile.core.count)

    def _pace(self, span: Span) -> float:
        """The windows of the slowest copy of a phase; infinite if it does not fit with one copy of each layer."""
        layers = [pair for block in self._slots[slice(*span)] for pair in block]
        windows = np.array([layer.windows for layer, _ in layers], np.int64)
        if self.chip.tile.core.digital:  # which all layers share, however they are cut
            steps = float((windows * [slots for _, slots in layers]).sum())
            return steps if sum(self._sizes[slice(*span)]) <= self._all else inf
        slots = np.array([count * layer.experts for layer, count in layers], np.int64)
        fixed = np.array([layer.copies or 0 for layer, _ in layers], np.int64)

        def room(pace: int) -> bool:
            copies = np.where(fixed > 0, 1, -(-windows // pace))
            return int((-(-copies * slots // self._per_core)).sum()) <= self._all

        low, high = 0, int(windows.max())
        if not room(high):
            return inf
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if room(middle) else (middle, high)
        return float(max(high, int((windows * (fixed > 0)).max())))

    # -- layers that are too big ----------------------------------------------------------------

    def _cut(self, block: tuple[Layer, ...]) -> list[Graph]:
        """The layer of ``block`` in as few pieces as fit, each a network with the flatten that it reads."""
        main = [layer for layer in block if layer.matrix]
        if len(main) != 1 or main[0] is not block[-1]:
            names = ", ".join(layer.name for layer in block)
            raise CompileError(f"{names} do not fit {self.chips} × {self.chip.name} together and are not cut")
        before, layer = block[:-1], main[0]
        assert layer.matrix is not None
        most = layer.matrix.columns
        few = min(max(2, -(-self._once(layer) // self._all)), most)

        def parts(count: int) -> list[Graph]:
            return [part_of(self.graph, [*before, piece], layer.name) for piece in pieces_of(layer, count)]

        def fit(count: int) -> bool:
            return fits(parts(count)[-1], self.chip, self.chips)  # the last piece is as large as any

        if not fit(most):
            raise CompileError(
                f"{layer.name} does not fit {self.chips} × {self.chip.name} by itself, nor does one of its {most} "
                "outputs, whose sum is not cut"
            )
        low, high = (few - 1, few) if fit(few) else (few, most)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if fit(middle) else (middle, high)
        return parts(high)
