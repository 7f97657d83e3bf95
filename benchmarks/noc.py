"""``python -m benchmarks.noc [--booksim PROGRAM]``: speed of the flit-level engines on an 8 × 8 mesh, in CPU seconds.

Warm (compiled before).  A flit-hop is a flit on a channel, those of the terminals included.  With the path of a
BookSim 2 program the same point is run there, by its own phases, and compared by cycles a second.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import tempfile
import time
from pathlib import Path

from archsim.noc.curve import Phases, measure
from archsim.noc.fabric import Fabric
from archsim.noc.flit import FlitEngine
from archsim.noc.routing import routing
from archsim.noc.topology import topology

POINTS = (("uniform", 1, 0.1), ("uniform", 1, 0.4), ("uniform", 20, 0.2), ("transpose", 20, 0.1))

BOOKSIM = """topology = mesh; k = 8; n = 2; routing_function = dor; num_vcs = 8; vc_buf_size = 8;
vc_allocator = islip; sw_allocator = islip; alloc_iters = 1; credit_delay = 2; routing_delay = 0;
vc_alloc_delay = 1; sw_alloc_delay = 1; injection_rate_uses_flits = 1; sample_period = 10000; max_samples = 20;
"""


def ours(engine: FlitEngine, traffic: str, flits: int, load: float, phases: Phases) -> tuple[float, float, float]:
    """CPU seconds, cycles a second and flit-hops a second."""
    graph = topology("mesh", (8, 8))
    network = Fabric(graph, routing(graph))
    began = time.process_time()
    point = measure(network, traffic, flits, load, phases, engine)
    spent = time.process_time() - began
    return spent, point.cycles / spent, point.flit_hops / spent


def booksim(program: Path, traffic: str, flits: int, load: float) -> tuple[float, float]:
    """CPU seconds and cycles a second."""
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as config:
        config.write(BOOKSIM)
        config.flush()
        options = [f"traffic={traffic}", f"packet_size={flits}", f"injection_rate={load}"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        out = subprocess.run([program, config.name, *options], capture_output=True, text=True, check=False).stdout
        spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    cycles = re.findall(r"Time taken is (\d+) cycles", out)
    return spent, int(cycles[-1]) / spent if cycles else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--booksim", type=Path, help="a BookSim 2 program to run beside")
    options = parser.parse_args()
    began = time.process_time()
    ours("compiled", "uniform", 1, 0.01, Phases(10, 10, 10))
    print(f"first run of the compiled engine: {time.process_time() - began:.2f} s (compiling, or reading the cache)")
    for traffic, flits, load in POINTS:
        name = f"{traffic}, {flits} flits, load {load}"
        spent, cycles, hops = ours("compiled", traffic, flits, load, Phases())
        print(f"{name}: {spent:.2f} s, {cycles:,.0f} cycles/s, {hops:,.0f} flit-hops/s")
        _, slow, _ = ours("reference", traffic, flits, load, Phases(100, 500, 2000))
        print(f"  {cycles / slow:.0f} times the reference's {slow:,.0f} cycles/s")
        if options.booksim:
            theirs, their_cycles = booksim(options.booksim, traffic, flits, load)
            print(f"  BookSim 2: {theirs:.2f} s, {their_cycles:,.0f} cycles/s; ratio {cycles / their_cycles:.1f}")


if __name__ == "__main__":
    main()
