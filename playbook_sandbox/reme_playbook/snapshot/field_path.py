"""Paths to single fields of objects: read a field, write it, print it, merge writes to a patch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.views import canonical, quota

FieldValue = bool | int | str | None
"""What a captured field holds: objects and lists are canonical JSON."""


@dataclass(frozen=True)
class Entry:
    """A step into a map by a free key, or into a list by the key that identifies its entries."""

    key: str | int
    by: str = ""


@dataclass(frozen=True)
class Index:
    """A step into a list whose entries have no key: only their position identifies them."""

    place: int


Step = str | Entry | Index
Path = tuple[Step, ...]


@dataclass(frozen=True)
class Write:
    """One field and its new value; None removes the field."""

    path: Path
    value: Any


TAINT = "taint"
"""`Entry.by` of a node's taints, which are identified by `key:effect`."""
TEMPLATE: Path = ("spec", "template")
# What the API server fills in where a field is absent.
_DEFAULTS: dict[str, Any] = {
    "replicas": 1,
    "paused": False,
    "suspend": False,
    "unschedulable": False,
    "minReplicas": 1,
    "initialDelaySeconds": 0,
    "periodSeconds": 10,
    "timeoutSeconds": 1,
    "failureThreshold": 3,
    "path": "/",
    "value": "",
}


def container_path(container: str, *rest: Step) -> Path:
    """Return the path of a container in the pod template, or of a field in it."""
    return (*TEMPLATE, "spec", "containers", Entry(container, "name"), *rest)


def grant_path(path: Path) -> Path:
    """Return the path by which a grant covers a field, which may be coarser than the field.

    In a container: all resources, one probe, one variable. On a node: one taint.
    """
    if path[:2] == ("spec", "taints"):
        return path[:3]
    if path[:4] != (*TEMPLATE, "spec", "containers"):
        return path
    return path[:7] if path[5] == "env" else path[:6]


def dotted(path: Path) -> str:
    """Return the path as text: `spec.selector[app]`, `…containers[web].image`."""
    return "".join(_dotted(step) for step in path).lstrip(".")


def _dotted(step: Step) -> str:
    match step:
        case Entry(key=key):
            return f"[{key}]"
        case Index(place=place):
            return f"[{place}]"
        case _:
            return f".{step}"


def overlap(first: Path, second: Path) -> bool:
    """Return whether the fields are the same, or one contains the other."""
    shorter = min(len(first), len(second))
    return first[:shorter] == second[:shorter]


def captured_value(value: Any) -> Any:
    """Return a value as captures store it: objects and lists as canonical JSON."""
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return value


def read(manifest: Mapping[str, Any], path: Path) -> Any:
    """Return the field's value in canonical form with the API's defaults; None if it is absent.

    Objects and lists are returned as `captured_value` writes them.
    """
    parent: Any = manifest
    for step in path[:-1]:
        parent = _step(parent, step)
    value = _step(parent, path[-1])
    if value is None and isinstance(parent, Mapping) and parent:
        value = _default(parent, path)
    if "resources" in path and isinstance(value, str | int):
        return canonical(str(path[-1]), value)
    if path[:2] == ("spec", "hard") and isinstance(path[-1], Entry) and isinstance(value, str):
        return quota(str(path[-1].key), value)
    return None if value == [] else captured_value(value)


def _default(parent: Mapping[str, Any], path: Path) -> Any:
    last = path[-1]
    if last == "targetPort":
        return parent.get("port")
    if last == "value" and "valueFrom" in parent:
        return None
    return _DEFAULTS.get(last) if isinstance(last, str) else None


def _step(value: Any, step: Step) -> Any:
    if isinstance(step, Index):
        entries = value if isinstance(value, list | tuple) else ()
        return entries[step.place] if step.place < len(entries) else None
    if isinstance(step, Entry) and step.by == TAINT:
        taints = unstructured.items({"list": value}, "list")
        return next((t for t in taints if f"{t.get('key')}:{t.get('effect')}" == step.key), None)
    if isinstance(step, Entry) and step.by:
        entries = unstructured.items({"list": value}, "list")
        return next((e for e in entries if e.get(step.by) == step.key), None)
    return unstructured.at(value, str(step.key) if isinstance(step, Entry) else step)


def merge_patch(writes: Sequence[Write]) -> dict[str, Any]:
    """Return the strategic merge patch that makes the writes, in their order.

    Paths with an `Index` cannot be written this way: they need a JSON patch.
    """
    patch: dict[str, Any] = {}
    for write in writes:
        _put(patch, write.path, write.value)
    return patch


def _put(into: dict[str, Any], path: Path, value: Any) -> None:
    step, rest = path[0], path[1:]
    assert not isinstance(step, Index), "a merge patch cannot name a position in a list"
    name = str(step.key) if isinstance(step, Entry) else step
    if not rest:
        into[name] = value
    elif isinstance(rest[0], Entry) and rest[0].by:
        entry = _entry(into.setdefault(name, []), rest[0])
        if len(rest) > 1:
            _put(entry, rest[1:], value)
        elif value is None:
            entry["$patch"] = "delete"
    else:
        _put(into.setdefault(name, {}), rest, value)


def _entry(entries: list[dict[str, Any]], step: Entry) -> dict[str, Any]:
    entry = next((e for e in entries if e[step.by] == step.key), None)
    if entry is None:
        entry = {step.by: step.key}
        entries.append(entry)
    return entry
