"""Tensors of an ONNX model as what is known of them: type, shape, and the value where it is small and constant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from archsim.errors import WorkloadError
from archsim.workload.onnx.wire import SPAN, delimited

__all__ = ["MAX_ELEMENTS", "MAX_RANK", "Array", "Value", "check_shape", "element_bits", "initialiser", "words"]

Array = NDArray[Any]

MAX_ELEMENTS: Final = 2**36
"""The largest tensor: 64 G values, as much as the weights of the largest layers times a thousand."""

MAX_RANK: Final = 16

_PAYLOAD = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
_PAYLOAD_NAMES = {4: "float_data", 5: "int32_data", 6: "string_data", 7: "int64_data", 9: "raw_data"}
_PAYLOAD_NAMES |= {10: "double_data", 11: "uint64_data"}


@dataclass(frozen=True, slots=True)
class Value:
    """What is known of one tensor while a model is read.

    ``data`` is its value where that is constant and known; ``constant`` alone says that it does not depend on the
    network's inputs, as a weight whose payload is not read.
    """

    name: str
    type: int
    """The ``TensorProto.DataType`` of its elements."""
    shape: tuple[int, ...]
    data: Array | None = None
    constant: bool = False
    bits: int = 0
    """Bits an element where the model quantises it to fewer than its type has; 0 where it does not."""

    chosen_from: int = 0
    """Elements of the stored table that a constant was cut from; 0 where it is none."""

    prepared: bool = False
    """Whether it is a constant that follows from masks or positions, and so no parameter."""

    @property
    def parameters(self) -> int:
        """The stored numbers that it stands for: its table's, if it was cut from one."""
        return 0 if self.prepared else self.chosen_from or self.size

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def named(self, name: str) -> Value:
        """The same tensor under another name."""
        return replace(self, name=name)

    def type_proto(self) -> onnx.TypeProto:
        """Type and shape for ONNX's own shape inference."""
        return onnx.helper.make_tensor_type_proto(self.type, self.shape)


_NARROW: Final = {
    getattr(TensorProto, name): bits
    for name, bits in (("INT2", 2), ("UINT2", 2), ("INT4", 4), ("UINT4", 4), ("FLOAT4E2M1", 4))
    if hasattr(TensorProto, name)  # older releases of onnx have not all of them
}


def element_bits(kind: int) -> int:
    """Bits of one element of the type ``kind``; 8 for a text."""
    if kind in _NARROW:
        return _NARROW[kind]
    if kind == TensorProto.STRING:
        return 8
    return int(onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize * 8)


def words(text: str) -> frozenset[str]:
    """A set of names, written with spaces between them."""
    return frozenset(text.split())


def check_shape(shape: tuple[int, ...], what: str) -> None:
    """WorkloadError if a tensor of ``shape``, called ``what``, cannot be."""
    if len(shape) > MAX_RANK or any(length < 0 for length in shape):
        raise WorkloadError(
            f"{what} has the shape {list(shape[:20])}; expected at most {MAX_RANK} sizes, none negative"
        )
    if math.prod(shape) > MAX_ELEMENTS:
        count = f"{math.prod(shape):.3g}"
        raise WorkloadError(f"{what} has the shape {list(shape)}, which is {count} values; at most 2^36 are read")


def initialiser(tensor: TensorProto, path: Path, *, weights: bool) -> Value:
    """The constant that ``tensor`` of the model at ``path`` holds.

    With ``weights`` its value is read in any case, else only if the skeleton has it.  WorkloadError if shape and
    data do not fit or data lies outside the model's folder.
    """
    name = tensor.name
    what = f"the tensor {name!r:.100}"
    shape = tuple(int(length) for length in tensor.dims)
    check_shape(shape, what)
    try:
        bits = element_bits(tensor.data_type)
    except (KeyError, TypeError, ValueError):
        raise WorkloadError(f"{what} has the unknown element type {tensor.data_type}") from None
    value = Value(name, tensor.data_type, shape, None, constant=True)
    extra = {entry.key: entry.value for entry in tensor.external_data}
    size = -(-value.size * bits // 8)
    if tensor.data_location == TensorProto.EXTERNAL:
        return replace(value, data=_external(value, extra, path, size, weights))
    if SPAN in extra:
        return replace(value, data=_embedded(tensor, extra[SPAN], path, size, weights))
    if value.size and not any(len(getattr(tensor, key)) for key in _PAYLOAD):
        return value  # a weightless graph
    _check_counts(tensor, value, size, what)
    try:
        return replace(value, data=np.asarray(numpy_helper.to_array(tensor)))
    except (ValueError, TypeError, IndexError, OverflowError, KeyError) as error:
        raise WorkloadError(f"{what}: {error!s:.200}") from None


def _check_counts(tensor: TensorProto, value: Value, size: int, what: str) -> None:
    """The data of a tensor in the file is as long as its shape says."""
    if tensor.data_type != TensorProto.STRING and len(tensor.raw_data) not in (0, size):
        raise WorkloadError(f"{what} of shape {list(value.shape)} takes {size} bytes, got {len(tensor.raw_data)}")
    most = 2 * value.size + 1  # complex numbers take two entries
    if any(len(getattr(tensor, key)) > most for key in _PAYLOAD if key != "raw_data"):
        raise WorkloadError(f"{what} of shape {list(value.shape)} has more data than its shape has room for")


def _external(value: Value, extra: Mapping[str, str], path: Path, size: int, weights: bool) -> Array | None:
    """The value from a file beside the model's; the place is checked also where it is not read."""
    what = f"the tensor {value.name!r:.100}"
    location = extra.get("location", "")
    folder = path.resolve().parent
    try:
        target = (folder / location).resolve()
        inside = target != folder and target.is_relative_to(folder) and not Path(location).is_absolute()
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        message = f"{what} lies in {location!r:.200}; external data must lie in the model's own folder"
        raise WorkloadError(message)
    try:
        offset, length = int(extra.get("offset") or 0), int(extra.get("length") or size)
    except ValueError:
        raise WorkloadError(f"{what}: offset and length of external data must be whole numbers") from None
    if offset < 0 or length != size:
        message = f"{what} of shape {list(value.shape)} takes {size} bytes, got {length} at offset {offset}"
        raise WorkloadError(message)
    if not weights:
        return None
    if not target.is_file() or target.stat().st_size < offset + length:
        raise WorkloadError(f"{what}: no {size} bytes at offset {offset} of {location!r:.200}")
    return _read(value, target, offset, size)


def _embedded(tensor: TensorProto, span: str, path: Path, size: int, weights: bool) -> Array | None:
    """The value of a tensor whose payload was left out of the skeleton."""
    what = f"the tensor {tensor.name!r:.100}"
    try:
        number, offset, length = (int(part) for part in span.split(":"))
    except ValueError:
        raise WorkloadError(f"{what} has a bad {SPAN} entry") from None
    raw = _PAYLOAD_NAMES.get(number) == "raw_data"
    if raw and length != size:
        raise WorkloadError(f"{what} of shape {list(tensor.dims)} takes {size} bytes, got {length}")
    if not raw and length > 10 * max(1, math.prod(tensor.dims)) * (2 if number != 6 else 2**20):
        raise WorkloadError(f"{what} of shape {list(tensor.dims)} has more data than its shape has room for")
    if not weights or number == 6:
        return None
    if raw:
        return _read(Value(tensor.name, tensor.data_type, tuple(tensor.dims)), path, offset, size)
    with path.open("rb") as stream:
        stream.seek(offset)
        tensor = TensorProto(dims=tensor.dims, data_type=tensor.data_type)
        tensor.MergeFromString(delimited(number, stream.read(length)))
    return np.asarray(numpy_helper.to_array(tensor))


def _read(value: Value, path: Path, offset: int, size: int) -> Array:
    with path.open("rb") as stream:
        stream.seek(offset)
        tensor = TensorProto(dims=value.shape, data_type=value.type, raw_data=stream.read(size))
    return np.asarray(numpy_helper.to_array(tensor))
