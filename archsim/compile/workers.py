"""Workers: the pair of stages that a layer without weights has in a tile.

A **body** waits for what its windows read, and an **out** stage sends what they give; between them the results cross
the functional units.  A worker makes a range of channels of a strip of the output.
"""

from __future__ import annotations

from dataclasses import dataclass

from archsim.compile.deal import Share
from archsim.compile.spread import Spread
from archsim.compile.tensors import IN_REGISTERS, Base
from archsim.spec.tile import Operator
from archsim.workload.graph import Layer

__all__ = ["HELD", "Worker", "Workers"]

HELD = 0.5
"""The share of the buffers of a layer's tiles above which what it must hold is spread over others."""


@dataclass(frozen=True, slots=True)
class Worker:
    """The channels from ``channels[0]`` to ``channels[1]`` of the strip ``share`` of a layer's output, in ``tile``."""

    tile: int
    channels: tuple[int, int]
    share: Share
    firings: int
    """As many as the source that it reads, at the most; fewer if its windows are fewer."""

    @property
    def values(self) -> int:
        """The channels that it makes."""
        return self.channels[1] - self.channels[0]


class Workers(Base):
    """Makes the stages of workers."""

    spread: Spread

    def _worker_stages(
        self,
        layer: Layer,
        worker: Worker,
        windows: int,
        each: int,
        operations: dict[Operator, int],
        *,
        streamed: int = 0,
        held_for: str = "",
        work: dict[Operator, int] | None = None,
    ) -> tuple[int, int]:
        """Body and out stage of a worker that does ``operations`` for each of its ``windows``, ``each`` a firing.

        ``streamed`` bits of an operand that the tile holds cross its buffer's port and bus for each window; what is
        only held, for the layer of that name, crosses the port.  ``work`` is what counts in the ledger for each window,
        if the operations of a firing are not those of whole windows.
        """
        builder, tile, firings = self.builder, worker.tile, worker.firings
        values = worker.values
        name = f"{layer.name}[{worker.share.start / worker.share.of:.4g}.c{worker.channels[0]}]"
        cycle = self.cycle_ps
        label, kind = (held_for, "hold") if held_for else (layer.name, "body")
        body = builder.stage(f"{name} {kind}", firings, cycle, cycle, layer=label, tile=tile, kind=kind)
        bits = each * values * builder.value_bits
        hops = builder.unit_hops(tile, {operator: each * count for operator, count in operations.items()})
        if held_for and not hops.links:
            hops = builder.chain((("buffer", tile), bits))
        out = self._out_stage(name, label, tile, firings, values, cycle - builder.delay(hops))
        builder.count_units(operations if work is None else work, windows)
        builder.local(f"{name} values", body, out, firings, bits, hops, IN_REGISTERS)
        if streamed:
            much = each * streamed
            ways = builder.chain((("buffer", tile), much), (("bus", tile), much))
            builder.local(f"{name} operand", body, out, firings, much, ways, IN_REGISTERS)
        self.core_work.count_out(values, windows)
        return body, out
