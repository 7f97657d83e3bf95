"""How long the sense currents take to settle after the drivers step, by the resistance and capacitance of the lines.

With V the voltages of all free nodes, C their capacitances to ground and A the matrix of the array, C dV/dt = -A V + b.
After a step from 0 the error e = V - V(infinity) starts at -V(infinity) and decays as C de/dt = -A e.

* Its integral is -A^-1 C V(infinity), so that the Elmore delay of a current y = c e, the first moment of its approach,
  is c A^-1 C V(infinity) / y(infinity): exact also where the network is no tree (W. C. Elmore, J. Appl. Phys. 19, 55,
  1948).
* With z = C^(1/2) e and M = C^(1/2) A^-1 C^(1/2), z(t) = exp(-t M^-1) z(0).  The eigenvalues of M are the time
  constants of the array.  Lanczos steps on M from z(0), each one solution of the array, give the slow ones first (the
  moment matching of P. Feldmann and R. W. Freund, IEEE Trans. CAD 14, 639, 1995), and currents as sums of a few
  exponentials.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from archsim.errors import NumericError
from archsim.numeric.wires.cells import LinearCell, Passive
from archsim.numeric.wires.ends import through_ends
from archsim.numeric.wires.linear import linear_system
from archsim.numeric.wires.model import Wires
from archsim.numeric.wires.network import Array, Network, build
from archsim.numeric.wires.solver import checked_conductances, solve

__all__ = ["Settling", "settling"]

STEPS = 16
TOLERANCE = 1e-11
"""To which the systems of the Lanczos steps are solved."""
RESOLVED = 1e-12
"""Of the slowest time constant: what is faster is not told from 0."""

Planes = tuple[Array, Array]


@dataclass(frozen=True)
class Settling:
    """The response of the sense currents to a step of all drivers at once."""

    steady_a: Array
    """The currents when all is settled, one for each column."""
    elmore_s: Array
    """The mean delay of each column's current; NaN where that current is 0."""
    time_constants_s: Array
    """Those of the array that the step excites, the slowest first."""
    amplitudes_a: Array
    """The error of each column's current at the step by time constant, [columns, time constants]."""

    @property
    def time_constant_s(self) -> float:
        """The slowest; 0 if nothing has to settle."""
        return float(self.time_constants_s.max(initial=0.0))

    def error_a(self, seconds: ArrayLike) -> Array:
        """How far the currents are from steady at times after the step, [..., columns]."""
        decays = np.exp(-np.asarray(seconds, dtype=np.float64)[..., None] / self.time_constants_s)
        return np.asarray((decays[..., None, :] * self.amplitudes_a).sum(axis=-1))

    def settled_s(self, tolerance: float) -> float:
        """From when on the current of every column stays within ``tolerance`` of the largest steady current."""
        if not 0 < tolerance < 1:
            raise NumericError(f"wires: tolerance must be between 0 and 1, got {tolerance!r:.40}")
        allowed = tolerance * float(np.abs(self.steady_a).max())
        sizes = float(np.abs(self.amplitudes_a).sum(axis=1).max())
        if not sizes > allowed:
            return 0.0
        latest = self.time_constant_s * math.log(sizes / allowed)
        times = latest * np.linspace(0.0, 1.0, 4097)
        outside = np.flatnonzero(np.abs(self.error_a(times)).max(axis=1) > allowed)
        if len(outside) == 0:
            return 0.0
        low, high = times[outside[-1]], times[min(outside[-1] + 1, len(times) - 1)]
        for _ in range(40):
            middle = (low + high) / 2
            within = float(np.abs(self.error_a(middle)).max()) <= allowed
            low, high = (low, middle) if within else (middle, high)
        return float(high)


def settling(
    g_s: ArrayLike, v_in: ArrayLike, wires: Wires, *, cell: LinearCell | None = None, steps: int = STEPS
) -> Settling:
    """The settling of an array of linear cells whose drivers step from 0 to ``v_in`` volt.

    The capacitances are those of ``wires``.  ``steps`` is how many exponentials the currents are made of at most.  Not
    for partitioned arrays, whose blocks are arrays of their own.
    """
    g = (cell or Passive()).conductance(checked_conductances(g_s))
    if len(list(wires.blocks(*g.shape))) > 1:
        raise NumericError("wires: settling is that of one block; give the conductances of one")
    if wires.wordline_f == wires.bitline_f == 0:
        raise NumericError("wires: settling needs a capacitance, got wordline_f and bitline_f of 0")
    network, found = build(g.shape, wires), solve(g, v_in, wires)
    roots = _rooted_capacitances(network, wires)
    start = (-roots[0] * found.wordline_v[:, : roots[0].shape[1]], -roots[1] * found.bitline_v[: roots[1].shape[0]])
    length = math.sqrt(_inner(start, start))
    if length == 0:  # all nodes with a capacitance are held
        none = np.empty((g.shape[1], 0))
        return Settling(found.sense_a, np.where(found.sense_a == 0, np.nan, 0.0), np.empty(0), none)
    matrix, currents = _lanczos(network, g, roots, (start[0] / length, start[1] / length), steps)
    constants, modes = np.linalg.eigh(matrix)
    kept = np.flatnonzero(constants > RESOLVED * constants[-1])[::-1]
    amplitudes = length * _product(currents.T, modes[:, kept]) * (modes[0, kept] / constants[kept])
    with np.errstate(divide="ignore", invalid="ignore"):
        elmore = np.where(found.sense_a == 0, np.nan, -length * currents[0] / found.sense_a)
    return Settling(found.sense_a, elmore, constants[kept], amplitudes)


def _rooted_capacitances(network: Network, wires: Wires) -> Planes:
    """C^(1/2) at the nodes of both planes; 0 at fixed nodes, which have no equation."""
    cells = np.ones(network.shape)
    words, bits = network.wordlines, network.bitlines
    return (
        np.sqrt(wires.wordline_f * words.collect(cells)) * words.free,
        np.sqrt(wires.bitline_f * bits.collect(cells)) * bits.free,
    )


def _lanczos(network: Network, g: Array, roots: Planes, start: Planes, steps: int) -> tuple[Array, Array]:
    """M on the space of ``start``, M start, M^2 start …, and the sense currents of each A^-1 C^(1/2) q.

    The basis is orthogonalised in full, twice, which rounding makes necessary.
    """
    system = linear_system(network, g, TOLERANCE)
    basis, couplings, currents = [start], np.zeros((steps, steps)), np.zeros((steps, g.shape[1]))
    for k in range(steps):
        x = system.solve(roots[0] * basis[k][0], roots[1] * basis[k][1])
        currents[k] = sum(through_ends(network.bitlines, x[1], g * (x[0] - x[1])))
        image = roots[0] * x[0], roots[1] * x[1]
        for _ in range(2):
            for m in range(k + 1):
                part = _inner(basis[m], image)
                couplings[m, k] += part
                image = image[0] - part * basis[m][0], image[1] - part * basis[m][1]
        size = math.sqrt(_inner(image, image))
        if size <= RESOLVED * couplings[0, 0] or k + 1 == steps:
            break
        basis.append((image[0] / size, image[1] / size))
        couplings[k + 1, k] = size
    used = couplings[: k + 1, : k + 1]
    return (used + used.T) / 2, currents[: k + 1]


def _inner(a: Planes, b: Planes) -> float:
    return float((a[0] * b[0]).sum() + (a[1] * b[1]).sum())


def _product(left: Array, right: Array) -> Array:
    """A small matrix product that is summed in one order whatever the number of threads."""
    return np.asarray((left[:, :, None] * right[None, :, :]).sum(axis=1))
