"""The JSON Schema of the files that a user writes."""

from __future__ import annotations

from typing import Any

from archsim.errors import ArchsimError, nearest
from archsim.spec.base import Strict
from archsim.spec.chip import Chip
from archsim.spec.component import component_kinds, row_schema
from archsim.spec.review import Review
from archsim.spec.study import Study
from archsim.spec.tile import Tile
from archsim.spec.workload import Workload

__all__ = ["MODELS", "json_schema"]

MODELS: dict[str, type[Strict]] = {
    "chip": Chip,
    "tile": Tile,
    "workload": Workload,
    "study": Study,
    "review": Review,
}
"""The model of each kind of document."""

_PARTIAL = {"type": "object", "description": "keys laid over those of the file that is extended"}


def json_schema(kind: str | None = None) -> dict[str, Any]:
    """The schema of one kind of document, or of any."""
    if kind is not None and kind not in MODELS:
        raise ArchsimError(f"no kind of file named {kind!r}{nearest(kind, MODELS)}; there are {', '.join(MODELS)}")
    wanted = [kind] if kind else list(MODELS)
    definitions: dict[str, Any] = {"component": {"oneOf": [row_schema(name) for name in component_kinds()]}}
    documents = []
    for name in wanted:
        schema = _document(name)
        definitions |= schema.pop("$defs", {})
        documents.append(schema)
    whole = documents[0] if kind else {"oneOf": documents}
    out = {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole, "$defs": definitions}
    return _with_components(out)  # type: ignore[no-any-return]


def _with_components(value: Any) -> Any:
    """The placeholder that stands for any component row replaced by a reference."""
    if isinstance(value, dict):
        if value.get("x-archsim") == "component":
            return {"$ref": "#/$defs/component"}
        return {key: _with_components(item) for key, item in value.items()}
    return [_with_components(item) for item in value] if isinstance(value, list) else value


def _document(kind: str) -> dict[str, Any]:
    """A file may extend another and then lays parts over it; a chip may name its tile."""
    schema = MODELS[kind].model_json_schema(by_alias=True)
    whole = schema.pop("properties")
    whole["kind"] = {"const": kind}
    whole["extends"] = {"type": "string", "description": f"the {kind} to start from"}
    if kind == "chip":
        schema["$defs"]["Noc"]["properties"]["graph"]["anyOf"].append({"type": "string"})  # the name of a network file
        whole["tile"] = {"anyOf": [{"type": "string"}, whole["tile"], _PARTIAL]}
    schema["properties"] = dict.fromkeys(whole, True)
    schema["if"] = {"required": ["extends"]}
    schema["then"] = {"required": ["schema", "kind"], "properties": {key: _part(whole[key]) for key in whole}}
    schema["else"] = {"required": schema.pop("required"), "properties": whole}
    return schema


def _part(value: dict[str, Any]) -> Any:
    """What may stand in a file that extends another: a part of a mapping, ``null`` to remove, or else a whole value."""
    if "const" in value:
        return value
    simple = value.get("type") in ("string", "integer", "number", "boolean", "array")
    return {"anyOf": [value, {"type": "null"}]} if simple else True
