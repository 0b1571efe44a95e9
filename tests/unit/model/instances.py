"""Enumerates the instances of a schema, for the few keywords of reply schemas."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any


def instances(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """Yield every value that the schema allows; fail on an unknown keyword."""
    root = root or schema
    keywords = set(schema) - {"$defs"}
    if "$ref" in schema:
        assert keywords == {"$ref"}
        yield from instances(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    elif "anyOf" in schema:
        assert keywords == {"anyOf"}
        for choice in schema["anyOf"]:
            yield from instances(choice, root)
    elif "enum" in schema:
        assert keywords <= {"enum", "type"}
        yield from schema["enum"]
    elif schema["type"] == "object":
        assert keywords == {"type", "properties", "required", "additionalProperties"}
        assert schema["required"] == list(schema["properties"])
        assert schema["additionalProperties"] is False
        parts = [list(instances(part, root)) for part in schema["properties"].values()]
        for values in itertools.product(*parts):
            yield dict(zip(schema["properties"], values, strict=True))
    else:
        yield from _lists(schema, root)


def _lists(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[list[Any]]:
    assert schema["type"] == "array"
    entries = schema.get("prefixItems", [schema["items"]])
    assert schema["minItems"] == schema["maxItems"] == len(entries)
    assert len(entries) == 1 or schema["items"] is False
    for values in itertools.product(*[list(instances(entry, root)) for entry in entries]):
        yield list(values)
