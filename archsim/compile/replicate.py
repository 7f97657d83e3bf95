"""Replicate: how many copies of each layer, so that the pipeline is balanced.

With W windows in a layer and a time I between two MVMs, r copies take ceil(W / r) · I an image.  The smallest
interval T of the whole pipeline for which copies r = ceil(W · I / T) still fit is looked for from below, in growing
steps and then by bisection, since the copies only fall as T grows.  T is one of the values ceil(W / r) · I.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from archsim.errors import CompileError, nearest
from archsim.workload.graph import Layer

__all__ = ["STAGES_A_COLUMN", "balanced", "copies_at", "given", "most_copies"]

Copies = dict[str, int]


STAGES_A_COLUMN = 4
"""Stages of one layer that may share a column of its output.

Each reads from all the stages of its columns in the layer before, so that flows grow with the square of this number.
"""


FINER = 1.08
"""The ratio of the first two intervals that are tried; that of the next two is as much larger again."""


def most_copies(layer: Layer, copies_a_tile: int) -> int:
    """The copies of ``layer`` above which its strips would get too narrow, ``copies_a_tile`` of them working as one."""
    columns = layer.output_shape[2] if len(layer.output_shape) == 3 else 1
    return min(layer.windows, columns * STAGES_A_COLUMN * max(1, copies_a_tile))


def copies_at(layers: Sequence[Layer], windows_each: int, most: Mapping[str, int]) -> Copies:
    """The copies with which no layer does more than ``windows_each`` windows an image each, at the most ``most``."""
    return {
        layer.name: 1 if layer.steps > 1 else min(-(-layer.windows // windows_each), most[layer.name])
        for layer in layers
    }


def balanced(
    layers: Sequence[Layer], most: Mapping[str, int], fits: Callable[[Copies], bool], least: int = 1
) -> Copies:
    """The copies with the smallest common interval that ``fits`` accepts; with one copy each they must fit.

    All layers run on the same cores, so the interval of an MVM is common and T / I is a number of windows, of which no
    fewer than ``least`` can fit.  A recurrent network is not replicated: its steps follow each other.  Once a layer has
    its ``most`` copies, more of the others would gain nothing.

    First fit is not monotone: it may fail with some copies and go well with more.  So the search begins where it may
    first go well, and what lies far above is not looked at.
    """
    end = max(layer.windows for layer in layers)
    low = max([least - 1, *(-(-layer.windows // most[layer.name]) - 1 for layer in layers if layer.steps == 1)])
    high, step = min(low + 1, end), FINER
    while high < end and not fits(copies_at(layers, high, most)):
        low, high, step = high, min(end, max(high + 1, int(high * step))), step * FINER
    while high - low > 1:
        middle = (low + high) // 2
        if fits(copies_at(layers, middle, most)):
            high = middle
        else:
            low = middle
    return copies_at(layers, high, most)


def given(layers: Sequence[Layer], factors: Mapping[str, int]) -> Copies:
    """A user's own factors; layers that are not named have one copy."""
    known = {layer.name: layer for layer in layers}
    for name, copies in factors.items():
        if name not in known:
            raise CompileError(f"replication: no layer with weights named {name!r}{nearest(name, known)}")
        if not 1 <= copies <= known[name].windows:
            most = known[name].windows
            raise CompileError(f"replication: {name} has {most} windows and takes 1 to {most} copies, got {copies}")
    return {name: factors.get(name, 1) for name in known}
