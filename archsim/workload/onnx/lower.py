"""Lowers a flat network to the layers of a workload: one rule an operator, views of tensors carried along.

Rules stand in :mod:`~archsim.workload.onnx.rules_matrix` (what has weights, and products of activations),
:mod:`~archsim.workload.onnx.rules_vector` (element-wise work), :mod:`~archsim.workload.onnx.rules_norm`,
:mod:`~archsim.workload.onnx.rules_pool`, :mod:`~archsim.workload.onnx.attention`, and
:mod:`~archsim.workload.onnx.rules_shape` (what moves data, most of it nothing but a change of view).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from onnx import checker

from archsim.errors import WorkloadError
from archsim.workload.graph import Shape
from archsim.workload.onnx.emit import CacheError, Emitter
from archsim.workload.onnx.layout import Axis, View, full, joined, raster, regrouped
from archsim.workload.onnx.net import Net
from archsim.workload.onnx.tensors import Value
from archsim.workload.onnx.trace import Node

__all__ = ["MALFORMED", "BatchError", "Lowering", "NeedsPositionsError", "Rule", "Unknown"]

Rule = Callable[["Lowering", Node], None]

MAX_LENGTH: Final = 65536
"""The largest height or width of a workload."""


MALFORMED: Final = (
    KeyError,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RecursionError,
    checker.ValidationError,
)
"""What code runs into when a node lacks what its operator must have, or has it in another form."""


class NeedsPositionsError(Exception):
    """A step of the sequence is looked at by itself, so that the steps must stand as positions."""


class BatchError(Exception):
    """An operator that takes one image at a time has a batch of more."""

    def __init__(self, size: int, title: str) -> None:
        super().__init__(title)
        self.size = size
        self.title = title


class Unknown(Exception):  # noqa: N818 (a signal between rule and lowering, never seen by a user)
    """A rule does not know the form that its node has; the text says what is unusual."""


class Lowering:
    """The state of a lowering: the network, the layers so far, the view of each tensor.

    ``steps``: the length of the sequence whose steps the layers work through one by one; None where tokens are
    positions.
    """

    def __init__(self, net: Net, rules: dict[str, Rule], steps: int | None, *, map_unknown: bool, caches: bool) -> None:
        self.net = net
        self.rules = rules
        self.steps = steps
        self.map_unknown = map_unknown
        self.caches = caches
        """Whether keys and values of the past, given as inputs, are taken for caches in the machine."""
        self.hints: dict[View, str] = {}
        """Names of nodes that do nothing but change a view: a layer that this takes in the end is called so."""
        self.likes: dict[tuple[Any, ...], str] = {}
        """Layers that repeat a tensor to the layout of another, by both."""
        self._placed: dict[tuple[Any, ...], str] = {}
        self.emit = Emitter()
        self.views: dict[str, View] = {}
        self.node: Node | None = None
        self.provenance: dict[str, Node] = {}
        """The node that each layer is from."""
        self.after: dict[str, Node] = {}
        """A scale and shift that became part of a norm."""

    # -- the whole network ------------------------------------------------------------------------

    def run(self) -> None:
        """Lower all nodes, after the inputs have their views."""
        unknown: list[str] = []
        for node in self.net.nodes:
            self.node = node
            count = len(self.emit.layers)
            try:
                self._lower(node)
            except Unknown as reason:
                unknown.append(f"{node.title}{': ' + str(reason) if str(reason) else ''}")
                self._as_vector(node)
            for layer in self.emit.layers[count:]:
                self.provenance.setdefault(layer["name"], node)
        if unknown and not self.map_unknown:
            listed = "\n".join(f"  {line}" for line in unknown[:50])
            more = f"\n  and {len(unknown) - 50} more" if len(unknown) > 50 else ""
            message = f"{self.net.where}: operators that archsim does not know:\n{listed}{more}\n"
            raise WorkloadError(message + "--map-unknown=vector takes each as one look-up an output value")
        for line in unknown:
            self.emit.note(f"unknown operator as one look-up an output value: {line}")

    def _lower(self, node: Node) -> None:
        op = node.op.removeprefix("com.microsoft.") if node.op not in self.rules else node.op
        rule = self.rules.get(op)
        if rule is None:
            raise Unknown
        try:
            rule(self, node)
        except MALFORMED as error:
            raise Unknown(
                f"its inputs or attributes are not as expected ({type(error).__name__}: {error!s:.80})"
            ) from None

    def _as_vector(self, node: Node) -> None:
        from archsim.workload.onnx.rules_vector import whole_vector  # noqa: PLC0415 (rules need this module)

        for name in node.outputs:
            if name and (name in self.net.readers or name in self.net.outputs):
                whole_vector(self, node, name, {"lookup": 1})

    # -- tensors ----------------------------------------------------------------------------------

    def value(self, name: str) -> Value:
        """What is known of a tensor."""
        return self.net.values[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor in ONNX."""
        return self.net.values[name].shape

    def view(self, name: str) -> View:
        """The view of a tensor that depends on the inputs; Unknown if it is a constant."""
        if name not in self.views:
            raise Unknown(f"reads the constant {name!r:.60} where it would read an activation")
        return self.views[name]

    def operands(self, node: Node) -> list[str]:
        """The inputs of a node that depend on the network's inputs, each once."""
        return [name for name in dict.fromkeys(node.inputs) if name in self.views]

    # -- views ------------------------------------------------------------------------------------

    def fresh(self, layer: str, shape: Sequence[int], channels: Sequence[int]) -> View:
        """A tensor of ``shape`` that a new layer gives: the axes ``channels`` are channels, the others positions."""
        axes: list[Axis] = [()] * len(shape)
        rest = [axis for axis in range(len(shape)) if axis not in channels]
        along = "S" if self.steps is not None else "P"
        for group, dimension in ((list(channels), "C"), (rest, along)):
            for axis, atoms in zip(group, raster(dimension, [shape[axis] for axis in group]), strict=True):  # type: ignore[arg-type]
                axes[axis] = atoms
        return View(layer, tuple(axes))

    def placed(
        self,
        view: View,
        channels: Sequence[int],
        positions: Sequence[int],
        grid: tuple[int, int] | None,
        *,
        repeat: bool = False,
    ) -> str:
        """As :meth:`laid_out`, and the same layer for the same order as before."""
        order = tuple(view.axes[axis] for axis in channels), tuple(view.axes[axis] for axis in positions)
        key = view.layer, order, grid, repeat
        if key not in self._placed:
            self._placed[key] = self.laid_out(view, channels, positions, grid, repeat=repeat)
        return self._placed[key]

    def laid_out(
        self,
        view: View,
        channels: Sequence[int],
        positions: Sequence[int],
        grid: tuple[int, int] | None,
        *,
        repeat: bool,
    ) -> str:
        """The layer whose channels are the axes ``channels`` of ``view`` in that order, and whose positions the others.

        ``grid`` gives rows and columns, None asks for features or, with more than one position, any grid.  Where the
        layer of the view is another, layers that move data are added.  ``repeat``: repetition may stay.
        """
        layer = view.layer
        shape = view.shape
        wanted_c = joined([atom for axis in channels for atom in view.axes[axis]])
        wanted_p = joined([atom for axis in positions for atom in view.axes[axis]])
        if repeat:
            wanted_c = joined([atom for atom in wanted_c if atom.dimension != "R"])
        count_c, count_p = _product(wanted_c), _product(wanted_p)
        have_c, have_p = self.emit.channels(layer), self.emit.positions(layer)
        along = "S" if self.steps is not None and wanted_p and wanted_p[0].dimension == "S" else "P"
        if along == "S" and wanted_p == full("S", self.steps or 1) and wanted_c == full("C", have_c):
            return layer
        if self.steps is not None and len(shape) and any(a.dimension == "S" for axis in view.axes for a in axis):
            raise NeedsPositionsError
        if layer in self.emit.cached:
            if wanted_c == full("C", have_c) and wanted_p == full("P", have_p):
                return layer
            raise CacheError
        target = self._target(count_c, count_p, grid)
        if wanted_c == full("C", have_c) and wanted_p == full("P", have_p):
            return self._regrid(layer, target, grid, self.hints.get(view))
        flat = wanted_c == joined((*full("C", have_c), *full("P", have_p)))
        if flat and count_p == 1 and len(self.emit.shapes[layer]) == 3 and len(target) == 1:
            return self.emit.add(self.hints.get(view) or f"{layer}.flat", {"flatten": True}, target, layer)
        groups = self._shuffled(wanted_c, have_c)
        if groups and wanted_p == full("P", have_p) and target == self.emit.shapes[layer]:
            return self.emit.add(f"{layer}.shuffle", {"shuffle": groups}, target, layer)
        reads = "raster" if _in_raster(wanted_p, have_p) else "whole"
        spec: dict[str, Any] = {"move": list(target), "reads": reads, "what": "transpose"}
        return self.emit.add(f"{layer}.order", spec | {"groups": 1}, target, layer)

    def _target(self, channels: int, positions: int, grid: tuple[int, int] | None) -> Shape:
        if grid is not None:
            return (channels, *grid)
        if positions == 1:
            return (channels,)
        return (channels, *_grid(positions))

    def _regrid(self, layer: str, target: Shape, grid: tuple[int, int] | None, name: str | None) -> str:
        """The same channels and positions in the grid that is asked for."""
        shape = self.emit.shapes[layer]
        if shape == target or (grid is None and math.prod(target[1:]) > 1):
            return layer
        if len(target) == 1:
            return self.emit.add(name or f"{layer}.flat", {"flatten": True}, target, layer)
        return self.emit.add(
            f"{layer}.grid", {"move": list(target), "reads": "raster", "what": "reshape"}, target, layer
        )

    @staticmethod
    def _shuffled(wanted: Axis, channels: int) -> int:
        """The groups of a channel shuffle that gives ``wanted``, 0 if it is none."""
        if len(wanted) != 2 or any(atom.dimension != "C" for atom in wanted):
            return 0
        outer, inner = wanted
        fine = outer.stride == 1 and inner.stride == outer.size and outer.size * inner.size == channels
        return inner.size if fine else 0

    def reshaped(self, view: View, shape: Sequence[int]) -> View:
        """The tensor in another shape; where its atoms do not divide, its values are first put in a row."""
        axes = regrouped(view.axes, shape)
        if axes is not None:
            return View(view.layer, axes)
        row = self.placed(view, list(range(len(view.axes))), [], None)
        features = View(row, (full("C", self.emit.channels(row)),))
        found = regrouped(features.axes, shape)
        assert found is not None  # a row divides into anything of as many values
        return View(row, found)

    def arranged(self, layer: str, shape: Sequence[int], channels: Sequence[int], rest: Sequence[int]) -> View:
        """A tensor of ``shape`` with the axes ``channels`` as channels and ``rest``, in this order, as positions."""
        view = self.fresh(layer, [shape[k] for k in (*channels, *rest)], range(len(channels)))
        axes = dict(zip((*channels, *rest), view.axes, strict=True))
        return View(layer, tuple(axes.get(k, ()) for k in range(len(shape))))

    def batched(self, size: int) -> NoReturn:
        """Say that the network takes several images at once."""
        raise BatchError(size, self.node.title if self.node else "")

    def finish(self, node: Node, view: View, output: int = 0) -> None:
        """Set the view of an output of ``node``."""
        name = node.outputs[output]
        if view.shape != self.shape(name):
            message = f"{self.net.where}: node {node.title} gives {list(view.shape)}, expected {list(self.shape(name))}"
            raise WorkloadError(message)
        self.views[name] = view

    def wanted(self, node: Node, output: int) -> bool:
        """Whether an output of a node is read."""
        name = node.outputs[output] if output < len(node.outputs) else ""
        return bool(name) and (name in self.net.readers or name in self.net.outputs)


def _in_raster(positions: Axis, have: int) -> bool:
    """Whether these positions need those of a layer, of which it has ``have``, in raster order: each its own, or a run
    of them that become its channels; several may share one."""
    first = positions[0] if positions else None
    if first is None or first.dimension != "P" or first.stride * first.size != have:
        return False
    return first.stride == 1 or len(positions) == 1


def _product(atoms: Axis) -> int:
    return math.prod(atom.size for atom in atoms)


def _grid(positions: int) -> tuple[int, int]:
    """Rows and columns for so many positions: one column if that can be."""
    if positions <= MAX_LENGTH:
        return positions, 1
    columns = next((n for n in range(2, MAX_LENGTH) if positions % n == 0 and positions // n <= MAX_LENGTH), 0)
    if not columns:
        raise WorkloadError(f"a tensor has {positions} positions, which make no grid of at most {MAX_LENGTH} a side")
    return positions // columns, columns
