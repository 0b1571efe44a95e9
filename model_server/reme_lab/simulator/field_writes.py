"""Sets single fields of an object; what is not on the way to them is shared with the old one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reme_playbook.actions.field_paths import TAINT, Entry, Index, Path, Step, Write

Json = Mapping[str, Any]


def write_fields(found: Json, changes: Iterable[Write]) -> Json:
    """Return the object with the writes made; the object itself where they change nothing."""
    for change in changes:
        found = _put(found, change.path, change.value)
    return found


def set_field(found: Json, value: Any, *path: str) -> Json:
    """Return the object with the field set; None takes it away."""
    return write_fields(found, [Write(path, value)])


def _put(found: Any, path: Path, value: Any) -> Any:
    step, rest = path[0], path[1:]
    if isinstance(step, Index):
        return _placed(found, step.place, rest, value)
    if isinstance(step, Entry) and step.by:
        return _entry(found, step, rest, value)
    return _keyed(found, str(step.key) if isinstance(step, Entry) else step, rest, value)


def _keyed(found: Any, key: str, rest: Path, value: Any) -> Any:
    old = found if isinstance(found, Mapping) else {}
    if not rest and value is None:
        return {k: v for k, v in old.items() if k != key} if key in old else found
    inner = old.get(key)
    new = _put(inner if inner is not None else _empty(rest[0]), rest, value) if rest else value
    if new is inner or (not rest and new == inner):
        return found
    if inner is None and not new and rest:
        return found  # something was taken away that was not there
    return {**old, key: new}


def _empty(step: Step) -> Any:
    return [] if isinstance(step, Index) or (isinstance(step, Entry) and step.by) else {}


def _placed(found: Any, place: int, rest: Path, value: Any) -> Any:
    entries = list(found) if isinstance(found, Sequence) else []
    if rest:
        if place >= len(entries):
            return found
        entries[place] = _put(entries[place], rest, value)
    elif value is None:
        if place >= len(entries):
            return found
        del entries[place]
    elif place < len(entries):
        entries.insert(place, value)
    else:
        entries.append(value)
    return entries


def _entry(found: Any, step: Entry, rest: Path, value: Any) -> Any:
    entries = list(found) if isinstance(found, Sequence) else []
    place = next((i for i, e in enumerate(entries) if _is(e, step)), None)
    removed = value is None and (not rest or step.by == TAINT)
    if removed:
        return found if place is None else entries[:place] + entries[place + 1 :]
    if place is None:
        entries.append(_put(_new(step), rest, value) if rest else value)
        return entries
    new = _put(entries[place], rest, value) if rest else value
    if new is entries[place]:
        return found
    entries[place] = new
    return entries


def _is(entry: Any, step: Entry) -> bool:
    if not isinstance(entry, Mapping):
        return False
    if step.by == TAINT:
        return f"{entry.get('key')}:{entry.get('effect')}" == step.key
    return bool(entry.get(step.by) == step.key)


def _new(step: Entry) -> dict[str, Any]:
    if step.by == TAINT:
        key, _, effect = str(step.key).rpartition(":")
        return {"key": key, "effect": effect}
    return {step.by: step.key}
