"""Reading a programmed matrix: a batch as few large matrix products, converted while the sums are in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.errors import NumericError
from archsim.numeric._convert import accumulate, convert, convert_by_edges
from archsim.numeric._random import add_noise
from archsim.numeric.cells import EDGES, State, generator
from archsim.numeric.config import ArrayConfig
from archsim.numeric.drive import Steps, steps_of
from archsim.numeric.encode import Levels, planes
from archsim.numeric.operator import DRIVE_BITS, Block, blocks_of, leakage_of, read_levels
from archsim.numeric.quantise import Curve, bent, bow, curve_of, edges_of
from archsim.numeric.sums import UNIT, Group, groups_of

__all__ = ["Reader"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Floating = NDArray[np.floating]
Sink = Callable[[str, Floating], None]

ROWS_AT_ONCE = 1024
"""Rows of one matrix product: samples × steps."""

DRIVE_GROUP = 0xFFFF
"""The group number of the drivers' noise, in the counter of the generator."""

NO_VARIANCE = np.zeros((0, 0), np.float32)

PANEL = 1 << 21
"""Sums of one matrix product, at the most (one group of columns is not cut)."""


class Conversion(NamedTuple):
    """A group of columns and its converter: whether it makes codes (or only bends and adds noise, to see that alone);
    ``edges`` where codes do not begin at whole numbers; ``noise`` in units."""

    group: Group
    columns: slice
    curve: Curve | None
    coded: bool
    edges: Floats | None
    noise: float


@dataclass(frozen=True)
class Reader:
    """All that a read needs, made once.  ``coef`` [row block][group]: what the code of each column counts;
    ``constant`` [row block, M]: what Σx of the block counts."""

    config: ArrayConfig
    steps: Steps
    blocks: tuple[Block, ...]
    conversions_of: tuple[Conversion, ...]
    coef: tuple[tuple[Floats, ...], ...]
    constant: Floats
    offset: Floats
    key: tuple[np.uint32, np.uint32]

    @classmethod
    def of(
        cls,
        config: ArrayConfig,
        weights: Integers,
        levels: Levels,
        state: State,
        ranges: Mapping[str, tuple[float, float]] | None,
        seed: int,
    ) -> Reader:
        """The reader of cells in a state."""
        steps = steps_of(config.inputs, "steps" in config.accumulate)
        leakage = leakage_of(config)
        groups = groups_of(config, steps, leakage)
        blocks = blocks_of(config, groups, steps, state.g_s, state.extra_s, state.sigma_s)
        coef, constant = _digital(config, groups, levels, leakage)
        offset = -float(steps.bias) * weights.sum(0).astype(np.float64)
        conversions = _conversions(config, groups, weights.shape[1], ranges, seed)
        key = np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32)
        return cls(config, steps, blocks, conversions, coef, constant, offset, key)

    @property
    def conversions(self) -> int:
        """Conversions of one MVM."""
        columns = self.conversions_of[-1].columns.stop
        return int(columns * self.steps.count * len(self.blocks)) if self.conversions_of[0].coded else 0

    def operands(self, x: Integers) -> Iterator[tuple[Floating, Floating]]:
        """The left and the right matrix of each block of rows."""
        for number, block in enumerate(self.blocks):
            own = np.ascontiguousarray(x[:, block.rows] + self.steps.bias)
            digits = self.steps.digits(own, block.matrix.dtype)
            yield self.steps.combine(self._driven(digits, 0, number), self.steps.counts), block.matrix.values

    def read(self, x: Integers, first: int, seen: Sink | None = None) -> tuple[Floats, dict[str, int]]:
        """Outputs [B, M] of ``x`` [B, K] and how many conversions were out of range in each group.

        ``seen`` is given the sums of every group before they are converted.
        """
        out = np.empty((len(x), len(self.offset)))
        clipped = dict.fromkeys((c.group.name for c in self.conversions_of), 0)
        samples = max(1, ROWS_AT_ONCE // len(self.steps.kinds))
        for at in range(0, len(x), samples):
            part = slice(at, min(at + samples, len(x)))
            out[part] = self.offset
            for number in range(len(self.blocks)):
                self._block(x[part] + self.steps.bias, first + at, number, out[part], clipped, seen)
        return out, clipped

    def _block(
        self, x: Integers, first: int, number: int, out: Floats, clipped: dict[str, int], seen: Sink | None
    ) -> None:
        """Add what one block of rows gives to ``out``."""
        block = self.blocks[number]
        own = np.ascontiguousarray(x[:, block.rows])
        digits = self.steps.digits(own, block.matrix.dtype)
        values = self.steps.combine(self._driven(digits, first, number), self.steps.counts)
        inputs = own.sum(1).astype(np.float64)
        for panel in self._panels(len(values)):
            columns = slice(
                self.conversions_of[panel.start].columns.start, self.conversions_of[panel.stop - 1].columns.stop
            )
            sums = values @ block.matrix.values[:, columns]
            spread = self._spread(block, digits, columns)
            for index in panel:
                conversion = self.conversions_of[index]
                start, width = conversion.columns.start - columns.start, len(self.coef[number][index])
                self._noise(conversion, sums, start, spread, (first, number, index))
                if seen is not None:
                    seen(conversion.group.name, sums[:, start : start + width])
                is_unit = conversion.group.name == UNIT
                target = np.zeros((len(out), 1)) if is_unit else out
                clipped[conversion.group.name] += self._convert(
                    conversion, sums, start, self.coef[number][index], target
                )
                if is_unit:
                    inputs = target[:, 0]
        out += inputs[:, None] * self.constant[number]

    def _panels(self, rows: int) -> Iterator[range]:
        """Groups that are multiplied in one go: as many as keep the sums in the cache."""
        start, last = 0, len(self.conversions_of)
        for index, conversion in enumerate(self.conversions_of):
            done = conversion.columns.stop - self.conversions_of[start].columns.start
            following = self.conversions_of[index + 1].columns if index + 1 < last else None
            if following is None or rows * (done + following.stop - following.start) > PANEL:
                yield range(start, index + 1)
                start = index + 1

    def _driven(self, digits: Floating, first: int, number: int) -> Floating:
        """Digits as the drivers make them; side by side for each read level, where cells are not linear."""
        values, dac = digits, self.config.dac
        if self.config.has("dac") and dac.inl != 0:
            top = float(2**self.config.inputs.dac_bits - 1)
            values = np.sign(digits) * (np.abs(digits) + bow(np.abs(digits) / top, dac.inl))
        if self.config.has("dac") and dac.noise > 0:
            values = np.array(values)
            own, place = np.float32(dac.noise**2), (first, number, DRIVE_GROUP)
            add_noise(values, 0, values.shape[1], NO_VARIANCE, own, len(self.steps.kinds), place, self.key)
        if values is not digits:
            values = np.ldexp(np.rint(np.ldexp(values, DRIVE_BITS)), -DRIVE_BITS)
        levels = read_levels(self.config)
        if len(levels) == 1:
            return values
        sizes = np.abs(digits)
        return np.concatenate([np.where(np.maximum(sizes, 1) == level, values, 0) for level in levels], axis=1)

    def _spread(self, block: Block, digits: Floating, columns: slice) -> Floating | None:
        """The variance of each sum that comes from reading the cells."""
        if block.variance is None:
            return None
        squares = self.steps.squares(
            digits.astype(block.variance.dtype, copy=False), self.config.inputs.drive == "pulse-width"
        )
        return squares @ block.variance.values[:, columns]

    def _noise(
        self, conversion: Conversion, sums: Floating, start: int, spread: Floating | None, place: tuple[int, int, int]
    ) -> None:
        if spread is None and conversion.noise == 0.0:
            return
        width = conversion.columns.stop - conversion.columns.start
        variance = spread if spread is not None else NO_VARIANCE
        add_noise(sums, start, width, variance, np.float32(conversion.noise**2), self.steps.count, place, self.key)

    def _convert(self, conversion: Conversion, sums: Floating, start: int, coef: Floats, target: Floats) -> int:
        """Convert a group of columns and add what its codes count to ``target``; how many were out of range."""
        curve, counts = conversion.curve, self.steps.weights
        if curve is None or not conversion.coded:
            if curve is not None and conversion.edges is not None:
                sums = bent(sums[:, start : start + len(coef)], curve, conversion.edges)
                start = 0
            accumulate(sums, start, counts, coef, target)
            return 0
        parameters = np.array([1.0 / curve.step, curve.shift, curve.top], sums.dtype)
        if curve.top * int(np.abs(counts).sum()) < 2**31:
            counts = counts.astype(np.int32)
        if conversion.edges is not None:
            return convert_by_edges(
                sums, start, counts, parameters, conversion.edges, curve.low, curve.step, coef, target
            )
        return convert(sums, start, counts, parameters, curve.low, curve.step, coef, target)


def _digital(
    config: ArrayConfig, groups: tuple[Group, ...], levels: Levels, leakage: float
) -> tuple[tuple[tuple[Floats, ...], ...], Floats]:
    """What codes and Σx count, by row block: bias, flipped columns, and the nominal current of the off-state."""
    cells = planes(config.weights)
    outputs = levels.cells.shape[2]
    constant = np.full((len(levels.flipped), outputs), -float(levels.bias))
    coef = []
    for block, flipped in enumerate(levels.flipped):
        row = []
        for group in groups:
            if group.name == UNIT:
                row.append(np.array([1.0 / (1.0 + leakage * cells[0].top)]))
                continue
            turned = flipped[group.planes[0]]  # only single planes are flipped
            row.append(np.where(turned, -float(group.counts), float(group.counts)))
            constant[block] += turned * float(group.counts * cells[group.planes[0]].top)
            leak = leakage * sum(w * cells[k].top for w, k in zip(group.weights, group.planes, strict=True))
            constant[block] -= row[-1] * leak
        coef.append(tuple(row))
    return tuple(coef), constant


def _conversions(
    config: ArrayConfig,
    groups: tuple[Group, ...],
    outputs: int,
    ranges: Mapping[str, tuple[float, float]] | None,
    seed: int,
) -> tuple[Conversion, ...]:
    adc, out, at = config.adc, [], 0
    for group in groups:
        columns = slice(at, at + (1 if group.name == UNIT else outputs))
        at = columns.stop
        imperfect = config.has("adc_linearity") or config.has("adc_noise")
        if adc.bits is None or not (config.has("adc") or imperfect):
            out.append(Conversion(group, columns, None, False, None, 0.0))
            continue
        curve = curve_of(adc, *_range(config, group, ranges), fixed=adc.range != "worst-case")
        curved = config.has("adc_linearity") and (adc.inl != 0 or adc.dnl > 0)
        edges = edges_of(adc, curve, generator(seed, EDGES)) if curved else None
        noise = adc.noise * curve.step if config.has("adc_noise") else 0.0
        out.append(Conversion(group, columns, curve, config.has("adc"), edges, noise))
    return tuple(out)


def _range(config: ArrayConfig, group: Group, ranges: Mapping[str, tuple[float, float]] | None) -> tuple[float, float]:
    """The range of the converters of a group, in units."""
    adc = config.adc
    assert adc.bits is not None
    if adc.range == "worst-case":
        return group.low, group.high
    if adc.range == "fixed":
        codes = 2**adc.bits
        full = adc.full_scale or float(codes - 1 if group.low >= 0 else max(codes // 2 - 1, 1))
        return (0.0 if group.low >= 0 else -full), full
    if ranges is None:
        raise NumericError("adc.range: 'calibrated' needs data: call calibrate(batch) first")
    return ranges[group.name]
