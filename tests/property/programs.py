"""Random Programs that are small, sound in their totals, and full of equal times.

One generator serves two sources of choices: hypothesis (which shrinks what it finds) and a seeded
``random.Random`` (which is fast).  A Program is made image by image, as the compiler makes them: every stage
has a number of firings an image, every flow a number of tokens an image, and windows grow by that number.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from archsim.errors import DeadlockError
from archsim.program import NO_NODE, End, Flow, Hop, Link, Program, Sequence, Stage
from archsim.untimed import sufficient_capacities

__all__ = ["programs", "random_program"]

Choose = Callable[[int, int], int]
"""An integer between two bounds, both included; the smaller the simpler."""

MAX_STAGES = 6
MAX_LINKS = 4
SCALES = (1, 1, 1, 1, 100, 10**7)
"""What small times are multiplied with; mostly nothing, so that many are equal."""


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Random Programs for hypothesis."""
    return _program(lambda low, high: draw(st.integers(low, high)))


def random_program(seed: int) -> Program:
    """The Program of a seed."""
    return _program(random.Random(seed).randint)


@dataclass(frozen=True)
class _Frame:
    """What the parts of one Program have in common."""

    choose: Choose
    images: int
    per_image: tuple[int, ...]
    """Firings of each stage an image."""
    links: int
    scale: int

    def time(self, largest: int) -> int:
        return self.scale * self.choose(1, largest)

    def times(self, largest: int) -> Sequence:
        return Sequence.of(self.time(largest) for _ in range(self.choose(1, 3)))


def _program(choose: Choose) -> Program:
    scale = SCALES[choose(0, len(SCALES) - 1)]
    per_image = tuple(choose(1, 4) for _ in range(choose(1, MAX_STAGES)))
    frame = _Frame(choose, choose(1, 3), per_image, choose(0, MAX_LINKS), scale)
    stages = [
        Stage(f"s{s}", frame.images * firings, frame.times(4), frame.times(7)) for s, firings in enumerate(per_image)
    ]
    if choose(0, 30) == 30:
        stages[-1] = dataclasses.replace(stages[-1], firings=0)
    links = tuple(Link(f"l{i}", frame.time(3)) for i in range(frame.links))
    flows = [_forward(frame, target) for target in range(1, len(stages))]
    for _ in range(choose(0, 3)):
        if len(stages) == 1 or choose(0, 2) == 0:
            flows.append(_recurrence(frame))
        else:
            flows.append(_forward(frame, choose(1, len(stages) - 1)))
    # the order of flows decides ties, so it must not follow the order of stages
    order = sorted(range(len(flows)), key=lambda f: (choose(0, 3), f))
    program = Program(tuple(stages), tuple(flows[f] for f in order), links)
    return program if choose(0, 3) == 3 else _with_enough_room(program, choose)


def _with_enough_room(program: Program, choose: Choose) -> Program:
    """The same with capacities that suffice, and barely so: tight buffers without a deadlock."""
    try:
        capacities = sufficient_capacities(program)
    except DeadlockError:
        return program
    flows = []
    for f, flow in enumerate(program.flows):
        base = int(program.end_offsets[f])
        ends = tuple(
            dataclasses.replace(end, capacity=int(capacities[base + e]) + max(0, choose(0, 4) - 2))
            for e, end in enumerate(flow.ends)
        )
        flows.append(dataclasses.replace(flow, ends=ends))
    return Program(program.stages, tuple(flows), program.links)


def _forward(frame: _Frame, target: int) -> Flow:
    """A flow to ``target`` from a stage before it, maybe to more ends at later stages."""
    source = frame.choose(0, target - 1)
    more = [frame.choose(source + 1, len(frame.per_image) - 1) for _ in range(max(0, frame.choose(0, 4) - 2))]
    emit = _emit(frame, source)
    initial = max(0, frame.choose(0, 5) - 3)
    return _flow(frame, source, [target, *more], emit, initial, within=sum(emit) + initial)


def _recurrence(frame: _Frame) -> Flow:
    """A flow back, or a loop: the initial tokens do for the windows of the first image, mostly."""
    source = frame.choose(0, len(frame.per_image) - 1)
    emit = _emit(frame, source)
    initial = max(1, sum(emit) - (frame.choose(0, 7) == 7))
    return _flow(frame, source, [frame.choose(0, source)], emit, initial, within=sum(emit))


def _emit(frame: _Frame, source: int) -> list[int]:
    """The tokens of each firing in an image: mostly one, but also none or several."""
    return [frame.choose(0, 3) if frame.choose(0, 2) else 1 for _ in range(frame.per_image[source])]


def _flow(frame: _Frame, source: int, targets: list[int], emit: list[int], initial: int, *, within: int) -> Flow:
    """``within`` is the largest need in the first image."""
    route = _route(frame)
    ends = tuple(_end(frame, target, emit, initial, within=within, hops=len(route)) for target in targets)
    return Flow(f"f{source}-{targets[0]}", source, Sequence.of(emit), ends, route, initial)


def _route(frame: _Frame) -> tuple[Hop, ...]:
    """A path, or a tree, over links in any order."""
    drawn = [frame.choose(0, frame.links - 1) for _ in range(frame.choose(0, frame.links))]
    return tuple(
        Hop(link, frame.time(4), index - 1 if frame.choose(0, 3) else frame.choose(NO_NODE, index - 1))
        for index, link in enumerate(dict.fromkeys(drawn))
    )


def _end(frame: _Frame, stage: int, emit: list[int], initial: int, *, within: int, hops: int) -> End:
    """Windows over the tokens of an image: they may overlap, jump, drop tokens, or need nothing at all."""
    choose, tokens = frame.choose, sum(emit)
    need = sorted(choose(0, within) for _ in range(frame.per_image[stage]))
    wish = [max(0, needed + (1, 0, 0, 0, -1, -2)[choose(0, 5)]) for needed in need]
    free = [max(wish[: n + 1]) for n in range(len(wish))]
    if free[-1] < tokens and choose(0, 3):
        free[-1] = tokens  # the rest of the image is read past
    free = [min(value, free[0] + tokens) for value in free]  # the next image must not fall behind this one
    left = initial + tokens * frame.images - (free[-1] + tokens * (frame.images - 1))
    capacity = max(_window(need, free, tokens, frame.images), initial, left, *emit)
    capacity += (0, 1, 2, 3, tokens, 1_000_000)[choose(0, 5)]
    capacity -= choose(0, 40) == 40  # breaks the untimed check, or is just too tight
    node = hops - 1 if choose(0, 2) else choose(NO_NODE, hops - 1)
    return End(stage, Sequence.of(need, tokens), Sequence.of(free, tokens), max(capacity, 0), node)


def _window(need: list[int], free: list[int], tokens: int, images: int) -> int:
    """The most tokens that a firing needs at one time."""
    widest, freed = 0, 0
    for image in range(images):
        for needed, frees in zip(need, free, strict=True):
            widest = max(widest, needed + image * tokens - freed)
            freed = frees + image * tokens
    return widest
