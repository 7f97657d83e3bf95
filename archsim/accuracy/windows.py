"""Windows of convolutions and pooling, of any number of spatial dimensions, as views that copy nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["Kernel", "rows_of", "unfolded"]

Array = NDArray[Any]

MOST_VALUES = 1 << 22
"""Values of windows that are copied out at once."""


@dataclass(frozen=True)
class Kernel:
    """Sizes by spatial dimension; ``before`` and ``after`` is the padding."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @classmethod
    def of(cls, shape: Sequence[int], size: Sequence[int], attributes: dict[str, Any], ceil: bool = False) -> Kernel:
        """The kernel that the attributes of an ONNX node give for an image of ``shape``; SAME is worked out."""
        n = len(size)
        stride = tuple(attributes.get("strides") or (1,) * n)
        dilation = tuple(attributes.get("dilations") or (1,) * n)
        pads = tuple(attributes.get("pads") or (0,) * (2 * n))
        before, after = list(pads[:n]), list(pads[n:])
        auto = attributes.get("auto_pad") or "NOTSET"
        for k in range(n):
            span = (size[k] - 1) * dilation[k] + 1
            if auto.startswith("SAME"):
                total = max((-(-shape[k] // stride[k]) - 1) * stride[k] + span - shape[k], 0)
                before[k] = total // 2 if auto == "SAME_UPPER" else -(-total // 2)
                after[k] = total - before[k]
            elif ceil:
                room = shape[k] + before[k] + after[k] - span
                count = -(-room // stride[k])
                if count * stride[k] < shape[k] + before[k]:  # a window that begins in the padding behind is none
                    after[k] += max(count * stride[k] - room, 0)
        return cls(tuple(size), stride, dilation, tuple(before), tuple(after))


def unfolded(x: Array, kernel: Kernel, fill: float = 0.0) -> Array:
    """The windows of ``x`` [N, C, …] as a view [N, C, *places, *size]."""
    n = len(kernel.size)
    if any(kernel.before) or any(kernel.after):
        around = ((0, 0), (0, 0), *zip(kernel.before, kernel.after, strict=True))
        x = np.pad(x, around, constant_values=fill)
    span = tuple((size - 1) * step + 1 for size, step in zip(kernel.size, kernel.dilation, strict=True))
    view = sliding_window_view(x, span, axis=tuple(range(2, 2 + n)))
    places = tuple(slice(None, None, step) for step in kernel.stride)
    inside = tuple(slice(None, None, step) for step in kernel.dilation)
    return np.asarray(view[(slice(None), slice(None), *places, *inside)])


def rows_of(view: Array, dimensions: int) -> Iterator[tuple[int, Array]]:
    """Windows [N, C, *places, *size] as rows [count, C × size], some at a time, each with the number of its first."""
    places = tuple(range(2, 2 + dimensions))
    moved = view.transpose(0, *places, 1, *range(2 + dimensions, view.ndim))
    samples, lines = moved.shape[:2]
    width = math.prod(moved.shape[1 + dimensions :])
    each = math.prod(moved.shape[2 : 1 + dimensions])
    if lines * each * width <= MOST_VALUES:
        step = max(MOST_VALUES // max(lines * each * width, 1), 1)
        for at in range(0, samples, step):
            yield at * lines * each, moved[at : at + step].reshape(-1, width)
        return
    step = max(MOST_VALUES // (each * width), 1)
    for sample in range(samples):
        for line in range(0, lines, step):
            yield (sample * lines + line) * each, moved[sample, line : line + step].reshape(-1, width)
