"""Converts a pydantic model to a structural OpenAPI v3 schema for a CRD.

A structural schema has no references, titles, nulls or closed objects, and only keywords that
Kubernetes knows. Anything else raises an error, so that no bound is lost unnoticed.
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from reme_api.validation import pattern_message

Schema = dict[str, Any]

_KEYWORDS = frozenset(
    {
        "default",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "pattern",
        "properties",
        "required",
        "type",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-validations",
    }
)
_ANYTHING = "x-kubernetes-preserve-unknown-fields"
_REMOVED = frozenset(
    {
        "title",
        "additionalProperties",  # of closed objects: Kubernetes prunes unknown fields by itself
        "propertyNames",  # not in Kubernetes; the API server checks label keys where they are used
    }
)


class UnsupportedSchemaError(ValueError):
    """A type of the API uses something that a CRD cannot express."""


class _Generator(GenerateJsonSchema):
    """Writes the default of a nested object as {}, so that the API server sets its fields."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        factory = schema.get("default_factory")
        if isinstance(factory, type) and issubclass(factory, BaseModel):
            described = {**described, "default": {}}
        return described


def structural(model: type[BaseModel]) -> Schema:
    """Return the schema of a model, ready for `openAPIV3Schema`.

    Raises:
        UnsupportedSchemaError: a field cannot be expressed in a CRD.

    """
    document = model.model_json_schema(by_alias=True, schema_generator=_Generator)
    definitions = document.pop("$defs", {})
    return _convert(document, definitions, model.__name__)


def without_defaults(schema: Schema) -> Schema:
    """Return the schema without defaults, for a status: only the operator writes it."""
    return {
        key: {name: without_defaults(part) for name, part in value.items()}
        if key == "properties"
        else without_defaults(value)
        if key in {"items", "additionalProperties"}
        else value
        for key, value in schema.items()
        if key != "default"
    }


def _convert(node: Schema, definitions: dict[str, Schema], where: str) -> Schema:
    node = _optional(_resolve(node, definitions, where), definitions, where)
    schema: Schema = {key: node[key] for key in sorted(node.keys() & _KEYWORDS)}
    if "default" in node and node["default"] in (None, ""):
        del schema["default"]  # the same as absent
    if unknown := node.keys() - _KEYWORDS - _REMOVED - {_ANYTHING}:
        raise UnsupportedSchemaError(f"{where}: a CRD cannot express {', '.join(sorted(unknown))}")
    if node.get(_ANYTHING):
        return {**schema, _ANYTHING: True}
    if node.get("x-kubernetes-int-or-string"):
        return schema
    if "type" not in node:
        raise UnsupportedSchemaError(f"{where}: has no type")
    if "properties" in node:
        schema["properties"] = {
            name: _convert(part, definitions, f"{where}.{name}")
            for name, part in node["properties"].items()
        }
    if "items" in node:
        schema["items"] = _convert(node["items"], definitions, f"{where}[]")
    values = node.get("additionalProperties")
    if isinstance(values, dict):
        schema["additionalProperties"] = _convert(values, definitions, f"{where}{{}}")
    elif values is not False and node["type"] == "object" and "properties" not in node:
        raise UnsupportedSchemaError(f"{where}: is an object without fields")
    return schema


def with_messages(schema: Schema) -> Schema:
    """Return the schema with patterns as CEL rules: the API server shows their messages.

    It would show the regular expression of a `pattern`. For a spec, which people write.
    """
    converted = {
        key: {name: with_messages(part) for name, part in value.items()}
        if key == "properties"
        else with_messages(value)
        if key in {"items", "additionalProperties"}
        else value
        for key, value in schema.items()
        if key != "pattern"
    }
    if "pattern" in schema:
        expression = str(schema["pattern"])
        rule = {"rule": f"self.matches('{expression}')", "message": pattern_message(expression)}
        if rule["message"] is None or "'" in expression or "\\" in expression:
            raise UnsupportedSchemaError(f"{expression}: has no message or needs quoting")
        converted["x-kubernetes-validations"] = [rule]
    return converted


def _resolve(node: Schema, definitions: dict[str, Schema], where: str) -> Schema:
    """Return the node with its reference inlined; keywords beside the reference win."""
    if "$ref" not in node:
        return node
    siblings = {key: value for key, value in node.items() if key != "$ref"}
    name = str(node["$ref"]).removeprefix("#/$defs/")
    try:
        return {**definitions[name], **siblings}
    except KeyError:
        raise UnsupportedSchemaError(f"{where}: reference to {node['$ref']}") from None


def _optional(node: Schema, definitions: dict[str, Schema], where: str) -> Schema:
    """Return `x` for `x or null`: a field that may be null may be absent."""
    if "anyOf" not in node:
        return node
    types = [part for part in node["anyOf"] if part.get("type") != "null"]
    if len(types) != 1:
        raise UnsupportedSchemaError(f"{where}: is a union")
    siblings = {key: value for key, value in node.items() if key != "anyOf"}
    return {**_resolve(types[0], definitions, where), **siblings}
