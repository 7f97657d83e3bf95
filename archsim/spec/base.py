"""The base of all that is validated: unknown keys refused with the nearest valid one, frozen, no NaN."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from archsim.errors import nearest
from archsim.units import Quantity, QuantityOf

__all__ = [
    "Area",
    "Bandwidth",
    "Capacitance",
    "Energy",
    "Frequency",
    "Information",
    "Length",
    "Power",
    "Resistance",
    "Share",
    "Status",
    "Strict",
    "Time",
    "Voltage",
    "kept",
    "schema_alone",
]

Time = Annotated[Quantity, QuantityOf("time", positive=True)]
Frequency = Annotated[Quantity, QuantityOf("frequency", positive=True)]
Power = Annotated[Quantity, QuantityOf("power")]
Energy = Annotated[Quantity, QuantityOf("energy")]
Area = Annotated[Quantity, QuantityOf("area")]
Length = Annotated[Quantity, QuantityOf("length", positive=True)]
Information = Annotated[Quantity, QuantityOf("information", positive=True)]
Bandwidth = Annotated[Quantity, QuantityOf("bandwidth", positive=True)]
Resistance = Annotated[Quantity, QuantityOf("resistance", positive=True)]
Capacitance = Annotated[Quantity, QuantityOf("capacitance", positive=True)]
Voltage = Annotated[Quantity, QuantityOf("voltage", positive=True)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]

Status = Literal[
    "verified", "verified_2src", "verified_by_arithmetic", "recalled_not_found", "derived", "assumed", "set_by_user"
]
"""How far a number is verified; the words are explained in ``docs/architecture.md``."""


Model = TypeVar("Model", bound=BaseModel)
Value = TypeVar("Value")


class _Same:
    """A model by its identity: for its lists it has no hash."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __hash__(self) -> int:
        return id(self.model)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.model is other.model


def kept(function: Callable[[Model], Value]) -> Callable[[Model], Value]:
    """A function of a frozen model alone whose answers for the latest models are kept, with those models."""

    @lru_cache(maxsize=16)
    def known(same: _Same) -> Value:
        return function(same.model)

    @wraps(function)
    def answer(model: Model) -> Value:
        return known(_Same(model))

    return answer


class Strict(BaseModel):
    """A frozen model that refuses unknown keys and says which valid key is nearest."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_nearest_key(cls, data: Any, handler: ModelWrapValidatorHandler[Any]) -> Any:
        if not isinstance(data, dict | cls):
            raise PydanticCustomError("mapping", "expected a mapping, got {value}", {"value": repr(data)[:80]})
        try:
            return handler(data)
        except ValidationError as error:
            details = [cls._detail(line) for line in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(error.title, details) from None

    @classmethod
    def _detail(cls, line: Any) -> InitErrorDetails:
        if line["type"] == "extra_forbidden" and len(line["loc"]) == 1:
            known = sorted(field.alias or name for name, field in cls.model_fields.items())
            hint = nearest(str(line["loc"][0]), known) or f"; the keys here are {', '.join(known)}"
            kind = PydanticCustomError("unknown_key", "unknown key{hint}", {"hint": hint})
        else:
            at = {key: value for key, value in (line.get("ctx") or {}).items() if key == "at"}
            kind = PydanticCustomError(line["type"], "{message}", {"message": _plain_words(line), **at})
        return InitErrorDetails(type=kind, loc=line["loc"], input=line["input"])


_EXPECTED = {
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "string_type": "expected a text",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "dict_type": "expected a mapping",
    "finite_number": "expected a finite number",
}


def _plain_words(line: Any) -> str:
    """A pydantic error in archsim's words: what was expected, then what was got."""
    kind, context, got = line["type"], line.get("ctx") or {}, repr(line["input"])[:80]
    if "message" in context:  # put into words by a model further in
        return str(line["msg"])
    if kind == "missing":
        return f"the key {line['loc'][-1]!r} is missing"
    if kind in _EXPECTED:
        return f"{_EXPECTED[kind]}, got {got}"
    bounds = {"greater_than_equal": ("ge", "at least"), "less_than_equal": ("le", "at most")}
    bounds |= {"greater_than": ("gt", "more than"), "less_than": ("lt", "less than")}
    if kind in bounds:
        key, words = bounds[kind]
        return f"expected {words} {context[key]}, got {got}"
    if kind == "literal_error":
        choices = str(context["expected"])
        hint = nearest(str(line["input"]), [word.strip(" '") for word in choices.replace(" or ", ",").split(",")])
        return f"expected {choices}, got {got}{hint}"
    return str(line["msg"])


def schema_alone(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model without references, so that it can stand inside another."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def inline(value: Any) -> Any:
        if isinstance(value, dict):
            name = str(value.get("$ref", "")).removeprefix("#/$defs/")
            return inline(definitions[name]) if name else {key: inline(item) for key, item in value.items()}
        return [inline(item) for item in value] if isinstance(value, list) else value

    return inline(schema)  # type: ignore[no-any-return]
