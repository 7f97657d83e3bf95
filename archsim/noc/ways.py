"""The ways between the routers of one chip by numbers: for compilation, which asks for tens of thousands of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ways"]

Ints = NDArray[np.int64]


class Ways:
    """Routers at which tiles or links to other chips stand, and the channels between them.

    The channels of pair ``p = a * routers + b``, from router number ``a`` to ``b``, are
    ``channels[begin[p] : end[p]]``; ``begin[p]`` is below 0 until :meth:`find` was asked for that pair.
    """

    def __init__(
        self,
        tiles: Sequence[Any],
        ports: Sequence[Any],
        way: Callable[[Any, Any], Iterable[tuple[object, ...]]],
        most_channels: int,
    ) -> None:
        """``tiles`` and ``ports`` give the router of each; ``way`` the channels from one router to another, as they are
        named on a chip.  There are no more channels than ``most_channels``."""
        self._way = way
        self.most_channels = most_channels
        self._routers = list(dict.fromkeys([*tiles, *ports]))
        number = {router: k for k, router in enumerate(self._routers)}
        self.of_tile = np.array([number[router] for router in tiles], np.int64)
        self.of_port = np.array([number[router] for router in ports], np.int64)
        self.routers = len(self._routers)
        self.begin = np.full(self.routers * self.routers, -1, np.int64)
        self.end = np.full_like(self.begin, -1)
        self.channels = np.zeros(0, np.int64)
        self._numbers: dict[tuple[object, ...], int] = {}

    @property
    def names(self) -> list[tuple[object, ...]]:
        """Each channel that was met by its number, as it is named on a chip."""
        return list(self._numbers)

    def find(self, pairs: Ints) -> None:
        """Work out the ways of those of ``pairs`` that were not asked for before."""
        missing = pairs[self.begin[pairs] < 0]
        if not len(missing):
            return
        found: list[int] = []
        for pair in dict.fromkeys(missing.tolist()):
            start, end = (self._routers[k] for k in divmod(pair, self.routers))
            self.begin[pair] = len(self.channels) + len(found)
            found += [self._numbers.setdefault(name, len(self._numbers)) for name in self._way(start, end)]
            self.end[pair] = len(self.channels) + len(found)
        self.channels = np.concatenate((self.channels, np.array(found, np.int64)))
