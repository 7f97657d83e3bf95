"""Lower: the layers of a placed network become stages and flows.

A layer with weights gives, for each part in a tile, a **fetch** stage (the operands of a firing, read from the tile's
buffer over its bus into the input registers) and an **mvm** stage; and for each range of outputs an **out** stage in
the tile of one of the parts that add up to it, which sums, applies the activation and sends.  A layer without weights
rides in the tiles of the layer whose outputs it reads first: a **body** stage that waits for its windows, and an out
stage.  Functional units stand as links between the two, so that layers in one tile share them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from archsim.compile.builder import Builder
from archsim.compile.connect import Sink, Source
from archsim.compile.deal import WHOLE, Shares, strip
from archsim.compile.elementwise import accumulating, finishing, layer_operations
from archsim.compile.place import Mapped, Placement
from archsim.compile.reads import Intervals, Reads, Window, full_window, reads_of
from archsim.compile.slicing import Part
from archsim.compile.work import CoreWork
from archsim.errors import CompileError
from archsim.hardware.mvm import MvmTiming, mvm_timing
from archsim.noc.board import HOST
from archsim.program import Hop
from archsim.spec.tile import Operator
from archsim.workload.graph import Graph, Layer

__all__ = ["Lowered", "Tensor", "layer_window", "lower"]

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

    @property
    def pixels(self) -> int:
        """Pixels of one image, or steps of one sequence."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Lowered:
    """Stage numbers that results are read from: the host's input and its output sinks."""

    host_in: int
    host_out: tuple[int, ...]


def layer_window(layer: Layer, rows: int, columns: int) -> Window:
    """How the windows of ``layer`` lie on its input of ``rows`` × ``columns``."""
    if layer.op in ("conv", "maxpool", "avgpool"):
        pad = (layer.pad[0], layer.pad[1])
        return Window(rows, columns, layer.output_shape[2], layer.kernel, layer.stride, pad, layer.dilation)
    if layer.op == "globalpool" or (layer.op == "dense" and layer.steps == 1):
        return full_window(rows, columns)
    return Window(rows, columns, columns)


class _Lowering:
    def __init__(self, builder: Builder, graph: Graph, mapped: dict[str, Mapped], placements: list[Placement]) -> None:
        self.builder = builder
        self.graph = graph
        self.mapped = mapped
        self.tile = builder.tile
        self.timing: MvmTiming = mvm_timing(self.tile)
        self.core_work = CoreWork(self.tile, builder.work)
        self.tensors: dict[str, Tensor] = {}
        self.groups: dict[str, dict[tuple[int, int], list[Placement]]] = defaultdict(lambda: defaultdict(list))
        for placement in placements:
            self.groups[placement.layer][placement.first, placement.copies].append(placement)
        self._reads: dict[tuple[Window, Shares, int], Reads] = {}
        self._strips: dict[tuple[int, int, Shares], Intervals] = {}
        self._waiting_for_state: list[tuple[Layer, list[Sink]]] = []

    # -- the whole network ----------------------------------------------------------------------

    def run(self, copies: dict[str, int]) -> Lowered:
        host_in = self._host_input()
        for layer in self.graph.layers[1:]:
            if layer.matrix:
                self.tensors[layer.name] = self._matrix_layer(layer, copies[layer.name])
            elif layer.op == "flatten":
                self.tensors[layer.name] = self.tensors[layer.inputs[0]]
            elif layer.op == "concat":
                self.tensors[layer.name] = self._concat(layer)
            else:
                self.tensors[layer.name] = self._rider(layer)
        for layer, sinks in self._waiting_for_state:
            self.builder.connect(f"{layer.name} state", self.tensors[layer.state_from].sources, sinks, layer.steps)
        return Lowered(host_in, tuple(self._host_output(name) for name in self.graph.outputs))

    def _host_input(self) -> int:
        layer = self.graph.input
        shape = layer.output_shape
        rows, columns = (shape[1], shape[2]) if len(shape) == 3 else (1, layer.steps)
        # few pixels a firing, since all that a firing sends must find room at once
        each = -(-rows * columns // HOST_FIRINGS)
        firings = -(-rows * columns // each)
        stage = self.builder.stage("host in", firings, 1, 1, layer=layer.name, tile=HOST, kind="host")
        source = Source(stage, HOST, (0, shape[0]), self._strip(rows, columns, WHOLE), WHOLE, each, firings)
        self.tensors[layer.name] = Tensor(shape[0], rows, columns, (source,))
        return stage

    def _host_output(self, name: str) -> int:
        tensor = self.tensors[name]
        stage = self.builder.stage(f"host out {name}", 1, 1, 1, layer=name, tile=HOST, kind="host")
        reads = self._read(full_window(tensor.rows, tensor.columns), 1, WHOLE, 1)
        self.builder.connect(
            f"{name} > host", tensor.sources, [Sink(stage, HOST, (0, tensor.channels), reads)], tensor.pixels
        )
        return stage

    def _strip(self, rows: int, columns: int, share: Shares) -> Intervals:
        key = rows, columns, share
        if key not in self._strips:
            self._strips[key] = strip(rows, columns, *share)
        return self._strips[key]

    def _read(self, window: Window, rows: int, share: Shares, each: int) -> Reads:
        """What the windows of a strip read; ``rows`` of the output."""
        key = window, share, each
        if key not in self._reads:
            self._reads[key] = reads_of(window, self._strip(rows, window.columns_out, share), each)
        return self._reads[key]

    def _concat(self, layer: Layer) -> Tensor:
        sources: list[Source] = []
        offset = 0
        for name in layer.inputs:
            tensor = self.tensors[name]
            for source in tensor.sources:
                low, high = source.channels
                sources.append(replace(source, channels=(low + offset, high + offset)))
            offset += tensor.channels
        return replace(self.tensors[layer.inputs[0]], channels=offset, sources=tuple(sources))

    # -- layers with weights --------------------------------------------------------------------

    def _matrix_layer(self, layer: Layer, copies: int) -> Tensor:
        tensor = self.tensors[layer.inputs[0]]
        window = layer_window(layer, tensor.rows, tensor.columns)
        shape = layer.output_shape
        rows, columns = (shape[1], shape[2]) if len(shape) == 3 else (1, layer.steps)
        sinks: list[Sink] = []
        state_sinks: list[Sink] = []
        sources: list[Source] = []
        for (first, count), members in sorted(self.groups[layer.name].items()):
            share = Fraction(first, copies), Fraction(first + count, copies)
            reads = self._read(window, rows, share, count)
            windows, firings = self._strip(rows, columns, share), len(reads.need)
            group = _Group(layer, first, count, windows.size, firings)
            fetches, outs = self._group_stages(group, members)
            for (stage, tile), placement in zip(fetches, members, strict=True):
                part = self._part(placement)
                sinks += self._input_sinks(layer, tensor, part, Sink(stage, tile, (0, 0), reads))
                state_sinks += self._state_sinks(layer, tensor, part, Sink(stage, tile, (0, 0), reads))
            each = 4 if layer.op == "lstm" else 1
            for stage, tile, part in outs:
                channels = part.outputs[0] // each, -(-part.outputs[1] // each)
                sources.append(Source(stage, tile, channels, windows, share, count, firings))
        self.builder.connect(f"{layer.inputs[0]} > {layer.name}", tensor.sources, sinks, tensor.pixels)
        if state_sinks:
            self._waiting_for_state.append((layer, state_sinks))
        return Tensor(shape[0], rows, columns, tuple(sources))

    def _part(self, placement: Placement) -> Part:
        return self.mapped[placement.layer].parts[placement.part]

    def _input_sinks(self, layer: Layer, tensor: Tensor, part: Part, sink: Sink) -> Iterator[Sink]:
        """The channels of the layer's input that ``part`` reads."""
        assert layer.matrix is not None
        spatial = rows_per_channel(layer, tensor)
        own = layer.matrix.rows * layer.matrix.groups - layer.state
        low, high = min(part.inputs[0], own), min(part.inputs[1], own)
        if high > low:
            yield replace(sink, channels=(low // spatial, -(-high // spatial)))

    def _state_sinks(self, layer: Layer, tensor: Tensor, part: Part, sink: Sink) -> Iterator[Sink]:
        """The values of the state that ``part`` reads: those of the step before, the initial state in the first."""
        if not layer.state:
            return
        assert layer.matrix is not None
        own = layer.matrix.rows - layer.state
        low, high = max(part.inputs[0] - own, 0), part.inputs[1] - own
        if high > low:
            reads = self._state_reads(layer.steps)
            yield Sink(sink.stage, sink.tile, (low, high), reads, initial=1)

    def _state_reads(self, steps: int) -> Reads:
        key = Window(0, steps, steps), WHOLE, 1
        if key not in self._reads:
            plain = reads_of(Window(1, steps, steps), self._strip(1, steps, WHOLE), 1)
            self._reads[key] = Reads(plain.pixels, plain.need - 1, plain.need - 1)
        return self._reads[key]

    def _group_stages(
        self, group: _Group, members: list[Placement]
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int, Part]]]:
        """The stages of one group: (fetch stage, tile) of each member, and (out stage, tile, part) of each sum."""
        fetches: list[tuple[int, int]] = []
        mvms: dict[Placement, int] = {}
        columns: dict[int, list[Placement]] = defaultdict(list)
        for placement in members:
            fetch, mvms[placement] = self._fetch_and_mvm(group, placement)
            fetches.append((fetch, placement.tile))
            columns[self._part(placement).column].append(placement)
        outs = []
        for _, adding in sorted(columns.items()):
            tree = sum_tree(adding)
            outs.append((self._sum(group, tree, mvms), tree.placement.tile, self._part(tree.placement)))
        return fetches, outs

    def _fetch_and_mvm(self, group: _Group, placement: Placement) -> tuple[int, int]:
        builder, part, timing = self.builder, self._part(placement), self.timing
        name = f"{group.layer.name}[{group.first}.{placement.part}]"
        inputs = part.inputs[1] - part.inputs[0]
        bits = group.count * inputs * builder.value_bits
        buffer = builder.hop(("buffer", placement.tile), bits)
        hops = [buffer, builder.hop(("bus", placement.tile), bits, 0)]
        loading = self.core_work.load_ps(part)
        before = sum(timing.before_ps) + loading
        layer, tile = group.layer.name, placement.tile
        latency = max(1, before - builder.delay(hops))
        interval = max(1, loading, *timing.before_ps)
        fetch = builder.stage(f"{name} fetch", group.firings, interval, latency, kind="fetch", layer=layer, tile=tile)
        mvm = builder.stage(
            f"{name} mvm",
            group.firings,
            timing.core_interval_ps,
            timing.core_latency_ps,
            kind="mvm",
            layer=layer,
            tile=tile,
        )
        capacity = IN_REGISTERS if timing.overlap else 1
        builder.local(f"{name} operands", fetch, mvm, group.firings, bits, hops, capacity)
        self.core_work.count_mvm(part, group.windows)
        return fetch, mvm

    def _sum(self, group: _Group, tree: SumTree, mvms: dict[Placement, int], parent: Parent | None = None) -> int:
        """The stages that add up one range of outputs along a tree of tiles; the root applies the activation and
        sends.  The number of the root's stage."""
        builder, placement = self.builder, tree.placement
        part = self._part(placement)
        columns = part.outputs[1] - part.outputs[0]
        bits = group.count * columns * builder.value_bits
        name = f"{group.layer.name}[{group.first}.c{part.column}]" + ("" if parent is None else f" sum {part.row}")
        operations: dict[Operator, int] = {"add": part.additions + len(tree.children) * columns}
        stage = mvms[placement]
        start: list[Hop] = []
        if parent is None:
            stage = self._out_of_sum(group, placement, operations, name, stage, bits)
        elif tree.children:
            hops = self._units(group, placement.tile, operations)
            layer, tile = group.layer.name, placement.tile
            stage = builder.stage(name, group.firings, 1, 1, kind="sum", layer=layer, tile=tile)
            builder.local(f"{name} own", mvms[placement], stage, group.firings, bits, hops, IN_REGISTERS)
        else:
            start = self._units(group, placement.tile, operations)
        if parent is not None:
            builder.gather(f"{name} partial", stage, start, (placement.tile, parent[1]), parent[0], bits)
        for child in tree.children:
            self._sum(group, child, mvms, (stage, placement.tile))
        return stage

    def _units(self, group: _Group, tile: int, operations: dict[Operator, int]) -> list[Hop]:
        """The functional units that the results of one firing cross, counted for the ledger."""
        self.builder.count_units(operations, group.windows)
        return self.builder.unit_hops(tile, {operator: group.count * n for operator, n in operations.items()})

    def _out_of_sum(
        self, group: _Group, owner: Placement, operations: dict[Operator, int], name: str, mvm: int, bits: int
    ) -> int:
        """The out stage at the root of a sum."""
        part, layer = self._part(owner), group.layer
        columns = part.outputs[1] - part.outputs[0]
        values = -(-columns // 4) if layer.op == "lstm" else columns
        for operator, count in layer_operations(layer, values).items():
            operations[operator] = operations.get(operator, 0) + count
        hops = self._units(group, owner.tile, operations)
        after = self._after() - self.builder.delay(hops)
        out = self._out_stage(name, layer.name, owner.tile, group.firings, values, after)
        self.builder.local(f"{name} sums", mvm, out, group.firings, bits, hops, IN_REGISTERS)
        self.core_work.count_out(values, group.windows)
        return out

    def _after(self) -> int:
        return sum(self.timing.after_ps) + self.core_work.store_ps()

    def _out_stage(self, name: str, layer: str, tile: int, firings: int, values: int, after: int) -> int:
        """An out stage whose output is written into a buffer of the same tile ``after`` ps after it could start."""
        builder = self.builder
        write = builder.delay([builder.hop(("buffer", tile), values * builder.value_bits)])
        return builder.stage(
            f"{name} out", firings, self.tile.cycle_ps, max(1, after - write), layer=layer, tile=tile, kind="out"
        )

    # -- layers without weights -----------------------------------------------------------------

    def _rider(self, layer: Layer) -> Tensor:
        """A layer in the tiles of the layer that makes its latest input."""
        order = {name: k for k, name in enumerate(self.tensors)}
        main = self.tensors[max(layer.inputs, key=lambda name: order[name])]
        if any(source.tile == HOST for source in main.sources):
            raise CompileError(
                f"layer {layer.name} ({layer.op}) reads the input itself; put a layer with weights before it"
            )
        window = layer_window(layer, main.rows, main.columns)
        shape = layer.output_shape
        rows, columns = (shape[1], shape[2]) if len(shape) == 3 else (1, layer.steps)
        sinks: list[Sink] = []
        sources: list[Source] = []
        for source in main.sources:
            windows = self._strip(rows, columns, source.share)
            if windows.size and layer.op == "globalpool":
                sink, made = self._accumulator(layer, source, main)
                sinks.append(sink)
                sources.append(made)
            elif windows.size:
                each = -(-windows.size // source.firings)
                reads = self._read(window, rows, source.share, each)
                body, out = self._rider_stages(layer, source, windows.size, each, len(reads.need))
                sinks.append(Sink(body, source.tile, source.channels, reads))
                sources.append(replace(source, stage=out, pixels=windows, each=each, firings=len(reads.need)))
        for name in layer.inputs:
            self.builder.connect(f"{name} > {layer.name}", self.tensors[name].sources, sinks, self.tensors[name].pixels)
        return Tensor(shape[0], rows, columns, tuple(sources))

    def _accumulator(self, layer: Layer, source: Source, main: Tensor) -> tuple[Sink, Source]:
        """A global pool: takes the pixels of all strips as they come and puts out one value a channel at the end."""
        each = -(-main.pixels // source.firings)
        reads = self._read(Window(main.rows, main.columns, main.columns), main.rows, WHOLE, each)
        firings = len(reads.need)
        body, out = self._rider_stages(layer, source, main.pixels, each, firings, one_value=True)
        pixels = self._strip(1, 1, WHOLE)
        self.builder.count_units(finishing(layer, source.channels[1] - source.channels[0]), 1)
        made = replace(source, stage=out, pixels=pixels, share=WHOLE, each=1, firings=firings, at_end=True)
        return Sink(body, source.tile, source.channels, reads), made

    def _rider_stages(
        self, layer: Layer, source: Source, windows: int, each: int, firings: int, *, one_value: bool = False
    ) -> tuple[int, int]:
        """Body and out stage; with ``one_value`` a window is one value, as in a pool that accumulates."""
        builder, tile = self.builder, source.tile
        values = source.channels[1] - source.channels[0]
        name = f"{layer.name}[{float(source.share[0]):.4g}.c{source.channels[0]}]"
        cycle = self.tile.cycle_ps
        body = builder.stage(f"{name} body", firings, cycle, cycle, layer=layer.name, tile=tile, kind="body")
        operations = accumulating(layer, values, windows) if one_value else layer_operations(layer, values)
        hops = builder.unit_hops(tile, {operator: each * count for operator, count in operations.items()})
        out = self._out_stage(name, layer.name, tile, firings, values, cycle - builder.delay(hops))
        builder.count_units(operations, windows)
        bits = each * values * builder.value_bits
        builder.local(f"{name} values", body, out, firings, bits, hops, IN_REGISTERS)
        self.core_work.count_out(values, windows)
        return body, out


Parent = tuple[int, int]
"""Stage and tile to which a partial sum goes."""


@dataclass(frozen=True)
class SumTree:
    """A part and those whose partial sums it adds to its own."""

    placement: Placement
    children: tuple[SumTree, ...]


def sum_tree(parts: list[Placement]) -> SumTree:
    """A binary tree over parts in the order of their places: the middle one is the root, so that most sums stay
    between neighbours and no part adds more than two others."""
    middle = len(parts) // 2
    halves = [half for half in (parts[:middle], parts[middle + 1 :]) if half]
    return SumTree(parts[middle], tuple(sum_tree(half) for half in halves))


@dataclass(frozen=True, slots=True)
class _Group:
    """``count`` copies of a layer that work together, from copy ``first`` on: their windows and firings an image."""

    layer: Layer
    first: int
    count: int
    windows: int
    firings: int


def rows_per_channel(layer: Layer, tensor: Tensor) -> int:
    """Matrix rows that belong to one channel of the input; rows are in channel-major order."""
    if layer.op == "conv":
        return layer.kernel[0] * layer.kernel[1]
    return 1 if layer.steps > 1 else tensor.pixels


def lower(
    builder: Builder, graph: Graph, mapped: dict[str, Mapped], placements: list[Placement], copies: dict[str, int]
) -> Lowered:
    """Put the whole network into ``builder``."""
    return _Lowering(builder, graph, mapped, placements).run(copies)
