"""What the windows of layers without weights read of each operand: positions, and channels."""

from __future__ import annotations

from archsim.compile.reads import Window
from archsim.workload.graph import Access, Layer

__all__ = ["accesses", "channels_read", "flattened_channels", "window_of"]


def accesses(layer: Layer) -> tuple[Access, ...]:
    """What a window of ``layer`` reads of each operand."""
    if layer.reads:
        return layer.reads
    channels = layer.output_shape[0]
    if layer.op == "globalpool":
        return (Access("whole", channels),)
    return (Access("window" if layer.op in ("maxpool", "avgpool") else "same", channels),) * len(layer.inputs)


def channels_read(access: Access, low: int, high: int, outputs: int, inputs: int) -> tuple[int, int]:
    """The channels of an operand of ``inputs`` that the outputs from ``low`` to ``high``, of ``outputs``, read: all of
    the groups that they lie in."""
    first, end = access.channels or (0, inputs)
    into, out_of = (end - first) // access.groups, outputs // access.groups
    return first + low // out_of * into, first + -(-high // out_of) * into


def flattened_channels(low: int, high: int, at: int, channels: int, pixels: int) -> tuple[int, int]:
    """The channels of an image of ``channels`` × ``pixels`` that hold the features from ``low`` to ``high``, where the
    image stands from feature ``at`` on, channel by channel; an empty range if none does."""
    first, end = (low - at) // pixels, -(-(high - at) // pixels)
    return min(max(first, 0), channels), min(max(end, 0), channels)


def window_of(layer: Layer, access: Access, grid_in: tuple[int, int], grid_out: tuple[int, int]) -> Window:
    """How windows lie on an operand that is read at the same position, in raster order, or under a kernel.

    Sizes that differ are scaled: output row y of R reads row floor(y · H / R) of H.
    """
    if access.span == "window":
        size, stride, dilation = layer.kernel, layer.stride, layer.dilation
        pad = layer.pad[0], layer.pad[1]
        return Window(*grid_in, grid_out[1], size, stride, pad, dilation, layer.upscale, layer.depth)
    if grid_in == grid_out:
        return Window(*grid_in, grid_out[1])
    if access.span == "raster":
        inside, outside = grid_in[0] * grid_in[1], grid_out[0] * grid_out[1]
        wide = (1, max(1, -(-inside // outside)))
        return Window(1, inside, outside, kernel=wide, stride=(1, inside), upscale=(1, outside))
    return Window(*grid_in, grid_out[1], stride=grid_in, upscale=grid_out)
