"""What stands at a crossing: a memristor alone, behind a transistor, or behind a selector.

``g_s`` is always the conductance of the memristor in siemens.  A linear cell says what conductance the wires see.  Any
other cell gives its current at a voltage and the derivative of that, in arrays, as do the currents of
``archsim.numeric.devices.reading``; the current must not fall anywhere as the voltage rises.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np

from archsim.errors import NumericError
from archsim.numeric.wires.network import Array

__all__ = ["Cell", "Current", "LinearCell", "Passive", "Selector", "Transistor", "memristor_voltage"]


@runtime_checkable
class Current(Protocol):
    """A cell whose current is some function of its voltage."""

    def current_a(self, g_s: Array, v: Array) -> Array:
        """The current in ampere at ``v`` volt across the cell."""

    def slope_s(self, g_s: Array, v: Array) -> Array:
        """Its derivative in siemens."""


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
            raise NumericError(f"wires: {field.name} of {name} must be above 0 and finite, got {value!r:.40}")


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
class Selector:
    """1S1R: an ohmic memristor in series with an exponential selector, i = I0 sinh(v_s / v0) across the selector.

    ``scale_a`` is I0, ``scale_v`` is v0: one decade of current takes 2.3 v0.
    """

    scale_a: float
    scale_v: float

    def __post_init__(self) -> None:
        _positive(self)

    def current_a(self, g_s: Array, v: Array) -> Array:
        """The current in ampere."""
        return np.where(g_s > 0, np.copysign(self.scale_a * np.sinh(self._operating(g_s, v)), v), 0.0)

    def slope_s(self, g_s: Array, v: Array) -> Array:
        """dI/dV in siemens: memristor and selector in series."""
        selector_ohm = self.scale_v / (self.scale_a * np.cosh(self._operating(g_s, v)))
        return g_s / (1.0 + g_s * selector_ohm)

    def _operating(self, g_s: Array, v: Array) -> Array:
        """y = |v_s| / v0 of the selector.

        The voltages add up to h(y) = (I0 / G) sinh(y) + v0 y = |v|.  h is convex and rising, and each of its terms
        alone gives an upper bound of y, from which Newton's method falls towards the root.
        """
        conducting = g_s > 0
        voltage = self.scale_a / np.where(conducting, g_s, 1.0)
        wanted = np.where(conducting, np.abs(v), 0.0)
        y = np.minimum(wanted / self.scale_v, np.arcsinh(wanted / voltage))
        for _ in range(60):
            excess = voltage * np.sinh(y) + self.scale_v * y - wanted
            step = excess / (voltage * np.cosh(y) + self.scale_v)
            y = np.maximum(y - step, 0.0)
            if np.all(np.abs(step) <= 1e-15 * (1.0 + y)):
                break
        return np.asarray(y)


def memristor_voltage(cell: Cell, cell_v: Array, cell_a: Array, g_s: Array) -> Array:
    """The part of the voltage across cells that is across the memristors themselves."""
    if isinstance(cell, Transistor | Selector):
        return np.divide(cell_a, g_s, out=np.zeros_like(cell_a), where=g_s > 0)
    return cell_v
