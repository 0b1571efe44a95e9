"""What a report may look like when it comes in, and how it is brought into its type.

Tools and people write `deployment`, `critical`, `0.95`, fault types with spaces and logs of 60 kB.
The API server accepts them, within the bounds of `ACCEPTED`, and `normalised` brings them into the
bounds of the type: the one place where that happens. Each change has a note, shown in the status of
the report. Notes never quote what was written, since it is untrusted. Pure.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

Schema = dict[str, Any]

MAX_NOTES = 16
MAX_EVIDENCE = 32
MAX_EVIDENCE_CHARACTERS = 4096
MAX_SUMMARY_CHARACTERS = 1024
MAX_SHORT_CHARACTERS = 256
MAX_SLUG_CHARACTERS = 63
UNKNOWN_FAULT = "unknown"

_MAX_ACCEPTED_TEXT = 65536
_MAX_ACCEPTED_SHORT = 4096
_MAX_ACCEPTED_EVIDENCE = 256
_TARGET_KINDS = ("Deployment", "StatefulSet", "DaemonSet")
_SEVERITIES = ("Low", "Medium", "High", "Critical")
_EVIDENCE_KINDS = ("Metric", "Event", "Log", "Trace", "Text")
_SEVERITY_ALIASES = {
    "info": "Low",
    "information": "Low",
    "informational": "Low",
    "minor": "Low",
    "warning": "Medium",
    "warn": "Medium",
    "moderate": "Medium",
    "error": "High",
    "major": "High",
    "page": "Critical",
    "fatal": "Critical",
    "emergency": "Critical",
}
"""Words of alerts for the severities of a report."""
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_NOT_SLUG = re.compile(r"[^A-Za-z0-9_.-]+", re.ASCII)
_NUMBER = re.compile(r"([0-9]{1,6})(\.[0-9]{1,17})?", re.ASCII)


class NormalisedReport(NamedTuple):
    """The spec of a report within the bounds of its type, and what was changed to get there."""

    spec: dict[str, Any]
    notes: tuple[str, ...]


def normalised(spec: Mapping[str, Any]) -> NormalisedReport:
    """Return the spec of a report within the bounds of its type, and a note for each change.

    Takes the names of fields in JSON and in Python. What it does not know is left as it is, for
    the type to judge.
    """
    notes: list[str] = []
    fields = dict(spec)
    for name, normalise in (("target", _target), ("fault", _fault), ("source", _source)):
        if isinstance(part := fields.get(name), Mapping):
            fields[name] = normalise(dict(part), notes.append)
    if isinstance(items := fields.get("evidence"), list | tuple):
        fields["evidence"] = _evidence(items, notes.append)
    return NormalisedReport(fields, tuple(dict.fromkeys(notes))[:MAX_NOTES])


def shortened(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters: its beginning and its end, which often matters.

    Two thirds of the room are for the beginning.
    """
    if len(text) <= limit:
        return text
    gap = " [...] "
    head = (limit - len(gap)) * 2 // 3
    tail = limit - len(gap) - head
    return text[:head] + gap + text[-tail:]


_Note = Callable[[str], None]


def _target(target: dict[str, Any], note: _Note) -> dict[str, Any]:
    if kind := _any_case(target.get("kind"), _TARGET_KINDS):
        target["kind"] = kind
    container = target.get("container")
    if isinstance(container, str) and not _DNS_LABEL.fullmatch(container):
        del target["container"]
        if container:
            note("target.container was ignored: it is not the name of a container")
    return target


def _fault(fault: dict[str, Any], note: _Note) -> dict[str, Any]:
    if isinstance(fault_type := fault.get("type"), str):
        fault["type"] = slug = _slug(fault_type)
        if slug != fault_type:
            note(f"fault.type was changed to {slug}: only letters, digits, -, _ and . are kept")
    _shorten(fault, "summary", MAX_SUMMARY_CHARACTERS, "fault.summary", note)
    _confidence(fault, note)
    _severity(fault, note)
    return fault


def _slug(text: str) -> str:
    slug = _NOT_SLUG.sub("-", text).strip("-_.")[:MAX_SLUG_CHARACTERS].strip("-_.")
    return slug or UNKNOWN_FAULT


def _confidence(fault: dict[str, Any], note: _Note) -> None:
    key = "confidence_percent" if "confidence_percent" in fault else "confidencePercent"
    value = fault.get(key)
    if value is None or (type(value) is int and value != 1 and 0 <= value <= 100):
        return
    percent = _percent(value)
    if percent is None:
        del fault[key]
        note("fault.confidencePercent was ignored: it is no number from 0 to 100")
    elif value == 1:
        note("fault.confidencePercent was read as 1 %: write 100 for a certain diagnosis")
    else:
        fault[key] = percent
        note(f"fault.confidencePercent was read as {percent} %")


def _percent(value: object) -> int | None:
    """Return 95 for 95, 95.2, 0.95, "95", "95%" and "0.95"; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = str(value).strip()
    is_percent = text.endswith("%")
    if not (match := _NUMBER.fullmatch(text.removesuffix("%").rstrip())):
        return None
    number = float(match[0])
    if not is_percent and match[2] and number <= 1:
        number *= 100
    return round(number) if number <= 100 else None


def _severity(fault: dict[str, Any], note: _Note) -> None:
    value = fault.get("severity")
    if not isinstance(value, str) or isinstance(value, StrEnum):
        return
    word = value.strip()
    if severity := _any_case(word, _SEVERITIES):
        fault["severity"] = severity
    elif severity := _SEVERITY_ALIASES.get(word.lower(), ""):
        fault["severity"] = severity
        note(f"fault.severity was read as {severity}")
    else:
        del fault["severity"]
        note("fault.severity was ignored: it is none of Low, Medium, High and Critical")


def _source(source: dict[str, Any], note: _Note) -> dict[str, Any]:
    for name in ("name", "reference"):
        _shorten(source, name, MAX_SHORT_CHARACTERS, f"source.{name}", note)
    return source


def _evidence(items: Iterable[Any], note: _Note) -> list[Any]:
    items = list(items)
    if len(items) > MAX_EVIDENCE:
        note(f"only the first {MAX_EVIDENCE} of {len(items)} items of evidence are used")
    changes: Counter[str] = Counter()
    result = [
        _evidence_item(dict(item), changes) if isinstance(item, Mapping) else item
        for item in items[:MAX_EVIDENCE]
    ]
    for change, count in changes.items():
        note(f"evidence, {count} {'item' if count == 1 else 'items'}: {change}")
    return result


def _evidence_item(item: dict[str, Any], changes: Counter[str]) -> dict[str, Any]:
    def note(_: str) -> None:
        changes[f"a text was shortened to {MAX_EVIDENCE_CHARACTERS} characters"] += 1

    kind = item.get("kind")
    if isinstance(kind, str) and not isinstance(kind, StrEnum):
        item["kind"] = _any_case(kind, _EVIDENCE_KINDS)
        if not item["kind"]:
            item["kind"] = "Text"
            changes[f"the kind was read as Text: it is none of {', '.join(_EVIDENCE_KINDS)}"] += 1
    _shorten(item, "source", MAX_SHORT_CHARACTERS, "source", lambda _: None)
    _shorten(item, "text", MAX_EVIDENCE_CHARACTERS, "text", note)
    return item


def _shorten(part: dict[str, Any], name: str, limit: int, path: str, note: _Note) -> None:
    text = part.get(name)
    if isinstance(text, str) and len(text) > limit:
        part[name] = shortened(text, limit)
        note(f"{path} was shortened from {len(text)} to {limit} characters")


def _any_case(value: object, words: Iterable[str]) -> str:
    """Return the word that the value is in any case; empty when it is none."""
    text = value.strip().lower() if isinstance(value, str) else ""
    return next((word for word in words if word.lower() == text), "")


def _text(limit: int, description: str) -> tuple[Schema, str]:
    return {"type": "string", "maxLength": limit}, description


_KINDS = "|".join(_TARGET_KINDS)
ACCEPTED: Mapping[str, tuple[Schema, str]] = {
    "target.kind": (
        {
            "type": "string",
            "maxLength": 32,
            "x-kubernetes-validations": [
                {
                    "rule": f"self.matches('^(?i:{_KINDS})$')",
                    "message": f"must be {', '.join(_TARGET_KINDS[:-1])} or {_TARGET_KINDS[-1]}",
                }
            ],
        },
        "Upper and lower case are the same.",
    ),
    "target.container": _text(253, "A container that the target does not have is ignored."),
    "fault.type": _text(
        1024, f"Other characters become -, and more than {MAX_SLUG_CHARACTERS} are cut."
    ),
    "fault.summary": _text(
        _MAX_ACCEPTED_TEXT, f"More than {MAX_SUMMARY_CHARACTERS} characters are shortened."
    ),
    "fault.confidencePercent": (
        {"x-kubernetes-preserve-unknown-fields": True},
        "0 to 100; a fraction such as 0.95, and a text such as 95%, are read as percent.",
    ),
    "fault.severity": _text(
        64,
        "Low, Medium, High or Critical, in upper or lower case; words of alerts such as warning"
        " are translated.",
    ),
    "evidence": (
        {"maxItems": _MAX_ACCEPTED_EVIDENCE},
        f"Only the first {MAX_EVIDENCE} items are used.",
    ),
    "evidence[].kind": _text(
        64, "Metric, Event, Log, Trace or Text, in upper or lower case; any other is Text."
    ),
    "evidence[].source": _text(
        _MAX_ACCEPTED_SHORT, f"More than {MAX_SHORT_CHARACTERS} characters are shortened."
    ),
    "evidence[].text": _text(
        _MAX_ACCEPTED_TEXT, f"More than {MAX_EVIDENCE_CHARACTERS} characters are shortened."
    ),
    "source.name": _text(
        _MAX_ACCEPTED_SHORT, f"More than {MAX_SHORT_CHARACTERS} characters are shortened."
    ),
    "source.reference": _text(
        _MAX_ACCEPTED_SHORT, f"More than {MAX_SHORT_CHARACTERS} characters are shortened."
    ),
}
"""What the API server accepts in the spec of a report, by field, and what the reference says of it.

Generous, and still bounded; the API server bounds the whole object as well.
"""

_REPLACED = frozenset(
    {"type", "enum", "maxLength", "minimum", "maximum", "pattern", "x-kubernetes-validations"}
)


def accepting(schema: Schema) -> Schema:
    """Return the schema of a report's spec, with what the API server accepts beyond the type.

    Raises:
        KeyError: a field of `ACCEPTED` is not in the schema.

    """
    for path, (part, description) in ACCEPTED.items():
        schema = _with_part(schema, path.split("."), part, description)
    return schema


def _with_part(schema: Schema, path: list[str], part: Schema, description: str) -> Schema:
    name, rest = path[0].removesuffix("[]"), path[1:]
    field = schema["properties"][name]
    if path[0].endswith("[]"):
        field = {**field, "items": _with_part(field["items"], rest, part, description)}
    elif rest:
        field = _with_part(field, rest, part, description)
    else:
        replaced = (
            _REPLACED if {"type", "x-kubernetes-preserve-unknown-fields"} & part.keys() else ()
        )
        others = {key: value for key, value in field.items() if key not in replaced}
        meaning = f"{field.get('description', '')} {description}".strip()
        field = {**others, **part, "description": meaning}
    return {**schema, "properties": {**schema["properties"], name: field}}
