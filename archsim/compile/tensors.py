"""What all parts of lowering share: tensors, windows, strips, and the stage that puts out a result."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.compile.builder import Builder
from archsim.compile.connect import Source
from archsim.compile.deal import Share
from archsim.compile.reads import Intervals, Reads, Window, full_window
from archsim.compile.work import core_work
from archsim.hardware.mvm import MvmTiming, mvm_timing
from archsim.spec.tile import Tile
from archsim.workload.graph import Graph, Layer

__all__ = ["HOST_FIRINGS", "IN_REGISTERS", "Base", "Tensor", "layer_window", "rows_per_channel"]

HOST_FIRINGS = 4096
"""The firings in which the host sends one image, at the most: each has a number for every flow that leaves the host."""

IN_REGISTERS = 2
"""Tokens that registers between two stages of a core hold: one in use, one coming."""


@dataclass(frozen=True)
class Tensor:
    """What a layer puts out: channels × rows × columns, and the stages that do."""

    channels: int
    rows: int
    columns: int
    sources: tuple[Source, ...]
    made: float | None = None
    """When the first of several joined tensors was made, if it is not when its layer is ready; in images."""
    latest: Tensor | None = None
    """Of several joined tensors that which is made last."""
    laid: tuple[tuple[int, Tensor], ...] = ()
    """Features that are other tensors behind each other, flattened, and where each begins; it has no sources itself."""

    @property
    def pixels(self) -> int:
        """Pixels of one image, or steps of one sequence."""
        return self.rows * self.columns


def layer_window(layer: Layer, rows: int, columns: int) -> Window:
    """How the windows of ``layer`` lie on its input of ``rows`` × ``columns``."""
    if layer.op in ("conv", "local", "maxpool", "avgpool"):
        pad = (layer.pad[0], layer.pad[1])
        wide = layer.output_shape[2]
        return Window(rows, columns, wide, layer.kernel, layer.stride, pad, layer.dilation, depth=layer.depth)
    if layer.op == "globalpool" or (layer.op == "dense" and not layer.one_by_one):
        return full_window(rows, columns)
    return Window(rows, columns, columns)


def rows_per_channel(layer: Layer, pixels: int) -> int:
    """Matrix rows that belong to one channel of an input of ``pixels`` pixels; rows are in channel-major order."""
    if layer.op in ("conv", "local"):
        return layer.kernel_size
    if layer.op in ("linear", "convtranspose") or layer.one_by_one:
        return 1
    return pixels


class Base:
    """The state of lowering one network."""

    def __init__(self, builder: Builder, graph: Graph, planned: Tile) -> None:
        """``planned`` is the tile whose times and sizes say where things go; the builder's may have others."""
        self.planned = planned
        self.builder = builder
        self.graph = graph
        self.tile = builder.tile
        self.cycle_ps = builder.tile.cycle_ps
        self.timing: MvmTiming = mvm_timing(self.tile)
        self.core_work = core_work(self.tile, builder.work)
        self.results = IN_REGISTERS + self.timing.passes - 1  # one more waits in analog buffers, where sums do
        self.tensors: dict[str, Tensor] = {}
        self.known = builder.known

    def _strip(self, rows: int, columns: int, share: Share) -> Intervals:
        return self.known.strip(rows, columns, share)

    def _read(self, window: Window, rows: int, share: Share, each: int) -> Reads:
        """What the windows of a strip read; ``rows`` of the output."""
        return self.known.strip_reads(window, rows, window.columns_out, share, each)

    def _after(self) -> int:
        return sum(self.timing.after_ps) + self.core_work.store_ps()

    def _out_stage(self, name: str, layer: str, tile: int, firings: int, values: int, after: int) -> int:
        """An out stage whose output is written into a buffer of the same tile ``after`` ps after it could start."""
        builder = self.builder
        write = builder.delay(builder.chain((("buffer", tile), values * builder.value_bits)))
        return builder.stage(
            f"{name} out", firings, self.cycle_ps, max(1, after - write), layer=layer, tile=tile, kind="out"
        )
