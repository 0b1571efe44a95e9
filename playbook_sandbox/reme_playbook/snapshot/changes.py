"""What changed around a target, and when: the causes that a fault may have.

A change is known from the API server: revisions of the workload, and `managedFields`, where each
writer of an object has the time of its last write. What reme and the controllers wrote does not
count, and neither does a status.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import WORKLOADS, ObjectRef
from reme_playbook.snapshot.pod_template import digest
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Revision
from reme_playbook.snapshot.times import parse_time, time_at

CHANGING_KINDS = frozenset(
    {
        "ConfigMap",
        "Service",
        "HorizontalPodAutoscaler",
        "ResourceQuota",
        "NetworkPolicy",
        "PodDisruptionBudget",
    }
)
"""Kinds of which the last change may explain a fault, besides the workloads."""
MAX_CHANGES = 32
_CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kubelet")
_OWN = "reme-"


@dataclass(frozen=True, order=True, slots=True)
class Change:
    """One change of one object."""

    at: datetime
    subject: ObjectRef
    what: str
    """As the end of a sentence, such as `was changed`."""


def changes_of(snapshot: ClusterSnapshot) -> tuple[Change, ...]:
    """Return the changes of the target and of what it depends on, the newest first."""
    used = set(snapshot.config_map_names)
    changes = [*revision_changes(snapshot.target, snapshot.revisions)]
    for ref, manifest in snapshot.objects.items():
        if ref == snapshot.target:
            changes += _scale_changes(ref, manifest)
        elif ref.kind in CHANGING_KINDS and (ref.kind != "ConfigMap" or ref.name in used):
            changes += object_changes(ref, manifest)
    return newest(changes)


def newest(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return the newest changes, newest first, bounded in number."""
    return tuple(sorted(set(changes), reverse=True)[:MAX_CHANGES])


def revision_changes(target: ObjectRef, revisions: Iterable[Revision]) -> Iterator[Change]:
    """Yield when the template of each revision came; a restart of the same template is none."""
    newest_first = sorted(revisions, key=lambda revision: revision.number, reverse=True)
    for revision, before in pairwise(newest_first):
        at = parse_time(revision.created)
        if at is not None and digest(revision.template) != digest(before.template):
            yield Change(at, target, f"got the template of revision {revision.number}")


def object_changes(ref: ObjectRef, manifest: Mapping[str, Any]) -> Iterator[Change]:
    """Yield when the object was created, and when each writer wrote it last."""
    created = time_at(manifest, "metadata", "creationTimestamp")
    if created is not None:
        yield Change(created, ref, "was created")
    for at, scaled in _writes(manifest):
        if created is None or at > created:
            yield Change(at, ref, "was scaled" if scaled else "was changed")


def last_change(ref: ObjectRef, manifest: Mapping[str, Any]) -> Change | None:
    """Return the newest change of an object, if any is known."""
    return max(object_changes(ref, manifest), default=None)


def _scale_changes(ref: ObjectRef, manifest: Mapping[str, Any]) -> Iterator[Change]:
    """Yield when somebody set the number of replicas; revisions say the rest about the target."""
    for at, scaled in _writes(manifest):
        if scaled:
            yield Change(at, ref, "was scaled")


def _writes(manifest: Mapping[str, Any]) -> Iterator[tuple[datetime, bool]]:
    """Yield the time of each writer's last write, and whether it set the replicas alone."""
    is_workload = unstructured.text(manifest, "kind") in WORKLOADS
    for entry in unstructured.items(manifest, "metadata", "managedFields"):
        manager, at = unstructured.text(entry, "manager"), time_at(entry, "time")
        part = unstructured.text(entry, "subresource")
        scaled = part == "scale"
        if at is None or part not in ("", "scale") or manager.startswith(_OWN):
            continue
        if manager in _CONTROLLERS and not scaled:
            continue
        fields = unstructured.mapping(entry, "fieldsV1")
        if is_workload and fields and "f:spec" not in fields:
            continue  # annotations or labels of the workload change no pod
        yield at, scaled
