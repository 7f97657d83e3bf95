"""One matrix in the arrays of a tile, in value: how far it is from the integer product, because of what, how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError
from archsim.hardware.array import array_config
from archsim.hardware.mvm import cells_per_weight, crossbar
from archsim.numeric.matrix import ProgrammedMatrix, program
from archsim.numeric.report import Report
from archsim.spec.loader import Loaded, load_tile
from archsim.spec.tile import Tile

__all__ = ["MvmRun", "MvmWanted", "read_tile", "speed"]

MAX_CELLS = 10**8
"""Cells of one matrix, at the most: eight bytes each are taken several times."""

BATCHES = 3
"""How often speed is measured; the best counts."""


@dataclass(frozen=True)
class MvmWanted:
    """What to read: a matrix of ``rows`` × ``columns`` (None: as large as one array), ``batch`` inputs, ``seed``, and
    when: ``seconds`` after programming, at ``kelvin``."""

    rows: int | None = None
    columns: int | None = None
    batch: int = 256
    seed: int = 0
    seconds: float = 0.0
    kelvin: float | None = None


@dataclass(frozen=True)
class MvmRun:
    """What came of it.  ``tile`` is the resolved document."""

    tile: Loaded[Tile]
    wanted: MvmWanted
    matrix: ProgrammedMatrix
    inputs: NDArray[np.int64]
    report: Report

    def to_json(self) -> dict[str, Any]:
        """Plain values, the same for the same tile and seed."""
        rows, columns = self.matrix.shape
        return {
            "tile": self.tile.model.name,
            "config_hash": self.tile.config_hash,
            "rows": rows,
            "columns": columns,
            "batch": len(self.inputs),
            "seed": self.wanted.seed,
            "seconds": self.wanted.seconds,
            "kelvin": self.wanted.kelvin,
            "device": {"name": self.matrix.config.cell.name, "source": self.matrix.config.cell.source},
            **self.report.to_json(),
        }


def read_tile(name: str, overrides: Sequence[str], wanted: MvmWanted) -> MvmRun:
    """Program a matrix of whole numbers, uniform over the range of the tile's weights, and read inputs that are uniform
    over theirs; converters that want calibration get it from another such batch."""
    loaded = load_tile(name, overrides)
    config = array_config(loaded.model)
    core = loaded.model.core
    rows, columns = _size(wanted.rows, wanted.columns, crossbar(core).rows, _outputs(loaded.model))
    if (cells := rows * columns * cells_per_weight(core)) > MAX_CELLS:
        raise ArchsimError(f"rows, cols: a matrix takes at most {MAX_CELLS} cells, got {cells}")
    rng = np.random.default_rng(wanted.seed)
    weights = rng.integers(config.weights.low, config.weights.high, (rows, columns), endpoint=True)
    low, high = config.inputs.low, config.inputs.high
    inputs, others = (rng.integers(low, high, (wanted.batch, rows), endpoint=True) for _ in range(2))
    matrix = program(weights, config, rng).at(wanted.seconds, wanted.kelvin)
    if config.adc.range == "calibrated":
        matrix = matrix.calibrate(others)
    return MvmRun(loaded, wanted, matrix, inputs, matrix.report(inputs))


def _outputs(tile: Tile) -> int:
    """The outputs of one array, or of the arrays that hold the slices of the same weights."""
    core = tile.core
    side = core.encoding.slices == "side-by-side"
    return max(crossbar(core).columns // cells_per_weight(core), 1) if side else crossbar(core).columns


def _size(rows: int | None, columns: int | None, *default: int) -> tuple[int, int]:
    for name, size in (("rows", rows), ("cols", columns)):
        if size is not None and size < 1:
            raise ArchsimError(f"{name}: expected at least 1, got {size}")
    return rows or default[0], columns or default[1]


def speed(run: MvmRun) -> dict[str, float]:
    """MVM per CPU-second of the simulated array, and of NumPy's float32 matrix product of the same shapes: the batch
    times the input steps by the cells that are converted one by one."""
    run.matrix.mvm(run.inputs)  # compiles
    ours = min(_cpu(lambda: run.matrix.mvm(run.inputs)) for _ in range(BATCHES))
    pairs = run.matrix.operands(run.inputs)
    out = [np.empty((len(a), b.shape[1]), np.float32) for a, b in pairs]

    def bound() -> None:
        for (a, b), into in zip(pairs, out, strict=True):
            np.matmul(a, b, out=into)

    bound()
    product = min(_cpu(bound) for _ in range(BATCHES))
    count = len(run.inputs)
    return {"mvm_per_cpu_s": count / ours, "float32_product_per_cpu_s": count / product, "ratio": product / ours}


def _cpu(work: Any) -> float:
    start = process_time()
    work()
    return max(process_time() - start, 1e-9)
