"""Connect: which pixels and channels go from which source to which sinks, and what that makes of each end.

A **source** is a stage that puts out a range of channels of a range of pixels in raster order, some a firing.  A
**sink** is a stage that reads channels of a set of pixels.  Pixels of one source that the same sinks read, with the
same channels, travel together as one multicast: a :class:`Bundle`.

Pixels are sorted into bundles by one pass over the image: each reader (sinks that read alike) has a random key, and
the sum of the keys of those who read a pixel tells who they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.compile.deal import Shares
from archsim.compile.reads import Intervals, Reads
from archsim.compile.regions import Cells
from archsim.compile.streaming import Streamed
from archsim.program import Sequence

__all__ = ["MOST_BUNDLES", "Bundle", "Reading", "Sequences", "Sink", "Source", "bundles", "likeness"]

MOST_BUNDLES = 6
"""The bundles that one source always keeps apart."""

FEW_PIXELS = 4
"""The pixels a bundle, on average, below which more bundles than that are made one.

Where strips are narrower than a column, nearly every pixel has readers of its own; then all go to all of these in one
multicast, and a reader drops what it does not need.  Flows so stay few.
"""

Ints = NDArray[np.int64]
Channels = tuple[int, int]
_Key = tuple[Channels, int, bool]
"""What sinks must have in common to share a bundle: channels, initial pixels, and whether they keep these."""


@dataclass(frozen=True, slots=True)
class Source:
    """``stage`` on ``tile`` puts out channels [lo, hi) of ``pixels``, ``each`` of them a firing, ``firings`` an image.

    ``share`` is the part of the width, 0 to 1, that the pixels were dealt by.
    """

    stage: int
    tile: int
    channels: Channels
    pixels: Intervals
    share: Shares
    each: int
    firings: int
    at_end: bool = False
    """All pixels are put out by the last firing of an image."""
    streamed: Streamed | None = None
    """A pool that streams puts out a pixel when its window is complete."""

    def firing_of_pixels(self) -> Ints:
        """The firing that puts out each pixel, in raster order."""
        if self.streamed is not None:
            return self.streamed.done
        if self.at_end:
            return np.full(self.pixels.size, self.firings - 1, np.int64)
        return np.arange(self.pixels.size, dtype=np.int64) // self.each


@dataclass(frozen=True, slots=True)
class Sink:
    """``stage`` on ``tile`` reads channels [lo, hi) of what ``reads`` says, ``initial`` pixels lying ready before.

    If it ``keeps`` them, it always holds so many of the pixels before the newest ones, as a cache does.
    """

    stage: int
    tile: int
    channels: Channels
    reads: Reads
    initial: int = 0
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A sink of a bundle, by its place among all sinks, and the running totals of tokens that it needs and frees."""

    sink: int
    need: Sequence
    free: Sequence


@dataclass(slots=True)
class Bundle:
    """What one source, given by its place among all sources, sends to the same sinks: ``channels`` values a token,
    ``initial`` tokens lying ready."""

    source: int
    channels: int
    initial: int
    emit: Sequence
    readings: list[Reading] = field(default_factory=list)


class Sequences:
    """Makes equal sequences one object, so that they are stored, compared and checked once."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, int], Sequence] = {}
        self.values = 0
        """The integers in all sequences together."""

    def of(self, values: Ints, increment: int = 0) -> Sequence:
        """The sequence of these values."""
        key = values.tobytes(), increment
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Sequence(tuple(values.tolist()), increment)
            self.values += len(values)
        return found


def likeness(sources: Seq[Source], sinks: Seq[Sink], pixels: int, cells: Cells | None = None) -> Hashable:
    """All that bundles hang on: equal for sources and sinks that differ in their stages and tiles alone."""
    return (
        tuple([(s.channels, s.pixels, s.each, s.firings, s.at_end, s.streamed) for s in sources]),
        tuple([(s.channels, s.reads, s.initial, s.keeps) for s in sinks]),
        pixels,
        cells,
    )


def bundles(
    sources: Seq[Source], sinks: Seq[Sink], pixels: int, sequences: Sequences, cells: Cells | None = None
) -> Iterator[Bundle]:
    """All that ``sources`` send to ``sinks``, over an image of ``pixels`` pixels.

    Where a source has too many bundles, those of each of ``cells`` are made one, by default all of them.
    """
    by_channels: dict[Channels, list[int]] = defaultdict(list)
    for number, source in enumerate(sources):
        by_channels[source.channels].append(number)
    readers: dict[_Key, dict[Reads, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, sink in enumerate(sinks):
        readers[sink.channels, sink.initial, sink.keeps][sink.reads].append(number)
    signs: dict[tuple[_Key, ...], Ints] = {}
    for (low, high), senders in by_channels.items():
        overlaps: dict[tuple[int, int, int, bool], list[_Key]] = defaultdict(list)
        for key in readers:
            (start, end), initial, keeps = key
            if start < high and end > low:
                overlaps[max(start, low), min(end, high), initial, keeps].append(key)
        for (first, last, initial, keeps), keys in overlaps.items():
            alike = [_Alike(reads, members, initial, keeps) for key in keys for reads, members in readers[key].items()]
            if tuple(keys) not in signs:
                signs[tuple(keys)] = _signs([each.reads.pixels for each in alike], pixels)
            sending = {number: sources[number] for number in senders}
            yield from _between(sending, alike, signs[tuple(keys)], last - first, sequences, cells)


class _Alike(NamedTuple):
    """Sinks that read alike, by their places among all sinks."""

    reads: Reads
    sinks: list[int]
    initial: int
    keeps: bool


def _signs(read: list[Intervals], pixels: int) -> Ints:
    """A number for each pixel that tells which of the sets it is in: the sum of their keys, modulo 2^64.

    With random keys, two different choices of sets have equal sums with a probability of 2^-64.
    """
    keys = np.random.default_rng(0).integers(1, 2**63, len(read), np.int64)
    change = np.zeros(pixels + 1, np.int64)
    for key, intervals in zip(keys, read, strict=True):
        change[intervals.low] += key
        change[intervals.high] -= key
    return np.cumsum(change[:-1])


def _between(
    senders: Mapping[int, Source],
    readers: list[_Alike],
    signs: Ints,
    channels: int,
    sequences: Sequences,
    cells: Cells | None,
) -> Iterator[Bundle]:
    """The bundles between sources of the same channels and readers of the same channels."""
    owner = np.full(len(signs), -1, np.int64)
    for number, source in enumerate(senders.values()):
        owner[source.pixels.numbers] = number
    bundle, mixed = _merged(_numbered(owner, signs), owner, signs, cells)
    made: list[Bundle] = []
    for number, source in senders.items():
        for emit in _emitted(source, bundle[source.pixels.numbers], len(made), sequences):
            made.append(Bundle(number, channels, readers[0].initial, emit))
    for alike in readers:
        _read(alike, bundle, mixed, made, sequences)
    yield from made


def _merged(bundle: Ints, owner: Ints, signs: Ints, cells: Cells | None) -> tuple[Ints, dict[int, Ints]]:
    """Bundles numbered anew, with all bundles of a source (in each of ``cells``) made one where it has more than
    MOST_BUNDLES of fewer than FEW_PIXELS each; and the pixels of those, which some of their readers drop."""
    used = np.flatnonzero(bundle >= 0)
    if not len(used):
        return bundle, {}
    owner_of = np.zeros(int(bundle.max()) + 1, np.int64)
    owner_of[bundle[used]] = owner[used]
    kept = np.bincount(owner_of)
    sent = np.bincount(owner[used], minlength=len(kept))
    many = (kept > MOST_BUNDLES) & (sent < FEW_PIXELS * kept)
    if not many.any():
        return bundle, {}
    cut = np.zeros(len(signs), bool)
    cut[used] = many[owner[used]]
    cell = np.ones(len(signs), np.int64) if cells is None else cells.of(np.arange(len(signs), dtype=np.int64)) + 1
    anew = _numbered(owner, np.where(cut, cell, signs))
    is_mixed = np.zeros(int(anew.max()) + 1, bool)
    is_mixed[anew[cut]] = True
    order = used[np.argsort(anew[used], kind="stable")]
    edges = np.searchsorted(anew[order], np.arange(len(is_mixed) + 1))
    return anew, {int(k): order[edges[k] : edges[k + 1]] for k in np.flatnonzero(is_mixed)}


def _numbered(owner: Ints, signs: Ints) -> Ints:
    """The bundle of each pixel, -1 for what has no owner or no reader; numbered by owner, then by first pixel."""
    bundle = np.full(len(signs), -1, np.int64)
    used = np.flatnonzero((owner >= 0) & (signs != 0))
    if not len(used):
        return bundle
    owner, signs = owner[used], signs[used]
    order = np.lexsort((signs, owner))
    new = np.ones(len(used), bool)
    new[1:] = (np.diff(owner[order]) != 0) | (np.diff(signs[order]) != 0)
    group = np.cumsum(new) - 1
    first = used[order[new]]  # lexsort is stable: the first pixel of each group
    rank = np.empty(len(first), np.int64)
    rank[np.lexsort((first, owner[order[new]]))] = np.arange(len(first))
    bundle[used[order]] = rank[group]
    return bundle


def _counted(rows: Ints, columns: Ints, shape: tuple[int, int]) -> Ints:
    """How often each (row, column) occurs; columns past the last count for nothing."""
    high, wide = shape
    flat = np.bincount(rows * (wide + 1) + columns, minlength=high * (wide + 1))
    return flat.reshape(high, wide + 1)[:, :wide]


def _emitted(source: Source, bundle: Ints, first: int, sequences: Sequences) -> Iterator[Sequence]:
    """The tokens that each firing of ``source`` puts on each of its bundles, from number ``first`` on."""
    sent = bundle >= 0
    if sent.any():
        rows = bundle[sent] - first
        shape = int(rows.max()) + 1, source.firings
        for row in _counted(rows, source.firing_of_pixels()[sent], shape):
            yield sequences.of(row)


def _read(alike: _Alike, bundle: Ints, mixed: dict[int, Ints], made: list[Bundle], sequences: Sequences) -> None:
    """Add the readings of sinks that read alike.  Of a ``mixed`` bundle a reader gets all pixels.

    Initial tokens stand before the first pixel.  A firing that reads nothing waits for none of them: the first step
    of a sequence starts from a state of its own.  After the last firing all is freed but what is kept.
    """
    reads, initial = alike.reads, alike.initial
    pixels = reads.pixels.numbers
    pixels = pixels[bundle[pixels] >= 0]
    if more := [k for k in np.unique(bundle[pixels]).tolist() if k in mixed]:
        pixels = np.concatenate([pixels[~np.isin(bundle[pixels], more)], *(mixed[k] for k in more)])
    numbers, rows = np.unique(bundle[pixels], return_inverse=True)
    shape = len(numbers), len(reads.need)
    need = np.cumsum(_counted(rows, np.searchsorted(reads.need, pixels, side="right"), shape), axis=1)
    free = np.cumsum(_counted(rows, np.searchsorted(reads.free, pixels, side="right"), shape), axis=1)
    sizes = np.bincount(rows, minlength=len(numbers))
    if alike.keeps:
        need += initial
        free[:, -1] = sizes
    elif initial:
        need[need > 0] += initial
        free += initial
        free[:, -1] = sizes + initial
    else:
        free[:, -1] = sizes
    for number, size, needs, frees in zip(numbers.tolist(), sizes.tolist(), need, free, strict=True):
        needed, freed = sequences.of(needs, size), sequences.of(frees, size)
        made[number].readings += [Reading(sink, needed, freed) for sink in alike.sinks]
