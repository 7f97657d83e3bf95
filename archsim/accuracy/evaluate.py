"""One network on one data set by one arithmetic: the unit of work of ``archsim accuracy``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from archsim.accuracy.analog import NOW, Analog, Moment
from archsim.accuracy.data import DataSet, load_data
from archsim.accuracy.layers import InFloat, Recorder
from archsim.accuracy.network import Input, Network, load_network
from archsim.accuracy.quantised import Quantised, quantised_layers
from archsim.compile.slicing import slot_shape
from archsim.errors import ArchsimError, WorkloadError
from archsim.hardware.array import array_config
from archsim.numeric.config import EFFECTS, ArrayConfig, Effect
from archsim.spec.loader import document_kind, load_chip, load_tile
from archsim.spec.tile import Tile

__all__ = ["Evaluation", "Job", "LayerResult", "evaluate", "quantisation", "tile_of"]

Array = NDArray[Any]
ArithmeticName = Literal["float", "digital", "analog"]

BATCH = 32
"""Samples that run together; what is computed does not depend on it."""


@dataclass(frozen=True)
class Job:
    """What to run: the model's file, data by name, a chip or tile with overrides.

    ``without`` are effects that are switched off; ``calibrated`` gives the ADCs a calibrated range,
    whatever the tile has.  ``carry`` feeds outputs back into inputs, sample after sample, as (input, output) pairs;
    ``constants`` are inputs that stay.  ``by_column``: the weights of each output have a scale of their own.
    """

    model: str
    data: str
    chip: str
    overrides: tuple[str, ...] = ()
    arithmetic: ArithmeticName = "analog"
    seed: int = 0
    images: int | None = None
    samples: int = 64
    moment: Moment = NOW
    without: frozenset[Effect] = frozenset()
    calibrated: bool = False
    by_column: bool = True
    carry: tuple[tuple[str, str], ...] = ()
    constants: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class LayerResult:
    """A layer of weights: its size, its ranges, and how close its arrays come to the product of whole numbers."""

    name: str
    operator: str
    groups: int
    rows: int
    columns: int
    scale: dict[str, Any] | None = None
    ranges: dict[str, tuple[float, float]] | None = None
    snr_db: float | None = None
    exact: bool = False
    saturation: float = 0.0
    conversions: int = 0


@dataclass(frozen=True)
class Evaluation:
    """``outputs`` [N, …] of the model's first output; its layers; what programming took."""

    outputs: Array
    layers: tuple[LayerResult, ...]
    programming: dict[str, Any] | None = None


def tile_of(name: str, overrides: tuple[str, ...] = ()) -> Tile:
    """The tile called ``name``, or that of the chip of that name; overrides name the tile's keys as a chip has them."""
    kind = document_kind(name)
    if kind == "workload":
        raise ArchsimError(f"{name!r:.100} is a workload; accuracy needs a chip or a tile")
    if kind == "chip":
        return load_chip(name, overrides).model.tile
    return load_tile(name, [text.removeprefix("tile.") for text in overrides]).model


def quantisation(config: ArrayConfig) -> tuple[Any, ...]:
    """What of a configuration the digital run depends on."""
    return config.weights.low, config.weights.high, config.inputs.low, config.inputs.high, config.inputs.scheme


def evaluate(job: Job, report: Callable[[int, int], None] = lambda done, of: None) -> Evaluation:
    """Run ``job``; ``report`` is told how many samples are done, and of how many.

    ArchsimError says what does not fit: the data to the model, the network to the arrays.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):  # sums of floats hang on how many threads share them
        return _evaluated(job, report)


def _evaluated(job: Job, report: Callable[[int, int], None]) -> Evaluation:
    data, network = _data(job.data).first(job.images), _network(job.model)
    feeder = _Feeder(network, data, dict(job.carry), dict(job.constants))
    if job.arithmetic == "float":
        network.arithmetic = InFloat()
        outputs = feeder.outputs(report)
        return Evaluation(outputs, tuple(_described(network)))
    tile = tile_of(job.chip, job.overrides)
    config = _changed(array_config(tile), job)
    record = Recorder()
    network.arithmetic = record
    feeder.calibrate(job.samples)
    layers = quantised_layers(network.layers, record, config, job.by_column)
    if not layers:
        raise WorkloadError(f"{network.where}: no operator has constant weights, so nothing would run on arrays")
    if job.arithmetic == "digital":
        network.arithmetic = Quantised(layers)
        return Evaluation(feeder.outputs(report), tuple(_described(network)))
    analog = Analog.programmed(config, slot_shape(tile), layers, job.seed, job.moment)
    network.arithmetic = analog
    outputs = feeder.outputs(report)
    ranges = analog.ranges()
    found: list[LayerResult] = []
    for plain in _described(network):
        index = len(found)
        seen = analog.fidelity.get(index)
        found.append(
            replace(
                plain,
                scale=layers[index].scale.to_json(),
                ranges=ranges.get(index),
                snr_db=None if seen is None else seen.snr_db,
                exact=seen is not None and seen.error == 0,
                saturation=0.0 if seen is None else seen.saturation,
                conversions=0 if seen is None else seen.conversions,
            )
        )
    return Evaluation(outputs, tuple(found), analog.programming())


def _described(network: Network) -> Iterator[LayerResult]:
    for layer in network.layers:
        groups, rows, columns = layer.weights.shape
        yield LayerResult(layer.name, layer.operator, groups, rows, columns)


def _changed(config: ArrayConfig, job: Job) -> ArrayConfig:
    """The arrays of the tile as the job wants them; NumericError where 1-bit converters could not be calibrated."""
    effects = (config.effects & EFFECTS) - job.without
    if job.calibrated:
        config = replace(config, adc=replace(config.adc, range="calibrated", full_scale=None))
    return replace(config, effects=effects)


@lru_cache(maxsize=2)
def _data(name: str) -> DataSet:
    return load_data(name)


@lru_cache(maxsize=2)
def _network(path: str) -> Network:
    return load_network(Path(path))


@dataclass
class _Feeder:
    """Gives a network its samples: in batches where the model takes them, else one by one."""

    network: Network
    data: DataSet
    carry: Mapping[str, str]
    constants: Mapping[str, float]

    def __post_init__(self) -> None:
        for name, output in self.carry.items():
            self._known(name, [entry.name for entry in self.network.inputs], "--carry", "input")
            self._known(output, self.network.outputs, "--carry", "output")
        for name in self.constants:
            self._known(name, [entry.name for entry in self.network.inputs], "--bind", "input")
        self.inputs = self._matched(self.data.inputs)

    def _known(self, name: str, there: Any, option: str, what: str) -> None:
        if name not in there:
            listed = ", ".join(there)
            raise WorkloadError(f"{option}: the model has no {what} {name!r:.100}; it has {listed:.300}")

    def _matched(self, given: Mapping[str, Array]) -> dict[str, tuple[Input, Array]]:
        """The values of each input of the model, of its type, [N, …]."""
        wanted = [i for i in self.network.inputs if i.name not in self.carry and i.name not in self.constants]
        values = dict(given)
        if "" in values and len(wanted) == 1:
            values[wanted[0].name] = values.pop("")
        names = [entry.name for entry in wanted]
        if set(values) != set(names):
            got = ", ".join(name or "one array" for name in given)
            raise WorkloadError(f"{self.network.where}: the model's inputs are {', '.join(names)}; the data has {got}")
        return {entry.name: (entry, self._shaped(entry, values[entry.name])) for entry in wanted}

    def _shaped(self, entry: Input, values: Array) -> Array:
        rank, shape = len(entry.shape), values.shape

        def fits(sizes: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
            return len(sizes) == len(wanted) and all(w in (None, s) for s, w in zip(sizes, wanted, strict=True))

        values = values.astype(entry.dtype, copy=False)
        if rank and fits(shape[1:], entry.shape[1:]):
            return values
        if fits(shape[1:], entry.shape):  # each sample is a whole input
            return values
        free = [size for size in entry.shape[1:] if size is None]
        fixed = math.prod(size for size in entry.shape[1:] if size is not None)
        each = math.prod(shape[1:])
        if rank and len(free) <= 1 and (each == fixed if not free else each % max(fixed, 1) == 0):
            return values.reshape(len(values), *(-1 if size is None else size for size in entry.shape[1:]))
        message = f"the input {entry.name!r:.100} is {_sizes(entry.shape)}, a sample of the data {_sizes(shape[1:])}"
        raise WorkloadError(f"{self.network.where}: {message}")

    def _whole(self) -> bool:
        """Whether each sample is a whole input, without an axis for the batch."""
        return any(values.ndim > len(entry.shape) for entry, values in self.inputs.values())

    def feeds(self, inputs: Mapping[str, Array], at: slice) -> dict[str, Array]:
        """The model's inputs for some samples."""
        whole = self._whole()
        out = {name: values[at.start] if whole else values[at] for name, values in inputs.items()}
        for entry in self.network.inputs:
            if entry.name in self.constants:
                shape = tuple(size or 1 for size in entry.shape)
                out[entry.name] = np.full(shape, self.constants[entry.name], entry.dtype)
        return out

    def calibrate(self, count: int) -> None:
        """Run ``count`` samples that are not tested on, if there are such, else the first of the data."""
        given = {name: values for name, (_, values) in self.inputs.items()}
        if self.data.calibration is not None:
            given = {name: values for name, (_, values) in self._matched(self.data.calibration).items()}
        self._run({name: values[:count] for name, values in given.items()}, lambda done, of: None)

    def outputs(self, report: Callable[[int, int], None]) -> Array:
        """The model's first output for all samples, [N, …]."""
        return self._run({name: values for name, (_, values) in self.inputs.items()}, report)

    def _run(self, inputs: Mapping[str, Array], report: Callable[[int, int], None]) -> Array:
        total = len(next(iter(inputs.values())))
        step = 1 if self.carry or self._whole() or not self._batched(inputs) else BATCH
        state: dict[str, Array] = {}
        for entry in self.network.inputs:
            if entry.name in self.carry:
                state[entry.name] = np.zeros(tuple(size or 1 for size in entry.shape), entry.dtype)
        found = []
        for at in range(0, total, step):
            part = slice(at, min(at + step, total))
            samples = part.stop - part.start
            made = self.network.run({**self.feeds(inputs, part), **state}, at, samples)
            for name, output in self.carry.items():
                state[name] = made[self.network.outputs.index(output)]
            first = made[0]
            found.append(first if first.ndim and len(first) == samples else first[None])
            report(part.stop, total)
        try:
            return np.concatenate(found)
        except ValueError:
            raise WorkloadError(f"{self.network.where}: the output has another shape for each sample") from None

    def _batched(self, inputs: Mapping[str, Array]) -> bool:
        """Whether two samples together give what they give one by one."""
        if len(next(iter(inputs.values()))) < 2 or any(not entry.shape for entry, _ in self.inputs.values()):
            return False
        own, self.network.arithmetic = self.network.arithmetic, InFloat()
        try:
            one = [self.network.run(self.feeds(inputs, slice(k, k + 1)))[0] for k in range(2)]
            both = self.network.run(self.feeds(inputs, slice(0, 2)), 0, 2)[0]
        except WorkloadError:
            return False
        finally:
            self.network.arithmetic = own
        alone = [value if value.ndim else value[None] for value in one]
        same = both.shape == (2, *alone[0].shape[1:]) and all(len(value) == 1 for value in alone)
        return bool(same and np.allclose(both, np.concatenate(alone), rtol=1e-3, atol=1e-4 * np.abs(both).max()))


def _sizes(shape: tuple[int | None, ...]) -> str:
    return " × ".join("?" if size is None else str(size) for size in shape) or "a single number"
