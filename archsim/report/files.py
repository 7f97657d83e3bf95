"""Writing result files: under a temporary name first, so that nothing is ever half-written."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from archsim.errors import ArchsimError

__all__ = ["write_json", "write_text", "written"]


@contextmanager
def written(path: Path) -> Iterator[IO[bytes]]:
    """A stream that becomes the file ``path`` in one step, when all is written: it is there whole, or as it was."""
    try:
        with _replacing(path) as stream:
            yield stream
    except OSError as error:
        raise ArchsimError(f"cannot write {str(path)!r:.300}: {error.strerror}") from None


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if path.exists() and not path.is_file():  # a pipe or device is written to, never replaced
        with path.open("wb") as stream:
            yield stream
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` in one step."""
    encoded = text.encode("utf-8")
    with written(path) as stream:
        stream.write(encoded)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON; no NaN can get out."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
