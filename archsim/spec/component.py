"""The interface of a component: what it costs in area, power, energy and time; and the registry of kinds.

A kind is a subclass of :class:`Component` in a file of its own, registered under its ``kind`` by one line in
the entry-point group ``archsim.components``.  The fields are the keys of the YAML row.

Power and area in a row are those of the whole row, ``count`` instances together, at the size that the
``rated_…`` keys name (by default the size as given).  Where only the power of a busy component is known,

    energy per action = (power - static power) / (actions per second at which the power is meant)

so that a component busy all the time takes exactly its power.  ``activity`` states that rate where it is not
the highest rate that the component can do.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, ClassVar

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from archsim.errors import ArchsimError, nearest
from archsim.spec.base import Area, Energy, Power, Share, Status, Strict, Time, schema_alone
from archsim.units import PICOSECONDS, duration_ps

__all__ = ["AnyComponent", "Component", "component_class", "component_kinds", "row_schema"]


class Component(Strict):
    """One row of a tile's or chip's table.

    A subclass sets ``unit_action`` (the name of its main action) and gives :meth:`actions_per_s`; it may add actions,
    scaling with size, and times of its own.  ``cycle_ps`` is the cycle of the core or tile that holds it.
    """

    unit_action: ClassVar[str] = "use"
    """The action that the energy per action is for."""
    unit_bits: ClassVar[int] = 0
    """The bits that one unit action moves; 0 for an operation."""

    kind: str
    count: Annotated[int, Field(ge=1, le=10**9)] = 1
    shared_by: Annotated[int, Field(ge=1)] = 1
    """Tiles (or chips) that share one such row; power and area are divided by it."""
    rated_count: Annotated[int, Field(ge=1)] | None = None
    """The count at which power and area are given; by default ``count``."""
    power: Power | None = None
    energy: Energy | None = None
    """Instead of the power, the energy of one unit action; the power at the peak follows from how many there are."""
    area: Area
    static_share: Share = 0.0
    """The share of the power that flows also when the component is idle."""
    time: Time | None = None
    """The time of one action, where it is not the cycle."""
    source: str
    status: Status
    assumed: list[str] = []
    """The keys of this row that no source gives."""
    note: str = ""

    @model_validator(mode="after")
    def _priced(self) -> Component:
        if self.power is None and self.energy is None:
            raise PydanticCustomError("missing_power", "the key 'power' is missing (or 'energy', of one action)", {})
        if self.energy is not None:
            for key in ("power", "rated_count", "static_share"):
                if getattr(self, key):
                    raise PydanticCustomError("energy", "energy does not go with {key}", {"key": key, "at": "energy"})
        return self

    # -- what a subclass gives ------------------------------------------------------------------

    def actions_per_s(self, cycle_ps: int) -> Fraction:
        """Unit actions per second of the whole row, at which its power is meant.

        By default each of the ``count`` instances acts once in each cycle, however short its own ``time`` is.
        """
        return Fraction(self.count * PICOSECONDS, cycle_ps)

    def power_scale(self) -> float:
        """Power at the size as given over power at the rated size."""
        return self.count / self.rated_count if self.rated_count else 1.0

    def area_scale(self) -> float:
        """Area at the size as given over area at the rated size."""
        return self.count / self.rated_count if self.rated_count else 1.0

    # -- what everybody reads -------------------------------------------------------------------

    def time_ps(self, cycle_ps: int) -> int:
        """The time of one action in ps."""
        return duration_ps(1, 1 / self.time.value) if self.time is not None else cycle_ps

    @property
    def by_action(self) -> bool:
        """Whether its cost is that of each action; the power at the peak then follows from how many there are."""
        return self.energy is not None

    def action_j(self) -> float:
        """The energy in J of one unit action at the rated size, of a row for which that is what is known."""
        assert self.energy is not None
        return float(self.energy)

    def power_w(self) -> float:
        """Power in W of the whole row when busy; 0 for a row that is given by energy, which only its actions take."""
        return 0.0 if self.power is None else float(self.power) * self.power_scale() / self.shared_by

    def area_m2(self) -> float:
        """Area in m² of the whole row."""
        return float(self.area) * self.area_scale() / self.shared_by

    def static_power_w(self) -> float:
        """The part of the power in W that flows also when the row is idle."""
        return self.power_w() * self.static_share

    def energies_j(self, cycle_ps: int) -> dict[str, float]:
        """The energy in J of each action."""
        if self.by_action:
            return {self.unit_action: self.action_j() * self.power_scale()}
        dynamic = self.power_w() * self.shared_by * (1.0 - self.static_share)
        return {self.unit_action: dynamic / float(self.actions_per_s(cycle_ps))}

    def times_ps(self, cycle_ps: int) -> dict[str, int]:
        """The time in ps for which each action occupies one instance of the row, at the highest rate that it can do."""
        return {self.unit_action: self.time_ps(cycle_ps)}


@cache
def _registered() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group="archsim.components")}


def component_kinds() -> list[str]:
    """The names of all registered kinds, sorted."""
    return sorted(_registered())


_loaded: dict[str, type[Component]] = {}


def component_class(kind: str) -> type[Component]:
    """The class registered under ``kind``; KeyError if there is none, ArchsimError if it cannot be had."""
    if kind not in _loaded:
        entry = _registered()[kind]
        where = f"the component kind {kind!r} is registered as {entry.value!r}"
        try:
            found = entry.load()
        except Exception as error:  # whatever the code of another package may raise
            raise ArchsimError(f"{where}, which cannot be imported: {error!r}") from error
        if not (isinstance(found, type) and issubclass(found, Component)):
            raise ArchsimError(f"{where}, expected a subclass of archsim.spec.component.Component")
        _loaded[kind] = found
    return _loaded[kind]


class _ByKind:
    """Validates a row by the class that is registered under its ``kind``."""

    @staticmethod
    def _read(value: Any) -> Component:
        if isinstance(value, Component):
            return value
        if not isinstance(value, dict):
            raise PydanticCustomError("mapping", "expected a mapping, got {value}", {"value": repr(value)[:80]})
        kind = value.get("kind")
        if not isinstance(kind, str):
            raise PydanticCustomError("kind", "the key 'kind' is missing", {})
        try:
            cls = component_class(kind)
        except KeyError:
            hint = nearest(kind, component_kinds()) or f"; the kinds are {', '.join(component_kinds())}"
            message = "unknown component kind {kind}{hint}"
            raise PydanticCustomError("kind", message, {"kind": repr(kind), "hint": hint}) from None
        return cls.model_validate(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda row: row.model_dump(mode="json", exclude_none=True)
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "object", "x-archsim": "component"}  # spec.schema puts the kinds in its place


def row_schema(kind: str) -> dict[str, Any]:
    """The schema of one kind, without references, so that it can stand inside another."""
    schema = schema_alone(component_class(kind))
    schema["properties"]["kind"] = {"const": kind}
    return schema


AnyComponent = Annotated[Component, _ByKind]
"""A row of any registered kind."""
