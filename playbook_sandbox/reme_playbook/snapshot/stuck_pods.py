"""Pods of a StatefulSet that keep it from rolling out another template.

The controller of an ordered StatefulSet waits for a pod that is not ready before it does anything
else. Such a pod is not replaced when the template changes: somebody has to delete it, which the
documentation of Kubernetes calls a forced rollback.
"""

from collections.abc import Set as AbstractSet
from typing import NamedTuple

from reme_api.parsing import parse_int
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import pod as pod_view

REVISION_LABEL = "controller-revision-hash"
MAX_STUCK_PODS = 24
"""More are left to a later attempt: a grant has 32 rules."""


class StuckPods(NamedTuple):
    """Pods that have to be deleted, and the revision that all of them are of."""

    revision: str
    names: tuple[str, ...]


NO_STUCK_PODS = StuckPods("", ())


def stuck_pods(
    snapshot: ClusterSnapshot, deleted: AbstractSet[ObjectRef] = frozenset()
) -> StuckPods:
    """Return the pods that would stay at the present revision when the template changes.

    `deleted` are pods that are deleted anyway.

    They are at the update revision and not ready. With the policy Parallel the controller replaces
    them itself, unless the update strategy is OnDelete. Pods below the partition are recreated at
    the revision that they have, so deleting them would not help.
    """
    target, workload = snapshot.target, snapshot.workload
    revision = unstructured.text(workload, "status", "updateRevision")
    if target.kind != "StatefulSet" or not revision:
        return NO_STUCK_PODS
    spec = unstructured.mapping(workload, "spec")
    strategy = unstructured.mapping(spec, "updateStrategy")
    on_delete = strategy.get("type") == "OnDelete"
    if spec.get("podManagementPolicy") == "Parallel" and not on_delete:
        return NO_STUCK_PODS
    first = unstructured.number(spec, "ordinals", "start")
    if not on_delete:
        first += unstructured.number(strategy, "rollingUpdate", "partition")
    stuck: list[tuple[int, str]] = []
    for key, manifest in snapshot.objects.items():
        ordinal = ordinal_of(target, key.name) if key.kind == "Pod" else None
        if (
            ordinal is not None
            and key not in deleted
            and ordinal >= first
            and unstructured.text(manifest, "metadata", "labels", REVISION_LABEL) == revision
            and not unstructured.text(manifest, "metadata", "deletionTimestamp")
            and not pod_view(manifest).ready
        ):
            stuck.append((ordinal, key.name))
    names = tuple(name for _, name in sorted(stuck)[:MAX_STUCK_PODS])
    return StuckPods(revision, names) if names else NO_STUCK_PODS


def ordinal_of(target: ObjectRef, pod: str) -> int | None:
    """Return the ordinal of a pod of the StatefulSet; None if its name is another one."""
    prefix = f"{target.name}-"
    digits = pod.removeprefix(prefix)
    ordinal = parse_int(digits) if pod.startswith(prefix) else None
    return ordinal if str(ordinal) == digits else None
