"""Blocks written out and names resolved: from the lists of layers in a file to one list of steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from archsim.errors import WorkloadError, nearest
from archsim.spec.layer import Add, BlockUse, Concat, LayerModel, OperatorLayer
from archsim.spec.layer_base import LayerSpec
from archsim.spec.layer_vector import Combine, Matmul, Move, Vector
from archsim.spec.workload import Workload
from archsim.workload.graph import INPUT

__all__ = ["Path", "Place", "Step", "expand"]

Path = tuple[str | int, ...]
"""Where a layer stands in the file: ``("blocks", "bottleneck", 2)``."""

Place = Callable[[Path], str]
"""How messages show it, as file:line:column."""

MAX_LAYERS: Final = 20_000
MAX_DEPTH: Final = 16


@dataclass(frozen=True, slots=True)
class Step:
    """One layer with its full name and those of the steps that it reads."""

    name: str
    spec: OperatorLayer
    inputs: tuple[str, ...]
    path: Path


@dataclass(slots=True)
class _Scope:
    """What the names in one list of layers mean: full names of the steps so far, and all names there will be."""

    meaning: dict[str, str]
    names: set[str]
    block: str
    """The block that the list belongs to, empty for the network's own."""

    def unknown(self, name: str) -> str:
        """Why ``name`` means nothing here."""
        inside = f" in the block {self.block!r}" if self.block else ""
        if name in self.names:
            return f"which comes later{inside}; a layer reads those before it"
        use = next((known for known in self.meaning if name.startswith(f"{known}.")), "")
        if use and use != INPUT:
            return f"and of {use!r} only the last layer can be read, as {use!r}"
        hint = nearest(name, self.meaning) or f"; the layers before it are {', '.join(self.meaning)}"
        return f"and there is no such layer{inside}{hint[:400]}"


def _names(layer: LayerModel, counts: dict[str, int]) -> list[str]:
    """The names of a layer or of each repetition of a block; ``counts`` are those numbered so far, by what."""
    if not isinstance(layer, BlockUse):
        counts[layer.operator] = number = counts.get(layer.operator, 0) + 1
        return [layer.name or f"{layer.operator}{number}"]
    if layer.name:
        several = [f"{layer.name}.{number}" for number in range(1, layer.repeat + 1)]
        return [*several, layer.name] if layer.repeat > 1 else [layer.name]
    key = f"block {layer.block}"
    done = counts.get(key, 0)
    counts[key] = done + layer.repeat
    return [f"{layer.block}.{number}" for number in range(done + 1, done + layer.repeat + 1)]


def _named(layer: LayerModel) -> tuple[list[str], bool]:
    """The layers that ``layer`` names beside its input, and whether it reads its input."""
    match layer:
        case Concat():
            return layer.concat, False
        case Add():
            return layer.add, True
        case Combine():
            return layer.named, True
        case Matmul():
            return [layer.matmul], True
        case Vector() | Move():
            return layer.operands or [], layer.operands is None
        case _:
            return [], True


@dataclass(slots=True)
class _Expansion:
    workload: Workload
    place: Place
    steps: list[Step] = field(default_factory=list)

    def error(self, path: Path, message: str) -> WorkloadError:
        return WorkloadError(f"{self.place(path)}: {message}")

    def run(
        self,
        layers: Sequence[LayerModel],
        prefix: str,
        source: str,
        path: Path,
        blocks: tuple[str, ...],
        inputs: Sequence[str] = (),
    ) -> str:
        """Append the steps of ``layers``, which read ``source`` first and may name ``inputs``; the name of the last."""
        named = self.named(layers, path)
        known = {INPUT: source, **{name: name for name in inputs}}
        scope = _Scope(known, {name for names in named for name in names}, blocks[-1] if blocks else "")
        previous = source
        for index, (layer, names) in enumerate(zip(layers, named, strict=True)):
            where = (*path, index)
            inputs = self.inputs(layer, names[-1], previous, scope, where)
            if not isinstance(layer, BlockUse):
                previous = scope.meaning[names[0]] = self.step(Step(prefix + names[0], layer, inputs, where))
                continue
            previous = inputs[0]
            for name in names[: layer.repeat]:
                previous = scope.meaning[name] = self.block(layer, prefix + name, previous, where, blocks)
            scope.meaning[names[-1]] = previous
        return previous

    def named(self, layers: Sequence[LayerModel], path: Path) -> list[list[str]]:
        """The names of each entry in its list: one for each repetition, and last the name for all of them, if given."""
        counts: dict[str, int] = {}
        taken: set[str] = set()
        named = []
        for index, layer in enumerate(layers):
            names = _names(layer, counts)
            for name in names:
                if name in taken:
                    message = f"two layers are named {name!r}; give one of them another name"
                    raise self.error((*path, index), message)
                taken.add(name)
            if len(taken) > MAX_LAYERS:
                raise self.error((*path, index), f"the network has more than {MAX_LAYERS} layers")
            named.append(names)
        return named

    def inputs(self, layer: LayerModel, own: str, previous: str, scope: _Scope, path: Path) -> tuple[str, ...]:
        """The full names of what ``layer``, itself called ``own``, reads."""
        named, reads_previous = _named(layer)
        found = (
            [previous if layer.input is None else self.resolve(layer.input, own, scope, path)]
            if (reads_previous and isinstance(layer, LayerSpec))
            else []
        )
        known = set(found)  # quick to look into
        for name in named:
            full = self.resolve(name, own, scope, path)
            if full in known and isinstance(layer, Add | Concat):
                raise self.error(path, f"layer {own!r} reads {full!r} twice")
            found.append(full)
            known.add(full)
        return tuple(found)

    def resolve(self, name: str, own: str, scope: _Scope, path: Path) -> str:
        if name not in scope.meaning:
            raise self.error(path, f"layer {own!r} reads {name!r}, {scope.unknown(name)}")
        return scope.meaning[name]

    def step(self, step: Step) -> str:
        if len(self.steps) >= MAX_LAYERS:
            raise self.error(step.path, f"the network has more than {MAX_LAYERS} layers")
        self.steps.append(step)
        return step.name

    def block(self, use: BlockUse, name: str, source: str, path: Path, blocks: tuple[str, ...]) -> str:
        """Append the layers of one use of a block, called ``name``; the name of the last."""
        known = self.workload.blocks
        if use.block not in known:
            hint = nearest(use.block, known) or f"; the blocks are {', '.join(known) or 'none'}"
            raise self.error(path, f"there is no block {use.block!r}{hint[:400]}")
        if use.block in blocks:
            loop = [*blocks[blocks.index(use.block) :], use.block]
            raise self.error(path, f"the blocks contain each other: {' -> '.join(loop)}")
        if len(blocks) >= MAX_DEPTH:
            raise self.error(path, f"blocks stand in blocks more than {MAX_DEPTH} levels deep")
        return self.run(known[use.block], name + ".", source, ("blocks", use.block), (*blocks, use.block))


def expand(workload: Workload, place: Place) -> list[Step]:
    """All layers in order, each after what it reads.  WorkloadError for names that lead nowhere."""
    expansion = _Expansion(workload, place)
    inputs = list(workload.input_shapes)
    expansion.run(workload.layers, "", inputs[0], ("layers",), (), inputs)
    return expansion.steps
