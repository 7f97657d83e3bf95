"""Which cell currents a converter sees together: the groups of columns, and what the sums of each can come to."""

from __future__ import annotations

from typing import NamedTuple

from archsim.numeric.config import ArrayConfig
from archsim.numeric.drive import Steps
from archsim.numeric.encode import Plane, planes

__all__ = ["UNIT", "Group", "groups_of"]

UNIT = "unit"
"""The name of the group of unit columns."""


class Group(NamedTuple):
    """Columns that are converted alike, one for each output (or one a row block for the unit column).

    A sum is y = Σ_i v_i Σ_k ``weights[k]`` level of plane ``planes[k]``, and its code counts ``counts``.
    ``low`` and ``high``: between what the sums lie if every cell is as it should be.
    """

    name: str
    planes: tuple[int, ...]
    weights: tuple[int, ...]
    counts: int
    low: float
    high: float


def groups_of(config: ArrayConfig, steps: Steps, leakage: float) -> tuple[Group, ...]:
    """The groups of ``config``, slices from low to high; ``leakage``: Gmin / (Gmax - Gmin) where it reaches the
    converters."""
    code, cells = config.weights, planes(config.weights)
    if "slices" in config.accumulate:
        members = [tuple(range(len(cells)))]
    elif code.scheme == "differential" and code.subtract == "analog":
        members = [(j, j + 1) for j in range(0, len(cells), 2)]
    else:
        members = [(j,) for j in range(len(cells))]
    out = []
    for member in members:
        least = min(abs(cells[j].counts) for j in member)
        sign = -1 if len(member) == 1 and cells[member[0]].counts < 0 else 1
        weights = tuple(sign * cells[j].counts // least for j in member)
        name = f"slice {cells[member[0]].slice}" if len(member) < len(cells) or len(cells) == 1 else "all slices"
        if code.scheme == "differential" and len(member) == 1:
            name += " +" if sign > 0 else " -"
        out.append(_group(config, steps, name, [cells[j] for j in member], member, weights, sign * least, leakage))
    if code.unit_column:
        unit = Plane(0, cells[0].width, 1)
        group = _group(config, steps, UNIT, [unit], (len(cells),), (1,), 1, leakage)
        out.append(group._replace(high=steps.top * config.rows * (1 + leakage * unit.top), low=group.low))
    return tuple(out)


def _group(
    config: ArrayConfig,
    steps: Steps,
    name: str,
    cells: list[Plane],
    member: tuple[int, ...],
    weights: tuple[int, ...],
    counts: int,
    leakage: float,
) -> Group:
    """A flipped column sums to half of the highest sum at most; a sum is signed where cells or inputs are."""
    drive = steps.top * config.rows
    leak = sum(w * c.top for w, c in zip(weights, cells, strict=True)) * leakage
    half = 2 if config.weights.scheme == "flipped" and name != UNIT else 1
    high = drive * (sum(w * c.top for w, c in zip(weights, cells, strict=True) if w > 0) // half + max(leak, 0.0))
    low = drive * (sum(w * c.top for w, c in zip(weights, cells, strict=True) if w < 0) + min(leak, 0.0))
    if half == 2:
        high = drive * cells[0].top // 2 + drive * leak
    most = max(high, -low)
    if steps.bipolar:
        low, high = -most, most
    return Group(name, member, weights, counts, float(low), float(high))
