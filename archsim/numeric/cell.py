"""stub"""
from __future__ import annotations
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
import numpy as np
from numpy.typing import NDArray
Floats = NDArray[np.float64]
class Programmed(NamedTuple):
    g_s: Floats
    pulses: Any
    seconds: Any
    energy_j: Any
    failed: Any
@dataclass(frozen=True)
class IdealCell:
    name: str = "ideal"
    g_min_s: float = 0.0
    g_max_s: float = 1.0
    sigma: float = 0.0
    read: float = 0.0
    @property
    def effects(self):
        return (("programming",) if self.sigma else ()) + (("read_noise",) if self.read else ())
    def only(self, *e):
        return replace(self, sigma=self.sigma if "programming" in e else 0.0, read=self.read if "read_noise" in e else 0.0)
    def quantised(self, t): return t
    def programmed(self, t, rng):
        g = t + self.sigma * t * rng.standard_normal(t.shape)
        return Programmed(g, np.ones(t.shape, np.int64), None, None, np.zeros(t.shape, bool))
    def written(self, t, tol, rng): return self.programmed(t, rng)
    def stuck_s(self, shape, rng): return np.full(shape, np.nan)
    def at(self, g, t, seconds, kelvin, rng): return g
    def read_sigma_s(self, g, t, seconds, read_time_s=None): return self.read * g
    def current_a(self, g_s, volts): return g_s * volts
Cell = IdealCell
