"""A weight matrix programmed into arrays once, and read many times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from archsim import jit
from archsim.errors import NumericError
from archsim.numeric.calibrate import ranges
from archsim.numeric.cells import Cells, program_cells
from archsim.numeric.config import ArrayConfig, Effect
from archsim.numeric.encode import Levels, encode, planes, whole_numbers
from archsim.numeric.reader import Reader
from archsim.numeric.report import Report, active, causes, programming, snr_db, with_effects

__all__ = ["ProgrammedMatrix", "Reading", "program"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def program(weights: ArrayLike, config: ArrayConfig, rng: Generator) -> ProgrammedMatrix:
    """Program whole-number ``weights`` [K, M] into arrays of ``config``.

    All that is random, then and in every read, follows from 63 bits that are drawn from ``rng``.
    """
    if jit.MISSING:
        raise NumericError(f"the numerical core needs Numba, which cannot be imported ({jit.MISSING:.300})")
    code = config.weights
    whole = whole_numbers("weights", weights, code.low, code.high, 2)
    cells = len(planes(code))
    if config.slices == "side-by-side" and cells > config.columns:
        raise NumericError(f"columns: a weight takes {cells} cells side by side, an array has {config.columns} columns")
    seed = int(rng.integers(2**63))
    levels = encode(whole, code, config.rows)
    return ProgrammedMatrix(config, whole, levels, program_cells(levels, config, seed), seed)


@dataclass(frozen=True)
class ProgrammedMatrix:
    """Weights [K, M] in cells.  Made by :func:`program`; ``at`` and ``calibrate`` give others with the same cells."""

    config: ArrayConfig
    weights: Integers
    levels: Levels
    cells: Cells
    seed: int
    time_s: float = 0.0
    temperature_k: float | None = None
    ranges: Mapping[str, tuple[float, float]] | None = None
    """The ranges of calibrated converters by group of columns."""
    reads: list[int] = field(default_factory=lambda: [0])
    """The number of the next read; all matrices of the same cells count together."""

    @property
    def shape(self) -> tuple[int, int]:
        """Inputs and outputs."""
        return self.weights.shape[0], self.weights.shape[1]

    def at(self, time: float | None = None, temperature: float | None = None) -> ProgrammedMatrix:
        """The same cells ``time`` seconds after programming and at ``temperature`` kelvin; what is left out stays."""
        if time is not None and not (np.isfinite(time) and time >= 0):
            raise NumericError(f"time: expected seconds of at least 0, got {time!r}")
        if temperature is not None and not (np.isfinite(temperature) and temperature > 0):
            raise NumericError(f"temperature: expected kelvin above 0, got {temperature!r}")
        cell = self.config.cell
        if time and self.config.has("retention") and cell.retention is None:
            raise NumericError(
                f"time: the source of {cell.name} gives no drift or retention; its cells can be read at once"
            )
        if temperature is not None and self.config.has("temperature") and cell.temperature is None:
            raise NumericError(f"temperature: the source of {cell.name} gives no dependence on temperature")
        return replace(
            self,
            time_s=self.time_s if time is None else float(time),
            temperature_k=self.temperature_k if temperature is None else float(temperature),
        )

    def calibrate(self, batch: ArrayLike) -> ProgrammedMatrix:
        """The same cells with converters whose ranges cover the sums that ``batch`` makes (range ``calibrated``)."""
        x, _ = self._inputs(batch)
        open_range = replace(self.config, effects=self.config.effects - {"adc", "adc_linearity", "adc_noise"})
        return replace(self, ranges=ranges(self.config, self._reader_with(open_range), x))

    def mvm(self, batch: ArrayLike, first: int | None = None) -> Floats:
        """The outputs [B, M] of whole-number inputs [B, K] (or [M] of [K]), in units of the integer product.

        Noise depends on the seed and on the number of the read, not on how reads are cut into batches.  Reads are
        numbered on from the last one, or from ``first``.
        """
        return self.read(batch, first).outputs

    def read(self, batch: ArrayLike, first: int | None = None) -> Reading:
        """As :meth:`mvm`, with what the converters saw."""
        x, single = self._inputs(batch)
        if first is not None and first < 0:
            raise NumericError(f"first: expected at least 0, got {first}")
        if first is None:
            first = self.reads[0]
            self.reads[0] += len(x)
        out, clipped = self._reader.read(x, first)
        return Reading(out[0] if single else out, clipped, len(x) * self._reader.conversions)

    def report(self, batch: ArrayLike) -> Report:
        """SNR, saturation, and the error of each cause alone, for inputs [B, K]; the reads are numbered from 0."""
        x, _ = self._inputs(batch)
        product = (x @ self.weights).astype(np.float64)
        reading = self.read(x, 0)

        def alone(effects: frozenset[Effect]) -> Floats:
            config = with_effects(self.config, effects)
            cells = program_cells(self.levels, config, self.seed)
            return replace(self, config=config, cells=cells).read(x, 0).outputs

        effects = active(self.config, self.time_s, self.temperature_k)
        return Report(
            snr_db=snr_db(product, reading.outputs),
            error_rms=float(np.sqrt(np.square(reading.outputs - product).mean())),
            product_rms=float(np.sqrt(np.square(product).mean())),
            saturation_share=reading.saturation_share,
            clipped=dict(reading.clipped),
            conversions=reading.conversions,
            causes=causes(effects, product, reading.outputs, alone),
            programming=programming(self.cells, self.config.cell),
            grid=tuple(block.matrix.step for block in self._reader.blocks),
        )

    def operands(self, batch: ArrayLike) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """For each block of rows, the wordline values [B × steps, rows] and the cells [rows, columns] whose product the
        read of ``batch`` comes down to, in float32: to compare its speed with that of the plain product."""
        x, _ = self._inputs(batch)
        return [(a.astype(np.float32), b.astype(np.float32)) for a, b in self._reader.operands(x)]

    def _inputs(self, batch: ArrayLike) -> tuple[Integers, bool]:
        """The inputs as [B, K], and whether there was only one."""
        single, code = np.ndim(batch) == 1, self.config.inputs
        x = whole_numbers("inputs", np.atleast_2d(batch) if single else batch, code.low, code.high, 2)
        if x.shape[1] != self.shape[0]:
            raise NumericError(f"inputs: the matrix has {self.shape[0]} rows, got inputs of {x.shape[1]} values")
        return x, single

    @cached_property
    def _reader(self) -> Reader:
        return self._reader_with(self.config)

    def _reader_with(self, config: ArrayConfig) -> Reader:
        state = self.cells.state(config, self.time_s, self.temperature_k, self.seed)
        return Reader.of(config, self.weights, self.levels, state, self.ranges, self.seed)


@dataclass(frozen=True)
class Reading:
    """``outputs`` of a batch; conversions out of range by group of columns; conversions of all groups."""

    outputs: Floats
    clipped: Mapping[str, int]
    conversions: int

    @property
    def saturation_share(self) -> float:
        """The share of conversions that were out of range."""
        return sum(self.clipped.values()) / self.conversions if self.conversions else 0.0
