"""Revisions of a workload, as its controller stores them, and the patch back to one of them."""

from collections.abc import Iterable, Mapping
from typing import Any

from reme_api.parsing import parse_int
from reme_playbook.errors import PlaybookError
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.abandoned import previous
from reme_playbook.snapshot.pod_template import SERVER_LABELS
from reme_playbook.snapshot.snapshot import Revision

REVISION_RESOURCES = {
    "Deployment": "replicasets",
    "StatefulSet": "controllerrevisions",
    "DaemonSet": "controllerrevisions",
}
_NUMBER = "deployment.kubernetes.io/revision"


class RevisionNotFoundError(PlaybookError):
    """The revision to roll back to does not exist."""


def own_revisions(
    workload: Mapping[str, Any], kind: str, history: Iterable[Mapping[str, Any]]
) -> tuple[Revision, ...]:
    """Return the templates that belong to the workload by its UID, newest first."""
    uid = unstructured.text(workload, "metadata", "uid")
    own = [
        revision
        for stored in history
        if uid
        and any(
            o.get("uid") == uid for o in unstructured.items(stored, "metadata", "ownerReferences")
        )
        if (revision := _revision(stored, kind)) is not None
    ]
    return tuple(sorted(own, key=lambda r: r.number, reverse=True))


def _revision(stored: Mapping[str, Any], kind: str) -> Revision | None:
    if kind == "Deployment":
        number = parse_int(unstructured.text(stored, "metadata", "annotations", _NUMBER))
        template = unstructured.mapping(stored, "spec", "template")
    else:
        number = parse_int(str(stored.get("revision")))
        template = unstructured.mapping(stored, "data", "spec", "template")
    if not template or number is None:
        return None
    return Revision(
        number, template, created=unstructured.text(stored, "metadata", "creationTimestamp")
    )


def select_revision(
    workload: Mapping[str, Any], known: tuple[Revision, ...], number: int | None
) -> Revision:
    """Return the revision of that number, or the newest that differs and was not abandoned.

    Raises:
        RevisionNotFoundError: there is none.
    """
    if number is None:
        revision = previous(known, unstructured.mapping(workload, "spec", "template"))
    else:
        revision = next((r for r in known if r.number == number), None)
    if revision is None:
        which = "that differs from the present one" if number is None else str(number)
        raise RevisionNotFoundError(f"it has no revision {which}")
    return revision


def template_patch(workload: Mapping[str, Any], revision: Revision) -> list[dict[str, Any]]:
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
