"""Flows between sources and sinks: every pixel and channel that is read comes once, and tokens are counted right."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.compile.connect import Sink, Source, bundles
from archsim.compile.deal import WHOLE, Share, strip
from archsim.compile.reads import Window, reads_of
from archsim.program import Sequence
from archsim.sequences import Sequences


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Source], list[Sink], int]:
    """Sources that share an image by strips and channels, and sinks that read it by windows."""
    rows, columns, channels = draw(st.integers(1, 7)), draw(st.integers(1, 7)), draw(st.integers(2, 6))
    split = draw(st.sampled_from([0, 1, channels // 2]))
    ranges = [(0, split), (split, channels)] if split else [(0, channels)]
    copies, each = draw(st.integers(1, rows * columns)), draw(st.integers(1, 3))
    sources = []
    for low_high in ranges:
        for k in range(copies):
            share = Share.reduced(k, k + 1, copies)
            pixels = strip(rows, columns, share)
            if pixels.size:
                firings = -(-pixels.size // each)
                sources.append(Source(len(sources), len(sources), low_high, pixels, share, each, firings))
    kernel, pad = draw(st.sampled_from([(1, 0), (3, 1), (2, 0)]))
    kernel = min(kernel, rows + 2 * pad, columns + 2 * pad)
    wide, high = columns + 2 * pad - kernel + 1, rows + 2 * pad - kernel + 1
    window = Window(rows, columns, wide, (kernel, kernel), (1, 1), (pad, pad))
    readers = draw(st.integers(1, wide * high))
    low = draw(st.integers(0, channels - 1))
    parts = draw(st.sampled_from([[(0, channels)], [(0, channels), (low, channels)]]))
    sinks = []
    for k in range(readers):
        windows = strip(high, wide, Share.reduced(k, k + 1, readers))
        if windows.size:
            reads = reads_of(window, windows, draw(st.integers(1, 2)))
            sinks += [Sink(1000 + len(sinks) + n, 0, part, reads) for n, part in enumerate(parts)]
    return sources, sinks, rows * columns


class Reading(NamedTuple):
    """A sink by its place, and what it needs and frees."""

    sink: int
    need: Sequence
    free: Sequence


class Bundle(NamedTuple):
    """One of several bundles as a record."""

    source: int
    channels: int
    initial: int
    tokens: int
    emit: Sequence
    readings: list[Reading]


def made_of(sources: list[Source], sinks: list[Sink], pixels: int) -> list[Bundle]:
    """The bundles one by one."""
    known = Sequences()
    b = bundles(sources, sinks, pixels, known)
    readings = [Reading(int(s), known[n], known[f]) for s, n, f in zip(b.sink, b.need, b.free, strict=True)]
    each = zip(b.source, b.channels, b.initial, b.tokens, b.emit, pairwise(b.edges), strict=True)
    return [
        Bundle(int(source), int(channels), int(initial), int(tokens), known[emit], readings[first:past])
        for source, channels, initial, tokens, emit, (first, past) in each
    ]


@settings(max_examples=60)
@given(cases())
def test_every_pixel_and_channel_that_a_sink_reads_comes_once_from_the_source_that_makes_it(case):
    """Counted by values: of each source, a sink gets what it reads of it, and more only where bundles were merged."""
    sources, sinks, pixels = case
    got: dict[tuple[int, int], int] = {}
    pairs: set[tuple[int, int, int]] = set()
    made = made_of(sources, sinks, pixels)
    for number, bundle in enumerate(made):
        tokens = bundle.emit.total(sources[bundle.source].firings)
        assert tokens == bundle.tokens
        assert tokens > 0
        assert bundle.readings
        for reading in bundle.readings:
            key = sources[bundle.source].stage, sinks[reading.sink].stage
            got[key] = got.get(key, 0) + tokens * bundle.channels
            assert (number, *key) not in pairs
            pairs.add((number, *key))
    for source in sources:
        own = set(source.pixels.numbers.tolist())
        for sink in sinks:
            read = own & set(sink.reads.pixels.numbers.tolist())
            channels = min(source.channels[1], sink.channels[1]) - max(source.channels[0], sink.channels[0])
            expected = len(read) * max(0, channels)
            key = source.stage, sink.stage
            if expected == 0:
                assert key not in got
            else:
                assert expected <= got[key] <= len(own) * channels


@settings(max_examples=60)
@given(cases())
def test_tokens_needed_and_freed_are_those_of_the_pixels_below_the_bounds(case):
    sources, sinks, pixels = case
    for bundle in made_of(sources, sinks, pixels):
        source = sources[bundle.source]
        total = bundle.emit.total(source.firings)
        readers = [set(sinks[reading.sink].reads.pixels.numbers.tolist()) for reading in bundle.readings]
        own = source.pixels.numbers.tolist()
        common = [p for p in own if all(p in r for r in readers)]
        if len(common) != total:
            continue  # a merged bundle, or one that shares these pixels with another of the source
        for reading in bundle.readings:
            reads = sinks[reading.sink].reads
            assert reading.need.values(len(reads.need)).tolist() == [sum(p < b for p in common) for b in reads.need]
            freed = [sum(p < b for p in common) for b in reads.free]
            freed[-1] = total
            assert reading.free.values(len(reads.free)).tolist() == freed
            assert reading.need.increment == reading.free.increment == total


def test_pixels_that_the_same_sinks_read_travel_as_one_multicast():
    # a 1 × 4 image in one source; three sinks read 1-wide windows of the halves and of the whole
    whole = strip(1, 4, WHOLE)
    source = Source(0, 0, (0, 2), whole, WHOLE, 1, 4)
    window = Window(1, 4, 4)
    left = reads_of(window, strip(1, 4, Share(0, 1, 2)), 1)
    right = reads_of(window, strip(1, 4, Share(1, 2, 2)), 1)
    sinks = [Sink(1, 1, (0, 2), left), Sink(2, 2, (0, 2), right), Sink(3, 3, (0, 2), reads_of(window, whole, 1))]
    made = made_of([source], sinks, 4)
    assert [(b.channels, b.emit.table, [sinks[r.sink].stage for r in b.readings]) for b in made] == [
        (2, (1, 1, 0, 0), [1, 3]),
        (2, (0, 0, 1, 1), [2, 3]),
    ]
    assert [r.need.table for r in made[0].readings] == [(1, 2), (1, 2, 2, 2)]
    assert [r.need.table for r in made[1].readings] == [(1, 2), (0, 0, 1, 2)]


def test_a_source_that_puts_out_all_at_the_end_does_so_in_its_last_firing():
    whole = strip(1, 1, WHOLE)
    source = Source(0, 0, (0, 8), whole, WHOLE, 1, 5, at_end=True)
    (bundle,) = made_of([source], [Sink(1, 1, (0, 8), reads_of(Window(1, 1, 1), whole, 1))], 1)
    assert bundle.emit.table == (0, 0, 0, 0, 1)


def test_initial_tokens_stand_before_the_first_pixel_and_a_firing_that_reads_nothing_waits_for_none():
    steps = strip(1, 3, WHOLE)
    plain = reads_of(Window(1, 3, 3), steps, 1)
    state = type(plain)(plain.pixels, plain.need - 1, plain.need - 1)  # step n reads what step n - 1 put out
    source = Source(0, 0, (0, 4), steps, WHOLE, 1, 3)
    (bundle,) = made_of([source], [Sink(0, 0, (0, 4), state, initial=1)], 3)
    (reading,) = bundle.readings
    assert bundle.initial == 1
    assert reading.need.table == (0, 2, 3)
    assert reading.free.table == (1, 2, 4)
