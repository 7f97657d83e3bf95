"""Rules for operators that move data: most change the view of a tensor and add no layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from archsim.workload.onnx.layout import Atom, Axis, View, full, joined
from archsim.workload.onnx.lower import Lowering, NeedsPositionsError, Rule, Unknown
from archsim.workload.onnx.trace import Node

__all__ = ["RULES", "moved", "piece"]


def reshape(low: Lowering, node: Node) -> None:
    """Reshape, Flatten, Squeeze, Unsqueeze: the same values in the same order."""
    view = low.reshaped(low.view(node.inputs[0]), low.shape(node.outputs[0]))
    low.hints[view] = node.name
    low.finish(node, view)


def transpose(low: Lowering, node: Node) -> None:
    """Transpose: the axes in another order."""
    view = low.view(node.inputs[0])
    order = node.attributes.get("perm") or list(range(len(view.axes)))[::-1]
    low.finish(node, View(view.layer, tuple(view.axes[axis] for axis in order)))


def expand(low: Lowering, node: Node) -> None:
    """Expand and Tile along axes of length 1: repetition, which costs nothing until it is laid out."""
    view = low.view(node.inputs[0])
    shape = low.shape(node.outputs[0])
    axes: list[Axis] = [()] * (len(shape) - len(view.axes)) + list(view.axes)
    out: list[Axis] = []
    for axis, length in zip(axes, shape, strict=True):
        have = math.prod(atom.size for atom in axis)
        if length == have:
            out.append(axis)
        elif length % have == 0:
            out.append((Atom("R", 1, length // have), *axis))
        else:
            raise Unknown
    low.finish(node, View(view.layer, tuple(out)))


def concat(low: Lowering, node: Node) -> None:
    """Concat: along the channels, or as positions one after the other."""
    shape = low.shape(node.outputs[0])
    axis = int(node.attributes["axis"]) % len(shape)
    names = [name for name in node.inputs if low.value(name).size]
    dynamic = [name for name in names if name in low.views]
    if len(dynamic) == 1 == len(names):
        low.finish(node, low.view(dynamic[0]))
        return
    if _cache(low, node, axis):
        return
    views = [low.view(name) for name in dynamic]
    channels, positions = _arrangement(views, axis)
    constants = sum(low.value(name).size for name in names if name not in low.views)
    layers = [low.placed(view, channels, positions, _common_grid(low, views, positions)) for view in views]
    if axis in channels and channels[0] == axis and not constants and len(set(layers)) == len(layers):
        first = low.emit.shapes[layers[0]]
        out = (sum(low.emit.shapes[layer][0] for layer in layers), *first[1:])
        layer = low.emit.add(node.name, {"concat": layers}, out)
    else:
        count = math.prod(shape[k] for k in positions)
        width = math.prod(shape[k] for k in channels)
        out = (width, *_joined_grid(low, layers, axis, channels, count)) if count > 1 else (width,)
        spec: dict[str, Any] = {"move": list(out), "operands": layers, "what": "concat"}
        across = axis in channels
        spec |= {"reads": "raster" if across or positions[:1] == [axis] else "whole", "groups": 1}
        layer = low.emit.add(node.name, spec | ({"parameters": constants} if constants else {}), out)
    low.finish(node, low.fresh(layer, shape, channels))


def _cache(low: Lowering, node: Node, axis: int) -> bool:
    """Keys or values of the past, an input of the model, and those of one new token behind them: a cache."""
    if not low.caches or len(node.inputs) != 2:
        return False
    past, new = node.inputs
    if past not in low.net.inputs or low.net.readers[past] != [node] or new not in low.views:
        return False
    view = low.view(new)
    rest = [k for k in range(len(view.axes)) if k != axis and view.axes[k]]
    if view.shape[axis] != 1 or any(atom.dimension != "C" for k in rest for atom in view.axes[k]):
        return False
    layer = low.placed(view, rest, [], (1, 1))
    tokens = low.shape(node.outputs[0])[axis]
    made = low.emit.add(node.name, {"cache": tokens}, low.emit.shapes[layer], layer)
    low.emit.cached[made] = tokens
    low.emit.inputs.pop(low.views[past].layer, None)
    low.emit.note("keys and values of the past stay in the machine: they are no inputs, and those of now no outputs")
    axes = list(low.arranged(made, view.shape, rest, []).axes)
    axes[axis] = full("P", tokens)
    low.finish(node, View(made, tuple(axes)))
    return True


def _common_grid(low: Lowering, views: Sequence[View], positions: Sequence[int]) -> tuple[int, int] | None:
    """Rows and columns that all may keep, if the first has them and all have as many positions."""
    shape = low.emit.shapes[views[0].layer]
    counts = {math.prod(view.shape[k] for k in positions) for view in views}
    if len(shape) == 3 and counts == {shape[1] * shape[2]}:
        return shape[1], shape[2]
    return None


def _joined_grid(low: Lowering, layers: list[str], axis: int, channels: list[int], count: int) -> tuple[int, int]:
    shape = low.emit.shapes[layers[0]]
    if axis in channels and len(shape) == 3:
        return shape[1], shape[2]
    if len(shape) == 3 and shape[2] > 1 and count % shape[2] == 0 and count // shape[2] <= 65536:
        return count // shape[2], shape[2]
    return low._target(1, count, None)[1:]  # type: ignore[return-value]


def _arrangement(views: Sequence[View], axis: int) -> tuple[list[int], list[int]]:
    """Which axes of the tensors are channels, and which positions: as in the first, ``axis`` with those it is like."""
    model = max(views, key=lambda view: sum(bool(a) for a in view.axes))
    channels, positions = channel_axes(model)
    if axis not in channels and axis not in positions:
        (channels if not channels or any(a < axis for a in channels) is False else positions).append(axis)
    if axis in positions:
        positions = sorted(positions)
    else:
        channels = [axis, *(a for a in channels if a != axis)] if not model.axes[axis] else channels
    rest = [a for a in range(len(model.axes)) if a not in channels and a not in positions]
    return channels, positions + rest


def channel_axes(view: View) -> tuple[list[int], list[int]]:
    """The axes of a view that are channels and those that are positions, each by falling stride; the rest left out."""
    found: dict[str, list[tuple[int, int]]] = {"C": [], "P": []}
    for index, axis in enumerate(view.axes):
        if axis:
            kind = "C" if all(atom.dimension in "CR" for atom in axis) else "P"
            found[kind].append((-max(atom.stride for atom in axis), index))
    return [index for _, index in sorted(found["C"])], [index for _, index in sorted(found["P"])]


def slice_(low: Lowering, node: Node) -> None:
    """Slice with constant bounds."""
    view = low.view(node.inputs[0])
    given = [low.net.optional(node, k) for k in range(1, 5)]
    if given[0] is None:  # before opset 10 these were attributes
        starts, ends = node.attributes["starts"], node.attributes["ends"]
        axes, steps = node.attributes.get("axes"), None
    else:
        if any(value is not None and value.data is None for value in given):
            raise Unknown("its bounds depend on data")
        starts, ends, axes, steps = (None if v is None or v.data is None else v.data.tolist() for v in given)
    assert starts is not None
    assert ends is not None
    axes = axes if axes is not None else list(range(len(starts)))
    steps = steps if steps is not None else [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis %= len(view.axes)  # noqa: PLW2901
        first, last, by = slice(start, end, step).indices(view.shape[axis])
        picked = range(first, last, by)
        view = piece(low, node, view, axis, picked)
    low.finish(node, view)


def split(low: Lowering, node: Node) -> None:
    """Split into slices."""
    view = low.view(node.inputs[0])
    axis = int(node.attributes.get("axis", 0)) % len(view.axes)
    start = 0
    for output, name in enumerate(node.outputs):
        length = low.shape(name)[axis] if name else 0
        if name and low.wanted(node, output):
            low.finish(node, piece(low, node, view, axis, range(start, start + length)), output)
        start += length


def gather(low: Lowering, node: Node) -> None:
    """Gather by constant numbers: slices, or a choice of entries; of a constant table by tokens: an embedding."""
    axis = int(node.attributes.get("axis", 0)) % max(1, len(low.shape(node.inputs[0])))
    data, index = low.value(node.inputs[0]), low.value(node.inputs[1])
    if data.constant:
        _embedding(low, node, axis)
        return
    if not index.constant or index.data is None:
        moved(low, node)
        return
    view = low.view(node.inputs[0])
    length = view.shape[axis]
    numbers = [int(n) % length for n in index.data.reshape(-1)]
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    picked = range(numbers[0], numbers[-1] + (1 if step > 0 else -1), step) if step else range(0)
    if list(picked) != numbers:
        moved(low, node)
        return
    view = piece(low, node, view, axis, picked)
    low.finish(node, low.reshaped(view, low.shape(node.outputs[0])))


def _embedding(low: Lowering, node: Node, axis: int) -> None:
    table = low.value(node.inputs[0])
    ids = low.view(node.inputs[1])
    shape = low.shape(node.outputs[0])
    if axis != 0 or len(table.shape) != 2:
        moved(low, node, parameters=table.size)
        return
    order = list(range(len(ids.axes)))
    layer = low.placed(ids, [], order, low.emit.grid(ids.layer) if low.emit.positions(ids.layer) > 1 else None)
    width = table.shape[1]
    out = (width, *low.emit.shapes[layer][1:])
    made = low.emit.add(node.name, {"embedding": width, "rows": table.shape[0]}, out, layer)
    low.finish(node, low.fresh(made, shape, [len(shape) - 1]))


def piece(low: Lowering, node: Node, view: View, axis: int, picked: range) -> View:
    """The entries ``picked`` of one axis of a view."""
    length = view.shape[axis]
    if picked == range(length) or (len(picked) == length == 1):
        return view
    atoms = joined(view.axes[axis])
    if all(atom.dimension == "R" for atom in atoms):
        return _with_axis(view, axis, (Atom("R", 1, len(picked)),) if len(picked) > 1 else ())
    if low.steps is not None and any(atom.dimension == "S" for atom in atoms):
        raise NeedsPositionsError
    layer = view.layer
    channels, grid = low.emit.channels(layer), low.emit.grid(layer)
    shape = low.emit.shapes[layer]
    if picked.step > 0 and len(atoms) == 1 and atoms[0].dimension == "C":
        return _channel_piece(low, node, view, axis, atoms[0], picked)
    if picked.step > 0 and len(atoms) == 1 and len(shape) == 3 and atoms[0].dimension == "P":
        for which, stride, size in (("rows", grid[1], grid[0]), ("columns", 1, grid[1])):
            if atoms[0] == Atom("P", stride, size):
                out = (channels, len(picked), grid[1]) if which == "rows" else (channels, grid[0], len(picked))
                spec = {"slice": which, "start": picked.start, "end": picked[-1] + 1}
                made = low.emit.add(node.name, spec | ({"step": picked.step} if picked.step > 1 else {}), out, layer)
                return _after_grid(view, axis, made, grid, out)
    return _chosen(low, node, view, axis, len(picked))


def _with_axis(view: View, axis: int, atoms: Axis, layer: str = "") -> View:
    return View(layer or view.layer, tuple(atoms if k == axis else old for k, old in enumerate(view.axes)))


def _channel_piece(low: Lowering, node: Node, view: View, axis: int, atom: Atom, picked: range) -> View:
    """Channels of one axis: a slice where the axis is the outermost of them, else a move within groups."""
    layer = view.layer
    channels = low.emit.channels(layer)
    outer = channels // (atom.stride * atom.size)
    out = (outer * len(picked) * atom.stride, *low.emit.shapes[layer][1:])
    if outer == 1 and (picked.step == 1 or atom.stride == 1):
        spec: dict[str, Any] = {"slice": "channels", "start": picked.start * atom.stride}
        spec |= {"end": (picked[-1] + 1) * atom.stride} | ({"step": picked.step} if picked.step > 1 else {})
    else:
        spec = {"move": list(out), "reads": "same", "groups": outer, "what": "slice"}
    made = low.emit.add(node.name, spec, out, layer)
    axes = []
    for old in view.axes:
        axes.append(tuple(_rescaled(a, atom, len(picked)) for a in joined(old)))
    axes[axis] = (Atom("C", atom.stride, len(picked)),) if len(picked) > 1 else ()
    return View(made, tuple(axes))


def _rescaled(atom: Atom, cut: Atom, length: int) -> Atom:
    """An atom of the channels after the atom ``cut`` has become ``length`` long."""
    if atom.dimension != "C" or atom.stride < cut.stride * cut.size:
        return atom
    return Atom("C", atom.stride // cut.size * length, atom.size)


def _after_grid(view: View, axis: int, made: str, grid: tuple[int, int], out: tuple[int, ...]) -> View:
    """The view after rows or columns were cut."""
    axes = []
    for index, old in enumerate(view.axes):
        atoms: list[Atom] = []
        for atom in joined(old):
            if atom.dimension != "P":
                atoms.append(atom)
            elif index == axis:
                row = atom.stride == grid[1] and atom.size == grid[0]
                size, stride = (out[1], out[2]) if row else (out[2], 1)
                atoms += [Atom("P", stride, size)] if size > 1 else []
            else:
                stride = atom.stride // grid[1] * out[2] if atom.stride >= grid[1] else atom.stride
                atoms.append(Atom("P", stride, atom.size))
        axes.append(tuple(atoms))
    return View(made, tuple(axes))


def _chosen(low: Lowering, node: Node, view: View, axis: int, length: int) -> View:
    """Some entries of an axis that is no dimension of its own."""
    shape = [length if k == axis else n for k, n in enumerate(view.shape)]
    return _laid_out(low, node, [view], shape)


def _laid_out(low: Lowering, node: Node, views: Sequence[View], shape: Sequence[int], parameters: int = 0) -> View:
    """A new layer of ``shape`` that moves data from anywhere in ``views``, with channels where the first has them."""
    model = views[0]
    channels = channel_axes(model)[0] if len(model.axes) == len(shape) else []
    channels = channels or default_channels(shape)
    count = math.prod(n for k, n in enumerate(shape) if k not in channels)
    width = math.prod(shape[k] for k in channels)
    if low.steps is not None:
        raise NeedsPositionsError
    out = low._target(width, count, None)
    spec: dict[str, Any] = {"move": list(out), "operands": list(dict.fromkeys(v.layer for v in views))}
    spec |= {"reads": "whole", "groups": 1, "what": _what(node)} | ({"parameters": parameters} if parameters else {})
    return low.fresh(low.emit.add(node.name, spec, out), shape, channels)


def _what(node: Node) -> str:
    return node.op.split(".")[-1].lower()[:40]


def default_channels(shape: Sequence[int]) -> list[int]:
    """The axis of a tensor that is taken for its channels: the second of images, else the last."""
    return [1] if len(shape) >= 4 else [len(shape) - 1] if shape else []


def moved(low: Lowering, node: Node, *, parameters: int = 0) -> None:
    """Data movement of any kind."""
    views = [low.view(name) for name in low.operands(node)]
    for output, name in enumerate(node.outputs):
        if low.wanted(node, output):
            low.finish(node, _laid_out(low, node, views, low.shape(name), parameters), output)


def tile(low: Lowering, node: Node) -> None:
    """Tile: repetition."""
    try:
        expand(low, node)
    except Unknown:
        moved(low, node)


def pad(low: Lowering, node: Node) -> None:
    """Pad of an image, or of a sequence, around its positions."""
    view = low.view(node.inputs[0])
    rank = len(view.axes)
    amounts = node.attributes.get("pads") or _known(low, node, 1)
    axes = _known(low, node, 3) if len(node.inputs) > 3 and node.inputs[3] else list(range(rank))
    low_pad, high_pad = [0] * rank, [0] * rank
    for k, axis in enumerate(axes):
        low_pad[axis % rank], high_pad[axis % rank] = int(amounts[k]), int(amounts[k + len(axes)])
    padded = [k for k in range(rank) if low_pad[k] or high_pad[k]]
    if not padded:
        low.finish(node, view)
        return
    spatial = spatial_axes(view, padded)
    if spatial is None:
        moved(low, node)
        return
    channels, rows, columns = spatial
    layer = image_of(low, view, channels, rows, columns)
    width, high, wide = low.emit.shapes[layer]
    sides = [sum(low_pad[a] for a in rows[-1:]), sum(low_pad[a] for a in columns[-1:])]
    sides += [sum(high_pad[a] for a in rows[-1:]), sum(high_pad[a] for a in columns[-1:])]
    out = (width, high + sides[0] + sides[2], wide + sides[1] + sides[3])
    made = low.emit.add(node.name, {"pad": sides}, out, layer)
    low.finish(node, low.fresh(made, low.shape(node.outputs[0]), channels))


def _known(low: Lowering, node: Node, index: int) -> list[int]:
    value = low.net.optional(node, index)
    if value is None or value.data is None:
        raise Unknown("its sizes depend on data")
    return [int(n) for n in value.data.reshape(-1)]


def spatial_axes(view: View, changed: Sequence[int]) -> tuple[list[int], list[int], list[int]] | None:
    """Channels, rows and columns of a view as an image in which only the axes ``changed`` change, if it is one."""
    channels, positions = channel_axes(view)
    positions = sorted(set(positions) | {k for k in changed if k not in channels})
    if any(axis in channels for axis in changed) or len(positions) > 2 or sorted(positions) != positions:
        return None
    return channels, positions[:1], positions[1:2]


def image_of(low: Lowering, view: View, channels: Sequence[int], rows: Sequence[int], columns: Sequence[int]) -> str:
    """The layer that gives ``view`` as an image with these axes."""
    if low.steps is not None:
        raise NeedsPositionsError
    grid = math.prod(view.shape[a] for a in rows), math.prod(view.shape[a] for a in columns)
    return low.placed(view, channels, [*rows, *columns], grid)


def resize(low: Lowering, node: Node) -> None:
    """Resize and Upsample of an image or a sequence."""
    view = low.view(node.inputs[0])
    shape = low.shape(node.outputs[0])
    changed = [k for k in range(len(shape)) if shape[k] != view.shape[k]]
    if not changed:
        low.finish(node, view)
        return
    spatial = spatial_axes(view, changed)
    if spatial is None:
        moved(low, node)
        return
    channels, rows, columns = spatial
    layer = image_of(low, view, channels, rows, columns)
    out = math.prod(shape[a] for a in rows), math.prod(shape[a] for a in columns)
    mode = str(node.attributes.get("mode", "nearest"))
    spec = {"resize": list(out), "mode": mode if mode in ("nearest", "linear", "cubic") else "linear"}
    made = low.emit.add(node.name, spec, (low.emit.channels(layer), *out), layer)
    low.finish(node, low.fresh(made, shape, channels))


def depth_to_space(low: Lowering, node: Node) -> None:
    """DepthToSpace: axes split, put in order and joined."""
    view = low.view(node.inputs[0])
    batch, channels, high, wide = view.shape
    block = int(node.attributes["blocksize"])
    if node.attributes.get("mode", "DCR") == "DCR":
        split_shape, order = (batch, block, block, channels // block**2, high, wide), (0, 3, 4, 1, 5, 2)
    else:
        split_shape, order = (batch, channels // block**2, block, block, high, wide), (0, 1, 4, 2, 5, 3)
    _rearranged(low, node, split_shape, order)


def space_to_depth(low: Lowering, node: Node) -> None:
    """SpaceToDepth: axes split, put in order and joined."""
    batch, channels, high, wide = low.view(node.inputs[0]).shape
    block = int(node.attributes["blocksize"])
    order = (0, 3, 5, 1, 2, 4) if node.attributes.get("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    _rearranged(low, node, (batch, channels, high // block, block, wide // block, block), order)


def _rearranged(low: Lowering, node: Node, split_shape: Sequence[int], order: Sequence[int]) -> None:
    view = low.reshaped(low.view(node.inputs[0]), split_shape)
    turned = View(view.layer, tuple(view.axes[axis] for axis in order))
    low.finish(node, low.reshaped(turned, low.shape(node.outputs[0])))


def reverse(low: Lowering, node: Node) -> None:
    """ReverseSequence."""
    moved(low, node)


RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshape),
    "Transpose": transpose,
    "Expand": expand,
    "Tile": tile,
    "Concat": concat,
    "Slice": slice_,
    "Split": split,
    "Gather": gather,
    "Pad": pad,
    "Resize": resize,
    "Upsample": resize,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    **dict.fromkeys(
        ("GatherElements", "GatherND", "ReverseSequence", "ScatterElements", "ScatterND", "Compress", "Col2Im"), moved
    ),
}
