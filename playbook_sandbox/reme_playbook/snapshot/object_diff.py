"""What differs between an object and the same object after a write, field by field."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from reme_api.remediation import Change
from reme_playbook.snapshot import unstructured
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
"""How much of one value is kept where all changes are kept in full length."""

# What the server moves by itself with every write.
_OWN = frozenset({"managedFields", "resourceVersion", "generation", "uid", "selfLink"})
# Lists whose entries are told apart by a key: the same that the API merges them by, nearly.
_KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("port", "containerPort"),
    "taints": ("key", "effect"),
}
# Maps whose keys are names that people give, which may have dots in them.
_MAPS = frozenset({"annotations", "data", "hard", "labels", "matchLabels", "nodeSelector"})
_WORDS = frozenset({"command", "args"})


@dataclass(frozen=True)
class Difference:
    """One field of one object; None on the side where it is absent."""

    target: ObjectRef
    field: str
    before: str | None
    after: str | None


def differences(
    target: ObjectRef, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[Difference]:
    """Return every field that differs but for those that the server moves, in their order."""
    old, new = dict(_leaves(_essence(before))), dict(_leaves(_essence(after)))
    return [
        Difference(target, path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]


def digest(playbook: str, found: Sequence[Difference]) -> str:
    """Return a hash of a playbook's digest and of everything that it changes.

    Two plans share it exactly when they run the same and change the same from the same to the
    same. What is hidden in the record counts too.
    """
    canonical = json.dumps([playbook, [asdict(one) for one in found]], separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def changes(found: Iterable[Difference], longest: int = MAX_SHORT) -> list[Change]:
    """Return the differences as they may be shown: bounded, and without what may be a secret."""
    return [
        Change.model_construct(
            kind=one.target.kind,
            object_name=one.target.name,
            field=_cut(one.field, MAX_SHORT),
            before=_cut(_shown(one.field, one.before), longest),
            after=_cut(_shown(one.field, one.after), longest),
        )
        for one in found
    ]


def fits(found: Sequence[Difference]) -> bool:
    """Return whether all differences can be shown in full in a status."""
    return len(found) <= MAX_CHANGES and all(
        len(one.field) <= MAX_SHORT
        and len(one.before or "") <= MAX_SHORT
        and len(one.after or "") <= MAX_SHORT
        for one in found
    )


def _essence(found: Mapping[str, Any]) -> dict[str, Any]:
    rest = {k: v for k, v in found.items() if k not in ("apiVersion", "kind", "status", "metadata")}
    metadata = {k: v for k, v in unstructured.mapping(found, "metadata").items() if k not in _OWN}
    return {"metadata": metadata, **rest}


def _leaves(value: Any, path: str = "", name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            bracketed = name in _MAPS or (name == "selector" and isinstance(inner, str))
            where = f"{path}[{key}]" if bracketed else f"{path}.{key}".lstrip(".")
            yield from _leaves(inner, where, str(key))
    elif isinstance(value, list) and value and name not in _WORDS:
        for place, entry in enumerate(value):
            mark, rest = _entry(entry, name)
            where = f"{path}[{place if mark is None else mark}]"
            yield from _leaves(entry if mark is None else rest, where)
    else:
        yield path, value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _entry(entry: Any, name: str) -> tuple[str | None, Any]:
    """Return what tells an entry apart from the others of its list, and what it says beside."""
    by = _KEYS.get(name, ())
    if not isinstance(entry, Mapping):
        return None, entry
    found = [key for key in by if key in entry]
    if not found:
        return None, entry
    if name == "ports":
        found = found[:1]
    mark = ":".join(str(entry[key]) for key in found)
    # An entry that says nothing but its key is still there.
    return mark, {key: value for key, value in entry.items() if key not in found} or True


def _shown(field: str, value: str | None) -> str:
    if value is None:
        return ""
    hidden = sensitive_value(value) or any(map(sensitive_name, _names(field)))
    if not hidden and field.rpartition(".")[2] in _WORDS:
        hidden = _sensitive_words(value)
    return HIDDEN if value and hidden else value


def _names(field: str) -> Iterator[str]:
    """Return the names in a path that people gave: of variables, keys, annotations."""
    for part in field.split("[")[1:]:
        yield part.partition("]")[0]


def _sensitive_words(value: str) -> bool:
    try:
        words = json.loads(value)
    except ValueError:
        return False
    return isinstance(words, list) and sensitive_command([str(word) for word in words])


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
