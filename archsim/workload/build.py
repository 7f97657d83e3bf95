"""From a workload file to its graph: layer by layer, with the batch norms folded and every shape checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from archsim.errors import WorkloadError, nearest
from archsim.library import find, is_onnx
from archsim.spec.layer import BatchNorm
from archsim.spec.layer_base import Weighted
from archsim.spec.layer_vector import ConvTranspose, Recurrent
from archsim.spec.loader import Loaded, load
from archsim.spec.workload import Workload
from archsim.workload.expand import Path, Place, Step, expand
from archsim.workload.graph import INPUT, Graph, Layer, Shape
from archsim.workload.operators import make_layers

__all__ = ["ImportOptions", "build_graph", "load_graph"]


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a model of another format is read: ``bind`` gives its symbolic sizes, or whole shapes of inputs.

    With ``map_unknown`` an operator that archsim does not know is one look-up an output value.
    """

    bind: Mapping[str, int | Shape] = field(default_factory=dict)
    map_unknown: bool = False


def load_graph(
    name: str, overrides: Sequence[str] = (), imports: ImportOptions | None = None
) -> tuple[Graph, Loaded[Workload]]:
    """The graph of the workload called ``name`` (or at that path), and its specification.

    A path that ends in ``.onnx`` is that of an ONNX model, which ``imports`` says how to read.  ``overrides`` are
    ``key=value``, as ``sequence=100``.  SpecError, NotFoundError or WorkloadError if there is something wrong with it.
    """
    if is_onnx(name):
        return _load_onnx(name, overrides, imports or ImportOptions())
    if imports is not None and (imports.bind or imports.map_unknown):
        raise WorkloadError(f"{name!r:.100} is no ONNX file, and only these have sizes to bind and operators to map")
    loaded = load("workload", name, Workload, overrides)
    return build_graph(loaded.model, lambda path: str(loaded.node.value_mark(path) or loaded.node.mark)), loaded


def _load_onnx(name: str, overrides: Sequence[str], imports: ImportOptions) -> tuple[Graph, Loaded[Workload]]:
    path = find("workload", name)
    try:
        from archsim.workload.onnx import import_onnx  # noqa: PLC0415 (an extra, and slow to load)
    except ModuleNotFoundError as error:
        if error.name not in ("onnx", "google", "ml_dtypes"):
            raise
        raise WorkloadError("ONNX files need the package onnx: pip install 'archsim[onnx]'") from None
    made = import_onnx(path, imports.bind, overrides, map_unknown=imports.map_unknown)
    return made.graph, made.loaded


def build_graph(workload: Workload, place: Place | None = None) -> Graph:
    """The graph of ``workload``; WorkloadError, with the ``place`` of the layer, if its layers do not fit together."""
    builder = _Builder(workload.sequence, place or (lambda path: ".".join(str(step) for step in path)))
    for name, shape in workload.input_shapes.items():
        builder.layers[name] = Layer(name, INPUT, (), (), shape, builder.steps)
    steps = expand(workload, builder.place)
    for step in steps:
        builder.add(step)
    outputs = tuple(builder.output(name) for name in workload.outputs) or (builder.layer_of(steps[-1].name).name,)
    builder.check_all_read(outputs)
    layers = tuple(builder.layers.values())
    return Graph(
        workload.name,
        workload.title,
        workload.throughput_unit,
        builder.steps,
        layers,
        outputs,
        host=workload.host,
        autoregressive=workload.autoregressive,
    )


@dataclass(slots=True)
class _Builder:
    sequence: int | None
    place: Place
    layers: dict[str, Layer] = field(default_factory=dict)
    stands_for: dict[str, str] = field(default_factory=dict)
    """The layer that gives the output of a step, where it is another: of a batch norm, of a projected LSTM."""
    made_by: dict[str, Step] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    """The layers whose output is read."""
    folded: set[str] = field(default_factory=set)
    """The layers that a batch norm of its own was folded into: what they give before it no longer exists."""

    @property
    def steps(self) -> int:
        return self.sequence or 1

    def error(self, path: Path, message: str) -> WorkloadError:
        return WorkloadError(f"{self.place(path)}: {message}")

    def layer_of(self, name: str) -> Layer:
        """The layer that gives the output of the step called ``name``."""
        return self.layers[self.stands_for.get(name, name)]

    def add(self, step: Step) -> None:
        """Add the layers of the next step; what it reads is there already."""
        for name in step.inputs:
            if name in self.folded:
                message = f"layer {step.name!r} reads {name!r} before the batch norm that is folded into it"
                raise self.error(step.path, message)
        if isinstance(step.spec, BatchNorm):
            self.fold(step, step.spec)
            return
        images = len(self.layer_of(step.inputs[0]).output_shape) == 3
        if isinstance(step.spec, Recurrent) and self.sequence is None and not images:
            message = f"layer {step.name!r} is recurrent and the network has no sequence; write 'sequence: N'"
            raise self.error(step.path, message)
        made = self.make(step)
        for layer in made:
            if layer.name in self.layers:
                raise self.error(step.path, f"two layers are named {layer.name!r}; give one of them another name")
            self.layers[layer.name] = layer
            self.made_by[layer.name] = step
            self.read.update(layer.inputs)
        self.stands_for[step.name] = made[-1].name

    def make(self, step: Step) -> tuple[Layer, ...]:
        inputs = [self.layer_of(name) for name in step.inputs]
        try:
            return make_layers(step.spec, step.name, inputs, self.steps)
        except WorkloadError as error:
            raise self.error(step.path, str(error)) from None

    def fold(self, step: Step, norm: BatchNorm) -> None:
        """Make the layer that a batch norm reads once more, with the batch norm in it."""
        target = self.layer_of(step.inputs[0]).name
        made_by = self.made_by.get(target)
        spec = made_by.spec if made_by else None
        if made_by is None or not isinstance(spec, Weighted) or isinstance(spec, ConvTranspose):
            what = spec.operator if spec else "no layer"
            raise self.unfoldable(step, f"reads {target!r} ({what}); it can only be folded into a conv or dense layer")
        into = f"cannot be folded into {target!r}, "
        if spec.activation != "none":
            raise self.unfoldable(step, f"{into}which has activation: {spec.activation} before it; write none there")
        if spec.batch_norm:
            raise self.unfoldable(step, f"{into}which has a batch norm already")
        if target in self.read:
            raise self.unfoldable(step, f"{into}which other layers read without it")
        changed = spec.model_copy(update={"batch_norm": True, "activation": norm.activation})
        again = Step(target, changed, made_by.inputs, made_by.path)
        (self.layers[target],) = self.make(again)
        self.made_by[target] = again
        self.stands_for[step.name] = target
        self.folded.add(target)

    def unfoldable(self, step: Step, why: str) -> WorkloadError:
        return self.error(step.path, f"layer {step.name!r} {why}")

    def output(self, name: str) -> str:
        """The layer of the output called ``name``."""
        found = self.stands_for.get(name, name)
        if found not in self.layers:
            raise self.error(("outputs",), f"there is no layer {name!r}{nearest(name, self.stands_for)}")
        return found

    def check_all_read(self, outputs: tuple[str, ...]) -> None:
        """Every output but the network's own is read by some layer."""
        for layer in self.layers.values():
            if layer.name not in self.read and layer.name not in outputs:
                message = f"the output {layer.output_shape} of layer {layer.name!r} is read by no layer"
                path = self.made_by[layer.name].path if layer.name in self.made_by else ("inputs", layer.name)
                raise self.error(path, f"{message}; only the last layer's leaves the network")
