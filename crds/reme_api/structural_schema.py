"""Turns a pydantic model into the structural OpenAPI v3 schema that the API server wants.

Structural means: no references, no titles, no null, no closed objects, and nothing that Kubernetes
does not know. Whatever this file does not understand stops it, so that a bound is never lost
without anybody noticing.
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

Schema = dict[str, Any]

_KEPT = frozenset(
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
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-validations",
    }
)
_ANYTHING = "x-kubernetes-preserve-unknown-fields"
_DROPPED = frozenset(
    {
        "title",
        "additionalProperties",  # of closed objects: Kubernetes prunes unknown fields by itself
        "propertyNames",  # not in Kubernetes; the API server checks label keys where they are used
    }
)


class UnsupportedSchemaError(ValueError):
    """A type of the API uses something that a CRD cannot say."""


class _Generator(GenerateJsonSchema):
    """Shows the default of a nested object as {}, so that the API server fills in its fields."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        factory = schema.get("default_factory")
        if isinstance(factory, type) and issubclass(factory, BaseModel):
            described = {**described, "default": {}}
        return described


def structural(model: type[BaseModel]) -> Schema:
    """Return the schema of a model, ready for `openAPIV3Schema`.

    Raises:
        UnsupportedSchemaError: when a field cannot be said in a CRD.

    """
    document = model.model_json_schema(by_alias=True, schema_generator=_Generator)
    definitions = document.pop("$defs", {})
    return _convert(document, definitions, model.__name__)


def without_defaults(schema: Schema) -> Schema:
    """Return the schema without defaults: a status is what the operator wrote and nothing more."""
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
    schema: Schema = {key: node[key] for key in sorted(node.keys() & _KEPT)}
    if "default" in node and node["default"] in (None, ""):
        del schema["default"]  # the same as absent, and only clutter in every object
    if unknown := node.keys() - _KEPT - _DROPPED - {_ANYTHING}:
        raise UnsupportedSchemaError(f"{where}: a CRD cannot say {', '.join(sorted(unknown))}")
    if node.get(_ANYTHING):
        return {**schema, _ANYTHING: True}
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


def _resolve(node: Schema, definitions: dict[str, Schema], where: str) -> Schema:
    """Return the node with its reference inlined; what stands beside the reference wins."""
    if "$ref" not in node:
        return node
    beside = {key: value for key, value in node.items() if key != "$ref"}
    name = str(node["$ref"]).removeprefix("#/$defs/")
    try:
        return {**definitions[name], **beside}
    except KeyError:
        raise UnsupportedSchemaError(f"{where}: reference to {node['$ref']}") from None


def _optional(node: Schema, definitions: dict[str, Schema], where: str) -> Schema:
    """Return `x` for `x or null`: a field that may be null is a field that may be absent."""
    if "anyOf" not in node:
        return node
    some = [part for part in node["anyOf"] if part.get("type") != "null"]
    if len(some) != 1:
        raise UnsupportedSchemaError(f"{where}: is a union")
    beside = {key: value for key, value in node.items() if key != "anyOf"}
    return {**_resolve(some[0], definitions, where), **beside}
