"""What all operators need: shapes checked and counted, and the work of activation functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

from archsim.errors import WorkloadError
from archsim.spec.functions import FUNCTIONS, Operator
from archsim.workload.graph import Layer, Shape

__all__ = ["charged", "divides", "features", "function_work", "image", "sequence_features", "volume", "with_function"]


def function_work(function: str, values: int, groups: int = 1) -> dict[Operator, int]:
    """The operations of a function on ``values`` values of one window; a softmax over each of ``groups`` of them."""
    if function == "softmax":
        return {"exp": values, "add": values - groups, "divide": values}
    return {operator: count * values for operator, count in FUNCTIONS[function].items()}


def volume(shape: Shape) -> int:
    """The number of values of a shape."""
    return prod(shape)


def with_function(layer: Layer, function: str, other: Mapping[Operator, int] | None = None) -> Layer:
    """``layer`` with its activation, beside ``other`` operations a window."""
    total = dict(other or {})
    for operator, count in function_work(function, layer.outputs).items():
        total[operator] = total.get(operator, 0) + count
    return replace(layer, activation=function, work=tuple((key, count) for key, count in total.items() if count))


def image(layer: Layer) -> tuple[int, int, int]:
    """Channels, height and width of what ``layer`` reads; WorkloadError if that is no image."""
    shape = layer.input_shapes[0]
    if len(shape) != 3:
        raise WorkloadError(f"layer {layer.name!r} reads an image (C, H, W), got features {shape}")
    return shape[0], shape[1], shape[2]


def features(layer: Layer) -> int:
    """The features that ``layer`` reads; WorkloadError if it reads an image."""
    shape = layer.input_shapes[0]
    if len(shape) != 1:
        message = f"layer {layer.name!r} reads features (F,), got an image {shape}; put {{flatten: true}} before it"
        raise WorkloadError(message)
    return shape[0]


def sequence_features(layer: Layer) -> int:
    """The features of one step: of a sequence in steps, or of one whose steps are positions (D, S, 1)."""
    shape = layer.input_shapes[0]
    if len(shape) == 3 and shape[2] != 1:
        raise WorkloadError(f"layer {layer.name!r} reads a sequence (D, S, 1), got an image {shape}")
    return shape[0]


def charged(layer: Layer, work: Mapping[Operator, int]) -> Layer:
    """``layer`` with so many operations a window."""
    return with_function(layer, "none", work)


def divides(base: Layer, groups: int) -> None:
    """WorkloadError if ``groups`` do not divide the channels of what ``base`` reads."""
    channels = base.input_shapes[0][0]
    if channels % groups:
        raise WorkloadError(f"layer {base.name!r} has {groups} groups, which do not divide its {channels} channels")
