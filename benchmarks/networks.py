"""Compile and simulate the published networks at their smallest boards: seconds, events a second, memory.

    python -m benchmarks.networks [--chips N] [--engine compiled|simpy] [--simpy] [--images N] [--only vgg16 …]

Each line is measured in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
from time import perf_counter

from archsim.compile.network import chips_to_fit, compile_network
from archsim.program import Program, Sequence, Stage
from archsim.sim.engines import engine
from archsim.spec.loader import load_chip
from archsim.workload import load_graph

CHIPS = ("isaac-ce", "puma")
NETWORKS = {"vgg16": [], "resnet50": [], "lstm-2048": ["sequence=8"]}
COLUMNS = ("network", "chip", "chips", "engine", "compile s", "stages", "flows", "events", "run s", "events/s", "MB")


def measure(network: str, chip: str, chips: int | None, engines: list[str], images: int) -> list[list[str]]:
    """A line for each engine; the compiled one is warmed up first, so that its own compilation is not counted."""
    graph = load_graph(network, NETWORKS[network])[0]
    design = load_chip(chip).model
    began = perf_counter()
    count = chips or chips_to_fit(graph, design)
    compiled = compile_network(graph, design, count)
    compile_s = perf_counter() - began
    program = compiled.for_images(images)
    lines = []
    for name in engines:
        run = engine("simpy" if name == "simpy" else "compiled")
        if name == "compiled":
            _warm_up(run)
        began = perf_counter()
        outcome = run(program)
        seconds = perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        figures = [f"{compile_s:.2f}", str(len(program.stages)), str(len(program.flows)), str(outcome.events)]
        figures += [f"{seconds:.2f}", f"{outcome.events / seconds:.3g}", f"{peak:.0f}"]
        lines.append([network, chip, str(count), name, *figures])
    return lines


def _warm_up(run) -> None:  # type: ignore[no-untyped-def]
    one = Sequence.constant(1)
    run(Program((Stage("s", 1, one, one),), ()))


def _print(cells: list[str]) -> None:
    widths = (10, 9, 5, 8, 9, 7, 8, 10, 8, 9, 6)
    print(" ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--chips", type=int, help="chips on every board; by default as few as hold the network once")
    parser.add_argument("--engine", choices=("compiled", "simpy"), default="compiled")
    parser.add_argument("--simpy", action="store_true", help="measure the SimPy reference as well")
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    given = parser.parse_args()
    engines = list(dict.fromkeys([given.engine, *(["simpy"] if given.simpy else [])]))
    _print(list(COLUMNS))
    context = multiprocessing.get_context("spawn")
    for network in given.only:
        for chip in CHIPS:
            with context.Pool(1) as pool:
                arguments = (network, chip, given.chips, engines, given.images)
                try:
                    lines = pool.apply(measure, arguments)
                except Exception as error:  # one that does not fit leaves the others to be measured
                    print(f"{network} on {chip}: {error}", file=sys.stderr)
                    continue
            for line in lines:
                _print(line)


if __name__ == "__main__":
    main()
