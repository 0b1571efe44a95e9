"""Which events still matter: what they complain about is so now.

Events stay for an hour. That a pod could not be created, placed or pulled, or failed a probe while
it started, says nothing about the fault when the pod exists and is ready since then.
"""

from collections.abc import Iterator
from datetime import timedelta

from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.pod_times import ready_changed_at
from reme_playbook.snapshot.snapshot import ClusterSnapshot, EventLine
from reme_playbook.snapshot.surge_pods import HASH_LABEL
from reme_playbook.snapshot.views import PodView

CREATION = frozenset({"FailedCreate", "ReplicaSetCreateError"})
_PLACEMENT = frozenset({"FailedScheduling"})
_START = frozenset(
    {
        "BackOff",
        "Failed",
        "FailedAttachVolume",
        "FailedCreatePodSandBox",
        "FailedMount",
        "FailedPostStartHook",
        "InspectFailed",
        "NetworkNotReady",
        "Unhealthy",
    }
)


def current_events(snapshot: ClusterSnapshot) -> Iterator[EventLine]:
    """Yield the events without those whose cause is gone."""
    pods = {pod.name: pod for pod in snapshot.pods}
    for event in snapshot.events:
        if event.reason in CREATION:
            is_current = _pods_are_missing(snapshot) and not _of_an_older_revision(event, snapshot)
        elif (pod := pods.get(event.name)) is not None:
            is_current = _matters(event, pod, snapshot)
        else:
            is_current = True
        if is_current:
            yield event


def _pods_are_missing(snapshot: ClusterSnapshot) -> bool:
    count = snapshot.replicas
    return min(count.current, count.updated) < count.desired


def _of_an_older_revision(event: EventLine, snapshot: ClusterSnapshot) -> bool:
    """Return whether it is about a ReplicaSet that is no longer the newest one."""
    current = snapshot.current_revision
    template = current.template if current else {}
    newest = unstructured.text(template, "metadata", "labels", HASH_LABEL)
    return (
        event.kind == "ReplicaSet"
        and bool(newest)
        and event.name != f"{snapshot.target.name}-{newest}"
    )


def _matters(event: EventLine, pod: PodView, snapshot: ClusterSnapshot) -> bool:
    if event.reason in _PLACEMENT:
        return bool(pod.unscheduled)
    if event.reason not in _START or not pod.ready:
        return True
    manifest = snapshot.objects.get(ObjectRef("Pod", snapshot.target.namespace, pod.name), {})
    ready_since, now = ready_changed_at(manifest), snapshot.collected_at
    if ready_since is None or now is None or event.age_seconds is None:
        return True
    return now - timedelta(seconds=event.age_seconds) > ready_since
