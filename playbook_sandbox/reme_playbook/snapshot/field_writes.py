"""Sets single fields of an object. Unchanged parts are shared with the original."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reme_playbook.snapshot.field_path import TAINT, Entry, Index, Path, Step, Write

Json = Mapping[str, Any]


def write_fields(stored: Json, writes: Iterable[Write]) -> Json:
    """Return the object with the writes applied; the same object if nothing changes."""
    for write in writes:
        stored = _set_path(stored, write.path, write.value)
    return stored


def set_field(stored: Json, value: Any, *path: str) -> Json:
    """Return the object with the field set; None removes it."""
    return write_fields(stored, [Write(path, value)])


def _set_path(value_before: Any, path: Path, value: Any) -> Any:
    step, rest = path[0], path[1:]
    if isinstance(step, Index):
        return _set_index(value_before, step.place, rest, value)
    if isinstance(step, Entry) and step.by:
        return _set_entry(value_before, step, rest, value)
    return _set_key(value_before, str(step.key) if isinstance(step, Entry) else step, rest, value)


def _set_key(parent: Any, key: str, rest: Path, value: Any) -> Any:
    old = parent if isinstance(parent, Mapping) else {}
    if not rest and value is None:
        return {k: v for k, v in old.items() if k != key} if key in old else parent
    inner = old.get(key)
    new = _set_path(inner if inner is not None else _empty(rest[0]), rest, value) if rest else value
    if new is inner or (not rest and new == inner):
        return parent
    if inner is None and not new and rest:
        return parent  # the removed field does not exist
    return {**old, key: new}


def _empty(step: Step) -> Any:
    return [] if isinstance(step, Index) or (isinstance(step, Entry) and step.by) else {}


def _set_index(parent: Any, index: int, rest: Path, value: Any) -> Any:
    entries = list(parent) if isinstance(parent, Sequence) else []
    if rest:
        if index >= len(entries):
            return parent
        entries[index] = _set_path(entries[index], rest, value)
    elif value is None:
        if index >= len(entries):
            return parent
        del entries[index]
    elif index < len(entries):
        entries.insert(index, value)
    else:
        entries.append(value)
    return entries


def _set_entry(parent: Any, step: Entry, rest: Path, value: Any) -> Any:
    entries = list(parent) if isinstance(parent, Sequence) else []
    index = next((i for i, e in enumerate(entries) if _matches(e, step)), None)
    removed = value is None and (not rest or step.by == TAINT)
    if removed:
        return parent if index is None else entries[:index] + entries[index + 1 :]
    if index is None:
        entries.append(_set_path(_new_entry(step), rest, value) if rest else value)
        return entries
    new = _set_path(entries[index], rest, value) if rest else value
    if new is entries[index]:
        return parent
    entries[index] = new
    return entries


def _matches(entry: Any, step: Entry) -> bool:
    if not isinstance(entry, Mapping):
        return False
    if step.by == TAINT:
        return f"{entry.get('key')}:{entry.get('effect')}" == step.key
    return bool(entry.get(step.by) == step.key)


def _new_entry(step: Entry) -> dict[str, Any]:
    if step.by == TAINT:
        key, _, effect = str(step.key).rpartition(":")
        return {"key": key, "effect": effect}
    return {step.by: step.key}
