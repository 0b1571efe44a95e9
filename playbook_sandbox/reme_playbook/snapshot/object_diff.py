"""Which fields of an object differ, and how that is recorded: the one comparison of objects."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from reme_api.remediation import Change
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.field_path import Entry, Index, Path, Step, dotted
from reme_playbook.snapshot.list_keys import ATOMIC_LISTS, NAMED_MAPS, entry_keys, entry_marks
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.sensitive import (
    HIDDEN,
    sensitive_command,
    sensitive_name,
    sensitive_value,
)

MAX_CHANGES = 32
MAX_SHORT = 256
MAX_LONG = 4096
"""Characters of one value where all changes are stored in full."""

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


def digest(playbook: str, changed: Sequence[Difference]) -> str:
    """Return a hash of a playbook's digest and of everything that the playbook changes.

    Two plans share it exactly when they run the same and change the same fields from the same
    values to the same values. Values that are hidden in the record count too.
    """
    canonical = json.dumps([playbook, [asdict(one) for one in changed]], separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def changes(changed: Iterable[Difference], max_characters: int = MAX_SHORT) -> list[Change]:
    """Return the differences as they are recorded: bounded, and without possible secrets."""
    return [
        Change.model_construct(
            kind=one.target.kind,
            object_name=one.target.name,
            field=_cut(one.field, MAX_SHORT),
            before=_cut(_shown(one.field, one.before), max_characters),
            after=_cut(_shown(one.field, one.after), max_characters),
        )
        for one in changed
    ]


def fits(changed: Sequence[Difference]) -> bool:
    """Return whether a status has room for all differences in full."""
    return len(changed) <= MAX_CHANGES and all(
        len(one.field) <= MAX_SHORT
        and len(one.before or "") <= MAX_SHORT
        and len(one.after or "") <= MAX_SHORT
        for one in changed
    )


def _shown(field: str, value: str | None) -> str:
    if value is None:
        return ""
    hidden = sensitive_value(value) or any(map(sensitive_name, _names(field)))
    if not hidden and field.rpartition(".")[2] in ATOMIC_LISTS:
        hidden = _is_sensitive_command(value)
    return HIDDEN if value and hidden else value


def _names(field: str) -> Iterator[str]:
    """Yield the names in a path that people chose: of variables, keys, annotations."""
    for part in field.split("[")[1:]:
        yield part.partition("]")[0]


def _is_sensitive_command(value: str) -> bool:
    try:
        words = json.loads(value)
    except ValueError:
        return False
    return isinstance(words, list) and sensitive_command([str(word) for word in words])


def _cut(text: str, max_characters: int) -> str:
    return text if len(text) <= max_characters else f"{text[: max_characters - 1]}…"
