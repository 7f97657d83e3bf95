"""ONNX operators that hold weights, on the network's arithmetic, and pooling, which ``onnx.reference`` does slowly.

Each is an ``OpRun`` that stands in for the one of ``onnx.reference``.  A node whose weights are not constant (the
products of an attention), and what is too rare to be fast, stays with ``onnx.reference``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper
from onnx.reference.op_run import OpRun
from onnx.reference.ops import load_op

from archsim.accuracy import recurrent
from archsim.accuracy.windows import Kernel, rows_of, unfolded
from archsim.errors import WorkloadError
from archsim.workload.onnx.model import title

if TYPE_CHECKING:
    from archsim.accuracy.layers import WeightLayer
    from archsim.accuracy.network import Network

__all__ = ["operators"]

Array = NDArray[Any]


class _Node(OpRun):
    """A node of ``network``: its attributes, and whether an input of it is constant."""

    network: Network

    def __init__(self, onnx_node: Any, run_params: dict[str, Any]) -> None:
        super().__init__(onnx_node, run_params)
        decoded = {a.name: helper.get_attribute_value(a) for a in onnx_node.attribute}
        self.attributes = {key: _text(value) for key, value in decoded.items()}
        self.layers: dict[str, WeightLayer] = {}

    def _run(self, *inputs: Any, **_: Any) -> tuple[Any, ...]:
        out = self.compute(*inputs)
        return tuple(out) if isinstance(out, list) else (out,)

    def compute(self, *inputs: Any) -> Any:
        """The output, or a list of outputs."""
        raise NotImplementedError

    def constant(self, place: int) -> bool:
        """Whether the input at ``place`` is a constant of the file."""
        names = self.onnx_node.input
        return len(names) > place and names[place] in self.network.constants

    def by_reference(self, *inputs: Any) -> list[Any]:
        """What ``onnx.reference`` makes of the node."""
        node = self.onnx_node
        other = load_op(node.domain, node.op_type, self.run_params["opsets"][node.domain])
        return list(other(node, self.run_params).run(*inputs))

    def layer(self, part: str, weights: Array) -> WeightLayer:
        """The layer of this node called ``part``, made of ``weights`` [groups, K, M] when it is first asked for."""
        if part not in self.layers:
            node = self.onnx_node
            name = (node.name or node.output[0]) + part
            self.layers[part] = self.network.new_layer(name, node.op_type, weights)
        return self.layers[part]

    def rows(self, layer: WeightLayer, x: Array) -> Array:
        """Vectors ``x`` [samples, …, K] by the weights of a layer: [samples, …, M]."""
        flat = np.ascontiguousarray(x.reshape(-1, x.shape[-1]))
        return self.network.multiply(layer, flat, 0, len(flat)).reshape(*x.shape[:-1], -1)


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(entry) for entry in value]
    return value.decode() if isinstance(value, bytes) else value


class Conv(_Node):
    """Convolution: windows as rows, some at a time."""

    def compute(self, x: Array, w: Array, bias: Array | None = None) -> Any:
        """``x`` [N, C, …] by ``w`` [M, C / group, …]."""
        if not self.constant(1):
            return self.by_reference(x, w, bias)
        group, size = int(self.attributes.get("group", 1)), w.shape[2:]
        layer = self.layer("", w.reshape(group, len(w) // group, -1).transpose(0, 2, 1))
        view = unfolded(x, Kernel.of(x.shape[2:], size, self.attributes))
        places = view.shape[2 : 2 + len(size)]
        total = len(x) * math.prod(places)
        out = np.empty((total, len(w)), x.dtype)
        for start, rows in rows_of(view, len(size)):
            out[start : start + len(rows)] = self.network.multiply(layer, rows, start, total)
        if bias is not None:
            out += bias
        return np.ascontiguousarray(np.moveaxis(out.reshape(len(x), *places, len(w)), -1, 1))


class ConvTranspose(_Node):
    """Transposed convolution: every input pixel gives a window of outputs, which add up where they overlap."""

    def compute(self, x: Array, w: Array, bias: Array | None = None) -> Any:
        """``x`` [N, C, …] by ``w`` [C, M / group, …]."""
        if not self.constant(1):
            return self.by_reference(x, w, bias)
        group, size = int(self.attributes.get("group", 1)), w.shape[2:]
        outputs = w.shape[1] * group
        layer = self.layer("", w.reshape(group, w.shape[0] // group, -1))
        made = self.rows(layer, np.moveaxis(x, 1, -1)).reshape(len(x), *x.shape[2:], outputs, *size)
        stride, dilation, before, shape = self._places(x.shape[2:], size)
        ends = tuple(
            (n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(x.shape[2:], stride, size, dilation, strict=True)
        )
        need = tuple(max(b + o, e) for b, o, e in zip(before, shape, ends, strict=True))
        full = np.zeros((len(x), outputs, *need), x.dtype)
        for at in np.ndindex(*size):
            spots = tuple(
                slice(k * d, k * d + (n - 1) * s + 1, s)
                for k, d, n, s in zip(at, dilation, x.shape[2:], stride, strict=True)
            )
            full[(slice(None), slice(None), *spots)] += np.moveaxis(made[(..., *at)], -1, 1)
        cut = tuple(slice(b, b + o) for b, o in zip(before, shape, strict=True))
        out = full[(slice(None), slice(None), *cut)]
        return out if bias is None else out + bias.reshape(1, -1, *(1,) * len(size))

    def _places(self, inside: tuple[int, ...], size: tuple[int, ...]) -> Any:
        """Stride, dilation, what is cut off in front, and the size of the output."""
        n, given = len(size), self.attributes
        stride, dilation = given.get("strides") or (1,) * n, given.get("dilations") or (1,) * n
        extra, pads = given.get("output_padding") or (0,) * n, given.get("pads") or (0,) * (2 * n)
        spans = [s * (i - 1) + e + (k - 1) * d + 1 for s, i, e, k, d in zip(stride, inside, extra, size, dilation)]  # noqa: B905
        auto = given.get("auto_pad", "NOTSET")
        wanted = given.get("output_shape")
        if not wanted and auto.startswith("SAME"):
            wanted = [s * i for s, i in zip(stride, inside, strict=True)]
        if not wanted:
            before = tuple(pads[:n]) if auto != "VALID" else (0,) * n
            after = tuple(pads[n:]) if auto != "VALID" else (0,) * n
            return stride, dilation, before, tuple(s - b - a for s, b, a in zip(spans, before, after, strict=True))
        cut = [max(span - want, 0) for span, want in zip(spans, wanted[-n:], strict=True)]
        before = tuple(c // 2 if auto == "SAME_UPPER" else -(-c // 2) for c in cut)
        return stride, dilation, before, tuple(wanted[-n:])


class Gemm(_Node):
    """alpha A' B' + beta C."""

    def compute(self, a: Array, b: Array, c: Array | None = None) -> Any:
        """``a`` [N, K] by constant ``b``."""
        if not self.constant(1) or self.constant(0):
            return self.by_reference(a, b, c)
        a = a.T if self.attributes.get("transA") else a
        layer = self.layer("", (b.T if self.attributes.get("transB") else b)[None])
        out = self.rows(layer, a) * a.dtype.type(self.attributes.get("alpha", 1.0))
        return out if c is None else out + c * a.dtype.type(self.attributes.get("beta", 1.0))


class MatMul(_Node):
    """A product one factor of which is a constant matrix."""

    def compute(self, a: Array, b: Array) -> Any:
        """``a`` […, K] by ``b`` [K, M], or by transposition if ``a`` is the constant one."""
        weights_right, weights_left = self.constant(1), self.constant(0)
        if weights_right and not weights_left and b.ndim >= 2 and b.size == b.shape[-2] * b.shape[-1] and a.ndim > 1:
            out = self.rows(self.layer("", b.reshape(1, *b.shape[-2:])), a)
            return out.reshape(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + out.shape[-2:])
        if weights_left and not weights_right and a.ndim == 2 and b.ndim >= 2:
            return np.swapaxes(self.rows(self.layer("", a.T[None]), np.swapaxes(b, -1, -2)), -1, -2)
        return np.matmul(a, b)


class _Recurrent(_Node):
    """What LSTM, GRU and RNN have in common: directions, layouts, states."""

    gates = 1
    defaults: tuple[str, ...] = ()

    def compute(self, x: Array, w: Array, r: Array, *rest: Any) -> Any:
        """``x`` [T, N, I] by ``w`` [directions, gates × H, I] and ``r`` [directions, gates × H, H]."""
        if not (self.constant(1) and self.constant(2)):
            return self.by_reference(x, w, r, *rest)
        bias, lengths, *states = (*rest, *(None,) * 5)[:5]
        by_sample = bool(self.attributes.get("layout"))
        x = np.swapaxes(x, 0, 1) if by_sample else x
        if lengths is not None and (np.asarray(lengths) != len(x)).any():
            raise WorkloadError(f"{self.network.where}: {title(self.onnx_node)}: sequences of different lengths")
        self.samples, self.hidden = x.shape[1], r.shape[2]
        turned = self.attributes.get("direction", "forward")
        done = []
        for d in range(len(w)):
            backward = turned == "reverse" or d == 1
            own = None if bias is None else bias[d]
            cell = recurrent.Cell.of(self.attributes, self.defaults, d, self.network.where)
            given = x[::-1] if backward else x
            products = np.swapaxes(self.rows(self.layer(_part("W", d), w[d].T[None]), np.swapaxes(given, 0, 1)), 0, 1)
            states_here = [self._state(s, d, by_sample, x.dtype) for s in states[:2]]
            y, *last = self.one_direction(cell, products, r[d], own, states[2:], states_here, d)
            done.append((y[::-1] if backward else y, *last))
        y, *last = (np.stack(part, axis) for part, axis in zip(zip(*done, strict=True), (1, 0, 0)))  # noqa: B905
        if by_sample:
            y, last = y.transpose(2, 0, 1, 3), [np.swapaxes(part, 0, 1) for part in last]
        return [y, *last][: len(self.onnx_node.output)]

    def _state(self, given: Array | None, d: int, by_sample: bool, dtype: Any) -> Array:
        if given is None:
            return np.zeros((self.samples, self.hidden), dtype)
        return np.asarray(given[:, d] if by_sample else given[d])

    def by_state(self, part: str, weights: Array) -> recurrent.Product:
        """The product of the state with ``weights`` [rows, H]."""
        layer = self.layer(part, weights.T[None])
        return lambda h: self.rows(layer, h)

    def one_direction(
        self, cell: Any, x: Array, r: Array, bias: Array | None, more: list[Any], state: list[Array], d: int
    ) -> Any:
        """All outputs and the last state of one direction."""
        raise NotImplementedError


def _part(matrix: str, direction: int) -> str:
    return f".{matrix}" if direction == 0 else f".{matrix}.backward"


class LSTM(_Recurrent):
    """Gates i, o, f, c."""

    gates, defaults = 4, ("Sigmoid", "Tanh", "Tanh")

    def one_direction(
        self, cell: Any, x: Array, r: Array, bias: Array | None, more: list[Any], state: list[Array], d: int
    ) -> Any:
        """One direction; ``more`` are the peepholes."""
        both = np.zeros(4 * self.hidden, x.dtype) if bias is None else bias[: 4 * self.hidden] + bias[4 * self.hidden :]
        peephole = np.zeros(3 * self.hidden, x.dtype) if more[0] is None else more[0][d]
        return recurrent.lstm(cell, x, self.by_state(_part("R", d), r), both, peephole, *state)


class GRU(_Recurrent):
    """Gates z, r, h; the columns of h are arrays of their own, since what they are multiplied by may be another."""

    gates, defaults = 3, ("Sigmoid", "Tanh")

    def one_direction(
        self, cell: Any, x: Array, r: Array, bias: Array | None, more: list[Any], state: list[Array], d: int
    ) -> Any:
        """One direction."""
        size = 3 * self.hidden
        split = (np.zeros(size, x.dtype),) * 2 if bias is None else (bias[:size], bias[size:])
        gates = self.by_state(_part("R", d), r[: 2 * self.hidden])
        candidate = self.by_state(_part("R.h", d), r[2 * self.hidden :])
        return recurrent.gru(cell, x, gates, candidate, split, state[0])


class RNN(_Recurrent):
    """One gate."""

    defaults = ("Tanh",)

    def one_direction(
        self, cell: Any, x: Array, r: Array, bias: Array | None, more: list[Any], state: list[Array], d: int
    ) -> Any:
        """One direction."""
        both = np.zeros(self.hidden, x.dtype) if bias is None else bias[: self.hidden] + bias[self.hidden :]
        return recurrent.rnn(cell, x, self.by_state(_part("R", d), r), both, state[0])


class MaxPool(_Node):
    """The largest of each window."""

    def compute(self, x: Array) -> Any:
        """``x`` [N, C, …]."""
        if len(self.onnx_node.output) > 1:
            return self.by_reference(x)
        size = self.attributes["kernel_shape"]
        kernel = Kernel.of(x.shape[2:], size, self.attributes, bool(self.attributes.get("ceil_mode")))
        lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        view = unfolded(x, kernel, lowest)
        return view.max(axis=tuple(range(2 + len(size), view.ndim)))


class AveragePool(_Node):
    """The mean of each window, of what lies inside the image or, with ``count_include_pad``, of the padding too."""

    def compute(self, x: Array) -> Any:
        """``x`` [N, C, …]."""
        size, given = self.attributes["kernel_shape"], self.attributes
        kernel = Kernel.of(x.shape[2:], size, given, bool(given.get("ceil_mode")))
        inside = tuple(range(2 + len(size), 2 + 2 * len(size)))
        ones = np.ones((1, 1, *x.shape[2:]), x.dtype)
        if given.get("count_include_pad"):
            asked = Kernel.of(x.shape[2:], size, given)
            around = ((0, 0), (0, 0), *zip(asked.before, asked.after, strict=True))
            ones = np.pad(ones, around, constant_values=1)
            rest = tuple(all_ - own for all_, own in zip(kernel.after, asked.after, strict=True))
            nothing = (0,) * len(size)
            counted = unfolded(ones, Kernel(kernel.size, kernel.stride, kernel.dilation, nothing, rest))
        else:
            counted = unfolded(ones, kernel)
        return (unfolded(x, kernel).sum(axis=inside) / counted.sum(axis=inside)).astype(x.dtype)


def operators(network: Network) -> list[type[Any]]:
    """The operators, bound to a network."""
    kinds = (Conv, ConvTranspose, Gemm, MatMul, LSTM, GRU, RNN, MaxPool, AveragePool)
    return [type(kind.__name__, (kind,), {"network": network}) for kind in kinds]
