"""Spread: tiles for what has to be held outside the arrays, or takes more of functional units than a few tiles have.

Three things are spread over tiles of their own choice: the second operands of products of activations (the keys and
values of attention, caches included), outputs that wait for a later layer that must first read a whole image, and
layers without weights that read what the host sends.  A piece goes to the tile nearest to its operand of those that,
by the estimates of placement, have the buffer and the time for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from archsim.errors import CompileError
from archsim.units import format_si
from archsim.workload.graph import Access, Graph, Layer

__all__ = ["PIECE", "Spread", "ready_times"]

PIECE = 0.25
"""The share of a tile's buffer that one piece may take."""

USABLE = 0.8
"""The share of the tiles' buffers that is dealt out: what they must hold is estimated."""

AROUND = 24
"""Tiles among which the one with the most room is chosen, before those farther away."""

BESIDE = 0.5
"""The share of the time that the functional units of a tile have left beside a layer with weights."""


@dataclass
class Spread:
    """What is left of each tile: ``free`` bits of buffer, and ``idle`` ps of the time between two inferences."""

    buffer_bits: int
    pace_ps: int
    free: list[float]
    idle: list[float]

    @classmethod
    def over(cls, used_bits: list[int], buffer_bits: int, pace_ps: int) -> Spread:
        """All tiles, of which so many bits each are in use by estimate."""
        free = [USABLE * buffer_bits - bits for bits in used_bits]
        idle = [pace_ps * (BESIDE if bits else 1.0) for bits in used_bits]
        return cls(buffer_bits, pace_ps, free, idle)

    def pieces(self, bits: float, ps: float, most: int, fair: int) -> int:
        """In how many pieces to cut what holds ``bits`` and takes ``ps`` an inference in one tile: enough for the
        buffers, and for the time at most ``fair``; ``most`` can be cut at all."""
        holding = -(-int(bits) // int(PIECE * self.buffer_bits))
        timely = -(-int(ps) // max(1, int(0.8 * self.pace_ps)))
        return max(1, min(most, max(holding, min(timely, fair))))

    def take(self, near: int, count: int, bits: float, ps: float, what: str) -> list[int]:
        """Tiles for ``count`` pieces of ``bits`` and ``ps`` each, from ``near`` outwards; in tiles without time to
        spare if there are no others.  CompileError if the buffers cannot hold them."""
        order = sorted(range(len(self.free)), key=lambda tile: (abs(tile - near), tile))
        chosen: list[int] = []
        for _ in range(count):
            tile = self._roomiest(order, bits, ps)
            if self.free[tile] < bits:
                raise self._full(what, count * bits)
            self.free[tile] -= bits
            self.idle[tile] -= ps
            chosen.append(tile)
        return chosen

    def _roomiest(self, order: list[int], bits: float, ps: float) -> int:
        """Of the nearest tiles that have the buffer and the time that with the most buffer left; failing that, the
        tile with the buffer and the most time left."""
        for start in range(0, len(order), AROUND):
            fitting = [t for t in order[start : start + AROUND] if self.free[t] >= bits and self.idle[t] >= ps]
            if fitting:
                return max(fitting, key=lambda tile: self.free[tile])
        return max(order, key=lambda tile: (self.free[tile] >= bits, self.idle[tile]))

    def _full(self, what: str, bits: float) -> CompileError:
        left = sum(max(0.0, free) for free in self.free)
        return CompileError(
            f"{what} needs {format_si(bits / 8, 'B')} of tile buffers, the board has about {format_si(left / 8, 'B')} "
            "left in pieces too small for it. More chips, fewer tokens or larger buffers would help."
        )


def ready_times(graph: Graph) -> dict[str, float]:
    """When each layer can put out its first value, in images that the layers before it have read by then.

    A window of k rows over H waits for k - 1 - p of them; what reads a whole image waits for 1.  Every layer then puts
    out its image in the time of one.  A layer that reads two others must hold what the earlier one puts out meanwhile.
    """
    ready: dict[str, float] = {}
    for layer in graph.layers:
        times = [ready[name] + _wait(layer, number) for number, name in enumerate(layer.inputs)]
        ready[layer.name] = max(times, default=0.0)
    return ready


def _wait(layer: Layer, number: int) -> float:
    shape = layer.input_shapes[number]
    rows = shape[1] if len(shape) == 3 else 1
    if layer.reads:
        access: Access = layer.reads[number]
        if access.span in ("whole", "reverse") or (access.span == "past" and not layer.cached and rows == 1):
            return 1.0 if rows > 1 or access.span == "reverse" else 0.0
        if access.span != "window":
            return 0.0
    elif layer.op == "globalpool":
        return 1.0
    first_rows = layer.kernel[0] * layer.dilation[0] - layer.pad[0] - 1
    if layer.depth:
        frames = layer.depth.kernel * layer.depth.dilation - layer.depth.pad[0] - 1
        first_rows += max(0, frames) * rows // layer.depth.frames
    return min(1.0, max(0.0, first_rows / rows))
