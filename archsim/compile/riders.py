"""Riders: layers without weights, in the tiles of the layer whose output they read, or spread over others.

Each has **workers**, a pair of stages in a tile: a **body** that waits for what its windows read, and an out stage;
between them the results cross the functional units.  A worker makes a range of channels of a strip of the output.
Where outputs need channels of several tiles, as in a softmax, one worker reads them all.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from archsim.compile.access import accesses, channels_read, flattened_channels, window_of
from archsim.compile.connect import Sink, Source
from archsim.compile.deal import WHOLE, Share
from archsim.compile.elementwise import accumulating, layer_operations, operations_by_row, unit_rate
from archsim.compile.pools import Pools
from archsim.compile.reads import Reads, Window, only, past_reads, whole_reads
from archsim.compile.tensors import HOST_FIRINGS, Tensor, layer_window
from archsim.compile.workers import HELD, Worker
from archsim.noc.board import HOST
from archsim.units import PICOSECONDS, duration_ps
from archsim.workload.graph import Access, Layer

__all__ = ["Riders"]


class Riders(Pools):
    """Lowers layers without weights."""

    ready: dict[str, float]
    near: int = 0
    """A tile that what stands before all layers with weights should be near to."""
    vector_ps: float = 1.0
    """The time that all layers without weights would take in one tile: each gets its share of the tiles."""

    def _lower_rider(self, layer: Layer) -> Tensor:
        operands = [self._operand(layer, number) for number in range(len(layer.inputs))]
        if layer.host:
            return self._on_host(layer, operands)
        if layer.cached:
            return operands[0]
        from_host = all(source.tile == HOST for tensor in operands for source in tensor.sources)
        if layer.reads or from_host:
            return self._vector(layer, operands)
        return self._rider(layer, operands)

    # -- operands -------------------------------------------------------------------------------

    def _operand(self, layer: Layer, number: int) -> Tensor:
        """What ``layer`` reads, in the shape in which it reads it, held where it must wait for other operands."""
        name, shape = layer.inputs[number], layer.input_shapes[number]
        tensor = self.tensors[name]
        if tensor.channels != shape[0]:
            tensor = self._reshaped(layer, name, tensor, shape[0])
        span = accesses(layer)[number].span if layer.op != "concat" else "same"
        if span in ("whole", "past", "reverse") or len(layer.inputs) == 1:
            return tensor
        wait = min(1.0, self.ready[layer.name] - self._made(name, tensor))
        joined = layer.op == "concat"
        pixels = min(tensor.pixels, wait * tensor.pixels + (tensor.columns if wait and joined else 0))
        bits = pixels * tensor.channels * self.builder.value_bits
        # what is joined, or waits for a whole sequence, is read by tiles of another number
        whole = wait > 0.999 and tensor.columns == 1  # sums of fractions
        tiles = {0} if joined or whole else {source.tile for source in tensor.sources if source.tile != HOST}
        if bits > HELD * self.spread.buffer_bits * max(1, len(tiles)):
            held = self._held(f"{layer.name} < {name}", layer, tensor, bits, whole=whole)
            return replace(held, made=self.ready[layer.name], latest=None)
        return tensor

    def _made(self, name: str, tensor: Tensor) -> float:
        """When the values of an output are there, the earliest of those that were joined."""
        return self.ready[name] if tensor.made is None else tensor.made

    def _reshaped(self, layer: Layer, name: str, tensor: Tensor, channels: int) -> Tensor:
        """An image as features, gathered in one place."""
        move = Layer(
            f"{layer.name} < {name}",
            "reshape",
            (name,),
            ((tensor.channels, tensor.rows, tensor.columns),),
            (channels,),
            reads=(Access("whole", 1, at=0),),
        )
        return self._vector(move, [tensor], held_for=layer.name)

    def _held(self, name: str, layer: Layer, tensor: Tensor, bits: float, *, whole: bool) -> Tensor:
        """``tensor`` by way of tiles that hold ``bits`` of it: cut along channels, then along the width.

        Where it must wait for the ``whole`` of a sequence all of it is asked for at once, so that nothing waits before
        it instead.  Images are asked for in order: copies of a layer would else run ahead of each other.
        """
        near = next((source.tile for source in tensor.sources if source.tile != HOST), self.near)
        count = self.spread.pieces(bits, 0.0, tensor.channels * tensor.columns, len(self.spread.free))
        across = min(count, tensor.channels)
        strips = min(-(-count // across), tensor.columns)
        count = across * strips
        tiles = iter(self.spread.take(near, count, bits / count, 0.0, f"layer {layer.name}, to hold {name},"))
        each = max(1, -(-tensor.pixels // strips * self.planned.cycle_ps * 4 // max(1, self.spread.pace_ps)))
        cuts = [tensor.channels * k // across for k in range(across + 1)]
        hold = Layer(name, "hold", (name,), ((tensor.channels, tensor.rows, tensor.columns),), (tensor.channels, 1, 1))
        sinks, sources = [], []
        for k in range(strips):
            share = Share.reduced(k, k + 1, strips)
            windows = self._strip(tensor.rows, tensor.columns, share)
            reads = self._read(Window(tensor.rows, tensor.columns, tensor.columns), tensor.rows, share, each)
            if whole:
                reads = replace(reads, need=np.full_like(reads.need, reads.need[-1]))
            for channels in pairwise(cuts):
                worker = Worker(next(tiles), channels, share, len(reads.need))
                body, out = self._worker_stages(hold, worker, windows.size, each, {}, held_for=layer.name)
                sinks.append(Sink(body, worker.tile, channels, reads))
                sources.append(Source(out, worker.tile, channels, windows, share, each, worker.firings))
        self.builder.connect(name, tensor.sources, sinks, tensor.pixels)
        return replace(tensor, sources=tuple(sources))

    # -- by the layer that is read --------------------------------------------------------------

    def _rider(self, layer: Layer, operands: list[Tensor]) -> Tensor:
        """A layer in the tiles of the layer that makes its latest input, channel by channel."""
        order = {name: k for k, name in enumerate(self.tensors)}
        latest = max(layer.inputs, key=lambda name: order[name])
        main = operands[layer.inputs.index(latest)]
        window = layer_window(layer, main.rows, main.columns)
        rows, columns = layer.grid
        sinks: list[Sink] = []
        sources: list[Source] = []
        self._work_out(layer, main, window)
        for source in main.sources:
            windows = self._strip(rows, columns, source.share)
            if windows.size and layer.op == "globalpool":
                sink, made = self._accumulator(layer, source, main)
                sinks.append(sink)
                sources.append(made)
            elif windows.size and self._streams(layer, window, source.share, _width(source)):
                worker = Worker(source.tile, source.channels, source.share, source.firings)
                sink, made = self._streaming(layer, window, worker)
                sinks.append(sink)
                sources.append(made)
            elif windows.size:
                each = -(-windows.size // source.firings)
                reads = self._read(window, rows, source.share, each)
                worker = Worker(source.tile, source.channels, source.share, len(reads.need))
                operations = layer_operations(layer, source.channels[1] - source.channels[0])
                body, out = self._worker_stages(layer, worker, windows.size, each, operations)
                sinks.append(Sink(body, source.tile, source.channels, reads))
                firings = len(reads.need)
                sources.append(replace(source, stage=out, pixels=windows, each=each, firings=firings, streamed=None))
        for name, tensor in zip(layer.inputs, operands, strict=True):
            self.builder.connect(f"{name} > {layer.name}", tensor.sources, sinks, tensor.pixels)
        return Tensor(layer.output_shape[0], rows, columns, tuple(sources))

    def _work_out(self, layer: Layer, main: Tensor, window: Window) -> None:
        """The strips of a layer in the tiles of ``main`` and what they read, all of them together."""
        rows, columns = layer.grid
        self.known.work_out(rows, columns, [source.share for source in main.sources])
        if layer.op != "globalpool":
            each = [-(-self._strip(rows, columns, s.share).size // s.firings) for s in main.sources]
            sized = [(source.share, n) for source, n in zip(main.sources, each, strict=True) if n]
            self.known.work_out(rows, columns, [share for share, _ in sized], window, [n for _, n in sized])

    # -- by what each operand says of itself ----------------------------------------------------

    def _vector(self, layer: Layer, operands: list[Tensor], held_for: str = "") -> Tensor:
        """A layer whose windows read each operand in a way of its own."""
        rows, columns = layer.grid
        sources: list[Source] = []
        sinks: list[list[Sink]] = [[] for _ in operands]
        workers = self._workers(layer, operands)
        for worker in workers:  # so that what comes later goes to tiles with more room
            share = (worker.channels[1] - worker.channels[0]) / layer.output_shape[0]
            self.spread.free[worker.tile] -= share * self._passing(layer, operands)
        for worker in workers:
            if self._streams(layer, window := self._window_on(layer, operands[0]), worker.share, worker.values):
                sink, made = self._streaming(layer, window, worker)
                sinks[0].append(sink)
                sources.append(made)
                continue
            pixels = operands[0].pixels if layer.accumulates else 0
            windows = self._strip(rows, columns, worker.share)
            size = pixels or windows.size
            each = -(-size // min(worker.firings, size))
            worker = replace(worker, firings=-(-size // each))  # noqa: PLW2901
            low, high = worker.channels
            values = high - low
            operations = accumulating(layer, values, pixels) if pixels else layer_operations(layer, values)
            streamed = self._streamed(layer, worker)
            body, out = self._worker_stages(layer, worker, size, each, operations, streamed=streamed, held_for=held_for)
            for into, number in zip(sinks, range(len(operands)), strict=True):
                sink = self._sink(layer, number, operands[number], worker, body, each)
                into.extend([sink] if sink.channels[1] > sink.channels[0] else [])
            made = Source(out, worker.tile, worker.channels, windows, worker.share, each, worker.firings)
            sources.append(replace(made, each=1, at_end=True) if pixels else made)
        for name, tensor, into in zip(layer.inputs, operands, sinks, strict=True):
            self.builder.connect(f"{name} > {layer.name}", tensor.sources, into, tensor.pixels)
        return Tensor(layer.output_shape[0], rows, columns, tuple(sources))

    def _streamed(self, layer: Layer, worker: Worker) -> int:
        """Bits of the second operand that a window of a product of activations reads from the tile's buffer."""
        if layer.dynamic is None:
            return 0
        # each product takes one value of the second operand, which serves the heads of its group
        macs = layer_operations(layer, worker.channels[1] - worker.channels[0])["mac"]
        return -(-macs * accesses(layer)[1].groups // layer.dynamic.groups) * self.builder.value_bits

    def _sink(self, layer: Layer, number: int, tensor: Tensor, worker: Worker, body: int, each: int) -> Sink:
        access = accesses(layer)[number]
        channels = channels_read(access, *worker.channels, layer.output_shape[0], tensor.channels)
        if access.at is not None:
            channels = flattened_channels(*worker.channels, access.at, tensor.channels, tensor.pixels)
        cached = self.graph[layer.inputs[number]].cached if layer.inputs[number] in self.tensors else 0
        reads = self._span_reads(layer, access, tensor, worker, each)
        initial = max(0, cached - 1)
        if layer.dynamic and number == 1:
            columns, (low, high) = layer.dynamic.columns, worker.channels
            head, first, end = low // columns, low % columns, (high - 1) % columns + 1
            if head == (high - 1) // columns and access.keyed:
                initial = max(0, end - first - 1) if cached else 0
                reads = reads if cached else only(reads, first, end)
            elif head == (high - 1) // columns:
                start = head * access.groups // layer.dynamic.groups * columns
                channels = start + first, start + end
        return Sink(body, worker.tile, channels, reads, initial=initial, keeps=bool(cached))

    def _span_reads(self, layer: Layer, access: Access, tensor: Tensor, worker: Worker, each: int) -> Reads:
        rows, columns = layer.grid
        if layer.accumulates:
            return self._read(Window(tensor.rows, tensor.columns, tensor.columns), tensor.rows, WHOLE, each)
        if access.span in ("whole", "past", "reverse"):
            windows = self._strip(rows, columns, worker.share).size
            cached = layer.dynamic is not None and access.span == "past" and len(layer.output_shape) == 1
            make = past_reads if access.span == "past" else whole_reads
            span = access.span, tensor.pixels, windows, each
            reads = self.known.reads(span, lambda: make(tensor.pixels, windows, each))
            return self.known.reads((*span, "cached"), lambda: replace(reads, free=reads.need)) if cached else reads
        window = self._window_on(layer, tensor, access)
        # in raster order the window may lie on a single row of all positions
        return self.known.strip_reads(window, rows, columns, worker.share, each)

    def _window_on(self, layer: Layer, tensor: Tensor, access: Access | None = None) -> Window:
        """How the windows of ``layer`` lie on an operand, its first if ``access`` is not given."""
        return window_of(layer, access or accesses(layer)[0], (tensor.rows, tensor.columns), layer.grid)

    # -- which workers --------------------------------------------------------------------------

    def _workers(self, layer: Layer, operands: list[Tensor]) -> list[Worker]:
        on_tiles = [tensor for tensor in operands if all(source.tile != HOST for source in tensor.sources)]
        whole = any(access.span in ("whole", "reverse") for access in accesses(layer)) and not layer.accumulates
        if layer.dynamic or whole or not on_tiles:
            return self._spread_workers(layer, operands, on_tiles)
        main = max(reversed(on_tiles), key=lambda tensor: (tensor.pixels, tensor.channels))
        outputs, (rows, columns) = layer.output_shape[0], layer.grid
        atom = self._atom(layer)
        main = main.latest or main
        by_share: dict[Share, list[Source]] = defaultdict(list)
        for source in main.sources:
            by_share[WHOLE if layer.accumulates else source.share].append(source)
        found: list[Worker] = []
        for share, sources in by_share.items():
            if not self._strip(rows, columns, share).size:
                continue
            ranges = {source.channels: source for source in sources}  # one for each range, if strips were joined
            if atom == outputs:
                chosen = sources[len(self.tensors) % len(sources)]
                found.append(Worker(chosen.tile, (0, outputs), share, chosen.firings))
                continue
            for (low, high), source in sorted(ranges.items()):
                first, end = (-(-bound * outputs // main.channels // atom) * atom for bound in (low, high))
                if end > first:
                    found.append(Worker(source.tile, (first, end), share, source.firings))
        return found if self._in_time(layer, found) else self._spread_workers(layer, operands, on_tiles)

    def _in_time(self, layer: Layer, workers: list[Worker]) -> bool:
        """Whether the tiles of ``workers`` have the time for them; if so it is theirs."""
        outputs, whole = layer.output_shape[0], self._tile_ps(layer)
        needed: dict[int, float] = defaultdict(float)
        for worker in workers:
            part = worker.values * (worker.share.end - worker.share.start) / (outputs * worker.share.of)
            needed[worker.tile] += whole * part
        if any(self.spread.idle[tile] < ps for tile, ps in needed.items()):
            return False
        for tile, ps in needed.items():
            self.spread.idle[tile] -= ps
        return True

    def _atom(self, layer: Layer) -> int:
        """The channels of the output that need the same channels of an operand; one that is repeated, beside another
        that is not, does not count."""
        outputs = layer.output_shape[0]
        operands = list(zip(accesses(layer), layer.input_shapes, strict=True))
        wide = [access.groups for access, shape in operands if shape[0] >= outputs]
        return outputs // min(wide or [access.groups for access, shape in operands if shape[0] > 1], default=1)

    def _spread_workers(self, layer: Layer, operands: list[Tensor], on_tiles: list[Tensor]) -> list[Worker]:
        """Workers in tiles that have room, each for a range of the output's channels."""
        outputs, (rows, columns) = layer.output_shape[0], layer.grid
        firings = rows * columns
        bits, ps = self._stored(layer, operands), self._tile_ps(layer)
        atom = 1 if layer.dynamic else self._atom(layer)
        most = max(1, outputs // atom)
        if not layer.work and atom == outputs:
            atom, most = 1, outputs  # data movement can be cut anywhere: all wait for all
        fair = max(1, int(len(self.spread.free) * ps / self.vector_ps))
        count = self.spread.pieces(bits, ps, most, fair)
        if layer.dynamic and count > 1:
            # no piece across heads, whose keys it would have to hold too
            heads = layer.dynamic.groups
            count = -(-count // heads) * heads if count > heads else -(-heads // (heads // count))
            most, atom = (most, atom) if count >= heads else (heads, outputs // heads)
        near = on_tiles[0].sources[0].tile if on_tiles else self.near
        what = f"layer {layer.name} ({layer.op}), to hold what it reads,"
        each = bits / count
        if layer.pool and on_tiles:
            firings = max(source.firings for source in on_tiles[0].sources)
            each = self._kept(layer, self._window_on(layer, on_tiles[0]), WHOLE, -(-outputs // count))
        tiles = self.spread.take(near, count, each, ps / count, what)
        cuts = [most * k // count * atom for k in range(count)] + [outputs]
        return [Worker(tile, channels, WHOLE, firings) for tile, channels in zip(tiles, pairwise(cuts), strict=True)]

    def _tile_ps(self, layer: Layer) -> float:
        """The time in ps that a layer without weights takes an inference if one tile does it all: that of its busiest
        functional unit, or of the buffer from which an operand is read."""
        outputs, (rows, columns) = layer.output_shape[0], layer.grid
        busy = [
            amount * rows * columns * PICOSECONDS / unit_rate(self.planned, row)
            for row, amount in operations_by_row(self.planned, layer_operations(layer, outputs)).items()
        ]
        if layer.dynamic:
            streamed = self._streamed(layer, Worker(0, (0, outputs), WHOLE, 1))
            busy.append(Fraction(rows * columns * duration_ps(streamed, self._planned_buffer_rate())))
        return float(max(busy, default=Fraction(0)))

    def _planned_buffer_rate(self) -> Fraction:
        row = self.planned.components[self.planned.memory.buffer]
        return row.count * row.bandwidth.value  # type: ignore[attr-defined, no-any-return]

    def _stored(self, layer: Layer, operands: list[Tensor]) -> float:
        """Bits of operands that the workers of a layer hold all the time."""
        total = 0.0
        for access, name, tensor in zip(accesses(layer), layer.inputs, operands, strict=True):
            if layer.pool and access.span == "window":
                return self._kept(layer, self._window_on(layer, tensor, access), WHOLE, tensor.channels)
            if access.span in ("whole", "past", "reverse"):
                cached = self.graph[name].cached if name in self.tensors else 0
                total += tensor.channels * (cached + 1 if cached else tensor.pixels)
        return float(total * self.builder.value_bits)

    def _passing(self, layer: Layer, operands: list[Tensor]) -> float:
        """Bits of operands that wait for each other in the tiles of a layer: of what is read value by value, those of
        one position."""
        kept = ("whole", "past", "reverse")
        values = sum(t.channels for a, t in zip(accesses(layer), operands, strict=True) if a.span not in kept)
        return float(values * self.builder.value_bits)

    # -- on the host ----------------------------------------------------------------------------

    def _on_host(self, layer: Layer, operands: list[Tensor]) -> Tensor:
        """A layer that the host does: one stage, at the stated rate of the host."""
        rows, columns = layer.grid
        size = operands[0].pixels if layer.accumulates else rows * columns
        each = -(-size // HOST_FIRINGS)
        firings = -(-size // each)
        windows = rows * columns
        rate = self.builder.board.chip.host.rate.value
        time = max(1, duration_ps(max(1, each * layer.element_ops * windows // size), rate))
        stage = self.builder.stage(f"{layer.name} host", firings, time, time, layer=layer.name, tile=HOST, kind="host")
        worker = Worker(HOST, (0, layer.output_shape[0]), WHOLE, firings)
        for number, (name, tensor) in enumerate(zip(layer.inputs, operands, strict=True)):
            sink = self._sink(layer, number, tensor, worker, stage, each)
            self.builder.connect(f"{name} > {layer.name}", tensor.sources, [sink], tensor.pixels)
        pixels = self._strip(rows, columns, WHOLE)
        made = Source(stage, HOST, worker.channels, pixels, WHOLE, each, firings)
        if layer.accumulates:
            made = replace(made, each=1, at_end=True)
        return Tensor(layer.output_shape[0], rows, columns, (made,))


def _width(source: Source) -> int:
    """The channels of a source."""
    return source.channels[1] - source.channels[0]
