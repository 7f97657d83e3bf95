"""A memory device: what its source says of it, and what that does to arrays of conductances."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from archsim.errors import DeviceError, nearest
from archsim.numeric.devices._check import Floats, conductances, number, same_shape, siemens, voltages
from archsim.numeric.devices.faults import Stuck, Temperature
from archsim.numeric.devices.programming import Normal, Outcome, Polynomial, Programming
from archsim.numeric.devices.reading import Current, Ohmic, Quiet, ReadNoise
from archsim.numeric.devices.retention import Retention, Unchanging

__all__ = ["EFFECTS", "EXACT", "Device", "Programmed", "Pulse", "ToleranceOf"]

EFFECTS: Final = ("levels", "programming", "stuck", "retention", "temperature", "read_noise", "nonlinear_iv")
"""What a device can do to a value, one by one; :meth:`Device.only` leaves out the others."""

EXACT: Final = Normal(Polynomial((0.0,)))
"""Cells land on their targets."""

ToleranceOf = Literal["value", "range", "siemens"]


class Programmed(NamedTuple):
    """Programmed cells; every array has the shape of the targets."""

    g_s: Floats
    """Conductance in siemens."""
    pulses: NDArray[np.int64] | None
    """Operations a cell took, of the kind that the device's source counts as one: a pulse or a whole sequence of pulses
    (:attr:`Device.operation`).  None where the source lets nobody know."""
    seconds: Floats | None
    """Time of the pulses of each cell, reads left out; None where the source gives no pulse width or count."""
    energy_j: Floats | None
    """Heat of those pulses in each cell at its target conductance, V² g t; None where the source gives no amplitude."""
    failed: NDArray[np.bool_]
    """Cells that were given up outside of the tolerance."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """One programming pulse; ``volts`` is None where the source gives no amplitude across the cell."""

    width_s: float
    volts: float | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A device by its laws; None for a law that the source does not give, and asking for it is refused.

    Every method takes conductances in siemens, as arrays of any shape, and refuses NaN and what is out of range.  Each
    draws the same number of random numbers for every cell, a cell's side by side and cell by cell in C order (devices
    that are moved pulse by pulse draw as many as a cell needs, also cell by cell).  So an array that is worked on in
    several calls along its first axis, with one generator, gets the same bytes as in one call.
    """

    name: str
    source: str
    """Where the coefficients were read."""
    g_min_s: float
    g_max_s: float
    valid_s: tuple[float, float]
    """The lowest and the highest conductance that the source speaks of."""
    programming: Programming | None
    retention: Retention | None
    read_noise: ReadNoise | None
    current: Current = field(default_factory=Ohmic)
    stuck_cells: Stuck = field(default_factory=Stuck)
    temperature: Temperature | None = None
    levels: int | None = None
    """Evenly spaced conductances that can be targeted; None for any."""
    pulse: Pulse | None = None
    operation: Literal["pulse", "sequence"] = "sequence"
    """What counts as one programming operation."""
    endurance: float | None = None
    """Operations that a cell lasts; None where the source does not say."""
    limits: tuple[str, ...] = ()
    """Deviations from the source, assumptions, and what is not modelled."""

    def __post_init__(self) -> None:
        with self._named():
            if not 0.0 <= self.g_min_s < self.g_max_s < math.inf:
                got = f"{siemens(self.g_min_s)} and {siemens(self.g_max_s)}"
                raise DeviceError(f"g_min must be at least 0 and below g_max, got {got}")
            low, high = self.valid_s
            if self.g_min_s < low * (1 - 1e-9) or self.g_max_s > high * (1 + 1e-9):
                got = f"{siemens(self.g_min_s)} to {siemens(self.g_max_s)}"
                raise DeviceError(f"the source holds from {siemens(low)} to {siemens(high)}, got a range of {got}")
            if self.levels is not None and self.levels < 2:
                raise DeviceError(f"levels must be at least 2, got {self.levels}")

    @property
    def effects(self) -> tuple[str, ...]:
        """Those of :data:`EFFECTS` that this device has."""
        has = {
            "levels": self.levels is not None,
            "programming": self.programming is not None and not self.programming.exact,
            "stuck": self.stuck_cells != Stuck(),
            "retention": not isinstance(self.retention, Unchanging | None),
            "temperature": self.temperature is not None and self.temperature != self.temperature.without_effect(),
            "read_noise": not isinstance(self.read_noise, Quiet | None),
            "nonlinear_iv": not isinstance(self.current, Ohmic),
        }
        return tuple(effect for effect in EFFECTS if has[effect])

    def only(self, *effects: str) -> Device:
        """This device with these effects and no others: what is left out is ideal, whatever the source gives of it.

        What is named and not given by the source stays refused when it is asked for.
        """
        for effect in effects:
            if effect not in EFFECTS:
                hint = nearest(effect, EFFECTS) or f"; there are {', '.join(EFFECTS)}"
                raise DeviceError(f"{self.name}: no effect named {effect!r:.60}{hint}")
        heat = self.temperature
        return replace(
            self,
            levels=self.levels if "levels" in effects else None,
            programming=self.programming if "programming" in effects else EXACT,
            stuck_cells=self.stuck_cells if "stuck" in effects else Stuck(),
            retention=self.retention if "retention" in effects else Unchanging(),
            temperature=heat if heat is None or "temperature" in effects else heat.without_effect(),
            read_noise=self.read_noise if "read_noise" in effects else Quiet(),
            current=self.current if "nonlinear_iv" in effects else Ohmic(),
        )

    def quantised(self, target_s: ArrayLike) -> Floats:
        """Each target moved to the nearest level (ties to the even one)."""
        target = self._target(target_s)
        if self.levels is None:
            return target
        step = (self.g_max_s - self.g_min_s) / (self.levels - 1)
        return np.minimum(self.g_min_s + np.rint((target - self.g_min_s) / step) * step, self.g_max_s)

    def programming_sigma_s(self, target_s: ArrayLike) -> Floats:
        """Standard deviation of one programming operation around each target, before the limit at zero cuts it."""
        target = self._target(target_s)
        with self._named():
            return self._programming().sigma_s(target)

    def programmed(self, target_s: ArrayLike, rng: Generator) -> Programmed:
        """One programming operation for each cell."""
        target = self._target(target_s)
        with self._named():
            return self._costed(self._programming().one_shot(target, rng), target)

    def written(
        self,
        target_s: ArrayLike,
        tolerance: float,
        rng: Generator,
        *,
        of: ToleranceOf = "value",
        max_pulses: int | None = None,
    ) -> Programmed:
        """Programming operations with a read after each, until a cell is within ``tolerance`` of its target.

        The tolerance is a share of the target (``of="value"``), of g_max - g_min (``"range"``), or in siemens.  After
        ``max_pulses`` operations a cell is given up.
        """
        target = self._target(target_s)
        with self._named():
            law = self._programming()
            width = self._width(target, tolerance, of)
            most = law.patience if max_pulses is None else int(number("max_pulses", max_pulses, 1))
            return self._costed(law.verified(target, width, most, rng), target)

    def finished(self, target_s: ArrayLike, tolerance: float | None, *, of: ToleranceOf = "value") -> Floats | None:
        """The share of cells with these targets that are done with after 0, 1, … programming operations, as
        :meth:`written` repeats them; the last share is 1.  One operation a cell if ``tolerance`` is None.

        None where the source does not say how many operations a cell takes.
        """
        target = self._target(target_s)
        with self._named():
            law = self._programming()
            if tolerance is None:
                return law.finished(target, None, law.patience)
            return law.finished(target, self._width(target, tolerance, of), law.patience)

    def stuck_s(self, shape: tuple[int, ...], rng: Generator) -> Floats:
        """The conductance at which each cell is stuck; NaN for sound cells."""
        return self.stuck_cells.at_s(shape, self.g_min_s, self.g_max_s, rng)

    def stuck(self, shape: tuple[int, ...], rng: Generator) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which cells are stuck at g_max, and which at g_min; the same draw as :meth:`stuck_s`.

        Refused for a device whose cells are also stuck in between, where two masks do not say it all.
        """
        if self.stuck_cells.within > 0.0:
            raise DeviceError(f"{self.name}: cells are stuck within the range too, see stuck_s")
        g_s = self.stuck_s(shape, rng)
        return g_s == self.g_max_s, g_s == self.g_min_s

    def at(self, g_s: ArrayLike, target_s: ArrayLike, seconds: float, kelvin: float | None, rng: Generator) -> Floats:
        """Cells that were programmed to ``g_s``, ``seconds`` later, at ``kelvin`` (None: that of the source).

        The same generator state gives the same cells at each time: one trajectory.  Time 0 draws nothing.
        """
        g, target = self._state(g_s), self._target(target_s)
        with self._named():
            same_shape("conductances", g, "targets", target)
            seconds = number("seconds", seconds, 0.0)
            heat = self.temperature
            factor = 1.0
            if kelvin is not None:
                number("kelvin", kelvin, 0.0, open_low=True)
                if heat is None:
                    raise DeviceError("the source gives no dependence on temperature; leave out kelvin")
                seconds, factor = seconds * heat.time_factor(kelvin), heat.conductance_factor(kelvin)
            if seconds > 0.0:
                if self.retention is None:
                    raise DeviceError("the source gives no drift or retention")
                g = self.retention.after(g, target, seconds, rng.standard_normal(g.shape))
            return g * factor

    def read_sigma_s(
        self, g_s: ArrayLike, target_s: ArrayLike, seconds: float, read_time_s: float | None = None
    ) -> Floats:
        """Standard deviation of one read of cells at ``g_s``, ``seconds`` after programming to ``target_s``.

        ``read_time_s`` is how long a read lasts; None for the source's own.
        """
        g, target = self._state(g_s), self._target(target_s)
        with self._named():
            same_shape("conductances", g, "targets", target)
            number("seconds", seconds, 0.0)
            if read_time_s is not None:
                number("read_time_s", read_time_s, 0.0, open_low=True)
            if self.read_noise is None:
                raise DeviceError("the source gives no read noise")
            return self.read_noise.sigma_s(g, target, seconds, read_time_s)

    def current_a(self, g_s: ArrayLike, v: ArrayLike) -> Floats:
        """Current in ampere through cells of conductance ``g_s`` near 0 V, at ``v`` volts (shapes broadcast)."""
        g, volts = self._state(g_s), self._volts(v)
        return self.current.current_a(g, volts)

    def slope_s(self, g_s: ArrayLike, v: ArrayLike) -> Floats:
        """dI/dV in siemens where :meth:`current_a` gives I."""
        g, volts = self._state(g_s), self._volts(v)
        return self.current.slope_s(g, volts)

    def worn(self, operations: ArrayLike) -> NDArray[np.bool_]:
        """Which cells have had more programming operations than the source says that they last."""
        if self.endurance is None:
            raise DeviceError(f"{self.name}: the source gives no endurance")
        return np.asarray(np.asarray(operations) > self.endurance)

    def _programming(self) -> Programming:
        if self.programming is None:
            raise DeviceError("the source gives no programming error")
        return self.programming

    def _width(self, target: Floats, tolerance: float, of: ToleranceOf) -> Floats:
        """The tolerance of each target in siemens."""
        number("the tolerance", tolerance, 0.0, open_low=True)
        unit = {"value": target, "range": self.g_max_s - self.g_min_s, "siemens": 1.0}
        if of not in unit:
            raise DeviceError(f"the tolerance is one of {', '.join(unit)}, got {of!r:.60}{nearest(of, unit)}")
        if of == "value" and not np.all(target > 0.0):
            raise DeviceError("a tolerance relative to a target of 0 S is never met; give one of the range")
        return np.broadcast_to(tolerance * np.asarray(unit[of]), target.shape)

    def _costed(self, outcome: Outcome, target: Floats) -> Programmed:
        g_s, pulses, failed = outcome
        seconds: Floats | None = None
        energy: Floats | None = None
        if self.pulse is not None and pulses is not None:
            seconds = pulses.astype(np.float64) * self.pulse.width_s
            if self.pulse.volts is not None:
                energy = self.pulse.volts**2 * target * seconds
        return Programmed(g_s, pulses, seconds, energy, failed)

    def _target(self, values: ArrayLike) -> Floats:
        with self._named():
            return conductances("target conductance", values, self.g_min_s, self.g_max_s)

    def _state(self, values: ArrayLike) -> Floats:
        with self._named():
            return conductances("conductance", values, 0.0, math.inf)

    def _volts(self, values: ArrayLike) -> Floats:
        with self._named():
            return voltages(values, self.current.most_v)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """What goes wrong inside is said of this device."""
        try:
            yield
        except DeviceError as error:
            raise DeviceError(f"{self.name}: {error}") from error
