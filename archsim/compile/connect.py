"""Connect: which pixels and channels go from which source to which sinks, and what that makes of each end.

A **source** is a stage that puts out a range of channels of a range of pixels in raster order, some a firing.  A
**sink** is a stage that reads channels of a set of pixels.  Pixels of one source that the same sinks read, with the
same channels, travel together as one multicast: a **bundle**.

Pixels are sorted into bundles by one pass over the image: each reader (sinks that read alike) has a random key, and
the sum of the keys of those who read a pixel tells who they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.compile.deal import Share
from archsim.compile.reads import Intervals, Reads, flat
from archsim.compile.regions import Cells
from archsim.compile.streaming import Streamed
from archsim.compile.tally import emitted, read
from archsim.sequences import Sequences, ints, runs, starts

__all__ = ["MOST_BUNDLES", "Bundles", "Sink", "Source", "bundles", "likeness"]

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

    ``share`` is the part of the width that the pixels were dealt by.
    """

    stage: int
    tile: int
    channels: Channels
    pixels: Intervals
    share: Share
    each: int
    firings: int
    at_end: bool = False
    """All pixels are put out by the last firing of an image."""
    streamed: Streamed | None = None
    """A pool that streams puts out a pixel when its window is complete."""


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


class Bundles(NamedTuple):
    """Bundles, and the sinks that read them, by places among all sources and all sinks.

    Bundle k takes ``tokens[k]`` tokens an image of ``channels[k]`` values from ``source[k]``, by the sequence
    ``emit[k]``; ``initial[k]`` of them lie ready.  It goes to each ``sink[i]`` of ``edges[k] <= i < edges[k + 1]``,
    which needs and frees running totals of tokens by the sequences ``need[i]`` and ``free[i]``.
    """

    source: Ints
    channels: Ints
    initial: Ints
    emit: Ints
    tokens: Ints
    edges: Ints
    sink: Ints
    need: Ints
    free: Ints

    @classmethod
    def joined(cls, parts: Seq[Bundles]) -> Bundles:
        """Those of all ``parts``, one after the other."""
        readings = starts(np.concatenate([ints([]), *(np.diff(part.edges) for part in parts)]))
        columns = {
            name: np.concatenate([ints([]), *(getattr(part, name) for part in parts)])
            for name in cls._fields
            if name != "edges"
        }
        return cls(edges=readings, **columns)


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
) -> Bundles:
    """All that ``sources`` send to ``sinks``, over an image of ``pixels`` pixels, with numbers of ``sequences``.

    Where a source has too many bundles, those of each of ``cells`` are made one, by default all of them.
    """
    by_channels: dict[Channels, list[int]] = defaultdict(list)
    for number, source in enumerate(sources):
        by_channels[source.channels].append(number)
    readers: dict[_Key, dict[Reads, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, sink in enumerate(sinks):
        readers[sink.channels, sink.initial, sink.keeps][sink.reads].append(number)
    exchange = _Exchange(pixels, sequences, cells)
    found: list[Bundles] = []
    for (low, high), senders in by_channels.items():
        overlaps: dict[tuple[int, int, int, bool], list[_Key]] = defaultdict(list)
        for key in readers:
            (start, end), initial, keeps = key
            if start < high and end > low:
                overlaps[max(start, low), min(end, high), initial, keeps].append(key)
        for (first, last, initial, keeps), keys in overlaps.items():
            alike = [_Alike(*each) for key in keys for each in readers[key].items()]
            pattern = exchange.pattern(
                tuple([sources[number] for number in senders]), tuple([each.reads for each in alike]), initial, keeps
            )
            if pattern is not None:
                found.append(_placed(pattern, ints(senders), alike, last - first, initial))
    return Bundles.joined(found)


class _Alike(NamedTuple):
    """Sinks that read alike, by their places among all sinks."""

    reads: Reads
    sinks: list[int]


class _Pattern(NamedTuple):
    """Bundles between some senders and readers, by their places among these: as :class:`Bundles`, but for what hangs on
    channels, and with readers for sinks."""

    sender: Ints
    emit: Ints
    tokens: Ints
    edges: Ints
    reader: Ints
    need: Ints
    free: Ints


def _placed(pattern: _Pattern, senders: Ints, readers: list[_Alike], channels: int, initial: int) -> Bundles:
    """The bundles of a pattern between these senders and readers, of so many ``channels``."""
    counts = ints([len(alike.sinks) for alike in readers])
    sinks, first = ints([sink for alike in readers for sink in alike.sinks]), starts(counts)[:-1]
    times = counts[pattern.reader]
    same = np.ones_like(pattern.sender)
    return Bundles(
        senders[pattern.sender],
        channels * same,
        initial * same,
        pattern.emit,
        pattern.tokens,
        starts(times)[pattern.edges],
        sinks[runs(first[pattern.reader], times)],
        np.repeat(pattern.need, times),
        np.repeat(pattern.free, times),
    )


class _Exchange:
    """Works out patterns over an image of ``pixels`` pixels, each once: many ranges of channels have the same."""

    def __init__(self, pixels: int, sequences: Sequences, cells: Cells | None) -> None:
        self.pixels = pixels
        self.sequences = sequences
        self.cells = cells
        self._patterns: dict[Hashable, _Pattern | None] = {}
        self._signs: dict[tuple[Reads, ...], Ints] = {}

    def pattern(
        self, senders: tuple[Source, ...], readers: tuple[Reads, ...], initial: int, keeps: bool
    ) -> _Pattern | None:
        """The bundles between sources of the same channels and readers of the same channels; None if there are none."""
        key = tuple([(s.pixels, s.each, s.firings, s.at_end, s.streamed) for s in senders]), readers, initial, keeps
        if key not in self._patterns:
            self._patterns[key] = self._between(senders, readers, initial, keeps)
        return self._patterns[key]

    def _between(
        self, senders: tuple[Source, ...], readers: tuple[Reads, ...], initial: int, keeps: bool
    ) -> _Pattern | None:
        if readers not in self._signs:
            self._signs[readers] = _signs([reads.pixels for reads in readers], self.pixels)
        signs = self._signs[readers]
        pixels, sender = flat([source.pixels for source in senders])
        owner = np.full(len(signs), -1, np.int64)
        owner[pixels] = sender
        bundle = _merged(_numbered(owner, signs), owner, signs, self.cells)
        sent = bundle[pixels] >= 0
        if not sent.any():
            return None
        pixels, sender = pixels[sent], sender[sent]
        sender_of, emit = _emitted(senders, bundle[pixels], np.flatnonzero(sent), sender, self.sequences)
        tokens = np.bincount(bundle[pixels], minlength=len(sender_of))
        of_bundle, reader, need, free = _readings(readers, bundle, self.sequences, initial=initial, keeps=keeps)
        edges = starts(np.bincount(of_bundle, minlength=len(sender_of)))
        order = np.argsort(of_bundle, kind="stable")
        return _Pattern(sender_of, emit, tokens, edges, reader[order], need[order], free[order])


def _signs(sets: list[Intervals], pixels: int) -> Ints:
    """A number for each pixel that tells which of the sets it is in: the sum of their keys, modulo 2^64.

    With random keys, two different choices of sets have equal sums with a probability of 2^-64.
    """
    keys = np.random.default_rng(0).integers(1, 2**63, len(sets), np.int64)
    each = np.repeat(keys, [len(intervals.low) for intervals in sets])
    change = np.zeros(pixels + 1, np.int64)
    np.add.at(change, np.concatenate([intervals.low for intervals in sets]), each)
    np.subtract.at(change, np.concatenate([intervals.high for intervals in sets]), each)
    return np.cumsum(change[:-1])


def _readings(
    readers: Seq[Reads], bundle: Ints, sequences: Sequences, *, initial: int, keeps: bool
) -> tuple[Ints, Ints, Ints, Ints]:
    """Who reads what: bundle, reader, and the sequences that it needs and frees by; readers in their order."""
    found: list[tuple[Ints, Ints, Ints, Ints]] = []
    for rows in read(readers, bundle, initial=initial, keeps=keeps):
        need, free = (sequences.number(totals, rows.start, rows.size) for totals in (rows.need, rows.free))
        found.append((rows.bundle, rows.reader, need, free))
    of_bundle, reader, need, free = (np.concatenate(column) for column in zip(*found, strict=True))
    return of_bundle, reader, need, free


def _merged(bundle: Ints, owner: Ints, signs: Ints, cells: Cells | None) -> Ints:
    """Bundles numbered anew, with all bundles of a source (in each of ``cells``) made one where it has more than
    MOST_BUNDLES of fewer than FEW_PIXELS each; then a reader gets all pixels of it, also those that it drops."""
    used = np.flatnonzero(bundle >= 0)
    if not len(used):
        return bundle
    owner_of = np.zeros(int(bundle.max()) + 1, np.int64)
    owner_of[bundle[used]] = owner[used]
    kept = np.bincount(owner_of)
    sent = np.bincount(owner[used], minlength=len(kept))
    many = (kept > MOST_BUNDLES) & (sent < FEW_PIXELS * kept)
    if not many.any():
        return bundle
    cut = np.zeros(len(signs), bool)
    cut[used] = many[owner[used]]
    cell = np.ones(len(signs), np.int64) if cells is None else cells.of(np.arange(len(signs), dtype=np.int64)) + 1
    return _numbered(owner, np.where(cut, cell, signs))


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


def _emitted(sources: Seq[Source], bundle: Ints, sent: Ints, sender: Ints, sequences: Sequences) -> tuple[Ints, Ints]:
    """The sender of each bundle, and the sequence by which that emits its tokens; ``bundle`` and ``sender`` of each
    pixel that is sent, and its place ``sent`` among the pixels of all ``sources``."""
    at_end = np.array([source.at_end for source in sources])
    each = ints([source.each for source in sources])
    firings = ints([source.firings for source in sources])
    sizes = ints([source.pixels.size for source in sources])
    own = sent - (np.cumsum(sizes) - sizes)[sender]
    firing = np.where(at_end[sender], firings[sender] - 1, own // each[sender])
    for number, source in enumerate(sources):
        if source.streamed is not None:
            its = sender == number
            firing[its] = source.streamed.done[own[its]]
    sender_of = np.zeros(int(bundle.max()) + 1, np.int64)
    sender_of[bundle] = sender
    return sender_of, sequences.at_firings(*emitted(bundle, firing, firings[sender_of]), firings[sender_of])
