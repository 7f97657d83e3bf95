"""Networks that a user draws: a YAML list of routers and links, or GraphML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx

from archsim.noc.topology import Graph, circle, joined
from archsim.spec.drawn import network_node
from archsim.spec.loader import validate
from archsim.spec.network import Drawn, Network

__all__ = ["drawn_graph", "read_network"]


def read_network(path: Path) -> tuple[Graph, str]:
    """The graph in a file, and the name of its routing.  SpecError or ArchsimError for what is wrong with it."""
    network = validate(network_node(path), Network)
    graph = drawn_graph(network)
    graph.graph["name"] = network.name
    return graph, network.routing


def drawn_graph(network: Drawn) -> Graph:
    """The graph of routers and links as they are drawn."""
    graph: Graph = nx.DiGraph(kind="graph", shape=(len(network.routers),))
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
