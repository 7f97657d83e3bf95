"""``OPENBLAS_NUM_THREADS=1 python -m benchmarks.numeric``: the numerical core beside plain NumPy, in one run.

Speed is in CPU-seconds of one thread, the best of several runs, as rates and as ratios to NumPy's float32 matrix
product of the same shapes.  Figures of other tools are quoted, not measured here, and marked so.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from time import process_time

import numpy as np

from archsim.hardware.array import array_config
from archsim.numeric.config import AdcConfig, ArrayConfig, InputCode, WeightCode
from archsim.numeric.devices import device
from archsim.numeric.matrix import ProgrammedMatrix, program
from archsim.numeric.report import snr_db
from archsim.numeric.wires import Wires, solve, transfer_matrix
from archsim.spec.loader import load_tile

RUNS = 5
QUOTED = {(128, 128): (21.3, 4500, 7), (1152, 256): (13.4, 550, None)}
"""CrossSim on a machine of the same class, quoted: SNR in dB, MVM per CPU-second, with read noise."""


def cpu(work: Callable[[], object], runs: int = RUNS) -> float:
    """The fewest CPU-seconds of some runs."""
    seconds = []
    for _ in range(runs):
        began = process_time()
        work()
        seconds.append(process_time() - began)
    return min(seconds)


def common(rows: int, columns: int, **cell: float) -> tuple[ProgrammedMatrix, np.ndarray, np.ndarray]:
    """The common set-up: 16-bit weights as eight 2-bit differential slices, 8-bit sign-magnitude inputs, 8-bit ADC."""
    g_max_s = 1e-3
    config = ArrayConfig(
        rows=rows,
        columns=16 * columns,
        weights=WeightCode("differential", 16, cell_bits=2),
        inputs=InputCode("sign-magnitude", 8),
        adc=AdcConfig(8),
        cell=device("generic", **({"g_min_s": 0.0, "g_max_s": g_max_s, "sigma": 0.05} | cell)),
    )
    rng = np.random.default_rng(0)
    weights = rng.integers(-32767, 32768, (rows, columns))
    inputs = rng.integers(-127, 128, (4096 if rows <= 128 else 512, rows))
    return program(weights, config, rng), weights, inputs


def reads(rows: int, columns: int) -> None:
    snr, theirs, their_noisy = QUOTED[rows, columns]
    matrix, weights, inputs = common(rows, columns)
    off_current, _, _ = common(rows, columns, g_min_s=1e-4)
    product = (inputs @ weights).astype(float)
    print(f"\n{rows} × {columns}, 8 slices, 7 input bits, 8-bit ADC, 5 % programming error")
    own, leaky = (snr_db(product, m.mvm(inputs)) for m in (matrix, off_current))
    print(f"  SNR {own:.2f} dB; with an on/off ratio of 10 {leaky:.2f} dB")
    print(f"    quoted: {snr} dB of CrossSim, whose default on/off ratio is 10")
    (left, right), *_ = matrix.operands(inputs)
    out = np.empty((len(left), right.shape[1]), np.float32)
    np.matmul(left, right, out=out)
    bound = len(inputs) / cpu(lambda: np.matmul(left, right, out=out))
    ours = len(inputs) / cpu(lambda: matrix.mvm(inputs))
    noisy, _, _ = common(rows, columns, read_sigma=0.02)
    noisy.mvm(inputs)
    with_noise = len(inputs) / cpu(lambda: noisy.mvm(inputs))
    print(f"  NumPy's float32 product of the same shapes {bound:9,.0f} MVM per CPU-second")
    print(f"  archsim                                    {ours:9,.0f} ({ours / bound:.2f} of it)")
    print(
        f"  archsim with fresh read noise              {with_noise:9,.0f} ({with_noise / ours:.2f} of the rate without)"
    )
    noise = "" if their_noisy is None else f"; with read noise {their_noisy}"
    print(f"    quoted: {theirs} of CrossSim{noise}")


def tiles() -> None:
    print("\nShipped tiles, ideal cells, their own ADCs, uniform weights and inputs, 128 rows")
    for name, keys in (("isaac", []), ("puma", []), ("puma", ["core.components.adc.range=fixed"])):
        config = array_config(load_tile(name, keys).model)
        rng = np.random.default_rng(1)
        weights = rng.integers(config.weights.low, config.weights.high, (128, 64), endpoint=True)
        inputs = rng.integers(config.inputs.low, config.inputs.high, (500, 128), endpoint=True)
        reading = program(weights, config, rng).read(inputs)
        snr = snr_db((inputs @ weights).astype(float), reading.outputs)
        words = "exact" if snr is None else f"SNR {snr:.2f} dB"
        print(f"  {' '.join([name, *keys]):46} {words}, {reading.saturation_share:.2%} of conversions out of range")


def devices() -> None:
    pcm, rng = device("pcm-aihwkit"), np.random.default_rng(0)
    target = np.full(1_000_000, 25e-6)
    programmed = pcm.programmed(target, rng).g_s
    print("\nPCM at full state, 10^6 cells (closed form: 1.0554 µS; at the mean exponent 0.7751, 0.6635, 0.4969)")
    times = (3600, 86400, 31536000)
    later = [pcm.at(target, target, t, None, np.random.default_rng(1)) / 25e-6 for t in times]
    print(f"  σ {programmed.std() * 1e6:.4f} µS; median cell after an hour, a day, a year: ", end="")
    print(", ".join(f"{np.median(part):.4f}" for part in later))


def lines() -> None:
    rng = np.random.default_rng(0)
    print("\nWires")
    g = rng.uniform(1e-6, 1e-4, (128, 128))
    wires = Wires(wordline_ohm=1.0, bitline_ohm=1.0)
    transfer = transfer_matrix(g, wires)
    seconds = cpu(lambda: transfer_matrix(g, wires), 3)
    batch = rng.uniform(0, 0.2, (1000, 128)).astype(np.float32)
    single = transfer.astype(np.float32)
    read = cpu(lambda: batch @ single)
    print(f"  128 × 128 at 1 Ω a segment: transfer matrix in {seconds:.3f} CPU-s, 1,000 reads in {read * 1e3:.2f} ms")
    large = rng.uniform(1e-6, 1e-4, (1024, 1024))
    seconds = cpu(lambda: solve(large, np.full(1024, 0.2), Wires(wordline_ohm=0.1, bitline_ohm=0.1)), 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  1024 × 1024 at 0.1 Ω, one input: {seconds:.2f} CPU-s; this whole run took at most {peak:.0f} MiB")
    print("    quoted: badcrossbar 2.5 CPU-s for 256 × 256 and 149 for 1024 × 1024")


def main() -> None:
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        print("not single-threaded: set OPENBLAS_NUM_THREADS=1 for rates that can be compared")
    for shape in QUOTED:
        reads(*shape)
    tiles()
    devices()
    lines()


if __name__ == "__main__":
    main()
