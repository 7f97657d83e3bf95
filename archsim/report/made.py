"""What made a report: the version of archsim and the command, in the last line of the report's main file.

Where files are written to, and by how many processes, does not change what is in them, so that is left out: a report
has the same bytes in whatever folder it is made.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from archsim._version import __version__

__all__ = ["command_line", "made_by", "made_with", "signed"]

WITHOUT_EFFECT = ("--out", "--json", "--jobs", "--store", "--cluster")
"""Options, each with a value, that no report depends on."""

_words: ContextVar[tuple[str, ...] | None] = ContextVar("archsim_command", default=None)


@contextmanager
def made_with(words: Sequence[str]) -> Iterator[None]:
    """While this lasts, reports are made by the command ``archsim`` with these ``words``."""
    token = _words.set(tuple(words))
    try:
        yield
    finally:
        _words.reset(token)


def command_line(words: Sequence[str]) -> str:
    """The command as a shell takes it, without the options that no report depends on."""
    kept, rest = ["archsim"], iter(words)
    for word in rest:
        name, has_value, _ = word.partition("=")
        if name not in WITHOUT_EFFECT:
            kept.append(word)
        elif not has_value:
            next(rest, None)
    return shlex.join(kept)


def made_by(command: str | None = None) -> str:
    """The version, and the command if there is one: ``command``, or the one that runs now."""
    words = _words.get()
    if command is None and words is not None:
        command = command_line(words)
    version = f"Made by archsim {__version__}"
    if command is None:
        return f"{version}."
    fence = "``" if "`" in command else "`"
    return f"{version}: {fence}{' '.join(command.split())}{fence}, and `--out` with a folder."


def signed(markdown: str, command: str | None = None) -> str:
    """A report in Markdown with the line that says what made it, see :func:`made_by`."""
    return f"{markdown.rstrip()}\n\n{made_by(command)}\n"
