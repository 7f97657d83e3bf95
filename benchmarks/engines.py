"""Both engines on published networks: events a second, their ratio, memory, and how the cost grows.

    python -m benchmarks.engines [--chips N] [--runs 5] [--reference-runs 1] [--only vgg16 …] [--part networks …]

Three parts: the networks on their smallest boards (or ``--chips``), the growth with images and with chips, and
synthetic Programs.  Runs are warm (compiled before); seconds are processor seconds, the median of ``--runs``.  Each
line is measured in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
from collections.abc import Callable
from time import process_time
from typing import Any

from archsim.compile.network import chips_to_fit, compile_network
from archsim.program import Program
from archsim.sim import compiled, reference
from archsim.sim.outcome import Outcome
from archsim.spec.loader import load_chip
from archsim.workload import load_graph
from benchmarks.synthetic import mesh_pipelines

Engine = Callable[[Program], Outcome]

CHIPS = ("isaac-ce", "puma")
NETWORKS = {"vgg16": [], "resnet50": [], "lstm-2048": ["sequence=8"]}
SIZES = (40, 240, 2_720)
GROWTH = (1, 4, 16, 64)
PARTS = ("networks", "images", "chips", "synthetic")


def measure(run: Engine, program: Program, runs: int) -> tuple[int, float]:
    """Events of one run and the median of its seconds."""
    seconds = []
    for _ in range(runs):
        began = process_time()
        outcome = run(program)
        seconds.append(process_time() - began)
    return outcome.events, statistics.median(seconds)


def program_of(network: str, chip: str, chips: int | None, images: int) -> tuple[Program, int, float]:
    """The Program, the chips of its board, and the seconds that compiling it took."""
    graph, design = load_graph(network, NETWORKS.get(network, []))[0], load_chip(chip).model
    count = chips or chips_to_fit(graph, design)
    began = process_time()
    made = compile_network(graph, design, count)
    seconds = process_time() - began
    return made.for_images(images), count, seconds


def both(network: str, chip: str, chips: int | None, runs: int, reference_runs: int) -> list[str]:
    program, count, compiling = program_of(network, chip, chips, 1)
    compiled.run(mesh_pipelines(40, 1_000))
    events, fast = measure(compiled.run, program, runs)
    peak = _peak_mb()
    cells = [network, chip, str(count), f"{compiling:.2f}", f"{len(program.stages):,}", f"{events:,}"]
    cells += [f"{fast:.3f}", f"{events / fast:,.0f}", f"{peak:.0f}"]
    if reference_runs:
        _, slow = measure(reference.run, program, reference_runs)
        cells += [f"{slow:.1f}", f"{events / slow:,.0f}", f"{slow / fast:.0f}"]
    return cells


def one(network: str, chip: str, chips: int | None, images: int, runs: int) -> list[str]:
    program, count, _ = program_of(network, chip, chips, images)
    compiled.run(mesh_pipelines(40, 1_000))
    events, seconds = measure(compiled.run, program, runs)
    each = f"{seconds / events * 1e9:.0f}"
    return [network, chip, str(count), str(images), f"{events:,}", f"{seconds:.3f}", each, f"{_peak_mb():.0f}"]


def synthetic(stages: int, runs: int, reference_runs: int) -> list[str]:
    compiled.run(mesh_pipelines(40, 1_000))
    events, fast = measure(compiled.run, mesh_pipelines(stages, 4_000_000), runs)
    cells = [f"{stages:,}", f"{events:,}", f"{events / fast:,.0f}"]
    if reference_runs:
        events, slow = measure(reference.run, mesh_pipelines(stages, 100_000), reference_runs)
        cells += [f"{events / slow:,.0f}"]
    return cells


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _apart(function: Callable[..., list[str]], *arguments: Any) -> None:
    """Print what a function measures in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        _print(pool.apply(function, arguments))


def _print(cells: list[str]) -> None:
    print(" ".join(cell.rjust(10) for cell in cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--chips", type=int, help="chips on every board; by default as few as hold the network once")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--reference-runs", type=int, default=1, help="runs of the SimPy reference; 0 for none")
    parser.add_argument("--only", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    given = parser.parse_args()
    slow = ("simpy s", "simpy ev/s", "ratio") if given.reference_runs else ()
    if "networks" in given.part:
        _print(["network", "chip", "chips", "compile s", "stages", "events", "run s", "events/s", "MB", *slow])
        for network in given.only:
            for chip in CHIPS:
                _apart(both, network, chip, given.chips, given.runs, given.reference_runs)
    growing = ["network", "chip", "chips", "images", "events", "run s", "ns/event", "MB"]
    if "images" in given.part:
        _print(growing)
        for images in GROWTH:
            _apart(one, "resnet50", "isaac-ce", None, images, min(given.runs, 3))
    if "chips" in given.part:
        _print(growing)
        for chips in GROWTH:
            _apart(one, "resnet18", "isaac-ce", chips, 4, given.runs)
    if "synthetic" in given.part:
        _print(["stages", "events", "events/s", *slow[1:2]])
        for stages in SIZES:
            _apart(synthetic, stages, given.runs, given.reference_runs)


if __name__ == "__main__":
    main()
