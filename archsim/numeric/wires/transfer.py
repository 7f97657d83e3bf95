"""The transfer matrix of an array of linear cells: all reads at once, as one matrix product."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from archsim.errors import NumericError
from archsim.numeric.wires.cells import LinearCell, Passive
from archsim.numeric.wires.kernels import end_response
from archsim.numeric.wires.model import Wires
from archsim.numeric.wires.network import Array, Network, Pivots, build
from archsim.numeric.wires.solver import checked_conductances, solve

__all__ = ["transfer_matrix"]

TOLERANCE = 1e-9
"""Of the largest sense current: how far a read by the matrix may be from a solution of the nodal equations."""


def transfer_matrix(g_s: ArrayLike, wires: Wires, cell: LinearCell | None = None) -> Array:
    """T in siemens, [rows, columns], so that ``v_in @ T`` are the sense currents of the array.

    An array of linear cells between ideal sense terminals is a linear map.  By reciprocity, T[i, j] is also the current
    at the driver of row i for 1 V at the sense terminal of column j, so that one elimination with one right-hand side
    for each bitline gives all of T.  A partitioned array adds up the currents of its blocks.

    Takes columns × rows^3 multiplications, the smaller dimension counted as the rows, and no more memory than a few
    matrices.  T is held to one solution of the nodal equations; an NumericError says if it does not agree.
    """
    g = checked_conductances(g_s)
    seen = (cell or Passive()).conductance(g)
    transfer = np.empty(g.shape)
    for rows, columns in wires.blocks(*g.shape):
        transfer[rows, columns] = _block(np.ascontiguousarray(seen[rows, columns]), wires)
    _hold(transfer, seen, wires)
    return transfer


def _block(cells_s: Array, wires: Wires) -> Array:
    network = build(cells_s.shape, wires)
    rows, columns = cells_s.shape
    if rows > columns:
        return np.ascontiguousarray(_by_rows(network.transposed(), np.ascontiguousarray(cells_s.T)).T)
    return _by_rows(network, cells_s)


def _by_rows(network: Network, cells_s: Array) -> Array:
    """T by elimination of the bitlines, then of the wordline nodes towards each driven end."""
    arriving = cells_s * Pivots.of(network.bitlines, cells_s).share_to_terminals()
    if not network.wordlines.free.any():
        return arriving  # the drivers hold all wordline nodes
    total = np.zeros(cells_s.shape)
    if network.wordlines.first_s[0] > 0:
        total += _from_left(network, cells_s, arriving)
    if network.wordlines.last_s[0] > 0:
        mirrored = _from_left(network.mirrored(), cells_s[:, ::-1].copy(), arriving[:, ::-1].copy())
        total += mirrored[:, ::-1]
    return total


def _from_left(network: Network, cells_s: Array, arriving: Array) -> Array:
    """What the left drivers contribute to T.

    1 V at the sense terminal of bitline j drives the currents ``arriving[:, j]`` into the wordline nodes of column j;
    T[:, j] is what of them reaches the left drivers.
    """
    words, bits = network.wordlines, network.bitlines
    leaks = words.end_s + words.collect(arriving)
    inverse = Pivots.of(bits, cells_s).inverse
    x = end_response(leaks, words.free, words.segment_s, inverse, bits.segment_s, cells_s, arriving)
    if words.free[0, 0]:
        return words.first_s[:, None] * x
    x *= words.segment_s
    x[:, 0] += arriving[:, 0]
    return x


def _hold(transfer: Array, cells_s: Array, wires: Wires) -> None:
    v_in = np.cos(np.arange(transfer.shape[0]))
    apart = np.abs((v_in[:, None] * transfer).sum(axis=0) - solve(cells_s, v_in, wires).sense_a).max()
    scale = (np.abs(v_in)[:, None] * transfer).sum(axis=0).max()
    if not apart <= TOLERANCE * scale:
        raise NumericError(
            f"wires: the transfer matrix is off by {apart / scale:.1e} of the largest sense current; "
            "the resistances or conductances differ by too many orders of magnitude"
        )
