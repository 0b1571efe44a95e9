"""Pod templates of different revisions: what really differs between them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_diff import FieldChange, field_changes

RESTART_ANNOTATION = "reme.dev/restarted-at"
SERVER_LABELS = ("pod-template-hash", "controller-revision-hash", "pod-template-generation")
"""What controllers add to the labels of the templates that they store."""
RESTART_ANNOTATIONS = (RESTART_ANNOTATION, "kubectl.kubernetes.io/restartedAt")


def normalized(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template without what changes on its own: hashes, restart marks, directives."""
    metadata = {
        key: value
        for key, value in unstructured.mapping(template, "metadata").items()
        if key not in ("creationTimestamp", "labels", "annotations")
    }
    for name, ignored in (("labels", SERVER_LABELS), ("annotations", RESTART_ANNOTATIONS)):
        entries = unstructured.mapping(template, "metadata", name)
        own = {key: value for key, value in entries.items() if key not in ignored}
        if own:
            metadata[name] = own
    return {"metadata": metadata, "spec": dict(unstructured.mapping(template, "spec"))}


def digest(template: Mapping[str, Any]) -> str:
    """Return a hash that two templates share exactly when their pods would be the same."""
    canonical = json.dumps(normalized(template), sort_keys=True, separators=(",", ":"), default=str)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """Return every field of the pods that differs, by dotted path, in the order of the paths."""
    return tuple(field_changes(normalized(before), normalized(after), atomic=frozenset()))
