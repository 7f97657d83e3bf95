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
        self._loads: list[list[int]] = [[] for _ in range(board.chips)]
        self._numbers: dict[object, int] = {}
        self._trees: dict[tuple[frozenset[int], bool], list[tuple[int, ...]]] = {}
        self._steps: dict[tuple[int, int, bool], frozenset[int]] = {}

    def ways(self, source: int, targets: Seq[int], bits: int) -> Ways:
        """Those of a flow of ``bits`` bits in all from ``source`` to ``targets``, which is counted from then on."""
        board = self.board
        if board.chips == 1:
            return None, board.entries(list(targets))
        chips = [HOST if tile == HOST else tile // board.tiles_per_chip for tile in (source, *targets)]
        own = chips[0]
        by_chip: dict[int, list[int]] = {}
        for target, chip in zip(targets, chips[1:], strict=True):
            if chip != own:
                by_chip.setdefault(chip, []).append(target)
        leave = self._least(own, [source], bits, outward=True) if by_chip and own != HOST else None
        entries = {c: self._least(c, found, bits, outward=False) for c, found in by_chip.items() if c != HOST}
        return leave, [entries.get(chip) for chip in chips[1:]]

    def _least(self, chip: int, tiles: Iterable[int], bits: int, *, outward: bool) -> int:
        """The link of ``chip`` with the least on its ways to ``tiles``, or from them; the first of equals."""
        key = frozenset([tile % self.board.tiles_per_chip for tile in tiles]), outward
        trees = self._trees.get(key) or self._ways(key)
        loads = self._loads[chip]
        loads += [0] * (len(self._numbers) - len(loads))
        sums = [sum([loads[link] for link in tree]) + len(tree) * bits for tree in trees]
        port = sums.index(min(sums))
        for link in trees[port]:
            loads[link] += bits
        return port

    def _ways(self, key: tuple[frozenset[int], bool]) -> list[tuple[int, ...]]:
        """For each link of a chip all that lies between it and some places on the chip; kept."""
        places, outward = key
        ports = range(len(self.board.ports))
        trees = [frozenset[int]().union(*(self._between(port, place, outward) for place in places)) for port in ports]
        found = self._trees[key] = [tuple(sorted(tree)) for tree in trees]
        return found

    def _between(self, port: int, place: int, outward: bool) -> frozenset[int]:
        """The channels between a tile and a chip's link, and the link: by numbers that they have on every chip."""
        key = port, place, outward
        if key not in self._steps:
            path = self.board.path(place, HOST, leave=port) if outward else self.board.path(HOST, place, port)
            names = [(link[0], *link[2:]) for link in path if link[0] not in ("inject", "eject")]
            self._steps[key] = frozenset([self._numbers.setdefault(name, len(self._numbers)) for name in names])
        return self._steps[key]
