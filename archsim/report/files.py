"""Writing result files: under a temporary name first, so that nothing is ever half-written."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from archsim.errors import ArchsimError

__all__ = ["write_json", "write_text"]


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` in one step: the file is there whole, or as it was before."""
    try:
        _write(path, text)
    except OSError as error:
        raise ArchsimError(f"cannot write {str(path)!r:.300}: {error.strerror}") from None


def _write(path: Path, text: str) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if path.exists() and not path.is_file():  # a pipe or device is written to, never replaced
        with path.open("w", encoding="utf-8") as stream:
            stream.write(text)
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON; no NaN can get out."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
