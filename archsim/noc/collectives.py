"""One to many and many to one: multicasts and reductions, on shared channels or as a packet for each tile.

A layer's input goes to all tiles that hold a part of it, and their partial sums come together again in one.
"""

from __future__ import annotations

import numpy as np

from archsim.errors import ArchsimError
from archsim.noc.fabric import Fabric
from archsim.noc.packets import Packets

Tree = tuple[int, tuple[int, ...]]

__all__ = ["flit_hops", "multicast", "reduction", "reduction_tree"]


def multicast(fabric: Fabric, source: int, targets: list[int], flits: int, *, copies: bool) -> Packets:
    """``flits`` flits from one terminal to others, cut into packets that fit a buffer, all created in cycle 0.

    With ``copies`` each target gets packets of its own; else one copy goes over the channels that the routes share.
    """
    trees: list[Tree] = [(source, (target,)) for target in targets] if copies else [(source, tuple(targets))]
    sizes = _cut(fabric, flits)
    route = np.tile(np.arange(len(trees)), len(sizes))  # packet by packet to all, as a copying source would
    return Packets.along(fabric, trees, route, np.zeros(len(route), np.int64), np.repeat(sizes, len(trees)))


def _cut(fabric: Fabric, flits: int) -> list[int]:
    """The lengths of packets that fit a buffer."""
    most = fabric.router.buffer_flits
    return [min(most, flits - start) for start in range(0, flits, most)]


def reduction_tree(fabric: Fabric, sources: list[int], target: int) -> dict[int, int]:
    """For each source the terminal that adds its partial sum to its own: the next of the sources on its way to
    ``target``, or ``target`` itself.  Of several at one router the lowest collects."""
    if target in sources or len(set(sources)) < len(sources):
        raise ArchsimError(f"a reduction to terminal {target} needs other, different terminals, got {sources}")
    lowest: dict[object, int] = {}
    for source in sorted(sources):
        lowest.setdefault(fabric.terminals[source], source)
    onto = {}
    for source in sources:
        router = fabric.terminals[source]
        if lowest[router] != source:
            onto[source] = lowest[router]
            continue
        way = [node for node, _ in fabric.routing.path(router, fabric.terminals[target])]
        onto[source] = next((lowest[node] for node in way if node in lowest), target)
    return onto


def reduction(
    fabric: Fabric, sources: list[int], target: int, flits: int, *, on_the_way: bool, add_cycles: int = 1
) -> Packets:
    """A partial sum of ``flits`` flits from each source to ``target``, created in cycle 0.

    ``on_the_way`` each tile adds what comes to it to its own sum, which takes ``add_cycles``, and sends one on; else
    all go to the target.  ArchsimError if the routes lead the sums in a circle.
    """
    onto = reduction_tree(fabric, sources, target) if on_the_way else dict.fromkeys(sources, target)
    sizes = _cut(fabric, flits)
    packets = [(source, piece) for source in sources for piece in range(len(sizes))]
    number = {packet: index for index, packet in enumerate(packets)}
    order = [
        (number[source, piece], number[onto[source], piece]) for source, piece in packets if onto[source] != target
    ]
    waits = np.isin(np.arange(len(packets)), [after for _, after in order])
    return Packets.along(
        fabric,
        [(source, (onto[source],)) for source in sources],
        np.repeat(np.arange(len(sources)), len(sizes)),
        np.where(waits, add_cycles, 0),
        np.array([sizes[piece] for _, piece in packets], np.int64),
        order,
    )


def flit_hops(fabric: Fabric, packets: Packets) -> int:
    """Flits over channels between routers."""
    count = len(fabric.terminals)
    return int(packets.channel_flits(fabric.channels)[count : count + len(fabric.edges)].sum())
