"""Gates: by which of its chips' links each flow leaves and enters, so that no corner of a chip carries it all.

Between two chips a flow has as many ways as each has links.  It takes those with the least sum, over the channels and
links of its way on the chip, of the bits that flows before it have there and its own: the shortest while nothing is
loaded, another where many would meet.  Into one chip all its tokens go by one link, as a tree.

Only what goes between chips is counted.  On a board of one chip that is the host's traffic alone, which takes the link
nearest to its first target.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Seq

from archsim.noc.board import HOST, Board

__all__ = ["Gates"]

Ways = tuple[int | None, list[int | None]]
"""The link by which a flow leaves its chip, and that by which it enters the chip of each target."""


class Gates:
    """Chooses links for one flow after the other."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._links: list[dict[object, float]] = [{} for _ in range(board.chips)]
        self._steps: dict[tuple[int, int, bool], frozenset[object]] = {}

    def ways(self, source: int, targets: Seq[int], bits: int) -> Ways:
        """Those of a flow of ``bits`` bits in all from ``source`` to ``targets``, which is counted from then on."""
        board = self.board
        if board.chips == 1:
            return None, board.entries(list(targets))
        own = HOST if source == HOST else board.chip_of(source)
        by_chip: dict[int, list[int]] = {}
        for target in targets:
            chip = HOST if target == HOST else board.chip_of(target)
            if chip != own:
                by_chip.setdefault(chip, []).append(target)
        leave = self._least(own, [source], bits, outward=True) if by_chip and own != HOST else None
        entries = {c: self._least(c, found, bits, outward=False) for c, found in by_chip.items() if c != HOST}
        return leave, [None if target == HOST else entries.get(board.chip_of(target)) for target in targets]

    def _least(self, chip: int, tiles: Iterable[int], bits: int, *, outward: bool) -> int:
        """The link of ``chip`` with the least on its ways to ``tiles``, or from them; the first of equals."""
        loads = self._links[chip]
        places = {tile % self.board.tiles_per_chip for tile in tiles}
        trees = [
            frozenset().union(*(self._between(port, place, outward) for place in places))
            for port in range(len(self.board.ports))
        ]
        sums = [sum(loads.get(link, 0) for link in tree) + len(tree) * bits for tree in trees]
        port = sums.index(min(sums))
        for link in trees[port]:
            loads[link] = loads.get(link, 0) + bits
        return port

    def _between(self, port: int, place: int, outward: bool) -> frozenset[object]:
        """The channels between a tile and a chip's link, and the link, as they are named within a chip."""
        key = port, place, outward
        if key not in self._steps:
            path = self.board.path(place, HOST, leave=port) if outward else self.board.path(HOST, place, port)
            self._steps[key] = frozenset((link[0], *link[2:]) for link in path if link[0] not in ("inject", "eject"))
        return self._steps[key]
