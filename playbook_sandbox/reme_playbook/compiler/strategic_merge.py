"""Reads the `definition` of a patch as actions: each of its fields must belong to an action."""

from collections.abc import Iterator, Mapping
from typing import Any

from reme_playbook.actions.base import Draft, PatchPart
from reme_playbook.actions.registry import CLASSES, Action, build
from reme_playbook.actions.resources import RESOURCE_FIELDS
from reme_playbook.errors import RejectedPlaybookError, RejectionRule, quote
from reme_playbook.snapshot.field_path import Entry, Path, dotted
from reme_playbook.snapshot.list_keys import ATOMIC_LISTS, LIST_KEYS, NAMED_MAPS
from reme_playbook.snapshot.object_ref import ObjectRef

# The lists of which a patch may name single entries, and the type of their keys.
_WRITABLE_LISTS = {"containers": str, "env": str, "ports": int}


def read_patch(
    target: ObjectRef, definition: Mapping[str, Any], *, for_rollback: bool = False
) -> tuple[Action, ...]:
    """Return the actions that the patch amounts to, in the order in which it names them.

    Raises RejectedPlaybookError if a field belongs to no action.
    """
    if not definition:
        raise RejectedPlaybookError(
            RejectionRule.SHAPE, f"the definition of {target} has no field to change: add one"
        )
    drafts: dict[tuple[Any, ...], Draft] = {}
    for path, value in _leaves(definition, ()):
        part = _part(path, value)
        if value is None and not CLASSES[part.draft["action"]].ACCEPTS_NULL:
            raise RejectedPlaybookError(
                RejectionRule.VALUE, f"{_shown(path)} may not be removed: write a value"
            )
        _merge(drafts.setdefault(part.group, {"target": target}), part.draft)
    actions = tuple(build(draft) for draft in drafts.values())
    for action in actions:
        if action.INTERNAL and not for_rollback:
            raise RejectedPlaybookError(
                RejectionRule.INTERNAL, f"only a rollback may do this: {action.summary()}"
            )
    return actions


def _part(path: Path, value: Any) -> PatchPart:
    for action in CLASSES.values():
        part = action.from_patch(path, value)
        if part is not None:
            return part
    raise RejectedPlaybookError(
        RejectionRule.FIELD, f"{_shown(path)} may not be written: no action changes it"
    )


def _merge(into: Draft, draft: Draft) -> None:
    for name, value in draft.items():
        if isinstance(value, dict):
            into.setdefault(name, {}).update(value)
        elif isinstance(value, tuple):
            into[name] = tuple(f for f in RESOURCE_FIELDS if f in (*into.get(name, ()), *value))
        elif into.setdefault(name, value) != value:
            raise RejectedPlaybookError(
                RejectionRule.CONTRADICTION, f"{quote(name)} has two different values: keep one"
            )


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    name = path[-1] if path and isinstance(path[-1], str) else ""
    if isinstance(value, dict):
        if not value:
            raise RejectedPlaybookError(
                RejectionRule.FIELD, f"{_shown(path)} is empty: write a value, or leave it out"
            )
        for key, inner in value.items():
            yield from _leaves(inner, (*path, Entry(key) if name in NAMED_MAPS else key))
    elif isinstance(value, list) and not (name in ATOMIC_LISTS and value):
        yield from _entries(value, path, name)
    else:
        yield path, value


def _entries(entries: list[Any], path: Path, name: str) -> Iterator[tuple[Path, Any]]:
    kind = _WRITABLE_LISTS.get(name)
    if kind is None or not entries:
        raise RejectedPlaybookError(
            RejectionRule.FIELD, f"the list {_shown(path)} may not be written: no action changes it"
        )
    by = "port" if name == "ports" else LIST_KEYS[name][0]
    marks: set[str | int] = set()
    for entry in entries:
        mark: Any = entry.get(by) if isinstance(entry, dict) else None
        if not isinstance(mark, str | int) or type(mark) is not kind:
            raise RejectedPlaybookError(
                RejectionRule.SHAPE, f"each entry of {_shown(path)} must name its {by}"
            )
        if mark in marks:
            raise RejectedPlaybookError(
                RejectionRule.DUPLICATE_KEY,
                f"{_shown(path)} has two entries {quote(mark)}: keep one",
            )
        marks.add(mark)
        rest = {key: inner for key, inner in entry.items() if key != by}
        yield from _leaves(rest, (*path, Entry(mark, by)))


def _shown(path: Path) -> str:
    return quote(dotted(path), 160)
