"""Element-wise functions: how many operations of which functional unit one value takes.

A function of one value that is neither arithmetic nor a comparison is one look-up in a table (``lookup``), except for
those that tiles have units of their own for (sigmoid, tanh, exp, log, sqrt).  gelu counts as one look-up on the unit
of the hyperbolic tangent, by which it is approximated (Hendrycks and Gimpel, arXiv:1606.08415).
"""

from __future__ import annotations

from typing import Literal

__all__ = ["FUNCTIONS", "LOOKUPS", "Activation", "Function", "Operator"]

Operator = Literal[
    "add",
    "multiply",
    "divide",
    "mac",
    "max",
    "relu",
    "sigmoid",
    "tanh",
    "exp",
    "log",
    "sqrt",
    "lookup",
]
"""What functional units do with one element.  ``add`` stands for subtraction too, ``max`` for every comparison,
``mac`` is one product and its addition, of two activations."""

LOOKUPS: frozenset[str] = frozenset(("sigmoid", "tanh", "exp", "log", "lookup"))
"""The operators that evaluate a function."""

Function = Literal[
    "relu",
    "relu6",
    "sigmoid",
    "tanh",
    "gelu",
    "softmax",
    "leaky_relu",
    "clip",
    "silu",
    "hard_sigmoid",
    "hard_swish",
    "elu",
    "softplus",
    "mish",
    "exp",
    "log",
    "sqrt",
    "reciprocal",
    "square",
    "abs",
    "negate",
    "erf",
    "lookup",
]
Activation = Literal[
    "none",
    "relu",
    "relu6",
    "sigmoid",
    "tanh",
    "gelu",
    "softmax",
    "leaky_relu",
    "clip",
    "silu",
    "hard_sigmoid",
    "hard_swish",
    "elu",
    "softplus",
    "mish",
    "exp",
    "log",
    "sqrt",
    "reciprocal",
    "square",
    "abs",
    "negate",
    "erf",
    "lookup",
]

FUNCTIONS: dict[str, dict[Operator, int]] = {
    "none": {},
    "relu": {"relu": 1},
    "relu6": {"relu": 1},
    "sigmoid": {"sigmoid": 1},
    "tanh": {"tanh": 1},
    "gelu": {"tanh": 1},
    "leaky_relu": {"multiply": 1, "max": 1},
    "clip": {"max": 2},
    "silu": {"sigmoid": 1, "multiply": 1},
    "hard_sigmoid": {"multiply": 1, "add": 1, "max": 2},
    "hard_swish": {"multiply": 2, "add": 1, "max": 2},
    "elu": {"exp": 1, "multiply": 1, "add": 1, "max": 1},
    "softplus": {"exp": 1, "add": 1, "log": 1},
    "mish": {"exp": 1, "add": 1, "log": 1, "tanh": 1, "multiply": 1},
    "exp": {"exp": 1},
    "log": {"log": 1},
    "sqrt": {"sqrt": 1},
    "reciprocal": {"divide": 1},
    "square": {"multiply": 1},
    "abs": {"max": 1},
    "negate": {"add": 1},
    "erf": {"tanh": 1},
    "lookup": {"lookup": 1},
}
"""Operations of each function but softmax, which is no function of one value: over n of them it takes n exp, n - 1
additions and n divisions."""
