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

import numpy as np

from archsim.compile.access import flattened_channels
from archsim.compile.builder import Builder
from archsim.compile.connect import Sink, Source
from archsim.compile.deal import WHOLE, Share
from archsim.compile.elementwise import layer_operations
from archsim.compile.place import Mapped, Placement
from archsim.compile.reads import Intervals, Reads, Window, full_window, reads_of
from archsim.compile.regions import Cells, cells_of, curve
from archsim.compile.riders import Riders
from archsim.compile.slicing import Part
from archsim.compile.spread import Spread, ready_times
from archsim.compile.tensors import HOST_FIRINGS, IN_REGISTERS, Tensor, layer_window, rows_per_channel
from archsim.compile.work import MacWork
from archsim.errors import CompileError
from archsim.flat import Route
from archsim.hardware.mvm import mvm_timing
from archsim.noc.board import HOST, LinkKey
from archsim.spec.tile import Operator, Tile
from archsim.workload.graph import INPUT, Graph, Layer

__all__ = ["Lowered", "lower"]


@dataclass(frozen=True)
class Lowered:
    """Stage numbers that results are read from: the host's input and its output sinks."""

    host_in: int
    host_out: tuple[int, ...]


class _Lowering(Riders):
    def __init__(
        self,
        builder: Builder,
        graph: Graph,
        mapped: dict[str, Mapped],
        placements: list[Placement],
        planned: Tile,
    ) -> None:
        super().__init__(builder, graph, planned)
        self.mapped = mapped
        self.groups: dict[str, dict[tuple[int, int], list[Placement]]] = defaultdict(lambda: defaultdict(list))
        for placement in placements:
            self.groups[placement.layer][placement.first, placement.copies].append(placement)
        self.near = placements[0].tile
        self.ready = ready_times(graph)
        self._waiting_for_state: list[tuple[Layer, list[Sink]]] = []

    # -- the whole network ----------------------------------------------------------------------

    def run(self, copies: dict[str, int]) -> Lowered:
        self._plan_spread(copies)
        host_in = [self._host_input(layer) for layer in self.graph.inputs]
        for layer in self.graph.layers:
            if layer.matrix:
                self.tensors[layer.name] = self._matrix_layer(layer, copies[layer.name])
            elif layer.op == "flatten":
                self.tensors[layer.name] = self.tensors[layer.inputs[0]]
            elif layer.op == "concat":
                self.tensors[layer.name] = self._concat(layer)
            elif self._only_laid(layer):
                laid = tuple((int(a.at or 0), self.tensors[n]) for a, n in zip(layer.reads, layer.inputs, strict=True))
                self.tensors[layer.name] = Tensor(layer.outputs, 1, 1, (), laid=laid)
            elif layer.op != INPUT:
                self.tensors[layer.name] = self._lower_rider(layer)
        for layer, sinks in self._waiting_for_state:
            tensor = self.tensors[layer.state_from]
            self.builder.connect(f"{layer.name} state", tensor.sources, sinks, tensor.pixels)
        if self.graph.autoregressive:
            self._feed_back(host_in[0])
        return Lowered(host_in[0], tuple(self._host_output(name) for name in self.graph.outputs))

    def _plan_spread(self, copies: dict[str, int]) -> None:
        """What the estimates of placement leave of the tiles for what is spread over them."""
        tile, value_bits = self.planned, self.builder.value_bits
        buffer = tile.components[tile.memory.buffer]
        buffer_bits = int(buffer.count * buffer.capacity.value)  # type: ignore[attr-defined]
        board = self.builder.board
        used = [buffer_bits if board.failed(tile) else 0 for tile in range(board.tiles)]
        for groups in self.groups.values():
            for members in groups.values():
                for placement in members:
                    layer, part = self.graph[placement.layer], self._part(placement)
                    rows, columns = self._grid_of(layer.inputs[0])
                    windows = -(-layer.windows // copies[layer.name]) * placement.copies
                    demand, spatial = self.mapped[layer.name].demand, rows_per_channel(layer, rows * columns)
                    used[placement.tile] += demand.bits(part, spatial, windows, value_bits)
        self.spread = Spread.over(used, buffer_bits, self._pace_ps(copies))
        riders = [layer for layer in self.graph if layer.reads and not layer.matrix and not layer.host]
        self.vector_ps = max(1.0, sum(self._tile_ps(layer) for layer in riders))

    def _pace_ps(self, copies: dict[str, int]) -> int:
        """The time between two inferences by the cores alone: of mac-arrays, that of all layers in a tile together."""
        turns = {layer.name: -(-layer.windows // copies[layer.name]) for layer in self.graph.matrix_layers}
        if not self.tile.core.digital:
            return max(turns.values()) * mvm_timing(self.planned).interval_ps
        steps = {name: turns[name] * max(part.count for part in self.mapped[name].parts) for name in turns}
        return sum(steps.values()) * mvm_timing(self.planned).interval_ps

    def _grid_of(self, name: str) -> tuple[int, int]:
        """Rows and columns of an output, looking through flatten."""
        layer = self.graph[name]
        while layer.op == "flatten":
            layer = self.graph[layer.inputs[0]]
        return layer.grid

    def _host_input(self, layer: Layer) -> int:
        """The stage of the host that sends an input, the first if there are several."""
        rows, columns = layer.grid
        channels = layer.output_shape[0]
        readers = [self.graph[name] for name in self.graph.consumers(layer.name)]
        if readers and all(reader.private for reader in readers):
            return self._host_input_in_cells(layer, cells_of(columns, [reader.kernel for reader in readers]))
        # few pixels a firing, since all that a firing sends must find room at once
        each = -(-rows * columns // HOST_FIRINGS)
        firings = -(-rows * columns // each)
        name = "host in" if layer.name == INPUT else f"host in {layer.name}"
        stage = self.builder.stage(name, firings, 1, 1, layer=layer.name, tile=HOST, kind="host")
        source = Source(stage, HOST, (0, channels), self._strip(rows, columns, WHOLE), WHOLE, each, firings)
        self.tensors[layer.name] = Tensor(channels, rows, columns, (source,))
        return stage

    def _host_input_in_cells(self, layer: Layer, cells: Cells) -> int:
        """For private kernels the host sends each piece of an image for itself, to the tiles that read any of it."""
        rows, columns = layer.grid
        channels = 0, layer.output_shape[0]
        sources = []
        for number, pixels in enumerate(cells.pieces(rows * columns)):
            name = f"host in {layer.name} {number}"
            stage = self.builder.stage(name, pixels.size, 1, 1, layer=layer.name, tile=HOST, kind="host")
            sources.append(Source(stage, HOST, channels, pixels, WHOLE, 1, pixels.size))
        self.tensors[layer.name] = Tensor(channels[1], rows, columns, tuple(sources))
        return sources[0].stage

    def _feed_back(self, host_in: int) -> None:
        """The host sends a step when it has the output of the one before."""
        tensor = self.tensors[self.graph.outputs[0]]
        first = self.tensors[self.graph.input.name].sources[0]
        if tensor.pixels != first.firings:
            raise CompileError(
                f"{self.graph.name} is autoregressive with {first.firings} steps of input and {tensor.pixels} of "
                "output; there must be as many of each"
            )
        sink = Sink(host_in, HOST, (0, tensor.channels), self._state_reads(tensor.rows, tensor.columns), initial=1)
        self.builder.connect("next step", tensor.sources, [sink], tensor.pixels)

    def _host_output(self, name: str) -> int:
        tensor = self.tensors[name]
        stage = self.builder.stage(f"host out {name}", 1, 1, 1, layer=name, tile=HOST, kind="host")
        reads = self._read(full_window(tensor.rows, tensor.columns), 1, WHOLE, 1)
        self.builder.connect(
            f"{name} > host", tensor.sources, [Sink(stage, HOST, (0, tensor.channels), reads)], tensor.pixels
        )
        return stage

    def _concat(self, layer: Layer) -> Tensor:
        sources: list[Source] = []
        offset = 0
        operands = [self._operand(layer, number) for number in range(len(layer.inputs))]
        for tensor in operands:
            for source in tensor.sources:
                low, high = source.channels
                sources.append(replace(source, channels=(low + offset, high + offset)))
            offset += tensor.channels
        times = [self._made(name, tensor) for name, tensor in zip(layer.inputs, operands, strict=True)]
        latest = operands[times.index(max(times))]
        return replace(operands[0], channels=offset, sources=tuple(sources), made=min(times), latest=latest)

    # -- layers with weights --------------------------------------------------------------------

    def _matrix_layer(self, layer: Layer, copies: int) -> Tensor:
        tensor = self.tensors[layer.inputs[0]]
        operands = tensor.laid or ((0, tensor),)
        sinks: list[list[Sink]] = [[] for _ in operands]
        state_sinks: list[Sink] = []
        sources: list[Source] = []
        for group, members, share, windows, reads in self._groups_of(layer, copies, tensor):
            fetches, outs = self._group_stages(group, members)
            for (stage, tile), placement in zip(fetches, members, strict=True):
                part = self._part(placement)
                for into, (at, operand) in zip(sinks, operands, strict=True):
                    if tensor.laid:
                        into.extend(self._laid_sinks(operand, at, part, stage, tile))
                    else:
                        into.extend(self._input_sinks(layer, tensor, part, Sink(stage, tile, (0, 0), reads)))
                state_sinks += self._state_sinks(layer, part, Sink(stage, tile, (0, 0), reads))
            for stage, tile, part in outs:
                # a cell belongs to the part that holds the last of its gates
                channels = part.outputs[0] // layer.gates, part.outputs[1] // layer.gates
                sources.append(Source(stage, tile, channels, windows, share, group.count, group.firings))
        for into, (_, operand) in zip(sinks, operands, strict=True):
            cells = cells_of(operand.columns, [layer.kernel]) if layer.private else None
            self.builder.connect(f"{layer.inputs[0]} > {layer.name}", operand.sources, into, operand.pixels, cells)
        if state_sinks:
            self._waiting_for_state.append((layer, state_sinks))
        return Tensor(layer.output_shape[0], *layer.grid, tuple(sources))

    def _groups_of(
        self, layer: Layer, copies: int, tensor: Tensor
    ) -> Iterator[tuple[_Group, list[Placement], Share, Intervals, Reads]]:
        """Parts that work together, with the windows that they do and what these read: copies in one tile, or private
        kernels of positions that lie close to each other."""
        window = layer_window(layer, tensor.rows, tensor.columns)
        rows, _ = layer.grid
        if layer.private:
            yield from self._private_groups(layer, window)
            return
        groups = sorted(self.groups[layer.name].items())
        shares = [Share.reduced(first, first + count, copies) for (first, count), _ in groups]
        self.known.work_out(rows, window.columns_out, shares, window, [count for (_, count), _ in groups])
        for ((first, count), members), share in zip(groups, shares, strict=True):
            reads = self._read(window, rows, share, count)
            windows, firings = self._strip(rows, window.columns_out, share), len(reads.need)
            yield _Group(layer, first, count, windows.size, firings), members, share, windows, reads

    def _private_groups(
        self, layer: Layer, window: Window
    ) -> Iterator[tuple[_Group, list[Placement], Share, Intervals, Reads]]:
        by_positions: dict[tuple[int, int], list[Placement]] = defaultdict(list)
        for members in self.groups[layer.name].values():
            for placement in members:
                by_positions[self._part(placement).bundles].append(placement)
        for bundles, members in sorted(by_positions.items()):
            along = self._part(members[0]).slots.groups_per_slot
            first, end = bundles[0] * along, min(bundles[1] * along, layer.positions)
            windows = Intervals.of(np.sort(curve(*layer.grid)[first:end]))
            reads = reads_of(window, windows, end - first)
            yield _Group(layer, first, end - first, end - first, 1), members, WHOLE, windows, reads

    def _part(self, placement: Placement) -> Part:
        return self.mapped[placement.layer].parts[placement.part]

    def _input_sinks(self, layer: Layer, tensor: Tensor, part: Part, sink: Sink) -> Iterator[Sink]:
        """The channels of the layer's input that ``part`` reads."""
        assert layer.matrix is not None
        spatial = rows_per_channel(layer, tensor.pixels)
        own = layer.matrix.rows * layer.matrix.groups - layer.state
        low, high = min(part.inputs[0], own), min(part.inputs[1], own)
        if high > low:
            yield replace(sink, channels=(low // spatial, -(-high // spatial)))

    def _only_laid(self, layer: Layer) -> bool:
        """Whether a layer only puts its inputs behind each other for dense layers: these read them where they are."""
        readers = [self.graph[name] for name in self.graph.consumers(layer.name)]
        return (
            bool(layer.reads)
            and all(access.at is not None for access in layer.reads)
            and layer.name not in self.graph.outputs
            and all(reader.op == "dense" and reader.windows == 1 and not reader.one_by_one for reader in readers)
        )

    def _laid_sinks(self, operand: Tensor, at: int, part: Part, stage: int, tile: int) -> Iterator[Sink]:
        """What ``part`` of a dense layer reads of a tensor that stands flattened from feature ``at`` on."""
        low, high = flattened_channels(*part.inputs, at, operand.channels, operand.pixels)
        if high > low:
            reads = self._read(full_window(operand.rows, operand.columns), 1, WHOLE, 1)
            yield Sink(stage, tile, (low, high), reads)

    def _state_sinks(self, layer: Layer, part: Part, sink: Sink) -> Iterator[Sink]:
        """The values of the state that ``part`` reads: those of the step before, the initial state in the first."""
        if not layer.state:
            return
        assert layer.matrix is not None
        own = layer.matrix.rows - layer.state
        low, high = max(part.inputs[0] - own, 0), part.inputs[1] - own
        if high > low:
            reads = self._state_reads(*layer.grid)
            yield Sink(sink.stage, sink.tile, (low, high), reads, initial=1)

    def _state_reads(self, rows: int, columns: int) -> Reads:
        """Each window reads what the one before gave."""
        plain = self._read(Window(rows, columns, columns), rows, WHOLE, 1)
        before = plain.need - 1
        return self.known.reads(("state", rows, columns), lambda: Reads(plain.pixels, before, before))

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
        layer, tile = group.layer.name, placement.tile
        array = self._array_hop(group, part, tile)
        hops = builder.chain((("buffer", tile), bits), (("bus", tile), bits), *array)
        loading = self.core_work.load_ps(part)
        before = sum(timing.before_ps) + loading
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
        windows = group.firings if group.layer.private else group.windows
        key = "mvm", layer, part.sizes, windows
        builder.work.same(key, lambda: self.core_work.count_mvm(part, windows))
        return fetch, mvm

    def _array_hop(self, group: _Group, part: Part, tile: int) -> list[tuple[LinkKey, int]]:
        """The mac-array that the operands of a firing cross, which all layers in a tile share; none in a crossbar."""
        work = self.core_work
        if not isinstance(work, MacWork):
            return []
        steps = part.count * (1 if group.layer.private else group.count)
        return [(("unit", tile, work.array), work.lanes(steps))]

    def _sum(self, group: _Group, tree: SumTree, mvms: dict[Placement, int], parent: Parent | None = None) -> int:
        """The stages that add up one range of outputs along a tree of tiles; the root applies the activation and
        sends.  The number of the root's stage."""
        builder, placement = self.builder, tree.placement
        part = self._part(placement)
        columns = part.outputs[1] - part.outputs[0]
        bits = group.count * columns * builder.value_bits
        name = f"{group.layer.name}[{group.first}.c{part.column}]" + ("" if parent is None else f" sum {part.row}")
        # the additions of private kernels are those of all their windows
        additions = -(-part.additions // group.count) if group.layer.private else part.additions
        operations: dict[Operator, int] = {"add": additions + len(tree.children) * columns}
        stage = mvms[placement]
        start = Route()
        if parent is None:
            stage = self._out_of_sum(group, placement, operations, name, stage, bits)
        elif tree.children:
            hops = self._units(group, placement.tile, operations)
            layer, tile = group.layer.name, placement.tile
            stage = builder.stage(name, group.firings, 1, 1, kind="sum", layer=layer, tile=tile)
            builder.local(f"{name} own", mvms[placement], stage, group.firings, bits, hops, self.results)
        else:
            start = self._units(group, placement.tile, operations)
        if parent is not None:
            builder.gather(f"{name} partial", stage, start, (placement.tile, parent[1]), parent[0], bits)
        for child in tree.children:
            self._sum(group, child, mvms, (stage, placement.tile))
        return stage

    def _units(self, group: _Group, tile: int, operations: dict[Operator, int]) -> Route:
        """The functional units that the results of one firing cross, counted for the ledger."""
        self.builder.count_units(operations, group.windows)
        return self.builder.unit_hops(tile, {operator: group.count * n for operator, n in operations.items()})

    def _out_of_sum(
        self, group: _Group, owner: Placement, operations: dict[Operator, int], name: str, mvm: int, bits: int
    ) -> int:
        """The out stage at the root of a sum."""
        part, layer = self._part(owner), group.layer
        values = max(1, part.outputs[1] // layer.gates - part.outputs[0] // layer.gates)
        for operator, count in layer_operations(layer, values).items():
            operations[operator] = operations.get(operator, 0) + count
        hops = self._units(group, owner.tile, operations)
        after = self._after() - self.builder.delay(hops)
        out = self._out_stage(name, layer.name, owner.tile, group.firings, values, after)
        self.builder.local(f"{name} sums", mvm, out, group.firings, bits, hops, self.results)
        self.core_work.count_out(values, group.windows)
        return out


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


def lower(
    builder: Builder,
    graph: Graph,
    mapped: dict[str, Mapped],
    placements: list[Placement],
    copies: dict[str, int],
    planned: Tile | None = None,
) -> Lowered:
    """Put the whole network into ``builder``: where things go that are not placed follows from the times and sizes of
    the tile ``planned``, by default the builder's."""
    return _Lowering(builder, graph, mapped, placements, planned or builder.tile).run(copies)
