"""One design, one network: load, compile, simulate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from archsim.compile.network import Compiled, chips_to_fit, compile_network
from archsim.compile.phases import compile_phases
from archsim.errors import ArchsimError
from archsim.explore.options import Options, whole_number
from archsim.program import Program
from archsim.results import Run
from archsim.sim.outcome import Outcome
from archsim.sim.reprogram import simulate_phases
from archsim.sim.simulate import simulate_network
from archsim.spec.chip import Chip
from archsim.spec.loader import Loaded, load_chip
from archsim.workload import ImportOptions, load_graph
from archsim.workload.graph import Graph

__all__ = ["MAX_TILES", "Design", "chips_wanted", "compile_design", "load_design", "run_design"]

MAX_TILES = 2**20
"""The tiles of the largest board: each takes memory, also where it stays empty."""


AS_USUAL = Options()


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

    def resolved(self) -> dict[str, str]:
        """Both documents, fully resolved, as YAML that archsim reads."""
        return {"chip": self.chip.resolved_yaml(), "workload": self.workload.resolved_yaml()}


def load_design(
    chip: str, workload: str, overrides: Sequence[str] = (), imports: ImportOptions | None = None
) -> Design:
    """Load both; an override whose key begins with ``workload.`` goes to the network, any other to the chip.

    ``imports`` says how an ONNX file is read.
    """
    prefix = "workload."
    own = [text for text in overrides if not text.startswith(prefix)]
    theirs = [text.removeprefix(prefix) for text in overrides if text.startswith(prefix)]
    graph, loaded = load_graph(workload, theirs, imports)
    return Design(load_chip(chip, own), graph, loaded)


def chips_wanted(text: str) -> int | None:
    """``--chips``: a number, or None for ``fit``."""
    if text == "fit":
        return None
    number = whole_number(text)
    if not number:
        raise ArchsimError(f"--chips: expected 'fit' or a number of at least 1, got {text!r:.200}")
    return number


def _board(design: Design, chips: int | None) -> int:
    """The chips of the board."""
    chip = design.chip.model
    most = max(1, MAX_TILES // chip.tiles)
    if chips is not None and not 1 <= chips <= most:
        raise ArchsimError(f"chips: expected 1 to {most} of {chip.tiles} tiles each, got {chips}")
    return chips if chips is not None else chips_to_fit(design.graph, chip)


def compile_design(design: Design, chips: int | None, options: Options, report: Callable[[str], None]) -> Compiled:
    """Compile ``design`` onto ``chips`` chips; None: onto the smallest board that holds the network once."""
    chip, count = design.chip.model, _board(design, chips)
    report(f"compiling onto {count} chip{'s' if count > 1 else ''}")
    detail = options.component_detail
    return compile_network(design.graph, chip, count, options.replication, component_detail=detail)


def run_design(
    design: Design,
    chips: int | None = None,
    options: Options = AS_USUAL,
    report: Callable[[str], None] = lambda step: None,
    keep: Callable[[Compiled, Program, Outcome], None] | None = None,
    resolved: bool = True,
) -> Run:
    """Compile ``design`` onto ``chips`` chips and simulate it; None: the smallest board that holds the network once.

    ``keep`` is given all records of the run for the steady state.  Without ``resolved`` the Run does not hold the files
    as they were read, which take some time to write out.
    """
    if options.reprogram:
        return _run_phases(design, chips, options, report, keep is not None, resolved)
    began = perf_counter()
    compiled = compile_design(design, chips, options, report)
    compiled_s = perf_counter() - began
    run = simulate_network(
        compiled,
        images=options.images,
        engine_name=options.engine,
        idle_tiles=options.idle_tiles,
        config_hash=design.config_hash,
        resolved={**design.resolved(), "run": options.written(compiled.board.chips)} if resolved else None,
        report=report,
        keep=keep,
    )
    return replace(run, wall={"compile": compiled_s, **run.wall, "wall": perf_counter() - began})


def _run_phases(
    design: Design,
    chips: int | None,
    options: Options,
    report: Callable[[str], None],
    keep: bool,
    resolved: bool,
) -> Run:
    """The same with a board that is programmed anew for each phase."""
    if keep:
        raise ArchsimError("--reprogram: a run in phases has no one set of records; run without --records")
    began, count = perf_counter(), _board(design, chips)
    report(f"compiling onto {count} chip{'s' if count > 1 else ''} in phases")
    plans = compile_phases(design.graph, design.chip.model, count, options.replication)
    compiled_s = perf_counter() - began
    run = simulate_phases(
        design.graph,
        plans,
        images=options.images,
        engine_name=options.engine,
        idle_tiles=options.idle_tiles,
        config_hash=design.config_hash,
        resolved={**design.resolved(), "run": options.written(count)} if resolved else None,
        report=report,
    )
    return replace(run, wall={"compile": compiled_s, **run.wall, "wall": perf_counter() - began})
