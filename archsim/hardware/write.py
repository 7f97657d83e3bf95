"""What it takes to program the cells of a tile: from ``core.write``, and from the tile's device where that is silent.

A cell gets pulses until a read finds it within the tolerance.  F(k) is the share of cells that are done with after k
pulses; for a given mean of m pulses the count is taken as geometric, F(k) = 1 - (1 - 1/m)^k, as it is for devices
whose every pulse is a fresh draw (:mod:`archsim.numeric.devices.programming`).  Then

    mean pulses of a cell                     = Σ_k (1 - F(k))
    mean pulses until all of n cells are done = Σ_k (1 - F(k)^n),        k = 0, 1, …

The first makes energy and wear, the second the time of n cells that are written at once.  Of a device, all values that
a cell can hold are taken to be equally frequent, since timing knows no weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from archsim.errors import DeviceError
from archsim.hardware.array import cell_of
from archsim.hardware.mvm import crossbar
from archsim.numeric.devices import Device
from archsim.spec.tile import Tile
from archsim.spec.write import Write

__all__ = ["Programming", "programming"]

Floats = NDArray[np.float64]

TAIL: Final = 1e-12
"""The share of cells at which a geometric distribution is cut."""


@dataclass(frozen=True)
class Programming:
    """Programming of the cells of one tile; None for what neither the tile nor the source of its device gives."""

    pulse_s: float | None
    energy_j: float | None
    """Of one pulse in one cell, on average."""
    finished: Floats | None
    """The share of cells that are done with after 0, 1, … pulses."""
    verify_s: float | None
    verify_j: float | None
    cells: int
    """Cells of an array that are written at once."""
    arrays: int
    """Arrays of a tile that are written at once."""
    endurance: float | None
    source: str
    assumed: tuple[str, ...]

    @property
    def pulses(self) -> float | None:
        """Pulses a cell, on average."""
        return None if self.finished is None else self.pulses_of(1)

    def pulses_of(self, cells: int) -> float:
        """Pulses until all of ``cells`` cells that are written at once are done, on average."""
        assert self.finished is not None
        return float(f"{(1.0 - self.finished**cells).sum():.12g}")  # powers differ in the last bit between processors

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys of ``core.write`` that nothing gives."""
        known = {"pulse": self.pulse_s, "energy": self.energy_j, "pulses": self.finished, "endurance": self.endurance}
        return tuple(key for key, value in known.items() if value is None)


def programming(tile: Tile) -> Programming:
    """What programming takes on ``tile``, whose cores have arrays."""
    array, device = crossbar(tile.core), _device(tile)
    given = tile.core.write or Write(source="", status="assumed")
    pulse_s = energy_j = endurance = finished = None
    if device is not None:
        levels = np.linspace(device.g_min_s, device.g_max_s, 2**array.cell_bits)
        finished, endurance = _of_device(tile, device, levels), device.endurance
        if device.pulse is not None:
            pulse_s, volts = device.pulse.width_s, device.pulse.volts
            energy_j = None if volts is None else float(volts**2 * levels.mean() * pulse_s)
    of_device = {"pulse": pulse_s, "energy": energy_j, "pulses": finished, "endurance": endurance}
    taken = [key for key, value in of_device.items() if value is not None and getattr(given, key) is None]
    named = f"{', '.join(taken)}: device {device.name} ({device.source})" if device is not None and taken else ""
    return Programming(
        pulse_s=pulse_s if given.pulse is None else float(given.pulse),
        energy_j=energy_j if given.energy is None else float(given.energy),
        finished=finished if given.pulses is None else _geometric(given.pulses),
        verify_s=None if given.verify is None else float(given.verify),
        verify_j=None if given.verify_energy is None else float(given.verify_energy),
        cells=given.cells or array.columns + tile.core.encoding.unit_columns,
        arrays=given.arrays,
        endurance=given.endurance or endurance,
        source="; ".join(text for text in (given.source, named) if text),
        assumed=(*given.assumed, *(key for key in ("cells", "arrays") if key not in given.model_fields_set)),
    )


def _device(tile: Tile) -> Device | None:
    """The device of the tile; None without one, or if it cannot be had, which is no concern of timing."""
    try:
        return cell_of(tile.device) if tile.device is not None else None
    except DeviceError:
        return None


def _geometric(mean: float) -> Floats:
    """F(k) of a geometric number of pulses with that mean."""
    if mean == 1.0:
        return np.array([0.0, 1.0])
    stay = 1.0 - 1.0 / mean
    last = int(np.ceil(np.log(TAIL) / np.log(stay)))
    share = 1.0 - stay ** np.arange(last + 1)
    share[-1] = 1.0
    return np.asarray(share, np.float64)


def _of_device(tile: Tile, device: Device, levels: Floats) -> Floats | None:
    """F(k) by the law of the device and the tolerance of the tile; None if its source does not give it."""
    spec = tile.device
    try:
        return None if spec is None else device.finished(levels, spec.tolerance, of=spec.tolerance_of)
    except DeviceError:
        return None
