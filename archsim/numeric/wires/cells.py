"""What stands at a crossing: a memristor alone, behind a transistor, or behind a selector.

``g`` is always the conductance of the memristor in siemens.  A linear cell says what conductance the wires see; any
other cell is a function ``current(v, g) -> (i, di/dv)`` of arrays of the same shape: the current in A at the voltage v
across the cell, and its derivative.  The current has to rise with the voltage everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np

from archsim.errors import ArchsimError
from archsim.numeric.wires.network import Array

__all__ = ["Cell", "Current", "LinearCell", "Passive", "Selector", "Sinh", "Transistor", "memristor_voltage"]

Current: TypeAlias = Callable[[Array, Array], tuple[Array, Array]]


@runtime_checkable
class LinearCell(Protocol):
    """A cell whose current is proportional to its voltage."""

    def conductance(self, g_s: Array) -> Array:
        """The conductance that the wires see, in siemens."""


Cell: TypeAlias = LinearCell | Current


def _positive(cell: object) -> None:
    for field in fields(cell):  # type: ignore[arg-type]
        value = getattr(cell, field.name)
        if not 0 < value < math.inf:
            name = type(cell).__name__
            raise ArchsimError(f"wires: {field.name} of {name} must be above 0 and finite, got {value!r:.40}")


@dataclass(frozen=True, slots=True)
class Passive:
    """0T1R: the memristor alone."""

    def conductance(self, g_s: Array) -> Array:
        """That of the memristor."""
        return g_s


@dataclass(frozen=True, slots=True)
class Transistor:
    """1T1R: the memristor in series with a transistor, in its linear region with ``on_ohm`` where its gate is on.

    The gates of a row are one line; a row whose gate is off does not conduct at all.
    """

    on_ohm: float

    def __post_init__(self) -> None:
        _positive(self)

    def conductance(self, g_s: Array) -> Array:
        """G / (1 + R_on G)."""
        return g_s / (1.0 + self.on_ohm * g_s)


@dataclass(frozen=True, slots=True)
class Sinh:
    """A memristor whose current is i = G v0 sinh(v / v0); ``g`` is its conductance near 0 V, ``v0`` is ``scale_v``.

    The usual form of an I-V curve that is linear at low and exponential at high voltage (hopping: Mott and Gurney,
    Electronic Processes in Ionic Crystals, 1940).
    """

    scale_v: float

    def __post_init__(self) -> None:
        _positive(self)

    def __call__(self, v: Array, g_s: Array) -> tuple[Array, Array]:
        """Current and derivative."""
        return g_s * self.scale_v * np.sinh(v / self.scale_v), g_s * np.cosh(v / self.scale_v)


@dataclass(frozen=True, slots=True)
class Selector:
    """1S1R: an ohmic memristor in series with an exponential selector, i = I0 sinh(v_s / v0) across the selector.

    ``scale_a`` is I0, ``scale_v`` is v0: one decade of current takes 2.3 v0.
    """

    scale_a: float
    scale_v: float

    def __post_init__(self) -> None:
        _positive(self)

    def __call__(self, v: Array, g_s: Array) -> tuple[Array, Array]:
        """Current and derivative.

        With i = I0 sinh(y), the voltages add up to h(y) = (I0 / G) sinh(y) + v0 y = |v|.  h is convex and rising, and
        each of its terms alone gives an upper bound of y, from which Newton's method falls towards the root.
        """
        conducting = g_s > 0
        ohm = 1.0 / np.where(conducting, g_s, 1.0)
        wanted = np.where(conducting, np.abs(v), 0.0)
        y = np.minimum(wanted / self.scale_v, np.arcsinh(wanted / (self.scale_a * ohm)))
        for _ in range(60):
            excess = self.scale_a * ohm * np.sinh(y) + self.scale_v * y - wanted
            step = excess / (self.scale_a * ohm * np.cosh(y) + self.scale_v)
            y = np.maximum(y - step, 0.0)
            if np.all(np.abs(step) <= 1e-15 * (1.0 + y)):
                break
        slope = 1.0 / (ohm + self.scale_v / (self.scale_a * np.cosh(y)))
        current = np.copysign(self.scale_a * np.sinh(y), v)
        return np.where(conducting, current, 0.0), np.where(conducting, slope, 0.0)


def memristor_voltage(cell: Cell, cell_v: Array, cell_a: Array, g_s: Array) -> Array:
    """The part of the voltage across cells that is across the memristors themselves."""
    if isinstance(cell, Transistor | Selector):
        return np.divide(cell_a, g_s, out=np.zeros_like(cell_a), where=g_s > 0)
    return cell_v
