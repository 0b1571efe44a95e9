"""Writes the reference of the API, `docs/api.md`, from the types: `python -m reme_api.api_reference`.

`--check` writes nothing, prints what differs and exits with 1.
"""  # noqa: E501

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reme_api.base import API_VERSION
from reme_api.crd_generator import KINDS, Kind, definition
from reme_api.generated_files import sync

Schema = dict[str, Any]

HEADER = "<!-- Generated from the types by `python -m reme_api.api_reference`; do not edit. -->\n"
_INTRODUCTION = (
    f"Every kind is namespaced and of `{API_VERSION}`. `kubectl get reme` lists all of them,"
    " `kubectl explain KIND.spec` shows the same as this page. A field is required where the"
    " column says so; `[]` marks the items of a list, `{}` the values of a map. The bounds are"
    " checked by the API server, and so is every rule."
)
_SIZES = {"maxLength": "characters", "maxItems": "items", "maxProperties": "keys"}
_OUT = Path(__file__).parents[2] / "docs/api.md"


def reference() -> str:
    """Return the whole reference as Markdown."""
    lines = [
        HEADER,
        "# The API of reme",
        "",
        _INTRODUCTION,
        "",
    ]
    lines += [f"- [{kind.model.KIND}](#{kind.model.KIND.lower()})" for kind in KINDS]
    for kind in KINDS:
        lines += ["", *_kind(kind)]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m reme_api.api_reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, print what differs")
    parser.add_argument("--out", type=Path, default=_OUT, help="the file to write")
    options = parser.parse_args(arguments)
    return sync({options.out: reference()}, check=options.check)


def _kind(kind: Kind) -> Iterator[str]:
    schema = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    yield f"## {kind.model.KIND}"
    yield ""
    yield f"{schema['description']} Short name `{kind.short}`."
    for part in ("spec", "status"):
        if part not in schema["properties"]:
            continue
        yield ""
        yield f"### {kind.model.KIND}: {part}"
        yield ""
        yield "| Field | Type | Required or default | Meaning |"
        yield "|---|---|---|---|"
        yield from _fields(schema["properties"][part], "")
    if found := list(_rules(schema, "")):
        yield ""
        yield "Rules:"
        yield ""
        yield from found


def _fields(schema: Schema, path: str) -> Iterator[str]:
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        where = f"{path}{name}"
        if name in required:
            presence = "required"
        elif "default" in part and part["default"] != {}:
            presence = f"`{json.dumps(part['default'])}`"
        else:
            presence = ""
        meaning = " ".join([part.get("description", ""), *_bounds(part)]).strip()
        yield f"| `{where}` | {_type(part)} | {presence} | {_cell(meaning)} |"
        yield from _fields(_inner(part), f"{where}{_mark(part)}.")


def _inner(schema: Schema) -> Schema:
    """Return the schema whose fields stand below this one's row."""
    below = schema.get("items") or schema.get("additionalProperties")
    return _inner(below) if isinstance(below, dict) else schema


def _mark(schema: Schema) -> str:
    return (
        "[]" if schema.get("type") == "array" else "{}" if "additionalProperties" in schema else ""
    )


def _type(schema: Schema) -> str:
    if "type" not in schema:
        return "anything"
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    if "additionalProperties" in schema:
        return f"map of {_type(schema['additionalProperties'])}"
    if schema.get("format") == "date-time":
        return "time"
    return str(schema["type"])


def _bounds(schema: Schema) -> Iterator[str]:
    values = schema.get("enum") or _inner(schema).get("enum")
    if values:
        yield "One of " + ", ".join(f"`{value}`" for value in values) + "."
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        yield f"{low} to {high}."
    elif low is not None:
        yield f"At least {low}."
    elif high is not None:
        yield f"At most {high}."
    for key, unit in (
        ("maxLength", "characters"),
        ("maxItems", "items"),
        ("maxProperties", "keys"),
    ):
        if key in schema:
            yield f"At most {schema[key]} {unit}."
    if keys := schema.get("x-kubernetes-list-map-keys"):
        yield f"No two with the same {', '.join(keys)}."


def _rules(schema: Schema, path: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        where = f"{path}{rule.get('fieldPath', '')}".lstrip(".")
        yield f"- `{where}`: {rule['message']}."
    for name, part in schema.get("properties", {}).items():
        yield from _rules(part, f"{path}.{name}")
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(schema.get(key), dict):
            yield from _rules(schema[key], f"{path}{mark}")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
