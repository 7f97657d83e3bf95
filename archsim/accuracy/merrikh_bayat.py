"""The demonstrator of Merrikh Bayat et al., Nat. Commun. 9, 2331 (2018): a perceptron on two passive crossbars.

Every number in :class:`Demonstrator` was read in the text of the paper.  :class:`Crossbars` holds and reads weights in
the numerical core: differential pairs of the library's passive device, a transfer matrix for the lines, currents that
go to the neurons as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from archsim.accuracy.pairs import Pairs, stuck_cells
from archsim.accuracy.training import tanh, with_bias
from archsim.numeric.config import AdcConfig, ArrayConfig, Effect, InputCode, WeightCode
from archsim.numeric.devices import Device, device
from archsim.numeric.matrix import ProgrammedMatrix, program
from archsim.numeric.wires import Wires

__all__ = ["EFFECTS", "Crossbars", "Demonstrator"]

Floats = NDArray[np.float64]

EFFECTS: frozenset[Effect] = frozenset({"programming", "stuck", "wires"})
"""What is not ideal in the demonstrator."""

ANALOG_BITS = 15
"""Of voltages and conductances that the paper sets without steps: 2^-15 of the range."""

_TOP = 2**ANALOG_BITS - 1


@dataclass(frozen=True)
class Demonstrator:
    """The hardware of the paper."""

    sizes: tuple[int, int, int] = (16, 10, 4)
    """Inputs, hidden and output neurons; each layer has one input more for the bias."""
    rows: int = 20
    columns: int = 20
    g_min_s: float = 10e-6
    g_max_s: float = 100e-6
    """Weights are pairs of devices between these, of which one stays at the lower."""
    stuck_share: float | None = None
    """Of the devices; None for the library's.  The paper: 1 to 2.5 %, mostly within the range."""
    read_v: float = 0.2
    """Pixels are +0.2 V and -0.2 V, the bias is +0.2 V, and hidden neurons give at most ±0.2 V."""
    transimpedance_ohm: float = 1e6
    """Hidden neurons give 0.2 V tanh(1e6 (I+ - I-)), I in amperes, output neurons 1e6 (I+ - I-) volts."""
    tolerance: float = 0.30
    """Of the import of weights: a share of the conductance of each device."""
    line_ohm: float = 800.0
    """Of a line from pad to pad; taken as even along its 20 cells, half of a cell's at each end."""
    pulse_s: float = 500e-6
    pulse_v: float = 0.8
    """The smallest amplitude that sets a device."""

    @property
    def gain(self) -> float:
        """The argument of tanh for one input at one full weight: transimpedance × 0.2 V × (g_max - g_min) = 18."""
        return self.transimpedance_ohm * self.read_v * (self.g_max_s - self.g_min_s)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Of the weights of each layer, bias included: (17, 10) and (11, 4)."""
        return tuple((inputs + 1, outputs) for inputs, outputs in pairwise(self.sizes))

    @property
    def cell(self) -> Device:
        """The library's device in the range of the weights; cells that are stuck are so anywhere in it."""
        given = {"g_min_s": self.g_min_s, "g_max_s": self.g_max_s, "pulse_s": self.pulse_s, "pulse_v": self.pulse_v}
        if self.stuck_share is not None:
            given["stuck_within"] = self.stuck_share
        return device("al2o3-tio2-merrikh-bayat", **given)

    def array(self, input_bits: int, effects: frozenset[Effect]) -> ArrayConfig:
        """A crossbar whose inputs are of ``input_bits`` and a sign."""
        each = self.line_ohm / self.columns
        return ArrayConfig(
            rows=self.rows,
            columns=self.columns,
            weights=WeightCode("differential", bits=ANALOG_BITS + 1, cell_bits=ANALOG_BITS),
            inputs=InputCode("sign-magnitude", bits=input_bits + 1, dac_bits=input_bits),
            adc=AdcConfig(bits=None),
            cell=self.cell,
            wires=Wires(wordline_ohm=each, bitline_ohm=each, left_ohm=each / 2, bottom_ohm=each / 2),
            read_voltage_v=self.read_v,
            tolerance=self.tolerance,
            effects=effects,
        )


@dataclass(frozen=True)
class Crossbars:
    """The two arrays of one chip; which devices are stuck and how far off an import is follows from ``key``."""

    hardware: Demonstrator
    key: tuple[int, ...]

    def loaded(self, weights: Sequence[Floats], effects: frozenset[Effect] = EFFECTS) -> list[ProgrammedMatrix]:
        """The arrays with ``weights`` (-1 to 1) of both layers programmed."""
        out = []
        for layer, (w, input_bits) in enumerate(zip(weights, (1, ANALOG_BITS), strict=True)):
            rng = np.random.default_rng([*self.key, layer])
            out.append(program(np.rint(w * _TOP), self.hardware.array(input_bits, effects), rng))
        return out

    def pairs(self, known: bool) -> list[Pairs]:
        """The pairs of both layers; with ``known``, where a test of the empty arrays finds devices stuck."""
        if not known:
            return [Pairs(self.hardware.cell) for _ in self.hardware.shapes]
        empty = self.loaded([np.zeros(shape) for shape in self.hardware.shapes], frozenset({"stuck"}))
        return [Pairs(self.hardware.cell, stuck_cells(matrix)) for matrix in empty]

    def classify(self, arrays: Sequence[ProgrammedMatrix], patterns: NDArray[np.int64]) -> NDArray[np.intp]:
        """The class of each of ``patterns`` [samples, 16] of ±1: the output neuron with the highest voltage."""
        first, second = arrays
        hidden = tanh(self.hardware.gain * first.mvm(with_bias(patterns.astype(np.float64)), 0) / _TOP)
        return np.asarray(second.mvm(np.rint(with_bias(hidden) * _TOP), 0).argmax(1))
