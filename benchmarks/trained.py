"""Trains the small networks under ``workloads/trained``, written as ONNX: ``python -m benchmarks.trained [NAME …]``.

Plain NumPy, Adam, fixed seeds.  Every factor of a matrix product is first rounded to a grid on which the sums are exact
in float64, in whatever order a library adds; all else is elementary operations or rounded afterwards.  So the files are
the same bytes on any machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from archsim.accuracy.data import split

Array = NDArray[np.float64]

FOLDER = Path(__file__).resolve().parents[1] / "workloads" / "trained"
FORWARD, BACKWARD = 14, 22
"""Bits behind the point of weights and activations, and of gradients."""


def grid(x: Array, bits: int = FORWARD) -> Array:
    return np.ldexp(np.rint(np.ldexp(x, bits)), -bits)


def product(a: Array, b: Array) -> Array:
    return grid(a) @ grid(b)


def back(a: Array, b: Array, gradient_left: bool) -> Array:
    return grid(a, BACKWARD if gradient_left else FORWARD) @ grid(b, FORWARD if gradient_left else BACKWARD)


class Layer:
    """``forward`` keeps what ``backward`` needs; ``parameters`` and ``gradients`` go together."""

    def __init__(self) -> None:
        self.parameters: list[Array] = []
        self.gradients: list[Array] = []

    def forward(self, x: Array) -> Array:
        raise NotImplementedError

    def backward(self, d: Array) -> Array:
        raise NotImplementedError

    def nodes(self, emit: Emitter, x: str) -> str:
        raise NotImplementedError


class Emitter:
    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []

    def tensor(self, name: str, values: Array) -> str:
        kind = np.int64 if values.dtype == np.int64 else np.float32
        self.tensors.append(numpy_helper.from_array(values.astype(kind), name))
        return name

    def node(self, op: str, inputs: list[str], name: str, outputs: int = 1, **attributes: Any) -> str:
        made = [f"{name}.out", *(f"{name}.out{k}" for k in range(1, outputs))]
        self.nodes.append(helper.make_node(op, inputs, made, name=name, **attributes))
        return made[0]


def he(rng: np.random.Generator, *shape: int, fan: int) -> Array:
    return rng.uniform(-1.0, 1.0, shape) * np.sqrt(6.0 / fan)


class Dense(Layer):
    def __init__(self, name: str, rng: np.random.Generator, inputs: int, outputs: int) -> None:
        super().__init__()
        self.name = name
        self.parameters = [he(rng, inputs, outputs, fan=inputs), np.zeros(outputs)]

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        self.x = x.reshape(len(x), -1)
        return product(self.x, self.parameters[0]) + grid(self.parameters[1])

    def backward(self, d: Array) -> Array:
        self.gradients = [back(self.x.T, d, False), grid(d, BACKWARD).sum(0)]
        return back(d, self.parameters[0].T, True).reshape(self.shape)

    def nodes(self, emit: Emitter, x: str) -> str:
        if len(self.shape) > 2:
            x = emit.node("Flatten", [x], f"{self.name}.flat")
        w = emit.tensor(f"{self.name}.weight", grid(self.parameters[0]).T)
        return emit.node(
            "Gemm", [x, w, emit.tensor(f"{self.name}.bias", grid(self.parameters[1]))], self.name, transB=1
        )


class Conv(Layer):
    def __init__(self, name: str, rng: np.random.Generator, inputs: int, outputs: int, size: int, stride: int) -> None:
        super().__init__()
        self.name, self.size, self.stride, self.pad = name, size, stride, size // 2
        self.parameters = [he(rng, inputs * size * size, outputs, fan=inputs * size * size), np.zeros(outputs)]
        self.inputs, self.outputs = inputs, outputs

    def forward(self, x: Array) -> Array:
        p = self.pad
        self.padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        view = sliding_window_view(self.padded, (self.size, self.size), (2, 3))[:, :, :: self.stride, :: self.stride]
        self.places = view.shape[2:4]
        self.rows = view.transpose(0, 2, 3, 1, 4, 5).reshape(-1, self.inputs * self.size**2)
        out = product(self.rows, self.parameters[0]) + grid(self.parameters[1])
        return out.reshape(len(x), *self.places, -1).transpose(0, 3, 1, 2)

    def backward(self, d: Array) -> Array:
        flat = d.transpose(0, 2, 3, 1).reshape(-1, self.outputs)
        self.gradients = [back(self.rows.T, flat, False), grid(flat, BACKWARD).sum(0)]
        columns = back(flat, self.parameters[0].T, True)
        split_ = columns.reshape(len(d), *self.places, self.inputs, self.size, self.size).transpose(0, 3, 4, 5, 1, 2)
        full = np.zeros(self.padded.shape)
        high, wide = (n * self.stride for n in self.places)
        for y in range(self.size):
            for z in range(self.size):
                full[:, :, y : y + high : self.stride, z : z + wide : self.stride] += split_[:, :, y, z]
        p = self.pad
        return full[:, :, p : full.shape[2] - p, p : full.shape[3] - p]

    def nodes(self, emit: Emitter, x: str) -> str:
        w = grid(self.parameters[0]).T.reshape(self.outputs, self.inputs, self.size, self.size)
        tensors = [emit.tensor(f"{self.name}.weight", w), emit.tensor(f"{self.name}.bias", grid(self.parameters[1]))]
        kernel = {"kernel_shape": [self.size] * 2, "strides": [self.stride] * 2, "pads": [self.pad] * 4}
        return emit.node("Conv", [x, *tensors], self.name, **kernel)


class Relu(Layer):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Array) -> Array:
        self.on = x > 0
        return np.where(self.on, x, 0.0)

    def backward(self, d: Array) -> Array:
        return np.where(self.on, d, 0.0)

    def nodes(self, emit: Emitter, x: str) -> str:
        return emit.node("Relu", [x], self.name)


class Tanh(Layer):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Array) -> Array:
        self.out = grid(np.tanh(x), 30)
        return self.out

    def backward(self, d: Array) -> Array:
        return d * (1.0 - self.out * self.out)

    def nodes(self, emit: Emitter, x: str) -> str:
        return emit.node("Tanh", [x], self.name)


class MaxPool(Layer):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Array) -> Array:
        n, c, h, w = x.shape
        self.blocks = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        self.best = self.blocks.argmax(-1)
        return self.blocks.max(-1)

    def backward(self, d: Array) -> Array:
        n, c, h, w = d.shape
        out = np.zeros(self.blocks.shape)
        np.put_along_axis(out, self.best[..., None], d[..., None], -1)
        return out.reshape(n, c, h, w, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, 2 * h, 2 * w)

    def nodes(self, emit: Emitter, x: str) -> str:
        return emit.node("MaxPool", [x], self.name, kernel_shape=[2, 2], strides=[2, 2])


class Lstm(Layer):
    """The rows of an image, one a step; gives the last state."""

    def __init__(self, name: str, rng: np.random.Generator, inputs: int, cells: int) -> None:
        super().__init__()
        self.name, self.cells, self.inputs = name, cells, inputs
        self.parameters = [he(rng, inputs + cells, 4 * cells, fan=2 * (inputs + cells)), np.zeros(4 * cells)]
        self.parameters[1][2 * cells : 3 * cells] = 1.0  # remembers at first

    def forward(self, x: Array) -> Array:
        steps = x[:, 0].transpose(1, 0, 2)  # [T, N, I]
        h = c = np.zeros((len(x), self.cells))
        self.kept = []
        for given in steps:
            joined = np.hstack([given, h])
            sums = product(joined, self.parameters[0]) + grid(self.parameters[1])
            i, o, f, g = np.split(sums, 4, 1)
            i, o, f = (grid(1.0 / (1.0 + np.exp(-np.clip(v, -30.0, 30.0))), 30) for v in (i, o, f))
            g = grid(np.tanh(g), 30)
            before, c = c, f * c + i * g
            t = grid(np.tanh(c), 30)
            h = o * t
            self.kept.append((joined, i, o, f, g, before, t))
        return h

    def backward(self, d: Array) -> Array:
        self.gradients = [np.zeros(p.shape) for p in self.parameters]
        carried = np.zeros(d.shape)
        for joined, i, o, f, g, before, t in reversed(self.kept):
            carried = carried + d * o * (1.0 - t * t)
            parts = [carried * g * i * (1.0 - i), d * t * o * (1.0 - o), carried * before * f * (1.0 - f)]
            sums = np.hstack([*parts, carried * i * (1.0 - g * g)])
            self.gradients[0] = self.gradients[0] + back(joined.T, sums, False)
            self.gradients[1] = self.gradients[1] + grid(sums, BACKWARD).sum(0)
            d = back(sums, self.parameters[0].T, True)[:, self.inputs :]
            carried = carried * f
        return d

    def nodes(self, emit: Emitter, x: str) -> str:
        weights, bias = grid(self.parameters[0]).T, grid(self.parameters[1])
        w = emit.tensor(f"{self.name}.w", weights[None, :, : self.inputs])
        r = emit.tensor(f"{self.name}.r", weights[None, :, self.inputs :])
        b = emit.tensor(f"{self.name}.b", np.concatenate([bias, np.zeros(len(bias))])[None])
        x = emit.node("Squeeze", [x, emit.tensor("channel", np.array([1]))], f"{self.name}.rows")
        x = emit.node("Transpose", [x], f"{self.name}.steps", perm=[1, 0, 2])
        emit.node("LSTM", [x, w, r, b], self.name, outputs=2, hidden_size=self.cells)
        return emit.node("Squeeze", [f"{self.name}.out1", emit.tensor("direction", np.array([0]))], f"{self.name}.last")


@dataclass(frozen=True)
class Recipe:
    """What is trained on which data: epochs, the step of Adam, and by how many pixels images are moved about."""

    data: str
    build: Callable[[np.random.Generator], list[Layer]]
    epochs: int
    step: float = 2e-3
    shift: int = 0
    seed: int = 1


def _mlp(inputs: int, hidden: int) -> Callable[[np.random.Generator], list[Layer]]:
    return lambda rng: [Dense("dense1", rng, inputs, hidden), Relu("relu1"), Dense("dense2", rng, hidden, 10)]


def _letters_mlp(rng: np.random.Generator) -> list[Layer]:
    return [Dense("dense1", rng, 16, 10), Tanh("tanh1"), Dense("dense2", rng, 10, 4)]


def _mnist_cnn(rng: np.random.Generator) -> list[Layer]:
    return [
        Conv("conv1", rng, 1, 8, 5, 2),
        Relu("relu1"),
        Conv("conv2", rng, 8, 16, 3, 1),
        Relu("relu2"),
        MaxPool("pool"),
        Dense("dense", rng, 784, 10),
    ]


def _digits_cnn(rng: np.random.Generator) -> list[Layer]:
    return [
        Conv("conv1", rng, 1, 8, 3, 1),
        Relu("relu1"),
        MaxPool("pool"),
        Conv("conv2", rng, 8, 16, 3, 1),
        Relu("relu2"),
        Dense("dense", rng, 256, 10),
    ]


RECIPES = {
    "digits-mlp": Recipe("digits", _mlp(64, 32), 40),
    "digits-cnn": Recipe("digits", _digits_cnn, 20),
    "digits-lstm": Recipe("digits", lambda rng: [Lstm("lstm", rng, 8, 32), Dense("dense", rng, 32, 10)], 60, 4e-3),
    "letters-mlp": Recipe("letters", _letters_mlp, 300, 5e-3),
    "mnist-mlp": Recipe("mnist", _mlp(784, 64), 20, shift=1),
    "mnist-cnn": Recipe("mnist", _mnist_cnn, 20, shift=2),
}
BATCH = 32


def moved(x: Array, rng: np.random.Generator, most: int) -> Array:
    """Each image moved by up to ``most`` pixels."""
    if not most:
        return x
    padded = np.pad(x, ((0, 0), (0, 0), (most, most), (most, most)))
    high, wide = x.shape[2:]
    places = rng.integers(0, 2 * most + 1, (len(x), 2))
    return np.stack([p[:, y : y + high, z : z + wide] for p, (y, z) in zip(padded, places, strict=True)])


def scores(layers: list[Layer], x: Array) -> Array:
    for layer in layers:
        x = layer.forward(x)
    return x


def train(recipe: Recipe) -> list[Layer]:
    rng = np.random.Generator(np.random.PCG64(recipe.seed))
    (images, labels), _ = split(recipe.data)
    images = images.astype(np.float64)
    layers = recipe.build(rng)
    tensors = [(layer, k) for layer in layers for k in range(len(layer.parameters))]
    means = [np.zeros(layer.parameters[k].shape) for layer, k in tensors]
    squares = [np.zeros(m.shape) for m in means]
    count, total = 0, recipe.epochs * (len(labels) // BATCH)
    for _ in range(recipe.epochs):
        order = rng.permutation(len(labels))
        for at in range(0, len(labels) - BATCH + 1, BATCH):
            chosen = order[at : at + BATCH]
            out = scores(layers, moved(images[chosen], rng, recipe.shift))
            up = np.exp(out - out.max(1, keepdims=True))
            d = up / up.sum(1, keepdims=True)
            d[np.arange(BATCH), labels[chosen]] -= 1.0
            d = grid(d / BATCH, BACKWARD)
            for layer in reversed(layers):
                d = layer.backward(d)
            count += 1
            step = recipe.step * (1.0 - 0.95 * count / total)
            for n, (layer, k) in enumerate(tensors):
                g = layer.gradients[k]
                means[n] = 0.9 * means[n] + 0.1 * g
                squares[n] = 0.999 * squares[n] + 0.001 * g * g
                move = (means[n] / (1.0 - _power(0.9, count))) / (
                    np.sqrt(squares[n] / (1.0 - _power(0.999, count))) + 1e-8
                )
                layer.parameters[k] = layer.parameters[k] - step * move
    return layers


def _power(base: float, exponent: int) -> float:
    """By squaring: a library's power may differ in its last bit."""
    out = 1.0
    while exponent:
        out = out * base if exponent & 1 else out
        base, exponent = base * base, exponent >> 1
    return out


def model_of(name: str, recipe: Recipe, layers: list[Layer]) -> ModelProto:
    emit, x = Emitter(), "image"
    for layer in layers:
        x = layer.nodes(emit, x)
    (images, _), _ = split(recipe.data)
    emit.nodes[-1].output[0] = "scores"
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, *images.shape[1:]])
    made = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, len(layers[-1].parameters[1])])
    about = (
        f"trained by benchmarks.trained on {len(images)} images of {recipe.data}, as archsim.accuracy.data splits it"
    )
    graph = helper.make_graph(emit.nodes, name, [given], [made], emit.tensors, doc_string=about)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="archsim")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or RECIPES:
        recipe = RECIPES[name]
        layers = train(recipe)
        known, unseen = split(recipe.data)
        model = model_of(name, recipe, layers)
        (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
        right = [float((scores(layers, x.astype(np.float64)).argmax(1) == y).mean()) for x, y in (known, unseen)]
        print(f"{name}: {right[0]:.2%} of what it was trained on, {right[1]:.2%} of the rest")


if __name__ == "__main__":
    main()
