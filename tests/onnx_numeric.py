"""Evaluates an imported network layer by layer in NumPy, to be compared with ``onnx.reference`` on the model itself.

Layers with weights, products, sums, pooling, softmax and slices are computed from what stands in their specification
and from the weights that were imported; a layer of the two general records (``vector``, ``move``) has no function of
its own, so that the node it is from is computed, on tensors read from and written to layers by their views.
"""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from archsim.workload.onnx import attention, load, rules_shape, rules_vector
from archsim.workload.onnx.layout import View, joined
from archsim.workload.onnx.lower import Lowering
from archsim.workload.onnx.model import read_model
from archsim.workload.onnx.net import Net


def lowered(path: Path, bind: dict[str, Any] | None = None) -> tuple[Lowering, dict[str, Any]]:
    """The layers of the model at ``path`` before activations are fused, and what each layer that moves data does."""
    meaning: dict[str, Any] = {}
    net = load._flat(read_model(path), bind or {}, {}, weights=True)
    with _recorded(meaning):
        low, _ = load._lowered(net, False, caches=False)
    return low, meaning


@contextlib.contextmanager
def _recorded(meaning: dict[str, Any]):
    placed, piece = Lowering.placed, rules_shape.piece

    def recording_placed(self, view, channels, positions, grid, *, repeat=False):
        before = len(self.emit.layers)
        layer = placed(self, view, channels, positions, grid, repeat=repeat)
        if len(self.emit.layers) > before:
            assert len(self.emit.layers) == before + 1
            meaning[layer] = ("placed", view, list(channels), list(positions), repeat)
        return layer

    def recording_piece(low, node, view, axis, picked):
        before = len(low.emit.layers)
        made = piece(low, node, view, axis, picked)
        if len(low.emit.layers) > before:
            meaning[made.layer] = ("piece", view, axis, picked, made)
        return made

    def recording_like(low, view, model):
        before = len(low.emit.layers)
        layer = like(low, view, model)
        if len(low.emit.layers) > before:
            meaning[layer] = ("like", view, model)
        return layer

    like = rules_vector._moved_like
    Lowering.placed, rules_shape.piece = recording_placed, recording_piece
    rules_vector._moved_like, attention.piece = recording_like, recording_piece
    try:
        yield
    finally:
        Lowering.placed, rules_shape.piece = placed, piece
        rules_vector._moved_like, attention.piece = like, piece


class Evaluator:
    """Values of layers as (channels, positions), or (channels, steps)."""

    def __init__(self, low: Lowering, meaning: dict[str, Any], feeds: dict[str, np.ndarray]) -> None:
        self.low, self.net, self.meaning = low, low.net, meaning
        self.layers: dict[str, np.ndarray] = {}
        self.tensors = dict(feeds)
        for name in self.net.inputs:
            if name in low.views:
                self.write(low.views[name], np.asarray(feeds[name], np.float64))
        for node in self.net.prepared:
            made = compute(node, {n: self.tensor(n) for n in node.inputs if n}, self.net)
            self.tensors.update(zip(node.outputs, made, strict=False))

    # -- views ----------------------------------------------------------------------------------

    def size(self, layer: str) -> tuple[int, int]:
        steps = self.low.steps or 1
        return self.low.emit.channels(layer), self.low.emit.positions(layer) * steps

    def offsets(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Channel and position of each entry of a tensor."""
        channel = np.zeros((), np.int64)
        place = np.zeros((), np.int64)
        for axis in view.axes:
            own = {"C": np.zeros(1, np.int64), "P": np.zeros(1, np.int64)}
            for atom in axis:
                kind = {"S": "P", "R": None}.get(atom.dimension, atom.dimension)
                step = np.arange(atom.size) * atom.stride
                for key in own:
                    own[key] = (own[key][:, None] + (step if key == kind else np.zeros_like(step))[None]).reshape(-1)
            channel = channel[..., None] + own["C"]
            place = place[..., None] + own["P"]
        return channel, place

    def read(self, view: View) -> np.ndarray:
        return self.layers[view.layer][self.offsets(view)]

    def write(self, view: View, tensor: np.ndarray) -> None:
        out = self.layers.setdefault(view.layer, np.full(self.size(view.layer), np.nan))
        out[self.offsets(view)] = tensor

    def tensor(self, name: str) -> np.ndarray:
        value = self.net.values[name]
        if name in self.low.views and self.low.views[name].layer in self.layers:
            return self.read(self.low.views[name])
        if name in self.tensors:
            return np.asarray(self.tensors[name])
        assert value.data is not None, f"{name} is not known"
        return np.asarray(value.data)

    # -- layers ---------------------------------------------------------------------------------

    def run(self) -> None:
        for spec in self.low.emit.layers:
            name = spec["name"]
            if name in self.meaning:
                self.layers[name] = self.by_meaning(name)
                continue
            kind = next((k for k in KINDS if k in spec and k != "activation"), None)
            if kind is None and spec.get("activation") in ("softmax", "log", "tanh"):
                kind = "activation"
            if kind is not None:
                self.layers[name] = getattr(self, f"do_{kind}")(spec)
            else:
                self.by_node(name)
            assert self.layers[name].shape == self.size(name), (spec, self.layers[name].shape, self.size(name))
            assert np.isfinite(self.layers[name]).all() or kind is None, spec

    def by_meaning(self, name: str) -> np.ndarray:
        kind, view, *rest = self.meaning[name]
        tensor = self.read(view)
        if kind == "piece":
            axis, picked, made = rest
            self.write(made, np.take(tensor, list(picked), axis))
            return self.layers[name]
        if kind == "like":
            model = View(name, rest[0].axes)
            self.write(model, np.broadcast_to(tensor, model.shape))
            return self.layers[name]
        channels, positions, repeat = rest
        axes = list(view.axes)
        if repeat:
            for k, axis in enumerate(axes):
                ahead = math.prod(a.size for a in axis if a.dimension == "R")
                if ahead > 1:
                    inner = math.prod(a.size for a in axis) // ahead
                    first = axis[0].dimension == "R"
                    index = np.arange(inner) if first else np.arange(inner) * ahead
                    tensor = np.take(tensor, index, k)
        ones = [k for k in range(len(axes)) if k not in channels and k not in positions]
        assert all(tensor.shape[k] == 1 for k in ones)
        turned = tensor.transpose([*ones, *channels, *positions])
        return turned.reshape(self.size(name))

    def source(self, spec) -> np.ndarray:
        return self.layers[spec["input"]]

    def image(self, layer: str) -> np.ndarray:
        return self.layers[layer].reshape(self.low.emit.shapes[layer])

    def volume(self, spec: Any, name: str) -> np.ndarray:
        """A layer as (C, D, H, W); one frame without depth."""
        x = self.image(name)
        frames = spec.get("depth", {"frames": 1})["frames"]
        return x.reshape(len(x), frames, -1, x.shape[2])

    @staticmethod
    def windows(spec: Any, kernel: Any = 1) -> tuple[list[Any], ...]:
        """Kernel, stride, pads and dilation along depth, rows and columns."""
        depth = spec.get("depth", {})
        ahead = [depth.get(key, 1) for key in ("kernel", "stride", "dilation")]
        sides, ends = spread(spec.get("pad", 0), 4), spread(depth.get("pad", 0), 2)
        pads = [(ends[0], ends[1]), (sides[0], sides[2]), (sides[1], sides[3])]
        kernel, stride, dilation = (spread(n, 2) for n in (kernel, spec.get("stride", 1), spec.get("dilation", 1)))
        return [ahead[0], *kernel], [ahead[1], *stride], pads, [ahead[2], *dilation]

    def slid(self, spec: Any, kernel: Any, fill: float, function: Any) -> np.ndarray:
        """``function`` of each window (C, k_d, k_h, k_w), as (outputs, positions)."""
        size, stride, pads, dilation = self.windows(spec, kernel)
        padded = np.pad(self.volume(spec, spec["input"]), ((0, 0), *pads), constant_values=fill)
        spans = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
        counts = [(n - span) // s + 1 for n, span, s in zip(padded.shape[1:], spans, stride, strict=True)]
        out = []
        for place in np.ndindex(*counts):
            cut = [slice(p * s, p * s + w, d) for p, s, w, d in zip(place, stride, spans, dilation, strict=True)]
            out.append(function(padded[(slice(None), *cut)]))
        return np.stack(out, 1)

    def do_conv(self, spec) -> np.ndarray:
        held = self.low.emit.weights[spec["name"]]
        groups, rows, columns = held["matrix"].shape

        def product(window: np.ndarray) -> np.ndarray:
            return np.einsum("gr,grc->gc", window.reshape(groups, rows), held["matrix"]).reshape(groups * columns)

        return self.slid(spec, spec.get("kernel", 1), 0.0, product) + self.bias(held)

    @staticmethod
    def bias(held) -> Any:
        return held["bias"][:, None] if "bias" in held else 0.0

    def do_dense(self, spec) -> np.ndarray:
        held = self.low.emit.weights[spec["name"]]
        return held["matrix"][0].T @ self.source(spec) + self.bias(held)

    do_linear = do_dense

    def do_convtranspose(self, spec) -> np.ndarray:
        held = self.low.emit.weights[spec["name"]]
        groups, rows, _ = held["matrix"].shape
        x = self.volume(spec, spec["input"])
        channels = self.low.emit.channels(spec["name"])
        kernel, stride, pads, _ = self.windows(spec, spec["kernel"])
        more = [spec.get("depth", {}).get("output_pad", 0), *spread(spec.get("output_pad", 0), 4)[2:]]
        full = np.zeros((channels, *((n - 1) * s + k for n, s, k in zip(x.shape[1:], stride, kernel, strict=True))))
        for place in np.ndindex(*x.shape[1:]):
            made = np.einsum("gr,grc->gc", x[(slice(None), *place)].reshape(groups, rows), held["matrix"])
            cut = [slice(p * s, p * s + k) for p, s, k in zip(place, stride, kernel, strict=True)]
            full[(slice(None), *cut)] += made.reshape(channels, *kernel)
        full = np.pad(full, ((0, 0), *((0, n) for n in more)))
        ends = [n - after for n, (_, after) in zip(full.shape[1:], pads, strict=True)]
        cut = [slice(before, end) for (before, _), end in zip(pads, ends, strict=True)]
        return full[(slice(None), *cut)].reshape(channels, -1) + self.bias(held)

    def _pool(self, spec, kernel, combine, fill) -> np.ndarray:
        return self.slid(spec, kernel, fill, lambda window: combine(window, axis=(1, 2, 3)))

    def do_maxpool(self, spec) -> np.ndarray:
        return self._pool(spec, spec["maxpool"], np.max, -np.inf)

    def do_avgpool(self, spec) -> np.ndarray:
        if np.any(self.windows(spec)[2]) and not self.low.provenance[spec["name"]].attributes.get("count_include_pad"):
            return self._pool(spec, spec["avgpool"], np.nanmean, np.nan)
        return self._pool(spec, spec["avgpool"], np.mean, 0.0)

    def do_globalpool(self, spec) -> np.ndarray:
        combine = np.max if spec["globalpool"] == "max" else np.mean
        return combine(self.source(spec), axis=1, keepdims=True)

    def do_flatten(self, spec) -> np.ndarray:
        return self.source(spec).reshape(-1, 1)

    def do_concat(self, spec) -> np.ndarray:
        return np.concatenate([self.layers[name] for name in spec["concat"]])

    def _combine(self, spec, key, function) -> np.ndarray:
        named = spec[key] if isinstance(spec[key], list) else [spec[key]]
        own = self.low.emit.shapes[spec["name"]]
        steps = self.low.steps or 1

        def grid(layer: str) -> np.ndarray:
            shape = self.low.emit.shapes[layer]
            shape = shape + (1,) * (len(own) - len(shape))
            return self.layers[layer].reshape((*shape, steps) if steps > 1 else shape)

        out = grid(spec["input"])
        for name in named:
            out = function(out, grid(name))
        return np.ascontiguousarray(np.broadcast_to(out, (*own, steps) if steps > 1 else own)).reshape(own[0], -1)

    def do_add(self, spec) -> np.ndarray:
        return self._combine(spec, "add", np.add)

    def do_multiply(self, spec) -> np.ndarray:
        return self._combine(spec, "multiply", np.multiply)

    def do_subtract(self, spec) -> np.ndarray:
        return self._combine(spec, "subtract", np.subtract)

    def do_divide(self, spec) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self._combine(spec, "divide", np.divide)

    def do_maximum(self, spec) -> np.ndarray:
        lowest = self.low.provenance[spec["name"]].op == "Min"
        return self._combine(spec, "maximum", np.minimum if lowest else np.maximum)

    def do_softmax(self, spec) -> np.ndarray:
        x = self.source(spec).reshape(spec["softmax"], -1, self.source(spec).shape[1])
        if spec.get("causal"):
            later = np.arange(x.shape[1])[:, None] > np.arange(x.shape[2])[None]
            x = np.where(later[None], -np.inf, x)
        up = np.exp(x - x.max(1, keepdims=True))
        return (up / up.sum(1, keepdims=True)).reshape(self.source(spec).shape)

    def do_activation(self, spec) -> np.ndarray:
        if spec["activation"] != "softmax":
            return {"log": np.log, "tanh": np.tanh}[spec["activation"]](self.source(spec))
        return self.do_softmax({**spec, "softmax": 1})

    def do_matmul(self, spec) -> np.ndarray:
        a, b = self.source(spec), self.layers[spec["matmul"]]
        heads = spec["heads"]
        kv = spec.get("kv_heads", heads)
        a = a.reshape(heads, -1, a.shape[1])
        b = np.repeat(b.reshape(kv, -1, b.shape[1]), heads // kv, 0)
        out = np.einsum("hdm,hdn->hnm", a, b) if spec["transpose"] else np.einsum("hnm,hdn->hdm", a, b)
        return out.reshape(-1, out.shape[2])

    def do_shuffle(self, spec) -> np.ndarray:
        x, groups = self.source(spec), spec["shuffle"]
        return x.reshape(groups, -1, x.shape[1]).swapaxes(0, 1).reshape(x.shape)

    def do_slice(self, spec) -> np.ndarray:
        axis = {"channels": 0, "rows": 1, "columns": 2}[spec["slice"]]
        index = [slice(None)] * 3
        index[axis] = slice(spec["start"], spec["end"], spec.get("step", 1))
        x = self.layers[spec["input"]] if axis == 0 else self.image(spec["input"])
        out = x[tuple(index[: x.ndim])]
        return out.reshape(out.shape[0], -1)

    def do_reduce(self, spec) -> np.ndarray:
        x = self.source(spec)
        over = spec.get("over", "channels")
        axis = {"channels": 0, "positions": 1, "all": (0, 1)}[over]
        function = {
            "sum": np.sum,
            "mean": np.mean,
            "max": np.max,
            "min": np.min,
            "product": np.prod,
            "l1": lambda v, **kw: np.sum(np.abs(v), **kw),
            "l2": lambda v, **kw: np.sqrt(np.sum(v**2, **kw)),
            "sum_square": lambda v, **kw: np.sum(v**2, **kw),
            "log_sum_exp": lambda v, **kw: np.log(np.sum(np.exp(v), **kw)),
        }[spec["reduce"]]
        if self.low.provenance[spec["name"]].op == "ReduceLogSum":
            return np.log(np.sum(x, axis=axis, keepdims=True))
        return function(x, axis=axis, keepdims=True)

    def do_lstm(self, spec) -> np.ndarray:
        """Gates in ONNX's order i, o, f, c."""
        return self._recurrent(spec, self._lstm_step)

    def do_gru(self, spec) -> np.ndarray:
        return self._recurrent(spec, self._gru_step)

    def do_rnn(self, spec) -> np.ndarray:
        return self._recurrent(spec, self._rnn_step)

    def _recurrent(self, spec, step) -> np.ndarray:
        held = self.low.emit.weights[spec["name"]]
        x = self.source(spec)
        node = self.low.provenance[spec["name"]]
        outs = []
        for way in range(held["input"].shape[0]):
            w, r = held["input"][way], held["state"][way]
            cells = r.shape[1]
            bias = held["bias"][way] if "bias" in held else np.zeros(2 * len(w))
            h = c = np.zeros(cells)
            back = spec.get("direction") == "reverse" or way == 1
            rows = [None] * x.shape[1]
            for t in range(x.shape[1])[:: -1 if back else 1]:
                h, c = step(node, w, r, bias, x[:, t], h, c)
                rows[t] = h
            outs.append(np.stack(rows, 1))
        return np.concatenate(outs)

    @staticmethod
    def _lstm_step(node, w, r, bias, x, h, c):
        wb, rb = np.split(bias, 2)
        i, o, f, g = np.split(w @ x + r @ h + wb + rb, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    @staticmethod
    def _gru_step(node, w, r, bias, x, h, c):
        (wz, wr, wh), (rz, rr, rh) = np.split(w, 3), np.split(r, 3)
        bz, br, bh, sz, sr, sh = np.split(bias, 6)
        z = sigmoid(wz @ x + rz @ h + bz + sz)
        reset = sigmoid(wr @ x + rr @ h + br + sr)
        if node.attributes.get("linear_before_reset"):
            n = np.tanh(wh @ x + bh + reset * (rh @ h + sh))
        else:
            n = np.tanh(wh @ x + bh + rh @ (reset * h) + sh)
        return (1 - z) * n + z * h, c

    @staticmethod
    def _rnn_step(node, w, r, bias, x, h, c):
        wb, rb = np.split(bias, 2)
        return np.tanh(w @ x + r @ h + wb + rb), c

    # -- by node --------------------------------------------------------------------------------

    def by_node(self, name: str) -> None:
        """Compute the node that a layer is from, and write its outputs into their layers."""
        node = self.low.provenance[name]
        inputs = {n: self.tensor(n) for n in node.inputs if n}
        made = compute(node, inputs, self.net)
        if name in self.low.after:
            after = self.low.after[name]
            made = compute(after, {after.inputs[0]: made[0]}, self.net)
            node = after
        for output, tensor in zip(node.outputs, made, strict=False):
            view = self.low.views.get(output)
            if output and view is not None and view.layer == name:
                self.write(view, tensor)


KINDS = [name.removeprefix("do_") for name in dir(Evaluator) if name.startswith("do_")]


def spread(value: Any, count: int) -> list[int]:
    return list(value) if isinstance(value, list) else [value] * count


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def compute(node, inputs: dict[str, np.ndarray], net: Net) -> list[np.ndarray]:
    """The outputs of a node of the flat network."""
    x = np.asarray(next(iter(inputs.values())), np.float64)
    given = node.attributes
    op = node.op
    if op == "Affine":
        shape = [1] * x.ndim
        if given["axis"] is not None:
            shape[given["axis"] % x.ndim] = -1
        scale, shift = np.asarray(given["scale"]), np.asarray(given["shift"])
        return [x * scale.reshape(shape if scale.size > 1 else ()) + shift.reshape(shape if shift.size > 1 else ())]
    if op == "Rotary":
        first, second = np.split(x, 2, -1)
        cosines, sines = list(inputs.values())[1:]
        return [x * cosines + np.concatenate((-second, first), -1) * sines]
    own = {
        "Relu6": lambda: np.clip(x, 0, 6),
        "Silu": lambda: x * sigmoid(x),
        "QuickGelu": lambda: x * sigmoid(1.702 * x),
        "Gelu": lambda: 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
        "HardSwish": lambda: x * np.clip(x + 3, 0, 6) / 6,
        "Mish": lambda: x * np.tanh(np.log1p(np.exp(x))),
        "HardSigmoid6": lambda: np.clip(x + 3, 0, 6) / 6,
    }
    if op in own and not (op == "Gelu" and given.get("approximate")):
        return [own[op]()]
    if given.get("only"):
        axis = given["axis"]
        mean = x.mean(axis, keepdims=True) if op == "LayerNormalization" else 0.0
        return [(x - mean) / np.sqrt(((x - mean) ** 2).mean(axis, keepdims=True) + 1e-12)]
    feeds = {}
    for key, array in inputs.items():
        kind = net.values[key].type
        half = kind in (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
        dtype = np.dtype(np.float32) if half else helper.tensor_dtype_to_np_dtype(kind)
        feeds[key] = np.asarray(array).astype(dtype)
    proto = helper.make_node(op, node.inputs, node.outputs, **given)
    graph = helper.make_graph(
        [proto],
        "one",
        [helper.make_tensor_value_info(k, net.values[k].type, None) for k in feeds],
        [helper.make_tensor_value_info(o, net.values[o].type, None) for o in node.outputs if o and o in net.values],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", net.opset)])
    return [np.asarray(array) for array in ReferenceEvaluator(model).run(None, feeds)]


def frozen(model: onnx.ModelProto, feeds: list[np.ndarray], kept: int = 1) -> onnx.ModelProto:
    """The model with all inputs but the first ``kept`` as constants."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    given = {tensor.name for tensor in copy.graph.initializer}
    inputs = [entry for entry in copy.graph.input if entry.name not in given]
    del copy.graph.input[:]
    copy.graph.input.extend(inputs[:kept])
    for entry, array in zip(inputs[kept:], feeds[kept:], strict=False):
        copy.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), entry.name))
    return copy


def outputs(path: Path, feeds: dict[str, np.ndarray], bind: dict[str, Any] | None = None) -> dict[str, np.ndarray]:
    """The outputs of the imported network, by the names of the model's."""
    low, meaning = lowered(path, bind)
    evaluator = Evaluator(low, meaning, feeds)
    evaluator.run()
    given = [entry.name for entry in read_model(path).proto.graph.output]
    found = {}
    for name, flat in zip(given, low.net.outputs, strict=True):
        if flat in low.views:
            found[name] = evaluator.read(low.views[flat])
        elif low.net.values[flat].data is not None:
            found[name] = low.net.values[flat].data
    return found


__all__ = ["Evaluator", "frozen", "joined", "lowered", "outputs"]
