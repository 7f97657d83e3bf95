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

__all__ = ["make_folder", "require_file", "require_folder", "write_bytes", "write_json", "write_text", "written"]


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


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` in one step."""
    with written(path) as stream:
        stream.write(content)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` in one step."""
    encoded = text.encode("utf-8")
    with written(path) as stream:
        stream.write(encoded)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON; no NaN can get out."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def require_folder(folder: Path | None) -> None:
    """ArchsimError if ``folder`` cannot be made or written into; better found before a long run than after it."""
    if folder is None:
        return
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise ArchsimError(f"cannot write into {str(folder)!r:.300}: {str(there)!r:.300} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ArchsimError(f"cannot write into {str(folder)!r:.300}: no permission to write in {str(there)!r:.300}")


def require_file(path: Path) -> None:
    """ArchsimError if no file can be written to ``path``; its folder has to be there."""
    if path.is_dir() or not path.parent.is_dir():
        why = "it is a folder" if path.is_dir() else f"{str(path.parent)!r:.300} is not a folder"
        raise ArchsimError(f"cannot write {str(path)!r:.300}: {why}")
    require_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make ``folder`` if it is not there; ArchsimError if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArchsimError(f"cannot make the folder {str(folder)!r:.300}: {error.strerror}") from None
