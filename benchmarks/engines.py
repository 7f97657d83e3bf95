"""``python -m benchmarks.engines``: events per second of both engines.

Warm (compiled before), the median of five runs, on synthetic Programs of 40, 240 and 2,720 stages.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from archsim.program import Program
from archsim.sim import compiled, reference
from archsim.sim.outcome import Outcome
from benchmarks.synthetic import mesh_pipelines

SIZES = (40, 240, 2_720)
RUNS = 5
Engine = Callable[[Program], Outcome]


def measure(engine: Engine, program: Program, runs: int = RUNS) -> tuple[int, float]:
    """Events of one run and the median of its seconds."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        outcome = engine(program)
        seconds.append(time.perf_counter() - began)
    return outcome.events, statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=4_000_000, help="events of a run of the compiled engine")
    parser.add_argument("--reference-events", type=int, default=100_000, help="events of a run of the reference")
    options = parser.parse_args()
    began = time.perf_counter()
    compiled.run(mesh_pipelines(40, 1_000))
    print(f"first run of the compiled engine: {time.perf_counter() - began:.2f} s (compiling, or reading the cache)")
    print(f"{'engine':10} {'stages':>7} {'events':>10} {'seconds':>9} {'events/s':>12}")
    engines: tuple[tuple[str, Engine, int], ...] = (
        ("compiled", compiled.run, options.events),
        ("simpy", reference.run, options.reference_events),
    )
    for name, engine, wanted in engines:
        for stages in SIZES:
            events, seconds = measure(engine, mesh_pipelines(stages, wanted))
            print(f"{name:10} {stages:7,} {events:10,} {seconds:9.3f} {events / seconds:12,.0f}", flush=True)


if __name__ == "__main__":
    main()
