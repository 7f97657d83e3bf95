"""The time of a stretch of a critical path: by reason, by component and layer, and by what was waited for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from archsim.hardware.causes import Cause
from archsim.sim.attribution import Attribution, Reason
from archsim.sim.critical import Path
from archsim.sim.stretch import Stretch
from archsim.sim.whatif import Change

__all__ = ["Breakdown", "Wait", "breakdown"]

Key = TypeVar("Key", Cause, str)


@dataclass(frozen=True, slots=True)
class Wait:
    """What a path comes by ``times`` times, for ``ps`` altogether; most of it is the time of ``cause``."""

    what: str
    ps: int
    times: int
    cause: Cause


@dataclass(frozen=True)
class Breakdown:
    """The time of one stretch of a path in ps: by reason, by cause and layer, and by what was waited for.

    Each of them adds up to the whole stretch.
    """

    stretch: Stretch
    reasons: Mapping[Reason, int]
    parts: Mapping[tuple[Cause, str], int]
    waits: tuple[Wait, ...]

    @property
    def total_ps(self) -> int:
        """The length of the stretch."""
        return self.stretch.finish - self.stretch.begin

    def by_cause(self) -> dict[Cause, int]:
        """The time of each cause, the longest first."""
        return _summed((cause, ps) for (cause, _), ps in self.parts.items())

    def by_layer(self) -> dict[str, int]:
        """The time of each layer, the longest first."""
        return _summed((layer, ps) for (_, layer), ps in self.parts.items())

    def share(self, change: Change) -> float | None:
        """The share of what ``change`` is about: of layers, or of the causes that none but these components set.

        None for room: it takes no time, and is why a path goes on through that of other stages.
        """
        if change.kind == "room":
            return None
        names = set(change.names)
        ours = (ps for (cause, layer), ps in self.parts.items() if names.issuperset(cause) or layer in names)
        return sum(ours) / max(1, self.total_ps)


def breakdown(path: Path, stretch: Stretch, attribution: Attribution) -> Breakdown:
    """The time of ``stretch``, in which the path is cut where it begins and ends."""
    reasons: Counter[Reason] = Counter()
    parts: Counter[tuple[Cause, str]] = Counter()
    waits: dict[str, Counter[Cause]] = {}
    often: Counter[str] = Counter()
    for piece in path.pieces:
        time = min(piece.finish, stretch.finish) - max(piece.begin, stretch.begin)
        if time <= 0:
            continue
        reasons[attribution.reason(piece)] += time
        layer, what = attribution.layer(piece), attribution.in_words(piece)
        often[what] += piece.firings
        for cause, ps in attribution.causes(piece, time):
            parts[cause, layer] += ps
            waits.setdefault(what, Counter())[cause] += ps
    found = [Wait(what, causes.total(), often[what], causes.most_common(1)[0][0]) for what, causes in waits.items()]
    return Breakdown(stretch, dict(reasons), dict(parts), tuple(sorted(found, key=lambda wait: (-wait.ps, wait.what))))


def _summed(items: Iterable[tuple[Key, int]]) -> dict[Key, int]:
    sums: dict[Key, int] = {}
    for key, ps in items:
        sums[key] = sums.get(key, 0) + ps
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))
