"""Why a network on a board is as fast as it is: critical paths, whose time they are, and what a change would bring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from archsim._version import __version__
from archsim.compile.network import Compiled
from archsim.errors import ArchsimError
from archsim.hardware.causes import room_name
from archsim.program import Program
from archsim.sim.attribution import Attribution
from archsim.sim.breakdown import Breakdown, breakdown
from archsim.sim.critical import Path, critical_path
from archsim.sim.engines import EngineName, chosen, engine
from archsim.sim.outcome import Outcome, records_bytes
from archsim.sim.simulate import BINDS, detail_of, finished, steady_interval
from archsim.sim.stretch import Stretch, longest_loop
from archsim.sim.whatif import NO_TIME, REGISTERS, Change, Rerun, Times, rerun, times

__all__ = ["MOST_RECORDS", "Explanation", "WhatIf", "explain_network", "require_memory"]

MOST_RECORDS = 4 * 2**30
"""The bytes of records that are kept at the most."""

ON_THE_PATH = 0.01
"""The share of a path from which a component is asked what it would bring if it were faster; for layers, twice that."""

MOST_LAYERS = 6
"""Layers that are asked at the most, those with the largest shares."""

WORTH_TWICE = 1.02
"""The gain without a thing from which it is also asked what half of its time would bring."""

ONE_PROCESS = 10_000_000
"""Events of all runs together up to which other processes take longer to start than they save."""

Report = Callable[[str], None]
Each = Callable[[Callable[[Rerun], Times | None], Sequence[Rerun]], Iterable[Times | None]]
"""Something like ``map``, that may work on several at once."""


@dataclass(frozen=True)
class WhatIf:
    """What comes of ``change``: half the time (or twice the room), and no time at all (or room without end).

    ``twice`` is None where it was not tried, because even no time brings next to nothing.
    """

    change: Change
    twice: Times | None
    without: Times

    @property
    def name(self) -> str:
        """The name of a component, of room, or of a layer; several that set a time together are joined by ``=``."""
        return " = ".join(self.change.names)


@dataclass(frozen=True)
class Explanation:
    """Why a network on a board is as fast as it is.

    ``steady`` explains the time between inferences, ``makespan`` the whole run of ``images`` inferences, ``latency`` a
    single one in the empty machine.  ``what_ifs`` stand in the order of what they bring.
    """

    chip: str
    workload: str
    unit: str
    chips: int
    engine: EngineName
    detail: str
    images: int
    events: int
    times: Times
    makespan_ps: int
    steady: Breakdown | None
    makespan: Breakdown
    latency: Breakdown
    what_ifs: tuple[WhatIf, ...]
    path: Path = field(repr=False)
    """The critical path of the last inference."""
    program: Program = field(repr=False)
    """The Program that the path goes through."""
    version: str = __version__
    config_hash: str = ""
    resolved: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def main(self) -> Breakdown:
        """What is explained first: the time between inferences or, if there was only one, its latency."""
        return self.steady or self.latency

    def gain(self, what_if: WhatIf, *, twice: bool = False) -> float:
        """By what factor the interval (of a single inference, the latency) gets shorter."""
        after = what_if.twice if twice else what_if.without
        return self.times.interval_ps / after.interval_ps if after else 1.0

    @property
    def bottleneck(self) -> WhatIf | None:
        """Room, if room without end brings so much that no server can have been busy for BINDS of the interval; else
        the component that brings most when it is twice as fast; None if none brings anything.

        No room takes work from a server, so the interval with room without end is at least the work of the busiest.
        """
        ours = [what_if for what_if in self.what_ifs if what_if.change.kind != "layer"]
        rooms = [what_if for what_if in ours if what_if.change.kind == "room"]
        most_room = max(rooms, key=self.gain, default=None)
        if most_room and self.gain(most_room) * BINDS >= 1.0:
            return most_room
        return ours[0] if ours and self.gain(ours[0], twice=True) >= WORTH_TWICE else None


def require_memory(program: Program, images: int, unit: str) -> None:
    """ArchsimError if the records of a run would take more than MOST_RECORDS; says what takes less."""
    needed = records_bytes(program)
    if needed > MOST_RECORDS:
        fitting = images * MOST_RECORDS // needed
        fewer = f"--images {fitting}" if fitting else "not even one fits: a shorter sequence"
        sizes = f"take {needed / 2**30:.3g} GiB, the limit is {MOST_RECORDS / 2**30:.3g} GiB"
        raise ArchsimError(
            f"explain: the records of {images} {unit}{'s' if images > 1 else ''} {sizes}; fewer inferences ({fewer}), "
            "fewer chips or fewer copies take less"
        )


def explain_network(
    compiled: Compiled,
    *,
    images: int = 8,
    engine_name: str | None = None,
    config_hash: str = "",
    resolved: Mapping[str, str] | None = None,
    report: Report = lambda step: None,
    each: Each = map,
) -> Explanation:
    """Run ``compiled`` with all records, walk its critical paths, and try what changes would bring.

    ``each`` runs the changes; ArchsimError if the records would take too much memory.
    """
    name = chosen(engine_name)
    unit = compiled.graph.unit
    program = compiled.for_images(images)
    require_memory(program, images, unit)
    report("one inference in the empty machine")
    single = engine(name)(compiled.program, records="all")
    latency = _explained(compiled, single, 1)
    report(f"{images} inferences and their critical path")
    outcome = engine(name)(program, records="all") if images > 1 else single
    path = _last_path(compiled, program, outcome, images)
    attribution = Attribution(compiled)
    done = finished(compiled, outcome)
    makespan = breakdown(path, Stretch(0, int(done[-1]), images), attribution)
    steady = None
    if images > 1:
        steady = breakdown(path, _steady_stretch(path, program, outcome, done), attribution)
    explanation = Explanation(
        chip=compiled.board.chip.name,
        workload=compiled.graph.name,
        unit=unit,
        chips=compiled.board.chips,
        engine=name,
        detail=detail_of(compiled),
        images=images,
        events=outcome.events,
        times=times(compiled, single, outcome),
        makespan_ps=int(done[-1]),
        steady=steady,
        makespan=makespan,
        latency=latency,
        what_ifs=(),
        path=path,
        program=program,
        config_hash=config_hash,
        resolved=resolved or {},
    )
    del outcome, single  # what is to be tried may need the memory
    return replace(explanation, what_ifs=_what_ifs(explanation, compiled, attribution, report, each))


def _last_path(compiled: Compiled, program: Program, outcome: Outcome, images: int) -> Path:
    """The critical path of the last output.  A link that is busy for as long as an inference takes holds up all."""
    done = finished(compiled, outcome)
    last = max(compiled.lowered.host_out, key=lambda stage: int(outcome.records.starts[stage][-1]))
    saturated = int(steady_interval(done, outcome)[0]) if images > 1 else None
    return critical_path(program, outcome, (last, images - 1), saturated=saturated)


def _explained(compiled: Compiled, outcome: Outcome, images: int) -> Breakdown:
    path = _last_path(compiled, compiled.program, outcome, images)
    return breakdown(path, Stretch(0, path.finish, images), Attribution(compiled))


def _steady_stretch(path: Path, program: Program, outcome: Outcome, done: NDArray[np.int64]) -> Stretch:
    """The longest loop of the path; if it has none over half of the inferences, the time in which these came out."""
    images = len(done)
    loop = longest_loop(path, program, outcome, images)
    if loop is not None and 2 * loop.inferences >= images:
        return loop
    half = images // 2
    return Stretch(int(done[half - 1]), int(done[-1]), images - half)


def _what_ifs(
    found: Explanation, compiled: Compiled, attribution: Attribution, report: Report, each: Each
) -> tuple[WhatIf, ...]:
    """Each change tried, in the order of what twice as much brings, then of what no time at all does."""
    changes = _changes(found, room_name(attribution.tile))
    registers = tuple(attribution.ends_in("registers"))

    def tried(changes: Sequence[Change], factor: int) -> list[Times]:
        runs = [Rerun(compiled, change, factor, found.images, found.engine, registers) for change in changes]
        few = found.events * len(runs) <= ONE_PROCESS
        return [got or found.times for got in (map if few else each)(rerun, runs)]

    report(f"{len(changes)} changes, each without the time of something")
    without = dict(zip(changes, tried(changes, NO_TIME), strict=True))
    better = found.times.interval_ps / WORTH_TWICE
    worth = [c for c in changes if c.kind != "layer" and without[c].interval_ps <= better]
    report(f"{len(worth)} changes, each with something twice as fast")
    twice = dict(zip(worth, tried(worth, 2), strict=True))
    what_ifs = [WhatIf(change, twice.get(change), without[change]) for change in changes]
    gains = {w: (found.gain(w, twice=True), found.gain(w)) for w in what_ifs}
    return tuple(sorted(what_ifs, key=lambda w: (-gains[w][0], -gains[w][1], w.name)))


def _changes(found: Explanation, room: str) -> list[Change]:
    """What is on the path of an inference or of the time between them, and the room there is.

    Of components that set a time together, each is asked alone, and all together.
    """
    views = [found.latency, *([found.steady] if found.steady else [])]
    causes = {c for view in views for c, ps in view.by_cause().items() if ps >= ON_THE_PATH * view.total_ps}
    causes = {cause for cause in causes if all("." in name for name in cause)}  # others are the model's own
    together = {cause for cause in causes if not any(set(cause) < set(other) for other in causes)}
    names = sorted({name for cause in causes for name in cause})
    changes = [Change("component", cause) for cause in sorted(together | {(name,) for name in names})]
    changes += [Change("room", (room,)), Change("room", (REGISTERS,))]
    layers = [Change("layer", (layer,)) for layer in found.main.by_layer()]
    return changes + [c for c in layers if (found.main.share(c) or 0) >= 2 * ON_THE_PATH][:MOST_LAYERS]
