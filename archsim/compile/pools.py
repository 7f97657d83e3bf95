"""Pools that take their pixels as these come, and keep running values: global pools, and those of large windows."""

from __future__ import annotations

from dataclasses import replace

from archsim.compile.connect import Sink, Source
from archsim.compile.deal import WHOLE, Share
from archsim.compile.elementwise import accumulating, finishing, layer_operations
from archsim.compile.reads import Window
from archsim.compile.streaming import kept_pixels
from archsim.compile.tensors import Tensor
from archsim.compile.workers import HELD, Worker, Workers
from archsim.workload.graph import Layer

__all__ = ["Pools"]


class Pools(Workers):
    """Lowers pools that accumulate."""

    def _accumulator(self, layer: Layer, source: Source, main: Tensor) -> tuple[Sink, Source]:
        """A global pool: takes the pixels of all strips as they come and puts out one value a channel at the end."""
        each = -(-main.pixels // source.firings)
        reads = self._read(Window(main.rows, main.columns, main.columns), main.rows, WHOLE, each)
        firings = len(reads.need)
        values = source.channels[1] - source.channels[0]
        worker = Worker(source.tile, source.channels, source.share, firings)
        operations = accumulating(layer, values, main.pixels)
        body, out = self._worker_stages(layer, worker, main.pixels, each, operations)
        pixels = self._strip(1, 1, WHOLE)
        self.builder.count_units(finishing(layer, values), 1)
        made = replace(source, stage=out, pixels=pixels, share=WHOLE, each=1, firings=firings, at_end=True)
        return Sink(body, source.tile, source.channels, reads), made

    def _streams(self, layer: Layer, window: Window, share: Share, values: int) -> bool:
        """Whether a pool of ``values`` channels of a strip keeps running values, since the pixels of its windows would
        take too much of a buffer."""
        if not layer.pool:
            return False
        kept = kept_pixels(window, (share.end - share.start) / share.of) * values * self.builder.value_bits
        return kept > HELD * self.spread.buffer_bits

    def _kept(self, layer: Layer, window: Window, share: Share, values: int) -> float:
        """Bits that a pool of ``values`` channels of a strip keeps: pixels, or running values where it streams."""
        kept = kept_pixels(window, (share.end - share.start) / share.of)
        if self._streams(layer, window, share, values):
            kept = self.known.strip_streamed(window, *layer.grid, share, 1).running
        return float(kept * values * self.builder.value_bits)

    def _streaming(self, layer: Layer, window: Window, worker: Worker) -> tuple[Sink, Source]:
        """A pool that keeps a running value of each window that has begun, in the buffer of its tile.

        For each pixel the running values of its windows are read and written again.
        """
        windows = self._strip(*layer.grid, worker.share)
        size = self._read(window, layer.grid[0], worker.share, 1).pixels.size
        each = -(-size // min(worker.firings, size))
        plan = self.known.strip_streamed(window, *layer.grid, worker.share, each)
        worker = replace(worker, firings=len(plan.begun))
        work = layer_operations(layer, worker.values)
        a_pixel = {operator: -(-count * windows.size // size) for operator, count in work.items()}
        bits = worker.values * self.builder.value_bits
        updated = -(-2 * plan.updates * bits // size)
        body, out = self._worker_stages(layer, worker, windows.size, each, a_pixel, streamed=updated, work=work)
        self.builder.keep(f"{layer.name} running", body, plan.begun, plan.ended, bits)
        made = Source(out, worker.tile, worker.channels, windows, worker.share, 1, worker.firings, streamed=plan)
        return Sink(body, worker.tile, worker.channels, plan.reads), made
