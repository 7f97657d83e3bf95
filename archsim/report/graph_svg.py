"""The layers of a network as a drawing in SVG: one box a layer, ranked by its distance from the input."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from archsim.workload.graph import INPUT, Graph, Layer

__all__ = ["graph_svg"]

WIDTH, HEIGHT = 210, 44
"""Of a box."""

ACROSS, DOWN = 26, 30
"""Between boxes."""

MARGIN = 20

_COLOURS = {"matrix": "#dbe9f6", "vector": "#fde9d3", "move": "#eeeeee", "input": "#e2f0d9"}
"""Fill by kind: layers on crossbars, on vector units, of data movement alone, inputs."""


@dataclass(frozen=True, slots=True)
class _Place:
    x: float
    y: float


def graph_svg(graph: Graph) -> str:
    """The drawing as the text of an SVG file."""
    ranks = _ranks(graph)
    places = _places(graph, ranks)
    wide = max(place.x for place in places.values()) + WIDTH + MARGIN
    high = max(place.y for place in places.values()) + HEIGHT + MARGIN + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:.0f}" height="{high:.0f}" '
        f'viewBox="0 0 {wide:.0f} {high:.0f}" font-family="sans-serif">',
        f"<title>{escape(graph.title or graph.name)}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    parts += [
        _edge(places[name], places[layer.name], ranks[layer.name] - ranks[name])
        for layer in graph
        for name in layer.inputs
    ]
    parts += [_box(layer, places[layer.name]) for layer in graph]
    parts.append(_legend(high))
    return "\n".join([*parts, "</svg>", ""])


def _ranks(graph: Graph) -> dict[str, int]:
    """How many layers lie between the input and each layer, on the longest way."""
    ranks: dict[str, int] = {}
    for layer in graph:
        ranks[layer.name] = max((ranks[name] + 1 for name in layer.inputs), default=0)
    return ranks


def _places(graph: Graph, ranks: dict[str, int]) -> dict[str, _Place]:
    """The layers of a rank side by side, each as near as it can be to the mean of those that it reads."""
    rows: dict[int, list[Layer]] = {}
    for layer in graph:
        rows.setdefault(ranks[layer.name], []).append(layer)
    middle: dict[str, float] = {}
    for rank in sorted(rows):
        wanted = {
            layer.name: sum(middle[name] for name in layer.inputs) / len(layer.inputs) if layer.inputs else 0.0
            for layer in rows[rank]
        }
        row = sorted(rows[rank], key=lambda layer: wanted[layer.name])
        step = WIDTH + ACROSS
        centre = sum(wanted.values()) / len(wanted)
        for number, layer in enumerate(row):
            middle[layer.name] = centre + (number - (len(row) - 1) / 2) * step
    left = min(middle.values())
    return {name: _Place(MARGIN + 60 + x - left, MARGIN + ranks[name] * (HEIGHT + DOWN)) for name, x in middle.items()}


def _kind(layer: Layer) -> str:
    if layer.op == INPUT:
        return "input"
    if layer.matrix:
        return "matrix"
    return "vector" if layer.work else "move"


def _box(layer: Layer, at: _Place) -> str:
    shape = " × ".join(str(length) for length in layer.output_shape)
    function = f", {layer.activation}" if layer.activation not in ("none", layer.op) else ""
    below = f"{layer.op}{function}: {shape}"
    title = f"{layer.name}: {layer.macs:,} MACs, {layer.parameters:,} parameters"
    return (
        f"<g><title>{escape(title)}</title>"
        f'<rect x="{at.x:.1f}" y="{at.y:.1f}" width="{WIDTH}" height="{HEIGHT}" rx="6" '
        f'fill="{_COLOURS[_kind(layer)]}" stroke="#555555"/>'
        f'<text x="{at.x + WIDTH / 2:.1f}" y="{at.y + 18:.1f}" font-size="12" text-anchor="middle">'
        f"{escape(_short(layer.name, 30))}</text>"
        f'<text x="{at.x + WIDTH / 2:.1f}" y="{at.y + 34:.1f}" font-size="11" fill="#444444" text-anchor="middle">'
        f"{escape(_short(below, 36))}</text></g>"
    )


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[-most // 2 :]}"


def _edge(start: _Place, end: _Place, ranks: int) -> str:
    """A line to the next rank, an arc to the left past others, or down beside them."""
    x1, y1, x2, y2 = start.x + WIDTH / 2, start.y + HEIGHT, end.x + WIDTH / 2, end.y
    if ranks > 1 and abs(x1 - x2) < WIDTH:
        side = min(start.x, end.x) - min(12 + 5 * ranks, 55)
        y1, y2 = start.y + HEIGHT / 2, end.y + HEIGHT / 2
        path = f"M{start.x:.1f},{y1:.1f} C{side:.1f},{y1 + 20:.1f} {side:.1f},{y2 - 20:.1f} {end.x:.1f},{y2:.1f}"
    else:
        turn = y2 - DOWN
        bend = turn + DOWN / 2
        path = f"M{x1:.1f},{y1:.1f} L{x1:.1f},{turn:.1f} C{x1:.1f},{bend:.1f} {x2:.1f},{bend:.1f} {x2:.1f},{y2:.1f}"
    return f'<path d="{path}" fill="none" stroke="#888888" stroke-width="1.2"/>'


def _legend(high: float) -> str:
    """What the colours mean."""
    texts = {"input": "input", "matrix": "weights on crossbars", "vector": "vector units", "move": "data movement"}
    out, x = [], float(MARGIN)
    for kind, text in texts.items():
        out.append(
            f'<rect x="{x:.0f}" y="{high - 22:.0f}" width="12" height="12" fill="{_COLOURS[kind]}" stroke="#555555"/>'
        )
        out.append(f'<text x="{x + 17:.0f}" y="{high - 12:.0f}" font-size="11">{text}</text>')
        x += 36 + 6.2 * len(text)
    return "".join(out)
