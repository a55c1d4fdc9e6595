"""Turns our models, which pydantic describes in JSON Schema, into components and parameters of an OpenAPI document."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, TypeAdapter

from tools.openapi.descriptions import WORDS
from tools.openapi.examples import PARAMETERS

type Schema = dict[str, Any]

# The names of the public page, where ours are others.
_NAMES = {
    "AdjustmentRequest": "InventoryAdjustmentRequest",
    "BatchRequest": "InventoryAdjustmentBatchRequest",
    "CountRequest": "InventoryCountRequest",
    "ProblemKind": "InventoryProofProblemKind",
    "ReversalRequest": "InventoryAdjustmentReversalRequest",
    "TransferLine": "InventoryTransferLine",
    "TransferRequest": "InventoryTransferRequest",
    "ValidationEntry": "ValidationError",
}

# Of a number behind an alias of ours pydantic does not know that it is one, and leaves its bounds as they are.
_BOUNDS = {"ge": "minimum", "le": "maximum"}


@dataclass(frozen=True, slots=True)
class Components:
    """What one document names to refer to it; each is made when it is first referred to."""

    schemas: dict[str, Schema] = field(default_factory=dict)
    responses: dict[str, Schema] = field(default_factory=dict)

    def reference(self, model: Any) -> Schema:
        """Refer to the schema of a model or a typed dictionary."""
        name = _NAMES.get(model.__name__, model.__name__)
        if name not in self.schemas:
            self.schemas[name] = {}  # holds its place before those that it refers to
            self.schemas[name] |= self.schema(model)
        return {"$ref": f"#/components/schemas/{name}"}

    def schema(self, model: Any) -> Schema:
        """Write out the schema of a type; what it refers to is named where that has a name worth knowing."""
        schema = TypeAdapter(model).json_schema()
        return self._plain(schema, schema.pop("$defs", {}))

    def parameters(self, model: type[BaseModel], place: str) -> list[Schema]:
        """Describe a model's fields as parameters of a path or a query string, where nothing can be null."""
        schema = self.schema(model)
        required: list[str] = schema.get("required", [])
        return [
            {"name": name, "in": place, "required": name in required, **_described(_not_null(member))}
            | ({"example": PARAMETERS[name]} if name in required else {})
            for name, member in schema["properties"].items()
        ]

    def _plain(self, schema: Schema, definitions: Schema) -> Schema:
        """Leave out titles and empty defaults, which say nothing, and put what is referred to in its place."""
        plain: Schema = {}
        for key, value in schema.items():
            match key, value:
                case ("title", _) | ("default", None):
                    pass
                case "$ref", str(path):
                    plain |= self._defined(path.rpartition("/")[2], definitions)
                case "properties", dict():
                    plain[key] = {name: worded(name, self._plain(each, definitions)) for name, each in value.items()}
                case "anyOf", list():
                    plain[key] = [self._plain(each, definitions) for each in value]
                case "items", dict():
                    plain[key] = self._plain(value, definitions)
                case _:
                    plain[_BOUNDS.get(key, key)] = value
        return plain

    def _defined(self, name: str, definitions: Schema) -> Schema:
        """Name objects and enumerations, from which generators make types; write the others out where they stand."""
        definition = self._plain(definitions[name], definitions)
        if definition.keys().isdisjoint({"enum", "properties"}):
            return definition
        name = _NAMES.get(name, name)
        self.schemas.setdefault(name, definition)
        return {"$ref": f"#/components/schemas/{name}"}


def worded(name: str, member: Schema) -> Schema:
    """Say what a member means, where its model does not."""
    return member if "description" in member or name not in WORDS else member | {"description": WORDS[name]}


def _described(member: Schema) -> Schema:
    """Put the description where readers of parameters look for it."""
    schema = {name: value for name, value in member.items() if name != "description"}
    return ({"description": member["description"]} if "description" in member else {}) | {"schema": schema}


def _not_null(member: Schema) -> Schema:
    plain = dict(member)
    for alternative in plain.pop("anyOf", []):
        if alternative != {"type": "null"}:
            plain = alternative | plain
    return plain
