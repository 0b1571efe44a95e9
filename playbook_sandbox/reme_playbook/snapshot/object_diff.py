"""Which fields of an object differ: the one comparison of objects."""

import json
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.field_path import Entry, Index, Path, Step, dotted
from reme_playbook.snapshot.list_keys import ATOMIC_LISTS, NAMED_MAPS, entry_keys, entry_marks
from reme_playbook.snapshot.object_ref import ObjectRef

# What the server changes by itself with every write.
_SERVER_METADATA = frozenset({"managedFields", "resourceVersion", "generation", "uid", "selfLink"})


class FieldChange(NamedTuple):
    """One field that differs, by its dotted path; None on the side where it is absent."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Difference:
    """One field of one object that differs; None on the side where it is absent."""

    target: ObjectRef
    field: str
    before: str | None
    after: str | None

    @classmethod
    def of(cls, target: ObjectRef, field: str, before: Any, after: Any) -> Self:
        """Return the difference between two values; None where the field is absent."""
        return cls(
            target,
            field,
            None if before is None else text(before),
            None if after is None else text(after),
        )

    @classmethod
    def deletion(cls, target: ObjectRef) -> Self:
        """Return what the deletion of an object changes."""
        return cls(target, "metadata.deletionTimestamp", None, "now")


def leaves(
    value: Any, path: Path = (), *, atomic: AbstractSet[str] = ATOMIC_LISTS
) -> Iterator[tuple[Path, Any]]:
    """Yield every field that holds no other, with its value.

    Entries of lists are identified by their keys, or by position where they have none. Lists in
    `atomic` are one value.
    """
    name = path[-1] if path and isinstance(path[-1], str) else ""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            named = name in NAMED_MAPS and not isinstance(inner, Mapping)
            step: Step = Entry(str(key)) if named else str(key)
            yield from leaves(inner, (*path, step), atomic=atomic)
    elif isinstance(value, list | tuple) and value and name not in atomic:
        marks = entry_marks(name, value)
        for place, entry in enumerate(value):
            if marks is None:
                yield from leaves(entry, (*path, Index(place)), atomic=atomic)
            else:
                keys = entry_keys(name, entry)
                # An entry that has nothing but its key is a leaf: {}.
                rest = {k: v for k, v in entry.items() if k not in keys}
                yield from leaves(rest, (*path, Entry(marks[place], name)), atomic=atomic)
    else:
        yield path, value


def text(value: Any) -> str:
    """Return a value as text: strings as they are, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def field_changes(
    before: Any, after: Any, *, atomic: AbstractSet[str] = ATOMIC_LISTS
) -> list[FieldChange]:
    """Return every field that differs, in the order of the dotted paths."""
    old = {dotted(path): text(value) for path, value in leaves(before, atomic=atomic)}
    new = {dotted(path): text(value) for path, value in leaves(after, atomic=atomic)}
    return [
        FieldChange(path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]


def differences(
    target: ObjectRef, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[Difference]:
    """Return every field of an object that differs, except those that the server changes itself."""
    return [
        Difference(target, *change)
        for change in field_changes(_desired_state(before), _desired_state(after))
    ]


def _desired_state(manifest: Mapping[str, Any]) -> dict[str, Any]:
    head = ("apiVersion", "kind", "status", "metadata")
    metadata = unstructured.mapping(manifest, "metadata")
    return {
        "metadata": {k: v for k, v in metadata.items() if k not in _SERVER_METADATA},
        **{k: v for k, v in manifest.items() if k not in head},
    }
