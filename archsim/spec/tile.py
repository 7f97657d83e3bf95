"""The model of a tile file: components, the core and how it pipelines an MVM, its arrays."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archsim.errors import nearest
from archsim.spec.array import Device, Encoding, Wires
from archsim.spec.base import Length, Strict, Time
from archsim.spec.component import AnyComponent, Component
from archsim.spec.functions import Operator
from archsim.spec.provenance import Published, Reading
from archsim.spec.write import Write
from archsim.units import Quantity, duration_ps

__all__ = ["Core", "Device", "Encoding", "Issue", "Memory", "Operator", "Pipeline", "Tile", "Unit", "Wires"]

Rows = Annotated[dict[str, AnyComponent], Field(min_length=1)]
Groups = list[Annotated[list[str], Field(min_length=1)]]


class Pipeline(Strict):
    """The pipeline of one MVM, as groups of rows that work in the same cycle.

    ``before`` and ``after`` pass once an MVM, ``steps`` once for each input step (DAC width of input bits).
    A group takes one cycle; one of ``steps`` takes longer if its members together need longer.  Without
    ``overlap`` an MVM starts only when the one before has left the pipeline.
    """

    before: Groups = []
    steps: Annotated[Groups, Field(min_length=1)]
    after: Groups = []
    overlap: bool

    def names(self) -> list[str]:
        """Every row named, in order of first appearance."""
        return list(dict.fromkeys(name for group in [*self.before, *self.steps, *self.after] for name in group))


class Issue(Strict):
    """A core that runs instructions: each costs an issue of ``controller`` and a fetch of ``memory``.

    An MVM takes the loads of its inputs and the stores of its outputs, ``width`` values each, and one instruction for
    itself.
    """

    controller: str
    memory: str
    width: Annotated[int, Field(ge=1)]
    source: str


class Core(Strict):
    """``count`` cores a tile: arrays with their converters, ISAAC's in-situ multiply-accumulate unit; or a digital
    mac-array, whose weights stand in the memory that ``weights`` names."""

    count: Annotated[int, Field(ge=1, le=65536)]
    cycle: Time
    encoding: Encoding
    pipeline: Pipeline
    issue: Issue | None = None
    weights: str | None = None
    """The row of core or tile that holds the weights of a mac-array."""
    write: Write | None = None
    """What programming the cells of its arrays takes."""
    components: Rows

    @cached_property
    def cycle_ps(self) -> int:
        """The cycle in ps."""
        return _ps(self.cycle)

    @cached_property
    def digital(self) -> bool:
        """Whether a mac-array does the products."""
        return any(row.kind == "mac-array" for row in self.components.values())

    def the(self, kind: str) -> tuple[str, Component]:
        """Name and row of the only component of ``kind``."""
        return next((name, row) for name, row in self.components.items() if row.kind == kind)

    @model_validator(mode="after")
    def _one_of_each(self) -> Core:
        kinds = ("mac-array",) if self.digital else ("crossbar", "dac", "adc")
        for kind in kinds:
            names = [name for name, row in self.components.items() if row.kind == kind]
            if len(names) != 1:
                message = "a core needs exactly one row of kind {kind}, got {got}"
                raise PydanticCustomError("core", message, {"kind": kind, "got": ", ".join(names) or "none"})
        if (self.encoding.scheme == "digital") != self.digital:
            expected = "digital, as weights of a mac-array are" if self.digital else "that of weights in a crossbar"
            values = {"expected": expected, "got": repr(self.encoding.scheme), "at": "encoding.scheme"}
            raise PydanticCustomError("core", "expected {expected}, got {got}", values)
        if self.digital:
            return self._of_one_array()
        stepped = {self.components[n].kind for group in self.pipeline.steps for n in group if n in self.components}
        if missing := [kind for kind in ("dac", "crossbar", "adc") if kind not in stepped]:
            message = "pipeline.steps must name the rows of kind dac, crossbar and adc; missing: {missing}"
            raise PydanticCustomError("core", message, {"missing": ", ".join(missing)})
        self._resolutions()
        name, dac = self.the("dac")
        if self.encoding.drive == "pulse-width" and dac.time is None:
            message = "inputs of pulse-width need the time of one unit pulse, which the row {name} does not give"
            raise PydanticCustomError("core", message, {"name": name})
        return self

    def _resolutions(self) -> None:
        """A converter whose bits depend on step and slice says so for each of them."""
        name, adc = self.the("adc")
        table = getattr(adc, "resolutions", None)
        if table is None:
            return
        bits = self.the("crossbar")[1].cell_bits, self.the("dac")[1].bits  # type: ignore[attr-defined]
        rows, columns = self.encoding.plain_steps(bits[1]), len(self.encoding.slice_widths(bits[0]))
        if (got := (len(table), len(table[0]))) != (rows, columns):
            message = "expected {rows} input steps of {columns} slices each, got {got}"
            values = {"rows": rows, "columns": columns, "got": f"{got[0]} of {got[1]}"}
            raise PydanticCustomError("core", message, {**values, "at": f"components.{name}.resolutions"})

    def _of_one_array(self) -> Core:
        """A digital core has no input steps, and no instructions that anything is known of."""
        name = self.the("mac-array")[0]
        if self.pipeline.steps != [[name]] or not self.pipeline.overlap:
            message = "the pipeline of a mac-array has one step, expected steps: [[{name}]] with overlap: true"
            raise PydanticCustomError("core", message, {"name": name, "at": "pipeline"})
        if self.issue is not None:
            raise PydanticCustomError("core", "is not modelled for a mac-array; remove it", {"at": "issue"})
        return self


class Memory(Strict):
    """Which rows of the tile hold and move activations: the buffer of the tile, and the bus from it to the cores."""

    buffer: str
    bus: str
    receive: str | None = None
    """The row through which what comes over the network passes, if there is one."""


class Unit(Strict):
    """The row that does an element-wise operator, and how many of its operations one element takes."""

    row: str
    operations: Annotated[int, Field(ge=1)] = 1
    source: str = ""


class Tile(Strict):
    """A tile: its own rows, and a core that it holds ``count`` times."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    kind: Literal["tile"]
    name: Annotated[str, Field(min_length=1)]
    title: str = ""
    technology: Length
    cycle: Time
    """The cycle of the tile's own clock."""
    bibtex: str = ""
    deviations: list[str] = []
    components: Rows
    core: Core
    memory: Memory
    units: dict[Operator, Unit] = {}
    device: Device | None = None
    wires: Wires | None = None
    """Of the arrays; without them wires are ideal.  Time and energy do not depend on them."""
    published: list[Published] = []
    readings: list[Reading] = []

    @cached_property
    def cycle_ps(self) -> int:
        """The cycle of the tile's clock in ps."""
        return _ps(self.cycle)

    def row(self, name: str) -> Component:
        """The row of that name, of the core first."""
        return self.core.components[name] if name in self.core.components else self.components[name]

    def row_name(self, name: str) -> str:
        """``level.name`` of that row."""
        return f"core.{name}" if name in self.core.components else f"tile.{name}"

    @model_validator(mode="after")
    def _pipeline_names(self) -> Tile:
        known = [*self.core.components, *self.components]
        for name in self.core.pipeline.names():
            if name not in known:
                values: dict[str, Any] = {"name": repr(name), "hint": nearest(name, known), "at": "core.pipeline"}
                raise PydanticCustomError("pipeline", "names {name}, which is no row{hint}", values)
        return self

    @model_validator(mode="after")
    def _weights(self) -> Tile:
        name, memories = self.core.weights, {**self.components, **self.core.components}
        fitting = [row for row in memories if memories[row].kind in ("edram", "sram", "dram")]
        if self.core.digital and name not in fitting:
            hint = nearest(name, fitting) if name else ""
            hint = hint or f"; there are {', '.join(fitting) or 'none'}"
            values = {"name": repr(name), "hint": hint, "at": "core.weights"}
            raise PydanticCustomError("weights", "must name the memory of the mac-array, got {name}{hint}", values)
        if not self.core.digital and name is not None:
            values = {"name": repr(name), "at": "core.weights"}
            raise PydanticCustomError("weights", "is for a core with a mac-array, got {name}", values)
        return self

    @model_validator(mode="after")
    def _memory_and_units(self) -> Tile:
        for key, kinds in (("buffer", ("edram", "sram")), ("bus", ("bus",))):
            name = getattr(self.memory, key)
            if name not in self.components or self.components[name].kind not in kinds:
                hint = nearest(name, self.components)
                message = f"memory.{key} must name a row of the tile of kind {' or '.join(kinds)}, got {name!r}{hint}"
                raise PydanticCustomError("memory", "{message}", {"message": message})
        for operator, unit in self.units.items():
            known = {**self.components, **self.core.components}
            if unit.row not in known or not hasattr(known[unit.row], "rate"):
                hint = nearest(unit.row, known)
                message = f"units.{operator}.row must name a row that does operations, got {unit.row!r}{hint}"
                raise PydanticCustomError("units", "{message}", {"message": message})
        return self


def _ps(time: Quantity) -> int:
    return duration_ps(1, 1 / time.value)
