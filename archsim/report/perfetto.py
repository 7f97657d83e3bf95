"""Writing a trace in Perfetto's format, with the classes of the ``perfetto`` package: tracks, slices, counters, arrows.

Perfetto counts in whole nanoseconds.  One of them stands for a picosecond here, so that no time is rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError

__all__ = ["Argument", "Arrows", "TraceWriter", "require_perfetto"]

Ints = NDArray[np.int64]
Arrows = Mapping[int, tuple[list[int], list[int]]]
"""For slices by their number on a track: the arrows that go on from it, and those that end at it."""

SEQUENCE = 1
"""All packets are one sequence, so that texts that were sent once can be named by number."""


def require_perfetto() -> Any:
    """The module of the ``perfetto`` package with the messages of a trace; ArchsimError where it is not installed."""
    try:
        from perfetto.protos.perfetto.trace import perfetto_trace_pb2
    except ImportError as error:
        raise ArchsimError(
            f"a trace is written with the perfetto package ({error}); pip install 'archsim[trace]'"
        ) from None
    return perfetto_trace_pb2


@dataclass(frozen=True)
class Argument:
    """A value that each slice of a track shows beside its name; ``texts`` if the values are numbers of texts.

    A value of ``absent`` is not shown.
    """

    name: str
    values: Ints
    texts: Sequence[str] | None = None
    absent: int | None = None


class TraceWriter:
    """Writes packets to a stream; the same calls give the same bytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.messages = require_perfetto()
        self.stream = stream
        self.tracks = self.slices = self.values = 0
        self.bytes = 0
        self._numbers: dict[str, dict[str, int]] = {}
        trace = self.messages.Trace()
        packet = trace.packet.add(trusted_packet_sequence_id=SEQUENCE)
        packet.sequence_flags = self.messages.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
        self._write(trace)

    def track(self, name: str, parent: int = 0, description: str = "", *, counts_bytes: bool = False) -> int:
        """A track below ``parent`` (0: at the top), after those that are there already; a counter of bytes if so
        wanted.  Its number."""
        self.tracks += 1
        trace = self.messages.Trace()
        track = trace.packet.add(trusted_packet_sequence_id=SEQUENCE).track_descriptor
        track.uuid = self.tracks
        track.name = name
        if parent:
            track.parent_uuid = parent
        if description:
            track.description = description
        track.sibling_order_rank = self.tracks
        track.child_ordering = self.messages.TrackDescriptor.EXPLICIT
        track.sibling_merge_behavior = self.messages.TrackDescriptor.SIBLING_MERGE_BEHAVIOR_NONE
        if counts_bytes:
            track.counter.unit = self.messages.CounterDescriptor.UNIT_SIZE_BYTES
        self._write(trace)
        return self.tracks

    def add_slices(
        self, track: int, starts: Ints, lengths: Ints, names: Ints, texts: Sequence[str], arguments: Sequence[Argument],
        arrows: Arrows,
    ) -> None:  # fmt: skip
        """Slices in order of time, none of which overlaps the next; ``names`` are numbers of ``texts``."""
        shown = [np.full(len(starts), True) if a.absent is None else a.values != a.absent for a in arguments]
        kinds = sum((mask.astype(np.int64) << k for k, mask in enumerate(shown)), np.zeros(len(starts), np.int64))
        columns = [self._numbered(argument) for argument in arguments]
        rows = np.stack(columns, axis=1) if columns else np.zeros((len(starts), 0), np.int64)
        name_numbers = np.array([self._number("event_names", text) for text in texts], np.int64)[names]
        patterns: dict[int, _Pattern] = {}
        for n, (start, length, name, kind, row) in enumerate(
            zip(starts.tolist(), lengths.tolist(), name_numbers.tolist(), kinds.tolist(), rows.tolist(), strict=True)
        ):
            pattern = patterns.get(kind)
            if pattern is None:
                present = [k for k in range(len(arguments)) if kind >> k & 1]
                pattern = patterns[kind] = _Pattern(self, track, [(k, arguments[k]) for k in present])
            self._write(pattern.filled(start, start + length, name, row, arrows.get(n)))
        self.slices += len(starts)

    def add_values(self, track: int, times: Ints, values: Ints) -> None:
        """Values of a counter, each from its time on."""
        trace = self.messages.Trace()
        packet = trace.packet.add(trusted_packet_sequence_id=SEQUENCE)
        event = packet.track_event
        event.type = self.messages.TrackEvent.TYPE_COUNTER
        event.track_uuid = track
        for time, value in zip(times.tolist(), values.tolist(), strict=True):
            packet.timestamp = time
            event.counter_value = value
            self._write(trace)
        self.values += len(times)

    def _numbered(self, argument: Argument) -> Ints:
        if argument.texts is None:
            return argument.values
        numbers = [self._number("debug_annotation_string_values", text) for text in argument.texts]
        return np.array(numbers, np.int64)[argument.values]

    def _number(self, kind: str, text: str) -> int:
        """The number by which a text is named from now on; what it stands for is written when it is first met."""
        known = self._numbers.setdefault(kind, {})
        if text not in known:
            known[text] = len(known) + 1
            trace = self.messages.Trace()
            packet = trace.packet.add(trusted_packet_sequence_id=SEQUENCE)
            packet.sequence_flags = self.messages.TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
            entry = getattr(packet.interned_data, kind).add(iid=known[text])
            if kind == "debug_annotation_string_values":
                entry.str = text.encode()
            else:
                entry.name = text
            self._write(trace)
        return known[text]

    def _write(self, trace: Any) -> None:
        self.bytes += self.stream.write(trace.SerializeToString(deterministic=True))


class _Pattern:
    """The two packets of a slice, into which only what differs is filled: several times as fast as new ones."""

    def __init__(self, writer: TraceWriter, track: int, arguments: Sequence[tuple[int, Argument]]) -> None:
        messages = writer.messages
        self.trace = messages.Trace()
        self.begin, self.end = (self.trace.packet.add(trusted_packet_sequence_id=SEQUENCE) for _ in range(2))
        self.begin.sequence_flags = messages.TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
        self.event = self.begin.track_event
        self.event.type = messages.TrackEvent.TYPE_SLICE_BEGIN
        self.end.track_event.type = messages.TrackEvent.TYPE_SLICE_END
        self.event.track_uuid = self.end.track_event.track_uuid = track
        self.slots = []
        for column, argument in arguments:
            number = writer._number("debug_annotation_names", argument.name)
            field = "uint_value" if argument.texts is None else "string_value_iid"
            self.slots.append((self.event.debug_annotations.add(name_iid=number), field, column))

    def filled(
        self, start: int, end: int, name: int, row: Sequence[int], arrows: tuple[list[int], list[int]] | None
    ) -> Any:
        """The packets of the slice from ``start`` to ``end``."""
        self.begin.timestamp = start
        self.end.timestamp = end
        self.event.name_iid = name
        for slot, field, column in self.slots:
            setattr(slot, field, row[column])
        del self.event.flow_ids[:], self.event.terminating_flow_ids[:]
        if arrows is not None:
            self.event.flow_ids.extend(arrows[0])
            self.event.terminating_flow_ids.extend(arrows[1])
        return self.trace
