"""Quantities: a number with a unit, as text such as ``1.28 GHz``, kept exactly.

A :class:`Quantity` holds an exact fraction in the base unit of its dimension, so that a time in integer
picoseconds can be had from a rate without rounding on the way.  Powers of ten prefixes: f p n u µ m k M G T;
information also takes the binary Ki Mi Gi.  ``1 KB`` is 1024 bytes, as the field's papers mean it, and so
is ``1 KiB``; ``MB`` and ``GB`` alone are ambiguous there and are refused for sizes in favour of ``MiB``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from archsim.errors import nearest

__all__ = ["DIMENSIONS", "PICOSECONDS", "Quantity", "QuantityOf", "duration_ps", "format_si"]

PICOSECONDS: Final = 10**12
"""Picoseconds in a second."""

_PREFIX: Final = {
    "f": Fraction(1, 10**15),
    "p": Fraction(1, 10**12),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "µ": Fraction(1, 10**6),
    "m": Fraction(1, 10**3),
    "": Fraction(1),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
}


def _prefixed(unit: str, prefixes: str) -> dict[str, Fraction]:
    return {p + unit: _PREFIX[p] for p in ["", *prefixes]}


def _area() -> dict[str, Fraction]:
    return {"m2": Fraction(1), "cm2": Fraction(1, 10**4), "mm2": Fraction(1, 10**6)} | {
        name: Fraction(1, 10**12) for name in ("um2", "µm2")
    }


def _information() -> dict[str, Fraction]:
    table = {"b": Fraction(1), "B": Fraction(8)}
    for power, prefix in enumerate(("Ki", "Mi", "Gi"), start=1):
        table[prefix + "b"] = Fraction(1024**power)
        table[prefix + "B"] = Fraction(8 * 1024**power)
    return table | {"KB": Fraction(8 * 1024)}


def _bandwidth() -> dict[str, Fraction]:
    table = {}
    for prefix in ["", "k", "M", "G", "T"]:
        table[prefix + "b/s"] = _PREFIX[prefix]
        table[prefix + "B/s"] = 8 * _PREFIX[prefix]
    return table


DIMENSIONS: Final[dict[str, tuple[str, dict[str, Fraction], str]]] = {
    "time": ("s", _prefixed("s", "fpnuµm"), "100 ns"),
    "frequency": ("Hz", _prefixed("Hz", "kMGT"), "1.28 GHz"),
    "power": ("W", _prefixed("W", "fpnuµmk"), "20.7 mW"),
    "energy": ("J", _prefixed("J", "fpnuµm"), "1.67 pJ"),
    "area": ("m2", _area(), "0.083 mm2"),
    "length": ("m", _prefixed("m", "nuµm"), "32 nm"),
    "information": ("b", _information(), "64 KiB"),
    "bandwidth": ("b/s", _bandwidth(), "6.4 GB/s"),
    "resistance": ("ohm", _prefixed("ohm", "mkMG"), "2 kohm"),
    "conductance": ("S", _prefixed("S", "pnuµm"), "25 uS"),
    "voltage": ("V", _prefixed("V", "uµmk"), "0.2 V"),
    "capacitance": ("F", _prefixed("F", "fpnuµm"), "1 fF"),
}
"""Each dimension's base unit, its units with their size in it, and an example."""

_TEXT: Final = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*(\S*)\s*", re.ASCII)
_LONGEST: Final = 64
_LARGEST: Final = Fraction(10**30)
"""The largest value in a base unit, and the inverse of the smallest above 0: products of a few stay floats."""

_NAMED: Final = {"area": "an area", "energy": "an energy", "information": "an amount of information"}


def _some(dimension: str) -> str:
    return _NAMED.get(dimension, f"a {dimension}")


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact value in the base unit of ``dimension``; ``text`` is how it was written."""

    value: Fraction
    dimension: str
    text: str

    @classmethod
    def parse(cls, text: str, dimension: str) -> Quantity:
        """Read ``text``; a ValueError says what was expected and the nearest valid unit."""
        return _parsed(text, dimension)

    def __float__(self) -> float:
        return float(self.value)

    def __str__(self) -> str:
        return self.text


@lru_cache(maxsize=4096)  # the designs of a study have most of their texts in common
def _parsed(text: str, dimension: str) -> Quantity:
    _, units, example = DIMENSIONS[dimension]
    expected = f"expected {_some(dimension)} such as {example!r}"
    match = _TEXT.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise ValueError(f"{expected}, got {text[:_LONGEST]!r}")
    number, unit = match.groups()
    if not unit:
        raise ValueError(f"{expected}, got {text!r} without a unit")
    if unit not in units:
        raise ValueError(f"{expected}, got the unit {unit!r}{_unit_hint(unit, dimension)}")
    value = Fraction(number) * units[unit]
    if value and not 1 / _LARGEST <= abs(value) <= _LARGEST:
        size = "large" if abs(value) > 1 else "small"
        raise ValueError(f"{expected}, got {text!r}, which is too {size} to compute with")
    return Quantity(value, dimension, text.strip())


def _unit_hint(unit: str, dimension: str) -> str:
    for other, (_, units, _) in DIMENSIONS.items():
        if unit in units and other != dimension:
            return f", which is a unit of {other}"
    return nearest(unit, DIMENSIONS[dimension][1])


def duration_ps(amount: Fraction | int, per_second: Fraction) -> int:
    """The integer picoseconds, rounded up, in which ``amount`` passes at ``per_second``; at least 1."""
    exact = Fraction(amount) * PICOSECONDS / per_second
    return max(1, -((-exact.numerator) // exact.denominator))


_SCALES: Final = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n")]


def format_si(value: float, unit: str, digits: int = 4) -> str:
    """``value`` with the power-of-thousand prefix that keeps it between 1 and 1000: ``20.7 mW``."""
    if unit == "m2":
        return f"{value * 1e6:.{digits}g} mm2"
    if value == 0 or unit == "b":
        return f"{value:.{digits}g} {unit}"
    for scale, prefix in [*_SCALES, (1e-12, "p"), (1e-15, "f")]:
        if abs(value) >= scale * 0.99995:
            return f"{value / scale:.{digits}g} {prefix}{unit}"
    return f"{value / 1e-15:.{digits}g} f{unit}"


@dataclass(frozen=True, slots=True)
class QuantityOf:
    """The annotation of a pydantic field: ``Annotated[Quantity, QuantityOf("power")]``.

    A negative value is refused; so is zero where ``positive`` is set.
    """

    dimension: str
    positive: bool = False

    def _read(self, value: Any) -> Quantity:
        _, _, example = DIMENSIONS[self.dimension]
        if isinstance(value, Quantity) and value.dimension == self.dimension:
            return value
        if not isinstance(value, str):
            kind = "a plain number" if isinstance(value, int | float) and not isinstance(value, bool) else "no text"
            raise PydanticCustomError(
                "quantity",
                "expected {dimension} such as {example}, got {kind}: {value}",
                {"dimension": _some(self.dimension), "example": repr(example), "kind": kind, "value": repr(value)[:64]},
            )
        try:
            quantity = Quantity.parse(value, self.dimension)
        except ValueError as error:
            raise PydanticCustomError("quantity", "{message}", {"message": str(error)}) from None
        if quantity.value < 0 or (self.positive and quantity.value == 0):
            bound = "above 0" if self.positive else "0 or more"
            raise PydanticCustomError(
                "quantity",
                "expected {dimension} of {bound}, got {value}",
                {"dimension": _some(self.dimension), "bound": bound, "value": value},
            )
        return quantity

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        _, units, example = DIMENSIONS[self.dimension]
        alternatives = "|".join(re.escape(unit) for unit in sorted(units))
        return {
            "type": "string",
            "description": f"{_some(self.dimension)} with its unit",
            "pattern": rf"^\s*[+]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*({alternatives})\s*$",
            "examples": [example],
        }
