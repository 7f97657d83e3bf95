"""How to run: the options of a simulation, read from the command line's texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from archsim.compile.network import Replication
from archsim.errors import ArchsimError, nearest
from archsim.sim.engines import chosen
from archsim.workload import ImportOptions

__all__ = ["MAX_IMAGES", "Options", "import_options", "options", "whole_number"]

ENGINES = ("compiled", "simpy")

MAX_IMAGES = 10_000
"""The most inferences in one simulation: the memory that they take is asked for at once."""


@dataclass(frozen=True)
class Options:
    """``images`` inferences for the steady state; ``engine`` None for the default one."""

    images: int = 8
    engine: str | None = None
    replication: Replication = "balanced"
    idle_tiles: bool = True
    component_detail: frozenset[str] = frozenset()
    reprogram: bool = False
    """Whether a board that is too small is programmed anew for each phase of the network; ``images`` are then a batch
    that goes through a phase before the next one is loaded."""

    def __post_init__(self) -> None:
        if not 1 <= self.images <= MAX_IMAGES:
            raise ArchsimError(f"images: expected 1 to {MAX_IMAGES}, got {self.images}")
        if self.engine is not None and self.engine not in ENGINES:
            hint = nearest(self.engine, ENGINES)
            raise ArchsimError(f"engine: expected {' or '.join(ENGINES)}, got {self.engine!r}{hint}")
        if self.reprogram and self.component_detail:
            raise ArchsimError("--reprogram: phases are simulated without --component-detail")
        if self.engine is not None:
            chosen(self.engine)  # or a message that it cannot run, before anything is compiled for it

    def written(self, chips: int) -> str:
        """The options as YAML, for a run on ``chips`` chips."""
        values = {
            "chips": chips,
            "images": self.images,
            "engine": chosen(self.engine),
            "replication": self.replication if isinstance(self.replication, str) else dict(self.replication),
            "idle_tiles": self.idle_tiles,
            "component_detail": sorted(self.component_detail),
        }
        if self.reprogram:
            values["reprogram"] = True
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def whole_number(text: str) -> int | None:
    """The number that ``text`` writes in decimal digits, up to nine of them; None if it is anything else."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def import_options(bind: Sequence[str] | None, map_unknown: str | None) -> ImportOptions | None:
    """``--bind`` and ``--map-unknown``: sizes as ``batch=1``, shapes of inputs as ``x=1x3x224x224``."""
    if map_unknown not in (None, "vector"):
        raise ArchsimError(f"--map-unknown: expected vector, got {map_unknown!r:.100}")
    sizes: dict[str, int | tuple[int, ...]] = {}
    for text in bind or ():
        name, equals, value = text.rpartition("=")
        numbers = [whole_number(part) for part in value.split("x")]
        known = tuple(number for number in numbers if number is not None)
        if not equals or not name or len(known) < len(numbers):
            raise ArchsimError(f"--bind: expected NAME=SIZE or INPUT=SIZExSIZE…, got {text!r:.200}")
        sizes[name] = known if len(known) > 1 else known[0]
    return ImportOptions(sizes, map_unknown is not None) if sizes or map_unknown else None


def options(
    images: int,
    engine: str | None,
    replicate: Sequence[str] | None,
    idle_tiles: bool,
    component_detail: Sequence[str] | None,
    reprogram: bool = False,
) -> Options:
    """Options from the command line."""
    return Options(images, engine, _replication(replicate), idle_tiles, frozenset(component_detail or ()), reprogram)


def _replication(texts: Sequence[str] | None) -> Replication:
    if not texts:
        return "balanced"
    if list(texts) == ["none"]:
        return "none"
    factors: dict[str, int] = {}
    for text in texts:
        layer, equals, number = text.rpartition("=")
        copies = whole_number(number)
        if text == "none":
            raise ArchsimError("--replicate: 'none' stands alone, got other factors beside it")
        if not equals or copies is None:
            raise ArchsimError(f"--replicate: expected LAYER=N or none, got {text!r:.200}")
        if layer in factors:
            raise ArchsimError(f"--replicate: {layer!r} is given twice, {factors[layer]} and {copies} copies")
        factors[layer] = copies
    return factors
