"""Network files as trees: YAML as it stands, GraphML turned into the same keys."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from archsim.errors import ArchsimError, NotFoundError, Problem, SpecError
from archsim.spec.tree import MAX_BYTES, Mark, Node, node_of, read_file

__all__ = ["GRAPHML", "network_node", "routers_and_links"]

GRAPHML = ".graphml"


def network_node(path: Path) -> Node:
    """The tree of a network file.  NotFoundError, SpecError or ArchsimError for what is wrong with it."""
    if not path.is_file():
        raise NotFoundError(f"no network file at {str(path)!r:.300}")
    return _graphml(path) if path.suffix.lower() == GRAPHML else read_file(path, str(path))


def routers_and_links(path: Path) -> Node:
    """What a chip takes of a network file: all but ``schema``, ``kind`` and ``name``."""
    node = network_node(path)
    if not isinstance(node.value, dict) or "kind" not in node.value or node.value["kind"].value != "network":
        raise SpecError([Problem(str(node.mark), "expected a network: a mapping with 'schema: 1' and 'kind: network'")])
    kept = {key: child for key, child in node.value.items() if key not in ("schema", "kind", "name")}
    return Node(kept, node.mark, node.key_marks, node.base)


def _graphml(path: Path) -> Node:
    """GraphML as the tree of a network file: nodes may have ``terminals``, ``x`` and ``y``, edges the keys of a link.

    A directed graph has one channel an edge, an undirected one a channel each way.
    """
    import networkx as nx  # noqa: PLC0415

    text = path.read_bytes()
    if len(text) > MAX_BYTES:
        raise ArchsimError(f"{path}: more than {MAX_BYTES} bytes")
    if b"<!" in text.replace(b"<!--", b""):
        raise ArchsimError(f"{path}: document types and entities are not read")
    try:
        graph = nx.read_graphml(io.BytesIO(text))
    except (nx.NetworkXError, ElementTree.ParseError, ValueError, KeyError) as error:
        raise ArchsimError(f"{path}: not GraphML that can be read: {error}") from None
    routers: dict[str, Any] = {}
    for name, data in graph.nodes(data=True):
        row = {key: value for key, value in data.items() if key not in ("x", "y")}
        if "x" in data and "y" in data:
            row["position"] = [float(data["x"]), float(data["y"])]
        routers[str(name)] = row
    links = [{"ends": [str(a), str(b)], **data} for a, b, data in graph.edges(data=True)]
    if graph.is_directed():
        links = [{**link, "one_way": True} for link in links]
    plain = {"schema": 1, "kind": "network", "name": path.stem, "routers": routers, "links": links}
    plain |= {key: value for key, value in graph.graph.items() if key == "routing"}
    return node_of(plain, Mark(str(path)))
