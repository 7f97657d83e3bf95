"""Kernels, strides and padding as ONNX writes them: auto_pad worked out, ceiling mode as padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Window", "image_axes", "short", "window_of"]


@dataclass(frozen=True, slots=True)
class Window:
    """Sizes along each spatial axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]

    @property
    def rank(self) -> int:
        """The number of spatial axes."""
        return len(self.kernel)

    def spec(self, *, along_columns: bool = False, frames: int = 0) -> dict[str, Any]:
        """Kernel, stride, pad and dilation of a layer; a single axis stands as rows, or as columns.

        The first of three is the depth, of so many ``frames``.
        """
        if self.rank == 3:
            rest = Window(*(numbers[1:] for numbers in (self.kernel, self.stride, self.dilation, self.begin, self.end)))
            depth: dict[str, Any] = {"frames": frames, "kernel": self.kernel[0], "stride": self.stride[0]}
            depth |= {"pad": short((self.begin[0], self.end[0]))} if self.begin[0] or self.end[0] else {}
            depth |= {"dilation": self.dilation[0]} if self.dilation[0] > 1 else {}
            return rest.spec() | {"depth": depth}

        def both(numbers: Sequence[int], other: int) -> list[int]:
            extra = (other,) * (2 - self.rank)
            return [*extra, *numbers] if along_columns else [*numbers, *extra]

        pad = [*both(self.begin, 0), *both(self.end, 0)]
        out = {"kernel": short(both(self.kernel, 1)), "stride": short(both(self.stride, 1))}
        out |= {"pad": short(pad)} if any(pad) else {}
        return out | ({"dilation": short(both(self.dilation, 1))} if set(self.dilation) != {1} else {})


def short(numbers: Sequence[int]) -> Any:
    """One number in place of several equal ones."""
    return numbers[0] if len(set(numbers)) == 1 else list(numbers)


def image_axes(batch: int, rank: int) -> tuple[list[int], list[int], list[int]]:
    """The axes of (N, C, spatial…) that are the batch, the rows and the columns of an image.

    The frames of a volume (N, C, D, H, W) stand one below the other.
    Several sequences (N, C, L) stand as the rows of one image, which kernels along its columns do not join.
    """
    if rank >= 2:
        return [0], list(range(2, 1 + rank)), [1 + rank]
    return ([], [0], [2]) if batch > 1 else ([0], [2], [])


def window_of(
    attributes: Mapping[str, Any], kernel: Sequence[int], given: Sequence[int], made: Sequence[int]
) -> Window:
    """The window of a convolution or pool from spatial sizes ``given`` to ``made``.

    With SAME padding, and with ceiling mode, the padding at the end is what the size of the output needs.
    """
    rank = len(kernel)
    stride = tuple(attributes.get("strides") or (1,) * rank)
    dilation = tuple(attributes.get("dilations") or (1,) * rank)
    pads = list(attributes.get("pads") or (0,) * (2 * rank))
    auto = attributes.get("auto_pad", "NOTSET")
    begin, end = pads[:rank], pads[rank:]
    for k in range(rank):
        span = dilation[k] * (kernel[k] - 1) + 1
        needed = max(0, (made[k] - 1) * stride[k] + span - given[k])
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            begin[k] = needed // 2 if auto == "SAME_UPPER" else -(-needed // 2)
            end[k] = needed - begin[k]
        elif auto == "VALID":
            begin[k] = end[k] = 0
        elif attributes.get("ceil_mode"):
            end[k] = max(end[k], needed - begin[k])
    return Window(tuple(kernel), stride, dilation, tuple(begin), tuple(end))
