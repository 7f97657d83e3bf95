"""Reads an ONNX file without its weights: the messages of a protobuf file walked in place, large payloads left out.

A protobuf message is a row of fields, each a tag (field number and wire type) and a value; submessages, texts and
arrays have their length in front (Protocol Buffers, "Encoding").  So the tensors of a file of any size can be stepped
over without reading them.  What is left, the **skeleton**, is a small ModelProto; a tensor that lost its payload tells
in an ``external_data`` entry (:data:`SPAN`) where in the file it lies.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from archsim.errors import WorkloadError
from archsim.library import shown

__all__ = ["KEPT_BYTES", "SPAN", "delimited", "skeleton"]

SPAN: Final = "archsim.span"
"""The key under which a tensor says where its payload lies: ``field:offset:length``."""

KEPT_BYTES: Final = 2**16
"""Payloads up to this size stay: shapes, axes and scales, which shape inference needs."""

MAX_KEPT: Final = 2**26
"""The largest skeleton in bytes."""

MAX_FIELDS: Final = 400_000
"""The most fields that are looked at one by one."""

MAX_DEPTH: Final = 64
"""The deepest nesting of large messages; the parser of protobuf itself allows 100."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# field numbers of onnx.proto: what is a message of which kind, and what is a payload
_MESSAGES: Final[dict[str, dict[int, str]]] = {
    "Model": {7: "Graph", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse", 11: "Other", 12: "Other", 13: "Other"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
    "Other": {},
}
_PAYLOADS: Final = (4, 5, 6, 7, 9, 10, 11)
_EXTERNAL_DATA: Final = 13


@dataclass(frozen=True, slots=True)
class _Field:
    number: int
    kind: int
    start: int
    """Where the tag begins."""
    body: int
    end: int


def skeleton(path: Path) -> bytes:
    """The ModelProto in the file ``path``, without payloads beyond :data:`KEPT_BYTES`, as bytes.

    WorkloadError if the file is empty, cut off or no protobuf.
    """
    try:
        if not path.is_file():
            raise WorkloadError(f"{shown(path)}: expected an ONNX file, got {'a folder' if path.is_dir() else 'none'}")
        with path.open("rb") as stream:
            if path.stat().st_size == 0:
                raise WorkloadError(f"{shown(path)}: expected an ONNX model, got an empty file")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Walk(data, shown(path)).message("Model", 0, len(data), 0)
    except OSError as error:
        raise WorkloadError(f"cannot read {shown(path)}: {error.strerror}") from None


class _Walk:
    def __init__(self, data: mmap.mmap, where: str) -> None:
        self.data = data
        self.where = where
        self.fields = 0
        self.kept = 0

    def error(self, message: str, at: int) -> WorkloadError:
        return WorkloadError(
            f"{self.where}: {message} at byte {at} of {len(self.data)}; the file is no whole ONNX model"
        )

    def message(self, what: str, start: int, end: int, depth: int) -> bytes:
        """The message in [start, end), copied without its large payloads."""
        if depth > MAX_DEPTH:
            raise self.error(f"messages nested more than {MAX_DEPTH} deep", start)
        out: list[bytes] = []
        for field in self.split(start, end):
            out += self.field(what, field, depth)
        return b"".join(out)

    def field(self, what: str, field: _Field, depth: int) -> list[bytes]:
        size = field.end - field.body
        if field.kind != _BYTES or size <= KEPT_BYTES:
            return [self.copy(field.start, field.end)]
        if what == "Tensor" and field.number in _PAYLOADS:
            span = f"{field.number}:{field.body}:{size}"
            return [delimited(_EXTERNAL_DATA, delimited(1, SPAN.encode()) + delimited(2, span.encode()))]
        inside = _MESSAGES[what].get(field.number)
        if inside is None and what == "Attribute":
            return [self.copy(field.start, field.end)]
        if inside is None:  # a long text or metadata: nothing that a network is made of
            return []
        body = self.message(inside, field.body, field.end, depth + 1)
        return [delimited(field.number, body)]

    def copy(self, start: int, end: int) -> bytes:
        self.kept += end - start
        if self.kept > MAX_KEPT:
            raise self.error(f"more than {MAX_KEPT} bytes beside the weights", start)
        return self.data[start:end]

    def split(self, start: int, end: int) -> Iterator[_Field]:
        """The fields of a message."""
        at = start
        while at < end:
            self.fields += 1
            if self.fields > MAX_FIELDS:
                raise self.error(f"more than {MAX_FIELDS} nodes and tensors", at)
            tag, body = self.varint(at, end)
            number, kind = tag >> 3, tag & 7
            stop = self.stop(kind, body, end)
            if kind == _BYTES:
                size, body = self.varint(body, end)
                stop = body + size
            if not number or stop > end:
                raise self.error("the data is cut off or corrupt", at)
            yield _Field(number, kind, at, body, stop)
            at = stop

    def stop(self, kind: int, body: int, end: int) -> int:
        """Where a field without a length ends."""
        if kind == _VARINT:
            return self.varint(body, end)[1]
        if kind in (_FIXED64, _FIXED32):
            return body + (8 if kind == _FIXED64 else 4)
        if kind != _BYTES:
            raise self.error(f"a field of the unknown wire type {kind}", body)
        return body

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """A number of seven bits a byte, the lowest first, and where it ends."""
        value = 0
        for shift in range(0, 64, 7):
            if at >= end:
                break
            byte = self.data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, at
        raise self.error("the data is cut off or corrupt", at)


def delimited(number: int, body: bytes) -> bytes:
    """A field of ``number`` that holds ``body``."""
    return _number(number << 3 | _BYTES) + _number(len(body)) + body


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
