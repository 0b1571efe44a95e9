"""Finds the pod templates that a workload had before, and makes one of them the present one."""

from collections.abc import Iterable, Mapping
from typing import Any

from reme_api.parsing import parse_int
from reme_playbook.errors import PlaybookError
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.pod_template import SERVER_LABELS
from reme_playbook.snapshot.snapshot import Revision, previous

REVISION_RESOURCES = {
    "Deployment": "replicasets",
    "StatefulSet": "controllerrevisions",
    "DaemonSet": "controllerrevisions",
}
_NUMBER = "deployment.kubernetes.io/revision"


class RevisionNotFoundError(PlaybookError):
    """There is nothing to go back to."""


def revisions(
    workload: Mapping[str, Any], kind: str, history: Iterable[Mapping[str, Any]]
) -> tuple[Revision, ...]:
    """Return the templates that belong to the workload by its UID, newest first."""
    uid = unstructured.text(workload, "metadata", "uid")
    found = [
        revision
        for each in history
        if uid
        and any(
            o.get("uid") == uid for o in unstructured.items(each, "metadata", "ownerReferences")
        )
        if (revision := _revision(each, kind)) is not None
    ]
    return tuple(sorted(found, key=lambda r: r.number, reverse=True))


def _revision(each: Mapping[str, Any], kind: str) -> Revision | None:
    if kind == "Deployment":
        number = parse_int(unstructured.text(each, "metadata", "annotations", _NUMBER))
        template = unstructured.mapping(each, "spec", "template")
    else:
        number = parse_int(str(each.get("revision")))
        template = unstructured.mapping(each, "data", "spec", "template")
    if not template or number is None:
        return None
    return Revision(
        number, template, created=unstructured.text(each, "metadata", "creationTimestamp")
    )


def chosen(
    workload: Mapping[str, Any], known: tuple[Revision, ...], number: int | None
) -> Revision:
    """Return the revision of that number, or the newest one that really differs from now.

    Raises:
        NoRevisionError: there is none.
    """
    if number is None:
        found = previous(known, unstructured.mapping(workload, "spec", "template"))
    else:
        found = next((r for r in known if r.number == number), None)
    if found is None:
        which = "that differs from the present one" if number is None else f"number {number}"
        raise RevisionNotFoundError(f"there is no revision {which}")
    return found


def patch(workload: Mapping[str, Any], revision: Revision) -> list[dict[str, Any]]:
    """Return the JSON patch to the revision's template; it fails if the workload has changed."""
    template = {key: value for key, value in revision.template.items() if key != "$patch"}
    metadata = dict(unstructured.mapping(template, "metadata"))
    labels = {
        key: value
        for key, value in unstructured.strings(metadata, "labels").items()
        if key not in SERVER_LABELS
    }
    metadata.pop("creationTimestamp", None)
    metadata["labels"] = labels
    return [
        {
            "op": "test",
            "path": "/metadata/resourceVersion",
            "value": unstructured.text(workload, "metadata", "resourceVersion"),
        },
        {"op": "replace", "path": "/spec/template", "value": {**template, "metadata": metadata}},
    ]
