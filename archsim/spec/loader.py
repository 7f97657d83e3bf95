"""From a name or a file to a validated model: references, ``extends``, overrides, and every error at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import ValidationError

from archsim import library
from archsim.errors import NotFoundError, Problem, SpecError, nearest
from archsim.spec.base import Strict
from archsim.spec.chip import Chip
from archsim.spec.drawn import routers_and_links
from archsim.spec.tile import Tile
from archsim.spec.tree import Mark, Node, node_of, parse, plain_scalar, read_file

__all__ = [
    "Loaded",
    "document_kind",
    "from_plain",
    "load",
    "load_chip",
    "load_node",
    "load_tile",
    "overridden",
    "validate",
]

Model = TypeVar("Model", bound=Strict)
Chain = tuple[Path, ...]

REFERENCES = {"chip": {"tile": "tile"}, "tile": {}, "workload": {}, "study": {}, "review": {}}
"""Which keys of a kind of document name another document."""

MAX_FILES = 32
"""The longest row of files of which each extends or names the next."""


class _EndlessError(Exception):
    """Files that name each other in a ring, or in a row too long to be meant."""


class _Dumper(yaml.SafeDumper):
    """Quotes also the texts that only YAML 1.2 would read as numbers, such as ``1e9``."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(plain_scalar(text), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


@dataclass(frozen=True)
class Loaded(Generic[Model]):
    """A validated model and the fully resolved tree that it was made from."""

    model: Model
    node: Node

    def resolved_yaml(self) -> str:
        """The resolved configuration, references and overrides worked in, defaults written out."""
        plain = self.model.model_dump(mode="json", by_alias=True, exclude_none=True)
        return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)

    def plain_yaml(self) -> str:
        """The document as it was written, references and overrides worked in, without the defaults."""
        plain = self.node.plain()
        return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)

    @property
    def config_hash(self) -> str:
        """A hash of all that determines the model: SHA-256 of its canonical JSON, 16 digits."""
        plain = self.model.model_dump(mode="json", by_alias=True, exclude_none=True)
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def load(kind: str, name: str, model: type[Model], overrides: Sequence[str] = ()) -> Loaded[Model]:
    """The ``kind`` (chip, tile, workload) called ``name``, with ``key.key=value`` overrides applied."""
    return overridden(load_node(kind, name), kind, model, overrides)


def overridden(node: Node, kind: str, model: type[Model], overrides: Sequence[str]) -> Loaded[Model]:
    """The resolved tree ``node`` of a ``kind`` with overrides applied, which changes it."""
    for override in overrides:
        _override(node, kind, override)
    if kind == "chip":
        _draw_network(node)
    return Loaded(validate(node, model), node)


def _draw_network(chip: Node) -> None:
    """The network file that ``noc.graph`` names in place of its name."""
    noc = chip.value.get("noc")
    graph = noc.child("graph") if noc is not None and isinstance(noc.value, dict) else None
    if graph is None or not isinstance(graph.value, str):
        return
    try:
        noc.value["graph"] = routers_and_links((graph.base or Path()) / graph.value)
    except NotFoundError as error:
        raise SpecError([Problem(str(graph.mark), f"noc.graph: {error}")]) from None


def from_plain(
    kind: str, plain: dict[str, Any], model: type[Model], origin: str, overrides: Sequence[str] = ()
) -> Loaded[Model]:
    """A document of ``kind`` that was read from a file of another format, ``origin`` in messages."""
    node = node_of(plain, Mark(origin))
    for override in overrides:
        _override(node, kind, override)
    return Loaded(validate(node, model), node)


def document_kind(name: str) -> str:
    """What ``name`` is: the first of chip, workload and tile that a library holds, or what its file says."""
    if library.is_onnx(name):
        return "workload"
    for kind in ("chip", "workload", "tile"):
        listed = library.names(kind).get(name)
        if listed and _declared_kind(read_file(listed, library.shown(listed))) == kind:
            return kind
    try:
        node = read_file(path := library.find("chip", name), library.shown(path))
    except NotFoundError:
        if library.is_path(name):
            raise NotFoundError(f"no file at {name!r:.300}") from None
        known = {other: kind for kind in ("tile", "workload", "chip") for other in library.names(kind)}
        hint = nearest(name, known) or "; 'archsim list' shows all names"
        raise NotFoundError(f"no chip, tile or workload named {name!r:.100}{hint}") from None
    declared = _declared_kind(node)
    if not isinstance(declared, str) or declared not in ("chip", "workload", "tile"):
        raise SpecError([_kind_problem(node, declared, "chip, tile or workload")])
    return declared


def _declared_kind(node: Node) -> Any:
    if not isinstance(node.value, dict):
        raise SpecError([Problem(str(node.mark), "expected a mapping with 'schema: 1' and 'kind: …'")])
    return node.value["kind"].plain() if "kind" in node.value else None


def _kind_problem(node: Node, got: Any, expected: str) -> Problem:
    if got is None:
        return Problem(str(node.mark), f"the key 'kind' is missing; expected kind: {expected}")
    hint = nearest(str(got), library.FOLDERS) if got not in tuple(library.FOLDERS) else ""
    return Problem(str(node.find(("kind",))), f"expected kind: {expected}, got kind: {got!s:.40}{hint}")


def load_node(kind: str, name: str, base: Path | None = None, chain: Chain = ()) -> Node:
    """The resolved tree of the ``kind`` called ``name``; ``chain`` are the files that led here.

    NotFoundError if there is none.
    """
    path = library.find(kind, name, base)
    if (real := path.resolve()) in chain:
        loop = [library.shown(step) for step in (*chain[chain.index(real) :], real)]
        raise _EndlessError("the files refer to each other: " + " -> ".join(loop))
    if len(chain) == MAX_FILES:
        raise _EndlessError(f"more than {MAX_FILES} files refer to each other in a row")
    node = read_file(path, library.shown(path))
    if (got := _declared_kind(node)) != kind:
        raise SpecError([_kind_problem(node, got, kind)])
    return _resolve(node, kind, (*chain, real))


def _resolve(node: Node, kind: str, chain: Chain) -> Node:
    """``node`` with its references replaced by what they name, and laid over what it extends."""
    for key, other in REFERENCES[kind].items():
        child = node.value.get(key)
        if child is not None and isinstance(child.value, str):
            node.value[key] = _named(other, child, chain)
            node.value[key].whole = True
        elif child is not None and isinstance(child.value, dict) and "extends" in child.value:
            node.value[key] = _resolve(child, other, chain)
            node.value[key].whole = True
    if "extends" not in node.value:
        return node
    parent = node.value.pop("extends")
    if not isinstance(parent.value, str):
        message = f"extends: expected the name of a {kind}, got {parent.plain()!r}"
        raise SpecError([Problem(str(parent.mark), message[:200])])
    return _merge(_named(kind, parent, chain), node, node.mark.origin)


def _named(kind: str, reference: Node, chain: Chain) -> Node:
    try:
        return load_node(kind, reference.value, reference.base, chain)
    except (NotFoundError, _EndlessError) as error:
        raise SpecError([Problem(str(reference.mark), str(error))]) from None


def _merge(below: Node, above: Node, who: str) -> Node:
    """``above`` laid over ``below``: mappings merge, ``null`` removes, what is of another kind replaces the whole."""
    mappings = isinstance(below.value, dict) and isinstance(above.value, dict)
    if not mappings or above.whole or _other_kind(below, above):
        return above
    merged = Node(dict(below.value), above.mark, dict(below.key_marks), above.base)
    for key, child in above.value.items():
        merged.key_marks[key] = above.key_marks[key]
        if key not in merged.value:
            merged.value[key] = child
        elif child.value is None:
            del merged.value[key]
        else:
            merged.value[key] = _merge(merged.value[key], child, who)
    _say_who_changed(merged, above.value.keys(), who)
    return merged


def _other_kind(below: Node, above: Node) -> bool:
    kinds = [node.value["kind"].plain() for node in (below, above) if "kind" in node.value]
    return len(kinds) == 2 and kinds[0] != kinds[1]


def _say_who_changed(row: Node, changed: Any, who: str) -> None:
    """A component row whose numbers were changed no longer has the standing of its source."""
    numbers = [key for key in changed if key not in ("source", "status", "note", "assumed", "kind")]
    if "source" not in row.value or "status" not in row.value or not numbers:
        return
    if "status" not in changed:
        row.value["status"] = Node("set_by_user", row.mark)
    if "source" not in changed:
        was = row.value["source"].plain()
        row.value["source"] = Node(f"{was}; {', '.join(numbers)} set by {who}", row.mark)


def _override(root: Node, kind: str, text: str) -> None:
    """Apply one ``dotted.key=value``; the value is YAML, and ``null`` removes the key."""
    key, equals, value = text.partition("=")
    origin = f"--set {text}"
    if not equals or not key.strip():
        raise SpecError([Problem(origin, "expected dotted.key=value, such as tile.core.components.adc.bits=6")])
    new = parse(value, origin) if value.strip() else Node(None, Mark(origin))
    _place_at(new, Mark(origin))
    steps = key.strip().split(".")
    if len(steps) == 1 and steps[0] in REFERENCES[kind] and isinstance(new.value, str):
        new = _named(REFERENCES[kind][steps[0]], new, ())
    way = [root]
    for depth, step in enumerate(steps[:-1]):
        way.append(_descend(way[-1], step, ".".join(steps[:depth]), origin))
    _put(way[-1], steps[-1], new, ".".join(steps[:-1]), origin)
    for node, step in zip(way, steps, strict=True):
        _say_who_changed(node, [step], "--set")


def _place_at(node: Node, mark: Mark) -> None:
    node.mark = mark
    children = node.value.values() if isinstance(node.value, dict) else node.value
    for child in children if isinstance(node.value, dict | list) else ():
        _place_at(child, mark)
    node.key_marks = dict.fromkeys(node.key_marks, mark)


def _descend(node: Node, step: str, where: str, origin: str) -> Node:
    child = node.child(step)
    if child is not None:
        return child
    if not isinstance(node.value, dict):
        kind = "a list" if isinstance(node.value, list) else "a value"
        raise SpecError([Problem(origin, f"{where!r} is {kind} and has no key {step!r}")])
    hint = nearest(step, node.value) or f"; the keys there are {', '.join(sorted(node.value))}"
    raise SpecError([Problem(origin, f"{repr(where) if where else 'the document'} has no key {step!r}{hint}")])


def _put(node: Node, step: str, new: Node, where: str, origin: str) -> None:
    if new.value is None and node.child(step) is None:
        _descend(node, step, where, origin)  # what is not there cannot be removed
    if isinstance(node.value, list) and node.child(step) is not None:
        node.value[int(step)] = new
    elif isinstance(node.value, dict) and new.value is None:
        del node.value[step]
    elif isinstance(node.value, dict):
        node.value[step] = new
        node.key_marks[step] = new.mark
    else:
        raise SpecError([Problem(origin, f"{where!r} has no key {step!r}")])


def validate(node: Node, model: type[Model]) -> Model:
    """``node`` as a ``model``; SpecError lists every mistake with its place."""
    try:
        return model.model_validate(node.plain())
    except ValidationError as error:
        found = [_located(node, line) for line in _told(error.errors(include_url=False))]
        found.sort(key=lambda pair: pair[0])
        raise SpecError([problem for _, problem in found]) from None


def _told(lines: Sequence[Any]) -> list[Any]:
    """Without the lists that are called too short for their members that are mistakes of their own."""
    lists = {line["loc"][:-1] for line in lines}
    return [line for line in lines if line["type"] != "too_short" or line["loc"] not in lists]


def _located(node: Node, line: Any) -> tuple[tuple[str, int, int], Problem]:
    path = tuple(step for step in line["loc"] if step != "[key]")
    if at := (line.get("ctx") or {}).get("at"):  # said of the whole, it stands at one of its keys
        return _at(node, (*path, *at.split(".")), str(line["msg"]))
    mark = node.find(path) if line["type"] == "unknown_key" else (node.value_mark(path) or node.find(path[:-1]))
    dotted = ".".join(str(step) for step in path)
    message = f"{dotted}: {line['msg']}" if dotted else str(line["msg"])
    return (mark.origin, mark.line, mark.column), Problem(str(mark), message)


def _at(node: Node, path: tuple[Any, ...], message: str) -> tuple[tuple[str, int, int], Problem]:
    mark = node.value_mark(path) or node.find(path)
    dotted = ".".join(str(step) for step in path)
    return (mark.origin, mark.line, mark.column), Problem(str(mark), f"{dotted}: {message}")


def load_chip(name: str, overrides: Sequence[str] = ()) -> Loaded[Chip]:
    """The chip called ``name``, its tile resolved."""
    return load("chip", name, Chip, overrides)


def load_tile(name: str, overrides: Sequence[str] = ()) -> Loaded[Tile]:
    """The tile called ``name``."""
    return load("tile", name, Tile, overrides)
