"""LSTM, GRU and plain RNN as ONNX defines them, their matrices multiplied by whatever arithmetic the network has.

All input products of a sequence are one product; the state's are one a step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.errors import WorkloadError

__all__ = ["Cell", "gru", "lstm", "rnn"]

Array = NDArray[Any]
Product = Callable[[Array], Array]
Function = Callable[[Array], Array]


def _sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)), x.dtype)


FUNCTIONS: dict[str, Function] = {
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
}


@dataclass(frozen=True)
class Cell:
    """One direction of a recurrent node: what its functions are, and the keys that change its equations."""

    functions: tuple[Function, ...]
    clip: float | None = None
    input_forget: bool = False
    linear_before_reset: bool = False

    @classmethod
    def of(cls, attributes: dict[str, Any], defaults: tuple[str, ...], direction: int, where: str) -> Cell:
        """The cell that the attributes of a node give; WorkloadError for a function that is not supported."""
        names = list(attributes.get("activations") or ())
        own = names[direction * len(defaults) : (direction + 1) * len(defaults)] or defaults
        found = []
        for name in own:
            if name.lower() not in FUNCTIONS:
                known = ", ".join(sorted(FUNCTIONS))
                raise WorkloadError(f"{where}: the activation {name!r:.60} of a recurrent layer; there are {known}")
            found.append(FUNCTIONS[name.lower()])
        return cls(
            tuple(found),
            attributes.get("clip"),
            bool(attributes.get("input_forget")),
            bool(attributes.get("linear_before_reset")),
        )

    def clipped(self, gates: Array) -> Array:
        """Sums before a function, within ``clip``."""
        return gates if not self.clip else np.clip(gates, -self.clip, self.clip)


def lstm(
    cell: Cell, x: Array, state: Product, bias: Array, peephole: Array, h: Array, c: Array
) -> tuple[Array, Array, Array]:
    """All outputs [T, N, H] and the last h and c of ``x`` [T, N, 4 H], the input's products; gates i, o, f, c."""
    f, g, last = cell.functions
    p_i, p_o, p_f = np.split(peephole, 3)
    out = []
    for given in x:
        i, o, forget, new = np.split(given + state(h) + bias, 4, -1)
        i = f(cell.clipped(i + p_i * c))
        forget = 1 - i if cell.input_forget else f(cell.clipped(forget + p_f * c))
        c = forget * c + i * g(cell.clipped(new))
        h = f(cell.clipped(o + p_o * c)) * last(c)
        out.append(h)
    return np.stack(out), h, c


def gru(
    cell: Cell, x: Array, gates: Product, candidate: Product, bias: tuple[Array, Array], h: Array
) -> tuple[Array, Array]:
    """All outputs [T, N, H] and the last h of ``x`` [T, N, 3 H]; gates z, r, h.

    ``gates`` multiplies the state by the columns of z and r, ``candidate`` by those of h.
    """
    f, g = cell.functions
    out = []
    for given in x:
        size = h.shape[-1]
        both = given[..., : 2 * size] + gates(h) + bias[0][: 2 * size] + bias[1][: 2 * size]
        z, r = np.split(f(cell.clipped(both)), 2, -1)
        own, state = bias[0][2 * size :], bias[1][2 * size :]
        inner = r * (candidate(h) + state) if cell.linear_before_reset else candidate(r * h) + state
        h = (1 - z) * g(cell.clipped(given[..., 2 * size :] + inner + own)) + z * h
        out.append(h)
    return np.stack(out), h


def rnn(cell: Cell, x: Array, state: Product, bias: Array, h: Array) -> tuple[Array, Array]:
    """All outputs [T, N, H] and the last h of ``x`` [T, N, H]."""
    (f,) = cell.functions
    out = []
    for given in x:
        h = f(cell.clipped(given + state(h) + bias))
        out.append(h)
    return np.stack(out), h
