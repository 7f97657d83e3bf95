"""The work of cores, for the ledger, and the time that issuing instructions takes."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from archsim.compile.builder import Work
from archsim.compile.slicing import Part, slot_shape
from archsim.hardware.energy import EACH_COLUMN, EACH_CONVERSION
from archsim.hardware.mac import lanes_a_step, mac_array, weight_memory
from archsim.hardware.mvm import (
    arrays_in_use,
    conversions_per_read,
    crossbar,
    input_steps,
    reading_share,
    reads_per_step,
    row_groups,
)
from archsim.spec.tile import Tile
from archsim.units import duration_ps

__all__ = ["CoreWork", "MacWork", "core_work"]


class CoreWork:
    """Counts what the arrays, converters and registers of a core do.

    For one window, a part of s slots of a arrays each, in S input steps:

    * crossbar: s·a·S reads, less what Karatsuba's products leave out; sample-and-hold, transimpedance amplifier and
      analog buffer: one action a column and read; integrator, ADC and shift-and-add: one action a converted column and
      read
    * DAC: one drive a used row and step, once for each slot where its arrays share their DACs
    * input register: each used row written once and read once, output register likewise for each output
    * instructions, where cores run them: loads and stores of ``width`` values, and one for the MVM, a slot
    """

    def __init__(self, tile: Tile, work: Work) -> None:
        self.tile = tile
        self.core = tile.core
        self.work = work
        self.shape = slot_shape(tile)
        self.steps = input_steps(tile.core)
        self.reading = reading_share(tile.core)
        self.value_bytes = Fraction(tile.core.encoding.input_bits, 8)
        self._kinds = {name: row.kind for name, row in self.core.components.items()}
        self._input, self._output = self._registers()

    def _registers(self) -> tuple[list[str], list[str]]:
        """The core's registers before the DACs, and those after the shift-and-add."""
        pipeline, own = self.core.pipeline, self._kinds
        groups = [*pipeline.before, *pipeline.steps, *pipeline.after]
        names = [[name for name in group if name in own] for group in groups]
        dac = next(k for k, group in enumerate(names) if any(own[name] == "dac" for name in group))
        registers = [(k, name) for k, group in enumerate(names) for name in group if own[name] == "register"]
        return [name for k, name in registers if k <= dac], [name for k, name in registers if k > dac]

    def count_mvm(self, part: Part, windows: int) -> None:
        """Count the MVMs of ``windows`` windows in ``part``."""
        each = windows * part.count * self.shape.arrays * self.steps
        reads = _whole(each * self.reading)
        dacs = self._count("dac") * arrays_in_use(self.core) / crossbar(self.core).count
        dacs_a_slot = dacs / (self.shape.per_core * self.shape.rows)
        drives = self.steps // row_groups(self.core) * float(self.reading)
        converted = _whole(each * conversions_per_read(self.core, self._used_columns(part)))
        again = reads_per_step(self.core, self._used_columns(part))
        stored = part.count * self.shape.weights * windows
        for name, kind in self._kinds.items():
            key = f"core.{name}"
            if kind == "crossbar":
                self.work.add(key, "read", reads * again)
            elif kind == "dac":
                self.work.add(key, "drive", windows * part.rows_used * drives * dacs_a_slot * again)
            elif kind in EACH_COLUMN:
                action = self.core.components[name].unit_action
                self.work.add(key, action, reads * crossbar(self.core).columns)
            elif kind in EACH_CONVERSION:
                self.work.add(key, self.core.components[name].unit_action, converted)
        for name in self._input:
            self.work.add(f"core.{name}", "byte", float(2 * windows * part.rows_used * self.value_bytes))
        for name in self._output:
            self.work.add(f"core.{name}", "byte", float(2 * stored * self.value_bytes))
        if issue := self.core.issue:
            instructions = windows * part.count * (self._loads() + 1 + self._stores())
            self.work.add(f"core.{issue.controller}", "issue", instructions)
            self.work.add(f"core.{issue.memory}", "fetch", instructions)

    def _used_columns(self, part: Part) -> int:
        """Columns of an array that hold weights, on average over the part's slots, rounded up."""
        outputs = part.outputs[1] - part.outputs[0]
        cells = crossbar(self.core).columns // self.shape.weights
        blocks = part.column_range[1] - part.column_range[0]
        groups = part.bundles[1] - part.bundles[0]
        return -(-outputs * cells // (blocks * groups))

    def _count(self, kind: str) -> int:
        return self.core.the(kind)[1].count

    def count_out(self, values: int, windows: int) -> None:
        """Count the passage of ``values`` outputs of each of ``windows`` windows through a tile's output registers."""
        _count_registers(self.tile, self.work, float(2 * values * windows * self.value_bytes))

    def _loads(self) -> int:
        assert self.core.issue is not None
        return -(-self.shape.rows // self.core.issue.width)

    def _stores(self) -> int:
        assert self.core.issue is not None
        return -(-self.shape.weights // self.core.issue.width)

    def _issue_ps(self, instructions: int) -> int:
        assert self.core.issue is not None
        controller = self.core.components[self.core.issue.controller]
        return duration_ps(instructions, controller.capacity_per_s())  # type: ignore[attr-defined]

    def load_ps(self, part: Part) -> int:
        """The time in ps to issue the loads of one MVM of all slots of a core."""
        slots = min(self.shape.per_core, part.count)
        return self._issue_ps(self._loads() * slots) if self.core.issue else 0

    def store_ps(self) -> int:
        """The time in ps to issue the stores of one MVM of all slots of a core."""
        return self._issue_ps(self._stores() * self.shape.per_core) if self.core.issue else 0


def _whole(amount: Fraction) -> float:
    """A whole number as one, and what is so on average only as a float."""
    return int(amount) if amount.denominator == 1 else float(amount)


class MacWork:
    """Counts what a mac-array, its weight memory and registers do: as :class:`CoreWork`, for a digital core.

    For one window, a part of s blocks: s·outputs lane cycles of the array (in a bit-serial one as many times as a step
    has cycles), and all of its weights read from the memory.
    """

    def __init__(self, tile: Tile, work: Work) -> None:
        self.tile = tile
        self.work = work
        self.array, _ = tile.core.the("mac-array")
        self.memory, _ = weight_memory(tile)
        self.value_bytes = Fraction(tile.core.encoding.input_bits, 8)

    def lanes(self, steps: int) -> int:
        """Lane cycles for which ``steps`` steps keep the arrays of a tile busy."""
        return ceil(steps * lanes_a_step(self.tile))

    def count_mvm(self, part: Part, windows: int) -> None:
        """Count the steps of ``windows`` windows in ``part``."""
        core, steps = self.tile.core, windows * part.count
        array = mac_array(core)
        cycles = steps * array.serial_cycles(core.encoding.weight_bits)
        self.work.add(f"core.{self.array}", "lane", cycles * array.outputs)
        self.work.add(self.memory, "byte", windows * part.cells_used * core.encoding.weight_bits / 8)

    def count_out(self, values: int, windows: int) -> None:
        """Count the passage of ``values`` outputs of each of ``windows`` windows through a tile's output registers."""
        _count_registers(self.tile, self.work, float(2 * values * windows * self.value_bytes))

    def load_ps(self, part: Part) -> int:
        """The time in ps to issue loads: a digital core has no instructions."""
        return 0

    def store_ps(self) -> int:
        """The time in ps to issue stores, likewise."""
        return 0


def core_work(tile: Tile, work: Work) -> CoreWork | MacWork:
    """What counts the work of the cores of ``tile``."""
    return MacWork(tile, work) if tile.core.digital else CoreWork(tile, work)


def _count_registers(tile: Tile, work: Work, amount: float) -> None:
    for name, row in tile.components.items():
        if row.kind == "register":
            work.add(f"tile.{name}", "byte", amount)
