"""A dense nodal solution, written apart from archsim: resistors in a list, nodes by name, one full matrix.

Nodes that resistors of 0 ohm join are merged by name before anything is solved, and terminals are known voltages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import numpy as np

from archsim.numeric.wires import Wires


@dataclass
class Circuit:
    """Resistors between named nodes; capacitors from nodes to ground."""

    resistors: list[tuple[Hashable, Hashable, float]] = field(default_factory=list)
    capacitors: list[tuple[Hashable, float]] = field(default_factory=list)
    parent: dict[Hashable, Hashable] = field(default_factory=dict)

    def name(self, node: Hashable) -> Hashable:
        while self.parent.get(node, node) != node:
            node = self.parent[node]
        return node

    def join(self, a: Hashable, b: Hashable, ohm: float) -> None:
        """A resistor; terminals, ('in', …) and ('out', …), stay the name of what they are merged with."""
        if ohm == 0:
            a, b = self.name(a), self.name(b)
            if isinstance(a, tuple) and a[0] in ("in", "out"):
                a, b = b, a
            self.parent[a] = b
        elif ohm < math.inf:
            self.resistors.append((a, b, 1 / ohm))

    def laplacian(self) -> tuple[np.ndarray, dict[Hashable, int]]:
        index: dict[Hashable, int] = {}
        for a, b, _ in self.resistors:
            for node in (self.name(a), self.name(b)):
                index.setdefault(node, len(index))
        matrix = np.zeros((len(index), len(index)))
        for a, b, s in self.resistors:
            i, j = index[self.name(a)], index[self.name(b)]
            for p, q, sign in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
                matrix[p, q] += sign * s
        return matrix, index


def circuit(g: np.ndarray, wires: Wires) -> Circuit:
    """The array as resistors, one by one; a cell of 0 siemens is none."""
    rows, columns = g.shape
    out = Circuit()
    for i in range(rows):
        out.join(("in", i), ("w", i, 0), wires.left_ohm)
        out.join(("in", i), ("w", i, columns - 1), wires.right_ohm)
        for j in range(columns - 1):
            out.join(("w", i, j), ("w", i, j + 1), wires.wordline_ohm)
    for j in range(columns):
        out.join(("out", j), ("b", 0, j), wires.top_ohm)
        out.join(("out", j), ("b", rows - 1, j), wires.bottom_ohm)
        for i in range(rows - 1):
            out.join(("b", i, j), ("b", i + 1, j), wires.bitline_ohm)
    for i in range(rows):
        for j in range(columns):
            if g[i, j] > 0:
                out.resistors.append((("w", i, j), ("b", i, j), float(g[i, j])))
            out.capacitors += [(("w", i, j), wires.wordline_f), (("b", i, j), wires.bitline_f)]
    return out


def dense(
    g: np.ndarray, v_in: np.ndarray, wires: Wires, v_out: float | np.ndarray = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Voltages of both planes [rows, columns], drive currents [rows] and sense currents [columns]."""
    rows, columns = g.shape
    net = circuit(g, wires)
    matrix, index = net.laplacian()
    known = {("in", i): float(v_in[i]) for i in range(rows)}
    known |= {("out", j): float(np.broadcast_to(v_out, columns)[j]) for j in range(columns)}
    unknown = [node for node in index if node not in known]
    given = [node for node in index if node in known]
    u, k = [index[n] for n in unknown], [index[n] for n in given]
    voltage = dict(known)
    right = -matrix[np.ix_(u, k)] @ np.array([known[n] for n in given])
    voltage |= dict(zip(unknown, np.linalg.solve(matrix[np.ix_(u, u)], right), strict=True))
    v = np.array([voltage[n] for n in index])
    out_of = dict(zip(index, matrix @ v, strict=True))
    plane: Callable[[str], np.ndarray] = lambda p: np.array(  # noqa: E731
        [[voltage.get(net.name((p, i, j)), math.nan) for j in range(columns)] for i in range(rows)]
    )
    drive = np.array([out_of.get(("in", i), 0.0) for i in range(rows)])
    return plane("w"), plane("b"), drive, -np.array([out_of.get(("out", j), 0.0) for j in range(columns)])


def step_response(g: np.ndarray, v_in: np.ndarray, wires: Wires, seconds: np.ndarray) -> np.ndarray:
    """Sense currents [times, columns] after all drivers stepped from 0 to ``v_in`` at 0 s.

    C dV/dt = -A V + b in full, with the eigenvectors of C^(-1/2) A C^(-1/2); every free node has to have a capacitance.
    """
    rows, columns = g.shape
    net = circuit(g, wires)
    matrix, index = net.laplacian()
    known = [("in", i) for i in range(rows)] + [("out", j) for j in range(columns)]
    inputs, outputs = [index[("in", i)] for i in range(rows)], [index[("out", j)] for j in range(columns)]
    free = [k for node, k in index.items() if node not in known]
    farads = np.zeros(len(index))
    for node, farad in net.capacitors:
        if net.name(node) in index:
            farads[index[net.name(node)]] += farad
    root = np.sqrt(farads[free])
    rates, modes = np.linalg.eigh(matrix[np.ix_(free, free)] / np.outer(root, root))
    final = np.linalg.solve(matrix[np.ix_(free, free)], -matrix[np.ix_(free, inputs)] @ v_in)
    voltage = np.zeros((len(seconds), len(index)))
    voltage[:, inputs] = v_in
    voltage[:, free] = final - (np.exp(-np.outer(seconds, rates)) * (modes.T @ (root * final))) @ modes.T / root
    return -voltage @ matrix[outputs].T
