"""One design, one network: load, compile, simulate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from archsim.compile.network import chips_to_fit, compile_network
from archsim.errors import ArchsimError
from archsim.explore.options import Options
from archsim.results import Run
from archsim.sim.simulate import simulate_network
from archsim.spec.chip import Chip
from archsim.spec.loader import Loaded, load_chip
from archsim.workload import load_graph
from archsim.workload.graph import Graph

__all__ = ["Design", "chips_wanted", "load_design", "run_design"]


@dataclass(frozen=True)
class Design:
    """A chip and a network, loaded."""

    chip: Loaded[Chip]
    graph: Graph
    workload: Loaded[Any]

    @property
    def config_hash(self) -> str:
        """A hash of chip and network together, 16 digits."""
        return hashlib.sha256((self.chip.config_hash + self.workload.config_hash).encode()).hexdigest()[:16]

    def resolved(self) -> dict[str, Any]:
        """Both documents, fully resolved."""
        return {
            "chip": self.chip.model.model_dump(mode="json", by_alias=True, exclude_none=True),
            "workload": self.workload.model.model_dump(mode="json", by_alias=True, exclude_none=True),
        }


def load_design(chip: str, workload: str, overrides: Sequence[str] = ()) -> Design:
    """Load both; an override whose key begins with ``workload.`` goes to the network, any other to the chip."""
    prefix = "workload."
    own = [text for text in overrides if not text.startswith(prefix)]
    theirs = [text.removeprefix(prefix) for text in overrides if text.startswith(prefix)]
    graph, loaded = load_graph(workload, theirs)
    return Design(load_chip(chip, own), graph, loaded)


def chips_wanted(text: str) -> int | None:
    """``--chips``: a number, or None for ``fit``."""
    if text == "fit":
        return None
    if not text.isdigit() or int(text) < 1:
        raise ArchsimError(f"--chips: expected 'fit' or a number of at least 1, got {text!r}")
    return int(text)


def run_design(
    design: Design, chips: int | None, options: Options, report: Callable[[str], None] = lambda step: None
) -> Run:
    """Compile ``design`` onto ``chips`` chips and simulate it; None: the smallest board that holds the network once."""
    if chips is not None and chips < 1:
        raise ArchsimError(f"chips: expected at least 1, got {chips}")
    began = perf_counter()
    chip = design.chip.model
    count = chips if chips is not None else chips_to_fit(design.graph, chip)
    report(f"compiling onto {count} chip{'s' if count > 1 else ''}")
    detail = options.component_detail
    compiled = compile_network(design.graph, chip, count, options.replication, component_detail=detail)
    compiled_s = perf_counter() - began
    run = simulate_network(
        compiled,
        images=options.images,
        engine_name=options.engine,
        idle_tiles=options.idle_tiles,
        config_hash=design.config_hash,
        resolved=design.resolved(),
        report=report,
    )
    return replace(run, wall={"compile": compiled_s, **run.wall, "wall": perf_counter() - began})
