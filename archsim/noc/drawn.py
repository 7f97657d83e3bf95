"""Networks that a user draws: a YAML list of routers and links, or GraphML."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx

from archsim.errors import ArchsimError, NotFoundError
from archsim.noc.topology import Graph, circle, joined
from archsim.spec.loader import validate
from archsim.spec.network import Network
from archsim.spec.tree import MAX_BYTES, Mark, Node, read_file

__all__ = ["read_network"]


def read_network(path: Path) -> tuple[Graph, str]:
    """The graph in a file, and the name of its routing.  SpecError or ArchsimError for what is wrong with it."""
    if not path.is_file():
        raise NotFoundError(f"no network file at {str(path)!r:.300}")
    node = _graphml(path) if path.suffix.lower() == ".graphml" else read_file(path, str(path))
    network = validate(node, Network)
    return _graph(network), network.routing


def _graph(network: Network) -> Graph:
    graph: Graph = nx.DiGraph(kind="graph", shape=(len(network.routers),), name=network.name)
    for (name, router), place in zip(network.routers.items(), circle(len(network.routers)), strict=True):
        position = tuple(router.position) if router.position else place
        graph.add_node(name, position=position, terminals=router.terminals)
    for link in network.links:
        attributes: dict[str, Any] = {"period": link.period, "off_chip": link.off_chip}
        if link.cycles is not None:
            attributes["cycles"] = link.cycles
        if link.energy is not None:
            attributes["energy"] = float(link.energy.value)
        joined(graph, link.ends[0], link.ends[1], both=not link.one_way, **attributes)
    return graph


def _graphml(path: Path) -> Node:
    """GraphML as the tree of a network file: nodes may have ``terminals``, ``x`` and ``y``, edges the keys of a link.

    A directed graph has one channel an edge, an undirected one a channel each way.
    """
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
    return _node(plain, Mark(str(path)))


def _node(value: Any, mark: Mark) -> Node:
    if isinstance(value, dict):
        return Node({key: _node(child, mark) for key, child in value.items()}, mark, dict.fromkeys(value, mark))
    if isinstance(value, list):
        return Node([_node(child, mark) for child in value], mark)
    return Node(value, mark)
