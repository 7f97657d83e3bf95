"""Rules for attention that a model writes as one operator: products, softmax and products, in heads.

The standard operator Attention (opset 23), and those that ONNX Runtime's optimiser writes: Attention, QAttention,
MultiHeadAttention and GroupQueryAttention of com.microsoft.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

import numpy as np
from onnx import TensorProto

from archsim.workload.onnx.layout import View
from archsim.workload.onnx.lower import Lowering, Unknown
from archsim.workload.onnx.rotary import rotated
from archsim.workload.onnx.rules_matrix import dynamic_product, linear
from archsim.workload.onnx.rules_norm import softmax
from archsim.workload.onnx.rules_shape import concat, piece
from archsim.workload.onnx.rules_vector import affine, binary, other
from archsim.workload.onnx.simplify import AFFINE
from archsim.workload.onnx.trace import Node

__all__ = ["attention", "rotary"]


def attention(low: Lowering, node: Node) -> None:
    """Any of the attention operators."""
    if node.op in ("com.microsoft.Attention", "com.microsoft.QAttention"):
        _packed(low, node)
    elif node.op == "com.microsoft.MultiHeadAttention":
        _multi_head(low, node)
    elif node.op == "com.microsoft.GroupQueryAttention":
        _grouped(low, node)
    else:
        _standard(low, node)


def _tensor(low: Lowering, name: str, view: View) -> str:
    """Add a tensor that the file does not have."""
    own = name
    while own in low.net.values:
        own += "'"
    low.net.values[own] = replace(low.net.values[low.net.inputs[0]], name=own, type=1, shape=view.shape, data=None)
    low.views[own] = view
    return own


def _headed(low: Lowering, name: str, heads: int) -> str:
    """(batch, tokens, width) as (batch, heads, tokens, width of a head); what has four axes stays."""
    view = low.view(name)
    if len(view.axes) == 4:
        return name
    batch, tokens, width = view.shape
    split = low.reshaped(view, (batch, tokens, heads, width // heads))
    return _tensor(low, f"{name}.heads", View(split.layer, tuple(split.axes[k] for k in (0, 2, 1, 3))))


def _product(
    low: Lowering,
    node: Node,
    names: tuple[str, str, str],
    out: int,
    *,
    scale: float | None,
    causal: bool = False,
    masks: tuple[str, ...] = (),
    softcap: float = 0.0,
    past: int = 0,
) -> View:
    """softmax(scale · Q K^T + mask) V of tensors (batch, heads, tokens, width of a head); ``out`` axes."""
    query, key, value = names
    batch, heads, rows, width = low.view(query).shape
    if batch != 1:
        low.batched(batch)
    kv_heads = low.view(key).shape[1]
    if kv_heads != heads:
        key, value = (_repeated(low, name, heads // kv_heads) for name in (key, value))
    factor = 1 / math.sqrt(width) if scale is None else scale
    query = _scaled(low, node, query, factor)
    tokens = low.view(key).shape[2]
    inner = replace(node, name=f"{node.name}.scores", op="MatMul")
    causal_alone = causal and not masks and rows == tokens
    scores = dynamic_product(low, inner, query, key, "bhmd", "bhnd", "bhmn", causal=causal_alone)
    name = _tensor(low, f"{node.outputs[0]}.scores", scores)
    if softcap:
        name = _capped(low, node, name, softcap)
    if causal and not causal_alone and past + 1 < tokens:
        seen = np.tril(np.ones((rows, tokens), np.bool_), past)
        masks = (*masks, low.net.constant(f"{node.outputs[0]}.causal", seen))
        low.net.values[masks[-1]] = replace(low.net.values[masks[-1]], type=TensorProto.BOOL)
    for mask in masks:
        masked = _tensor(low, f"{name}.masked", low.view(name))
        adding = Node(f"{node.name}.mask", "Add", (name, mask), (masked,), {})
        if low.value(mask).type == TensorProto.BOOL:
            lowest = low.net.constant(f"{masked}.lowest", np.array(np.finfo(np.float32).min, np.float32))
            adding = Node(f"{node.name}.mask", "Where", (mask, name, lowest), (masked,), {})
            other(low, adding)
        else:
            binary(low, adding)
        low.provenance.setdefault(low.views[masked].layer, adding)
        name = masked
    weights = _tensor(low, f"{node.outputs[0]}.weights", low.view(name))
    softmax(low, Node(f"{node.name}.softmax", "Softmax", (name,), (weights,), {"axis": -1, "one": True}))
    if causal_alone:
        low.emit.layers[-1].setdefault("softmax", 1)
        low.emit.layers[-1].pop("activation", None)
        low.emit.layers[-1]["causal"] = True
    inner = replace(node, name=node.name, op="MatMul")
    result = dynamic_product(low, inner, weights, value, "bhmn", "bhnd", "bhmd", causal=causal_alone)
    if out == 4:
        return result
    turned = View(result.layer, tuple(result.axes[k] for k in (0, 2, 1, 3)))
    return low.reshaped(turned, (1, rows, heads * low.view(value).shape[3]))


def _repeated(low: Lowering, name: str, often: int) -> str:
    """Heads of keys or values that serve several heads of queries."""
    from archsim.workload.onnx.layout import Atom  # noqa: PLC0415

    view = low.view(name)
    axes = list(view.axes)
    axes[1] = (*axes[1], Atom("R", 1, often))
    return _tensor(low, f"{name}.repeated", View(view.layer, tuple(axes)))


def _scaled(low: Lowering, node: Node, name: str, factor: float) -> str:
    if factor == 1:
        return name
    out = _tensor(low, f"{name}.scaled", low.view(name))
    given: dict[str, Any] = {"axis": None, "scale": np.array([factor]), "shift": np.zeros(1)}
    _affine(low, Node(f"{node.name}.scale", AFFINE, (name,), (out,), given | {"scaled": False, "shifted": False}))
    return out


def _affine(low: Lowering, node: Node) -> None:
    """A scale and shift of its own."""
    affine(low, node)
    low.provenance.setdefault(low.views[node.outputs[0]].layer, node)


def _capped(low: Lowering, node: Node, name: str, cap: float) -> str:
    """cap · tanh(scores / cap)."""
    view = low.view(_scaled(low, node, name, 1 / cap))
    layer = low.emit.add(f"{node.name}.cap", {"activation": "tanh"}, low.emit.shapes[view.layer], view.layer)
    return _scaled(low, node, _tensor(low, f"{name}.capped", View(layer, view.axes)), cap)


_KNOWN: Final = frozenset(
    ("q_num_heads", "kv_num_heads", "scale", "is_causal", "softcap", "softmax_precision", "qk_matmul_output_mode")
)


def _standard(low: Lowering, node: Node) -> None:
    given = node.attributes
    if low.net.optional(node, 6) is not None:
        raise Unknown("its keys are padded to lengths of their own")
    if other_than := sorted(given.keys() - _KNOWN):
        raise Unknown(f"its attribute {other_than[0]!r:.40} is not known")
    query = node.inputs[0]
    heads = int(given.get("q_num_heads") or low.view(query).shape[1])
    kv_heads = int(given.get("kv_num_heads") or low.view(node.inputs[1]).shape[1])
    key, value = (_headed(low, name, kv_heads) for name in node.inputs[1:3])
    rank = len(low.view(query).axes)
    now = low.view(key).shape[2]
    key, value = _with_past(low, node, (key, value), (4, 5), (1, 2))
    past = low.view(key).shape[2] - now
    if low.wanted(node, 3):
        raise Unknown("its scores are read")
    masks = (node.inputs[3],) if low.net.optional(node, 3) is not None else ()
    causal = bool(given.get("is_causal"))
    view = _product(
        low,
        node,
        (_headed(low, query, heads), key, value),
        rank,
        scale=given.get("scale"),
        causal=causal,
        masks=masks,
        softcap=float(given.get("softcap", 0.0)),
        past=past,
    )
    low.finish(node, view)


def _with_past(
    low: Lowering, node: Node, names: tuple[str, str], past: tuple[int, int], present: tuple[int, int]
) -> tuple[str, str]:
    """Keys and values behind those of the past; the outputs of both."""
    made = []
    for name, before, after in zip(names, past, present, strict=True):
        held = low.net.optional(node, before)
        joined = name
        if held is not None and held.size and held.shape[2]:
            view = low.view(name)
            shape = list(view.shape)
            shape[2] += held.shape[2]
            joined = f"{node.outputs[0]}.present{after}"
            low.net.values[joined] = replace(held, name=joined, shape=tuple(shape), data=None, constant=False)
            joining = Node(f"{node.name}.past{after}", "Concat", (held.name, name), (joined,), {"axis": 2})
            concat(low, joining)
            low.provenance.setdefault(low.views[joined].layer, joining)
        if low.wanted(node, after):
            low.views[node.outputs[after]] = low.view(joined)
        made.append(joined)
    return made[0], made[1]


def _packed(low: Lowering, node: Node) -> None:
    """Attention(x, weights, bias, mask) with one matrix for queries, keys and values."""
    heads = int(node.attributes["num_heads"])
    weight = low.value(node.inputs[1])
    bias = low.net.optional(node, 2)
    view = low.view(node.inputs[0])
    sizes = list(node.attributes.get("qkv_hidden_sizes") or [weight.shape[1] // 3] * 3)
    matrix = None if weight.data is None else weight.data.astype(np.float64)[None]
    made, rest = linear(low, replace(node, name=f"{node.name}.qkv"), view, [2], weight, matrix, sum(sizes), bias)
    shape = (*view.shape[:2], sum(sizes))
    whole = low.arranged(made, shape, [2], rest)
    names, start = [], 0
    for tag, size in zip("qkv", sizes, strict=True):
        part = piece(low, replace(node, name=f"{node.name}.{tag}"), whole, 2, range(start, start + size))
        names.append(_headed(low, _tensor(low, f"{node.outputs[0]}.{tag}", part), heads))
        start += size
    causal = bool(node.attributes.get("unidirectional"))
    if low.net.optional(node, 3) is not None:
        low.emit.note(f"{node.name}: its padding mask is taken as all tokens there")
    scale = node.attributes.get("scale")
    low.finish(node, _product(low, node, (names[0], names[1], names[2]), 3, scale=scale, causal=causal))


def _multi_head(low: Lowering, node: Node) -> None:
    """MultiHeadAttention(query, key, value, bias, padding mask, attention bias)."""
    if len(node.inputs) < 3 or not node.inputs[1] or not node.inputs[2]:
        raise Unknown("its queries, keys and values are packed")
    heads = int(node.attributes["num_heads"])
    names = list(node.inputs[:3])
    bias = low.net.optional(node, 3)
    if bias is not None:
        start = 0
        for k, name in enumerate(names):
            width = low.view(name).shape[-1]
            data = None if bias.data is None else bias.data[start : start + width]
            out = _tensor(low, f"{name}.biased", low.view(name))
            given = {"axis": 2, "scale": np.ones(1), "shift": data, "scaled": False, "shifted": True}
            _affine(low, Node(f"{node.name}.bias{k}", AFFINE, (name,), (out,), given))
            names[k], start = out, start + width
    query, key, value = (_headed(low, name, heads) for name in names)
    key, value = _with_past(low, node, (key, value), (6, 7), (1, 2))
    masks = (node.inputs[5],) if low.net.optional(node, 5) is not None else ()
    if low.net.optional(node, 4) is not None:
        low.emit.note(f"{node.name}: its padding mask is taken as all tokens there")
    causal = bool(node.attributes.get("unidirectional"))
    scale = node.attributes.get("scale")
    low.finish(node, _product(low, node, (query, key, value), 3, scale=scale, causal=causal, masks=masks))


def _grouped(low: Lowering, node: Node) -> None:
    """GroupQueryAttention(query, key, value, past keys and values, lengths, cosines, sines); causal always."""
    given = node.attributes
    heads, kv_heads = int(given["num_heads"]), int(given["kv_num_heads"])
    view = low.view(node.inputs[0])
    names = list(node.inputs[:3])
    if not names[1] or not names[2]:
        width = view.shape[2] // (heads + 2 * kv_heads)
        start = 0
        for k, count in enumerate((heads, kv_heads, kv_heads)):
            part = piece(low, node, view, 2, range(start, start + count * width))
            names[k] = _tensor(low, f"{node.outputs[0]}.part{k}", part)
            start += count * width
    if given.get("do_rotary"):
        for k in (0, 1):
            turned = _tensor(low, f"{names[k]}.rotated", low.view(names[k]))
            many = (heads, kv_heads)[k]
            part = low.view(names[k])
            inner = replace(node, name=f"{node.name}.rotary{k}")
            low.views[turned] = rotated(low, inner, part, part.shape[-1] // many)
            names[k] = turned
    query = _headed(low, names[0], heads)
    key, value = (_headed(low, name, kv_heads) for name in names[1:])
    now = low.view(key).shape[2]
    key, value = _with_past(low, node, (key, value), (3, 4), (1, 2))
    past = low.view(key).shape[2] - now
    scale = given.get("scale") or None
    low.finish(node, _product(low, node, (query, key, value), 3, scale=scale, causal=True, past=past))


def rotary(low: Lowering, node: Node) -> None:
    """RotaryEmbedding with tables of cosines and sines."""
    view = low.view(node.inputs[0])
    heads = int(node.attributes.get("num_heads") or 0)
    width = view.shape[-1] // heads if heads and len(view.axes) == 3 else view.shape[-1]
    low.finish(node, rotated(low, node, view, width))
