"""Every reply that a reply schema lets through: what a model can say, written out."""

import json
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

Schema = Mapping[str, Any]


def replies(schema: Schema) -> tuple[str, ...]:
    """Return all replies under a schema of `reme_model.prompt.schema`, as compact as models write them.

    Raises:
        ValueError: the schema has a form that is not one of ours.
    """  # noqa: E501
    written = (
        json.dumps(one, separators=(",", ":"), ensure_ascii=False)
        for one in _values(schema, schema.get("$defs", {}))
    )
    return tuple(dict.fromkeys(written))


def _values(schema: Schema, parts: Mapping[str, Schema]) -> Iterator[Any]:
    if "$ref" in schema:
        yield from _values(parts[str(schema["$ref"]).removeprefix("#/$defs/")], parts)
    elif "anyOf" in schema:
        for choice in schema["anyOf"]:
            yield from _values(choice, parts)
    elif "enum" in schema:
        yield from schema["enum"]
    elif schema.get("type") == "object":
        inner = schema["properties"]
        for some in product(*(tuple(_values(inner[key], parts)) for key in inner)):
            yield dict(zip(inner, some, strict=True))
    elif schema.get("type") == "array":
        entries = schema.get("prefixItems") or [schema["items"]] * schema["minItems"]
        for some in product(*(tuple(_values(entry, parts)) for entry in entries)):
            yield list(some)
    else:
        raise ValueError(f"no schema of a reply: {sorted(schema)}")
