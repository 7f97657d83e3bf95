"""Strict YAML: text to a tree of nodes that know where they stand.

YAML 1.2 scalars (``on`` is text, ``1e9`` a number).  Duplicate keys, anchors, aliases, tags, keys that are
no text and more than one document are mistakes; size, depth and the number of values are bounded, so that no
file can take much memory or time.  All mistakes of a file are reported at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from archsim.errors import Problem, SpecError

__all__ = ["Mark", "Node", "node_of", "parse", "plain_scalar", "read_file"]

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_DEPTH: Final = 48
TOO_DEEP: Final = f"nested more than {MAX_DEPTH} levels deep"
MAX_VALUES: Final = 20_000
MAX_KEYS: Final = 2_000
MAX_KEY_LENGTH: Final = 200

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in what the user wrote: a file, line and column, or an override on the command line."""

    origin: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.origin}:{self.line}:{self.column}" if self.line else self.origin


@dataclass(slots=True)
class Node:
    """A mapping, a list or a scalar.  ``key_marks`` tells where each key of a mapping stands.

    ``base`` is the file that holds it: references in it are looked up from there.
    """

    value: Any
    mark: Mark
    key_marks: dict[str, Mark] = field(default_factory=dict)
    base: Path | None = None
    whole: bool = False
    """Whether it stands for another document, and so replaces what it is laid over and does not merge with it."""

    def plain(self) -> Any:
        """The node as dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def copy(self) -> Node:
        """The tree once more, whose mappings and lists can be changed on their own; scalars, which are replaced and
        never changed, are the same nodes."""
        if isinstance(self.value, dict):
            children = {key: child.copy() for key, child in self.value.items()}
            return Node(children, self.mark, dict(self.key_marks), self.base, self.whole)
        if isinstance(self.value, list):
            return Node([child.copy() for child in self.value], self.mark, {}, self.base, self.whole)
        return self

    def child(self, step: Any) -> Node | None:
        """The node under a key, or at an index of a list (as a number or its digits); None if there is none."""
        if isinstance(self.value, dict):
            return self.value.get(str(step))
        index = int(step) if str(step).isascii() and str(step).isdigit() else -1
        return self.value[index] if isinstance(self.value, list) and 0 <= index < len(self.value) else None

    def find(self, path: tuple[Any, ...]) -> Mark:
        """The mark of the key, or else of the value, at ``path``; of the deepest node there is on the way."""
        node, mark = self, self.mark
        for step in path:
            child = node.child(step)
            if child is not None:
                mark = node.key_marks.get(str(step), child.mark)
                node = child
        return mark

    def value_mark(self, path: tuple[Any, ...]) -> Mark | None:
        """The mark of the value at ``path``, None if there is none."""
        node = self
        for step in path:
            child = node.child(step)
            if child is None:
                return None
            node = child
        return node.mark


def node_of(value: Any, mark: Mark) -> Node:
    """Dicts, lists and scalars as a tree, all of it at ``mark``."""
    if isinstance(value, dict):
        return Node({key: node_of(child, mark) for key, child in value.items()}, mark, dict.fromkeys(value, mark))
    if isinstance(value, list):
        return Node([node_of(child, mark) for child in value], mark)
    return Node(value, mark)


_INT: Final = re.compile(r"[-+]?[0-9]+")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Final = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], float("nan")),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], float("inf")),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], float("-inf")),
}
_LONGEST_NUMBER: Final = 40


def plain_scalar(text: str) -> Any:
    """A plain scalar by the YAML 1.2 core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= _LONGEST_NUMBER:
        if _INT.fullmatch(text):
            return int(text)
        if _HEX.fullmatch(text):
            return int(text, 16)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


class _Builder:
    """Builds the tree from parser events, so that nothing is expanded and depth is bounded."""

    def __init__(self, origin: str, base: Path | None) -> None:
        self.origin = origin
        self.base = base
        self.problems: list[Problem] = []
        self.values = 0

    def mark(self, event: yaml.Event) -> Mark:
        start = event.start_mark
        return Mark(self.origin, start.line + 1, start.column + 1) if start else Mark(self.origin)

    def problem(self, event: yaml.Event, message: str) -> None:
        self.problems.append(Problem(str(self.mark(event)), message))
        if len(self.problems) == SpecError.LISTED - 1:
            raise SpecError([*self.problems, Problem(self.origin, "too many mistakes; the rest is not read")])

    def stop(self, event: yaml.Event, message: str) -> SpecError:
        return SpecError([*self.problems, Problem(str(self.mark(event)), message)])

    def build(self, events: Iterator[yaml.Event]) -> Node | None:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self.stop(event, "a second document begins here; a file holds one")
                root = self.node(next(events), events, 1)
        return root

    def node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.stop(event, TOO_DEEP)
        self.values += 1
        if self.values > MAX_VALUES:
            raise self.stop(event, f"more than {MAX_VALUES} keys and values in one file")
        if isinstance(event, yaml.AliasEvent):
            raise self.stop(event, f"aliases are not supported, got *{event.anchor:.80}; write the value out")
        if (anchor := getattr(event, "anchor", None)) is not None:
            self.problem(event, f"anchors are not supported, got &{anchor:.80}; write the value out")
        if (tag := getattr(event, "tag", None)) is not None:
            self.problem(event, f"tags are not supported, got {tag[:80]!r}")
        node = Node(None, self.mark(event), base=self.base)
        if isinstance(event, yaml.ScalarEvent):
            node.value = plain_scalar(event.value) if not event.style else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            node.value = []
            while not isinstance(item := next(events), yaml.SequenceEndEvent):
                node.value.append(self.node(item, events, depth + 1))
        else:
            self.mapping(node, events, depth)
        return node

    def mapping(self, node: Node, events: Iterator[yaml.Event], depth: int) -> None:
        node.value = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self.node(event, events, depth + 1)
            value = self.node(next(events), events, depth + 1)
            name = str(key.value) if isinstance(key.value, int) and not isinstance(key.value, bool) else key.value
            if not isinstance(name, str):
                self.problem(event, f"a key must be text, got {key.plain()!r}"[:200])
            elif len(name) > MAX_KEY_LENGTH:
                self.problem(event, f"a key has at most {MAX_KEY_LENGTH} characters, got {len(name)}: {name[:40]!r}…")
            elif len(node.value) == MAX_KEYS and name not in node.value:
                raise self.stop(event, f"more than {MAX_KEYS} keys in one mapping")
            elif name in node.value:
                first = node.key_marks[name]
                self.problem(event, f"the key {name!r} stands here again, first at line {first.line}")
            else:
                node.value[name] = value
                node.key_marks[name] = key.mark


def parse(text: str, origin: str, base: Path | None = None) -> Node:
    """The tree of ``text``.  ``origin`` names it in messages; SpecError lists every mistake."""
    builder = _Builder(origin, base)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SpecError([Problem(origin, f"expected text in UTF-8, got {text[error.start]!r}")]) from None
    try:
        root = builder.build(iter(yaml.parse(text, Loader=_Loader)))
    except yaml.YAMLError as error:
        raise SpecError([*builder.problems, _syntax_problem(error, origin)]) from None
    if builder.problems:
        raise SpecError(builder.problems)
    if root is None:
        raise SpecError([Problem(origin, "the file is empty; expected 'schema: 1' and 'kind: …'")])
    return root


def _syntax_problem(error: yaml.YAMLError, origin: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable"
    where = f"{origin}:{mark.line + 1}:{mark.column + 1}" if mark else origin
    if "nesting depth" in what:  # late versions of the library look ahead, and have a limit of their own
        return Problem(where, TOO_DEEP)
    return Problem(where, f"not valid YAML: {what}")


def read_file(path: Path, shown: str | None = None) -> Node:
    """The tree of a file, whose size is looked at before its bytes are."""
    origin = shown or str(path)
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise SpecError([Problem(origin, "expected a YAML file, got something that is no file")])
        if size > MAX_BYTES:
            message = f"the file has {size} bytes, at most {MAX_BYTES} are read"
            raise SpecError([Problem(origin, message)])
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES)
    except OSError as error:
        raise SpecError([Problem(origin, f"cannot be read: {error.strerror}")]) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"expected a YAML file in UTF-8, got the byte 0x{raw[error.start]:02x} at offset {error.start}"
        raise SpecError([Problem(origin, message)]) from None
    return parse(text, origin, path.parent)
