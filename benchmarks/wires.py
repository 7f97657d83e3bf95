"""``python -m benchmarks.wires``: CPU-seconds of the wire solver, and where each of its methods is the faster one.

Conductances are uniform from 1 to 100 µS; drivers and sense terminals sit at the first cells.  Warm: compiled before.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from functools import partial
from time import process_time
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from archsim.numeric.wires import Selector, Wires, linear, settling, solve, transfer_matrix
from archsim.numeric.wires.linear import ConjugateGradients

READS = 1_000
BATCHES = 5


def cpu(work: Callable[[], Any], runs: int = BATCHES) -> float:
    """The least CPU-seconds of a few runs."""
    seconds = []
    for _ in range(runs):
        began = process_time()
        work()
        seconds.append(process_time() - began)
    return min(seconds)


def array(size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(size)
    return rng.uniform(1e-6, 1e-4, (size, size)), rng.uniform(0.0, 0.2, size)


def segments(ohm: float) -> Wires:
    return Wires(wordline_ohm=ohm, bitline_ohm=ohm)


def splu(g: np.ndarray, ohm: float) -> Any:
    """An array of that size by scipy's sparse LU, ordered by minimum degree, for comparison; all nodes free."""

    def chain(nodes: int) -> Any:
        off = np.full(nodes - 1, -1 / ohm)
        return scipy.sparse.diags_array([off, np.full(nodes, 2 / ohm), off], offsets=[-1, 0, 1])

    cells = scipy.sparse.diags_array(g.ravel())
    words = scipy.sparse.kron(scipy.sparse.eye_array(g.shape[0]), chain(g.shape[1])) + cells
    bits = scipy.sparse.kron(chain(g.shape[0]), scipy.sparse.eye_array(g.shape[1])) + cells
    matrix = scipy.sparse.block_array([[words, -cells], [-cells, bits]]).tocsc()
    factors = scipy.sparse.linalg.splu(matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    return factors.solve(np.ones(2 * g.size))


def transfer_figures() -> None:
    print(f"\ntransfer matrix, 1 ohm a segment, then {READS:,} reads (float32), beside NumPy's product of that shape")
    print(f"{'size':>6} {'transfer s':>11} {'reads s':>9} {'product s':>10} {'lost':>7}")
    for size in (64, 128, 256):
        g, v = array(size)
        wires = segments(1.0)
        seconds = cpu(partial(transfer_matrix, g, wires), 3)
        matrix = transfer_matrix(g, wires)
        batch = np.random.default_rng(0).uniform(0, 0.2, (READS, size)).astype(np.float32)
        read, ideal = matrix.astype(np.float32), g.astype(np.float32)
        reads, product = cpu(partial(np.matmul, batch, read)), cpu(partial(np.matmul, batch, ideal))
        lost = 1 - (v @ matrix).sum() / (v @ g).sum()
        print(f"{size:6} {seconds:11.3f} {reads:9.5f} {product:10.5f} {lost:7.1%}", flush=True)


def single_figures() -> None:
    print("\none input: block elimination, conjugate gradients, and scipy's splu; CPU-seconds, 1 ohm a segment")
    print(f"{'size':>6} {'direct':>9} {'iterative':>10} {'splu':>9}")
    before = linear.DIRECT_UP_TO
    for size in (16, 32, 64, 128, 256):
        g, v = array(size)
        found = []
        for limit in (10**6, 0):
            linear.DIRECT_UP_TO = limit
            found.append(cpu(partial(solve, g, v, segments(1.0)), 3))
        other = cpu(partial(splu, g, 1.0), 1) if size <= 128 else float("nan")
        print(f"{size:6} {found[0]:9.4f} {found[1]:10.4f} {other:9.4f}", flush=True)
    linear.DIRECT_UP_TO = before


def large_figures() -> None:
    print("\none input of a large array: CPU-seconds, and iterations of all corrections together")
    print(f"{'size':>6} {'ohm':>6} {'ends ohm':>9} {'seconds':>8} {'iterations':>11} {'lost':>7}")
    counted: list[ConjugateGradients] = []
    honest = ConjugateGradients.__init__

    def counting(self: ConjugateGradients, *args: Any) -> None:
        counted.append(self)
        honest(self, *args)

    ConjugateGradients.__init__ = counting
    cases = [(512, 0.1, 0.0), (1024, 0.1, 0.0), (1024, 1.0, 0.0), (1024, 10.0, 0.0), (1024, 0.1, 1e3), (2048, 0.1, 0.0)]
    for size, ohm, ends in cases:
        g, v = array(size)
        wires = Wires(wordline_ohm=ohm, bitline_ohm=ohm, left_ohm=ends, bottom_ohm=ends)
        counted.clear()
        began = process_time()
        found = solve(g, v, wires)
        seconds, lost = process_time() - began, 1 - found.sense_a.sum() / (v @ g).sum()
        print(f"{size:6} {ohm:6g} {ends:9g} {seconds:8.2f} {counted[0].iterations:11} {lost:7.1%}", flush=True)
        if size == 1024:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"largest memory up to 1024 × 1024, this whole process: {peak:.2f} GiB")
    ConjugateGradients.__init__ = honest


def other_figures() -> None:
    print("\nother work, CPU-seconds, 1 ohm a segment")
    for size in (64, 128, 256):
        g, v = array(size)
        wires = Wires(wordline_ohm=1.0, bitline_ohm=1.0, wordline_f=1e-15, bitline_f=1e-15)
        newton = cpu(partial(solve, g, v + 0.5, wires, cell=Selector(1e-9, 0.05)), 1)
        settled = cpu(partial(settling, g, v, wires), 1)
        print(f"{size:6}: 1S1R by Newton {newton:.3f}, settling {settled:.3f}", flush=True)


def main() -> None:
    g, v = array(8)
    for limit in (64, 0):
        linear.DIRECT_UP_TO = limit
        solve(g, v, segments(1.0))
    linear.DIRECT_UP_TO = 64
    transfer_matrix(g, segments(1.0))
    large_figures()
    transfer_figures()
    single_figures()
    other_figures()


if __name__ == "__main__":
    main()
