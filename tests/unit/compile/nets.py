"""Small networks and chips for the tests of the compiler."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from archsim.program import Program
from archsim.spec.chip import Chip
from archsim.spec.loader import load_chip
from archsim.spec.workload import Workload
from archsim.workload import Graph, build_graph

UNBOUND = "1000000 TB/s"
_ROWS = {
    "isaac-ce": ("buffer", "bus", ("sigmoid", "shift_add", "max_pool")),
    "puma": ("data_memory", "memory_bus", ("vector", "sfu")),
}


def free(name: str) -> list[str]:
    """Overrides with which memories, links and functional units of a chip never bind."""
    buffer, bus, units = _ROWS[name]
    level = "tile" if name == "isaac-ce" else "tile.core"
    return [
        f"tile.components.{buffer}.bandwidth={UNBOUND}",
        f"tile.components.{buffer}.capacity=1024 GiB",
        f"tile.components.{bus}.bandwidth={UNBOUND}",
        f"noc.bandwidth={UNBOUND}",
        f"components.hyper_transport.bandwidth={UNBOUND}",
        *(f"{level}.components.{unit}.rate=1000000 THz" for unit in units),
    ]


def network(shape: Sequence[int], *layers: dict[str, Any], **keys: Any) -> Graph:
    """A network of these layers over an input of ``shape``."""
    document = {"schema": 1, "kind": "workload", "name": "small", "source": "a test", "input": list(shape), **keys}
    return build_graph(Workload.model_validate({**document, "layers": list(layers)}))


def chip(name: str = "isaac-ce", *overrides: str) -> Chip:
    return load_chip(name, overrides).model


def bytes_by_kind(program: Program) -> dict[str, float]:
    """The bytes of one image over each kind of link that counts bits: tokens × bits / 8."""
    found: dict[str, float] = defaultdict(float)
    for flow in program.flows:
        tokens = flow.emit.total(program.stages[flow.source].firings)
        for hop in flow.route:
            kind = program.links[hop.link].kind
            if kind != "unit":
                found[kind] += tokens * flow.bits / 8
    return dict(found)
