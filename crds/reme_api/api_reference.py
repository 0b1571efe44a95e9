"""Writes `api.md` and `reasons.md` of the reference from the types.

    python -m reme_api.api_reference

`--check` writes nothing, prints what differs and exits with 1.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reme_api.base import API_VERSION
from reme_api.crd_generator import KINDS, Kind, definition
from reme_api.generated_files import sync
from reme_api.reasons import ConditionType, Outcome, Reason, Step

Schema = dict[str, Any]

HEADER = "<!-- Generated from the types by `python -m reme_api.api_reference`; do not edit. -->\n"
_INTRODUCTION = (
    f"Every kind is namespaced and of `{API_VERSION}`. `kubectl get reme` lists all of them;"
    " `kubectl explain KIND.spec` shows the fields. `[]` marks the items of a list, `{}` the values"
    " of a map. The API server checks all bounds and rules. Values of conditions, outcomes, steps"
    " and reasons are explained in [Conditions and reasons](reasons.md)."
)
_ENUMERATIONS = {
    tuple(ConditionType): "conditions",
    tuple(Outcome): "outcomes",
    tuple(Step): "steps",
    tuple(Reason): "reasons",
}
"""Enumerations that have a page of their own, by their values."""
_REASON_SECTIONS = {
    Reason.REMEDIATION_CREATED: "Accepted and Ready",
    Reason.PENDING: "In progress, in every condition",
    Reason.PLAYBOOK_GENERATED: "Generated",
    Reason.PLAYBOOK_ALLOWED: "Validated",
    Reason.APPROVED_BY_POLICY: "Approved",
    Reason.RUN_SUCCEEDED: "Executed",
    Reason.PROBES_PASSED: "Verified",
    Reason.ALREADY_HEALTHY: "Succeeded",
}
"""Titles of the reference, by the first reason of each section."""
_TABLE_HEAD = ("| Value | Meaning |", "|---|---|")
_FOLDER = Path(__file__).parents[2] / "docs/reference"


def api_page() -> str:
    """Return the reference of the kinds as Markdown."""
    lines = [HEADER, "# API", "", _INTRODUCTION, ""]
    lines += [f"- [{kind.model.KIND}](#{kind.model.KIND.lower()})" for kind in KINDS]
    for kind in KINDS:
        lines += ["", *_kind(kind)]
    return "\n".join(lines) + "\n"


def reasons_page() -> str:
    """Return the reference of conditions, outcomes, steps and reasons as Markdown."""
    lines = [HEADER, "# Conditions and reasons", ""]
    for title, members in (("Conditions", ConditionType), ("Outcomes", Outcome), ("Steps", Step)):
        lines += [f"## {title}", "", *_TABLE_HEAD, *map(_meaning, members), ""]
    lines += [
        "## Reasons",
        "",
        "The reason that ends a remediation is also the one of `Succeeded` and `status.reason`.",
    ]
    for reason in Reason:
        if section := _REASON_SECTIONS.get(reason):
            lines += ["", f"### {section}", "", *_TABLE_HEAD]
        lines.append(_meaning(reason))
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m reme_api.api_reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, print what differs")
    parser.add_argument("--out", type=Path, default=_FOLDER, help="folder of the pages")
    options = parser.parse_args(arguments)
    pages = {"api.md": api_page(), "reasons.md": reasons_page()}
    return sync({options.out / name: text for name, text in pages.items()}, check=options.check)


def _meaning(member: ConditionType | Outcome | Step | Reason) -> str:
    return f"| `{member.value}` | {_cell(member.meaning)} |"


def _kind(kind: Kind) -> Iterator[str]:
    schema = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    yield f"## {kind.model.KIND}"
    yield ""
    yield f"{schema['description']} Short name: `{kind.short}`."
    for part in ("spec", "status"):
        if part not in schema["properties"]:
            continue
        yield ""
        yield f"### {kind.model.KIND}: {part}"
        yield ""
        yield "| Field | Type | Required or default | Meaning |"
        yield "|---|---|---|---|"
        yield from _fields(schema["properties"][part], "")
    if rules := list(_object_rules(schema, "")):
        yield ""
        yield "Rules:"
        yield ""
        yield from rules


def _fields(schema: Schema, path: str) -> Iterator[str]:
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        field = f"{path}{name}"
        if name in required:
            presence = "required"
        elif "default" in part and part["default"] != {}:
            presence = f"`{json.dumps(part['default'])}`"
        else:
            presence = ""
        meaning = " ".join([part.get("description", ""), *_bounds(part)]).strip()
        if field == "policy.spec":  # of a Remediation
            meaning = "The fields of [RemediationPolicy: spec](#remediationpolicy-spec)."
            part = {"type": "object"}
        yield f"| `{field}` | {_type(part)} | {presence} | {_cell(meaning)} |"
        yield from _fields(_element(part), f"{field}{_suffix(part)}.")


def _element(schema: Schema) -> Schema:
    """Return the schema of the elements of a list or map; any other schema as it is."""
    element = schema.get("items") or schema.get("additionalProperties")
    return _element(element) if isinstance(element, dict) else schema


def _suffix(schema: Schema) -> str:
    return (
        "[]" if schema.get("type") == "array" else "{}" if "additionalProperties" in schema else ""
    )


def _type(schema: Schema) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        return "integer or string"
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
    element = _element(schema)
    if values := element.get("enum"):
        if name := _ENUMERATIONS.get(tuple(values)):
            yield f"Values: [{name}](reasons.md#{name})."
        else:
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
        yield f"No two items with the same {', '.join(keys)}."
    if "properties" not in element:
        for rule in element.get("x-kubernetes-validations", ()):
            yield f"It {rule['message']}."


def _object_rules(schema: Schema, path: str) -> Iterator[str]:
    if path == ".spec.policy.spec":
        return
    if "properties" in schema:
        for rule in schema.get("x-kubernetes-validations", ()):
            field = f"{path}{rule.get('fieldPath', '')}".lstrip(".")
            yield f"- `{field}`: {rule['message']}."
    for name, part in schema.get("properties", {}).items():
        yield from _object_rules(part, f"{path}.{name}")
    for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(schema.get(key), dict):
            yield from _object_rules(schema[key], f"{path}{suffix}")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
