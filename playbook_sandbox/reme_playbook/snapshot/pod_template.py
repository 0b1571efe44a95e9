"""Pod templates of different revisions: what really differs between them."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from reme_playbook.snapshot import unstructured

RESTART_ANNOTATION = "reme.dev/restarted-at"
SERVER_LABELS = ("pod-template-hash", "controller-revision-hash", "pod-template-generation")
"""What controllers add to the labels of the templates that they keep."""
RESTART_ANNOTATIONS = (RESTART_ANNOTATION, "kubectl.kubernetes.io/restartedAt")

# Lists of a pod template whose entries are told apart by a key, not by their place.
_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}


class FieldChange(NamedTuple):
    """One field that differs; None on the side where it is absent."""

    path: str
    before: str | None
    after: str | None


def essence(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template without what changes on its own: hashes, restart marks, directives."""
    metadata = {
        key: value
        for key, value in unstructured.mapping(template, "metadata").items()
        if key not in ("creationTimestamp", "labels", "annotations")
    }
    labels = {
        key: value
        for key, value in unstructured.mapping(template, "metadata", "labels").items()
        if key not in SERVER_LABELS
    }
    annotations = {
        key: value
        for key, value in unstructured.mapping(template, "metadata", "annotations").items()
        if key not in RESTART_ANNOTATIONS
    }
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": dict(unstructured.mapping(template, "spec"))}


def digest(template: Mapping[str, Any]) -> str:
    """Return a hash that two templates share exactly when their pods would be the same."""
    canonical = json.dumps(essence(template), sort_keys=True, separators=(",", ":"), default=str)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _leaves(value: Any, path: str, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key in value:
            inner = f"{path}.{key}" if path else str(key)
            if name in ("labels", "annotations", "nodeSelector"):
                inner = f"{path}[{key}]"
            yield from _leaves(value[key], inner, str(key))
    elif isinstance(value, list | tuple) and value:
        by = _KEYS.get(name)
        for place, entry in enumerate(value):
            mark = unstructured.at(entry, by) if by else None
            inner = f"{path}[{place if mark is None else mark}]"
            if by and isinstance(entry, Mapping) and mark is not None:
                # An entry that says nothing but its key is still there.
                rest = {k: v for k, v in entry.items() if k != by}
                yield from _leaves(rest, inner, name + "/entry")
            else:
                yield from _leaves(entry, inner, name + "/entry")
    else:
        yield path, value if isinstance(value, str) else json.dumps(value, default=str)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """Return every field of the pods that differs, by dotted path, in the order of the paths."""
    old = dict(_leaves(essence(before), "", ""))
    new = dict(_leaves(essence(after), "", ""))
    return tuple(
        FieldChange(path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    )
