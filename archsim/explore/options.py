"""How to run: the options of a simulation, read from the command line's texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archsim.compile.network import Replication
from archsim.errors import ArchsimError, nearest

__all__ = ["Options", "options"]

ENGINES = ("compiled", "simpy")


@dataclass(frozen=True)
class Options:
    """``images`` inferences for the steady state; ``engine`` None for the default one."""

    images: int = 8
    engine: str | None = None
    replication: Replication = "balanced"
    idle_tiles: bool = True
    component_detail: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.images < 1:
            raise ArchsimError(f"images: expected at least 1, got {self.images}")
        if self.engine is not None and self.engine not in ENGINES:
            hint = nearest(self.engine, ENGINES)
            raise ArchsimError(f"engine: expected {' or '.join(ENGINES)}, got {self.engine!r}{hint}")


def options(
    images: int,
    engine: str | None,
    replicate: Sequence[str] | None,
    idle_tiles: bool,
    component_detail: Sequence[str] | None,
) -> Options:
    """Options from the command line."""
    return Options(images, engine, _replication(replicate), idle_tiles, frozenset(component_detail or ()))


def _replication(texts: Sequence[str] | None) -> Replication:
    if not texts:
        return "balanced"
    if list(texts) == ["none"]:
        return "none"
    factors = {}
    for text in texts:
        layer, equals, copies = text.rpartition("=")
        if not equals or not copies.isdigit():
            raise ArchsimError(f"--replicate: expected LAYER=N or none, got {text!r}")
        factors[layer] = int(copies)
    return factors
