"""Four letters in 4 × 4 black and white pixels, in the manner of Merrikh Bayat et al., Nat. Commun. 9, 2331 (2018).

The paper classifies A, T, V and X from forty patterns, ten stylised versions of each letter, and tests with the 640
patterns that differ from one of these in one pixel.  It shows its forty as a figure only; these are archsim's own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LETTERS", "PIXELS", "drawn", "flipped"]

Pixels = NDArray[np.int64]

PIXELS = 16

_DRAWN = {
    "A": """
        .##. #### .#.. ..#. .##. .##. ###. .### .... ..##
        #..# #..# #.#. .#.# #### .##. #..# #..# .##. .#.#
        #### #### ###. .### #..# #### #### #### #### ####
        #..# #..# #.#. .#.# #..# #..# #..# #..# #..# #..#
    """,
    "T": """
        #### #### ###. .### #### #### #### #### .... ....
        .#.. ..#. .#.. ..#. .##. #### .#.. ..#. #### ####
        .#.. ..#. .#.. ..#. .##. .##. .#.. ..#. .#.. ..#.
        .#.. ..#. .#.. ..#. .##. .##. .... .... .#.. ..#.
    """,
    "V": """
        #..# #..# #.#. .#.# #.#. .#.# #..# #..# .... ....
        #..# #..# #.#. .#.# #.#. .#.# #..# #..# #..# #.#.
        #..# .##. #.#. .#.# .#.. ..#. #.#. .#.# #..# #.#.
        .##. .##. .#.. ..#. .#.. ..#. .#.. ..#. .##. .#..
    """,
    "X": """
        #..# #.#. .#.# .... .... #..# #..# #..# #.#. .#.#
        .##. .#.. ..#. #.#. .#.# #### .##. .##. .#.. ..#.
        .##. #.#. .#.# .#.. ..#. .##. #### #..# .#.. ..#.
        #..# .... .... #.#. .#.# #..# #..# .... #.#. .#.#
    """,
}

LETTERS = "".join(_DRAWN)
"""The classes, in the order of their numbers."""


def drawn() -> tuple[Pixels, NDArray[np.int64]]:
    """The drawn patterns [40, 16], +1 for black and -1 for white, row by row from the top, and their classes [40]."""
    patterns, classes = [], []
    for number, drawing in enumerate(_DRAWN.values()):
        rows = [line.split() for line in drawing.split("\n") if line.strip()]
        for version in zip(*rows, strict=True):
            patterns.append([1 if pixel == "#" else -1 for row in version for pixel in row])
            classes.append(number)
    return np.array(patterns, np.int64), np.array(classes, np.int64)


def flipped() -> tuple[Pixels, NDArray[np.int64]]:
    """Each drawn pattern with each of its pixels flipped in turn: [640, 16], and their classes [640]."""
    patterns, classes = drawn()
    flips = 1 - 2 * np.eye(PIXELS, dtype=np.int64)
    return (patterns[:, None, :] * flips).reshape(-1, PIXELS), np.repeat(classes, PIXELS)
