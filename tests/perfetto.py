"""A trace read back with the message classes of the ``perfetto`` package."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackDescriptor, TrackEvent

__all__ = ["ReadTrace", "Slice", "read_trace"]


@dataclass
class Slice:
    """A slice: times in the trace's units, its arguments, the arrows that pass on and those that end here."""

    start: int
    name: str
    arguments: dict[str, int | str]
    arrows: tuple[int, ...]
    ending: tuple[int, ...]
    end: int = -1


@dataclass
class ReadTrace:
    """Tracks by path from the root, and what is on them."""

    descriptors: dict[int, Any] = field(default_factory=dict)
    slices: dict[int, list[Slice]] = field(default_factory=lambda: defaultdict(list))
    values: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    def path(self, track: int) -> tuple[str, ...]:
        """The names of the tracks above ``track``, and its own."""
        descriptor = self.descriptors[track]
        above = self.path(descriptor.parent_uuid) if descriptor.HasField("parent_uuid") else ()
        return (*above, descriptor.name)

    def tracks(self) -> dict[tuple[str, ...], int]:
        """All tracks by path."""
        return {self.path(track): track for track in self.descriptors}


def read_trace(path: Path) -> ReadTrace:
    """Read a trace as Perfetto would, in the order of the file; asserts what its format asks for."""
    trace = Trace.FromString(path.read_bytes())
    out = ReadTrace()
    texts: dict[str, dict[int, str]] = defaultdict(dict)
    last: dict[int, int] = {}
    for number, packet in enumerate(trace.packet):
        assert packet.trusted_packet_sequence_id == 1
        assert bool(packet.sequence_flags & packet.SEQ_INCREMENTAL_STATE_CLEARED) == (number == 0)
        for kind, entries in packet.interned_data.ListFields():
            for entry in entries:
                assert entry.iid not in texts[kind.name]
                texts[kind.name][entry.iid] = entry.str.decode() if hasattr(entry, "str") else entry.name
        if packet.HasField("track_descriptor"):
            _add_track(out, packet.track_descriptor)
        if packet.HasField("track_event"):
            event = packet.track_event
            assert packet.timestamp >= last.get(event.track_uuid, 0), "a track goes on in time"
            last[event.track_uuid] = packet.timestamp
            _add_event(out, packet.timestamp, event, texts)
            if event.type == TrackEvent.TYPE_SLICE_BEGIN:
                assert packet.sequence_flags & packet.SEQ_NEEDS_INCREMENTAL_STATE
    assert all(piece.end >= 0 for pieces in out.slices.values() for piece in pieces)
    return out


def _add_track(out: ReadTrace, descriptor: Any) -> None:
    assert descriptor.uuid not in out.descriptors
    assert not descriptor.HasField("parent_uuid") or descriptor.parent_uuid in out.descriptors
    assert descriptor.sibling_merge_behavior == TrackDescriptor.SIBLING_MERGE_BEHAVIOR_NONE
    out.descriptors[descriptor.uuid] = descriptor


def _add_event(out: ReadTrace, time: int, event: Any, texts: dict[str, dict[int, str]]) -> None:
    descriptor = out.descriptors[event.track_uuid]
    pieces = out.slices[event.track_uuid]
    assert descriptor.HasField("counter") == (event.type == TrackEvent.TYPE_COUNTER)
    if event.type == TrackEvent.TYPE_COUNTER:
        out.values[event.track_uuid].append((time, event.counter_value))
    elif event.type == TrackEvent.TYPE_SLICE_BEGIN:
        assert not pieces or pieces[-1].end >= 0, "slices do not overlap"
        arguments: dict[str, int | str] = {}
        for note in event.debug_annotations:
            name = texts["debug_annotation_names"][note.name_iid]
            assert name not in arguments
            text = note.HasField("string_value_iid")
            arguments[name] = (
                texts["debug_annotation_string_values"][note.string_value_iid] if text else note.uint_value
            )
        name = texts["event_names"][event.name_iid]
        pieces.append(Slice(time, name, arguments, tuple(event.flow_ids), tuple(event.terminating_flow_ids)))
    else:
        assert event.type == TrackEvent.TYPE_SLICE_END
        assert pieces
        assert pieces[-1].end < 0
        pieces[-1].end = time
