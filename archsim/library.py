"""Where names are looked up: the shipped libraries, then the folders of ``ARCHSIM_PATH``, then file paths."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from archsim.errors import NotFoundError, nearest

__all__ = ["FOLDERS", "TRAINED", "find", "is_onnx", "is_path", "names", "shown", "trained"]

FOLDERS = {
    "chip": "configs",
    "tile": "tiles",
    "workload": "workloads",
    "study": "configs/studies",
    "review": "configs/reviews",
}
"""The library folder of each kind of document."""

TRAINED = "workloads/trained"
"""The library folder of networks with their weights, ONNX files."""

_PACKAGE = Path(__file__).resolve().parent
_ROOT = _PACKAGE / "data" if (_PACKAGE / "data").is_dir() else _PACKAGE.parent
_SUFFIXES = (".yaml", ".yml")
_ONNX = ".onnx"


def _folders(kind: str) -> list[Path]:
    extra = [Path(part) for part in os.environ.get("ARCHSIM_PATH", "").split(os.pathsep) if part]
    return [_ROOT / FOLDERS[kind], *(inside for root in extra for inside in (root / FOLDERS[kind], root))]


def names(kind: str) -> dict[str, Path]:
    """All names that may be of ``kind`` and their files, sorted; of two files of one name the first folder's counts.

    A file that lies directly in a folder of ``ARCHSIM_PATH`` may be of any kind; it says itself of which.
    """
    found: dict[str, Path] = {}
    for folder in _folders(kind):
        try:
            paths = sorted(folder.iterdir())
        except OSError:
            continue  # a library folder need not be there
        for path in paths:
            if path.suffix in _SUFFIXES and _holds(path.is_file):
                found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def trained() -> dict[str, Path]:
    """The networks that ship with their weights, by name, and their files: ONNX."""
    folder = _ROOT / TRAINED
    return {path.stem: path for path in sorted(folder.glob(f"*{_ONNX}"))}


def _holds(test: Callable[[], bool]) -> bool:
    try:
        return test()
    except (OSError, ValueError):  # such as a name that is too long for a file
        return False


def is_path(name: str) -> bool:
    """Whether ``name`` is the path of a file and no library name."""
    return name in (".", "..") or "/" in name or os.sep in name or name.endswith((*_SUFFIXES, _ONNX))


def is_onnx(name: str) -> bool:
    """Whether ``name`` is that of an ONNX file, or of a network that ships as one."""
    return name.lower().endswith(_ONNX) or (name in trained() and name not in names("workload"))


def find(kind: str, name: str, base: Path | None = None) -> Path:
    """The file of the ``kind`` named ``name``; a path is taken from ``base`` (the folder of the file that names it)."""
    if not is_path(name):
        for folder in _folders(kind):
            for suffix in _SUFFIXES:
                path = folder / (name + suffix)
                if _holds(path.is_file):
                    return path
        if kind == "workload" and name in trained():
            return trained()[name]
    path = (base or Path()) / name
    if _holds(path.is_file) or (is_path(name) and _holds(path.exists)):
        return path
    if is_path(name):
        raise NotFoundError(f"no {kind} file at {str(path)!r:.300}")
    known = [*names(kind), *(trained() if kind == "workload" else ())]
    hint = nearest(name, known) or f"; there are {', '.join(known)}"
    raise NotFoundError(f"no {kind} named {name!r:.100}{hint}")


def shown(path: Path) -> str:
    """The path as messages show it: from the library's root, from the working folder, or as it is."""
    for root in (_ROOT, Path.cwd()):
        try:
            return str(path.resolve().relative_to(root))
        except ValueError:
            continue
    return str(path)
