"""Whole-number inputs as wordline values, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from archsim.numeric._convert import AS_IS, NEGATIVE, POSITIVE, SIGNED, drive
from archsim.numeric.config import InputCode

__all__ = ["Dtype", "Steps", "steps_of"]

Integers = NDArray[np.int64]
Floating = NDArray[np.floating]
Dtype = type[np.float32] | type[np.float64]


@dataclass(frozen=True)
class Steps:
    """The input steps of one MVM: what each drives, and what it counts.

    With ``together`` the steps are added in the analog domain, so that there is one step of values up to ``top``.
    ``bias`` is added to every input before it is driven.
    """

    kinds: Integers
    shifts: Integers
    masks: Integers
    counts: Integers
    bias: int
    bipolar: bool
    together: bool

    @property
    def count(self) -> int:
        """Conversions of a column for one MVM."""
        return 1 if self.together else len(self.kinds)

    @cached_property
    def weights(self) -> Integers:
        """What the code of each conversion counts."""
        return np.ones(1, np.int64) if self.together else self.counts

    @property
    def top(self) -> int:
        """The largest value on a wordline."""
        if not self.together:
            return int(self.masks.max())
        reach = self.masks * self.counts
        return int(max(reach[reach > 0].sum(), -reach[reach < 0].sum()))

    def digits(self, x: Integers, dtype: Dtype) -> Floating:
        """What the steps drive for ``x`` [samples, rows] (bias added), in steps of the DAC: [samples × steps, rows]."""
        out: Floating = np.empty((len(x) * len(self.kinds), x.shape[1]), dtype)
        drive(x.astype(np.int32), self.kinds, self.shifts, self.masks, out)
        return out

    def combine(self, values: Floating, counts: Integers) -> Floating:
        """Of values of each step, their sum weighted by ``counts`` where the steps are added before conversion."""
        if not self.together:
            return values
        split = values.reshape(-1, len(counts), values.shape[1])
        out: Floating = np.einsum("btr,t->br", split, counts.astype(values.dtype))
        return out

    def squares(self, digits: Floating, pulses: bool) -> Floating:
        """What multiplies the variance of a cell's read: v² of an amplitude, |v| for a number of pulses."""
        return self.combine(np.abs(digits) if pulses else np.square(digits), self.counts**2)

    def square_top(self, pulses: bool) -> int:
        """The largest of :meth:`squares`."""
        each = self.masks if pulses else self.masks**2
        return int((each * self.counts**2).sum() if self.together else each.max())


def steps_of(code: InputCode, together: bool) -> Steps:
    """The steps of an input code."""
    shifts = [0, *accumulate(code.widths)][: len(code.widths)]
    bits = code.bits - 1 if code.scheme == "twos-complement" else code.bits
    masks = [2 ** min(width, max(bits - s, 0)) - 1 for s, width in zip(shifts, code.widths, strict=True)]
    if code.scheme in ("two-phase", "sign-magnitude"):  # a full top digit takes the magnitude of the lowest number
        masks = [2**width - 1 for width in code.widths]
    counts = [2**s for s in shifts]
    kinds = [{"two-phase": POSITIVE, "sign-magnitude": SIGNED}.get(code.scheme, AS_IS)] * len(shifts)
    if code.scheme == "two-phase":
        kinds += [NEGATIVE] * len(shifts)
        shifts, masks, counts = shifts * 2, masks * 2, counts + [-c for c in counts]
    elif code.scheme == "twos-complement":
        kinds, shifts, masks = [*kinds, AS_IS], [*shifts, code.bits - 1], [*masks, 1]
        counts = [*counts, -(2 ** (code.bits - 1))]
    bias = 2 ** (code.bits - 1) if code.scheme == "offset" else 0
    arrays = [np.array(values, np.int64) for values in (kinds, shifts, masks, counts)]
    bipolar = code.scheme == "sign-magnitude" or (together and code.scheme in ("two-phase", "twos-complement"))
    return Steps(arrays[0], arrays[1], arrays[2], arrays[3], bias, bipolar, together)
